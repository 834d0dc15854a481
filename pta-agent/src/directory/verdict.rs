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

/// A domain controller's answer to a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BindAnswer {
    /// It accepted or refused the password.
    Verdict(DirectoryVerdict),
    /// 57: the name leads to no account, or to several. For the tenant it is a wrong password.
    UnknownName,
}

impl BindAnswer {
    /// The answer for the administrator who tries a password, with AD's code.
    pub(super) fn in_words(self) -> String {
        let words = match self {
            Self::UnknownName => "it knows no account of this name, or several (57)",
            Self::Verdict(DirectoryVerdict::Valid) => "the password is accepted",
            Self::Verdict(DirectoryVerdict::Wrong) => {
                "the password is wrong, or it knows no such account (52e, 525 or 56)"
            }
            Self::Verdict(DirectoryVerdict::LogonHours) => {
                "the password is right, and the account may not sign in at this hour (530)"
            }
            Self::Verdict(DirectoryVerdict::Workstation) => {
                "the password is right, and the account may sign in from certain machines only (531)"
            }
            Self::Verdict(DirectoryVerdict::PasswordExpired) => {
                "the password is right, and has expired (532)"
            }
            Self::Verdict(DirectoryVerdict::Disabled) => "the account is disabled (533)",
            Self::Verdict(DirectoryVerdict::AccountExpired) => "the account has expired (701)",
            Self::Verdict(DirectoryVerdict::MustChange) => {
                "the password is right, and must be changed before the account can sign in (773)"
            }
            Self::Verdict(DirectoryVerdict::Locked) => {
                "the account is locked, whatever its password is (775)"
            }
            Self::Verdict(DirectoryVerdict::Restricted) => {
                "the account is restricted, as members of Protected Users are (52f)"
            }
            Self::Verdict(DirectoryVerdict::Unknown(code)) => {
                return format!("it refuses with a code that is not known here ({code:x})");
            }
        };
        words.to_owned()
    }

    /// What the tenant receives.
    pub(super) fn verdict(self) -> DirectoryVerdict {
        match self {
            Self::Verdict(verdict) => verdict,
            Self::UnknownName => DirectoryVerdict::Wrong,
        }
    }
}

/// Interprets the result code (RFC 4511, appendix A) and diagnostic message of a bind. An error: this domain controller
/// cannot decide now, and why.
pub(super) fn bind_answer(code: u32, message: &str) -> Result<BindAnswer, &'static str> {
    let verdict = match code {
        0 => DirectoryVerdict::Valid,
        // invalidCredentials: AD adds a code in its message.
        49 => return sub_code(message).map_or(Ok(BindAnswer::Verdict(DirectoryVerdict::Unknown(49))), of),
        1 => return Err("it answered operationsError (1): look into its event log"),
        51 => return Err("it is busy (51)"),
        52 => return Err("it is not available (52): it starts or stops"),
        54 => return Err("something between this agent and it sends requests in a circle (54)"),
        80 => return Err("it answered with an error of its own (80): look into its event log"),
        // Codes that a bind should not return.
        other => DirectoryVerdict::Unknown(other),
    };
    Ok(BindAnswer::Verdict(verdict))
}

/// `data XXX` of `80090308: LdapErr: …, comment: AcceptSecurityContext error, data 52e, v1db1`: hexadecimal. Windows
/// ends the text with a zero byte.
fn sub_code(message: &str) -> Option<u32> {
    let (_, after) = message.split_once("AcceptSecurityContext error, data ")?;
    let digits = after.split([',', '\0']).next()?.trim();
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

/// The meaning of AD's own code (Windows: System error codes; 80090346 is an SSPI status).
fn of(code: u32) -> Result<BindAnswer, &'static str> {
    let verdict = match code {
        // ERROR_INVALID_PARAMETER: MS-ADTS 5.1.1.1.1 names it for a name that no form maps to one object.
        0x57 => return Ok(BindAnswer::UnknownName),
        // SEC_E_BAD_BINDINGS.
        0x8009_0346 => {
            return Err(
                "it wants channel bindings of TLS for this bind (80090346): nothing on the way to it may end TLS, and \
                 its policy LdapEnforceChannelBinding must admit simple binds",
            );
        }
        // ERROR_INVALID_PASSWORD, ERROR_NO_SUCH_USER, ERROR_LOGON_FAILURE.
        0x56 | 0x525 | 0x52e => DirectoryVerdict::Wrong,
        0x52f | 0x569 => DirectoryVerdict::Restricted,
        0x530 => DirectoryVerdict::LogonHours,
        0x531 => DirectoryVerdict::Workstation,
        0x532 => DirectoryVerdict::PasswordExpired,
        0x533 => DirectoryVerdict::Disabled,
        0x701 => DirectoryVerdict::AccountExpired,
        0x773 => DirectoryVerdict::MustChange,
        0x775 => DirectoryVerdict::Locked,
        unknown => DirectoryVerdict::Unknown(unknown),
    };
    Ok(BindAnswer::Verdict(verdict))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn message(data: &str) -> String {
        format!("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {data}, v1db1")
    }

    #[test]
    fn every_code_that_is_known_has_its_verdict() {
        for (data, verdict) in [
            ("52e", DirectoryVerdict::Wrong),
            ("56", DirectoryVerdict::Wrong),
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
            assert_eq!(bind_answer(49, &message(data)), Ok(BindAnswer::Verdict(verdict)), "{data}");
        }
    }

    #[test]
    fn a_name_that_leads_to_no_account_is_a_wrong_password_to_the_tenant_and_known_here() {
        for data in ["57", "057", "00000057"] {
            let answer = bind_answer(49, &message(data)).unwrap();
            assert_eq!(
                (answer, answer.verdict()),
                (BindAnswer::UnknownName, DirectoryVerdict::Wrong),
                "{data}"
            );
        }
    }

    #[test]
    fn a_controller_that_wants_channel_bindings_or_is_busy_gives_no_verdict_and_its_reason_says_what_to_do() {
        let text =
            "80090346: LdapErr: DSID-0C0905FF, comment: AcceptSecurityContext error, data 80090346, v4563\0";
        assert!(bind_answer(49, text).unwrap_err().contains("LdapEnforceChannelBinding"));
        for code in [1, 51, 52, 54, 80] {
            let why = bind_answer(code, "").unwrap_err();
            assert!(why.contains(&code.to_string()), "{why}");
        }
    }

    #[test]
    fn windows_zero_byte_and_version_behind_the_code_do_no_harm() {
        for text in [
            "80090308: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data 52e, v4563\0",
            "80090308: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data 52e, v4563",
            "80090308: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data 52e\0",
            "80090308: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data 52e",
        ] {
            let wrong = Ok(BindAnswer::Verdict(DirectoryVerdict::Wrong));
            assert_eq!(bind_answer(49, text), wrong, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_never_a_success() {
        for text in
            ["", "data 52e", "AcceptSecurityContext error, data , v", &message("xyz"), &message("123456789")]
        {
            let unknown = Ok(BindAnswer::Verdict(DirectoryVerdict::Unknown(49)));
            assert_eq!(bind_answer(49, text), unknown, "{text}");
        }
        for code in 1..200 {
            assert_ne!(
                bind_answer(code, &message("0")),
                Ok(BindAnswer::Verdict(DirectoryVerdict::Valid)),
                "{code}"
            );
        }
    }
}
