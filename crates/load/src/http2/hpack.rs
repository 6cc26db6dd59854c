//! Header blocks (RFC 7541), read without a dynamic table: field by field, as they stand, nothing decoded.

use super::fault::Fault;
use super::huffman;

/// The static table (RFC 7541 Appendix A): the entry of index 1 is the first.
pub const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// Indices of the static table that are looked for: the last pseudo-header, `:status` with each value, and the length.
pub const LAST_PSEUDO: usize = 14;
pub const STATUS: std::ops::RangeInclusive<usize> = 8..=14;
pub const CONTENT_LENGTH: usize = 28;

/// How a field begins, and the bits of the number that follows in its first byte.
const INDEXED: u8 = 0x80;
const INDEXED_BITS: u32 = 7;
const ADDED: u8 = 0x40;
const ADDED_BITS: u32 = 6;
const TABLE_SIZE: u8 = 0x20;
const TABLE_SIZE_BITS: u32 = 5;
/// Without indexing, or never indexed: the bit in which they differ is for those who pass fields on.
const LITERAL_BITS: u32 = 4;
const HUFFMAN: u8 = 0x80;
const TEXT_BITS: u32 = 7;

/// Bytes that may follow the first one of a number: values up to 2^28 and a little.
const MOST_FOLLOWING: u32 = 4;

/// A name or value as it stands in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    pub bytes: &'a [u8],
    pub is_huffman: bool,
}

impl Text<'_> {
    /// Appends what it says to `out`.
    pub fn decode(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.is_huffman {
            return huffman::decode(self.bytes, out);
        }
        out.extend_from_slice(self.bytes);
        Ok(())
    }
}

/// A field of a block. Numbers are indices of the static table, and stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    Indexed(usize),
    Named(usize, Text<'a>),
    Literal(Text<'a>, Text<'a>),
}

/// The fields of one header block, from its beginning.
pub struct Fields<'a> {
    rest: &'a [u8],
    is_begun: bool,
}

impl<'a> Fields<'a> {
    pub fn new(block: &'a [u8]) -> Self {
        Self {
            rest: block,
            is_begun: false,
        }
    }

    /// The next field; none at the end of the block.
    #[inline]
    pub fn next(&mut self) -> Result<Option<Field<'a>>, Fault> {
        loop {
            let Some((&first, rest)) = self.rest.split_first() else {
                return Ok(None);
            };
            self.rest = rest;
            if first & INDEXED != 0 {
                self.is_begun = true;
                let index = self.number(first, INDEXED_BITS)?;
                return match index {
                    1..=61 => Ok(Some(Field::Indexed(index))),
                    _ => Err(Fault::Compression),
                };
            }
            if first & (ADDED | TABLE_SIZE) == TABLE_SIZE {
                // We said that the table has a size of 0, and it may change before the first field only.
                if self.number(first, TABLE_SIZE_BITS)? != 0 || self.is_begun {
                    return Err(Fault::Compression);
                }
                continue;
            }
            self.is_begun = true;
            let bits = if first & ADDED != 0 {
                ADDED_BITS
            } else {
                LITERAL_BITS
            };
            let field = match self.number(first, bits)? {
                0 => Field::Literal(self.text()?, self.text()?),
                index @ 1..=61 => Field::Named(index, self.text()?),
                _ => return Err(Fault::Compression),
            };
            return Ok(Some(field));
        }
    }

    /// A number whose first bits are the lower `bits` of `first` (RFC 7541 5.1).
    #[inline]
    fn number(&mut self, first: u8, bits: u32) -> Result<usize, Fault> {
        let most = (1u32 << bits) - 1;
        let value = u32::from(first) & most;
        if value < most {
            return Ok(value as usize);
        }
        self.long_number(value)
    }

    fn long_number(&mut self, mut value: u32) -> Result<usize, Fault> {
        for place in 0..MOST_FOLLOWING {
            let (&byte, rest) = self.rest.split_first().ok_or(Fault::Compression)?;
            self.rest = rest;
            value += u32::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(value as usize);
            }
        }
        Err(Fault::Compression)
    }

    #[inline]
    fn text(&mut self) -> Result<Text<'a>, Fault> {
        let (&first, rest) = self.rest.split_first().ok_or(Fault::Compression)?;
        self.rest = rest;
        let length = self.number(first, TEXT_BITS)?;
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(Fault::Compression)?;
        self.rest = rest;
        Ok(Text {
            bytes,
            is_huffman: first & HUFFMAN != 0,
        })
    }
}

