//! The names that people sign in with, and whose they are. [`landbridge_wire::names`] has their forms, and how letters
//! are compared.
//!
//! A name that two accounts hold signs neither in, even if one holds it as its UPN and the other as `sam@dns.domain`.
//! AD would prefer the UPN; then an administrator who may write UPNs could redirect another account's name.
//!
//! A name in UPN form (`user@suffix`) counts only if the account's domain declares the suffix: otherwise one domain
//! could hold, or make ambiguous, the names of another. The crate `store` knows who declares which suffix
//! (`tables::suffixes`).
//!
//! Records are never joined by name. A name is derived from an account's attributes and is deleted with them.
//! Neighbours: the crate `store` looks a name up (`tables::names`); the ingest derives an account's names at each
//! upload.

use crate::model::{Attributes, Domain};
pub use landbridge_wire::names::{MAX_NAME, fold_case, folded};
use landbridge_wire::names::{of_sam, of_upn};
use uuid::Uuid;

/// Limit on the bytes of a UPN suffix that a domain declares: 255 characters in any script. A DNS name has at most 253.
pub const MAX_SUFFIX: usize = 3 * 255;

/// The account that a name belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// One account.
    One(Uuid),
    /// No account.
    Nobody,
    /// More than one account. The name signs none of them in.
    Ambiguous,
}

/// The names that an account with these attributes may sign in with, in the form in which they are looked up. Those in
/// UPN form count only if the domain declares their suffix.
pub fn names_of(domain: &Domain, known: &Attributes) -> Vec<String> {
    let upns = [known.user_principal_name.as_deref(), known.alternate_login.as_deref()];
    let mut names: Vec<String> = upns.into_iter().flatten().filter_map(of_upn).collect();
    if let Some(sam) = known.sam_account_name.as_deref() {
        names.extend(of_sam(sam, &domain.dns_name, &domain.netbios_name));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// The UPN suffix of a name as it is looked up: what follows the last `@`. None: the name has the form `DOMAIN\user`.
pub fn suffix_of(folded: &str) -> Option<&str> {
    if folded.contains('\\') { None } else { folded.rsplit_once('@').map(|(_, suffix)| suffix) }
}

/// A UPN suffix as an administrator types it, with or without an `@` before it, in the form of [`suffix_of`]. None: no
/// UPN can end in it, or it is longer than [`MAX_SUFFIX`].
pub fn folded_suffix(typed: &str) -> Option<String> {
    let typed = typed.strip_prefix('@').unwrap_or(typed);
    let upn = of_upn(&format!("x@{typed}")).filter(|_| !typed.contains('@'))?;
    suffix_of(&upn).filter(|suffix| suffix.len() <= MAX_SUFFIX).map(str::to_owned)
}
