//! What an answer and a request cost, in release: `cargo test --release -p chaffinch-load http1 --
//! --ignored --nocapture`.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::time::Instant;

use super::servers::ANSWERS;
use super::*;

/// Nanoseconds of one call, the best of several rounds: others use the machine as well.
fn nanoseconds(mut call: impl FnMut()) -> f64 {
    const CALLS: u32 = 200_000;
    let round = |_| {
        let begun = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        begun.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    (0..7).map(round).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "a measurement"]
fn nanoseconds_of_answers_and_requests() {
    let mut kept = Answer::default();
    for ((name, bytes), ..) in ANSWERS {
        let mut reader = Reader::new();
        let counted = nanoseconds(|| {
            reader.expect(Kind::Other);
            black_box(reader.read(black_box(bytes), None)).ok();
        });
        let looked_into = nanoseconds(|| {
            reader.expect(Kind::Other);
            black_box(reader.read(black_box(bytes), Some(&mut kept))).ok();
        });
        println!(
            "{name}: {counted:.0} ns, kept {looked_into:.0} ns, {} bytes",
            bytes.len()
        );
    }
    let (_, bytes) = ANSWERS[1].0;
    let parsing = nanoseconds(|| {
        let mut room = [const { MaybeUninit::uninit() }; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let rules = httparse::ParserConfig::default();
        let bytes = black_box(bytes);
        black_box(rules.parse_response_with_uninit_headers(&mut response, bytes, &mut room)).ok();
    });
    println!("httparse alone for the second: {parsing:.0} ns");
    let mut reader = Reader::new();
    let split = nanoseconds(|| {
        reader.expect(Kind::Other);
        reader.read(black_box(&bytes[..100]), None).ok();
        black_box(reader.read(black_box(&bytes[100..]), None)).ok();
    });
    println!(
        "a head in two reads: {split:.0} ns; a reader: {} bytes",
        size_of::<Reader>()
    );
    let header = |name: &str| (name.to_owned(), "some value of it".to_owned());
    let request = Request {
        method: "GET".to_owned(),
        target: "/path/to/something?id=1234".to_owned(),
        headers: ["Accept", "User-Agent", "Authorization"]
            .map(header)
            .to_vec(),
        body: Vec::new(),
    };
    let mut out = Vec::new();
    let encoding = nanoseconds(|| {
        out.clear();
        encode(black_box(&request), "127.0.0.1:8080", true, &mut out);
    });
    let checking = nanoseconds(|| {
        check(black_box(&request)).ok();
    });
    println!("encode {encoding:.0} ns, check {checking:.0} ns");
}
