//! Pictures of faces, in the library for visible light.

use std::sync::Arc;

use serde_json::Value;

use super::fault::Fault;
use super::http::{Answer, Request};
use super::isapi::{Device, command};
use super::json::Json;
use super::people::listed;
use super::refusal::Refusal;

/// The largest picture a terminal takes.
const MAX_PICTURE: usize = 200 * 1024;

/// Where enrolled pictures lie, by employee number.
pub(super) const ENROLLED: &str = "/LOCALS/pic/enrlFace/0/";

impl Device {
    pub(super) fn record_face(
        &mut self,
        request: &Request,
        faults: &[Fault],
    ) -> Result<Answer, Refusal> {
        command(request, "POST", self, |device| {
            device.add_face(request, faults, false)
        })
    }

    /// Enrols a face or replaces it.
    pub(super) fn set_up_face(
        &mut self,
        request: &Request,
        faults: &[Fault],
    ) -> Result<Answer, Refusal> {
        if faults.contains(&Fault::NoSetUp) {
            return Err(Refusal::NOT_SUPPORT);
        }
        command(request, "PUT", self, |device| {
            device.add_face(request, faults, true)
        })
    }

    fn add_face(
        &mut self,
        request: &Request,
        faults: &[Fault],
        may_replace: bool,
    ) -> Result<(), Refusal> {
        let parts = parts(request).ok_or(Refusal::BAD_JSON_FORMAT)?;
        let [(_, about), rest @ ..] = parts.as_slice() else {
            return Err(Refusal::lacks("FaceDataRecord"));
        };
        let about: Value = serde_json::from_slice(about).map_err(|_| Refusal::BAD_JSON_FORMAT)?;
        let number = library_of(&about)?.ok_or(Refusal::lacks("FPID"))?;
        let picture = rest.iter().find(|(head, _)| head.contains("image/jpeg"));
        let (_, picture) = picture.ok_or(Refusal::lacks("FaceImage"))?;
        if picture.len() > MAX_PICTURE {
            return Err(Refusal::PICTURE_TOO_LARGE);
        }
        if !picture.starts_with(b"\xff\xd8\xff") {
            return Err(Refusal::NO_FACE);
        }
        if faults.contains(&Fault::FaceScore) {
            return Err(Refusal::FACE_SCORE);
        }
        let mut user = self
            .log
            .user(&number)
            .cloned()
            .ok_or(Refusal::USER_MISSING)?;
        if user.face.is_some() && !may_replace {
            return Err(Refusal::FACE_EXISTS);
        }
        let faces = self.log.users.iter().filter(|user| user.face.is_some());
        let is_full = faces.count() >= self.people_capacity || faults.contains(&Fault::Full);
        if user.face.is_none() && is_full {
            return Err(Refusal::FACES_FULL);
        }
        user.face = Some(Arc::from(*picture));
        self.log.put_user(user);
        Ok(())
    }

    pub(super) fn search_faces(&self, cond: &Value) -> Result<Json, Refusal> {
        let number = |name: &'static str| {
            let number = cond.get(name).and_then(Value::as_u64);
            number.ok_or(Refusal::lacks(name))
        };
        let position = number("searchResultPosition")? as usize;
        let size = (number("maxResults")? as usize).min(self.page_cap);
        let wanted = library_of(cond)?;
        let found: Vec<Json> = self
            .log
            .users
            .iter()
            .filter(|user| user.face.is_some())
            .filter(|user| {
                wanted
                    .as_ref()
                    .is_none_or(|wanted| *wanted == user.employee_no)
            })
            .map(|user| {
                let number = &user.employee_no;
                let url = format!("{}{ENROLLED}{number}.jpg@WEB000000000012", self.base_url());
                Json::Object(vec![
                    ("FPID", Json::text(number)),
                    ("faceURL", Json::Text(url)),
                ])
            })
            .collect();
        let total = found.len();
        let list: Vec<Json> = found.into_iter().skip(position).take(size).collect();
        let status = match (list.is_empty(), position + list.len() < total) {
            (true, _) => "NO MATCHES",
            (false, true) => "MORE",
            (false, false) => "OK",
        };
        let mut fields = vec![
            ("statusCode", 1_u16.into()),
            ("statusString", "OK".into()),
            ("subStatusCode", "ok".into()),
            ("responseStatusStrg", status.into()),
            ("numOfMatches", list.len().into()),
            ("totalMatches", total.into()),
        ];
        if !list.is_empty() {
            fields.push(("MatchList", Json::List(list)));
        }
        Ok(Json::Object(fields))
    }

    /// Deletes the faces that are named; all of them when none is.
    pub(super) fn delete_faces(&mut self, request: &Request) -> Result<Answer, Refusal> {
        command(request, "PUT", self, |device| {
            let library = (request.query("FDID"), request.query("faceLibType"));
            if library != (Some("1"), Some("blackFD")) {
                return Err(Refusal::bad_parameters("FDID"));
            }
            let body: Value =
                serde_json::from_slice(&request.body).map_err(|_| Refusal::BAD_JSON_FORMAT)?;
            let numbers = listed(&body, "FPID", "value")?;
            device.log.change_users(|user| {
                if numbers.is_empty() || numbers.contains(&user.employee_no) {
                    user.face = None;
                }
            });
            Ok(())
        })
    }

    pub(super) fn enrolled_picture(&self, path: &str) -> Answer {
        let name = path.strip_prefix(ENROLLED).unwrap_or_default();
        let number = name.split(".jpg").next().unwrap_or_default();
        match self.log.user(number).and_then(|user| user.face.as_ref()) {
            Some(picture) => Answer::new(200, "image/jpeg", picture.to_vec()),
            None => Answer::new(404, "text/html", "<html></html>\n"),
        }
    }
}

/// Checks the library; the employee number, where there is one.
fn library_of(about: &Value) -> Result<Option<String>, Refusal> {
    let text = |name: &str| about.get(name).and_then(Value::as_str);
    if text("faceLibType") != Some("blackFD") {
        return Err(Refusal::bad_parameters("faceLibType"));
    }
    if text("FDID") != Some("1") {
        return Err(Refusal::bad_parameters("FDID"));
    }
    Ok(text("FPID").map(str::to_owned))
}

/// Head and body of each part of a form.
fn parts(request: &Request) -> Option<Vec<(String, &[u8])>> {
    let (_, boundary) = request.header("content-type")?.split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    let mark = format!("--{boundary}").into_bytes();
    let mut parts = Vec::new();
    let mut rest = after(&request.body, &mark)?;
    while !rest.starts_with(b"--") {
        let part_end = find(rest, &mark)?;
        let part = rest.get(..part_end)?.strip_suffix(b"\r\n")?;
        let head_end = find(part, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(part.get(..head_end)?).into_owned();
        parts.push((head, part.get(head_end + 4..)?));
        rest = rest.get(part_end + mark.len()..)?;
    }
    Some(parts)
}

fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    bytes.get(find(bytes, mark)? + mark.len()..)
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}
