//! What a terminal says when it does not do what it was asked, in JSON or XML.

use super::http::{Answer, JSON, Request, XML};
use super::isapi::Device;
use super::json::{Json, Quirks};
use super::xml::escape;

/// Status code, sub-status and error number of a refusal, with the HTTP status that comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    http: u16,
    code: u32,
    sub: &'static str,
    error: u32,
    /// `errorMsg`, where it says more than the sub-status.
    field: Option<&'static str>,
}

impl Refusal {
    pub(super) const BUSY: Self = Self::new(503, 2, "deviceBusy", 0x2000_0004);
    pub(super) const DEVICE_ERROR_IN_OK: Self = Self::new(200, 3, "deviceError", 0x3000_0001);
    pub(super) const NOT_SUPPORT: Self = Self::new(403, 4, "notSupport", 0x4000_0001);
    pub(super) const METHOD_NOT_ALLOWED: Self = Self::new(405, 4, "methodNotAllowed", 0x4000_0004);
    pub(super) const LOW_PRIVILEGE: Self = Self::new(403, 4, "lowPrivilege", 0x4000_0002);
    pub(super) const INVALID_OPERATION: Self = Self::new(403, 4, "invalidOperation", 0x4000_0006);
    pub(super) const NOT_ACTIVATED: Self = Self::new(403, 4, "notActivated", 0x4000_0007);
    pub(super) const BAD_XML_FORMAT: Self = Self::new(400, 5, "badXmlFormat", 0x5000_0001);
    pub(super) const BAD_JSON_FORMAT: Self = Self::new(400, 5, "badJsonFormat", 0x5000_0002);
    pub(super) const PICTURE_TOO_LARGE: Self =
        Self::new(400, 3, "pictureSizeExceedLimit", 0x3000_000c);
    pub(super) const EMPLOYEE_MISSING: Self = Self::new(400, 6, "employeeNoNotExist", 0x6000_601f);
    pub(super) const EMPLOYEE_EXISTS: Self =
        Self::new(400, 6, "employeeNoAlreadyExist", 0x6000_6020);
    pub(super) const CARD_EXISTS: Self = Self::new(400, 6, "cardNoAlreadyExist", 0x6000_6033);
    pub(super) const ILLEGAL_EMPLOYEE_NO: Self =
        Self::new(400, 6, "illegalEmployeeNo", 0x6000_6036);
    pub(super) const PEOPLE_FULL: Self = Self::new(400, 6, "deviceUserFull", 0x6000_7000);
    pub(super) const FACES_FULL: Self = Self::new(400, 6, "deviceFaceFull", 0x6000_7001);
    pub(super) const USER_MISSING: Self = Self::new(400, 6, "deviceUserNotExist", 0x6000_7003);
    pub(super) const FACE_EXISTS: Self =
        Self::new(400, 6, "deviceUserAlreadyExistFace", 0x6000_7004);
    // The manuals name these two without their numbers.
    pub(super) const NO_FACE: Self = Self::new(400, 6, "SubpicAnalysisModelingError", 0);
    pub(super) const FACE_SCORE: Self = Self::new(400, 6, "faceScoreFailure", 0);
    pub(super) const BAD_XML_CONTENT: Self = Self::new(400, 6, "badXmlContent", 0x6000_0003);
    pub(super) const DEPLOY_EXCEED_MAX: Self = Self::new(403, 6, "deployExceedMax", 0x6000_6018);

    const fn new(http: u16, code: u32, sub: &'static str, error: u32) -> Self {
        Self {
            http,
            code,
            sub,
            error,
            field: None,
        }
    }

    pub(super) const fn bad_parameters(field: &'static str) -> Self {
        Self {
            field: Some(field),
            ..Self::new(400, 6, "badParameters", 0x6000_0001)
        }
    }

    pub(super) const fn lacks(field: &'static str) -> Self {
        Self {
            field: Some(field),
            ..Self::new(400, 6, "MessageParametersLack", 0x6000_0019)
        }
    }

    /// The same refusal with another HTTP status.
    pub(super) const fn with_http(self, http: u16) -> Self {
        Self { http, ..self }
    }

    fn status_string(self) -> &'static str {
        match (self.code, self.sub) {
            (1, _) => "OK",
            (2, _) => "Device Busy",
            (3, _) => "Device Error",
            (4, _) => "Invalid Operation",
            (5, "badXmlFormat") => "Invalid XML Format",
            (5, _) => "Invalid Format",
            (6, _) => "Invalid Content",
            _ => "Reboot Required",
        }
    }

    pub(super) fn answer(self, request: &Request, device: &Device) -> Answer {
        let Self {
            http,
            code,
            sub,
            error,
            field,
        } = self;
        let string = self.status_string();
        if request.wants_json() && !device.refuses_in_xml {
            let mut fields = vec![
                ("requestURL", Json::text(&request.target)),
                ("statusCode", code.into()),
                ("statusString", string.into()),
                ("subStatusCode", sub.into()),
            ];
            if code != 1 {
                if error != 0 {
                    fields.push(("errorCode", error.into()));
                }
                fields.push(("errorMsg", field.unwrap_or(sub).into()));
            }
            return Answer::new(http, JSON, Json::Object(fields).print(Quirks::default()));
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

/// "It is done", in the form a refusal would have.
pub(super) fn done(request: &Request, device: &Device) -> Answer {
    Refusal::new(200, 1, "ok", 1).answer(request, device)
}
