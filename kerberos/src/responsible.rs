//! Who must act after a failure.

/// Who must act before the client can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Responsible {
    /// The administrator of this machine: configuration, keytab, clock.
    Operator,
    /// The administrator of the directory: accounts, keys, DCs.
    DirectoryOperator,
    /// Nobody must act yet: wait, or use another KDC.
    Nobody,
    /// The other end broke the protocol, or another machine answered in its place.
    OtherEnd,
}
