//! What goes wrong between this client and a DC, and who must act. Texts are for people and never repeat a secret.
//! `phs::read::pull` adds the errors of sockets and names.

use landbridge_kerberos::Responsible;
use uuid::Uuid;

/// A failure of the replication client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The KDC refused, or the DC could not prove itself.
    #[error(transparent)]
    Kerberos(landbridge_kerberos::Error),
    /// ERROR_DS_DRA_ACCESS_DENIED (8453): the account lacks a right at the domain root.
    #[error(
        "{account} lacks the right to replicate {naming_context}: grant 'Replicating Directory Changes' and \
         'Replicating Directory Changes All' at the domain root. Samba: samba-tool dsacl set \
         --objectdn='{naming_context}' --sddl='(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;<SID of the account>)\
         (OA;;CR;1131f6ad-9c07-11d1-f79f-00c04fc2dcd2;;<SID of the account>)'. Windows: dsacls \
         \"{naming_context}\" /G \"{account}:CA;Replicating Directory Changes\" \
         \"{account}:CA;Replicating Directory Changes All\""
    )]
    MissingRight {
        /// The account.
        account: String,
        /// What it may not read.
        naming_context: String,
    },
    /// ERROR_DS_DRA_BAD_DN (8439) or ERROR_DS_DRA_BAD_NC (8440).
    #[error("the DC does not hold {name} (code {code}): is the domain's name right?")]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The code.
        code: u32,
    },
    /// There is no such object, or it is not in this domain. The session goes on.
    #[error("the directory holds no object {object}")]
    UnknownObject {
        /// The objectGUID or SID that was asked for.
        object: String,
    },
    /// The DC cannot serve: replication disabled (8456), read-only, too old. Use another.
    #[error("this DC is unfit for replication: {why}; use another")]
    Unfit {
        /// Why.
        why: String,
    },
    /// The DC is busy or going down (8438, 8463, …): wait or use another.
    #[error("the DC cannot answer now (code {code}): wait, or use another")]
    Busy {
        /// The code.
        code: u32,
    },
    /// The DC understood and said no, for another reason.
    #[error("the DC refused {operation} with code {code} ({code:#010x})")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// WERROR, decimal as in Windows' tables.
        code: u32,
    },
    /// An RPC fault (MS-ERREF or C706 appendix E).
    #[error("the DC answered {operation} with the RPC fault {status:#010x}")]
    Fault {
        /// What was asked.
        operation: &'static str,
        /// The status.
        status: u32,
    },
    /// The endpoint mapper knows no DRSUAPI port.
    #[error("the endpoint mapper of this host offers no directory replication: is it a DC?")]
    NotAController,
    /// A sound answer of a kind that is never asked for.
    #[error("the DC answered with {0}, which was not asked for and is not supported")]
    Unsupported(&'static str),
    /// Bytes that break the protocol.
    #[error("the DC broke the protocol: {0}")]
    Protocol(String),
    /// More than the bounds allow.
    #[error("the DC's answer is over a bound: {0}")]
    TooLarge(&'static str),
    /// The DC is behind its own past: it was rolled back to a snapshot.
    #[error(
        "USN rollback: the DC {dsa} is at {now}, and was at {before}; its database was turned back. Take it out of \
         service, and compare in full through another DC"
    )]
    Rollback {
        /// The DC.
        dsa: Uuid,
        /// The highest own USN known of it.
        before: u64,
        /// The one it gives now.
        now: u64,
    },
    /// The DC's database was restored: the cursor does not fit, a full cycle must follow.
    #[error("the DC {dsa} was restored (its invocation id is new): a full cycle is needed")]
    Restored {
        /// The DC.
        dsa: Uuid,
    },
    /// The caller used the machine wrongly.
    #[error("the replication client was used out of order: {0}")]
    OutOfOrder(&'static str),
}

impl Error {
    /// Who must act.
    pub fn who(&self) -> Responsible {
        match self {
            Self::Kerberos(error) => error.who(),
            Self::UnknownName { .. } | Self::NotAController => Responsible::Operator,
            Self::MissingRight { .. }
            | Self::Unfit { .. }
            | Self::Refused { .. }
            | Self::Fault { .. }
            | Self::Rollback { .. } => Responsible::DirectoryOperator,
            Self::UnknownObject { .. } | Self::Busy { .. } | Self::Restored { .. } => Responsible::Nobody,
            Self::Unsupported(_) | Self::Protocol(_) | Self::TooLarge(_) => Responsible::OtherEnd,
            Self::OutOfOrder(_) => Responsible::Developers,
        }
    }
}

/// KDC_ERR_SVC_UNAVAILABLE
const SERVICE_UNAVAILABLE: i32 = 29;

impl From<landbridge_kerberos::Error> for Error {
    /// A KDC that cannot serve the account is a DC to pass over: a read-only one, which holds no key of it.
    fn from(error: landbridge_kerberos::Error) -> Self {
        if let landbridge_kerberos::Error::Refused(refusal) = &error
            && refusal.code == SERVICE_UNAVAILABLE
        {
            return Self::Unfit { why: refusal.to_string() };
        }
        Self::Kerberos(error)
    }
}
