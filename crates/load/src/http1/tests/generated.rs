//! Any bytes, and any valid answer.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// An answer whose reading is known.
#[derive(Debug, Clone)]
struct Made {
    bytes: Vec<u8>,
    kind: Kind,
    done: Done,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// It ends with the connection: whatever follows is part of it.
    is_closing: bool,
}

fn header() -> impl Strategy<Value = (String, String)> {
    let value = "([!-~]([ -~\t]{0,20}[!-~])?)?";
    ("X-[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}", value)
}

fn lines(headers: &[(String, String)], colon: &str) -> String {
    let line = |(name, value): &(String, String)| format!("{name}{colon}{value}\r\n");
    headers.iter().map(line).collect::<Vec<_>>().concat()
}

fn interim() -> impl Strategy<Value = String> {
    let one = (
        prop_oneof![Just(100_u16), 102..200_u16],
        vec(header(), 0..2),
    );
    vec(one, 0..3).prop_map(|all| {
        let one = |(status, headers): &(u16, Vec<_>)| {
            format!("HTTP/1.1 {status} -\r\n{}\r\n", lines(headers, ":"))
        };
        all.iter().map(one).collect()
    })
}

fn chunks(body: &[u8], sizes: &[usize], extension: &str, trailer: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut rest, mut sizes) = (body, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = (*sizes.next().unwrap()).min(rest.len());
        out.extend_from_slice(format!("{size:x}{extension}\r\n").as_bytes());
        out.extend_from_slice(&rest[..size]);
        out.extend_from_slice(b"\r\n");
        rest = &rest[size..];
    }
    out.extend_from_slice(format!("0{extension}\r\n{trailer}\r\n").as_bytes());
    out
}

prop_compose! {
    fn framed()(
        framing in 0..3_u8,
        body in vec(any::<u8>(), 0..300),
        sizes in vec(1..40_usize, 1..6),
        extension in prop_oneof![Just(String::new()), "[ \t]?;[ -~]{0,12}"],
        trailer in prop_oneof![Just(String::new()), Just("X-Sum: 1\r\nX-More:\r\n".to_owned())],
    ) -> (u8, Vec<u8>, Vec<u8>, String) {
        let (sent, line) = match framing {
            0 => (body.clone(), format!("Content-Length: {}", body.len())),
            1 => {
                let line = "Transfer-Encoding: chunked".to_owned();
                (chunks(&body, &sizes, &extension, &trailer), line)
            }
            _ => (body.clone(), "X-Framing: none".to_owned()),
        };
        (framing, body, sent, line)
    }
}

prop_compose! {
    fn made()(
        (framing, body, sent, line) in framed(),
        is_1_1 in any::<bool>(),
        status in 200..1000_u16,
        is_head in prop::bool::weighted(0.1),
        connection in prop_oneof![
            Just(""), Just("close"), Just("keep-alive"), Just("x, Keep-Alive"),
        ],
        mut headers in vec(header(), 0..8),
        place in any::<prop::sample::Index>(),
        interim in interim(),
    ) -> Made {
        let (name, value) = line.split_once(": ").unwrap();
        headers.insert(place.index(headers.len() + 1), (name.to_owned(), value.to_owned()));
        if !connection.is_empty() {
            let header = ("connection".to_owned(), connection.to_owned());
            headers.insert(place.index(headers.len()), header);
        }
        let lines = lines(&headers, ": ");
        let minor = u8::from(is_1_1);
        let head = format!("{interim}HTTP/1.{minor} {status} Said so\r\n{lines}\r\n");
        let mut bytes = head.into_bytes();
        let has_body = !is_head && status != 204 && status != 304;
        let is_closing = has_body && framing == 2;
        let stays = connection != "close" && (is_1_1 || !connection.is_empty());
        let keeps_alive = stays && !is_closing && (is_1_1 || !has_body || framing != 1);
        let body = if has_body { body } else { Vec::new() };
        if has_body {
            bytes.extend_from_slice(&sent);
        }
        let done = Done { status, keeps_alive, body_bytes: body.len() as u64 };
        let kind = if is_head { Kind::Head } else { Kind::Other };
        Made { bytes, kind, done, headers, body, is_closing }
    }
}

/// `bytes` in pieces of these lengths, over and over.
fn pieces<'a>(bytes: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    lengths.iter().cycle().map_while(move |&length| {
        let (piece, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Bytes that get further than random ones.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("HTTP/1.1 200 OK\r\n"),
        Just("HTTP/1.0 404\r\n"),
        Just("HTTP/1.1 100 Go\r\n\r\n"),
        Just("\r\n"),
        Just("\r"),
        Just("\n"),
        Just("Content-Length: 3\r\n"),
        Just("Transfer-Encoding: chunked\r\n"),
        Just("Connection: close\r\n"),
        Just("3\r\nabc\r\n"),
        Just("0\r\n"),
        Just("X: y\r\n"),
        Just(" folded\r\n"),
        Just("\r\n\r\n"),
        Just(";a=b"),
    ];
    let piece = prop_oneof![
        4 => word.prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..6),
    ];
    (any::<bool>(), vec(piece, 0..14)).prop_map(|(begins_well, all)| {
        let start = if begins_well {
            b"HTTP/1.1 200 OK\r\n".as_slice()
        } else {
            b""
        };
        [start, &all.concat()].concat()
    })
}

proptest! {
    #![proptest_config(crate::long::cases(400))]

    #[test]
    fn valid_answers_are_read_as_they_were_made(
        made in made(),
        lengths in vec(1..200_usize, 1..5),
        after in vec(any::<u8>(), 0..9),
    ) {
        let mut bytes = made.bytes.clone();
        if !made.is_closing {
            bytes.extend_from_slice(&after);
        }
        let outcome = read(made.kind, pieces(&bytes, &lengths));
        prop_assert_eq!(&outcome.result, &Ok(made.done));
        prop_assert_eq!(outcome.used, Some(made.bytes.len()));
        prop_assert_eq!(&outcome.body, &made.body);
        let bytes_of = |(name, value): &(String, String)| {
            (name.clone().into_bytes(), value.clone().into_bytes())
        };
        let headers: Vec<_> = made.headers.iter().map(bytes_of).collect();
        prop_assert_eq!(&outcome.headers, &headers);
        prop_assert_eq!(whole(made.kind, &bytes), outcome);
    }

    #[test]
    fn any_bytes_are_read_within_bounds_and_alike_however_split(
        bytes in prop_oneof![1 => vec(any::<u8>(), 0..400), 4 => likely()],
        lengths in vec(1..30_usize, 1..5),
        is_head in any::<bool>(),
    ) {
        let kind = if is_head { Kind::Head } else { Kind::Other };
        let outcome = whole(kind, &bytes);
        prop_assert!(outcome.used.unwrap_or(0) <= bytes.len());
        prop_assert_eq!(read(kind, pieces(&bytes, &lengths)), outcome.clone());
        prop_assert_eq!(read(kind, bytes.chunks(1)), outcome);
    }
}
