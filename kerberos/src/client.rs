//! An account that is to prove itself, and with what.

use crate::keytab::Keytab;
use crate::principal::Principal;
use landbridge_crypto::secret::Password;

/// What an account proves itself with.
#[derive(Debug)]
pub enum Credential {
    /// Long-term keys from a keytab.
    Keytab(Keytab),
    /// Its password.
    Password(Password),
}

/// An account that is to prove itself, and from which machine.
#[derive(Debug)]
pub struct Client {
    /// Who.
    pub account: Principal,
    /// With what.
    pub credential: Credential,
    /// The NetBIOS name of this machine, which the KDC compares with the account's `userWorkstations`. With none, an
    /// account that has such a list is refused.
    pub workstation: Option<String>,
}
