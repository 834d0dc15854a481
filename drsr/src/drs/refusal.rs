//! What a DC's error codes mean for who must act (MS-ERREF 2.2, ERROR_DS_DRA_…; MS-DRSR 4.1.10.2.21 for single objects).
//! A code comes as the return value of a call or, for errors that MS-DRSR calls exceptions, as the status of a fault.
//! The last word on a refusal of `reply` and on faults; used by `replica`.

use crate::drs::request::ObjectId;
use crate::error::Error;

/// Who asked for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) account: &'a str,
    pub(crate) naming_context: &'a str,
    /// The single object that was named, if not the domain.
    pub(crate) object: Option<&'a ObjectId>,
    /// The replication epoch of the bind.
    pub(crate) epoch: u32,
}

impl Asking<'_> {
    /// The account lacks a right at the domain's head.
    pub(crate) fn missing_right(self) -> Error {
        let (account, naming_context) = (self.account.to_owned(), self.naming_context.to_owned());
        Error::MissingRight { account, naming_context }
    }
}

/// Gives a refusal its meaning.
pub(crate) fn explain(error: Error, asking: Asking<'_>) -> Error {
    let (code, fault) = if let Error::Refused { code, .. } = &error {
        (*code, None)
    } else if let Error::Fault { status, operation } = &error {
        (*status, Some(*operation))
    } else if let Error::Extended { code } = &error {
        return extended(*code, asking);
    } else {
        return error;
    };
    let unfit = |why: &str| Error::Unfit { why: why.to_owned() };
    match (code, fault) {
        // ERROR_ACCESS_DENIED of RPC itself: the call did not reach the directory.
        (5, Some(operation)) => Error::NotAdmitted { account: asking.account.to_owned(), operation },
        // ERROR_ACCESS_DENIED, ERROR_DS_DRA_ACCESS_DENIED
        (5 | 8453, _) => asking.missing_right(),
        // ERROR_DS_DRA_BAD_DN, _BAD_NC; ERROR_DS_CANT_FIND_EXPECTED_NC; ERROR_DS_OBJ_NOT_FOUND
        (8439 | 8440 | 8420 | 8333, _) => match asking.object {
            Some(object) => Error::UnknownObject { object: object.to_string() },
            None => Error::UnknownName { name: asking.naming_context.to_owned(), code },
        },
        // ERROR_DS_DRA_SCHEMA_MISMATCH, _INCOMPATIBLE_PARTIAL_SET
        (8418 | 8464, _) => Error::SchemaMismatch { code },
        // ERROR_DS_UNAVAILABLE_CRIT_EXTENSION
        (8236, _) => unfit(
            "an optional feature of Active Directory is on that it requires of its partners (code 8236), and this \
             landbridge-phs does not have it: use the newest version, or report the forest's optional features",
        ),
        // ERROR_DS_DRA_NOT_SUPPORTED
        (8454, _) => unfit("it does not support this kind of replication"),
        // ERROR_DS_DRA_SOURCE_DISABLED
        (8456, _) => unfit("outbound replication is disabled on it, as on every read-only domain controller"),
        // ERROR_DS_DRA_NO_REPLICA, ERROR_DS_DRA_SOURCE_IS_PARTIAL_REPLICA
        (8452 | 8465, _) => unfit("it holds no writable replica of the domain"),
        // ERROR_DS_DRA_SOURCE_REINSTALLED
        (8459, _) => unfit("it was reinstalled"),
        // ERROR_DS_DIFFERENT_REPL_EPOCHS
        (8593, _) => Error::OtherEpoch { sent: asking.epoch },
        // ERROR_INVALID_HANDLE, ERROR_DS_DRS_EXTENSIONS_CHANGED, nca_s_fault_context_mismatch
        (6 | 8594 | 0x1c00_001a, _) => Error::Stale { code },
        _ => match busy(code) {
            Some(why) => Error::Busy { why, code },
            None => error,
        },
    }
}

/// Why a DC with this code cannot answer now, if it is one that passes.
fn busy(code: u32) -> Option<&'static str> {
    Some(match code {
        // ERROR_DS_DRA_BUSY, nca_s_server_too_busy, RPC_S_SERVER_TOO_BUSY
        8438 | 0x1c01_0014 | 1723 => "it is busy",
        // ERROR_NOT_ENOUGH_MEMORY, ERROR_OUTOFMEMORY, ERROR_DS_DRA_OUT_OF_MEM
        8 | 14 | 8446 => "it is out of memory",
        // ERROR_DS_DRA_DB_ERROR
        8451 => "its database reports an error, which its log of the Directory Service names",
        // ERROR_DS_DRA_PREEMPTED, _ABANDON_SYNC
        8461 | 8462 => "another replication goes first",
        // ERROR_DS_DRA_SHUTDOWN
        8463 => "it is shutting down",
        // ERROR_TIMEOUT
        1460 => "it took too long itself",
        // RPC_S_SERVER_UNAVAILABLE
        1722 => "its directory service does not run, or another domain controller that it needs is away",
        _ => return None,
    })
}

