//! The Huffman code of HPACK (RFC 7541 5.2 and Appendix B).
//!
//! The code is canonical: symbols of a length have consecutive codes, in the order of the symbols, and shorter codes
//! come first. The lengths therefore say all of it; the tables are computed from them by the compiler.

use super::fault::Fault;

/// Bits of each symbol's code, by symbol; the last is the end of string, which may not occur.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, // 0
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, // 16
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, // space
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, // 0
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, // @
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, // P
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, // `
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, // p
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, // 128
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, // 144
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, // 160
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, // 176
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, // 192
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, // 208
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, // 224
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, // 240
    30,
];
const LONGEST: usize = 30;
const END: u16 = 256;

/// What is read at once: the symbol and length of every code of up to this many bits.
const SHORT: usize = 8;

struct Code {
    /// By symbol.
    codes: [u32; 257],
    /// Symbols in the order of their codes.
    order: [u16; 257],
    /// By length: the first code that is longer, as the leading bits of 32.
    limits: [u32; LONGEST + 1],
    /// By length: its first code, and where its symbol stands in `order`.
    firsts: [(u32, u16); LONGEST + 1],
    /// By the next bits: symbol and length; length 0 where the code is longer.
    short: [(u8, u8); 1 << SHORT],
}

static CODE: Code = Code::new();

impl Code {
    const fn new() -> Self {
        let mut made = Self {
            codes: [0; 257],
            order: [0; 257],
            limits: [0; LONGEST + 1],
            firsts: [(0, 0); LONGEST + 1],
            short: [(0, 0); 1 << SHORT],
        };
        let mut next = 0u32;
        let mut placed = 0;
        let mut length = 1;
        while length <= LONGEST {
            next <<= 1;
            made.firsts[length] = (next, placed as u16);
            let mut symbol = 0;
            while symbol < LENGTHS.len() {
                if LENGTHS[symbol] as usize == length {
                    made.codes[symbol] = next;
                    made.order[placed] = symbol as u16;
                    made.fill_short(symbol, next, length);
                    placed += 1;
                    next += 1;
                }
                symbol += 1;
            }
            // At the longest length every code is taken, and the limit wraps to 0: nothing is longer.
            made.limits[length] = (((next as u64) << (32 - length)) & 0xffff_ffff) as u32;
            length += 1;
        }
        made
    }

    const fn fill_short(&mut self, symbol: usize, code: u32, length: usize) {
        if length > SHORT {
            return;
        }
        let first = (code as usize) << (SHORT - length);
        let mut at = first;
        while at < first + (1 << (SHORT - length)) {
            self.short[at] = (symbol as u8, length as u8);
            at += 1;
        }
    }

    /// The symbol and length of the code that these 32 bits begin with.
    fn find_long(&self, bits: u32) -> (u16, usize) {
        let length = (SHORT + 1..LONGEST)
            .find(|&length| bits < self.limits[length])
            .unwrap_or(LONGEST);
        let (first, at) = self.firsts[length];
        let code = bits >> (32 - length);
        (self.order[at as usize + (code - first) as usize], length)
    }
}

/// Bytes that the text takes when encoded.
pub fn encoded_len(text: &[u8]) -> usize {
    let bits: usize = text
        .iter()
        .map(|&byte| usize::from(LENGTHS[usize::from(byte)]))
        .sum();
    bits.div_ceil(8)
}

pub fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0u64, 0);
    for &byte in text {
        let length = LENGTHS[usize::from(byte)];
        bits = (bits << length) | u64::from(CODE.codes[usize::from(byte)]);
        count += length;
        while count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    if count > 0 {
        // The rest of the last byte is the beginning of the end-of-string code: ones.
        out.push(((bits << (8 - count)) as u8) | (0xff >> count));
    }
}

