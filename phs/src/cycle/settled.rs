//! What the tenant's answer to the hello settles for the cycle: whose database it is, and what it accepts.
//! Neighbours: `super` reads it once, `courier` leaves out what the tenant does not accept.

use landbridge_wire::reserved::Reserving;
use landbridge_wire::upload::{LEVEL, RESERVED_FROM, Receipt, carried};
use uuid::Uuid;

/// What the tenant's answer to the hello settles for the cycle.
#[derive(Debug)]
pub(super) struct Settled {
    /// The tenant's generation; nil: there is no tenant.
    pub(super) generation: Uuid,
    /// The level that both sides know: see [`LEVEL`].
    pub(super) level: u8,
    /// With what names are reserved; none below level [`RESERVED_FROM`].
    pub(super) reserving: Option<Reserving>,
    /// Accounts whose digest the tenant has dropped, and wants again.
    pub(super) lacking: Vec<Uuid>,
}

impl Settled {
    /// Without a tenant: in a dry run and while staging.
    pub(super) fn alone() -> Self {
        Self { generation: Uuid::nil(), level: LEVEL, reserving: None, lacking: Vec::new() }
    }

    /// From the tenant's answer, from which the key of names is taken.
    pub(super) fn of(hello: &mut Receipt) -> Self {
        let level = hello.level.min(LEVEL);
        let reserving = hello.reserving.take().filter(|_| level >= RESERVED_FROM);
        // Without a key no names can be sent, and the tenant must not believe that all were.
        let level = if reserving.is_some() { level } else { level.min(RESERVED_FROM - 1) };
        let lacking = std::mem::take(&mut hello.lacking).into_vec();
        Self { generation: hello.generation, level, reserving, lacking }
    }

    /// What is carried to this tenant, as text. If it differs from the last full compare, all is compared again.
    pub(super) fn contents(&self) -> String {
        let names = self.reserving.as_ref().map_or_else(|| "not reserved".to_owned(), Reserving::print);
        format!("{}: {}; names: {names}", self.level, carried())
    }
}
