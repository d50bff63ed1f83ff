//! The paths a terminal answers once a request is signed in.
//!
//! Reading only: device information, clock, capabilities, the event log, people and cards. Bodies follow the
//! vendor's 2020 "Access Control on Person" guide and captures of DS-K1T342MWX, DS-K1T342MFX and DS-K1T341AMF.

use std::collections::VecDeque;

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use serde_json::Value;

use super::clock::{Clock, TimeNotation, ZoneNotation, iso_offset};
use super::fault::Fault;
use super::http::{Answer, JSON, Request, XML};
use super::json::{Json, Quirks};
use super::log::{Event, Log, Row, User};

/// What a search does that asks for more rows than the firmware returns at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverCap {
    /// Returns as many as it can.
    Clamp,
    /// Returns an empty page, as one field report says.
    Empty,
}

/// Everything a terminal is and keeps, apart from its line and its sign-in.
pub(super) struct Device {
    pub(super) clock: Clock,
    pub(super) serial_number: String,
    pub(super) device_name: String,
    pub(super) model: String,
    pub(super) firmware: String,
    pub(super) mac: String,
    pub(super) namespace: String,
    pub(super) zone_notation: ZoneNotation,
    pub(super) time_notation: TimeNotation,
    pub(super) verify_mode: String,
    pub(super) attendance_mode: bool,
    pub(super) page_cap: usize,
    pub(super) announced_page_cap: usize,
    pub(super) over_cap: OverCap,
    pub(super) ignores_serials: bool,
    pub(super) keeps_searches: bool,
    pub(super) refuses_in_xml: bool,
    pub(super) log: Log,
    pub(super) kept_searches: VecDeque<KeptSearch>,
}

/// The conditions a `searchID` was first used with, and the last serial number of that moment.
#[derive(Debug)]
pub(super) struct KeptSearch {
    id: String,
    cond: Value,
    last_serial: u32,
}

/// A terminal keeps few result sets.
const SEARCHES_KEPT: usize = 8;

/// Status code, text and sub-status of a refusal, with the HTTP status that comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NotSupport,
    MethodNotAllowed,
    BadXmlFormat,
    BadJsonFormat,
    BadParameters(&'static str),
    ParametersLack(&'static str),
    Busy,
    DeviceErrorInOk,
}

impl Refusal {
    fn answer(self, request: &Request, device: &Device) -> Answer {
        let (http, code, string, sub, error) = match self {
            Self::NotSupport => (403, 4, "Invalid Operation", "notSupport", 0x4000_0001_u32),
            Self::MethodNotAllowed => {
                (405, 4, "Invalid Operation", "methodNotAllowed", 0x4000_0004)
            }
            Self::BadXmlFormat => (400, 5, "Invalid XML Format", "badXmlFormat", 0x5000_0001),
            Self::BadJsonFormat => (400, 5, "Invalid Format", "badJsonFormat", 0x5000_0002),
            Self::BadParameters(_) => (400, 6, "Invalid Content", "badParameters", 0x6000_0001),
            Self::ParametersLack(_) => (
                400,
                6,
                "Invalid Content",
                "MessageParametersLack",
                0x6000_0019,
            ),
            Self::Busy => (503, 2, "Device Busy", "deviceBusy", 0x2000_0004),
            Self::DeviceErrorInOk => (200, 3, "Device Error", "deviceError", 0x3000_0001),
        };
        let message = match self {
            Self::BadParameters(field) | Self::ParametersLack(field) => field,
            _ => sub,
        };
        if request.wants_json() && !device.refuses_in_xml {
            let body = Json::Object(vec![
                ("requestURL", Json::text(&request.target)),
                ("statusCode", Json::Int(code)),
                ("statusString", string.into()),
                ("subStatusCode", sub.into()),
                ("errorCode", error.into()),
                ("errorMsg", message.into()),
            ]);
            return Answer::new(http, JSON, body.print(Quirks::default()));
        }
        let namespace = &device.namespace;
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ResponseStatus version=\"2.0\" xmlns=\"{namespace}\">\n\
             <requestURL>{}</requestURL>\n<statusCode>{code}</statusCode>\n<statusString>{string}</statusString>\n\
             <subStatusCode>{sub}</subStatusCode>\n</ResponseStatus>\n",
            escape(&request.target)
        );
        Answer::new(http, XML, body)
    }
}

