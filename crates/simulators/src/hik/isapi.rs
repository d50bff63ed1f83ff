//! The paths a terminal answers once a request is signed in.
//!
//! Reading only: device information, clock, capabilities, the event log, people and cards. Bodies follow the
//! vendor's 2020 "Access Control on Person" guide and captures of DS-K1T342MWX, DS-K1T342MFX and DS-K1T341AMF.

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde_json::Value;

use super::clock::{Clock, TimeNotation, ZoneNotation};
use super::door::DOORS;
use super::faces::ENROLLED;
use super::fault::Fault;
use super::hosts::{HOSTS, Slot};
use super::http::{Answer, JSON, Request, XML};
use super::json::{Json, Quirks};
use super::log::{Event, Log};
use super::notice::{PICTURES, Pictures, jpeg};
use super::people::Deletion;
use super::push::Push;
use super::refusal::{self, Refusal};
use super::rights::is_change;
use super::sadp::Sadp;
use super::search::KeptSearch;
use super::stream::{self, Armed, Deploy, Stream, Subscriptions};
use super::tls::Certificate;
use super::xml::elements;

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
    /// Where it listens.
    pub(super) addr: SocketAddr,
    pub(super) certificate: Option<Certificate>,
    pub(super) pictures: Pictures,
    pub(super) stream: Stream,
    /// Who listens to streams.
    pub(super) armed: Vec<Armed>,
    pub(super) armed_ever: u32,
    pub(super) time_mode: String,
    pub(super) push: Push,
    pub(super) slots: Vec<Slot>,
    pub(super) push_runs: bool,
    pub(super) sadp: Option<Sadp>,
    /// Not so on a terminal that has to be told again after it started.
    pub(super) pushes: bool,
    pub(super) people_capacity: usize,
    /// Takes employee numbers of digits only.
    pub(super) digits_only: bool,
    pub(super) deletion: Option<Deletion>,
    /// What the door was told, oldest first.
    pub(super) door_commands: Vec<String>,
}

