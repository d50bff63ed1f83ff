//! Configured terminals: what people enter about them, their secrets, and the zones of their clocks.
//!
//! Does not own polling state (see `polling`), except that an edit makes a device due. Devices are never deleted: a removed
//! one is retired and its punches stay.

use std::fmt;

use attendance::{DeviceId, EmployeeId, PunchId, SiteId, Way};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};

use crate::audit::Author;
use crate::clocks::{ClockEvent, ClockNote};
use crate::entities::{device_zones, devices, sites};
use crate::marks::Whose;
use crate::people::{tidy_option, tidy_text, time_zone};
use crate::polling::DeviceZones;
use crate::punches::{TouchedPunch, quarantined};
use crate::secrets::{Place, Secret, SecretError};
use crate::sql::Column;
use crate::times::{instant, wall, wall_text};
use crate::{Store, StoreError, WriteTx, sql};

/// Punches of a zone correction that are rewritten by one statement.
const REWRITE_BATCH: usize = 5_000;

/// What people enter about a device, but for its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFields {
    /// The name of the brand, as the drivers know it.
    pub kind: String,
    /// The identity. Fixed once a terminal has answered with it.
    pub serial_number: String,
    pub name: String,
    pub site: SiteId,
    /// Host name or IP address. Without one the device waits; it does not fail.
    pub address: Option<String>,
    pub port: Option<u16>,
    /// How its packets travel, in the words of the drivers; `None` lets the next reading find it out.
    pub transport: Option<String>,
    pub username: Option<String>,
    /// The ways in that are used; not import.
    pub mode: Vec<Way>,
    pub enabled: bool,
    /// `none`, `states`, `in` or `out`: how punches get their direction (R40).
    pub direction: String,
    pub poll_interval_secs: u32,
    /// Its clock is set when it is off, outside the shifts.
    pub set_clock: bool,
}

/// A device to be registered.
#[derive(Clone, Debug)]
pub struct NewDevice {
    pub fields: DeviceFields,
    pub password: Option<Secret>,
    pub comm_key: Option<Secret>,
    /// IANA zone of its clock; the site's when `None`.
    pub zone: Option<String>,
}

/// How often a device is read, or asked what it holds, unless somebody says otherwise.
const USUAL_INTERVAL_SECS: u32 = 300;

impl NewDevice {
    /// A device that calls us, named by its serial number.
    pub fn calling(kind: &str, serial_number: &str, site: SiteId) -> Self {
        Self {
            fields: DeviceFields {
                kind: kind.to_owned(),
                serial_number: serial_number.to_owned(),
                name: serial_number.to_owned(),
                site,
                address: None,
                port: None,
                transport: None,
                username: None,
                mode: vec![Way::Push],
                enabled: true,
                direction: "none".to_owned(),
                poll_interval_secs: USUAL_INTERVAL_SECS,
                set_clock: false,
            },
            password: None,
            comm_key: None,
            zone: None,
        }
    }
}

/// What a form says about a secret, which it never shows.
#[derive(Clone, Debug, Default)]
pub enum SecretEdit {
    #[default]
    Keep,
    Clear,
    Set(Secret),
}

/// What signs in at a terminal.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceCredentials {
    pub username: Option<String>,
    pub password: Option<Secret>,
    pub comm_key: Option<Secret>,
}

impl fmt::Debug for DeviceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceCredentials(…)")
    }
}

