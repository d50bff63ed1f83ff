//! The door: opened from afar, and its state.

use super::http::Request;
use super::isapi::Device;
use super::json::Json;
use super::log::Event;
use super::refusal::Refusal;
use super::xml;

pub(super) const DOORS: &str = "/ISAPI/AccessControl/RemoteControl/door/";

/// What a door can be told.
const COMMANDS: [&str; 4] = ["open", "close", "alwaysOpen", "alwaysClose"];

impl Device {
    pub(super) fn control_door(&mut self, request: &Request) -> Result<(), Refusal> {
        if request.path().strip_prefix(DOORS) != Some("1") {
            return Err(Refusal::bad_parameters("doorNo"));
        }
        let command = if request.wants_json() {
            let body: serde_json::Value =
                serde_json::from_slice(&request.body).map_err(|_| Refusal::BAD_JSON_FORMAT)?;
            let command = &body["RemoteControlDoor"]["cmd"];
            command.as_str().map(str::to_owned)
        } else {
            let body = std::str::from_utf8(&request.body).map_err(|_| Refusal::BAD_XML_FORMAT)?;
            let fields = xml::inner(body, "RemoteControlDoor").ok_or(Refusal::BAD_XML_FORMAT)?;
            xml::text(fields, "cmd")
        };
        let command = command.filter(|command| COMMANDS.contains(&command.as_str()));
        let command = command.ok_or(Refusal::bad_parameters("cmd"))?;
        let now = (self.clock)();
        match command.as_str() {
            "open" => {
                self.append(Event::new(3, 1024, &now));
                self.append(Event::new(5, 21, &now));
            }
            "close" => {
                self.append(Event::new(3, 1025, &now));
                self.append(Event::new(5, 22, &now));
            }
            _ => {}
        }
        self.door_commands.push(command);
        Ok(())
    }

    pub(super) fn work_status(&self) -> Json {
        // 1 sleeps, 2 stays open, 3 stays locked, 4 is as usual.
        let last = self.door_commands.last().map(String::as_str);
        let status: u16 = match last {
            Some("alwaysOpen") => 2,
            Some("alwaysClose") => 3,
            _ => 4,
        };
        let numbers = |number: u16| Json::List(vec![number.into()]);
        let inner = vec![
            ("doorLockStatus", numbers(0)),
            ("doorStatus", numbers(status)),
            ("magneticStatus", numbers(0)),
            ("cardReaderOnlineStatus", numbers(1)),
        ];
        Json::Object(vec![("AcsWorkStatus", Json::Object(inner))])
    }
}
