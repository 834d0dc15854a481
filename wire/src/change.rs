//! A change of password on its way to an agent and back, over the same connection as [`crate::signin`].
//!
//! The tenant sends a [`ChangeRequest`] only to an agent with the ability [`CHANGE_PASSWORD`]. The agent returns a
//! [`ChangeAnswer`], or declines as it declines a sign-in. It declines only if no password was changed. A message with
//! a field that is not known is refused.

use crate::bounded::{Blob, Text};
use crate::directory_verdict::DirectoryVerdict;
use landbridge_crypto::envelope::change::MAX_SEALED_CHANGE;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Name in the agent's hello: the agent changes passwords.
pub const CHANGE_PASSWORD: &str = "change-password";
/// Limit on the bytes of a sAMAccountName. AD accepts 256 characters, and users have 20 at most.
pub const MAX_ACCOUNT: usize = 768;
/// Limit on the bytes of a reason in the directory's own words.
pub const MAX_REASON: usize = 1_024;

/// Requests the change of an account's password. The envelope authenticates the fields of this request
/// ([`landbridge_crypto::envelope::change::AboutChange`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// Random name of this delivery. An agent opens a delivery once.
    pub request: Uuid,
    /// objectGUID of the account.
    pub object: Uuid,
    /// objectSid of the account, `S-1-5-21-…`.
    pub sid: Text<64>,
    /// sAMAccountName of the account. A KDC finds the account by this name.
    pub account: Text<MAX_ACCOUNT>,
    /// The deadline, in milliseconds on the connection's clock. The tenant does not wait longer.
    pub due: u64,
    /// HPKE's `enc`.
    pub encapsulated: Blob<32>,
    /// The sealed passwords, the old one first.
    pub sealed: Blob<MAX_SEALED_CHANGE>,
}

/// The answer to a request for a change of password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeAnswer {
    /// The [`ChangeRequest::request`] that this answers.
    pub request: Uuid,
    /// The outcome.
    pub outcome: ChangeOutcome,
    /// HMAC-SHA256 under the envelope's answer key over [`ChangeOutcome::authenticated`].
    pub tag: Blob<32>,
}

/// The outcome of a change that reached a domain controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ChangeOutcome {
    /// The new password is in force.
    Changed {
        /// pwdLastSet of the account after the change: FILETIME. None: it could not be read.
        password_set: Option<i64>,
    },
    /// The directory refused the old password or the account. Nothing was changed.
    OldRefused(DirectoryVerdict),
    /// The directory refused the new password. Nothing was changed.
    NewRefused(NewRefused),
    /// The change was sent, and it is not known whether it was made.
    NotKnown,
}

/// A directory's reason to refuse a new password.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum NewRefused {
    /// The password is too short.
    TooShort {
        /// The fewest characters.
        minimum: u32,
    },
    /// The password is one of the account's former passwords.
    InHistory {
        /// How many former passwords are remembered.
        remembered: u32,
    },
    /// The password has too few kinds of characters, or contains the account's name.
    NotComplex,
    /// The account may not change its password, or not so soon after the last change.
    NotPermitted,
    /// The password breaks one of these rules. Windows sends all of them, and not which one was broken.
    Rules(PasswordRules),
    /// Another reason, in the directory's own words. They are shown to the person unchanged.
    Other(Text<MAX_REASON>),
}

/// The rules of a directory for a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordRules {
    /// The fewest characters.
    pub minimum_length: u32,
    /// How many former passwords are remembered, none of which is accepted.
    pub history: u32,
    /// Whether the password must have several kinds of characters and must not contain the account's name.
    pub complex: bool,
    /// Seconds for which a password must be kept before it may be changed.
    pub minimum_age: u64,
}

impl ChangeOutcome {
    /// The bytes that the tag authenticates: the request, the kind of outcome, and its fields.
    pub fn authenticated(&self, request: Uuid) -> Vec<u8> {
        let mut bytes = request.into_bytes().to_vec();
        let mut number = |number: u64| bytes.extend_from_slice(&number.to_be_bytes());
        match self {
            Self::Changed { password_set } => {
                number(1);
                number(u64::from(password_set.is_some()));
                number(password_set.unwrap_or_default().cast_unsigned());
            }
            Self::OldRefused(verdict) => {
                number(2);
                bytes.extend_from_slice(&verdict.authenticated(request));
            }
            Self::NotKnown => number(3),
            Self::NewRefused(why) => {
                number(4);
                match why {
                    NewRefused::TooShort { minimum } => [1, u64::from(*minimum)].into_iter().for_each(number),
                    NewRefused::InHistory { remembered } => {
                        [2, u64::from(*remembered)].into_iter().for_each(number);
                    }
                    NewRefused::NotComplex => number(3),
                    NewRefused::NotPermitted => number(4),
                    NewRefused::Rules(rules) => {
                        let PasswordRules { minimum_length, history, complex, minimum_age } = *rules;
                        let (length, history) = (u64::from(minimum_length), u64::from(history));
                        [5, length, history, u64::from(complex), minimum_age].into_iter().for_each(number);
                    }
                    NewRefused::Other(text) => {
                        number(6);
                        bytes.extend_from_slice(text.as_str().as_bytes());
                    }
                }
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_outcomes_have_the_same_authenticated_bytes() {
        let rules = PasswordRules { minimum_length: 7, history: 24, complex: true, minimum_age: 86_400 };
        let changed = |password_set| ChangeOutcome::Changed { password_set };
        let refused = ChangeOutcome::NewRefused;
        let all = [
            changed(None),
            changed(Some(0)),
            changed(Some(1)),
            changed(Some(-1)),
            ChangeOutcome::OldRefused(DirectoryVerdict::Wrong),
            ChangeOutcome::OldRefused(DirectoryVerdict::Locked),
            ChangeOutcome::OldRefused(DirectoryVerdict::Unknown(1)),
            ChangeOutcome::NotKnown,
            refused(NewRefused::TooShort { minimum: 7 }),
            refused(NewRefused::TooShort { minimum: 8 }),
            refused(NewRefused::InHistory { remembered: 7 }),
            refused(NewRefused::NotComplex),
            refused(NewRefused::NotPermitted),
            refused(NewRefused::Rules(rules)),
            refused(NewRefused::Rules(PasswordRules { minimum_length: 8, ..rules })),
            refused(NewRefused::Rules(PasswordRules { history: 23, ..rules })),
            refused(NewRefused::Rules(PasswordRules { complex: false, ..rules })),
            refused(NewRefused::Rules(PasswordRules { minimum_age: 0, ..rules })),
            refused(NewRefused::Other(Text::new("no").unwrap())),
            refused(NewRefused::Other(Text::new("not").unwrap())),
        ];
        let one = Uuid::from_u128(1);
        let bytes: HashSet<Vec<u8>> = all.iter().map(|outcome| outcome.authenticated(one)).collect();
        assert_eq!(bytes.len(), all.len());
        assert!(all.iter().all(|outcome| !bytes.contains(&outcome.authenticated(Uuid::from_u128(2)))));
    }
}
