//! Faces of people in the library of visible light: uploading a picture, and whether there is one.

use std::fmt;

use serde::Serialize;

use crate::body::{DecodeError, Fields, encode_json};
use crate::numbers::EmployeeNo;
use crate::request::{Method, Request};
use crate::search::SearchState;

const RECORD: &str = "/ISAPI/Intelligent/FDLib/FaceDataRecord?format=json";
const SET_UP: &str = "/ISAPI/Intelligent/FDLib/FDSetUp?format=json";

/// The library of visible light, the only one that every face terminal has.
const LIBRARY_TYPE: &str = "blackFD";
const LIBRARY: &str = "1";

/// A picture that a terminal may take: a JPEG of at most 200 kB.
#[derive(Clone, PartialEq, Eq)]
pub struct FacePicture(Vec<u8>);

/// Why a picture is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    #[error("the picture is no JPEG")]
    NoJpeg,
    #[error("the picture has {} kB, a terminal takes {} kB at most", len.div_ceil(1000), FacePicture::LARGEST / 1000)]
    TooLarge { len: usize },
}

impl FacePicture {
    pub const LARGEST: usize = 200_000;

    /// # Errors
    /// When it does not begin and end as a JPEG does, or is too large.
    pub fn new(bytes: Vec<u8>) -> Result<Self, PictureError> {
        let len = bytes.len();
        if !bytes.starts_with(b"\xff\xd8\xff") {
            return Err(PictureError::NoJpeg);
        }
        if len > Self::LARGEST {
            return Err(PictureError::TooLarge { len });
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for FacePicture {
    /// Without the picture: it is biometric data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FacePicture({} bytes)", self.0.len())
    }
}

/// A picture for a person, who must exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaceUpload<'a> {
    pub of: &'a EmployeeNo,
    pub picture: &'a FacePicture,
}

impl FaceUpload<'_> {
    /// Refused when the person has a face.
    pub fn record(&self) -> Request {
        self.request(Method::Post, RECORD)
    }

    /// In the place of the one there is, if any.
    pub fn set_up(&self) -> Request {
        self.request(Method::Put, SET_UP)
    }

    fn request(&self, method: Method, path: &str) -> Request {
        let data = encode_json(&FaceData::of(self.of));
        let picture = &self.picture.0;
        let boundary = boundary(picture);
        let mut body = Vec::with_capacity(picture.len() + 512);
        body.extend_from_slice(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"FaceDataRecord\"\r\n\
                 Content-Type: application/json\r\n\r\n{data}\r\n\
                 --{boundary}\r\nContent-Disposition: form-data; name=\"FaceImage\"; filename=\"face.jpg\"\r\n\
                 Content-Type: image/jpeg\r\n\r\n"
            )
            .as_bytes(),
        );
        body.extend_from_slice(picture);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let content_type = format!("multipart/form-data; boundary={boundary}");
        Request::new(method, path, &content_type, body)
    }
}

/// One that does not occur in the picture.
fn boundary(picture: &[u8]) -> String {
    let occurs = |boundary: &str| {
        let mut places = picture.windows(boundary.len());
        places.any(|place| place == boundary.as_bytes())
    };
    let mut boundary = "b7e1".to_owned();
    let mut number = 0;
    while occurs(&boundary) {
        number += 1;
        boundary = format!("b7e1-{number}");
    }
    boundary
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FaceData<'a> {
    face_lib_type: &'static str,
    #[serde(rename = "FDID")]
    library: &'static str,
    #[serde(rename = "FPID")]
    person: &'a EmployeeNo,
}

impl<'a> FaceData<'a> {
    fn of(person: &'a EmployeeNo) -> Self {
        Self {
            face_lib_type: LIBRARY_TYPE,
            library: LIBRARY,
            person,
        }
    }
}

/// The body that asks for the face of one person.
pub fn encode_face_search(of: &EmployeeNo) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        search_result_position: u32,
        max_results: u32,
        #[serde(flatten)]
        data: FaceData<'a>,
    }
    encode_json(&Body {
        search_result_position: 0,
        max_results: 30,
        data: FaceData::of(of),
    })
}

/// Whether an answer to [`encode_face_search`] has a face of that person.
///
/// # Errors
/// When the body is neither JSON nor XML, or tells neither a state nor a face.
pub fn decode_has_face(body: &[u8], of: &EmployeeNo) -> Result<bool, DecodeError> {
    let fields = Fields::parse(body)?;
    if fields.all("FPID").any(|person| person == of.as_str()) {
        return Ok(true);
    }
    match fields.text("responseStatusStrg") {
        Some(state) if SearchState::from_text(Some(state)) != SearchState::Unknown => Ok(false),
        _ => Err(DecodeError::Missing("responseStatusStrg")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_small_jpeg_is_a_picture() {
        let jpeg = |len: usize| {
            let mut bytes = b"\xff\xd8\xff\xe0".to_vec();
            bytes.resize(len, 0);
            FacePicture::new(bytes).map(|_| ())
        };
        assert_eq!(jpeg(FacePicture::LARGEST), Ok(()));
        let len = FacePicture::LARGEST + 1;
        assert_eq!(jpeg(len), Err(PictureError::TooLarge { len }));
        for no_jpeg in [&b""[..], b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a"] {
            let picture = FacePicture::new(no_jpeg.to_vec());
            assert_eq!(picture.map(|_| ()), Err(PictureError::NoJpeg));
        }
    }

    #[test]
    fn the_boundary_is_not_in_the_picture() {
        assert_eq!(boundary(b"\xff\xd8\xff"), "b7e1");
        assert_eq!(boundary(b"\r\n--b7e1--\r\nb7e1-1"), "b7e1-2");
    }

    #[test]
    fn another_persons_face_is_none() {
        let of = EmployeeNo::parse("007").expect("a number");
        let has = |body: &str| decode_has_face(body.as_bytes(), &of);
        let other = r#"{"responseStatusStrg":"OK","MatchList":[{"FPID":"7"}]}"#;
        assert!(!has(other).expect("an answer"));
        assert!(has(r#"{"MatchList":{"FPID":"007"}}"#).expect("an answer"));
        assert!(has(r#"{"statusCode":1}"#).is_err());
    }
}
