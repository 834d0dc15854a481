//! From the name that a person types to one objectGUID, or to nobody.
//!
//! Names that sign in: the userPrincipalName; what phs's administrator chose as a further name, if it reads
//! `user@domain`; `NETBIOS\sam` and `dns.domain\sam`; and `sam@dns.domain`, which AD takes too. GUIDs, SIDs, DNs and bare names do not. Letters are compared by Unicode's simple lower case, one by one,
//! and nothing else is folded: AD also ignores accents and widths, so a name may be refused here that AD takes,
//! never the other way round. A name that two accounts hold signs neither in, also when one holds it as its UPN and
//! the other as `sam@dns.domain`: AD would prefer the UPN, and whoever may write UPNs could take a name over so.
//! A name never joins records: it is derived from an objectGUID's attributes, and goes with them.
//! Before it on the road: `ingest`. After it: `lockout`, then `signin`.

pub mod describe;
pub mod groups;
pub mod resultant;

pub use describe::{Description, by_walking, describe};

use landbridge_tenant_rules::names::{Whose, folded};
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::names;

/// Looks a name up, as typed.
pub fn whose(connection: &Reading<'_>, name: &str) -> Result<Whose, StoreError> {
    let Some(folded) = folded(name) else { return Ok(Whose::Nobody) };
    Ok(match names::holders(connection, &folded)?.as_slice() {
        [] => Whose::Nobody,
        [one] => Whose::One(*one),
        _ => Whose::Ambiguous,
    })
}

#[cfg(test)]
mod tests;