impl Device {
    /// Answers a request that is signed in.
    pub(super) fn answer(&mut self, request: &Request, faults: &[Fault]) -> Answer {
        let answer = match request.path() {
            "/ISAPI/System/deviceInfo" => get(request, || self.device_info(faults)),
            "/ISAPI/System/time" => get(request, || self.time()),
            "/ISAPI/System/capabilities" => get(request, || self.system_capabilities()),
            "/ISAPI/Security/userCheck" => get(request, user_check),
            "/ISAPI/AccessControl/capabilities" => get(request, || self.capabilities()),
            "/ISAPI/AccessControl/AcsEvent/capabilities" => {
                get_json(request, || self.event_capabilities(), faults)
            }
            "/ISAPI/AccessControl/AcsEvent" => post(request, "AcsEventCond", faults, |cond| {
                self.event_search(cond, faults)
            }),
            "/ISAPI/AccessControl/AcsEventTotalNum" => {
                post(request, "AcsEventTotalNumCond", faults, |cond| {
                    self.event_total(cond)
                })
            }
            "/ISAPI/AccessControl/UserInfo/Count" => {
                get_json(request, || self.user_count(), faults)
            }
            "/ISAPI/AccessControl/UserInfo/Search" => {
                post(request, "UserInfoSearchCond", faults, |cond| {
                    self.user_search(cond, faults)
                })
            }
            "/ISAPI/AccessControl/CardInfo/Count" => {
                get_json(request, || self.card_count(), faults)
            }
            "/ISAPI/AccessControl/CardInfo/Search" => {
                post(request, "CardInfoSearchCond", faults, |cond| {
                    self.card_search(cond, faults)
                })
            }
            path if !path.starts_with("/ISAPI/") => {
                let page = "<html><head><title>Document Error: Not Found</title></head></html>\n";
                return Answer::new(404, "text/html", page);
            }
            _ => Err(Refusal::NotSupport),
        };
        answer.unwrap_or_else(|refusal| self.refuse(refusal, request))
    }

    pub(super) fn refuse(&self, refusal: Refusal, request: &Request) -> Answer {
        refusal.answer(request, self)
    }

    /// Adds an event as the terminal sees it now, in its own zone.
    pub(super) fn append(&mut self, event: Event) -> u32 {
        let zone = (self.clock)().time_zone().clone();
        self.log.append(event, &zone)
    }