impl WriteTx {
    /// Registers a device, due at once. A serial number that was removed before comes back as the same device, with its
    /// punches and its reading position.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the serial number is registered; [`StoreError::Invalid`] for a field that cannot be;
    /// [`StoreError::NotFound`] for the site; [`StoreError::Secret`] when there is a password but no key to seal it.
    pub async fn add_device(
        &self,
        new: &NewDevice,
        author: Author,
    ) -> Result<DeviceId, StoreError> {
        let fields = new.fields.checked()?;
        let site = sites::Entity::find_by_id(fields.site.0)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("site", fields.site))?;
        let zone = new.zone.as_deref().unwrap_or(&site.zone);
        time_zone(zone)?;
        let known = devices::Entity::find()
            .filter(devices::Column::SerialNumber.eq(&*fields.serial_number))
            .one(&self.tx)
            .await?;
        let mut row = fields.to_row();
        row.next_poll_ms = Set(Some(author.at_ms()));
        row.credentials_ms = Set(author.at_ms());
        row.retired_ms = Set(None);
        let device = match known {
            Some(known) if known.retired_ms.is_none() => {
                return Err(StoreError::Duplicate {
                    what: "a device with serial number",
                    value: fields.serial_number,
                });
            }
            Some(known) => {
                let device = DeviceId(known.id);
                row.id = Set(known.id);
                row.needs_edit = Set(false);
                row.sign_in_confirmed = Set(false);
                row.fail_count = Set(0);
                row.update(&self.tx).await?;
                self.mark_differing(&known, &fields).await?;
                let retired = instant(known.retired_ms.unwrap_or_default());
                self.mark_device(device, retired, "device added again")
                    .await?;
                if new.zone.is_some() || known.site_id != fields.site.0 {
                    self.keep_zone_from(device, retired, zone, author).await?;
                }
                known.id
            }
            None => {
                row.created_ms = Set(author.at_ms());
                let inserted = devices::Entity::insert(row).exec(&self.tx).await;
                let id = inserted
                    .map_err(|error| {
                        let what = "a device with serial number";
                        StoreError::duplicate(error, what, &fields.serial_number)
                    })?
                    .last_insert_id;
                let zone = device_zones::ActiveModel {
                    device_id: Set(id),
                    from_clock: Set(String::new()),
                    zone: Set(zone.to_owned()),
                };
                device_zones::Entity::insert(zone)
                    .exec_without_returning(&self.tx)
                    .await?;
                id
            }
        };
        let device = DeviceId(device);
        let edit = |secret: &Option<Secret>| match secret {
            Some(secret) => SecretEdit::Set(secret.clone()),
            None => SecretEdit::Clear,
        };
        self.seal(device, PASSWORD, &edit(&new.password)).await?;
        self.seal(device, COMM_KEY, &edit(&new.comm_key)).await?;
        self.forget_held(&fields.serial_number).await?;
        self.audit(author, "device.add", &fields.serial_number, fields.detail())
            .await?;
        Ok(device)
    }

    /// Changes a device and makes it due. Only a change of how it is reached or signed in to lifts the waiting after refused
    /// credentials: a new name is no reason to try a wrong password again. Such a change also ends a read that is under way:
    /// what it brings is of another terminal or another password, and is not kept.
    ///
    /// # Errors
    /// As [`WriteTx::add_device`]; [`StoreError::Invalid`] also when kind or serial number of a device change that has
    /// answered already, because its punches are those of that terminal.
    pub async fn edit_device(
        &self,
        device: DeviceId,
        fields: &DeviceFields,
        password: &SecretEdit,
        comm_key: &SecretEdit,
        author: Author,
    ) -> Result<(), StoreError> {
        let fields = fields.checked()?;
        let before = self.device_row(device).await?;
        let same_terminal =
            before.serial_number == fields.serial_number && before.kind == fields.kind;
        if !same_terminal && before.first_verified_ms.is_some() {
            return Err(StoreError::Proven {
                serial_number: before.serial_number,
            });
        }
        let mut row = fields.to_row();
        row.id = Set(before.id);
        let reached_differently = !same_terminal
            || before.address != fields.address
            || before.port != fields.port.map(i64::from)
            || before.transport != fields.transport
            || before.username != fields.username
            || !matches!(password, SecretEdit::Keep)
            || !matches!(comm_key, SecretEdit::Keep);
        let signs_in_differently = before.username != fields.username
            || !matches!(password, SecretEdit::Keep)
            || !matches!(comm_key, SecretEdit::Keep);
        if signs_in_differently {
            row.sign_in_confirmed = Set(false);
        }
        if reached_differently {
            row.needs_edit = Set(false);
            row.credentials_ms = Set(author.at_ms());
            row.fail_count = Set(0);
            row.lease_owner = Set(None);
            row.lease_until_ms = Set(None);
        }
        if reached_differently || !before.needs_edit {
            row.next_poll_ms = Set(Some(author.at_ms()));
        }
        let result = row.update(&self.tx).await;
        result.map_err(|error| {
            let what = "a device with serial number";
            StoreError::duplicate(error, what, &fields.serial_number)
        })?;
        self.seal(device, PASSWORD, password).await?;
        self.seal(device, COMM_KEY, comm_key).await?;

        self.mark_differing(&before, &fields).await?;
        if before.poll_interval_s != i64::from(fields.poll_interval_secs) {
            // How old its data may be decides only what is said of days that are open.
            self.mark_device(device, author.at, "poll interval of a device")
                .await?;
        }
        self.audit(
            author,
            "device.edit",
            &fields.serial_number,
            fields.detail(),
        )
        .await
    }

    /// Lets the credentials of a device be tried again although they were refused, or although the terminal may be locked still;
    /// `confirmed` also where it allows few more wrong ones.
    pub async fn try_credentials_again(
        &self,
        device: DeviceId,
        confirmed: bool,
        author: Author,
    ) -> Result<(), StoreError> {
        let before = self.device_row(device).await?;
        sql::run(
            &self.tx,
            "UPDATE devices SET needs_edit = false, credentials_ms = $2, sign_in_confirmed = (sign_in_confirmed OR $3), \
             sign_in_wait_ms = NULL, fail_count = 0, next_poll_ms = $2 WHERE id = $1",
            [device.0.into(), author.at_ms().into(), confirmed.into()],
        )
        .await?;
        let detail = serde_json::json!({ "confirmed": confirmed });
        self.audit(
            author,
            "device.sign_in.again",
            &before.serial_number,
            detail,
        )
        .await
    }

    /// Says which certificate a device may show, in the words of the drivers; `None` keeps the next one it shows.
    pub async fn set_certificate(
        &self,
        device: DeviceId,
        certificate: Option<&str>,
        author: Author,
    ) -> Result<(), StoreError> {
        let before = self.device_row(device).await?;
        sql::run(
            &self.tx,
            "UPDATE devices SET certificate = $2, certificate_shown = NULL, next_poll_ms = $3 WHERE id = $1",
            [device.0.into(), certificate.into(), author.at_ms().into()],
        )
        .await?;
        let detail = serde_json::json!({ "before": before.certificate, "now": certificate });
        self.audit(author, "device.certificate", &before.serial_number, detail)
            .await
    }

    /// A device has shown its first certificate: it is the one it may show from now on.
    pub async fn keep_first_certificate(
        &self,
        device: DeviceId,
        certificate: &str,
    ) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE devices SET certificate = $2 WHERE id = $1 AND certificate IS NULL",
            [device.0.into(), certificate.into()],
        )
        .await?;
        Ok(())
    }

    /// A device has shown another certificate than it may.
    pub async fn note_other_certificate(
        &self,
        device: DeviceId,
        shown: &str,
    ) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE devices SET certificate_shown = $2 WHERE id = $1 AND certificate <> $2",
            [device.0.into(), shown.into()],
        )
        .await?;
        Ok(())
    }

    /// Marks the reports that depend on what is now different about a device.
    async fn mark_differing(
        &self,
        before: &devices::Model,
        fields: &DeviceFields,
    ) -> Result<(), StoreError> {
        let device = DeviceId(before.id);
        if before.site_id != fields.site.0 {
            for site in [SiteId(before.site_id), fields.site] {
                self.mark_reports(Whose::Site(site), None, None, "device moved")
                    .await?;
            }
        }
        if before.direction != fields.direction {
            let people = self.people_of(device).await?;
            let whose = Whose::Employees(&people);
            self.mark_reports(whose, None, None, "direction of a device")
                .await?;
        }
        Ok(())
    }

    /// A device that comes back may stand elsewhere: its clock runs in this zone since it was removed.
    async fn keep_zone_from(
        &self,
        device: DeviceId,
        removed: Timestamp,
        zone: &str,
        author: Author,
    ) -> Result<(), StoreError> {
        let last = device_zones::Entity::find()
            .filter(device_zones::Column::DeviceId.eq(device.0))
            .order_by_desc(device_zones::Column::FromClock)
            .one(&self.tx)
            .await?;
        if last.is_none_or(|last| last.zone != zone) {
            let from = time_zone(zone)?.to_datetime(removed);
            self.set_device_zone(device, Some(from), zone, author)
                .await?;
        }
        Ok(())
    }

    /// Removes a device from reading and from the days after, and ends its failure. Its punches stay.
    pub async fn retire_device(&self, device: DeviceId, author: Author) -> Result<(), StoreError> {
        let before = self.device_row(device).await?;
        if before.retired_ms.is_some() {
            return Ok(());
        }
        sql::run(
            &self.tx,
            "UPDATE devices SET retired_ms = $2, next_poll_ms = NULL, lease_owner = NULL, lease_until_ms = NULL \
             WHERE id = $1",
            [device.0.into(), author.at_ms().into()],
        )
        .await?;
        sql::run(
            &self.tx,
            "UPDATE device_failures SET ended_ms = $2 WHERE device_id = $1 AND ended_ms IS NULL",
            [device.0.into(), author.at_ms().into()],
        )
        .await?;
        // It is relevant up to now, so only days that are still open anywhere on earth can change.
        let from = TimeZone::UTC
            .to_datetime(author.at - SignedDuration::from_hours(48))
            .date();
        let people = self.people_of(device).await?;
        for whose in [
            Whose::Site(SiteId(before.site_id)),
            Whose::Employees(&people),
        ] {
            self.mark_reports(whose, Some(from), None, "device removed")
                .await?;
        }
        let detail = serde_json::json!({});
        self.audit(author, "device.remove", &before.serial_number, detail)
            .await
    }

    /// Says in which zone a device's clock runs from a wall time on (`None`: since ever), up to the next such entry. Rewrites
    /// what is derived from it in the stored punches and marks the days on both sides of the move; how many punches changed.
    pub async fn set_device_zone(
        &self,
        device: DeviceId,
        from: Option<DateTime>,
        zone: &str,
        author: Author,
    ) -> Result<usize, StoreError> {
        time_zone(zone)?;
        let serial = self.device_row(device).await?.serial_number;
        let from_clock = from.map(wall_text).unwrap_or_default();
        let before = self.device_zones(device).await?;
        sql::run(
            &self.tx,
            "INSERT INTO device_zones (device_id, from_clock, zone) VALUES ($1, $2, $3) \
             ON CONFLICT (device_id, from_clock) DO UPDATE SET zone = excluded.zone",
            [device.0.into(), from_clock.as_str().into(), zone.into()],
        )
        .await?;
        let until: Option<String> = sql::one(
            &self.tx,
            "SELECT MIN(from_clock) FROM device_zones WHERE device_id = $1 AND from_clock > $2",
            [device.0.into(), from_clock.as_str().into()],
        )
        .await?
        .map(|row| row.try_get_by_index(0))
        .transpose()?
        .flatten();
        let changed = self
            .rewrite_zone(device, &from_clock, until.as_deref(), zone, author.at)
            .await?;
        // The next read says whether the clock was wrong or only its zone.
        self.forget_open_clock_gap(device).await?;
        self.note_zone(device, &before, author.at).await?;
        let detail = serde_json::json!({ "from": from_clock, "zone": zone, "punches": changed });
        self.audit(author, "device.zone", &serial, detail).await?;
        Ok(changed)
    }

    /// A clock that is read in another zone has not moved, but it is as far from ours as if it had.
    async fn note_zone(
        &self,
        device: DeviceId,
        before: &DeviceZones,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(last) = self.last_clock_note(device).await? else {
            return Ok(());
        };
        let showed = now
            .checked_add(SignedDuration::from_secs(last.drift_s))
            .unwrap_or(now);
        let (_, zone) = before.at(DateTime::MAX);
        let showed = zone.to_datetime(showed);
        let after = self.device_zones(device).await?;
        let (_, zone) = after.at(showed);
        let note = ClockNote {
            at: now,
            drift_s: instant_of(showed, zone, false)
                .duration_since(now)
                .as_secs(),
            event: ClockEvent::Zone,
        };
        match note.drift_s == last.drift_s {
            true => Ok(()),
            false => self.note_clock(device, &note).await,
        }
    }

    async fn rewrite_zone(
        &self,
        device: DeviceId,
        from: &str,
        until: Option<&str>,
        zone: &str,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let tz = time_zone(zone)?;
        // What was set aside because the clock seemed wrong was perhaps only read in the wrong zone.
        let wrong_since = self.wrong_clock_seen(device).await?;
        let rows = sql::all(
            &self.tx,
            "SELECT id, COALESCE(shifted, clock), fold, instant_ms, employee_id, suspect, received_ms, shift_id FROM punches \
             WHERE device_id = $1 AND COALESCE(shifted, clock) >= $2 AND COALESCE(shifted, clock) < $3 AND zone <> $4",
            [
                device.0.into(),
                from.into(),
                until.unwrap_or("~").into(), // after every digit
                zone.into(),
            ],
        )
        .await?;
        let mut rewritten = Vec::with_capacity(rows.len());
        let mut touched = Vec::new();
        let mut earliest: Option<Timestamp> = None;
        for row in &rows {
            let id: i64 = row.try_get_by_index(0)?;
            let clock = wall(&row.try_get_by_index::<String>(1)?);
            let fold: i64 = row.try_get_by_index(2)?;
            let moved = instant_of(clock, &tz, fold == 1);
            let moved_from = instant(row.try_get_by_index(3)?);
            let first = moved.min(moved_from);
            earliest = Some(earliest.map_or(first, |earliest| earliest.min(first)));
            let employee = row.try_get_by_index::<Option<i64>>(4)?.map(EmployeeId);
            let (suspect, received) = (row.try_get_by_index(5)?, instant(row.try_get_by_index(6)?));
            let shift: Option<i64> = row.try_get_by_index(7)?;
            let doubtful = suspect && wrong_since.is_none_or(|since| received <= since);
            rewritten.push((id, moved.as_millisecond(), doubtful));
            let before_and_after = [(moved_from, suspect), (moved, doubtful)];
            touched.extend(before_and_after.map(|(at, suspect)| TouchedPunch {
                id: PunchId(id),
                employee,
                instant: at,
                quarantined: quarantined(shift.is_some(), suspect, clock, at, received),
            }));
        }
        let table = sql::json_rows(
            self.backend(),
            2,
            "r",
            &[
                ("id", Column::Int),
                ("instant_ms", Column::Int),
                ("suspect", Column::Bool),
            ],
        );
        for batch in rewritten.chunks(REWRITE_BATCH) {
            sql::run(
                &self.tx,
                &format!(
                    "UPDATE punches SET zone = $1, instant_ms = r.instant_ms, suspect = r.suspect FROM {table} WHERE punches.id = r.id"
                ),
                [zone.into(), sql::json(batch)],
            )
            .await?;
        }
        self.mark_punches(&touched, now, "zone of a device").await?;
        if let Some(earliest) = earliest {
            // Where and when somebody punched also decides which devices matter for the days after.
            self.mark_device(device, earliest, "zone of a device")
                .await?;
        }
        Ok(rewritten.len())
    }

    pub(crate) async fn device_row(&self, device: DeviceId) -> Result<devices::Model, StoreError> {
        devices::Entity::find_by_id(device.0)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("device", device))
    }

    /// Everybody who has punched there.
    async fn people_of(&self, device: DeviceId) -> Result<Vec<EmployeeId>, StoreError> {
        let rows = sql::all(
            &self.tx,
            "SELECT DISTINCT employee_id FROM punches WHERE device_id = $1 AND employee_id IS NOT NULL",
            [device.0.into()],
        )
        .await?;
        rows.iter()
            .map(|row| Ok(EmployeeId(row.try_get_by_index(0)?)))
            .collect()
    }

    /// A secret is bound to its row, so it is sealed after the row exists.
    async fn seal(
        &self,
        device: DeviceId,
        column: SealedColumn,
        edit: &SecretEdit,
    ) -> Result<(), StoreError> {
        let sealed = match edit {
            SecretEdit::Keep => return Ok(()),
            SecretEdit::Clear => None,
            SecretEdit::Set(secret) => {
                let key = self.key().ok_or(SecretError::NoKey)?;
                Some(key.seal(column.place(device), secret))
            }
        };
        let sql = format!("UPDATE devices SET {} = $2 WHERE id = $1", column.column);
        sql::run(&self.tx, &sql, [device.0.into(), sealed.into()]).await?;
        Ok(())
    }
}

