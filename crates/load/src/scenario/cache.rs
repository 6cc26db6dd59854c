//! Answers that a user keeps for a while, as a browser does: within their time a step is answered without a request.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{Nanos, Request};

/// Answers that a user keeps; the one that would go first makes room.
const MOST_ENTRIES: usize = 64;

/// Bytes of values that a user keeps with them.
const MOST_BYTES: usize = 64 << 10;

/// What a user keeps, empty until a step with a time to live passed.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: Vec<Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    until: Nanos,
    status: u16,
    values: Box<[(u16, Box<str>)]>,
}

/// Stands for a step and its request: 128 bits, so that no two of a run are ever the same by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(u64, u64);

impl Key {
    /// Of a step and what it sends; none for the request that never varies.
    pub(super) fn new(step: u32, request: Option<&Request>) -> Self {
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            step.hash(&mut hasher);
            if let Some(request) = request {
                request.method.hash(&mut hasher);
                request.target.hash(&mut hasher);
                request.headers.hash(&mut hasher);
                request.body.hash(&mut hasher);
            }
            hasher.finish()
        };
        Self(half(0), half(1))
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        self.values.iter().map(|(_, value)| value.len()).sum()
    }
}

impl Cache {
    /// Bytes of a full cache, but for the numbers of its values.
    pub(super) const MOST_BYTES: usize = MOST_BYTES + MOST_ENTRIES * size_of::<Entry>();

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts the kept values in their slots and gives the kept status.
    pub(super) fn get(&self, key: Key, now: Nanos, values: &mut [String]) -> Option<u16> {
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.key == key && entry.until > now)?;
        for (slot, value) in &entry.values {
            let place = &mut values[usize::from(*slot)];
            place.clear();
            place.push_str(value);
        }
        Some(entry.status)
    }

    /// Keeps an answer and what was extracted from it; false when it does not fit.
    pub(super) fn put(
        &mut self,
        key: Key,
        (now, until): (Nanos, Nanos),
        status: u16,
        kept: impl Iterator<Item = (u16, Box<str>)>,
    ) -> bool {
        let entry = Entry {
            key,
            until,
            status,
            values: kept.collect(),
        };
        let size = entry.bytes();
        self.retain(|known| known.until > now && known.key != key);
        if size > MOST_BYTES {
            return false;
        }
        while self.entries.len() == MOST_ENTRIES || self.bytes + size > MOST_BYTES {
            let first = self.entries.iter().map(|entry| entry.until).min();
            let Some(at) = self
                .entries
                .iter()
                .position(|entry| Some(entry.until) == first)
            else {
                break;
            };
            self.bytes -= self.entries.swap_remove(at).bytes();
        }
        self.bytes += size;
        self.entries.push(entry);
        true
    }

    fn retain(&mut self, keeps: impl Fn(&Entry) -> bool) {
        self.entries.retain(keeps);
        self.bytes = self.entries.iter().map(Entry::bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> std::iter::Once<(u16, Box<str>)> {
        std::iter::once((1, text.into()))
    }

    #[test]
    fn an_answer_is_kept_for_its_time() {
        let mut cache = Cache::default();
        let key = Key::new(1, None);
        assert!(cache.put(key, (0, 10), 200, value("x")));
        let mut values = [String::new(), "old".to_owned()];
        assert_eq!(cache.get(key, 9, &mut values), Some(200));
        assert_eq!(values[1], "x");
        assert_eq!(cache.get(key, 10, &mut values), None);
        assert_eq!(cache.get(Key::new(2, None), 0, &mut values), None);
        let mut request = Request {
            target: "/a".to_owned(),
            ..Request::default()
        };
        let one = Key::new(1, Some(&request));
        request.target = "/b".to_owned();
        assert_ne!(Key::new(1, Some(&request)), one);
        assert!(cache.put(key, (9, 20), 304, value("y")));
        assert_eq!(
            (cache.get(key, 9, &mut values), cache.entries.len()),
            (Some(304), 1)
        );
    }

    #[test]
    fn entries_and_bytes_are_bounded() {
        let mut cache = Cache::default();
        for step in 0..200 {
            assert!(cache.put(
                Key::new(step, None),
                (0, 1000 - u64::from(step)),
                200,
                value("x")
            ));
        }
        assert_eq!(cache.entries.len(), MOST_ENTRIES);
        let mut values = [String::new(), String::new()];
        assert_eq!(cache.get(Key::new(0, None), 0, &mut values), Some(200));
        let large = "x".repeat(MOST_BYTES - 10);
        assert!(cache.put(Key::new(300, None), (0, 5000), 200, value(&large)));
        assert!(cache.bytes <= MOST_BYTES);
        assert_eq!(cache.get(Key::new(300, None), 0, &mut values), Some(200));
        assert!(!cache.put(
            Key::new(301, None),
            (0, 5000),
            200,
            value(&format!("{large}{large}"))
        ));
    }
}