    fn xml(&self, root: &str, inner: &str) -> Answer {
        let namespace = &self.namespace;
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} version=\"2.0\" xmlns=\"{namespace}\">\n{inner}</{root}>\n"
        );
        Answer::new(200, XML, body)
    }

    fn device_info(&self, faults: &[Fault]) -> Answer {
        let mut serial_number = self.serial_number.clone();
        if faults.contains(&Fault::WrongSerial) {
            serial_number.truncate(serial_number.len().saturating_sub(9));
            serial_number.push_str("ZZ0000001");
        }
        let fields = [
            ("deviceName", self.device_name.as_str()),
            ("deviceID", "255"),
            ("model", &self.model),
            ("serialNumber", &serial_number),
            ("macAddress", &self.mac),
            ("firmwareVersion", &self.firmware),
            ("firmwareReleasedDate", "build 250307"),
            ("encoderVersion", "V2.8"),
            ("encoderReleasedDate", "build 240101"),
            ("deviceType", "ACS"),
            ("subDeviceType", "accessControlTerminal"),
            ("telecontrolID", "255"),
            ("localZoneNum", "2"),
            ("alarmOutNum", "0"),
            ("relayNum", "0"),
            ("electroLockNum", "1"),
            ("RS485Num", "1"),
            ("manufacturer", "hikvision"),
            ("OEMCode", "1"),
        ];
        self.xml("DeviceInfo", &elements(&fields))
    }

    fn time(&self) -> Answer {
        let now = (self.clock)();
        let wall = now.strftime("%Y-%m-%dT%H:%M:%S");
        let local = match self.time_notation {
            TimeNotation::Bare => wall.to_string(),
            TimeNotation::Offset | TimeNotation::WallMarkedUtc => {
                format!("{wall}{}", iso_offset(now.offset()))
            }
        };
        let fields = [
            ("timeMode", "NTP"),
            ("localTime", &local),
            ("timeZone", &self.zone_notation.write(&now)),
        ];
        self.xml("Time", &elements(&fields))
    }

    /// A node that is missing means "not supported".
    fn system_capabilities(&self) -> Answer {
        self.xml("DeviceCap", "")
    }

    fn capabilities(&self) -> Answer {
        let supported = [
            ("isSupportAcsEvent", "true"),
            ("isSupportAcsEventTotalNum", "true"),
            ("isSupportUserInfo", "true"),
            ("isSupportCardInfo", "true"),
        ];
        let inner = elements(&supported)
            + "<EmployeeNoInfo>\n<employeeNo min=\"1\" max=\"32\"></employeeNo>\n<characterType opt=\"any\"></characterType>\n</EmployeeNoInfo>\n";
        self.xml("AccessControl", &inner)
    }

    fn event_capabilities(&self) -> Json {
        let range =
            |min: usize, max: usize| Json::Object(vec![("@min", min.into()), ("@max", max.into())]);
        let options = |text: &str| Json::Object(vec![("@opt", text.into())]);
        let mut cond = vec![
            ("searchID", range(1, 64)),
            ("searchResultPosition", range(0, self.log.capacity)),
            ("maxResults", range(1, self.announced_page_cap)),
            ("major", options("0,1,2,3,5")),
            (
                "minorEvent",
                options("1,21,22,23,24,25,26,38,39,49,75,76,80,104"),
            ),
            ("cardNo", range(1, 20)),
            ("name", range(1, 128)),
            ("picEnable", "true,false".into()),
        ];
        if !self.ignores_serials {
            cond.push(("beginSerialNo", range(1, 3_000_000_000)));
            cond.push(("endSerialNo", range(1, 3_000_000_000)));
        }
        cond.push(("employeeNoString", range(1, 32)));
        cond.push(("timeReverseOrder", "true".into()));
        let mut list = vec![("maxSize", self.announced_page_cap.into())];
        if self.attendance_mode {
            let statuses = "undefined,checkIn,checkOut,breakOut,breakIn,overtimeIn,overtimeOut";
            list.push(("attendanceStatus", options(statuses)));
            list.push(("label", range(0, 64)));
            list.push(("statusValue", range(0, 255)));
        }
        let event = vec![
            ("AcsEventCond", Json::Object(cond)),
            ("InfoList", Json::Object(list)),
        ];
        Json::Object(vec![("AcsEvent", Json::Object(event))])
    }

    fn event_search(&mut self, cond: &Value, faults: &[Fault]) -> Result<Json, Refusal> {
        let mut page = Page::read(cond)?;
        let newest = self.log.rows.back().map_or(0, |row| row.serial_no);
        let mut filter = Filter::read(cond, self)?;
        if self.keeps_searches {
            let kept = match self.kept_searches.iter().find(|kept| kept.id == page.id) {
                Some(kept) => kept,
                None => {
                    if self.kept_searches.len() == SEARCHES_KEPT {
                        self.kept_searches.pop_front();
                    }
                    self.kept_searches.push_back(KeptSearch {
                        id: page.id.clone(),
                        cond: cond.clone(),
                        last_serial: newest,
                    });
                    &self.kept_searches[self.kept_searches.len() - 1]
                }
            };
            filter = Filter::read(&kept.cond, self)?;
            page.max_results = Page::read(&kept.cond)?.max_results;
            filter.serials.1 = filter.serials.1.min(kept.last_serial);
        }
        let repeats = faults.contains(&Fault::MoreForever);
        let position = if repeats { 0 } else { page.position };
        let size = self.page_size(page.max_results, faults);

        let mut total = 0;
        let mut list = Vec::new();
        let mut visit = |row: &Row| {
            if total >= position && list.len() < size {
                list.push(self.print_row(row, faults));
            }
            total += 1;
        };
        let rows = filter.matching(&self.log);
        if filter.newest_first {
            rows.rev().for_each(&mut visit);
        } else {
            rows.for_each(&mut visit);
        }

        let more = position + list.len() < total;
        if more && page.position == 0 {
            if faults.contains(&Fault::RowArrives) {
                let now = (self.clock)();
                let employee_no = self
                    .log
                    .users
                    .first()
                    .map_or("1", |user| &user.employee_no)
                    .to_owned();
                self.log
                    .append(Event::face(employee_no, &now), now.time_zone());
            }
            if faults.contains(&Fault::RowLost) {
                self.log.rows.pop_front();
            }
        }
        let more = more || repeats || faults.contains(&Fault::EmptyPages);
        Ok(search_result(
            "AcsEvent", "InfoList", &page.id, list, total, more, faults,
        ))
    }

    fn event_total(&self, cond: &Value) -> Result<Json, Refusal> {
        let total = Filter::read(cond, self)?.matching(&self.log).count();
        let inner = Json::Object(vec![("totalNum", total.into())]);
        Ok(Json::Object(vec![("AcsEventTotalNum", inner)]))
    }

    fn page_size(&self, asked: usize, faults: &[Fault]) -> usize {
        if faults.contains(&Fault::EmptyPages) {
            0
        } else if asked <= self.page_cap {
            asked
        } else {
            match self.over_cap {
                OverCap::Clamp => self.page_cap,
                OverCap::Empty => 0,
            }
        }
    }

    fn print_row(&self, row: &Row, faults: &[Fault]) -> Json {
        let hit = |serial: &Option<u32>| serial.is_none_or(|serial| serial == row.serial_no);
        let impossible = faults
            .iter()
            .any(|fault| matches!(fault, Fault::ImpossibleTime(serial) if hit(serial)));
        let nobody = faults
            .iter()
            .any(|fault| matches!(fault, Fault::MissingEmployeeNo(serial) if hit(serial)));
        let time = if impossible {
            format!("2026-02-30T25:61:00{}", iso_offset(row.offset))
        } else {
            self.time_notation
                .write(row.offset.to_datetime(row.instant), row.offset)
        };
        let employee_no = row.employee_no.as_deref().filter(|_| !nobody);
        let user = employee_no.and_then(|number| self.log.user(number));

        let mut fields: Vec<(&'static str, Json)> = vec![
            ("major", row.major.into()),
            ("minor", row.minor.into()),
            ("time", Json::Text(time)),
        ];
        if let Some(card_no) = &row.card_no {
            fields.push(("cardNo", Json::text(&**card_no)));
            fields.push(("cardType", 1_u16.into()));
        }
        if let Some(user) = user {
            fields.push(("name", printed_name(user, faults)));
        }
        if row.major == 5 {
            if !row.is_door() {
                fields.push(("cardReaderNo", 1_u16.into()));
            }
            fields.push(("doorNo", 1_u16.into()));
        }
        if let Some(employee_no) = employee_no {
            fields.push(("employeeNoString", employee_no.into()));
        }
        fields.push(("serialNo", row.serial_no.into()));
        if let Some(user) = user {
            fields.push(("userType", Json::text(&user.user_type)));
        }
        if row.major == 5 {
            let configured = if row.is_door() {
                "invalid"
            } else {
                self.verify_mode.as_str()
            };
            let mode = row.verify_mode.as_deref().unwrap_or(configured);
            fields.push(("currentVerifyMode", mode.into()));
            if self.attendance_mode && !row.is_door() {
                let status = row.attendance_status.as_deref().unwrap_or("undefined");
                fields.push(("attendanceStatus", status.into()));
                fields.push(("label", row.label.as_deref().unwrap_or_default().into()));
                fields.push(("statusValue", 0_u16.into()));
            }
            fields.push(("mask", if row.is_door() { "unknown" } else { "no" }.into()));
        }
        Json::Object(fields)
    }

    fn user_count(&self) -> Json {
        let count = self.log.users.len();
        let inner = vec![
            ("userNumber", count.into()),
            ("bindFaceUserNumber", count.into()),
        ];
        Json::Object(vec![("UserInfoCount", Json::Object(inner))])
    }

    fn user_search(&self, cond: &Value, faults: &[Fault]) -> Result<Json, Refusal> {
        let print = |user: &User| {
            Json::Object(vec![
                ("employeeNo", Json::text(&user.employee_no)),
                ("name", printed_name(user, faults)),
                ("userType", Json::text(&user.user_type)),
                ("closeDelayEnabled", false.into()),
                (
                    "Valid",
                    Json::Object(vec![
                        ("enable", true.into()),
                        ("beginTime", "2025-01-01T00:00:00".into()),
                        ("endTime", "2035-12-31T23:59:59".into()),
                        ("timeType", "local".into()),
                    ]),
                ),
                ("belongGroup", "".into()),
                ("password", "".into()),
                ("doorRight", "1".into()),
                (
                    "RightPlan",
                    Json::List(vec![Json::Object(vec![
                        ("doorNo", 1_u16.into()),
                        ("planTemplateNo", "1".into()),
                    ])]),
                ),
                ("userVerifyMode", "".into()),
                ("gender", "unknown".into()),
                ("numOfCard", u16::from(user.card_no.is_some()).into()),
                ("numOfFP", 0_u16.into()),
                ("numOfFace", 1_u16.into()),
            ])
        };
        self.people_search("UserInfoSearch", "UserInfo", cond, faults, |user| {
            Some(print(user))
        })
    }

    fn card_count(&self) -> Json {
        let cards = self
            .log
            .users
            .iter()
            .filter(|user| user.card_no.is_some())
            .count();
        let inner = Json::Object(vec![("cardNumber", cards.into())]);
        Json::Object(vec![("CardInfoCount", inner)])
    }

    fn card_search(&self, cond: &Value, faults: &[Fault]) -> Result<Json, Refusal> {
        self.people_search("CardInfoSearch", "CardInfo", cond, faults, |user| {
            let card_no = user.card_no.as_ref()?;
            Some(Json::Object(vec![
                ("employeeNo", Json::text(&user.employee_no)),
                ("cardNo", Json::text(card_no)),
                ("cardType", "normalCard".into()),
            ]))
        })
    }

    /// One page of what `print` makes of each person, all of them or those in `EmployeeNoList`.
    fn people_search(
        &self,
        root: &'static str,
        list_name: &'static str,
        cond: &Value,
        faults: &[Fault],
        print: impl Fn(&User) -> Option<Json>,
    ) -> Result<Json, Refusal> {
        let page = Page::read(cond)?;
        let wanted: Option<Vec<&str>> = match cond.get("EmployeeNoList") {
            None => None,
            Some(Value::Array(list)) => Some(
                list.iter()
                    .filter_map(|entry| entry.get("employeeNo")?.as_str())
                    .collect(),
            ),
            Some(_) => return Err(Refusal::BadParameters("EmployeeNoList")),
        };
        let found: Vec<Json> = self
            .log
            .users
            .iter()
            .filter(|user| {
                wanted
                    .as_ref()
                    .is_none_or(|wanted| wanted.contains(&&*user.employee_no))
            })
            .filter_map(print)
            .collect();
        let total = found.len();
        let repeats = faults.contains(&Fault::MoreForever);
        let position = if repeats { 0 } else { page.position };
        let size = self.page_size(page.max_results, faults);
        let list: Vec<Json> = found.into_iter().skip(position).take(size).collect();
        let more = position + list.len() < total || repeats || faults.contains(&Fault::EmptyPages);
        Ok(search_result(
            root, list_name, &page.id, list, total, more, faults,
        ))
    }
}

