//! The value of a Password Modify request (RFC 3062 2): the person, the old password and the new one. Pure.
//!
//! The value is split by its own lengths and not by a decoder that would keep copies: each password is copied once,
//! with its right size, into a type that is wiped.
//! Neighbours: [`super::message`] decodes the request around it, `change_password` makes the change.

use super::framing::split;
use super::message::{Limits, entry_name};
use super::response::ResultCode;
use landbridge_crypto::secret::Password;
use zeroize::Zeroizing;

/// A decoded request. An empty part counts as absent: no account has an empty name or signs in with an empty password.
#[derive(Debug, Default)]
pub struct PasswordModify {
    /// `userIdentity`: a distinguished name, or another form of a name. None: the person who is signed in.
    pub user: Option<String>,
    /// `oldPasswd`
    pub old: Option<SentPassword>,
    /// `newPasswd`. None: the client requests that the server generates one.
    pub new: Option<SentPassword>,
}

/// A password as the client sent it.
#[derive(Debug)]
pub enum SentPassword {
    /// Octets that are UTF-8.
    Text(Password),
    /// Octets that are not UTF-8.
    NotText,
}

/// The tags of the parts.
const USER_IDENTITY: u8 = 0x80;
const OLD_PASSWORD: u8 = 0x81;
const NEW_PASSWORD: u8 = 0x82;
const SEQUENCE: u8 = 0x30;

/// Decodes the value of the request. A request without a value has no part. The error is the code and the message of
/// the answer.
pub fn decode(value: Option<&[u8]>, limits: &Limits) -> Result<PasswordModify, (ResultCode, &'static str)> {
    const WRONG: (ResultCode, &str) =
        (ResultCode::ProtocolError, "the request to change a password is malformed");
    let mut request = PasswordModify::default();
    let Some(value) = value else { return Ok(request) };
    let (whole, after) = split(value).map_err(|_| WRONG)?;
    if whole.tag != SEQUENCE || !after.is_empty() {
        return Err(WRONG);
    }
    // Each part comes at most once, and they come in this order.
    let mut content = whole.content;
    let mut last = 0;
    while !content.is_empty() {
        let (part, after) = split(content).map_err(|_| WRONG)?;
        if part.tag <= last {
            return Err(WRONG);
        }
        match part.tag {
            USER_IDENTITY => {
                request.user = Some(entry_name(part.content, limits)?).filter(|name| !name.is_empty())
            }
            OLD_PASSWORD => request.old = password(part.content),
            NEW_PASSWORD => request.new = password(part.content),
            _ => return Err(WRONG),
        }
        (content, last) = (after, part.tag);
    }
    Ok(request)
}

fn password(content: &[u8]) -> Option<SentPassword> {
    if content.is_empty() {
        return None;
    }
    Some(match String::from_utf8(content.to_vec()) {
        Ok(text) => SentPassword::Text(Password::new(text)),
        Err(other) => {
            drop(Zeroizing::new(other.into_bytes()));
            SentPassword::NotText
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn part(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x84], &length[..], content].concat()
    }

    fn of(parts: &[Vec<u8>]) -> Result<PasswordModify, (ResultCode, &'static str)> {
        decode(Some(&part(SEQUENCE, &parts.concat())), &Limits::DEFAULT)
    }

    fn text(password: Option<SentPassword>) -> Option<String> {
        match password? {
            SentPassword::Text(password) => Some(password.lend(str::to_owned)),
            SentPassword::NotText => Some("no text".to_owned()),
        }
    }

    fn texts(request: PasswordModify) -> [Option<String>; 3] {
        [request.user, text(request.old), text(request.new)]
    }

    #[test]
    fn every_part_may_be_absent_or_empty() {
        let some = |text: &str| Some(text.to_owned());
        let (user, old, new) = (
            part(USER_IDENTITY, b"uid=a,dc=b"),
            part(OLD_PASSWORD, b"o"),
            part(NEW_PASSWORD, "n\u{e9}".as_bytes()),
        );
        let all = [user.clone(), old.clone(), new.clone()];
        assert_eq!(texts(of(&all).unwrap()), [some("uid=a,dc=b"), some("o"), some("n\u{e9}")]);
        assert_eq!(texts(of(&[old]).unwrap()), [None, some("o"), None]);
        assert_eq!(texts(of(&[user, new]).unwrap()), [some("uid=a,dc=b"), None, some("n\u{e9}")]);
        let empty = [USER_IDENTITY, OLD_PASSWORD, NEW_PASSWORD].map(|tag| part(tag, b""));
        for request in [of(&[]), of(&empty), decode(None, &Limits::DEFAULT)] {
            assert_eq!(texts(request.unwrap()), [None, None, None]);
        }
        let octets = of(&[part(OLD_PASSWORD, b"\xff\xfe"), part(NEW_PASSWORD, b"\xc3")]).unwrap();
        assert_eq!(texts(octets), [None, some("no text"), some("no text")]);
    }

    #[test]
    fn what_is_twice_in_another_order_or_of_another_kind_is_refused() {
        let (user, old, new) =
            (part(USER_IDENTITY, b"a"), part(OLD_PASSWORD, b"o"), part(NEW_PASSWORD, b"n"));
        for parts in [
            vec![old.clone(), user.clone()],
            vec![new.clone(), old.clone()],
            vec![old.clone(), old.clone()],
            vec![part(OLD_PASSWORD, b""), old.clone()],
            vec![user.clone(), part(0x83, b"x")],
            vec![part(0x04, b"a")],
            vec![part(0xa1, &old)],
            vec![part(0x81, b"o").into_iter().take(4).collect()],
        ] {
            assert_eq!(of(&parts).unwrap_err().0, ResultCode::ProtocolError, "{parts:x?}");
        }
        let whole = part(SEQUENCE, &[user, old, new].concat());
        for value in [&[][..], b"x", &part(0x31, b""), &[&whole[..], b"x"].concat()] {
            assert_eq!(decode(Some(value), &Limits::DEFAULT).unwrap_err().0, ResultCode::ProtocolError);
        }
    }

    #[test]
    fn a_name_is_a_text_within_its_limit() {
        let limits = Limits { name: 3, ..Limits::DEFAULT };
        let named = |name: &[u8]| decode(Some(&part(SEQUENCE, &part(USER_IDENTITY, name))), &limits);
        assert_eq!(named(b"abc").unwrap().user.as_deref(), Some("abc"));
        assert_eq!(named(b"abcd").unwrap_err().0, ResultCode::AdminLimitExceeded);
        for name in [&b"\xff"[..], b"a\0"] {
            assert_eq!(named(name).unwrap_err().0, ResultCode::InvalidDnSyntax);
        }
    }

    #[test]
    fn nothing_that_is_printed_has_a_password() {
        let request = of(&[part(OLD_PASSWORD, b"Hunter2!"), part(NEW_PASSWORD, b"Hunter3!")]).unwrap();
        assert!(!format!("{request:?}").contains("Hunter"));
    }
}
