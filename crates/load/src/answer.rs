//! An answer that is looked into: most are counted and thrown away as they arrive, these are kept until they are whole.

/// Bytes of a body that are kept. What comes after them is read and counted, and not looked into.
pub const MOST_BODY: usize = 1 << 20;

/// What is kept of an answer, filled again for each one.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    /// Names and values of headers end to end, and where each ends.
    text: Vec<u8>,
    ends: Vec<(u32, u32)>,
    pub body: Vec<u8>,
    /// The body was longer than what is kept.
    pub is_cut: bool,
    /// Who looks into it does not look at the body: it is not kept.
    pub drops_body: bool,
}

impl Answer {
    /// Forgets what came and keeps the memory, but for that of a long body.
    pub fn clear(&mut self) {
        self.status = 0;
        self.text.clear();
        self.ends.clear();
        self.body.clear();
        self.body.shrink_to(MOST_BODY / 16);
        self.is_cut = false;
    }

    pub fn push_header(&mut self, name: &[u8], value: &[u8]) {
        self.text.extend_from_slice(name);
        let middle = self.text.len() as u32;
        self.text.extend_from_slice(value);
        self.ends.push((middle, self.text.len() as u32));
    }

    pub fn push_body(&mut self, bytes: &[u8]) {
        if self.drops_body {
            return;
        }
        let room = MOST_BODY - self.body.len();
        self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.is_cut |= bytes.len() > room;
    }

    /// Names (as they came) and values, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|&(_, end)| end));
        starts.zip(&self.ends).map(|(start, &(middle, end))| {
            let (start, middle, end) = (start as usize, middle as usize, end as usize);
            (&self.text[start..middle], &self.text[middle..end])
        })
    }

    /// The first value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers()
            .find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }
}