/// The three fields every search needs.
struct Page {
    id: String,
    position: usize,
    max_results: usize,
}

impl Page {
    fn read(cond: &Value) -> Result<Self, Refusal> {
        let id = text(cond, "searchID")?.ok_or(Refusal::ParametersLack("searchID"))?;
        if id.is_empty() || id.len() > 64 {
            return Err(Refusal::BadParameters("searchID"));
        }
        let needed = |key: &'static str| -> Result<usize, Refusal> {
            let number = number(cond, key)?.ok_or(Refusal::ParametersLack(key))?;
            usize::try_from(number).map_err(|_| Refusal::BadParameters(key))
        };
        let (position, max_results) = (needed("searchResultPosition")?, needed("maxResults")?);
        if max_results == 0 {
            return Err(Refusal::BadParameters("maxResults"));
        }
        Ok(Self {
            id: id.to_owned(),
            position,
            max_results,
        })
    }
}

/// Which rows a condition means. Fields the firmware does not know, such as `eventAttribute`, are ignored.
struct Filter {
    major: u64,
    minor: u64,
    /// Inclusive.
    serials: (u32, u32),
    starts: Option<Bound>,
    ends: Option<Bound>,
    by_wall: bool,
    employee_no: Option<String>,
    card_no: Option<String>,
    newest_first: bool,
}

