//! The scripts that are written without spaces between words: a data table.

/// Blocks of Unicode, first and last character, in order.
const SPACELESS: [(char, char); 27] = [
    ('\u{0e00}', '\u{0eff}'),   // Thai, Lao
    ('\u{0f00}', '\u{0fff}'),   // Tibetan
    ('\u{1000}', '\u{109f}'),   // Myanmar
    ('\u{1780}', '\u{17ff}'),   // Khmer
    ('\u{1950}', '\u{19df}'),   // Tai Le, New Tai Lue
    ('\u{1a20}', '\u{1aaf}'),   // Tai Tham
    ('\u{1b00}', '\u{1b7f}'),   // Balinese
    ('\u{2e80}', '\u{2fdf}'),   // radicals
    ('\u{3005}', '\u{3007}'),   // iteration mark, closing mark, zero
    ('\u{3021}', '\u{3029}'),   // Hangzhou numerals
    ('\u{3031}', '\u{3035}'),   // Kana repeat marks
    ('\u{3038}', '\u{303c}'),   // Hangzhou numerals, iteration mark
    ('\u{3040}', '\u{30ff}'),   // Hiragana, Katakana
    ('\u{3100}', '\u{312f}'),   // Bopomofo
    ('\u{31a0}', '\u{31bf}'),   // Bopomofo
    ('\u{31f0}', '\u{31ff}'),   // Katakana
    ('\u{3400}', '\u{4dbf}'),   // Han
    ('\u{4e00}', '\u{9fff}'),   // Han
    ('\u{a000}', '\u{a4cf}'),   // Yi
    ('\u{a980}', '\u{a9df}'),   // Javanese
    ('\u{a9e0}', '\u{a9ff}'),   // Myanmar
    ('\u{aa60}', '\u{aadf}'),   // Myanmar, Tai Viet
    ('\u{f900}', '\u{faff}'),   // Han
    ('\u{ff66}', '\u{ff9f}'),   // Katakana, half width
    ('\u{1aff0}', '\u{1b16f}'), // Kana
    ('\u{20000}', '\u{2fa1f}'), // Han
    ('\u{30000}', '\u{323af}'), // Han
];

/// Whether the character belongs to a script whose words stand without spaces between them.
pub(super) fn is_spaceless(character: char) -> bool {
    if character < SPACELESS[0].0 {
        return false;
    }
    let after = SPACELESS.partition_point(|&(first, _)| first <= character);
    after > 0 && character <= SPACELESS[after - 1].1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        for pair in SPACELESS.windows(2) {
            assert!(pair[0].0 <= pair[0].1 && pair[0].1 < pair[1].0, "{pair:?}");
        }
    }

    #[test]
    fn letters_are_told_apart() {
        for character in "漢かカｶไລខမ𠀀".chars() {
            assert!(is_spaceless(character), "{character}");
        }
        for character in "aéяابअ한😀 。".chars() {
            assert!(!is_spaceless(character), "{character}");
        }
    }
}