impl Device {
    /// Answers a request that is signed in.
    pub(super) fn answer(&mut self, request: &Request, faults: &[Fault]) -> Answer {
        if faults.contains(&Fault::WriteIgnored) && is_change(request) {
            return refusal::done(request, self);
        }
        let answer = match request.path() {
            "/ISAPI/System/deviceInfo" => get(request, || self.device_info(faults)),
            "/ISAPI/System/time" if request.method == "PUT" => self.set_time(request, faults),
            "/ISAPI/System/time" => get(request, || self.time()),
            "/ISAPI/System/time/timeZone" => get(request, || self.time_zone()),
            "/ISAPI/System/time/capabilities" => get(request, || self.time_capabilities()),
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
            "/ISAPI/AccessControl/UserInfo/capabilities" => {
                get_json(request, || self.user_capabilities(faults), faults)
            }
            "/ISAPI/AccessControl/UserInfo/Record" => self.record_user(request, faults),
            "/ISAPI/AccessControl/UserInfo/Modify" => self.modify_user(request, faults),
            "/ISAPI/AccessControl/UserInfo/SetUp" => self.set_up_user(request, faults),
            "/ISAPI/AccessControl/UserInfo/Delete" => self.delete_users(request),
            "/ISAPI/AccessControl/UserInfoDetail/Delete" => self.delete_details(request, faults),
            "/ISAPI/AccessControl/UserInfoDetail/DeleteProcess" => {
                get_json(request, || self.delete_process(), faults)
            }
            "/ISAPI/AccessControl/CardInfo/Record" => self.record_card(request, faults),
            "/ISAPI/AccessControl/CardInfo/Modify" => self.modify_card(request, faults),
            "/ISAPI/AccessControl/CardInfo/SetUp" => self.set_up_card(request, faults),
            "/ISAPI/AccessControl/CardInfo/Delete" => self.delete_cards(request),
            "/ISAPI/Intelligent/FDLib/FaceDataRecord" => self.record_face(request, faults),
            "/ISAPI/Intelligent/FDLib/FDSetUp" => self.set_up_face(request, faults),
            "/ISAPI/Intelligent/FDLib/FDSearch" => {
                let cond = body(request, "POST");
                let found = cond.and_then(|cond| self.search_faces(&cond));
                found.map(|json| json_answer(&json, faults))
            }
            "/ISAPI/Intelligent/FDLib/FDSearch/Delete" => self.delete_faces(request),
            path if path.starts_with(ENROLLED) => get(request, || self.enrolled_picture(path)),
            "/ISAPI/AccessControl/CardInfo/Count" => {
                get_json(request, || self.card_count(), faults)
            }
            "/ISAPI/AccessControl/CardInfo/Search" => {
                post(request, "CardInfoSearchCond", faults, |cond| {
                    self.card_search(cond, faults)
                })
            }
            "/ISAPI/AccessControl/AcsWorkStatus" => {
                get_json(request, || self.work_status(), faults)
            }
            path if path.starts_with(DOORS) => {
                command(request, "PUT", self, |device| device.control_door(request))
            }
            "/ISAPI/AccessControl/DeployInfo" => get(request, || self.deploy_info()),
            "/ISAPI/Event/notification/subscribeEventCap"
                if self.stream.subscriptions != Subscriptions::None =>
            {
                get(request, || self.subscription_capabilities())
            }
            path if path.starts_with(HOSTS) => self.http_hosts(request, faults),
            stream::UNSUBSCRIBE => {
                command(request, "PUT", self, |device| device.unsubscribe(request))
            }
            path if path.starts_with(PICTURES) => get(request, || picture(path)),
            path if !path.starts_with("/ISAPI/") => {
                let page = "<html><head><title>Document Error: Not Found</title></head></html>\n";
                return Answer::new(404, "text/html", page);
            }
            _ => Err(Refusal::NOT_SUPPORT),
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

    pub(super) fn xml(&self, root: &str, inner: &str) -> Answer {
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

    /// What everybody is told, without signing in.
    pub(super) fn activation(&self, is_active: bool) -> Answer {
        let inner = elements(&[("Activated", if is_active { "true" } else { "false" })]);
        self.xml("ActivateStatus", &inner)
    }

    /// A node that is missing means "not supported".
    fn system_capabilities(&self) -> Answer {
        let inner = match self.stream.subscriptions {
            Subscriptions::None => "",
            _ => "<isSupportSubscribeEvent>true</isSupportSubscribeEvent>\n",
        };
        self.xml("DeviceCap", inner)
    }

    fn capabilities(&self) -> Answer {
        let supported = [
            ("isSupportAcsEvent", "true"),
            ("isSupportAcsEventTotalNum", "true"),
            ("isSupportUserInfo", "true"),
            ("isSupportUserInfoDetailDelete", "true"),
            ("isSupportCardInfo", "true"),
            ("isSupportFDLib", "true"),
            ("isSupportRemoteControlDoor", "true"),
            ("isSupportDeployInfo", "true"),
        ];
        let inner = elements(&supported)
            + "<EmployeeNoInfo>\n<employeeNo min=\"1\" max=\"32\"></employeeNo>\n<characterType opt=\"CHARACTERS\"></characterType>\n</EmployeeNoInfo>\n";
        let characters = if self.digits_only { "digit" } else { "any" };
        let inner = inner.replace("CHARACTERS", characters);
        self.xml("AccessControl", &inner)
    }

    /// Who listens to streams: `deployType` 0 has history, 1 has none.
    fn deploy_info(&self) -> Answer {
        let list: String = (1..)
            .zip(&self.armed)
            .map(|(number, armed): (u32, _)| {
                let kind = match armed.deploy {
                    Deploy::Client => "0",
                    Deploy::Live => "1",
                };
                let (number, peer) = (number.to_string(), armed.peer.to_string());
                let fields = [
                    ("deployNo", number.as_str()),
                    ("deployType", kind),
                    ("ipAddr", &peer),
                ];
                format!("<Content>\n{}</Content>\n", elements(&fields))
            })
            .collect();
        self.xml(
            "DeployInfo",
            &format!("<DeployList>\n{list}</DeployList>\n"),
        )
    }

    fn subscription_capabilities(&self) -> Answer {
        self.xml(
            "SubscribeEventCap",
            "<heartbeat min=\"1\" max=\"180\" def=\"30\"/>\n<eventMode opt=\"all,list\"/>\n",
        )
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
}

pub(super) fn get(request: &Request, answer: impl FnOnce() -> Answer) -> Result<Answer, Refusal> {
    match request.method.as_str() {
        "GET" => Ok(answer()),
        _ => Err(Refusal::METHOD_NOT_ALLOWED),
    }
}

pub(super) fn get_json(
    request: &Request,
    body: impl FnOnce() -> Json,
    faults: &[Fault],
) -> Result<Answer, Refusal> {
    if !request.wants_json() {
        return Err(Refusal::NOT_SUPPORT);
    }
    get(request, || json_answer(&body(), faults))
}

/// Does something and says that it is done.
pub(super) fn command(
    request: &Request,
    method: &str,
    device: &mut Device,
    change: impl FnOnce(&mut Device) -> Result<(), Refusal>,
) -> Result<Answer, Refusal> {
    if request.method != method {
        return Err(Refusal::METHOD_NOT_ALLOWED);
    }
    change(device).map(|()| refusal::done(request, device))
}

/// The picture of an event, always the same for the same path.
fn picture(path: &str) -> Answer {
    let serial_no = path
        .rsplit('_')
        .nth(1)
        .and_then(|number| number.parse().ok());
    Answer::new(200, "image/jpeg", jpeg(serial_no.unwrap_or(0), 4096))
}

fn body(request: &Request, method: &str) -> Result<Value, Refusal> {
    if request.method != method {
        return Err(Refusal::METHOD_NOT_ALLOWED);
    }
    if !request.wants_json() {
        return Err(Refusal::BAD_XML_FORMAT);
    }
    serde_json::from_slice(&request.body).map_err(|_| Refusal::BAD_JSON_FORMAT)
}

/// What stands under `root` in the body of a command.
pub(super) fn body_of(request: &Request, root: &'static str) -> Result<Value, Refusal> {
    let mut body = body(request, &request.method)?;
    let inner = body.get_mut(root).ok_or(Refusal::lacks(root))?;
    Ok(inner.take())
}

/// A JSON body whose one key is `root`; its value is handed on.
pub(super) fn post(
    request: &Request,
    root: &str,
    faults: &[Fault],
    answer: impl FnOnce(&Value) -> Result<Json, Refusal>,
) -> Result<Answer, Refusal> {
    let body = body(request, "POST")?;
    let cond = body.get(root).ok_or(Refusal::lacks("condition"))?;
    answer(cond).map(|json| json_answer(&json, faults))
}

pub(super) fn json_answer(json: &Json, faults: &[Fault]) -> Answer {
    Answer::new(200, JSON, json.print(Quirks::of(faults)))
}

fn user_check() -> Answer {
    Answer::new(
        200,
        XML,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<userCheck>\n<statusValue>200</statusValue>\n<statusString>OK</statusString>\n</userCheck>\n",
    )
}