/// One end of a time window, as an instant and as the digits that were sent.
struct Bound {
    instant: Timestamp,
    wall: civil::DateTime,
}

impl Filter {
    fn read(cond: &Value, device: &Device) -> Result<Self, Refusal> {
        let zone = (device.clock)().time_zone().clone();
        let needed = |key| number(cond, key)?.ok_or(Refusal::ParametersLack(key));
        let bound = |key| -> Result<Option<Bound>, Refusal> {
            text(cond, key)?
                .map(|text| Bound::read(text, &zone).ok_or(Refusal::BadParameters(key)))
                .transpose()
        };
        let serial = |key, default| -> Result<u32, Refusal> {
            match number(cond, key)? {
                Some(number) if number >= 1 => {
                    u32::try_from(number).map_err(|_| Refusal::BadParameters(key))
                }
                Some(_) => Err(Refusal::BadParameters(key)),
                None => Ok(default),
            }
        };
        let serials = if device.ignores_serials {
            (1, u32::MAX)
        } else {
            (
                serial("beginSerialNo", 1)?,
                serial("endSerialNo", u32::MAX)?,
            )
        };
        Ok(Self {
            major: needed("major")?,
            minor: needed("minor")?,
            serials,
            starts: bound("startTime")?,
            ends: bound("endTime")?,
            by_wall: device.time_notation != TimeNotation::Offset,
            employee_no: text(cond, "employeeNoString")?.map(str::to_owned),
            card_no: text(cond, "cardNo")?.map(str::to_owned),
            newest_first: cond.get("timeReverseOrder") == Some(&Value::Bool(true)),
        })
    }

