//! A peer that keeps to the rules in arbitrary ways: what it answers is what is told, request by request.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use super::super::frame::{flag, setting};
use super::*;

/// One answer as it is meant.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    has_length: bool,
    has_trailers: bool,
    hints: usize,
}

fn answer() -> impl Strategy<Value = Answer> {
    let status = prop_oneof![
        Just(200u16),
        Just(206),
        Just(404),
        205..=303u16,
        305..=599u16
    ];
    let name = prop_oneof![
        Just("server".to_owned()),
        Just("etag".to_owned()),
        "x-[a-z0-9]{1,8}"
    ];
    let fields = prop::collection::vec((name, "[ -~]{0,30}"), 0..5);
    let body = prop::collection::vec(any::<u8>(), 0..300);
    (
        status,
        fields,
        body,
        any::<bool>(),
        any::<bool>(),
        0..3usize,
    )
        .prop_map(
            |(status, fields, body, has_length, has_trailers, hints)| Answer {
                status,
                fields,
                body,
                has_length,
                has_trailers,
                hints,
            },
        )
}

/// A block in one or more frames, padded or not.
fn said_block(flags: u8, stream: u32, block: &[u8], random: &mut impl RngCore) -> Vec<u8> {
    let cut = random.next_u64() as usize % (block.len() + 1);
    let (first, rest) = block.split_at(if random.next_u64().is_multiple_of(3) {
        cut
    } else {
        block.len()
    });
    let padding = (random.next_u64() % 4) as u8;
    let padded = [&[padding], first, &vec![0; usize::from(padding)]].concat();
    if rest.is_empty() {
        return said(kind::HEADERS, flags | flag::PADDED | WHOLE, stream, &padded);
    }
    let middle = rest.len() / 2;
    let frames = [
        said(kind::HEADERS, flags | flag::PADDED, stream, &padded),
        said(kind::CONTINUATION, 0, stream, &rest[..middle]),
        said(kind::CONTINUATION, WHOLE, stream, &rest[middle..]),
    ];
    frames.concat()
}

/// The frames of an answer; those in one item may not be torn apart.
fn said_answer(stream: u32, answer: &Answer, random: &mut impl RngCore) -> Vec<Vec<u8>> {
    let status = answer.status.to_string();
    let length = answer.body.len().to_string();
    let mut fields = vec![(":status", &status[..])];
    fields.extend(
        answer
            .fields
            .iter()
            .map(|(name, value)| (&name[..], &value[..])),
    );
    if answer.has_length {
        fields.push(("content-length", &length));
    }
    let mut frames = Vec::new();
    for _ in 0..answer.hints {
        frames.push(said_block(
            0,
            stream,
            &block(&[(":status", "103"), ("link", "</a>")]),
            random,
        ));
    }
    let ends_here = answer.body.is_empty() && !answer.has_trailers;
    frames.push(said_block(
        if ends_here { LAST } else { 0 },
        stream,
        &block(&fields),
        random,
    ));
    let mut rest = &answer.body[..];
    while !rest.is_empty() {
        let (part, others) = rest.split_at(1 + random.next_u64() as usize % rest.len());
        rest = others;
        let flags = if rest.is_empty() && !answer.has_trailers {
            LAST
        } else {
            0
        };
        let padding = (random.next_u64() % 3) as u8;
        let padded = [&[padding], part, &vec![0; usize::from(padding)]].concat();
        frames.push(match padding {
            0 => said(kind::DATA, flags, stream, part),
            _ => said(kind::DATA, flags | flag::PADDED, stream, &padded),
        });
    }
    if answer.has_trailers {
        frames.push(said_block(LAST, stream, &block(&[("x-sum", "1")]), random));
    }
    frames
}

/// The frames of all answers, mixed, with others between them, in parts of arbitrary sizes.
fn said_mixed(answers: &[Answer], random: &mut impl RngCore) -> Vec<u8> {
    let mut queues: Vec<_> = (1..)
        .step_by(2)
        .zip(answers)
        .collect::<Vec<(u32, _)>>()
        .into_iter()
        .map(|(stream, answer)| said_answer(stream, answer, random).into_iter())
        .collect();
    let mut bytes = Vec::new();
    while !queues.is_empty() {
        let at = random.next_u64() as usize % queues.len();
        match queues[at].next() {
            Some(frame) => bytes.extend(frame),
            None => drop(queues.swap_remove(at)),
        }
        match random.next_u64() % 12 {
            0 => bytes.extend(said(kind::PING, 0, 0, &[7; 8])),
            1 => bytes.extend(said_settings(&[(setting::INITIAL_WINDOW_SIZE, 70_000)])),
            2 => bytes.extend(said(200, 0xff, 3, &[1; 5])),
            3 => bytes.extend(said_window(0, 1000)),
            _ => {}
        }
    }
    bytes
}