impl Store {
    /// Devices that are not retired, by name.
    pub async fn devices(&self) -> Result<Vec<devices::Model>, StoreError> {
        let query = devices::Entity::find()
            .filter(devices::Column::RetiredMs.is_null())
            .order_by_asc(devices::Column::Name)
            .order_by_asc(devices::Column::Id);
        Ok(query.all(self.read()).await?)
    }

    /// A device, retired or not.
    pub async fn device(&self, device: DeviceId) -> Result<Option<devices::Model>, StoreError> {
        Ok(devices::Entity::find_by_id(device.0)
            .one(self.read())
            .await?)
    }

    /// The same by serial number.
    pub async fn device_by_serial(
        &self,
        serial_number: &str,
    ) -> Result<Option<devices::Model>, StoreError> {
        let query =
            devices::Entity::find().filter(devices::Column::SerialNumber.eq(serial_number.trim()));
        Ok(query.one(self.read()).await?)
    }

    /// What signs in at this device.
    ///
    /// # Errors
    /// [`StoreError::Secret`] when the key does not fit.
    pub fn device_credentials(
        &self,
        device: &devices::Model,
    ) -> Result<DeviceCredentials, StoreError> {
        let id = DeviceId(device.id);
        Ok(DeviceCredentials {
            username: device.username.clone(),
            password: self.unseal(PASSWORD.place(id), device.password_sealed.as_deref())?,
            comm_key: self.comm_key(id, device.comm_key_sealed.as_deref())?,
        })
    }

