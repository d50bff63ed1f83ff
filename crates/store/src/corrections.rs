//! What people say about a day: added punches, voided ones, roll calls. Entries are never edited or deleted; a wrong one is
//! voided by another, with a reason of its own, and so is a wrong void.

use attendance::{CorrectionId, EmployeeId, PunchId, PunchState};
use jiff::Timestamp;
use jiff::civil::DateTime;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};

use crate::audit::Author;
use crate::devices::days_around;
use crate::entities::{corrections, punches};
use crate::identity::Employment;
use crate::people::{site_instant, tidy_text};
use crate::secrets::random_token;
use crate::times::{instant, wall, wall_text};
use crate::{Store, StoreError, WriteTx, sql};

/// The side of a day a roll call can fill (R35).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    In,
    Out,
}

impl Side {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// What a void takes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voided {
    Punch(PunchId),
    /// An added punch, a roll call, or a void: what that one took out counts again.
    Correction(CorrectionId),
}

impl WriteTx {
    /// Adds a punch that no device recorded. `at` is wall time of the employee's site; `state`, if given, is trusted.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] without a reason, [`StoreError::NotFound`] for the employee.
    pub async fn add_punch(
        &self,
        employee: EmployeeId,
        at: DateTime,
        state: Option<PunchState>,
        reason: &str,
        author: Author,
    ) -> Result<CorrectionId, StoreError> {
        let reason = reasoned(reason)?;
        let mut row = self.entry("add", employee, at, &reason, author).await?;
        row.state = Set(state.map(|state| state.as_str().to_owned()));
        self.insert_correction(row, "add", author).await
    }

    /// Takes a punch, an added punch or a roll call out of the judgement, or back into it by taking out its void. Each stays
    /// visible.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] without a reason, for a punch of nobody, for what took a void back, and for what is voided
    /// already; [`StoreError::NotFound`] for an unknown id.
    pub async fn void(
        &self,
        what: Voided,
        reason: &str,
        author: Author,
    ) -> Result<CorrectionId, StoreError> {
        let reason = reasoned(reason)?;
        let (column, id) = match what {
            Voided::Punch(id) => ("void_punch_id", id.0),
            Voided::Correction(id) => ("void_correction_id", id.0),
        };
        let standing = format!(
            "SELECT v.id FROM corrections v WHERE v.{column} = $1 \
             AND NOT EXISTS (SELECT 1 FROM corrections b WHERE b.void_correction_id = v.id) LIMIT 1"
        );
        let standing = sql::one(&self.tx, &standing, [id.into()]).await?;
        if standing.is_some() {
            return Err(StoreError::Invalid("it is voided already".to_owned()));
        }
        let mut said = "void";
        let mut row = match what {
            Voided::Punch(id) => {
                let punch = punches::Entity::find_by_id(id.0)
                    .one(&self.tx)
                    .await?
                    .ok_or_else(|| StoreError::not_found("punch", id))?;
                let employee = punch.employee_id.map(EmployeeId).ok_or_else(|| {
                    StoreError::Invalid("a punch of nobody cannot be voided".to_owned())
                })?;
                let zone = self.employment(employee).await?.zone;
                let at = zone.to_datetime(instant(punch.instant_ms));
                let mut row = self.entry("void", employee, at, &reason, author).await?;
                row.at_ms = Set(punch.instant_ms);
                row
            }
            Voided::Correction(id) => {
                let entry = corrections::Entity::find_by_id(id.0)
                    .one(&self.tx)
                    .await?
                    .ok_or_else(|| StoreError::not_found("correction", id))?;
                if entry.kind == "void" {
                    self.ensure_takes_out(&entry).await?;
                    said = "restore";
                }
                let (employee, at) = (EmployeeId(entry.employee_id), wall(&entry.at));
                let mut row = self.entry("void", employee, at, &reason, author).await?;
                row.at_ms = Set(entry.at_ms);
                row
            }
        };
        match what {
            Voided::Punch(id) => row.void_punch_id = Set(Some(id.0)),
            Voided::Correction(id) => row.void_correction_id = Set(Some(id.0)),
        }
        self.insert_correction(row, said, author).await
    }

