//! The clock as it is read and set over ISAPI.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, civil};

use super::clock::{TimeNotation, iso_offset, read_zone};
use super::fault::Fault;
use super::http::{Answer, Request};
use super::isapi::Device;
use super::log::Event;
use super::refusal::{self, Refusal};
use super::xml::{self, elements};

impl Device {
    pub(super) fn time(&self) -> Answer {
        let now = (self.clock)();
        let wall = now.strftime("%Y-%m-%dT%H:%M:%S");
        let local = match self.time_notation {
            TimeNotation::Bare => wall.to_string(),
            TimeNotation::Offset | TimeNotation::WallMarkedUtc => {
                format!("{wall}{}", iso_offset(now.offset()))
            }
        };
        let fields = [
            ("timeMode", self.time_mode.as_str()),
            ("localTime", &local),
            ("timeZone", &self.zone_notation.write(&now)),
        ];
        self.xml("Time", &elements(&fields))
    }

    pub(super) fn time_zone(&self) -> Answer {
        let zone = self.zone_notation.write(&(self.clock)());
        Answer::new(200, "text/plain", zone)
    }

    pub(super) fn time_capabilities(&self) -> Answer {
        self.xml(
            "Time",
            "<timeMode opt=\"NTP,manual\">NTP</timeMode>\n<localTime min=\"0\" max=\"256\"></localTime>\n\
             <timeZone min=\"0\" max=\"256\"></timeZone>\n",
        )
    }

    /// Sets mode, zone and time. `localTime` without an offset is wall time in the zone of the same body.
    pub(super) fn set_time(
        &mut self,
        request: &Request,
        faults: &[Fault],
    ) -> Result<Answer, Refusal> {
        if faults.contains(&Fault::TimeRefused) {
            return Err(Refusal::INVALID_OPERATION);
        }
        let body = std::str::from_utf8(&request.body).map_err(|_| Refusal::BAD_XML_FORMAT)?;
        let fields = xml::inner(body, "Time").ok_or(Refusal::BAD_XML_FORMAT)?;
        let mode = xml::text(fields, "timeMode").ok_or(Refusal::BAD_XML_CONTENT)?;
        if mode != "manual" && mode != "NTP" {
            return Err(Refusal::BAD_XML_CONTENT);
        }
        let now = (self.clock)();
        let zone = match xml::text(fields, "timeZone") {
            // The zone it has anyway may have a history, which its notation has not.
            Some(text) if text == self.zone_notation.write(&now) => now.time_zone().clone(),
            Some(text) => read_zone(&text).ok_or(Refusal::BAD_XML_CONTENT)?,
            None => now.time_zone().clone(),
        };
        let wanted = match xml::text(fields, "localTime") {
            Some(text) => {
                let wall: civil::DateTime = text
                    .get(..19)
                    .and_then(|wall| wall.parse().ok())
                    .ok_or(Refusal::BAD_XML_CONTENT)?;
                match text.get(19..) {
                    Some("") => zone.to_ambiguous_zoned(wall).compatible().ok(),
                    _ if faults.contains(&Fault::OffsetRefused) => None,
                    _ => text
                        .parse::<Timestamp>()
                        .ok()
                        .map(|instant| instant.to_zoned(zone.clone())),
                }
                .ok_or(Refusal::BAD_XML_CONTENT)?
                .timestamp()
            }
            None if mode == "NTP" => now.timestamp(),
            None => return Err(Refusal::BAD_XML_CONTENT),
        };
        if !faults.contains(&Fault::TimeIgnored) {
            self.time_mode = mode;
            let clock = self.clock.clone();
            let shift = wanted.duration_since(now.timestamp());
            self.clock = Arc::new(move || {
                let shifted = clock().timestamp().saturating_add(shift);
                shifted.unwrap_or(Timestamp::MAX).to_zoned(zone.clone())
            });
            let now = (self.clock)();
            self.append(Event::new(3, 1028, &now));
        }
        Ok(refusal::done(request, self))
    }

    /// The clock jumps as after a synchronisation with a time server, which leaves an event.
    pub(super) fn jump_clock(&mut self, by: SignedDuration) {
        let clock = self.clock.clone();
        self.clock = Arc::new(move || {
            let now = clock();
            now.saturating_add(by)
        });
        let now = (self.clock)();
        self.append(Event::new(3, 1029, &now));
    }
}