    pub(crate) fn comm_key(
        &self,
        device: DeviceId,
        sealed: Option<&str>,
    ) -> Result<Option<Secret>, StoreError> {
        Ok(self.unseal(COMM_KEY.place(device), sealed)?)
    }

    /// The zones of a device's clock, each with the wall time from which it counts; the first counts since ever.
    pub async fn device_zones(
        &self,
        device: DeviceId,
    ) -> Result<Vec<(Option<DateTime>, String)>, StoreError> {
        let query = device_zones::Entity::find()
            .filter(device_zones::Column::DeviceId.eq(device.0))
            .order_by_asc(device_zones::Column::FromClock);
        let rows = query.all(self.read()).await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let from = (!row.from_clock.is_empty()).then(|| wall(&row.from_clock));
                (from, row.zone)
            })
            .collect())
    }
}

impl DeviceFields {
    /// The same, trimmed, empty texts as `None`.
    fn checked(&self) -> Result<Self, StoreError> {
        let fields = Self {
            kind: tidy_text(&self.kind),
            serial_number: tidy_text(&self.serial_number),
            name: tidy_text(&self.name),
            address: tidy_option(self.address.as_deref()),
            username: tidy_option(self.username.as_deref()),
            ..self.clone()
        };
        let invalid = |message: &str| Err(StoreError::Invalid(message.to_owned()));
        if fields.serial_number.is_empty() {
            return invalid("a device needs a serial number");
        }
        if fields.name.is_empty() {
            return invalid("a device needs a name");
        }
        if fields.mode.is_empty() || fields.mode.contains(&Way::Import) {
            return invalid("the mode of a device is one or more of poll, live, push");
        }
        if !["none", "states", "in", "out"].contains(&&*fields.direction) {
            return invalid("the direction of a device is none, states, in or out");
        }
        if fields.poll_interval_secs == 0 {
            return invalid("the poll interval of a device is at least a second");
        }
        Ok(fields)
    }

