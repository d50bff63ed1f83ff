//! Hikvision access terminals over ISAPI: bodies and headers to values and back. No I/O, no clock.
//!
//! Owns the shapes of requests and answers, the event codes, and the policy of HTTP digest (which challenge, which nonce, when a
//! password counts as refused). Sockets, paging and deadlines belong to the driver. Sources: docs/devices/hikvision.md.

mod auth;
mod body;
mod capabilities;
mod card_owner;
mod cards;
mod codes;
mod deletion;
mod device;
mod door;
mod envelope;
mod events;
mod faces;
mod hosts;
mod multipart;
mod notification;
mod numbers;
mod people;
mod person;
mod request;
pub mod sadp;
mod search;
mod status;
mod time;

pub use auth::{Algorithm, Challenge, Challenged, DigestSession, Login, Offers, Sent};
pub use body::DecodeError;
pub use capabilities::{AccessCapabilities, EventCapabilities, SystemCapabilities};
pub use card_owner::{decode_card_owner, encode_card_owner_search};
pub use cards::{Card, CardPage, decode_card_page};
pub use codes::{EventClass, Means, classify};
pub use deletion::{
    DeleteProgress, delete_cards, delete_faces, delete_people, delete_people_with_all,
};
pub use device::{DeviceInfo, is_activated, serial_matches};
pub use door::{DoorCommand, DoorState, reboot};
pub use envelope::Envelope;
pub use events::{
    AccessEvent, AttendanceStatus, EventPage, EventRow, EventSearch, EventTotal, Says,
    decode_event_page, decode_event_total,
};
pub use faces::{FacePicture, FaceUpload, PictureError, decode_has_face, encode_face_search};
pub use hosts::{
    CallHost, EventFormat, HostCapabilities, HostSlot, LONGEST_URL, SlotDifference, decode_hosts,
    encode_free_host,
};
pub use multipart::{Content, MOST_OF_PART, Part, PartSplitter, Piece};
pub use notification::{Notification, Subscription, Told, decode_listeners};
pub use numbers::{CardNo, EmployeeNo, NonEmpty};
pub use people::{PeoplePage, Person, decode_people_count, decode_people_page};
pub use person::{Difference, PersonRecord, Validity};
pub use request::{Method, Request};
pub use search::{ListSearch, Row, SearchState};
pub use status::{Condition, LoginState, Refusal, ResponseStatus};
pub use time::{DeviceTime, EventTime, TimeError};

/// The paths that are only read, as they go on the request line. Those of changes come with their [`Request`].
pub mod paths {
    pub const DEVICE_INFO: &str = "/ISAPI/System/deviceInfo";
    pub const SYSTEM_CAPABILITIES: &str = "/ISAPI/System/capabilities";
    pub const ACCESS_CAPABILITIES: &str = "/ISAPI/AccessControl/capabilities";
    pub const TIME: &str = "/ISAPI/System/time";
    pub const EVENT_CAPABILITIES: &str = "/ISAPI/AccessControl/AcsEvent/capabilities?format=json";
    pub const EVENT_TOTAL: &str = "/ISAPI/AccessControl/AcsEventTotalNum?format=json";
    pub const EVENTS: &str = "/ISAPI/AccessControl/AcsEvent?format=json";
    /// The slot that does not send the stored events again.
    pub const STREAM: &str = "/ISAPI/Event/notification/alertStream?deployID=1";
    /// For firmware that knows no slots.
    pub const PLAIN_STREAM: &str = "/ISAPI/Event/notification/alertStream";
    pub const ARMED: &str = "/ISAPI/AccessControl/DeployInfo";
    pub const CARDS: &str = "/ISAPI/AccessControl/CardInfo/Search?format=json";
    pub const PEOPLE_COUNT: &str = "/ISAPI/AccessControl/UserInfo/Count?format=json";
    pub const HTTP_HOSTS: &str = "/ISAPI/Event/notification/httpHosts";
    pub const HTTP_HOST_CAPABILITIES: &str = "/ISAPI/Event/notification/httpHosts/capabilities";
    /// Needs no sign-in.
    pub const ACTIVATE_STATUS: &str = "/SDK/activateStatus";
    pub const PEOPLE: &str = "/ISAPI/AccessControl/UserInfo/Search?format=json";
    pub const FACES: &str = "/ISAPI/Intelligent/FDLib/FDSearch?format=json";
    pub const DELETE_PROGRESS: &str =
        "/ISAPI/AccessControl/UserInfoDetail/DeleteProcess?format=json";
    pub const WORK_STATUS: &str = "/ISAPI/AccessControl/AcsWorkStatus?format=json";
}
