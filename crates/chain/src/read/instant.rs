//! Times as exports write them, to milliseconds since 1970.

/// Numbers from here on are milliseconds: as seconds they would lie after the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

/// A number of seconds or of milliseconds; none when it is out of range.
pub(super) fn of_number(number: f64) -> Option<i64> {
    let scaled = if number.abs() >= MILLISECONDS_FROM {
        number
    } else {
        number * 1000.0
    };
    (scaled.is_finite() && scaled.abs() < 9e15).then(|| scaled.round() as i64)
}

/// RFC 3339, section 5.6: `2024-05-17T09:30:00.250+02:00`. A space may stand for the T, and a
/// missing offset means UTC, as many exports write it.
pub(super) fn of_text(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| -> Option<i64> {
        let part = bytes.get(from..to)?;
        part.iter().all(u8::is_ascii_digit).then(|| {
            part.iter()
                .fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'))
        })
    };
    let mark = |at: usize, allowed: &[u8]| bytes.get(at).is_some_and(|b| allowed.contains(b));
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    let marked = mark(4, b"-") && mark(7, b"-") && mark(10, b"Tt ");
    if !marked || !mark(13, b":") || !mark(16, b":") {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 || day < 1 || day > days_in(year, month)? {
        return None;
    }
    let (milliseconds, rest) = fraction(&bytes[19..])?;
    let seconds = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60;
    // A leap second is the last one of its minute a second time.
    Some((seconds + second.min(59) - offset(rest)?) * 1000 + milliseconds)
}

/// The milliseconds of `.250` and what follows them.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.' | b',', digits)) = rest.split_first() else {
        return Some((0, rest));
    };
    let length = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let milliseconds = (0..3).fold(0, |sum, at| {
        let digit = digits[..length].get(at).map_or(0, |b| b - b'0');
        sum * 10 + i64::from(digit)
    });
    (length > 0).then(|| (milliseconds, &digits[length..]))
}

/// Seconds east of UTC.
fn offset(rest: &[u8]) -> Option<i64> {
    let (sign, [h, g, b':', m, n]) = (match rest {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    }) else {
        return None;
    };
    if ![h, g, m, n].into_iter().all(u8::is_ascii_digit) {
        return None;
    }
    let two = |tens: &u8, ones: &u8| i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
    let (hours, minutes) = (two(h, g), two(m, n));
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_in(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

/// In the Gregorian calendar, counted in years that begin in March so that the leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 306 days lie between March and January; (153 m + 2) / 5 is the day a month begins on.
    let days = year * 365 + leap_days + (153 * month + 2) / 5 + day - 1;
    days - (1969 * 365 + 492 - 19 + 4 + 306)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_in_its_spellings() {
        assert_eq!(of_text("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(of_text("1969-12-31T23:59:59.5Z"), Some(-500));
        assert_eq!(of_text("2000-02-29T12:00:00Z"), Some(951_825_600_000));
        assert_eq!(
            of_text("2021-03-14T15:09:26.535+00:00"),
            Some(1_615_734_566_535)
        );
        assert_eq!(
            of_text("2021-03-14 17:39:26.535897+02:30"),
            Some(1_615_734_566_535)
        );
        assert_eq!(of_text("2021-03-14t15:09:26"), Some(1_615_734_566_000));
        assert_eq!(
            of_text("2016-12-31T23:59:60Z"),
            of_text("2016-12-31T23:59:59Z")
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2021-02-29T00:00:00Z",
            "2021-13-01T00:00:00Z",
            "2021-01-01",
            "2021-01-01T24:00:00Z",
            "2021-01-01T00:00:00.Z",
            "2021-01-01T00:00:00+2",
            "2021-01-01T00:00:00Zulu",
        ] {
            assert_eq!(of_text(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_seconds_or_milliseconds_by_their_size() {
        assert_eq!(of_number(1_615_734_566.0), Some(1_615_734_566_000));
        assert_eq!(of_number(1_615_734_566_535.0), Some(1_615_734_566_535));
        assert_eq!(of_number(-1.5), Some(-1500));
        assert_eq!(of_number(f64::INFINITY), None);
        assert_eq!(of_number(1e300), None);
    }
}
