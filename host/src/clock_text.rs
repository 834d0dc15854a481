//! Points in time as text, for logs and lists.

use time::OffsetDateTime;
use time::macros::format_description;

/// A time (seconds since 1970) in UTC; none: `-`.
pub fn utc(seconds: impl Into<Option<i64>>) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    let time = seconds.into().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.and_then(|time| time.format(format).ok()).unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_utc() {
        assert_eq!(utc(0), "1970-01-01 00:00:00Z");
        assert_eq!(utc(None), "-");
    }
}