/// Writes a number after the bits of `kind` (RFC 7541 5.1).
fn put_number(kind: u8, bits: u32, value: usize, out: &mut Vec<u8>) {
    let most = (1usize << bits) - 1;
    if value < most {
        return out.push(kind | value as u8);
    }
    out.push(kind | most as u8);
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn put_text(text: &[u8], out: &mut Vec<u8>) {
    let length = huffman::encoded_len(text);
    if length < text.len() {
        put_number(HUFFMAN, TEXT_BITS, length, out);
        huffman::encode(text, out);
    } else {
        put_number(0, TEXT_BITS, text.len(), out);
        out.extend_from_slice(text);
    }
}

/// Says that our encoder's table has a size of 0: what the first block of a connection begins with.
pub const NO_TABLE: u8 = TABLE_SIZE;

/// Writes a field: by its index where the static table has it, else as a literal without indexing.
pub fn put_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    let mut named = 0;
    for (at, &(known, its)) in STATIC.iter().enumerate() {
        if known != name {
            continue;
        }
        if its.as_bytes() == value && !its.is_empty() {
            return put_number(INDEXED, INDEXED_BITS, at + 1, out);
        }
        if named == 0 {
            named = at + 1;
        }
    }
    put_number(0, LITERAL_BITS, named, out);
    if named == 0 {
        put_text(name.as_bytes(), out);
    }
    put_text(value, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = Result<Vec<(String, String)>, Fault>;

    fn read(block: &[u8]) -> Read {
        let mut fields = Fields::new(block);
        let mut found = Vec::new();
        while let Some(field) = fields.next()? {
            let text = |text: Text| -> Result<String, Fault> {
                let mut out = Vec::new();
                text.decode(&mut out)?;
                Ok(String::from_utf8(out).unwrap())
            };
            found.push(match field {
                Field::Indexed(at) => (STATIC[at - 1].0.into(), STATIC[at - 1].1.into()),
                Field::Named(at, value) => (STATIC[at - 1].0.into(), text(value)?),
                Field::Literal(name, value) => (text(name)?, text(value)?),
            });
        }
        Ok(found)
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    #[test]
    fn numbers_of_appendix_c1() {
        let number = |bytes: &[u8], bits| Fields::new(&bytes[1..]).number(bytes[0], bits);
        assert_eq!(number(&[0x0a], 5), Ok(10));
        assert_eq!(number(&[0x1f, 0x9a, 0x0a], 5), Ok(1337));
        assert_eq!(number(&[0x2a], 8), Ok(42));
        assert_eq!(number(&[0x1f, 0x80, 0x80, 0x80, 0x00], 5), Ok(31));
        assert_eq!(
            number(&[0x1f, 0x80, 0x80, 0x80, 0x80, 0x00], 5),
            Err(Fault::Compression)
        );
        assert_eq!(number(&[0x1f, 0xff], 5), Err(Fault::Compression));
        for value in [0, 30, 31, 32, 158, 159, 1337, 65_536, 1 << 28] {
            let mut out = Vec::new();
            put_number(0, 5, value, &mut out);
            assert_eq!(number(&out, 5), Ok(value));
        }
    }

    #[test]
    fn blocks_of_appendix_c() {
        let pairs = |pairs: &[(&str, &str)]| -> Read {
            Ok(pairs
                .iter()
                .map(|&(name, value)| (name.into(), value.into()))
                .collect())
        };
        let custom = "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572";
        assert_eq!(
            read(&bytes(custom)),
            pairs(&[("custom-key", "custom-header")])
        );
        let path = "040c 2f73 616d 706c 652f 7061 7468";
        assert_eq!(read(&bytes(path)), pairs(&[(":path", "/sample/path")]));
        let secret = "1008 7061 7373 776f 7264 0673 6563 7265 74";
        assert_eq!(read(&bytes(secret)), pairs(&[("password", "secret")]));
        assert_eq!(read(&[0x82]), pairs(&[(":method", "GET")]));
        let first = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "www.example.com"),
        ];
        let plain = "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d";
        assert_eq!(read(&bytes(plain)), pairs(&first));
        let coded = "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff";
        assert_eq!(read(&bytes(coded)), pairs(&first));
        let answer = [
            (":status", "302"),
            ("cache-control", "private"),
            ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
            ("location", "https://www.example.com"),
        ];
        let plain = "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
            2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d";
        assert_eq!(read(&bytes(plain)), pairs(&answer));
        let coded =
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
            2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3";
        assert_eq!(read(&bytes(coded)), pairs(&answer));
    }

    #[test]
    fn what_cannot_be_read_is_a_fault() {
        let wrong: [(&str, &[u8]); 11] = [
            ("index 0", &[0x80]),
            ("an indexed field of the dynamic table", &[0xbe]),
            ("a long index", &[0xff, 0xff, 0x03]),
            ("a name of the dynamic table", &[0x7e, 0x01, b'a']),
            (
                "a literal's name of the dynamic table",
                &[0x0f, 0x2f, 0x01, b'a'],
            ),
            ("a table of 1", &[0x21, 0x88]),
            ("a size after a field", &[0x88, 0x20]),
            ("a name that is cut", &[0x00, 0x02, b'a']),
            ("no value", &[0x00, 0x01, b'a']),
            ("a value that is cut", &[0x0f, 0x0d, 0x02, b'1']),
            ("a length that is cut", &[0x0f, 0x0d, 0x7f, 0x80]),
        ];
        for (what, block) in wrong {
            assert_eq!(read(block), Err(Fault::Compression), "{what}");
        }
        assert_eq!(
            read(&[0x20, 0x3f, 0xe1, 0x1f, 0x88]),
            Err(Fault::Compression)
        );
        assert_eq!(read(&[0x20, 0x20, 0x88]).unwrap().len(), 1);
        assert_eq!(read(&[]), Ok(Vec::new()));
    }
}