    /// What was voided and is counted again is voided anew; that keeps every chain short.
    async fn ensure_takes_out(&self, void: &corrections::Model) -> Result<(), StoreError> {
        let Some(of) = void.void_correction_id else {
            return Ok(());
        };
        let of = corrections::Entity::find_by_id(of).one(&self.tx).await?;
        match of {
            Some(of) if of.kind == "void" => Err(StoreError::Invalid(
                "it took back a void: void the punch itself again".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Says that these people were there, or left, at a wall time of their sites: what is done when a terminal has failed. All
    /// entries have one `batch`. A person named twice is entered once.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] without a reason or without people, [`StoreError::NotFound`] for an unknown one.
    pub async fn roll_call(
        &self,
        employees: &[EmployeeId],
        at: DateTime,
        side: Side,
        reason: &str,
        author: Author,
    ) -> Result<Vec<CorrectionId>, StoreError> {
        let reason = reasoned(reason)?;
        if employees.is_empty() {
            return Err(StoreError::Invalid("a roll call needs somebody".to_owned()));
        }
        let batch = random_token();
        let mut called = employees.to_vec();
        called.sort_unstable();
        called.dedup();
        let mut entered = Vec::with_capacity(called.len());
        for employee in called {
            let mut row = self
                .entry("roll_call", employee, at, &reason, author)
                .await?;
            row.direction = Set(Some(side.as_str().to_owned()));
            row.batch = Set(Some(batch.clone()));
            entered.push(self.insert_correction(row, "roll_call", author).await?);
        }
        Ok(entered)
    }

    async fn entry(
        &self,
        kind: &str,
        employee: EmployeeId,
        at: DateTime,
        reason: &str,
        author: Author,
    ) -> Result<corrections::ActiveModel, StoreError> {
        let zone = self.employment(employee).await?.zone;
        Ok(corrections::ActiveModel {
            kind: Set(kind.to_owned()),
            employee_id: Set(employee.0),
            at: Set(wall_text(at)),
            at_ms: Set(site_instant(at, &zone)?.as_millisecond()),
            author_id: Set(author.account_id()),
            reason: Set(reason.to_owned()),
            made_ms: Set(author.at_ms()),
            ..Default::default()
        })
    }

    async fn insert_correction(
        &self,
        row: corrections::ActiveModel,
        said: &str,
        author: Author,
    ) -> Result<CorrectionId, StoreError> {
        let row = corrections::Entity::insert(row)
            .exec_with_returning(&self.tx)
            .await?;
        let employee = EmployeeId(row.employee_id);
        let on = wall(&row.at).date();
        self.refuse_closed(&[employee], on, on).await?;
        let employment = self.employment(employee).await?;
        let days = days_around(employee, instant(row.at_ms), &employment.zone)
            .filter(|(_, day)| employment.covers(*day));
        self.mark_days(days, "correction").await?;
        let detail = serde_json::json!({
            "at": row.at,
            "direction": row.direction,
            "state": row.state,
            "punch": row.void_punch_id,
            "correction": row.void_correction_id,
            "reason": row.reason,
            "batch": row.batch,
        });
        let code = self.employee_code(employee).await?;
        let action = format!("correction.{said}");
        self.audit(author, &action, &code, detail).await?;
        Ok(CorrectionId(row.id))
    }

    pub(crate) async fn employment(&self, employee: EmployeeId) -> Result<Employment, StoreError> {
        let mut found = self.employments(&[employee]).await?;
        found
            .remove(&employee)
            .ok_or_else(|| StoreError::not_found("employee", employee))
    }
}

impl Store {
    /// What people said about a person between two instants, voids included, in the order of the times they speak of.
    pub async fn corrections_of(
        &self,
        employee: EmployeeId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<corrections::Model>, StoreError> {
        let query = corrections::Entity::find()
            .filter(corrections::Column::EmployeeId.eq(employee.0))
            .filter(corrections::Column::AtMs.between(from.as_millisecond(), to.as_millisecond()))
            .order_by_asc(corrections::Column::AtMs)
            .order_by_asc(corrections::Column::Id);
        Ok(query.all(self.read()).await?)
    }
}

pub(crate) fn reasoned(reason: &str) -> Result<String, StoreError> {
    let reason = tidy_text(reason);
    if reason.is_empty() {
        return Err(StoreError::Invalid(
            "a correction needs a reason".to_owned(),
        ));
    }
    Ok(reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::{author, device, employee, employee_fields, marked_days, site};

    fn at(text: &str) -> DateTime {
        text.parse().unwrap()
    }

    async fn entries(store: &Store, employee: EmployeeId) -> Vec<corrections::Model> {
        let found = store
            .corrections_of(employee, Timestamp::MIN, Timestamp::MAX)
            .await;
        found.unwrap()
    }

    on_both_databases! {
        async fn an_added_punch_stands_in_site_time_and_marks_its_days(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let apia = tx.add_site("Apia", "Pacific/Apia", author()).await.unwrap();
            let mut fields = employee_fields(apia, "7");
            fields.employed_to = Some("2026-05-04".parse().unwrap());
            let ada = tx.add_employee(&fields, author()).await.unwrap();
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            let (reason, state) = (" forgot the card ", Some(PunchState::In));
            tx.add_punch(ada, at("2026-05-04 09:00:00"), state, reason, author()).await.unwrap();
            tx.commit().await.unwrap();
            let entry = &entries(&store, ada).await[0];
            assert_eq!((entry.kind.as_str(), entry.at.as_str()), ("add", "2026-05-04 09:00:00"));
            let instant: Timestamp = "2026-05-03T20:00:00Z".parse().unwrap();
            assert_eq!(entry.at_ms, instant.as_millisecond());
            assert_eq!((entry.reason.as_str(), entry.state.as_deref()), ("forgot the card", Some("in")));
            // The day after is no longer employed.
            let days = ["2026-05-03", "2026-05-04"].map(|day| day.parse().unwrap());
            assert_eq!(marked_days(&store, ada).await, days);
            let audited = &store.audit_entries(None, 1).await.unwrap()[0];
            assert_eq!((audited.action.as_str(), audited.subject.as_str()), ("correction.add", "7"));
        }

        async fn nothing_is_corrected_without_a_reason(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let ada = employee(&tx, site, "7").await;
            let nine = at("2026-05-04 09:00:00");
            for error in [
                tx.add_punch(ada, nine, None, " ", author()).await.unwrap_err(),
                tx.roll_call(&[ada], nine, Side::In, "", author()).await.unwrap_err(),
                tx.void(Voided::Punch(PunchId(1)), "\t", author()).await.unwrap_err(),
            ] {
                assert_eq!(error.to_string(), "a correction needs a reason");
            }
            let error = tx.roll_call(&[], nine, Side::In, "power cut", author()).await.unwrap_err();
            assert_eq!(error.to_string(), "a roll call needs somebody");
            let nobody = EmployeeId(99);
            let error = tx.add_punch(nobody, nine, None, "forgot", author()).await.unwrap_err();
            assert_eq!(error.to_string(), "there is no employee 99");
        }

        async fn a_roll_call_is_one_batch_in_everybodys_own_time(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let apia = tx.add_site("Apia", "Pacific/Apia", author()).await.unwrap();
            let (ada, bo) = (employee(&tx, berlin, "1").await, employee(&tx, apia, "2").await);
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            let nine = at("2026-05-04 09:00:00");
            let called = tx.roll_call(&[ada, bo, ada], nine, Side::Out, "power cut", author()).await;
            assert_eq!(called.unwrap().len(), 2);
            tx.commit().await.unwrap();
            let (here, there) = (&entries(&store, ada).await[0], &entries(&store, bo).await[0]);
            assert_eq!((here.kind.as_str(), here.direction.as_deref()), ("roll_call", Some("out")));
            assert!(here.batch.is_some());
            assert_eq!(here.batch, there.batch);
            assert_eq!(here.at, there.at);
            assert_eq!(here.at_ms - there.at_ms, 11 * 3_600_000);
            assert_eq!(marked_days(&store, bo).await.len(), 3);
        }

        async fn a_void_takes_out_once_and_stays_visible(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let ada = employee(&tx, site, "7").await;
            let nine = at("2026-05-04 09:00:00");
            let added = tx.add_punch(ada, nine, None, "forgot", author()).await.unwrap();
            let void = tx.void(Voided::Correction(added), "was ill", author()).await.unwrap();
            let error = tx.void(Voided::Correction(added), "again", author()).await.unwrap_err();
            assert_eq!(error.to_string(), "it is voided already");
            let unknown = Voided::Correction(CorrectionId(99));
            let error = tx.void(unknown, "typo", author()).await.unwrap_err();
            assert_eq!(error.to_string(), "there is no correction 99");
            tx.commit().await.unwrap();
            let kept = entries(&store, ada).await;
            assert_eq!(kept.len(), 2);
            assert_eq!((kept[1].at_ms, kept[1].void_correction_id), (kept[0].at_ms, Some(added.0)));
            assert_eq!(kept[1].id, void.0);
        }

        async fn a_void_is_taken_back_with_a_reason_and_can_be_made_anew(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let ada = employee(&tx, site, "7").await;
            let added = tx.add_punch(ada, at("2026-05-04 09:00:00"), None, "forgot", author()).await.unwrap();
            let void = tx.void(Voided::Correction(added), "was ill", author()).await.unwrap();
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            let error = tx.void(Voided::Correction(void), " ", author()).await.unwrap_err();
            assert_eq!(error.to_string(), "a correction needs a reason");
            let back = tx.void(Voided::Correction(void), "was there after all", author()).await.unwrap();
            let error = tx.void(Voided::Correction(void), "twice", author()).await.unwrap_err();
            assert_eq!(error.to_string(), "it is voided already");
            let error = tx.void(Voided::Correction(back), "no", author()).await.unwrap_err();
            assert_eq!(error.to_string(), "it took back a void: void the punch itself again");
            tx.void(Voided::Correction(added), "was ill indeed", author()).await.unwrap();
            let error = tx.void(Voided::Correction(added), "twice", author()).await.unwrap_err();
            assert_eq!(error.to_string(), "it is voided already");
            tx.commit().await.unwrap();
            assert_eq!(marked_days(&store, ada).await.len(), 3);
            let audited = store.audit_entries(None, 2).await.unwrap();
            let actions: Vec<_> = audited.iter().map(|entry| entry.action.as_str()).collect();
            assert_eq!(actions, ["correction.void", "correction.restore"]);
        }

        async fn a_punch_of_somebody_can_be_voided(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "A1").await;
            let ada = employee(&tx, site, "7").await;
            let mut ids = Vec::new();
            for (second, employee) in [(1, Some(ada.0)), (2, None)] {
                let row = sql::one(
                    &tx.tx,
                    "INSERT INTO punches (device_id, user_id, clock, zone, instant_ms, received_ms, source, state, verify, employee_id) \
                     VALUES ($1, '7', $2, 'Europe/Berlin', 1777878000000, 0, 'poll', 'none', 'finger', $3) RETURNING id",
                    [gate.0.into(), format!("2026-05-04 09:00:0{second}").into(), employee.into()],
                );
                ids.push(PunchId(row.await.unwrap().unwrap().try_get_by_index(0).unwrap()));
            }
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            tx.void(Voided::Punch(ids[0]), "tailgating", author()).await.unwrap();
            let error = tx.void(Voided::Punch(ids[0]), "again", author()).await.unwrap_err();
            assert_eq!(error.to_string(), "it is voided already");
            let error = tx.void(Voided::Punch(ids[1]), "whose?", author()).await.unwrap_err();
            assert_eq!(error.to_string(), "a punch of nobody cannot be voided");
            let error = tx.void(Voided::Punch(PunchId(99)), "typo", author()).await.unwrap_err();
            assert_eq!(error.to_string(), "there is no punch 99");
            tx.commit().await.unwrap();
            let entry = &entries(&store, ada).await[0];
            assert_eq!((entry.kind.as_str(), entry.void_punch_id), ("void", Some(ids[0].0)));
            assert_eq!((entry.at.as_str(), entry.at_ms), ("2026-05-04 09:00:00", 1_777_878_000_000));
            assert_eq!(marked_days(&store, ada).await.len(), 3);
        }
    }
}
