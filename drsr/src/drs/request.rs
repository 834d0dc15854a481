//! What can be asked of a bound session, and the stub that asks it (IDL_DRSGetNCChanges, MS-DRSR 4.1.10).

use crate::drs::change::Sid;
use crate::drs::cursor::Cursor;
use uuid::Uuid;

/// An order to a bound session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// A page of changes.
    Changes {
        /// From where.
        from: Start,
        /// With password attributes, or with these withheld by the DC.
        secrets: bool,
    },
    /// One object alone, whole (EXOP_REPL_OBJ), with its links. On a session that pages through changes
    /// this makes the DC start again: use a second one.
    Object {
        /// Which.
        which: ObjectId,
        /// With password attributes, or with these withheld by the DC.
        secrets: bool,
    },
    /// Unbind and finish.
    Finish,
}

/// From where a page of changes starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Everything.
    Beginning,
    /// What changed since this cursor. With another DC than the cursor's, its vector alone is used.
    Cursor(Cursor),
    /// The page after the last one of this session.
    NextPage,
}

/// How a single object is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectId {
    /// By objectGUID.
    Guid(Uuid),
    /// By objectSid.
    Sid(Sid),
}
