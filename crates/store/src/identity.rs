//! Whose punch it is: candidates for a device user, the users themselves, and what happens when the answer changes.
//!
//! The order of the levels and what counts as ambiguous is a rule of `attendance`; here its inputs are loaded and its answers kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use attendance::{Candidate, DeviceId, DeviceUserId, EmployeeId, Match, MatchBy, PunchId, SiteId};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sea_orm::{QueryResult, Value};

use crate::punches::{TouchedPunch, believed, quarantined};
use crate::sql::{self, Column};
use crate::times::{day, instant, wall};
use crate::{StoreError, Whose, WriteTx};

/// A person in a terminal's own list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUser<'a> {
    pub user: &'a str,
    pub name: &'a str,
    pub admin: bool,
    pub card: Option<&'a str>,
}

/// What a change of identity moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Punches that now belong to somebody else, or to nobody.
    pub punches: u64,
    /// Employee-days on which such a punch lies.
    pub days: u64,
}

impl std::ops::AddAssign for Touched {
    fn add_assign(&mut self, other: Self) {
        self.punches += other.punches;
        self.days += other.days;
    }
}

/// A dated statement of a person: this user of this device is that employee.
#[derive(Clone, Debug)]
pub struct NewLink<'a> {
    pub device: DeviceId,
    pub user: &'a DeviceUserId,
    pub employee: EmployeeId,
    /// Both inclusive, device wall dates; open where `None`.
    pub from: Option<Date>,
    pub to: Option<Date>,
    /// Where it came from, e.g. `inbox`.
    pub origin: &'a str,
    pub author: Option<attendance::AccountId>,
}

/// Who a device user could be.
pub type Candidates = HashMap<String, Vec<Candidate>>;

/// A candidate as it is read, in this order.
#[derive(serde::Deserialize)]
struct Found {
    device_id: i64,
    user_id: String,
    level: String,
    employee_id: i64,
    employed_from: Option<String>,
    employed_to: Option<String>,
    linked_from: Option<String>,
    linked_to: Option<String>,
}

/// When and where somebody works: what decides on which dates a punch counts.
#[derive(Clone, Debug)]
pub(crate) struct Employment {
    pub zone: TimeZone,
    pub from: Option<Date>,
    pub to: Option<Date>,
}

