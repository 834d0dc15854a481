//! What a domain controller answered to a bind, as it travels from the agent to the tenant.
//! Neighbours: [`crate::signin`] has the message that carries it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A domain controller's answer to a bind (`docs/design/protocol-facts.md`; Windows: `System error codes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectoryVerdict {
    /// The bind succeeded.
    Valid,
    /// 52e, 56: not the password. 525, 57: no such account.
    Wrong,
    /// 530: not at this hour.
    LogonHours,
    /// 531: not from this workstation.
    Workstation,
    /// 532: the password is too old.
    PasswordExpired,
    /// 533: the account is disabled.
    Disabled,
    /// 701: the account's time is over.
    AccountExpired,
    /// 773: the password must be changed first.
    MustChange,
    /// 775: the account is locked.
    Locked,
    /// 52f, 569: a restriction of the account or of its logon type.
    Restricted,
    /// Any other code, which this version does not know. The sign-in is refused.
    Unknown(u32),
}

impl DirectoryVerdict {
    /// Whether AD gives this answer only to a caller who has the password, and so counts no bad password. Measured on
    /// Samba 4.17; see `docs/design/protocol-facts.md`.
    pub fn follows_right_password(self) -> bool {
        match self {
            Self::Valid
            | Self::PasswordExpired
            | Self::MustChange
            | Self::AccountExpired
            | Self::Disabled
            | Self::LogonHours
            | Self::Workstation => true,
            Self::Wrong | Self::Locked | Self::Restricted | Self::Unknown(_) => false,
        }
    }

    /// The bytes that the tag authenticates: the request, and the verdict as two numbers.
    pub fn authenticated(self, request: Uuid) -> [u8; 24] {
        let (kind, code): (u32, u32) = match self {
            Self::Valid => (1, 0),
            Self::Wrong => (2, 0),
            Self::LogonHours => (3, 0),
            Self::Workstation => (4, 0),
            Self::PasswordExpired => (5, 0),
            Self::Disabled => (6, 0),
            Self::AccountExpired => (7, 0),
            Self::MustChange => (8, 0),
            Self::Locked => (9, 0),
            Self::Restricted => (10, 0),
            Self::Unknown(code) => (11, code),
        };
        let mut bytes = [0; 24];
        let parts = request.into_bytes().into_iter().chain(kind.to_be_bytes()).chain(code.to_be_bytes());
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        bytes
    }
}