proptest! {
    #![proptest_config(crate::long::cases(300))]

    #[test]
    fn every_answer_is_told_as_it_was_meant(
        answers in prop::collection::vec(answer(), 1..9),
        seed: u64,
        most in 1..400usize,
        wants: bool,
    ) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut client = Client::with_requests(answers.len() as u32);
        client.told.wants = wants;
        let bytes = said_mixed(&answers, &mut random);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let size = (1 + random.next_u64() as usize % most).min(rest.len());
            client.read(&rest[..size]).unwrap();
            rest = &rest[size..];
        }
        let mut told: BTreeMap<u32, (Vec<Event>, Vec<u8>)> = BTreeMap::new();
        for event in client.events() {
            match event {
                Body(key, bytes) => told.entry(key).or_default().1.extend(bytes),
                Head(key, _) | Header(key, ..) | Done(key, _) | Event::Reset(key, _) => {
                    told.entry(key).or_default().0.push(event);
                }
            }
        }
        for (key, answer) in (0..).zip(&answers) {
            let mut expected = vec![Head(key, answer.status)];
            if wants {
                let fields = answer.fields.iter().cloned();
                expected.extend(fields.map(|(name, value)| Header(key, name, value)));
                if answer.has_length {
                    expected.push(Header(key, "content-length".into(), answer.body.len().to_string()));
                }
            }
            expected.push(Done(key, answer.body.len() as u64));
            prop_assert_eq!(told.remove(&key), Some((expected, answer.body.clone())));
        }
        prop_assert!(told.is_empty());
        prop_assert_eq!(client.connection.open_streams(), 0);
    }

    #[test]
    fn bodies_keep_to_the_windows_and_arrive_whole(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..2000), 1..6),
        first in 0..3000u32,
        steps in prop::collection::vec((0..8u32, 1..5000u32), 0..60),
    ) {
        let mut client = Client::new(&[(setting::INITIAL_WINDOW_SIZE, first)]);
        let mut initial = i64::from(first);
        let mut windows = vec![initial; bodies.len()];
        let mut all = 65_535;
        let mut sent = vec![Vec::new(); bodies.len()];
        for (key, body) in (0..).zip(&bodies) {
            client.open_with(key, body);
        }
        // At the end the windows are opened wide.
        let steps = steps.into_iter().chain([(6, 100_000)]).chain([(7, 100_000)]);
        for (which, amount) in steps {
            for (frame, payload) in client.frames() {
                if frame.kind == kind::DATA {
                    let key = (frame.stream / 2) as usize;
                    prop_assert!(!payload.is_empty());
                    sent[key].extend_from_slice(&payload);
                    let length = i64::try_from(payload.len()).unwrap();
                    windows[key] -= length;
                    all -= length;
                    prop_assert!(windows[key] >= 0 && all >= 0);
                    prop_assert_eq!(frame.has(LAST), sent[key].len() == bodies[key].len());
                }
            }
            let key = which as usize;
            match which {
                7 => {
                    client.read(&said_settings(&[(setting::INITIAL_WINDOW_SIZE, amount)])).unwrap();
                    for window in &mut windows {
                        *window += i64::from(amount) - initial;
                    }
                    initial = i64::from(amount);
                }
                _ if key < bodies.len() => {
                    client.read(&said_window(2 * which + 1, amount)).unwrap();
                    windows[key] += i64::from(amount);
                }
                _ => {
                    client.read(&said_window(0, amount)).unwrap();
                    all += i64::from(amount);
                }
            }
        }
        for (frame, payload) in client.frames() {
            if frame.kind == kind::DATA {
                sent[(frame.stream / 2) as usize].extend_from_slice(&payload);
            }
        }
        prop_assert_eq!(sent, bodies);
        prop_assert_eq!(client.connection.uploads.kept(), 0);
    }
}
