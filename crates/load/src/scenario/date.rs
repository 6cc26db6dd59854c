//! Dates of cookies (RFC 6265, section 5.1.1), which are written in several ways.

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Seconds since 1970 of a date such as `Thu, 01-Jan-1970 00:00:00 GMT`; before 1970 it is 0.
pub(super) fn unix_seconds(text: &str) -> Option<u64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|c: char| !c.is_ascii_alphanumeric() && c != ':') {
        if time.is_none() && token.contains(':') {
            time = Some(seconds_of_day(token)?);
        } else if let Ok(number) = token.parse::<i64>() {
            if day.is_none() && token.len() <= 2 {
                day = Some(number);
            } else if year.is_none() && (2..=4).contains(&token.len()) {
                year = Some(number);
            }
        } else if month.is_none() {
            let start = token.get(..3).unwrap_or_default();
            month = (1..)
                .zip(MONTHS)
                .find(|(_, known)| known.eq_ignore_ascii_case(start));
        }
    }
    let (time, day, month) = (time?, day?, month?.0);
    let year = match year? {
        short @ 0..=69 => short + 2000,
        short @ 70..=99 => short + 1900,
        year => year,
    };
    if !(1..=31).contains(&day) || year < 1601 {
        return None;
    }
    let days = days_since_epoch(year, month, day);
    Some(u64::try_from(days).map_or(0, |days| days * 86_400 + time))
}

fn seconds_of_day(text: &str) -> Option<u64> {
    let mut parts = text.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let is_time = parts.next().is_none() && hour < 24 && minute < 60 && second < 60;
    is_time.then(|| hour * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 in the Gregorian calendar. The year is taken to begin in March, so that the day that some years
/// have more is its last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let since_march = (month + 9) % 12;
    let day_of_year = (153 * since_march + 2) / 5 + day - 1;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_are_read_as_they_are_written() {
        for (text, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 01-Jan-1970 00:00:10 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Thu, 29 Feb 2024 12:00:00 GMT", Some(1_709_208_000)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("Mon, 01 Jan 1900 00:00:00 GMT", Some(0)),
            ("0", None),
            ("tomorrow", None),
            ("Thu, 01 Jan 1970 24:00:00 GMT", None),
            ("Thu, 32 Jan 1970 00:00:00 GMT", None),
        ] {
            assert_eq!(unix_seconds(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), digits in "[0-9:]{0,40} Jan [0-9 :]{0,40}") {
            let _ = unix_seconds(&text);
            let _ = unix_seconds(&digits);
        }
    }
}
