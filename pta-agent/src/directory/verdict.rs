//! What a domain controller's answer to a bind means. Pure. An unknown answer is never a success.

use landbridge_wire::signin::{Decline, DirectoryVerdict};

/// Why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoVerdict {
    /// The reason, for the tenant.
    pub why: Decline,
    /// Whether the bind may have reached a domain controller.
    pub tried: bool,
}

/// The meaning of a bind's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BindAnswer {
    /// The directory accepted or refused the password.
    Verdict(DirectoryVerdict),
    /// This domain controller cannot decide now.
    Unable,
}

/// Interprets the result code (RFC 4511, appendix A) and diagnostic message of a bind.
pub(super) fn bind_answer(code: u32, message: &str) -> BindAnswer {
    match code {
        0 => BindAnswer::Verdict(DirectoryVerdict::Valid),
        // invalidCredentials: AD adds a code in its message.
        49 => BindAnswer::Verdict(sub_code(message).map_or(DirectoryVerdict::Unknown(49), of)),
        // operationsError, busy, unavailable, loop of a proxy in between, other.
        1 | 51 | 52 | 54 | 80 => BindAnswer::Unable,
        // Codes that a bind should not return.
        other => BindAnswer::Verdict(DirectoryVerdict::Unknown(other)),
    }
}

/// `data XXX` of `80090308: LdapErr: …, comment: AcceptSecurityContext error, data 52e, v1db1`: hexadecimal.
fn sub_code(message: &str) -> Option<u32> {
    let (_, after) = message.split_once("AcceptSecurityContext error, data ")?;
    let digits = after.split(',').next()?.trim();
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

fn of(code: u32) -> DirectoryVerdict {
    match code {
        0x525 | 0x52e => DirectoryVerdict::Wrong,
        0x52f | 0x569 => DirectoryVerdict::Restricted,
        0x530 => DirectoryVerdict::LogonHours,
        0x531 => DirectoryVerdict::Workstation,
        0x532 => DirectoryVerdict::PasswordExpired,
        0x533 => DirectoryVerdict::Disabled,
        0x701 => DirectoryVerdict::AccountExpired,
        0x773 => DirectoryVerdict::MustChange,
        0x775 => DirectoryVerdict::Locked,
        unknown => DirectoryVerdict::Unknown(unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(data: &str) -> String {
        format!("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {data}, v1db1")
    }

    #[test]
    fn every_code_that_is_known_has_its_verdict() {
        for (data, verdict) in [
            ("52e", DirectoryVerdict::Wrong),
            ("525", DirectoryVerdict::Wrong),
            ("52f", DirectoryVerdict::Restricted),
            ("569", DirectoryVerdict::Restricted),
            ("530", DirectoryVerdict::LogonHours),
            ("531", DirectoryVerdict::Workstation),
            ("532", DirectoryVerdict::PasswordExpired),
            ("533", DirectoryVerdict::Disabled),
            ("701", DirectoryVerdict::AccountExpired),
            ("773", DirectoryVerdict::MustChange),
            ("775", DirectoryVerdict::Locked),
            ("52E", DirectoryVerdict::Wrong),
            ("999", DirectoryVerdict::Unknown(0x999)),
        ] {
            assert_eq!(bind_answer(49, &message(data)), BindAnswer::Verdict(verdict), "{data}");
        }
    }

    #[test]
    fn what_is_not_understood_is_never_a_success() {
        for text in
            ["", "data 52e", "AcceptSecurityContext error, data , v", &message("xyz"), &message("123456789")]
        {
            assert_eq!(bind_answer(49, text), BindAnswer::Verdict(DirectoryVerdict::Unknown(49)), "{text}");
        }
        for code in 1..200 {
            assert_ne!(
                bind_answer(code, &message("0")),
                BindAnswer::Verdict(DirectoryVerdict::Valid),
                "{code}"
            );
        }
    }
}