impl Employment {
    pub(crate) fn covers(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

impl WriteTx {
    /// Everybody that any of these users of a device could be, by any level, whenever employed.
    pub async fn candidates<'a>(
        &self,
        users: impl IntoIterator<Item = (DeviceId, &'a str)>,
    ) -> Result<HashMap<DeviceId, Candidates>, StoreError> {
        let users: Vec<_> = users.into_iter().map(|(id, user)| (id.0, user)).collect();
        let mut candidates: HashMap<DeviceId, Candidates> = HashMap::new();
        for ((device, user), found) in self.candidates_of(sql::json(&users)).await? {
            let of_it = candidates.entry(DeviceId(device)).or_default();
            of_it.insert(user, found);
        }
        Ok(candidates)
    }

    /// The same for pairs of device and user, bound as JSON.
    async fn candidates_of(
        &self,
        pairs: Value,
    ) -> Result<HashMap<(i64, String), Vec<Candidate>>, StoreError> {
        let table = sql::json_rows(
            self.backend(),
            1,
            "r",
            &[("device_id", Column::Int), ("user_id", Column::Text)],
        );
        let level = |by: MatchBy, column: &str| {
            format!(
                "SELECT r.device_id, r.user_id, '{}', e.id, e.employed_from, e.employed_to, NULL, NULL \
                 FROM {table} CROSS JOIN employees e WHERE e.{column} = r.user_id",
                by.as_str()
            )
        };
        let columns = "device_id, user_id, level, employee_id, employed_from, employed_to, linked_from, linked_to";
        let found = sql::list::<Found, _>(
            &self.tx,
            columns,
            &format!(
                "FROM (SELECT r.device_id, r.user_id, '{}' AS level, e.id AS employee_id, e.employed_from, \
                 e.employed_to, l.from_date AS linked_from, l.to_date AS linked_to \
                 FROM {table} CROSS JOIN identity_links l CROSS JOIN employees e \
                 WHERE l.device_id = r.device_id AND l.user_id = r.user_id AND e.id = l.employee_id UNION ALL {} UNION ALL {} UNION ALL {}) AS found",
                MatchBy::Link.as_str(),
                level(MatchBy::DeviceId, "device_id"),
                level(MatchBy::Code, "code"),
                level(MatchBy::Username, "username"),
            ),
            [pairs],
        )
        .await?;
        let mut candidates: HashMap<(i64, String), Vec<Candidate>> = HashMap::new();
        for found in found {
            let day = |text: Option<String>| text.map(|text| day(&text));
            let candidate = Candidate {
                employee: EmployeeId(found.employee_id),
                by: MatchBy::from_name(&found.level).expect("written by the query itself"),
                employed_from: day(found.employed_from),
                employed_to: day(found.employed_to),
                linked_from: day(found.linked_from),
                linked_to: day(found.linked_to),
            };
            candidates
                .entry((found.device_id, found.user_id))
                .or_default()
                .push(candidate);
        }
        Ok(candidates)
    }

    /// Those of `users` that their device has never shown.
    pub async fn unseen_users<'a>(
        &self,
        users: &BTreeSet<(DeviceId, &'a str)>,
    ) -> Result<BTreeSet<(DeviceId, &'a str)>, StoreError> {
        if users.is_empty() {
            return Ok(BTreeSet::new());
        }
        let rows: Vec<_> = users.iter().map(|(id, user)| (id.0, user)).collect();
        let table = sql::json_rows(
            self.backend(),
            1,
            "r",
            &[("device_id", Column::Int), ("user_id", Column::Text)],
        );
        let seen = sql::list::<(i64, String), _>(
            &self.tx,
            "u.device_id, u.user_id",
            &format!("FROM {table} CROSS JOIN device_users u WHERE u.device_id = r.device_id AND u.user_id = r.user_id"),
            [sql::json(&rows)],
        )
        .await?;
        let seen: BTreeSet<(DeviceId, &str)> = seen
            .iter()
            .map(|(device, user)| (DeviceId(*device), user.as_str()))
            .collect();
        let unseen = users.iter().filter(|user| !seen.contains(*user));
        Ok(unseen.copied().collect())
    }

    /// Keeps users of a device that were not known, matched as of `today`. Those among `listed` are enrolled; the others were
    /// only seen to punch. Returns the employees who are now enrolled.
    pub async fn see_users(
        &self,
        device: DeviceId,
        users: &BTreeSet<&str>,
        listed: &[ListedUser<'_>],
        candidates: &Candidates,
        today: Date,
        seen: Timestamp,
    ) -> Result<BTreeSet<EmployeeId>, StoreError> {
        let mut enrolled = BTreeSet::new();
        if users.is_empty() {
            return Ok(enrolled);
        }
        let listed: HashMap<&str, &ListedUser<'_>> =
            listed.iter().map(|listed| (listed.user, listed)).collect();
        let rows: Vec<_> = users
            .iter()
            .map(|&user| {
                let found = attendance::find_employee(
                    candidates.get(user).map_or(&[][..], Vec::as_slice),
                    today,
                );
                let (employee, by, ambiguous) = columns(found);
                let listed = listed.get(user);
                if listed.is_some() {
                    enrolled.extend(employee.map(EmployeeId));
                }
                (
                    user,
                    listed.map_or("", |listed| listed.name),
                    listed.is_some_and(|listed| listed.admin),
                    listed.and_then(|listed| listed.card),
                    listed.is_some(),
                    employee,
                    by,
                    ambiguous,
                )
            })
            .collect();
        sql::run(
            &self.tx,
            &format!(
                "INSERT INTO device_users (device_id, user_id, name, admin, card, enrolled, employee_id, match_by, ambiguous, \
                 first_seen_ms, last_seen_ms) SELECT $2, r.user_id, r.name, r.admin, r.card, r.enrolled, r.employee_id, \
                 r.match_by, r.ambiguous, $3, $3 FROM {} WHERE true ON CONFLICT DO NOTHING",
                sql::json_rows(
                    self.backend(),
                    1,
                    "r",
                    &[
                        ("user_id", Column::Text),
                        ("name", Column::Text),
                        ("admin", Column::Bool),
                        ("card", Column::Text),
                        ("enrolled", Column::Bool),
                        ("employee_id", Column::Int),
                        ("match_by", Column::Text),
                        ("ambiguous", Column::Bool),
                    ]
                )
            ),
            [
                sql::json(&rows),
                device.0.into(),
                seen.as_millisecond().into(),
            ],
        )
        .await?;
        Ok(enrolled)
    }

    /// Takes over a terminal's whole user list; those in `new` are left to [`WriteTx::see_users`]. Rows that say the same
    /// already are not written. Returns the known employees who were enrolled or removed, and from when on that makes
    /// a difference: who is listed again was there all along.
    pub async fn store_user_list(
        &self,
        device: DeviceId,
        users: &[ListedUser<'_>],
        new: &BTreeSet<&str>,
        seen: Timestamp,
    ) -> Result<BTreeMap<EmployeeId, Timestamp>, StoreError> {
        let mut employees = self.store_users(device, users, new, seen).await?;
        let ids: Vec<&str> = users.iter().map(|user| user.user).collect();
        let which = format!("NOT IN {}", sql::in_texts(self.backend(), 1));
        earliest(
            &mut employees,
            &self.unlist_users(device, &which, &ids, seen).await?,
        )?;
        Ok(employees)
    }

    /// Users that are in a terminal's list no more, e.g. because they were deleted there; see [`WriteTx::store_user_list`].
    pub async fn forget_users(
        &self,
        device: DeviceId,
        users: &[&str],
        seen: Timestamp,
    ) -> Result<BTreeMap<EmployeeId, Timestamp>, StoreError> {
        let mut employees = BTreeMap::new();
        if !users.is_empty() {
            let which = format!("IN {}", sql::in_texts(self.backend(), 1));
            earliest(
                &mut employees,
                &self.unlist_users(device, &which, users, seen).await?,
            )?;
        }
        Ok(employees)
    }

    /// Takes over some users of a terminal's list, and leaves the others; see [`WriteTx::store_user_list`].
    pub async fn store_users(
        &self,
        device: DeviceId,
        users: &[ListedUser<'_>],
        new: &BTreeSet<&str>,
        seen: Timestamp,
    ) -> Result<BTreeMap<EmployeeId, Timestamp>, StoreError> {
        let rows: Vec<_> = users
            .iter()
            .filter(|user| !new.contains(user.user))
            .map(|user| (user.user, user.name, user.admin, user.card))
            .collect();
        let json = sql::json(&rows);
        let table = sql::json_rows(
            self.backend(),
            1,
            "r",
            &[
                ("user_id", Column::Text),
                ("name", Column::Text),
                ("admin", Column::Bool),
                ("card", Column::Text),
            ],
        );
        let mut enrolled = Vec::new();
        if !rows.is_empty() {
            enrolled = sql::all(
                &self.tx,
                &format!(
                    "SELECT u.employee_id, u.last_seen_ms FROM {table} CROSS JOIN device_users u WHERE u.device_id = $2 AND u.user_id = r.user_id \
                     AND NOT u.enrolled AND u.employee_id IS NOT NULL"
                ),
                [json.clone(), device.0.into()],
            )
            .await?;
            sql::run(
                &self.tx,
                &format!(
                    "INSERT INTO device_users (device_id, user_id, name, admin, card, enrolled, first_seen_ms, last_seen_ms) \
                     SELECT $2, r.user_id, r.name, r.admin, r.card, true, $3, $3 FROM {table} WHERE true \
                     ON CONFLICT (device_id, user_id) DO UPDATE SET name = excluded.name, admin = excluded.admin, \
                     card = excluded.card, enrolled = true, last_seen_ms = excluded.last_seen_ms \
                     WHERE NOT device_users.enrolled OR device_users.name <> excluded.name OR device_users.admin <> excluded.admin \
                     OR COALESCE(device_users.card, '') <> COALESCE(excluded.card, '') OR device_users.last_seen_ms < $4"
                ),
                [
                    json,
                    device.0.into(),
                    seen.as_millisecond().into(),
                    (seen.as_millisecond() - A_DAY_MS).into(),
                ],
            )
            .await?;
        }
        let mut employees = BTreeMap::new();
        earliest(&mut employees, &enrolled)?;
        Ok(employees)
    }

    async fn unlist_users(
        &self,
        device: DeviceId,
        which: &str,
        users: &[&str],
        seen: Timestamp,
    ) -> Result<Vec<sea_orm::QueryResult>, StoreError> {
        Ok(sql::all(
            &self.tx,
            &format!(
                "UPDATE device_users SET enrolled = false, last_seen_ms = $3 WHERE device_id = $2 AND enrolled \
                 AND user_id {which} RETURNING employee_id, last_seen_ms"
            ),
            [
                sql::json(users),
                device.0.into(),
                seen.as_millisecond().into(),
            ],
        )
        .await?)
    }

    /// Marks the dates of these punches, the days before and after, and what a late arrival changes besides: no day between
    /// somebody's first punch and `now` stays unjudged, and a punch makes its device relevant for the 60 days that follow.
    /// A punch in quarantine makes no day exist: its date is that of a wrong clock.
    pub async fn mark_punches(
        &self,
        punches: &[TouchedPunch],
        now: Timestamp,
        cause: &str,
    ) -> Result<(), StoreError> {
        let employees: BTreeSet<EmployeeId> =
            punches.iter().filter_map(|punch| punch.employee).collect();
        if employees.is_empty() {
            return Ok(());
        }
        let employees: Vec<EmployeeId> = employees.into_iter().collect();
        let employments = self.employments(&employees).await?;
        let dates = punches.iter().filter_map(|punch| {
            let id = punch.employee?;
            let zone = &employments.get(&id)?.zone;
            let date = zone.to_datetime(punch.instant).date();
            Some((id, date, punch.quarantined))
        });
        let mut dates: Vec<(EmployeeId, Date, bool)> = dates.collect();
        dates.sort_unstable();
        dates.dedup();
        let mut days = BTreeSet::new();
        let mut late: BTreeMap<EmployeeId, (Date, Date)> = BTreeMap::new();
        let mut spans = Vec::new();
        for (id, date, quarantined) in dates {
            let relevant_to = days_after(date, RELEVANT_AFTER_PUNCH_DAYS + 1); // zones differ by a day
            if quarantined {
                spans.push((id, yesterday(date), relevant_to));
                continue;
            }
            let employment = &employments[&id];
            days.extend(
                around(date)
                    .filter(|day| employment.covers(*day))
                    .map(|day| (id, day)),
            );
            let today = employment.zone.to_datetime(now).date();
            if date < yesterday(today) {
                let span = late.entry(id).or_insert((date, relevant_to));
                *span = (span.0.min(date), span.1.max(relevant_to));
            }
        }
        if !late.is_empty() {
            let ids: Vec<EmployeeId> = late.keys().copied().collect();
            let first_known: HashMap<EmployeeId, Date> =
                self.first_known_days(&ids).await?.into_iter().collect();
            for (&id, &(first, _)) in &late {
                let Some(employment) = employments.get(&id) else {
                    continue;
                };
                let today = employment.zone.to_datetime(now).date();
                let until = first_known.get(&id).copied().unwrap_or(today).min(today);
                let first = first.max(days_after(today, -LONGEST_HISTORY_DAYS));
                days.extend(
                    first
                        .series(jiff::Span::new().days(1))
                        .take_while(|day| *day <= until)
                        .filter(|day| employment.covers(*day))
                        .map(|day| (id, day)),
                );
            }
            spans.extend(late.iter().map(|(id, (first, last))| (*id, *first, *last)));
        }
        self.mark_report_spans(&spans, cause).await?;
        self.mark_days(days, cause).await?;
        Ok(())
    }

    /// New punches of these users are nobody's, because several people claim them. They count as unread for each of the
    /// candidates, whose reports around them are marked.
    pub async fn contest_punches(
        &self,
        device: DeviceId,
        users: &BTreeSet<&str>,
        candidates: &Candidates,
        new: &[TouchedPunch],
        cause: &str,
    ) -> Result<(), StoreError> {
        let nobodys = new.iter().filter(|punch| punch.employee.is_none());
        let ids: Vec<i64> = nobodys.map(|punch| punch.id.0).collect();
        if users.is_empty() || ids.is_empty() {
            return Ok(());
        }
        // A user may be one person's today and have been contested on the date of the punch.
        sql::run(
            &self.tx,
            &format!(
                "UPDATE device_users SET ambiguous = true WHERE device_id = $2 AND NOT ambiguous AND user_id IN {}",
                sql::in_texts(self.backend(), 1)
            ),
            [sql::json(&users.iter().collect::<Vec<_>>()), device.0.into()],
        )
        .await?;
        let rows = sql::all(
            &self.tx,
            &format!(
                "SELECT user_id, instant_ms FROM punches WHERE id IN {}",
                sql::in_ids(self.backend(), 1)
            ),
            [sql::json(&ids)],
        )
        .await?;
        let mut contested = BTreeSet::new();
        for row in &rows {
            let user: String = row.try_get_by_index(0)?;
            if users.contains(user.as_str()) {
                let claimed_by = candidates.get(&user).into_iter().flatten();
                let at = instant(row.try_get_by_index(1)?);
                contested.extend(claimed_by.map(|candidate| (candidate.employee, at)));
            }
        }
        self.mark_contested(contested, cause).await
    }

    /// Marks the reports of these people around punches that they, among others, claim.
    async fn mark_contested(
        &self,
        contested: BTreeSet<(EmployeeId, Timestamp)>,
        cause: &str,
    ) -> Result<(), StoreError> {
        if contested.is_empty() {
            return Ok(());
        }
        let spans: BTreeSet<(EmployeeId, Date, Date)> = contested
            .into_iter()
            .map(|(employee, at)| {
                // In UTC, and two days around: every day of any zone whose window the punch could lie in.
                let date = TimeZone::UTC.to_datetime(at).date();
                (employee, days_after(date, -2), days_after(date, 2))
            })
            .collect();
        let spans: Vec<_> = spans.into_iter().collect();
        self.mark_report_spans(&spans, cause).await?;
        Ok(())
    }

    /// Adds a statement whose punches these are, and resolves the user's stored punches again.
    pub async fn link_user(
        &self,
        link: &NewLink<'_>,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        sql::run(
            &self.tx,
            "INSERT INTO identity_links (device_id, user_id, employee_id, from_date, to_date, origin, author_id, made_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            [
                link.device.0.into(),
                link.user.as_str().into(),
                link.employee.0.into(),
                link.from.map(|day| day.to_string()).into(),
                link.to.map(|day| day.to_string()).into(),
                link.origin.into(),
                link.author.map(|id| id.0).into(),
                now.as_millisecond().into(),
            ],
        )
        .await?;
        self.resolve_users(&[(link.device, link.user.as_str())], now, "mapping")
            .await
    }

    /// Takes all statements about a device user back, and resolves its stored punches again.
    pub async fn unlink_user(
        &self,
        device: DeviceId,
        user: &DeviceUserId,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let removed = sql::all(
            &self.tx,
            "DELETE FROM identity_links WHERE device_id = $1 AND user_id = $2 RETURNING employee_id",
            [device.0.into(), user.as_str().into()],
        )
        .await?;
        self.unclaimed(device, user, &removed, now).await
    }

    /// Takes the newest statement back that this user is that employee, and resolves its stored punches again. Others stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such statement.
    pub async fn take_link_back(
        &self,
        device: DeviceId,
        user: &DeviceUserId,
        employee: EmployeeId,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let removed = sql::all(
            &self.tx,
            "DELETE FROM identity_links WHERE id = \
             (SELECT MAX(id) FROM identity_links WHERE device_id = $1 AND user_id = $2 AND employee_id = $3) \
             RETURNING employee_id",
            [device.0.into(), user.as_str().into(), employee.0.into()],
        )
        .await?;
        if removed.is_empty() {
            return Err(StoreError::not_found(
                "mapping of device user",
                user.as_str(),
            ));
        }
        self.unclaimed(device, user, &removed, now).await
    }

    /// Statements about a user were taken back: those who were named in them may be candidates no longer.
    async fn unclaimed(
        &self,
        device: DeviceId,
        user: &DeviceUserId,
        removed: &[QueryResult],
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let cause = "mapping";
        let mut named = Vec::new();
        for row in removed {
            named.push(EmployeeId(row.try_get_by_index(0)?));
        }
        self.mark_reports(Whose::Employees(&named), None, None, cause)
            .await?;
        self.resolve_users(&[(device, user.as_str())], now, cause)
            .await
    }

    /// To be called after employees were added or edited in any field that decides whose punch it is or when they are
    /// employed. Resolves every device user concerned, and marks every day of these people.
    pub async fn resolve_employees(
        &self,
        employees: &[EmployeeId],
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let users = self.users_of(employees).await?;
        let cause = "employee edited";
        let touched = self.resolve_users(&borrowed(&users), now, cause).await?;
        self.mark_reports(Whose::Employees(employees), None, None, cause)
            .await?;
        self.mark_since_first_punch(employees, now, cause).await?;
        Ok(touched)
    }

    /// Matches the device users again that may be another's from one of these days on: employment of somebody of this site, or
    /// a statement about one of its devices, begins on it or ended the day before.
    pub(crate) async fn resolve_changing(
        &self,
        site: SiteId,
        first: Date,
        last: Date,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let changing = |from: &str, to: &str| {
            format!("({from} >= $2 AND {from} <= $3 OR {to} >= $4 AND {to} <= $5)")
        };
        let values = || -> [Value; 5] {
            [
                site.0.into(),
                first.to_string().into(),
                last.to_string().into(),
                yesterday(first).to_string().into(),
                yesterday(last).to_string().into(),
            ]
        };
        let people = sql::all(
            &self.tx,
            &format!(
                "SELECT id FROM employees WHERE site_id = $1 AND {}",
                changing("employed_from", "employed_to")
            ),
            values(),
        )
        .await?;
        let people = people
            .iter()
            .map(|row| Ok(EmployeeId(row.try_get_by_index(0)?)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        let linked = sql::all(
            &self.tx,
            &format!(
                "SELECT DISTINCT l.device_id, l.user_id FROM identity_links l JOIN devices d ON d.id = l.device_id \
                 WHERE d.site_id = $1 AND {}",
                changing("l.from_date", "l.to_date")
            ),
            values(),
        )
        .await?;
        let mut users = self.users_of(&people).await?;
        users.extend(device_users(&linked)?);
        self.resolve_users(&borrowed(&users), now, "day opened")
            .await?;
        Ok(())
    }

    /// The device users whose owner can depend on these people: users they have now or had until now, users that could be
    /// theirs, and users several people claimed until now.
    async fn users_of(
        &self,
        employees: &[EmployeeId],
    ) -> Result<Vec<(DeviceId, String)>, StoreError> {
        if employees.is_empty() {
            return Ok(Vec::new());
        }
        let ids = sql::in_ids(self.backend(), 1);
        let rows = sql::all(
            &self.tx,
            &format!(
                "SELECT u.device_id, u.user_id FROM device_users u WHERE u.ambiguous OR u.employee_id IN {ids} \
                 UNION SELECT DISTINCT p.device_id, p.user_id FROM punches p WHERE p.employee_id IN {ids} \
                 UNION SELECT u.device_id, u.user_id FROM employees e JOIN device_users u ON u.user_id = e.code WHERE e.id IN {ids} \
                 UNION SELECT u.device_id, u.user_id FROM employees e JOIN device_users u ON u.user_id = e.device_id WHERE e.id IN {ids} \
                 UNION SELECT u.device_id, u.user_id FROM employees e JOIN device_users u ON u.user_id = e.username WHERE e.id IN {ids} \
                 UNION SELECT l.device_id, l.user_id FROM identity_links l WHERE l.employee_id IN {ids}"
            ),
            [sql::json(employees)],
        )
        .await?;
        device_users(&rows)
    }

    /// Employment may now begin earlier than the first report, or there was none yet.
    async fn mark_since_first_punch(
        &self,
        employees: &[EmployeeId],
        now: Timestamp,
        cause: &str,
    ) -> Result<(), StoreError> {
        if employees.is_empty() {
            return Ok(());
        }
        let employments = self.employments(employees).await?;
        let first_punches = self.first_punches(employees).await?;
        let first_known: HashMap<EmployeeId, Date> = self
            .first_known_days(employees)
            .await?
            .into_iter()
            .collect();
        let mut days = Vec::new();
        for (&id, employment) in &employments {
            let today = employment.zone.to_datetime(now).date();
            let first_punch = first_punches
                .get(&id)
                .map(|at| employment.zone.to_datetime(*at).date());
            let first = [first_punch, first_known.get(&id).copied(), Some(today)]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(today)
                .max(days_after(today, -LONGEST_HISTORY_DAYS));
            days.extend(
                first
                    .series(jiff::Span::new().days(1))
                    .take_while(|day| *day <= today)
                    .filter(|day| employment.covers(*day))
                    .map(|day| (id, day)),
            );
        }
        self.mark_days(days, cause).await?;
        Ok(())
    }

    /// Asks again whose the stored punches of these users are, each as of its own date, and marks the dates of all that moved.
    pub async fn resolve_users(
        &self,
        users: &[(DeviceId, &str)],
        now: Timestamp,
        cause: &str,
    ) -> Result<Touched, StoreError> {
        let mut touched = Touched::default();
        if users.is_empty() {
            return Ok(touched);
        }
        let dates = self.dates_at_devices(now).await?;
        for users in users.chunks(USERS_AT_ONCE) {
            touched += self.resolve_some(users, &dates, now, cause).await?;
        }
        Ok(touched)
    }

    async fn resolve_some(
        &self,
        users: &[(DeviceId, &str)],
        dates: &HashMap<i64, Date>,
        now: Timestamp,
        cause: &str,
    ) -> Result<Touched, StoreError> {
        let pairs: Vec<_> = users
            .iter()
            .map(|(device, user)| (device.0, user))
            .collect();
        let pairs = sql::json(&pairs);
        let candidates = self.candidates_of(pairs.clone()).await?;
        let table = sql::json_rows(
            self.backend(),
            1,
            "r",
            &[("device_id", Column::Int), ("user_id", Column::Text)],
        );
        let before = sql::all(
            &self.tx,
            &format!(
                "SELECT u.device_id, u.user_id, u.employee_id, u.ambiguous FROM {table} \
                 CROSS JOIN device_users u WHERE u.device_id = r.device_id AND u.user_id = r.user_id"
            ),
            [pairs.clone()],
        )
        .await?;
        let stored = sql::all(
            &self.tx,
            &format!(
                "SELECT p.id, p.device_id, p.user_id, COALESCE(p.shifted, p.clock), p.instant_ms, p.employee_id, p.suspect, \
                 p.received_ms, p.shift_id FROM {table} \
                 CROSS JOIN punches p WHERE p.device_id = r.device_id AND p.user_id = r.user_id"
            ),
            [pairs],
        )
        .await?;
        let find = |device: i64, user: &str, date: Date| {
            let candidates = candidates.get(&(device, user.to_owned()));
            attendance::find_employee(candidates.map_or(&[][..], Vec::as_slice), date)
        };
        let find_today = |device: i64, user: &str| {
            let today = dates.get(&device).copied();
            find(
                device,
                user,
                today.unwrap_or_else(|| TimeZone::UTC.to_datetime(now).date()),
            )
        };
        let mut moved: BTreeMap<Option<i64>, Vec<i64>> = BTreeMap::new();
        let mut touched = Vec::new();
        let mut ambiguous = BTreeSet::new();
        let mut nobodys = Vec::new();
        for row in &stored {
            let (id, device): (i64, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            let user: String = row.try_get_by_index(2)?;
            let clock = wall(&row.try_get_by_index::<String>(3)?);
            let at = instant(row.try_get_by_index(4)?);
            let before: Option<i64> = row.try_get_by_index(5)?;
            let found = find(device, &user, clock.date());
            let after = columns(found).0;
            let whose = (device, user);
            if before.is_none() || after.is_none() {
                nobodys.push((whose.clone(), at));
            }
            if matches!(found, Match::Ambiguous { .. }) {
                ambiguous.insert(whose);
            }
            if after == before {
                continue;
            }
            moved.entry(after).or_default().push(id);
            let received = instant(row.try_get_by_index(7)?);
            let shift: Option<i64> = row.try_get_by_index(8)?;
            let suspect = row.try_get_by_index(6)?;
            let quarantined = quarantined(shift.is_some(), suspect, clock, at, received);
            for employee in [before, after].into_iter().flatten() {
                touched.push(TouchedPunch {
                    id: PunchId(id),
                    employee: Some(EmployeeId(employee)),
                    instant: at,
                    quarantined,
                });
            }
        }
        for (employee, ids) in &moved {
            sql::run(
                &self.tx,
                &format!(
                    "UPDATE punches SET employee_id = $2 WHERE id IN {}",
                    sql::in_ids(self.backend(), 1)
                ),
                [sql::json(ids), (*employee).into()],
            )
            .await?;
        }
        let matches: Vec<_> = users
            .iter()
            .map(|(device, user)| {
                let (employee, by, unsure) = columns(find_today(device.0, user));
                let unsure = unsure || ambiguous.contains(&(device.0, (*user).to_owned()));
                (device.0, user, employee, by, unsure)
            })
            .collect();
        sql::run(
            &self.tx,
            &format!(
                "INSERT INTO device_users (device_id, user_id, employee_id, match_by, ambiguous, first_seen_ms, last_seen_ms) \
                 SELECT u.device_id, u.user_id, r.employee_id, r.match_by, r.ambiguous, u.first_seen_ms, u.last_seen_ms \
                 FROM {} CROSS JOIN device_users u WHERE u.device_id = r.device_id AND u.user_id = r.user_id \
                 ON CONFLICT (device_id, user_id) DO UPDATE SET employee_id = excluded.employee_id, \
                 match_by = excluded.match_by, ambiguous = excluded.ambiguous",
                sql::json_rows(
                    self.backend(),
                    1,
                    "r",
                    &[
                        ("device_id", Column::Int),
                        ("user_id", Column::Text),
                        ("employee_id", Column::Int),
                        ("match_by", Column::Text),
                        ("ambiguous", Column::Bool),
                    ]
                )
            ),
            [sql::json(&matches)],
        )
        .await?;
        self.mark_punches(&touched, now, cause).await?;
        // A punch that several people claim counts as unread for each of them (P6), now or until now.
        let unsure = matches.iter().filter(|(.., unsure)| *unsure);
        let mut claimed: BTreeSet<(i64, String)> = unsure
            .map(|(device, user, ..)| (*device, (**user).to_owned()))
            .collect();
        for row in &before {
            if row.try_get_by_index(3)? {
                claimed.insert((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
            }
        }
        let contested = nobodys
            .into_iter()
            .filter(|(user, _)| claimed.contains(user))
            .flat_map(|(user, at)| {
                let claimed_by = candidates.get(&user).into_iter().flatten();
                claimed_by.map(move |candidate| (candidate.employee, at))
            });
        self.mark_contested(contested.collect(), cause).await?;
        // Being listed on a terminal makes it relevant, with or without punches.
        let mut listed = BTreeSet::new();
        for row in &before {
            let user: String = row.try_get_by_index(1)?;
            let before: Option<i64> = row.try_get_by_index(2)?;
            let after = columns(find_today(row.try_get_by_index(0)?, &user)).0;
            if before != after {
                listed.extend([before, after].into_iter().flatten().map(EmployeeId));
            }
        }
        let listed: Vec<EmployeeId> = listed.into_iter().collect();
        if !listed.is_empty() {
            self.mark_reports(Whose::Employees(&listed), None, None, cause)
                .await?;
        }
        let employees: BTreeSet<EmployeeId> =
            touched.iter().filter_map(|punch| punch.employee).collect();
        let employees: Vec<EmployeeId> = employees.into_iter().collect();
        let employments = self.employments(&employees).await?;
        let days: BTreeSet<(EmployeeId, Date)> = touched
            .iter()
            .filter_map(|punch| {
                let id = punch.employee?;
                let zone = &employments.get(&id)?.zone;
                Some((id, zone.to_datetime(punch.instant).date()))
            })
            .collect();
        Ok(Touched {
            punches: moved.values().map(|ids| ids.len() as u64).sum(),
            days: days.len() as u64,
        })
    }

    /// What date it is on each device; a device user is matched as of that.
    async fn dates_at_devices(&self, now: Timestamp) -> Result<HashMap<i64, Date>, StoreError> {
        let rows = sql::all(
            &self.tx,
            "SELECT d.id, COALESCE((SELECT z.zone FROM device_zones z WHERE z.device_id = d.id \
             ORDER BY z.from_clock DESC LIMIT 1), s.zone) FROM devices d JOIN sites s ON s.id = d.site_id",
            [],
        )
        .await?;
        rows.iter()
            .map(|row| {
                let zone = zone(&row.try_get_by_index::<String>(1)?);
                Ok((row.try_get_by_index(0)?, zone.to_datetime(now).date()))
            })
            .collect()
    }

    pub(crate) async fn employments(
        &self,
        employees: &[EmployeeId],
    ) -> Result<HashMap<EmployeeId, Employment>, StoreError> {
        let rows = sql::all(
            &self.tx,
            &format!(
                "SELECT e.id, s.zone, e.employed_from, e.employed_to FROM employees e JOIN sites s ON s.id = e.site_id \
                 WHERE e.id IN {}",
                sql::in_ids(self.backend(), 1)
            ),
            [sql::json(employees)],
        )
        .await?;
        let mut zones: HashMap<String, TimeZone> = HashMap::new();
        let mut employments = HashMap::new();
        for row in &rows {
            let name: String = row.try_get_by_index(1)?;
            let zone = zones
                .entry(name)
                .or_insert_with_key(|name| zone(name))
                .clone();
            employments.insert(
                EmployeeId(row.try_get_by_index(0)?),
                Employment {
                    zone,
                    from: optional_day(row, 2)?,
                    to: optional_day(row, 3)?,
                },
            );
        }
        Ok(employments)
    }

    /// When each of these people first punched on a clock that can be believed.
    async fn first_punches(
        &self,
        employees: &[EmployeeId],
    ) -> Result<HashMap<EmployeeId, Timestamp>, StoreError> {
        let rows = sql::all(
            &self.tx,
            &format!(
                "SELECT e.id, (SELECT min(p.instant_ms) FROM punches p WHERE p.employee_id = e.id AND {}) FROM employees e \
                 WHERE e.id IN {}",
                believed(),
                sql::in_ids(self.backend(), 1)
            ),
            [sql::json(employees)],
        )
        .await?;
        let mut first = HashMap::new();
        for row in &rows {
            if let Some(ms) = row.try_get_by_index(1)? {
                first.insert(EmployeeId(row.try_get_by_index(0)?), instant(ms));
            }
        }
        Ok(first)
    }
}

/// Days are opened backwards to somebody's first punch, but not further: a terminal whose clock was reset to 2015 must not
/// create ten years of reports.
pub(crate) const LONGEST_HISTORY_DAYS: i32 = 400;
/// A device is relevant for who punched on it within so many days (R: relevance of devices).
pub(crate) const RELEVANT_AFTER_PUNCH_DAYS: i32 = 60;
/// Users whose stored punches are in memory at the same time.
const USERS_AT_ONCE: usize = 500;
const A_DAY_MS: i64 = 86_400_000;

/// The zone of that name; UTC for a name that no longer exists, since it was checked when it was entered.
/// Adds employees of rows of an employee and an instant, each since the earliest.
fn earliest(
    employees: &mut BTreeMap<EmployeeId, Timestamp>,
    rows: &[sea_orm::QueryResult],
) -> Result<(), StoreError> {
    for row in rows {
        if let Some(id) = row.try_get_by_index::<Option<i64>>(0)? {
            let since = instant(row.try_get_by_index(1)?);
            let earliest = employees.entry(EmployeeId(id)).or_insert(since);
            *earliest = since.min(*earliest);
        }
    }
    Ok(())
}

pub(crate) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

pub(crate) fn days_after(date: Date, days: i32) -> Date {
    date.saturating_add(jiff::Span::new().days(days))
}

fn yesterday(today: Date) -> Date {
    days_after(today, -1)
}

fn around(date: Date) -> impl Iterator<Item = Date> {
    (-1..=1).map(move |days| days_after(date, days))
}

fn device_users(rows: &[QueryResult]) -> Result<Vec<(DeviceId, String)>, StoreError> {
    rows.iter()
        .map(|row| Ok((DeviceId(row.try_get_by_index(0)?), row.try_get_by_index(1)?)))
        .collect()
}

fn borrowed(users: &[(DeviceId, String)]) -> Vec<(DeviceId, &str)> {
    users
        .iter()
        .map(|(device, user)| (*device, user.as_str()))
        .collect()
}

fn columns(found: Match) -> (Option<i64>, Option<&'static str>, bool) {
    match found {
        Match::One { employee, by } => (Some(employee.0), Some(by.as_str()), false),
        Match::Ambiguous { by } => (None, Some(by.as_str()), true),
        Match::Nobody => (None, None, false),
    }
}

fn optional_day(row: &QueryResult, at: usize) -> Result<Option<Date>, StoreError> {
    Ok(row
        .try_get_by_index::<Option<String>>(at)?
        .map(|text| day(&text)))
}