    fn matching<'a>(&'a self, log: &'a Log) -> impl DoubleEndedIterator<Item = &'a Row> + 'a {
        let (first, last) = self.serials;
        let begin = log.rows.partition_point(|row| row.serial_no < first);
        let end = log.rows.partition_point(|row| row.serial_no <= last);
        log.rows
            .range(begin..end.max(begin))
            .filter(|row| self.matches(row))
    }

    fn matches(&self, row: &Row) -> bool {
        let in_window = if self.by_wall {
            let wall = row.offset.to_datetime(row.instant);
            self.starts.as_ref().is_none_or(|bound| wall >= bound.wall)
                && self.ends.as_ref().is_none_or(|bound| wall <= bound.wall)
        } else {
            self.starts
                .as_ref()
                .is_none_or(|bound| row.instant >= bound.instant)
                && self
                    .ends
                    .as_ref()
                    .is_none_or(|bound| row.instant <= bound.instant)
        };
        in_window
            && (self.major == 0 || self.major == u64::from(row.major))
            && (self.minor == 0 || self.minor == u64::from(row.minor))
            && (self.employee_no.is_none()
                || self.employee_no.as_deref() == row.employee_no.as_deref())
            && (self.card_no.is_none() || self.card_no.as_deref() == row.card_no.as_deref())
    }
}

