//! KRB-ERROR (RFC 4120 5.9.1), read out of a KDC's reply: `sspi` tells such errors as text only.
//! Two fields are of use, its code and the KDC's time; the rest is skipped.

use crate::error::Error;

/// What the KDC says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KrbError {
    /// RFC 4120 7.5.9.
    pub code: u32,
    /// The KDC's time, seconds since 1970-01-01 UTC.
    pub time: Option<i64>,
}

/// KDC_ERR_PREAUTH_REQUIRED: not a failure, but how an exchange begins.
pub const PREAUTH_REQUIRED: u32 = 25;

const APPLICATION_30: u8 = 0x7e;
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const GENERALIZED_TIME: u8 = 0x18;
const STIME: u8 = 0xa4;
const ERROR_CODE: u8 = 0xa6;

impl KrbError {
    /// Reads a reply, with the four bytes of its length in front. `None` when it is another message; what is
    /// wrong with that is for the security package to say.
    pub fn parse(reply: &[u8]) -> Option<Self> {
        let (_, message) = reply.split_first_chunk::<4>()?;
        let (tag, body, _) = element(message)?;
        let (sequence, mut fields, _) = element(body)?;
        if tag != APPLICATION_30 || sequence != SEQUENCE {
            return None;
        }
        let (mut code, mut time) = (None, None);
        while !fields.is_empty() {
            let (tag, field, rest) = element(fields)?;
            fields = rest;
            match (tag, element(field)) {
                (ERROR_CODE, Some((INTEGER, bytes, _))) if (1..=4).contains(&bytes.len()) => {
                    code = Some(bytes.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte)));
                }
                (STIME, Some((GENERALIZED_TIME, bytes, _))) => time = seconds(bytes),
                _ => {}
            }
        }
        Some(Self { code: code?, time })
    }

    /// What it means for who must act.
    pub fn into_error(self, account: &str, service: &str, domain: &str) -> Error {
        let account = account.to_owned();
        match (self.code, self.time) {
            (1 | 18, _) => Error::AccountRevoked { account },
            (6, _) => Error::UnknownAccount { account: format!("{account}@{domain}") },
            (7, _) => Error::UnknownService { service: service.to_owned() },
            (14, _) => Error::NoCommonEncryption { account },
            (23, _) => Error::PasswordExpired { account },
            (24 | 31, _) => Error::WrongPassword { account },
            (29, _) => Error::Unfit {
                why: format!(
                    "its KDC cannot serve {account} (a read-only DC answers so, for it holds no password of it)"
                ),
            },
            (37, Some(controller_time)) => Error::ClockSkew { controller_time },
            (68, _) => Error::WrongRealm { domain: domain.to_owned() },
            (code, _) => Error::KdcRefused { account, code },
        }
    }
}

/// One DER element: tag, content, what follows. Lengths of up to three bytes: replies are bounded below that.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (length, rest) = match rest.split_first()? {
        (short @ 0..=0x7f, rest) => (usize::from(*short), rest),
        (long @ 0x81..=0x83, rest) => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (digits.iter().fold(0usize, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// `YYYYMMDDHHMMSSZ`, the only form that Kerberos allows (RFC 4120 5.2.3).
fn seconds(text: &[u8]) -> Option<i64> {
    let digits = text
        .strip_suffix(b"Z")
        .filter(|digits| digits.len() == 14 && digits.iter().all(u8::is_ascii_digit))?;
    let number = |from: usize, to: usize| {
        digits
            .get(from..to)
            .map(|part| part.iter().fold(0i64, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since the epoch, counted in years that begin in March, so that leap days come last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + number(8, 10)? * 3600 + number(10, 12)? * 60 + number(12, 14)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag, u8::try_from(content.len()).unwrap()];
        bytes.extend_from_slice(content);
        bytes
    }

    fn reply(code: u8) -> Vec<u8> {
        let fields = [
            wrap(0xa0, &wrap(INTEGER, &[5])),
            wrap(0xa1, &wrap(INTEGER, &[30])),
            wrap(STIME, &wrap(GENERALIZED_TIME, b"20261122003000Z")),
            wrap(0xa5, &wrap(INTEGER, &[1, 2])),
            wrap(ERROR_CODE, &wrap(INTEGER, &[code])),
        ];
        let message = wrap(APPLICATION_30, &wrap(SEQUENCE, &fields.concat()));
        [u32::try_from(message.len()).unwrap().to_be_bytes().to_vec(), message].concat()
    }

    #[test]
    fn the_code_and_the_time_are_read() {
        assert_eq!(KrbError::parse(&reply(37)), Some(KrbError { code: 37, time: Some(1_795_307_400) }));
        let error = KrbError::parse(&reply(37)).unwrap().into_error("a", "s", "d");
        assert_eq!(error, Error::ClockSkew { controller_time: 1_795_307_400 });
    }

    #[test]
    fn a_read_only_dc_is_refused_by_name() {
        let error = KrbError::parse(&reply(29)).unwrap().into_error("svc", "s", "d");
        assert!(matches!(&error, Error::Unfit { why } if why.contains("read-only DC")), "{error}");
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(seconds(b"19700101000000Z"), Some(0));
        assert_eq!(seconds(b"20000229235959Z"), Some(951_868_799));
        assert_eq!(seconds(b"20000301000000Z"), Some(951_868_800));
        assert_eq!(seconds(b"20001301000000Z"), None);
        assert_eq!(seconds(b"2000010100000Z"), None);
    }

    #[test]
    fn a_cut_or_flipped_reply_never_panics() {
        let whole = reply(24);
        for end in 0..whole.len() {
            assert_eq!(KrbError::parse(&whole[..end]), None, "{end}");
        }
        for at in 0..whole.len() {
            for value in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut bent = whole.clone();
                bent[at] = value;
                let _ = KrbError::parse(&bent);
            }
        }
    }
}
