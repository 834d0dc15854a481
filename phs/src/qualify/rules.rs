//! What qualifying goes by, the same for a whole cycle.

use crate::mirror::Bounds;
use crate::scope::Scope;
use landbridge_drsr::drs::attribute::Attribute;
use landbridge_wire::reserved::Reserving;
use uuid::Uuid;

/// What qualifying goes by, the same for a whole cycle.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Which objects are carried.
    pub bounds: Bounds<'a>,
    /// The attribute that is a further sign-in name.
    pub alternate_login: Option<Attribute>,
    /// With what the names of accounts that are not carried are reserved; none: the tenant accepts none, or there is no
    /// tenant.
    pub reserving: Option<&'a Reserving>,
    /// A full compare: every object comes whole, and an object that does not come is gone.
    pub full: bool,
    /// Passwords are read; not in a dry run.
    pub secrets: bool,
    /// Random name of the cycle.
    pub cycle: Uuid,
    /// Seconds since 1970.
    pub now: i64,
}

impl Rules<'_> {
    pub(super) fn scope(&self) -> &Scope {
        self.bounds.scope
    }
}
