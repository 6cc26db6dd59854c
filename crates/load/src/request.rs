//! One request, whatever the protocol that carries it.

/// What is sent to an origin. Kept and filled again for each request whose content varies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Path and query, as they stand in the request line.
    pub target: String,
    /// Without those that belong to the connection or the length: Host, Content-Length, Transfer-Encoding, Connection.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// Forgets everything and keeps the memory of the texts.
    pub fn clear(&mut self) {
        self.method.clear();
        self.target.clear();
        self.headers.clear();
        self.body.clear();
    }

    /// Whether the answer has a head only.
    #[must_use]
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }
}
