use std::io::Write;

use super::*;
use crate::read::Compression;

fn chat(lines: usize) -> String {
    use std::fmt::Write;
    (0..lines).fold(String::new(), |mut text, at| {
        let _ = writeln!(
            text,
            "message {at} about {} and {}",
            at * 7919 % 104_729,
            at % 17
        );
        text
    })
}

fn gzip(text: &str) -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    to.write_all(text.as_bytes()).unwrap();
    to.finish().unwrap()
}

fn xz(text: &str) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut to = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    to.write_all(text.as_bytes()).unwrap();
    to.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    ruzstd::encoding::compress_to_vec(text.as_bytes(), level)
}

type Compress = fn(&str) -> Vec<u8>;

const ALL: [(Compression, Compress); 3] = [
    (Compression::Gzip, gzip),
    (Compression::Xz, xz),
    (Compression::Zstd, zstd),
];

#[test]
fn each_compression_reads_as_the_plain_text() {
    let text = chat(40_000);
    let mut plain = source(text.as_bytes(), None).unwrap();
    let (expected, _) = drain(&mut plain).unwrap();
    for (compression, compress) in ALL {
        let bytes = compress(&text);
        let size = bytes.len() as u64;
        let mut all = source(&bytes, None).unwrap();
        assert_eq!(all.compression(), compression);
        assert_eq!(drain(&mut all).unwrap().0, expected, "{compression}");
        assert_eq!(all.position(), size, "{compression}");
        assert_eq!(all.fingerprint(), plain.fingerprint(), "{compression}");
    }
}

#[test]
fn several_members_streams_and_frames_are_one_file() {
    for (compression, compress) in ALL {
        let mut bytes = compress("one\ntw");
        bytes.extend(compress("o\nthree\n"));
        let (messages, _) = drain(&mut source(&bytes, None).unwrap()).unwrap();
        assert_eq!(texts(&messages), ["one", "two", "three"], "{compression}");
    }
    let mut bytes = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
    bytes.extend(zstd("one\n"));
    let (messages, _) = drain(&mut source(&bytes, None).unwrap()).unwrap();
    assert_eq!(texts(&messages), ["one"]);
}

#[test]
fn an_empty_compressed_file_is_the_end() {
    // As xz writes it.
    let xz = b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4F\0\0\0\0\x1c\xdfD!\x1f\xb6\xf3}\x01\0\0\0\0\x04YZ";
    for bytes in [gzip(""), xz.to_vec(), zstd("")] {
        let mut all = source(&bytes, None).unwrap();
        assert_ne!(all.compression(), Compression::None);
        assert!(drain(&mut all).unwrap().0.is_empty());
    }
}

/// What a reader makes of bytes: the messages before the error, and the error.
fn failure(bytes: &[u8]) -> (usize, Option<String>) {
    let mut all = match source(bytes, Some(Format::Lines)) {
        Ok(all) => all,
        Err(error) => return (0, Some(error.to_string())),
    };
    let mut record = Record::default();
    loop {
        match all.next(&mut record) {
            Ok(Next::End) => return (all.records() as usize, None),
            Ok(_) => {}
            Err(error) => return (all.records() as usize, Some(error.to_string())),
        }
    }
}

#[test]
fn a_truncated_file_is_named_and_never_taken_for_a_whole_one() {
    let text = chat(300);
    for (compression, compress) in ALL {
        let bytes = compress(&text);
        for length in (6..bytes.len()).step_by(bytes.len() / 97 + 1) {
            let (_, error) = failure(&bytes[..length]);
            let error = error.unwrap_or_else(|| panic!("{compression} cut at {length}"));
            assert!(error.starts_with("chat is damaged: "), "{error}");
            assert!(
                error.contains("truncated"),
                "{compression} at {length}: {error}"
            );
        }
        let (_, error) = failure(&bytes[..bytes.len() - 1]);
        assert!(error.unwrap().contains("truncated"), "{compression}");
    }
}

#[test]
fn what_follows_the_compressed_data_is_no_truncation() {
    for (compression, compress) in ALL {
        let mut bytes = compress("one\n");
        bytes.extend(b"something that is not compressed at all");
        let error = failure(&bytes).1.unwrap();
        assert!(
            error.contains("cannot be decompressed"),
            "{compression}: {error}"
        );
    }
}

#[test]
fn a_flipped_bit_is_found_or_changes_nothing() {
    let text = chat(300);
    for (compression, compress) in ALL {
        let bytes = compress(&text);
        let (expected, _) = drain(&mut source(&bytes, None).unwrap()).unwrap();
        let mut found = 0;
        for at in (6..bytes.len()).step_by(bytes.len() / 61 + 1) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            match source(&bytes, Some(Format::Lines)).and_then(|mut all| drain(&mut all)) {
                Ok((messages, _)) => assert_eq!(messages, expected, "{compression} at {at}"),
                Err(_) => found += 1,
            }
        }
        assert!(found > 20, "{compression}: {found}");
    }
}

#[test]
fn the_window_and_dictionary_of_a_compressed_file_are_bounded() {
    // A zstd frame that asks for 1 GiB: magic, descriptor, window exponent 20.
    let (_, error) = failure(b"\x28\xb5\x2f\xfd\x00\xa0\x01\0\0");
    assert!(
        error
            .as_ref()
            .unwrap()
            .contains("1024 MiB, 100 are allowed"),
        "{error:?}"
    );
    let mut options = lzma_rust2::XzOptions::with_preset(0);
    options.lzma_options.dict_size = 256 << 20;
    let mut to = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    to.write_all(b"hi\n").unwrap();
    let (_, error) = failure(&to.finish().unwrap());
    assert!(
        error.as_ref().unwrap().contains("needs 256 MiB"),
        "{error:?}"
    );
}
