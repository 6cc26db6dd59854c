//! Bodies that come compressed, unpacked before they are looked into.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::answer::{Answer, MOST_BODY};

/// A body that cannot be looked into: its coding is not known or the bytes do not follow it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Unpacks the body of an answer in place, up to the bytes of a body that are kept.
pub(super) fn decode(answer: &mut Answer) -> Result<(), Unreadable> {
    let coding = answer
        .header("content-encoding")
        .unwrap_or_default()
        .trim_ascii();
    if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") || answer.body.is_empty() {
        return Ok(());
    }
    let body = answer.body.as_slice();
    let mut out = Vec::new();
    let whole = if coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip") {
        unpack(MultiGzDecoder::new(body), &mut out)
    } else if coding.eq_ignore_ascii_case(b"deflate") && has_zlib_head(body) {
        unpack(ZlibDecoder::new(body), &mut out)
    } else if coding.eq_ignore_ascii_case(b"deflate") {
        unpack(DeflateDecoder::new(body), &mut out)
    } else {
        return Err(Unreadable);
    };
    // A body whose end was not kept breaks off, which says nothing against its start.
    if !whole && !answer.is_cut {
        return Err(Unreadable);
    }
    answer.is_cut |= out.len() > MOST_BODY;
    out.truncate(MOST_BODY);
    answer.body = out;
    Ok(())
}

/// Reads one byte more than is kept; false when the bytes broke off or are not valid.
fn unpack(decoder: impl Read, out: &mut Vec<u8>) -> bool {
    decoder.take(MOST_BODY as u64 + 1).read_to_end(out).is_ok()
}

/// `deflate` is zlib (RFC 9110), but some servers send it bare: its first two bytes tell (RFC 1950).
fn has_zlib_head(body: &[u8]) -> bool {
    matches!(body, [first, second, ..]
        if first & 0x0F == 8 && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    fn read(mut from: impl Read) -> Vec<u8> {
        let mut out = Vec::new();
        from.read_to_end(&mut out).unwrap();
        out
    }

    fn answer(coding: &str, body: &[u8]) -> Answer {
        let mut answer = Answer::default();
        answer.push_header(b"Content-Encoding", coding.as_bytes());
        answer.push_body(body);
        answer
    }

    #[test]
    fn each_coding_is_unpacked() {
        let text = b"hello, hello, hello".as_slice();
        let fast = Compression::fast();
        for (coding, body) in [
            ("gzip", read(GzEncoder::new(text, fast))),
            ("X-GZip", read(GzEncoder::new(text, fast))),
            ("deflate", read(ZlibEncoder::new(text, fast))),
            ("deflate", read(DeflateEncoder::new(text, fast))),
            ("identity", text.to_vec()),
            (" ", text.to_vec()),
        ] {
            let mut answer = answer(coding, &body);
            assert_eq!(decode(&mut answer), Ok(()), "{coding}");
            assert_eq!(answer.body, text, "{coding}");
        }
        assert_eq!(decode(&mut answer("br", text)), Err(Unreadable));
        assert_eq!(decode(&mut answer("gzip", text)), Err(Unreadable));
        assert_eq!(decode(&mut answer("gzip", b"")), Ok(()));
    }

    #[test]
    fn a_bomb_is_cut_and_a_cut_body_is_read_as_far_as_it_goes() {
        let bomb = read(GzEncoder::new(
            std::io::repeat(b'x').take(50 << 20),
            Compression::best(),
        ));
        let mut packed = answer("gzip", &bomb);
        assert_eq!(decode(&mut packed), Ok(()));
        assert_eq!((packed.body.len(), packed.is_cut), (MOST_BODY, true));
        let mut broken = answer("gzip", &bomb[..bomb.len() / 2]);
        broken.body.truncate(200);
        assert_eq!(decode(&mut broken), Err(Unreadable));
        broken.is_cut = true;
        assert_eq!(decode(&mut broken), Ok(()));
        assert!(!broken.body.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_or_refused(
            coding in prop_oneof![Just("gzip"), Just("deflate")],
            body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = decode(&mut answer(coding, &body));
        }
    }
}
