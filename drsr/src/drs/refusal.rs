//! What a DC's error codes mean for who must act (MS-ERREF 2.2, ERROR_DS_DRA_…).
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
}

/// Gives a refusal its meaning.
pub(crate) fn explain(error: Error, asking: Asking<'_>) -> Error {
    let Error::Refused { operation, code } = error else { return error };
    let unfit = |why: &str| Error::Unfit { why: why.to_owned() };
    match code {
        // ERROR_ACCESS_DENIED, ERROR_DS_DRA_ACCESS_DENIED
        5 | 8453 => Error::MissingRight {
            account: asking.account.to_owned(),
            naming_context: asking.naming_context.to_owned(),
        },
        // ERROR_DS_DRA_BAD_DN, _BAD_NC; ERROR_DS_OBJ_NOT_FOUND (Windows, for a single object)
        8439 | 8440 | 8333 => match asking.object {
            Some(object) => Error::UnknownObject { object: object.to_string() },
            None => Error::UnknownName { name: asking.naming_context.to_owned(), code },
        },
        // ERROR_DS_DRA_NOT_SUPPORTED
        8454 => unfit("it does not support this kind of replication"),
        // ERROR_DS_DRA_SOURCE_DISABLED
        8456 => unfit("outbound replication is disabled on it, as on every read-only domain controller"),
        // ERROR_DS_DRA_NO_REPLICA, ERROR_DS_DRA_SOURCE_IS_PARTIAL_REPLICA
        8452 | 8465 => unfit("it holds no writable replica of the domain"),
        // ERROR_DS_DRA_SOURCE_REINSTALLED
        8459 => unfit("it was reinstalled"),
        // ERROR_DS_DRA_BUSY, _OUT_OF_MEM, _PREEMPTED, _ABANDON_SYNC, _SHUTDOWN
        8438 | 8446 | 8461 | 8462 | 8463 => Error::Busy { code },
        _ => Error::Refused { operation, code },
    }
}
