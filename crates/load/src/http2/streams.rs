//! The open streams: a table in which a stream's identifier says where it stands.
//!
//! A client chooses the identifiers, and may leave some out (RFC 9113 5.1.1). One whose place is taken by a stream that
//! lasts is therefore passed over, and finding a stream is one comparison.

use super::frame::MAX;

/// A body whose length was not told.
pub const UNTOLD: u64 = u64::MAX;

#[derive(Clone, Copy, Debug, Default)]
pub struct Stream {
    /// 0 in a place that is free.
    pub id: u32,
    /// What the caller calls it.
    pub key: u32,
    /// Bytes that the peer takes from us; a smaller initial window can make it negative.
    pub window: i32,
    /// Bytes that came since the peer's window was last raised.
    pub taken: u32,
    /// Bytes of the body that came, and that have to come.
    pub received: u64,
    pub length: u64,
    pub is_head: bool,
    pub has_head: bool,
    /// A part of our body waits for windows.
    pub is_sending: bool,
}

#[derive(Debug)]
pub struct Streams {
    places: Vec<Stream>,
    open: usize,
    /// The next identifier.
    next: u32,
}

impl Streams {
    pub fn new() -> Self {
        Self {
            places: Vec::new(),
            open: 0,
            next: 1,
        }
    }

    pub fn open(&self) -> usize {
        self.open
    }

    /// Identifiers that can still be given out for certain.
    pub fn left(&self) -> usize {
        let ids = MAX.saturating_sub(self.next) as usize / 2;
        ids.saturating_sub(2 * self.places.len())
    }

    /// Whether a stream of this identifier was never begun.
    pub fn is_idle(&self, id: u32) -> bool {
        id & 1 == 0 || id >= self.next
    }

    fn place(&self, id: u32) -> usize {
        (id >> 1) as usize & (self.places.len() - 1)
    }

    /// Begins a stream. The caller made sure that there are identifiers left.
    pub fn begin(&mut self, key: u32, is_head: bool, window: i32) -> u32 {
        if (self.open + 1) * 2 > self.places.len() {
            self.grow();
        }
        while self.places[self.place(self.next)].id != 0 {
            self.next += 2;
        }
        let id = self.next;
        let place = self.place(id);
        self.places[place] = Stream {
            id,
            key,
            window,
            length: UNTOLD,
            is_head,
            ..Stream::default()
        };
        self.next += 2;
        self.open += 1;
        id
    }

    /// Twice the places: those that differed in fewer bits differ in more of them.
    fn grow(&mut self) {
        let old = std::mem::take(&mut self.places);
        self.places = vec![Stream::default(); (old.len() * 2).max(4)];
        for stream in old.into_iter().filter(|stream| stream.id != 0) {
            let place = self.place(stream.id);
            self.places[place] = stream;
        }
    }

    #[inline]
    pub fn get(&mut self, id: u32) -> Option<&mut Stream> {
        let mask = self.places.len().wrapping_sub(1);
        let stream = self.places.get_mut((id >> 1) as usize & mask)?;
        (stream.id == id && id != 0).then_some(stream)
    }

    #[inline]
    pub fn end(&mut self, id: u32) -> Option<Stream> {
        let stream = self.get(id)?;
        let ended = *stream;
        stream.id = 0;
        self.open -= 1;
        Some(ended)
    }

    pub fn with_key(&self, key: u32) -> Option<u32> {
        self.iter()
            .find(|stream| stream.key == key)
            .map(|stream| stream.id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.places.iter().filter(|stream| stream.id != 0)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.places.iter_mut().filter(|stream| stream.id != 0)
    }

    /// Takes out the streams above an identifier, one after the other.
    pub fn end_above(&mut self, last: u32) -> impl Iterator<Item = Stream> {
        let Self { places, open, .. } = self;
        let above = places.iter_mut().filter(move |stream| stream.id > last);
        above.map(|stream| {
            *open -= 1;
            std::mem::take(stream)
        })
    }

    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.places.capacity() * size_of::<Stream>()
    }

    #[cfg(test)]
    pub fn skip_to(&mut self, id: u32) {
        self.next = id;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_stream_is_found_among_many_that_come_and_go() {
        let mut streams = Streams::new();
        let lasting = streams.begin(77, false, 0);
        let mut others = std::collections::VecDeque::new();
        let mut last = lasting;
        for key in 0..10_000 {
            if others.len() == 31 {
                let (id, key) = others.pop_front().unwrap();
                assert_eq!(streams.end(id).map(|stream| stream.key), Some(key));
                assert!(streams.end(id).is_none());
            }
            let id = streams.begin(key, false, 0);
            assert!(id > last && id % 2 == 1 && !streams.is_idle(id) && streams.is_idle(id + 2));
            last = id;
            others.push_back((id, key));
        }
        assert_eq!(streams.get(lasting).map(|stream| stream.key), Some(77));
        assert_eq!(streams.with_key(9_999), Some(last));
        assert_eq!(streams.open(), 32);
        assert_eq!(streams.places.len(), 64);
        assert!(
            last < 2 * 10_000 + 2 * 10_000 / 32 + 64,
            "few are passed over: {last}"
        );
        let above: Vec<u32> = streams
            .end_above(lasting)
            .map(|stream| stream.key)
            .collect();
        assert_eq!((above.len(), streams.open()), (31, 1));
    }

    #[test]
    fn an_empty_table_has_no_stream() {
        let mut streams = Streams::new();
        assert!(
            streams.get(0).is_none() && streams.get(1).is_none() && streams.end(u32::MAX).is_none()
        );
        streams.begin(1, true, 0);
        assert!(streams.get(0).is_none() && streams.get(9).is_none());
    }
}