/// Appends the decoded text to `out`. A fault when the end of string occurs, or the padding is longer than 7 bits or
/// not all ones.
pub fn decode(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut rest = bytes.iter();
    // The next bits, from the highest; below them ones, as the padding is.
    let (mut bits, mut count) = (0u64, 0usize);
    loop {
        while count <= 32 {
            let Some(&byte) = rest.next() else { break };
            bits |= u64::from(byte) << (56 - count);
            count += 8;
        }
        if count == 0 {
            return Ok(());
        }
        let next = ((bits | (u64::MAX >> count)) >> 32) as u32;
        let (short, length) = CODE.short[(next >> (32 - SHORT)) as usize];
        let (symbol, length) = match length {
            0 => CODE.find_long(next),
            length => (u16::from(short), usize::from(length)),
        };
        if length > count {
            let is_padding = count < 8 && next == u32::MAX;
            return if is_padding {
                Ok(())
            } else {
                Err(Fault::Compression)
            };
        }
        if symbol == END {
            return Err(Fault::Compression);
        }
        out.push(symbol as u8);
        bits <<= length;
        count -= length;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        decode(bytes, &mut out).map(|()| out)
    }

    #[test]
    fn the_codes_are_those_of_appendix_b() {
        let known = [
            (0, 0x1ff8),
            (1, 0x7f_ffd8),
            (9, 0xff_ffea),
            (10, 0x3fff_fffc),
            (13, 0x3fff_fffd),
            (22, 0x3fff_fffe),
            (92, 0x7_fff0),
            (127, 0xfff_fffc),
            (195, 0x7_fff1),
            (199, 0x1ff_ffec),
            (220, 0xfff_fffd),
            (240, 0x3ff_ffeb),
            (241, 0x7ff_ffe6),
            (249, 0xfff_fffe),
            (255, 0x3ff_ffee),
            (256, 0x3fff_ffff),
        ];
        for (symbol, code) in known {
            assert_eq!(CODE.codes[symbol], code, "{symbol}");
        }
        let taken: u64 = LENGTHS
            .iter()
            .map(|&length| 1 << (LONGEST - usize::from(length)))
            .sum();
        assert_eq!(taken, 1 << LONGEST);
    }

    #[test]
    fn every_pair_of_bytes_comes_back() {
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                let text = [first, second, first];
                let mut out = Vec::new();
                encode(&text, &mut out);
                assert_eq!(out.len(), encoded_len(&text));
                assert_eq!(decoded(&out).unwrap(), text);
            }
        }
    }

    #[test]
    fn strings_of_appendix_c() {
        let known: [(&str, &[u8]); 4] = [
            (
                "www.example.com",
                &[
                    0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
                ],
            ),
            ("no-cache", &[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]),
            (
                "custom-value",
                &[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf],
            ),
            ("private", &[0xae, 0xc3, 0x77, 0x1a, 0x4b]),
        ];
        for (text, bytes) in known {
            let mut out = Vec::new();
            encode(text.as_bytes(), &mut out);
            assert_eq!(out, bytes, "{text}");
            assert_eq!(decoded(bytes).unwrap(), text.as_bytes());
        }
    }

    /// Bit by bit, as the RFC tells it.
    fn decoded_slowly(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        let (mut code, mut length) = (0u32, 0u8);
        for bit in bytes
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1))
        {
            code = code << 1 | u32::from(bit);
            length += 1;
            if let Some(symbol) =
                (0..257).find(|&at| LENGTHS[at] == length && CODE.codes[at] == code)
            {
                out.push(u8::try_from(symbol).map_err(|_| Fault::Compression)?);
                (code, length) = (0, 0);
            }
        }
        let is_padding = length < 8 && code + 1 == 1 << length;
        if is_padding {
            Ok(out)
        } else {
            Err(Fault::Compression)
        }
    }

    proptest! {
        #![proptest_config(crate::long::cases(300))]
        #[test]
        fn any_bytes_are_read_as_bit_by_bit(mut bytes: [u8; 24], ones in 0..32usize, length in 0..24usize) {
            // Ones make long codes and paddings more frequent.
            bytes.iter_mut().skip(ones).take(4).for_each(|byte| *byte = 0xff);
            prop_assert_eq!(decoded(&bytes[..length]), decoded_slowly(&bytes[..length]));
        }

        #[test]
        fn any_text_comes_back(text: Vec<u8>) {
            let mut out = Vec::new();
            encode(&text, &mut out);
            prop_assert_eq!(out.len(), encoded_len(&text));
            prop_assert_eq!(decoded_slowly(&out), Ok(text.clone()));
            prop_assert_eq!(decoded(&out), Ok(text));
        }
    }

    #[test]
    fn wrong_ends_are_faults() {
        let wrong: [(&str, &[u8]); 6] = [
            ("eight bits of padding", &[0xff]),
            ("padding after a symbol of 8 bits", &[0xf8, 0xff]),
            ("zeros as padding", &[0b0001_1000]),
            ("the end of string", &[0xff, 0xff, 0xff, 0xff]),
            (
                "the end of string, then a symbol",
                &[0xff, 0xff, 0xff, 0xfc, 0x7f],
            ),
            ("a code that is cut", &[0xff, 0xff]),
        ];
        for (what, bytes) in wrong {
            assert_eq!(decoded(bytes), Err(Fault::Compression), "{what}");
        }
        assert_eq!(decoded(&[]).unwrap(), b"");
        assert_eq!(decoded(&[0b0001_1111]).unwrap(), b"a");
    }
}
