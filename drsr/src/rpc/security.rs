//! Placeholder of the security layer; its public types stay.

use crate::rpc::keytab::Keytab;
use landbridge_crypto::secret::Password;

/// What the delegated account proves itself with.
#[derive(Debug)]
pub enum Credential {
    /// Long-term keys from a keytab.
    Keytab(Keytab),
    /// Its password.
    Password(Password),
}

/// How the delegated account proves itself. Never negotiated: what is named is used, or it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authentication {
    /// Kerberos, with AES.
    #[default]
    Kerberos,
    /// NTLM: only when configured, and only with a password.
    Ntlm,
}