    fn to_row(&self) -> devices::ActiveModel {
        devices::ActiveModel {
            kind: Set(self.kind.clone()),
            serial_number: Set(self.serial_number.clone()),
            name: Set(self.name.clone()),
            site_id: Set(self.site.0),
            address: Set(self.address.clone()),
            port: Set(self.port.map(i64::from)),
            transport: Set(self.transport.clone()),
            username: Set(self.username.clone()),
            mode: Set(self.mode_text()),
            enabled: Set(self.enabled),
            direction: Set(self.direction.clone()),
            poll_interval_s: Set(i64::from(self.poll_interval_secs)),
            set_clock: Set(self.set_clock),
            ..Default::default()
        }
    }

    fn mode_text(&self) -> String {
        let ways: Vec<_> = self.mode.iter().map(|way| way.as_str()).collect();
        ways.join(",")
    }

    /// For the audit: everything but secrets.
    fn detail(&self) -> serde_json::Value {
        serde_json::json!({
            "kind": self.kind,
            "serial_number": self.serial_number,
            "name": self.name,
            "site": self.site.0,
            "address": self.address,
            "port": self.port,
            "transport": self.transport,
            "username": self.username,
            "mode": self.mode_text(),
            "enabled": self.enabled,
            "direction": self.direction,
            "poll_interval_s": self.poll_interval_secs,
            "set_clock": self.set_clock,
        })
    }
}

impl From<&devices::Model> for DeviceFields {
    fn from(row: &devices::Model) -> Self {
        Self {
            kind: row.kind.clone(),
            serial_number: row.serial_number.clone(),
            name: row.name.clone(),
            site: SiteId(row.site_id),
            address: row.address.clone(),
            port: row.port.and_then(|port| port.try_into().ok()),
            transport: row.transport.clone(),
            username: row.username.clone(),
            mode: row.mode.split(',').filter_map(Way::from_name).collect(),
            enabled: row.enabled,
            direction: row.direction.clone(),
            poll_interval_secs: row.poll_interval_s.try_into().unwrap_or(u32::MAX),
            set_clock: row.set_clock,
        }
    }
}

/// A sealed column, and the name under which its values are bound.
#[derive(Clone, Copy)]
struct SealedColumn {
    column: &'static str,
    bound_as: &'static str,
}

const PASSWORD: SealedColumn = SealedColumn {
    column: "password_sealed",
    bound_as: "password",
};
const COMM_KEY: SealedColumn = SealedColumn {
    column: "comm_key_sealed",
    bound_as: "comm_key",
};

impl SealedColumn {
    fn place(self, device: DeviceId) -> Place {
        Place {
            table: "devices",
            row: device.0,
            column: self.bound_as,
        }
    }
}

