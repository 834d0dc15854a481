//! Who must act after a failure: of this client, and of the replication client that uses it.

/// Who must act before the client can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Responsible {
    /// The administrator of this machine: configuration, keytab, clock.
    Operator,
    /// The administrator of the directory: accounts, keys, DCs.
    DirectoryOperator,
    /// No action is due yet: wait, or use another DC.
    Nobody,
    /// The other end broke the protocol, or another machine answered in its place.
    OtherEnd,
    /// The developers: a client of this workspace was used wrongly.
    Developers,
}