impl Bound {
    /// `2026-09-01T17:27:53` with `Z`, an offset, or nothing for the terminal's own zone.
    fn read(text: &str, zone: &TimeZone) -> Option<Self> {
        let wall: civil::DateTime = text.get(..19)?.parse().ok()?;
        let instant = match text.get(19..)? {
            "" => zone.to_ambiguous_zoned(wall).compatible().ok()?.timestamp(),
            _ => text.parse().ok()?,
        };
        Some(Self { instant, wall })
    }
}

fn get(request: &Request, answer: impl FnOnce() -> Answer) -> Result<Answer, Refusal> {
    match request.method.as_str() {
        "GET" => Ok(answer()),
        _ => Err(Refusal::MethodNotAllowed),
    }
}

fn get_json(
    request: &Request,
    body: impl FnOnce() -> Json,
    faults: &[Fault],
) -> Result<Answer, Refusal> {
    if !request.wants_json() {
        return Err(Refusal::NotSupport);
    }
    get(request, || json_answer(&body(), faults))
}

/// A JSON body whose one key is `root`; its value is handed on.
fn post(
    request: &Request,
    root: &str,
    faults: &[Fault],
    answer: impl FnOnce(&Value) -> Result<Json, Refusal>,
) -> Result<Answer, Refusal> {
    if request.method != "POST" {
        return Err(Refusal::MethodNotAllowed);
    }
    if !request.wants_json() {
        return Err(Refusal::BadXmlFormat);
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|_| Refusal::BadJsonFormat)?;
    let cond = body.get(root).ok_or(Refusal::ParametersLack("condition"))?;
    answer(cond).map(|json| json_answer(&json, faults))
}

fn json_answer(json: &Json, faults: &[Fault]) -> Answer {
    let quirks = Quirks {
        string_numbers: faults.contains(&Fault::StringNumbers),
        bare_object: faults.contains(&Fault::BareObject),
    };
    Answer::new(200, JSON, json.print(quirks))
}

fn search_result(
    root: &'static str,
    list_name: &'static str,
    id: &str,
    list: Vec<Json>,
    total: usize,
    more: bool,
    faults: &[Fault],
) -> Json {
    let more = more && (list.is_empty() || !faults.contains(&Fault::OkEarly));
    let status = match (more, list.is_empty()) {
        (true, _) => "MORE",
        (false, true) => "NO MATCH",
        (false, false) => "OK",
    };
    let total = total + usize::from(faults.contains(&Fault::HighTotal));
    let mut fields = vec![("searchID", id.into()), ("totalMatches", total.into())];
    if !faults.contains(&Fault::NoStatus) {
        fields.push(("responseStatusStrg", status.into()));
    }
    fields.push(("numOfMatches", list.len().into()));
    // An empty result has no list at all.
    if !list.is_empty() {
        fields.push((list_name, Json::List(list)));
    }
    Json::Object(vec![(root, Json::Object(fields))])
}

fn user_check() -> Answer {
    Answer::new(
        200,
        XML,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<userCheck>\n<statusValue>200</statusValue>\n<statusString>OK</statusString>\n</userCheck>\n",
    )
}

/// A name, or one that was cut in the middle of a letter and carries a stray byte.
fn printed_name(user: &User, faults: &[Fault]) -> Json {
    let spoiled = faults.iter().any(|fault| {
        matches!(fault, Fault::InvalidUtf8Name(who)
            if who.as_ref().is_none_or(|who| *who == user.employee_no))
    });
    if !spoiled {
        return Json::text(&user.name);
    }
    let mut bytes = user.name.clone().into_bytes();
    bytes.extend_from_slice(b"\xff\xd8");
    Json::Bytes(bytes)
}

/// An absent field is `None`; numbers sent as text are refused, terminals are strict about what they are asked.
fn number(cond: &Value, key: &'static str) -> Result<Option<u64>, Refusal> {
    match cond.get(key) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or(Refusal::BadParameters(key)),
    }
}

fn text<'a>(cond: &'a Value, key: &'static str) -> Result<Option<&'a str>, Refusal> {
    match cond.get(key) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(Refusal::BadParameters(key)),
    }
}

fn elements(fields: &[(&str, &str)]) -> String {
    fields
        .iter()
        .map(|(name, text)| format!("<{name}>{}</{name}>\n", escape(text)))
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
