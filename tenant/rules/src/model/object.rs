//! An object of the directory: an account, a group, a contact, a password settings object, or a container of them.

use landbridge_wire::upload::{Kind, Presence};
use uuid::Uuid;

/// An object, without its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// objectGUID.
    pub object: Uuid,
    /// Account, group, contact, password settings object or container.
    pub kind: Kind,
    /// The row of its domain.
    pub domain: i64,
    /// objectSid, as text; accounts and groups have one.
    pub sid: Option<String>,
    /// Whether it is in the cloud.
    pub presence: Presence,
    /// Privileged in AD, and carried because phs's administrator named it.
    pub privileged: bool,
    /// Member of Protected Users.
    pub protected_user: bool,
    /// The last full compare that named it.
    pub cycle: Option<Uuid>,
    /// When the object last changed here: seconds since 1970.
    pub changed_at: i64,
    /// When it was deleted or left the scope: seconds since 1970.
    pub removed_at: Option<i64>,
}

/// An account, by the two names that never change: its objectGUID, and the relative id in its SID, which has the SID of
/// its domain before it. An agent binds by the SID, and compares the objectGUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// objectGUID.
    pub object: Uuid,
    /// Relative id in its SID.
    pub rid: u32,
}

impl Principal {
    /// One that no account is: a random objectGUID, and a relative id that AD gives to none. Those of AD end at 2^30,
    /// or at 2^31 where an administrator has unlocked that (Microsoft, "Managing RID Issuance").
    pub fn nobody() -> Self {
        let object = Uuid::new_v4();
        let [a, b, c, d, ..] = Uuid::new_v4().into_bytes();
        Self { object, rid: u32::from_be_bytes([a, b, c, d]) | 0x8000_0000 }
    }
}

/// Whether an object with this presence has left, so that its row is erased after the grace time. A privileged
/// account has not left: it is still in AD.
pub fn is_removed(presence: Presence) -> bool {
    match presence {
        Presence::Deleted | Presence::OutOfScope => true,
        Presence::Present | Presence::Privileged => false,
    }
}

/// The text of a presence on the wire and in the database.
pub fn presence_text(presence: Presence) -> &'static str {
    match presence {
        Presence::Present => "present",
        Presence::Deleted => "deleted",
        Presence::Privileged => "privileged",
        Presence::OutOfScope => "out-of-scope",
    }
}

/// Every kind of object.
pub const KINDS: [Kind; 5] =
    [Kind::Account, Kind::Group, Kind::Contact, Kind::PasswordSettings, Kind::Container];

/// The text of a kind on the wire and in the database.
pub fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::Account => "account",
        Kind::Group => "group",
        Kind::Contact => "contact",
        Kind::PasswordSettings => "password-settings",
        Kind::Container => "container",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_another_name_each_time_and_a_relative_id_beyond_all_that_ad_gives() {
        let (one, other) = (Principal::nobody(), Principal::nobody());
        assert_ne!(one, other);
        assert!(one.rid >= 1 << 31 && other.rid >= 1 << 31);
    }
}
