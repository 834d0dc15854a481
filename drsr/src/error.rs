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
    /// ERROR_DS_DRA_ACCESS_DENIED (8453): the account lacks a right at the domain root. Windows says BAD_DN (8439) or
    /// ERROR_DS_OBJ_NOT_FOUND (8333) instead where the entry is there and inherit-only.
    #[error(
        "{account} lacks the right to replicate {naming_context}, or its entry there is inherit-only: grant \
         'Replicating Directory Changes' and 'Replicating Directory Changes All' at the domain root, for this object. \
         Samba: samba-tool dsacl set \
         --objectdn='{naming_context}' --sddl='(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;<SID of the account>)\
         (OA;;CR;1131f6ad-9c07-11d1-f79f-00c04fc2dcd2;;<SID of the account>)'. Windows: dsacls \
         \"{naming_context}\" /G \"{account}:CA;Replicating Directory Changes\" \
         \"{account}:CA;Replicating Directory Changes All\", without /I; where Windows has these rights in another \
         language, the commands by GUID are in docs/operations.md"
    )]
    MissingRight {
        /// The account.
        account: String,
        /// What it may not read.
        naming_context: String,
    },
    /// RPC fault 5: the DC does not admit the account, whatever its rights in the directory.
    #[error(
        "the DC does not admit {account} ({operation}: RPC fault 5): the account needs the right 'Access this computer \
         from the network' on the domain controllers, and no authentication policy may keep it away from them"
    )]
    NotAdmitted {
        /// The account.
        account: String,
        /// What was requested.
        operation: &'static str,
    },
    /// ERROR_DS_DRA_BAD_DN (8439), ERROR_DS_DRA_BAD_NC (8440), ERROR_DS_CANT_FIND_EXPECTED_NC (8420).
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
    /// Several objects that the DC holds have this SID, and it sends none of the domain's.
    #[error(
        "the DC holds several objects {object}, as a global catalog does, and does not send the domain's own: name a \
         domain controller without global catalog in [[directory.controllers]]"
    )]
    Ambiguous {
        /// The SID or name that was asked for.
        object: String,
    },
    /// The DC cannot serve: replication disabled (8456), read-only, too old. Use another.
    #[error("this DC is unfit for replication: {why}; use another")]
    Unfit {
        /// Why.
        why: String,
    },
    /// The DC is busy or going down (8438, 8463, …): wait or use another.
    #[error("the DC cannot answer now: {why} (code {code}); wait, or use another")]
    Busy {
        /// Why.
        why: &'static str,
        /// The code.
        code: u32,
    },
    /// ERROR_DS_DRA_SCHEMA_MISMATCH (8418), ERROR_DS_DRA_INCOMPATIBLE_PARTIAL_SET (8464).
    #[error(
        "the DC does not know an attribute that phs requests, or knows it otherwise (code {code}): does its schema have \
         every attribute of [scope] and `alternate_login`? After an extension of the schema, wait until it has \
         replicated to this DC"
    )]
    SchemaMismatch {
        /// The code.
        code: u32,
    },
    /// ERROR_DS_DIFFERENT_REPL_EPOCHS (8593), although the bind repeated the epoch that the DC named.
    #[error(
        "the DC refuses the replication epoch {sent} (code 8593): the domain is being renamed, and its domain \
         controllers do not agree yet. Finish the rename (`rendom /end`), and wait until it has replicated"
    )]
    OtherEpoch {
        /// The epoch of our bind.
        sent: u32,
    },
    /// The DC no longer knows this session: ERROR_INVALID_HANDLE (6), ERROR_DS_DRS_EXTENSIONS_CHANGED (8594), or the
    /// fault 0x1c00001a. A new session may work.
    #[error("the DC no longer knows this session (code {code:#x}): another one is needed")]
    Stale {
        /// The code.
        code: u32,
    },
    /// The DC sent the PDU that asks the client to hang up (C706 12.6.4.11), as it does when it shuts down.
    #[error("the DC is ending its connections")]
    ShutDown,
    /// The DC understood and said no, for another reason.
    #[error("the DC refused {operation} with code {code} ({code:#010x}){}", in_words(*code))]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// WERROR, decimal as in Windows' tables.
        code: u32,
    },
    /// An RPC fault (MS-ERREF or C706 appendix E).
    #[error("the DC answered {operation} with the RPC fault {status:#010x}{}", in_words(*status))]
    Fault {
        /// What was asked.
        operation: &'static str,
        /// The status.
        status: u32,
    },
    /// `ulExtendedRet` of a single object is no success (MS-DRSR 4.1.10.2.21).
    #[error("the DC refused to read a single object: extended code {code}")]
    Extended {
        /// The code.
        code: u32,
    },
    /// The endpoint mapper serves no client without authentication.
    #[error(
        "the endpoint mapper at port 135 refuses clients without authentication, so it does not name the port of \
         directory replication: take the policy 'Restrict Unauthenticated RPC clients' (RestrictRemoteClients) off the \
         domain controllers; or pin that port there (registry value 'TCP/IP Port' of NTDS), and name it as `port` in \
         [[directory.controllers]]"
    )]
    MapperClosed,
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
            Self::UnknownName { .. }
            | Self::NotAController
            | Self::Ambiguous { .. }
            | Self::SchemaMismatch { .. } => Responsible::Operator,
            Self::MissingRight { .. }
            | Self::NotAdmitted { .. }
            | Self::Unfit { .. }
            | Self::OtherEpoch { .. }
            | Self::Refused { .. }
            | Self::Fault { .. }
            | Self::Extended { .. }
            | Self::MapperClosed
            | Self::Rollback { .. } => Responsible::DirectoryOperator,
            Self::UnknownObject { .. }
            | Self::Busy { .. }
            | Self::Stale { .. }
            | Self::ShutDown
            | Self::Restored { .. } => Responsible::Nobody,
            Self::Unsupported(_) | Self::Protocol(_) | Self::TooLarge(_) => Responsible::OtherEnd,
            Self::OutOfOrder(_) => Responsible::Developers,
        }
    }
}

/// The words for a code that has no meaning of its own for who must act: a part of a sentence, or nothing.
fn in_words(code: u32) -> &'static str {
    match code {
        // RPC_S_PROCNUM_OUT_OF_RANGE, nca_s_op_rng_error
        0x6d1 | 0x1c01_0002 => ": it does not offer this operation",
        // nca_s_unk_if
        0x1c01_0003 => ": it does not offer directory replication at this port",
        // RPC_X_BAD_STUB_DATA, ERROR_INVALID_PARAMETER
        0x6f7 | 87 => ": it does not understand the request; please report it",
        // RPC_S_SEC_PKG_ERROR
        0x721 => ": it could not verify the request, which may have been altered on the way",
        // SEC_E_ALGORITHM_MISMATCH
        0x8009_0331 => ": it and this machine have no encryption in common; it must allow AES for Kerberos",
        _ => "",
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
