//! One entity per table: the columns as the migrations make them, checked by a test on both databases.
//!
//! Common to all: `_ms` are unix milliseconds; a workday or date is text `YYYY-MM-DD`; a wall time is text
//! `YYYY-MM-DD HH:MM:SS` without zone; every integer is an `i64`, so raw rows never need to know its width.

pub mod accounts;
pub mod attendance_reports;
pub mod attendances;
pub mod audit;
pub mod call_places;
pub mod claimed_days;
pub mod clock_shifts;
pub mod corrections;
pub mod coverage_declarations;
pub mod cycle_days;
pub mod cycles;
pub mod department_managers;
pub mod departments;
pub mod device_calls;
pub mod device_clocks;
pub mod device_commands;
pub mod device_coverage;
pub mod device_failures;
pub mod device_gaps;
pub mod device_notices;
pub mod device_uploads;
pub mod device_users;
pub mod device_zones;
pub mod devices;
pub mod employees;
pub mod fingerprint_backups;
pub mod held_terminals;
pub mod holidays;
pub mod identity_links;
pub mod kept_uploads;
pub mod leave;
pub mod leave_types;
pub mod marked_days;
pub mod parked;
pub mod payroll_exports;
pub mod payroll_profiles;
pub mod periods;
pub mod plan_changes;
pub mod policies;
pub mod poll_cycles;
pub mod punch_sightings;
pub mod punches;
pub mod report_versions;
pub mod requests;
pub mod roster_overrides;
pub mod settings;
pub mod setup_links;
pub mod shifts;
pub mod sign_in_sessions;
pub mod sites;
pub mod turns;
pub mod week_pattern_days;
pub mod week_patterns;
pub mod weekly_off_days;
pub mod weekly_off_patterns;

#[cfg(test)]
mod tests {
    use sea_orm::sea_query::ColumnType;
    use sea_orm::{ColumnTrait, DbBackend, EntityTrait, Iterable};

    use super::*;
    use crate::{Store, on_both_databases, sql};

    /// Name, type and nullability of each column, in no order.
    type Columns = std::collections::BTreeSet<(String, &'static str, bool)>;

    fn of_entity<E: EntityTrait>() -> Columns {
        E::Column::iter()
            .map(|column| {
                let definition = column.def();
                let family = match definition.get_column_type() {
                    ColumnType::BigInteger => "int",
                    ColumnType::Text => "text",
                    ColumnType::Boolean => "bool",
                    ColumnType::VarBinary(_) | ColumnType::Blob => "blob",
                    other => panic!("{other:?} is used by no table"),
                };
                let name = sea_orm::IdenStatic::as_str(&column).to_owned();
                (name, family, definition.is_null())
            })
            .collect()
    }

    async fn of_table(store: &Store, table: &str) -> Columns {
        let query = match store.backend() {
            DbBackend::Postgres => {
                "SELECT column_name::text, data_type::text, is_nullable = 'YES' FROM information_schema.columns \
                 WHERE table_schema = 'public' AND table_name = $1"
            }
            _ => "SELECT name, lower(type), NOT (\"notnull\" OR pk) FROM pragma_table_info($1)",
        };
        let rows = sql::all(store.read(), query, [table.into()]).await.unwrap();
        rows.iter()
            .map(|row| {
                let declared: String = row.try_get_by_index(1).unwrap();
                let family = match declared.as_str() {
                    "bigint" | "integer" => "int",
                    "text" => "text",
                    "boolean" => "bool",
                    "bytea" | "blob" => "blob",
                    other => panic!("{other} is used by no entity"),
                };
                let nullable = row.try_get_by_index(2).unwrap();
                (row.try_get_by_index(0).unwrap(), family, nullable)
            })
            .collect()
    }

    async fn check<E: EntityTrait>(store: &Store, entity: E) {
        let table = entity.table_name();
        assert_eq!(of_table(store, table).await, of_entity::<E>(), "{table}");
        E::find().all(store.read()).await.unwrap();
    }

    on_both_databases! {
        async fn entities_are_the_tables(store: Store) {
            check(&store, accounts::Entity).await;
            check(&store, attendance_reports::Entity).await;
            check(&store, attendances::Entity).await;
            check(&store, audit::Entity).await;
            check(&store, call_places::Entity).await;
            check(&store, claimed_days::Entity).await;
            check(&store, clock_shifts::Entity).await;
            check(&store, corrections::Entity).await;
            check(&store, coverage_declarations::Entity).await;
            check(&store, cycle_days::Entity).await;
            check(&store, cycles::Entity).await;
            check(&store, department_managers::Entity).await;
            check(&store, departments::Entity).await;
            check(&store, device_calls::Entity).await;
            check(&store, device_clocks::Entity).await;
            check(&store, device_commands::Entity).await;
            check(&store, device_coverage::Entity).await;
            check(&store, device_failures::Entity).await;
            check(&store, device_gaps::Entity).await;
            check(&store, device_notices::Entity).await;
            check(&store, device_uploads::Entity).await;
            check(&store, device_users::Entity).await;
            check(&store, device_zones::Entity).await;
            check(&store, devices::Entity).await;
            check(&store, employees::Entity).await;
            check(&store, fingerprint_backups::Entity).await;
            check(&store, held_terminals::Entity).await;
            check(&store, holidays::Entity).await;
            check(&store, identity_links::Entity).await;
            check(&store, kept_uploads::Entity).await;
            check(&store, leave::Entity).await;
            check(&store, leave_types::Entity).await;
            check(&store, marked_days::Entity).await;
            check(&store, parked::Entity).await;
            check(&store, payroll_exports::Entity).await;
            check(&store, payroll_profiles::Entity).await;
            check(&store, periods::Entity).await;
            check(&store, plan_changes::Entity).await;
            check(&store, policies::Entity).await;
            check(&store, poll_cycles::Entity).await;
            check(&store, punch_sightings::Entity).await;
            check(&store, punches::Entity).await;
            check(&store, report_versions::Entity).await;
            check(&store, requests::Entity).await;
            check(&store, roster_overrides::Entity).await;
            check(&store, settings::Entity).await;
            check(&store, setup_links::Entity).await;
            check(&store, shifts::Entity).await;
            check(&store, sign_in_sessions::Entity).await;
            check(&store, sites::Entity).await;
            check(&store, turns::Entity).await;
            check(&store, week_pattern_days::Entity).await;
            check(&store, week_patterns::Entity).await;
            check(&store, weekly_off_days::Entity).await;
            check(&store, weekly_off_patterns::Entity).await;
        }
    }
}
