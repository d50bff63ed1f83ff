//! A request that changes something at a terminal: what goes on the line, whole. Only this crate makes them.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Post,
    Put,
}

/// One change. Its parts belong together, so none can be set from outside.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    method: Method,
    path: String,
    content_type: String,
    body: Vec<u8>,
}

impl Request {
    pub fn method(&self) -> Method {
        self.method
    }

    /// Path and query, as they go on the request line.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn json(method: Method, path: &str, body: String) -> Self {
        Self::new(method, path, "application/json", body.into_bytes())
    }

    pub(crate) fn xml(path: &str, body: String) -> Self {
        Self::new(Method::Put, path, "application/xml", body.into_bytes())
    }

    pub(crate) fn new(method: Method, path: &str, content_type: &str, body: Vec<u8>) -> Self {
        Self {
            method,
            path: path.to_owned(),
            content_type: content_type.to_owned(),
            body,
        }
    }
}

impl fmt::Debug for Request {
    /// Without the body: it can hold a password or a face.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The head of every XML body that we send.
pub(crate) const XML_HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
/// The namespace of every vendor manual; terminals compare local names.
pub(crate) const NAMESPACE: &str = "http://www.isapi.org/ver20/XMLSchema";

/// Text inside an XML element.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
