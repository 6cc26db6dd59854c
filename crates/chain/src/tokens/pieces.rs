//! Words cut further: into segments or into graphemes, around the parts that stay whole.

use unicode_segmentation::UnicodeSegmentation;

use super::whole;

/// Calls `emit` for the segments of a word, in order; together they are the word.
pub(super) fn segments(word: &str, mut emit: impl FnMut(&str)) {
    around_whole_parts(word, &mut emit, |plain, emit| {
        if plain.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            // By far the usual case, and UAX #29 never parts such a word.
            emit(plain);
        } else if plain.is_ascii() {
            plain.split_word_bounds().for_each(emit);
        } else {
            segments_of_graphemes(plain, emit);
        }
    });
}

/// Calls `emit` for the graphemes of a word, in order; together they are the word.
pub(super) fn graphemes(word: &str, mut emit: impl FnMut(&str)) {
    around_whole_parts(word, &mut emit, |plain, emit| {
        plain.graphemes(true).for_each(emit);
    });
}

fn around_whole_parts<E: FnMut(&str)>(
    word: &str,
    emit: &mut E,
    mut cut_plain: impl FnMut(&str, &mut E),
) {
    let mut at = 0;
    while let Some(part) = whole::find(word, at) {
        if at < part.start {
            cut_plain(&word[at..part.start], emit);
        }
        at = part.end;
        emit(&word[part]);
    }
    if at < word.len() {
        cut_plain(&word[at..], emit);
    }
}

/// A word boundary counts only where it is a grapheme boundary too: UAX #29 parts Thai and Lao
/// vowels from their consonants.
fn segments_of_graphemes(plain: &str, emit: &mut impl FnMut(&str)) {
    let mut grapheme_ends = plain
        .grapheme_indices(true)
        .map(|(at, grapheme)| at + grapheme.len());
    let mut grapheme_end = 0;
    let mut start = 0;
    for (at, segment) in plain.split_word_bound_indices() {
        let end = at + segment.len();
        while grapheme_end < end {
            grapheme_end = grapheme_ends.next().unwrap_or(plain.len());
        }
        if grapheme_end == end {
            emit(&plain[start..end]);
            start = end;
        }
    }
}
