//! What goes wrong between this client, a KDC and a service, and who must act. Texts are for people and repeat no
//! secret.

use crate::limits::{MAX_ITERATIONS, MIN_ITERATIONS};
use crate::refusal::{Read, Refusal, SKEW};
use crate::responsible::Responsible;
use std::fmt::Display;
use std::time::Duration;

/// A failure of the Kerberos client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A KRB-ERROR of the KDC or of the service.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// KRB_AP_ERR_SKEW, or an answer whose times do not fit the clock of this machine.
    #[error("{}", skew(*ours, *theirs))]
    ClockSkew {
        /// This machine's time, since 1970-01-01 UTC.
        ours: Duration,
        /// The KDC's or the service's.
        theirs: Duration,
    },
    /// The KDC offers no AES key of the account, or the keytab has no key of a type that it offers.
    #[error("{account} and this client share no AES key: {why}")]
    NoCommonKey {
        /// The account.
        account: String,
        /// What there is instead, and what to do.
        why: String,
    },
    /// A number of PBKDF2 iterations that is not accepted from an answer that is not authenticated.
    #[error(
        "the KDC names {named} iterations for the key of the password; from {MIN_ITERATIONS} to {MAX_ITERATIONS} are \
         accepted. The answer is not authenticated: another machine may have answered in the KDC's place"
    )]
    Iterations {
        /// What was named. 0 stands for 2^32.
        named: u32,
    },
    /// The answer does not open with the account's key, or its HMAC is wrong.
    #[error(
        "the {what} does not open: the password or keytab of {account} is not the KDC's, or another machine answered"
    )]
    Unverified {
        /// Which message.
        what: &'static str,
        /// The account.
        account: String,
    },
    /// A ticket for another realm came back.
    #[error(
        "the KDC refers to the realm {realm}, which is not followed: name a DC of the service's own domain"
    )]
    Referral {
        /// The other realm.
        realm: String,
    },
    /// The credential cannot be used at all.
    #[error("the credential for {account} cannot be used: {why}")]
    Credential {
        /// The account.
        account: String,
        /// Why.
        why: String,
    },
    /// Bytes that break the protocol, or an answer to another request.
    #[error("the Kerberos answer cannot be trusted: {0}")]
    Protocol(&'static str),
}

impl Error {
    /// The error that a KRB-ERROR is to a client whose clock shows `now`.
    pub(crate) fn refused(
        read: Read<'_>,
        now: Duration,
        account: &impl Display,
        service: &impl Display,
    ) -> Self {
        if read.code == SKEW {
            return Self::ClockSkew { ours: now, theirs: read.time };
        }
        Self::Refused(read.refusal(&account.to_string(), &service.to_string()))
    }

    /// Who must act.
    pub fn who(&self) -> Responsible {
        match self {
            Self::Refused(refusal) => refusal.who(),
            Self::ClockSkew { .. } | Self::Credential { .. } | Self::Referral { .. } => Responsible::Operator,
            Self::NoCommonKey { .. } => Responsible::DirectoryOperator,
            Self::Iterations { .. } | Self::Unverified { .. } | Self::Protocol(_) => Responsible::OtherEnd,
        }
    }
}

/// The size of the difference, and whose clock is ahead.
fn skew(ours: Duration, theirs: Duration) -> String {
    let (ahead, by) = if ours > theirs {
        ("the clock of this machine", ours - theirs)
    } else {
        ("the clock of the KDC", theirs - ours)
    };
    // The other clock may come without a fraction. What is over the limit reads as over it.
    let seconds = by.saturating_add(Duration::from_millis(500)).as_secs().max(301);
    format!(
        "{ahead} is {seconds} s ahead of the other one; Kerberos allows 300 s. Compare both with a third clock, and \
         set the wrong one"
    )
}