/// The meaning of a refusal of the endpoint mapper, which is asked without authentication.
pub(crate) fn of_mapper(error: Error) -> Error {
    if matches!(error, Error::Unfit { .. }) {
        return Error::MapperClosed;
    }
    let Error::Fault { status, .. } = error else { return error };
    match status {
        // ERROR_ACCESS_DENIED
        5 => Error::MapperClosed,
        // EPT_S_NOT_REGISTERED, and ept_s_not_registered on the wire
        1753 | 0x16c9_a0d6 => Error::NotAController,
        _ => match busy(status) {
            Some(why) => Error::Busy { why, code: status },
            None => error,
        },
    }
}

/// `ulExtendedRet` of a single object. Its numbers are not those of Windows' errors.
fn extended(code: u32, asking: Asking<'_>) -> Error {
    let unfit = |why: &str| Error::Unfit { why: format!("{why} (extended code {code})") };
    match code {
        // EXOP_ERR_ACCESS_DENIED
        15 => asking.missing_right(),
        // EXOP_ERR_UNKNOWN_OP
        2 => unfit("it cannot read single objects"),
        // EXOP_ERR_EXCEPTION, _DIR_ERROR
        5 | 13 => unfit("it failed to read a single object, as its log of the Directory Service says"),
        // EXOP_ERR_UNKNOWN_CALLER, _PARAM_ERROR; FSMO_NOT_OWNER by an old one
        3 | 6 | 16 => unfit("it reads single objects for other domain controllers only"),
        _ => Error::Extended { code },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_kerberos::Responsible;

    const ASKING: Asking<'_> = Asking { account: "svc", naming_context: "DC=corp", object: None, epoch: 7 };

    fn refused(code: u32) -> Error {
        explain(Error::Refused { operation: "a call", code }, ASKING)
    }

    fn fault(status: u32) -> Error {
        explain(Error::Fault { operation: "a call", status }, ASKING)
    }

    #[test]
    fn a_code_means_the_same_as_a_return_value_and_as_a_fault() {
        for code in [8439, 8420, 8418, 8464, 8451, 8236, 8456, 8593, 8594, 6, 8, 14, 1460, 1722, 8453] {
            assert_eq!(refused(code), fault(code), "{code}");
            assert!(!matches!(refused(code), Error::Refused { .. }), "{code}");
        }
        // Except for 5, which RPC itself says as well.
        assert!(matches!((refused(5), fault(5)), (Error::MissingRight { .. }, Error::NotAdmitted { .. })));
    }

    #[test]
    fn every_code_says_who_must_act_and_what_to_do() {
        let said = [
            (8418, Responsible::Operator, "alternate_login"),
            (8464, Responsible::Operator, "schema"),
            (8420, Responsible::Operator, "domain's name"),
            (8451, Responsible::Nobody, "log of the Directory Service"),
            (8236, Responsible::DirectoryOperator, "newest version"),
            (8593, Responsible::DirectoryOperator, "rendom /end"),
            (8594, Responsible::Nobody, "no longer knows this session"),
            (6, Responsible::Nobody, "no longer knows this session"),
            (0x1c00_001a, Responsible::Nobody, "no longer knows this session"),
            (8, Responsible::Nobody, "out of memory"),
            (14, Responsible::Nobody, "out of memory"),
            (1460, Responsible::Nobody, "too long"),
            (1722, Responsible::Nobody, "directory service"),
            (0x6d1, Responsible::DirectoryOperator, "does not offer this operation"),
            (0x8009_0331, Responsible::DirectoryOperator, "AES"),
        ];
        for (code, who, part) in said {
            for error in [refused(code), fault(code)] {
                assert_eq!(error.who(), who, "{error}");
                assert!(error.to_string().contains(part), "{error}");
            }
        }
        assert!(fault(5).to_string().contains("Access this computer from the network"));
    }

    #[test]
    fn extended_codes_are_not_taken_for_windows_errors() {
        let of = |code| explain(Error::Extended { code }, ASKING);
        assert!(matches!(of(15), Error::MissingRight { .. }));
        for code in [2, 3, 5, 6, 13, 16] {
            assert!(of(code).to_string().contains(&format!("extended code {code}")), "{code}");
            assert!(matches!(of(code), Error::Unfit { .. }), "{code}");
        }
        assert_eq!(of(10), Error::Extended { code: 10 });
    }

    #[test]
    fn a_mapper_that_refuses_strangers_is_told_from_one_that_knows_no_dc() {
        let fault = |status| of_mapper(Error::Fault { operation: "map", status });
        assert_eq!(fault(5), Error::MapperClosed);
        let not_bound = Error::Unfit { why: "it refuses to bind (reason 8)".to_owned() };
        assert_eq!(of_mapper(not_bound), Error::MapperClosed);
        assert_eq!((fault(1753), fault(0x16c9_a0d6)), (Error::NotAController, Error::NotAController));
        assert!(matches!(fault(1722), Error::Busy { .. }));
        let text = Error::MapperClosed.to_string();
        assert!(text.contains("RestrictRemoteClients") && text.contains("`port`"), "{text}");
    }
}