/// R4: in a gap the offset before the change applies; a repeated wall time is its first occurrence unless `fold`.
pub(crate) fn instant_of(clock: DateTime, zone: &TimeZone, fold: bool) -> Timestamp {
    let ambiguous = zone.to_ambiguous_timestamp(clock);
    let found = if fold {
        ambiguous.later()
    } else {
        ambiguous.compatible()
    };
    found.unwrap_or(if clock.year() < 1970 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// The site's date of an instant, and the days before and after: a shift may begin or end on them.
pub(crate) fn days_around(
    employee: EmployeeId,
    at: Timestamp,
    site: &TimeZone,
) -> impl Iterator<Item = (EmployeeId, jiff::civil::Date)> {
    let day = site.to_datetime(at).date();
    [day.yesterday().ok(), Some(day), day.tomorrow().ok()]
        .into_iter()
        .flatten()
        .map(move |day| (employee, day))
}

#[cfg(test)]
mod tests {
    use attendance::{PunchState, VerifyMode};

    use super::*;
    use crate::entities::punches;
    use crate::on_both_databases;
    use crate::punches::PunchRow;
    use crate::secrets::SecretKey;
    use crate::testing::{author, device, device_fields, employee, marked_days, report, site};

    fn with_password(site: SiteId) -> NewDevice {
        NewDevice {
            fields: device_fields(site, "A1"),
            password: Some(Secret::new("s3cret")),
            comm_key: Some(Secret::new("4711")),
            zone: None,
        }
    }

    async fn stored(store: &Store) -> devices::Model {
        store.device_by_serial("A1").await.unwrap().unwrap()
    }

    async fn edit(store: &Store, change: impl FnOnce(&mut DeviceFields), password: SecretEdit) {
        let row = stored(store).await;
        let mut fields = DeviceFields::from(&row);
        change(&mut fields);
        let keep = SecretEdit::Keep;
        let tx = store.begin_write().await.unwrap();
        tx.edit_device(DeviceId(row.id), &fields, &password, &keep, author())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn refuse_credentials(store: &Store) {
        let tx = store.begin_write().await.unwrap();
        sql::run(
            &tx.tx,
            "UPDATE devices SET needs_edit = true, fail_count = 1, next_poll_ms = NULL",
            [],
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    async fn punch(tx: &WriteTx, device: DeviceId, user: &str, clock: &str, employee: EmployeeId) {
        let zone = "Europe/Berlin";
        let clock: DateTime = clock.parse().unwrap();
        let row = PunchRow {
            user,
            clock,
            fold: false,
            zone,
            instant: instant_of(clock, &time_zone(zone).unwrap(), false),
            state: PunchState::None,
            verify: VerifyMode::Finger,
            suspect: false,
            employee: Some(employee),
        };
        let inserted = tx
            .insert_punches(device, Way::Poll, author().at, &[row])
            .await;
        assert_eq!(inserted.unwrap().new.len(), 1);
    }

    on_both_databases! {
        async fn a_new_device_is_due_and_on_the_time_of_its_site(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let id = device(&tx, site, " A1 ").await;
            tx.commit().await.unwrap();
            let row = stored(&store).await;
            assert_eq!(row.id, id.0);
            assert_eq!(row.next_poll_ms, Some(author().at.as_millisecond()));
            assert_eq!(DeviceFields::from(&row).mode, [Way::Poll]);
            let zones = store.device_zones(id).await.unwrap();
            assert_eq!(zones, [(None, "Europe/Berlin".to_owned())]);
        }

        async fn a_serial_number_is_registered_once(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            device(&tx, site, "A1").await;
            let other = device(&tx, site, "A2").await;
            let mut new = with_password(site);
            new.password = None;
            new.comm_key = None;
            let error = tx.add_device(&new, author()).await.unwrap_err();
            assert_eq!(error.to_string(), "a device with serial number A1 exists already");
            let (fields, keep) = (device_fields(site, "A1"), SecretEdit::Keep);
            let error = tx.edit_device(other, &fields, &keep, &keep, author()).await.unwrap_err();
            assert_eq!(error.to_string(), "a device with serial number A1 exists already");
        }

        async fn what_cannot_be_is_refused(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let changes: [fn(&mut NewDevice); 7] = [
                |new| new.fields.serial_number = " ".to_owned(),
                |new| new.fields.name.clear(),
                |new| new.fields.mode.clear(),
                |new| new.fields.mode.push(Way::Import),
                |new| new.fields.direction = "up".to_owned(),
                |new| new.fields.poll_interval_secs = 0,
                |new| new.zone = Some("Europe/Atlantis".to_owned()),
            ];
            for change in changes {
                let mut new = with_password(site);
                change(&mut new);
                let error = tx.add_device(&new, author()).await.unwrap_err();
                assert!(matches!(error, StoreError::Invalid(_)), "{error}");
            }
            let new = with_password(SiteId(99));
            let error = tx.add_device(&new, author()).await.unwrap_err();
            assert_eq!(error.to_string(), "there is no site 99");
        }

        async fn secrets_are_sealed_kept_replaced_and_cleared(store: Store) {
            let store = store.with_secret_key(SecretKey::generate());
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            tx.add_device(&with_password(site), author()).await.unwrap();
            tx.commit().await.unwrap();
            store.check_secret_key().await.unwrap();
            let password = async || {
                let row = stored(&store).await;
                assert!(!format!("{row:?}").contains("s3cret"));
                store.device_credentials(&row).unwrap().password
            };
            let opened = store.device_credentials(&stored(&store).await).unwrap();
            assert_eq!(opened.comm_key, Some(Secret::new("4711")));
            assert!(!format!("{opened:?}").contains("4711"));
            edit(&store, |_| {}, SecretEdit::Keep).await;
            assert_eq!(password().await, Some(Secret::new("s3cret")));
            edit(&store, |_| {}, SecretEdit::Set(Secret::new("other"))).await;
            assert_eq!(password().await, Some(Secret::new("other")));
            edit(&store, |_| {}, SecretEdit::Clear).await;
            assert_eq!(password().await, None);
            for entry in store.audit_entries(None, 99).await.unwrap() {
                assert!(!entry.detail.contains("s3cret"), "{}", entry.detail);
            }
        }

        async fn another_key_is_noticed_before_any_device_is(store: Store) {
            store.check_secret_key().await.unwrap();
            let sealing = store.clone().with_secret_key(SecretKey::generate());
            let tx = sealing.begin_write().await.unwrap();
            let site = site(&tx).await;
            tx.add_device(&with_password(site), author()).await.unwrap();
            tx.commit().await.unwrap();
            let without = store.check_secret_key().await.unwrap_err();
            assert!(matches!(without, StoreError::Secret(SecretError::NoKey)));
            let other = store.clone().with_secret_key(SecretKey::generate());
            let wrong = other.check_secret_key().await.unwrap_err();
            assert!(matches!(wrong, StoreError::Secret(SecretError::WrongKey { .. })));

            let tx = store.begin_write().await.unwrap();
            let mut new = with_password(site);
            new.fields.serial_number = "A2".to_owned();
            let unsealable = tx.add_device(&new, author()).await.unwrap_err();
            assert!(matches!(unsealable, StoreError::Secret(SecretError::NoKey)));
        }

        async fn a_new_name_does_not_try_a_refused_password_again(store: Store) {
            let store = store.with_secret_key(SecretKey::generate());
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            device(&tx, site, "A1").await;
            tx.commit().await.unwrap();
            let due = |row: &devices::Model| (row.needs_edit, row.next_poll_ms.is_some());

            refuse_credentials(&store).await;
            edit(&store, |fields| fields.name = "Back door".to_owned(), SecretEdit::Keep).await;
            assert_eq!(due(&stored(&store).await), (true, false));
            edit(&store, |_| {}, SecretEdit::Set(Secret::new("right"))).await;
            assert_eq!(due(&stored(&store).await), (false, true));
            refuse_credentials(&store).await;
            edit(&store, |fields| fields.address = Some("192.0.2.9".to_owned()), SecretEdit::Keep).await;
            assert_eq!(due(&stored(&store).await), (false, true));
        }

        async fn a_read_under_way_ends_when_the_device_is_reached_differently(store: Store) {
            let store = store.with_secret_key(SecretKey::generate());
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let id = device(&tx, site, "A1").await;
            let (now, until) = (author().at, author().at + SignedDuration::from_secs(60));
            assert_eq!(tx.claim_devices("reader", &[id], now, until).await.unwrap(), [id]);
            tx.commit().await.unwrap();
            let held = async || {
                let tx = store.begin_write().await.unwrap();
                tx.holds_device("reader", id).await.unwrap()
            };
            edit(&store, |fields| fields.name = "Back door".to_owned(), SecretEdit::Keep).await;
            assert!(held().await);
            edit(&store, |_| {}, SecretEdit::Set(Secret::new("right"))).await;
            assert!(!held().await, "its refusal is that of the old password");
        }

        async fn a_terminal_that_has_answered_keeps_its_serial_number(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let id = device(&tx, site, "A1").await;
            let (fields, keep) = (device_fields(site, "A2"), SecretEdit::Keep);
            tx.edit_device(id, &fields, &keep, &keep, author()).await.unwrap();
            sql::run(&tx.tx, "UPDATE devices SET first_verified_ms = 1", []).await.unwrap();
            let fields = device_fields(site, "A3");
            let error = tx.edit_device(id, &fields, &keep, &keep, author()).await.unwrap_err();
            assert!(matches!(error, StoreError::Proven { .. }), "{error}");
        }

        async fn a_removed_device_keeps_its_punches_and_comes_back(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let id = device(&tx, site, "A1").await;
            let ada = employee(&tx, site, "7").await;
            punch(&tx, id, "7", "2026-05-04 09:00:00", ada).await;
            tx.retire_device(id, author()).await.unwrap();
            tx.retire_device(id, author()).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(store.devices().await.unwrap(), []);
            assert_eq!(stored(&store).await.next_poll_ms, None);

            let tx = store.begin_write().await.unwrap();
            assert_eq!(device(&tx, site, "A1").await, id);
            tx.commit().await.unwrap();
            assert_eq!(store.devices().await.unwrap().len(), 1);
            assert_eq!(punches::Entity::find().all(store.read()).await.unwrap().len(), 1);
        }

        async fn direction_site_and_removal_mark_the_reports_they_can_change(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let apia = tx.add_site("Apia", "Pacific/Apia", author()).await.unwrap();
            let gate = device(&tx, berlin, "A1").await;
            let (ada, bo) = (employee(&tx, berlin, "7").await, employee(&tx, berlin, "8").await);
            punch(&tx, gate, "7", "2026-04-01 09:00:00", ada).await;
            for person in [ada, bo] {
                for day in ["2026-04-01", "2026-05-06"] {
                    report(&tx, person, day).await;
                }
            }
            tx.commit().await.unwrap();
            let marks = async || {
                let count = [marked_days(&store, ada).await.len(), marked_days(&store, bo).await.len()];
                let tx = store.begin_write().await.unwrap();
                sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
                tx.commit().await.unwrap();
                count
            };
            marks().await;
            edit(&store, |fields| fields.name = "Gate".to_owned(), SecretEdit::Keep).await;
            assert_eq!(marks().await, [0, 0]);
            edit(&store, |fields| fields.direction = "in".to_owned(), SecretEdit::Keep).await;
            assert_eq!(marks().await, [2, 0]); // who punched there
            edit(&store, |fields| fields.poll_interval_secs = 900, SecretEdit::Keep).await;
            assert_eq!(marks().await, [1, 1]); // days that are open
            edit(&store, |fields| fields.site = apia, SecretEdit::Keep).await;
            assert_eq!(marks().await, [2, 2]); // it could have seen everybody of the site
            edit(&store, |fields| fields.site = berlin, SecretEdit::Keep).await;
            marks().await;
            let tx = store.begin_write().await.unwrap();
            tx.retire_device(gate, author()).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(marks().await, [1, 1]); // its past is what it was

            // It comes back to the other site with another direction, and its clock with it.
            let mut back = NewDevice {
                fields: DeviceFields::from(&stored(&store).await),
                password: None,
                comm_key: None,
                zone: None,
            };
            let add = async |back: &NewDevice| {
                let tx = store.begin_write().await.unwrap();
                assert_eq!(tx.add_device(back, author()).await.unwrap(), gate);
                tx.commit().await.unwrap();
            };
            add(&back).await;
            assert_eq!(marks().await, [1, 1], "relevant again since it was removed");
            assert_eq!(store.device_zones(gate).await.unwrap().len(), 1);
            let tx = store.begin_write().await.unwrap();
            tx.retire_device(gate, author()).await.unwrap();
            tx.commit().await.unwrap();
            marks().await;
            back.fields.direction = "out".to_owned();
            back.fields.site = apia;
            add(&back).await;
            assert_eq!(marks().await, [2, 2]);
            let zones = store.device_zones(gate).await.unwrap();
            let removed: DateTime = "2026-05-06 21:00:00".parse().unwrap(); // in Apia
            assert_eq!(zones[1], (Some(removed), "Pacific/Apia".to_owned()));
        }

        async fn a_corrected_zone_moves_the_punches_it_covers(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let id = device(&tx, site, "A1").await;
            let ada = employee(&tx, site, "7").await;
            for clock in ["2026-05-04 09:00:00", "2026-05-05 23:30:00", "2026-05-07 09:00:00"] {
                punch(&tx, id, "7", clock, ada).await;
            }
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            let at = |text: &str| Some(text.parse().unwrap());
            tx.set_device_zone(id, at("2026-05-06 00:00:00"), "Europe/Berlin", author()).await.unwrap();
            let moved = tx.set_device_zone(id, at("2026-05-05 00:00:00"), "Europe/London", author()).await;
            assert_eq!(moved.unwrap(), 1);
            let again = tx.set_device_zone(id, at("2026-05-05 00:00:00"), "Europe/London", author()).await;
            assert_eq!(again.unwrap(), 0);
            let zone = tx.set_device_zone(id, None, "Mars/Olympus", author()).await;
            assert!(matches!(zone, Err(StoreError::Invalid(_))));
            tx.commit().await.unwrap();

            let query = punches::Entity::find().order_by_asc(punches::Column::Clock);
            let rows = query.all(store.read()).await.unwrap();
            let zones: Vec<_> = rows.iter().map(|row| row.zone.as_str()).collect();
            assert_eq!(zones, ["Europe/Berlin", "Europe/London", "Europe/Berlin"]);
            assert_eq!(rows[1].clock, "2026-05-05 23:30:00");
            let moved: Timestamp = "2026-05-05T22:30:00Z".parse().unwrap();
            assert_eq!(rows[1].instant_ms, moved.as_millisecond());
            // 23:30 on the 5th became 00:30 on the 6th at the site.
            let marked = sql::all(store.read(), "SELECT workday FROM marked_days ORDER BY workday", []);
            let marked: Vec<String> = marked.await.unwrap().iter()
                .map(|row| row.try_get_by_index(0).unwrap())
                .collect();
            assert_eq!(marked, ["2026-05-04", "2026-05-05", "2026-05-06", "2026-05-07"]);
            assert_eq!(store.device_zones(id).await.unwrap().len(), 3);
        }

        async fn a_corrected_zone_explains_a_step_of_the_clock(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let id = device(&tx, site, "A1").await;
            let note = |drift_s, event| ClockNote { at: author().at, drift_s, event };
            tx.set_device_zone(id, None, "Europe/London", author()).await.unwrap();
            assert_eq!(tx.last_clock_note(id).await.unwrap(), None, "never seen");
            tx.note_clock(id, &note(3602, ClockEvent::None)).await.unwrap();
            tx.set_device_zone(id, None, "Europe/Berlin", author()).await.unwrap();
            assert_eq!(tx.last_clock_note(id).await.unwrap(), Some(note(2, ClockEvent::Zone)));
            let past = Some("2020-01-01 00:00:00".parse().unwrap());
            tx.set_device_zone(id, past, "Europe/Berlin", author()).await.unwrap();
            tx.set_device_zone(id, None, "Asia/Tokyo", author()).await.unwrap();
            assert_eq!(tx.last_clock_note(id).await.unwrap(), Some(note(2, ClockEvent::Zone)), "it holds no more");
        }
    }

    #[test]
    fn wall_time_becomes_an_instant() {
        let zone = time_zone("Europe/Berlin").unwrap();
        let check = |clock: &str, fold: bool, expected: &str| {
            let found = instant_of(clock.parse().unwrap(), &zone, fold);
            assert_eq!(found, expected.parse().unwrap(), "{clock}");
        };
        check("2026-05-04 09:00:00", false, "2026-05-04T07:00:00Z");
        check("2026-03-29 02:30:00", false, "2026-03-29T01:30:00Z"); // a gap: becomes 03:30
        check("2026-10-25 02:30:00", false, "2026-10-25T00:30:00Z");
        check("2026-10-25 02:30:00", true, "2026-10-25T01:30:00Z");
    }
}
