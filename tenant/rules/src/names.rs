//! The names that people sign in with: their forms, and how letters are compared.
//!
//! These names sign in: the userPrincipalName; the further name that phs's administrator chose, if it has the form
//! `user@domain`; `NETBIOS\sam` and `dns.domain\sam`; and `sam@dns.domain`, which AD accepts too. GUIDs, SIDs, DNs and
//! bare names do not sign in.
//!
//! Letters are compared one by one by Unicode's simple lower case. AD also ignores accents and widths, so the tenant
//! may refuse a name that AD accepts, and never accepts one that AD refuses.
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
use uuid::Uuid;

/// Limit on the bytes of a name: 1,024 for the longest UPN on the wire, and 256 for a domain before it.
pub const MAX_NAME: usize = 1024 + 256;

/// Limit on the bytes of a UPN suffix that a domain declares. A DNS name has at most 253.
pub const MAX_SUFFIX: usize = 255;

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

/// The name in the form in which it is looked up. None: the name has no form that signs in.
pub fn folded(name: &str) -> Option<String> {
    if name.len() > MAX_NAME || !is_clean(name) {
        return None;
    }
    match name.split_once('\\') {
        Some((domain, sam)) if !domain.is_empty() && is_sam(sam) => Some(fold_case(name)),
        Some(_) => None,
        None if is_upn(name) => Some(fold_case(name)),
        None => None,
    }
}

/// The names that an account with these attributes may sign in with, in the form in which they are looked up. Those in
/// UPN form count only if the domain declares their suffix.
pub fn names_of(domain: &Domain, known: &Attributes) -> Vec<String> {
    let mut names = Vec::new();
    let upns = [known.user_principal_name.as_deref(), known.alternate_login.as_deref()];
    names.extend(upns.into_iter().flatten().filter_map(folded_upn));
    if let Some(sam) = known.sam_account_name.as_deref().filter(|sam| is_sam(sam)) {
        names.push(fold_case(&format!("{}\\{sam}", domain.netbios_name)));
        names.push(fold_case(&format!("{}\\{sam}", domain.dns_name)));
        names.push(fold_case(&format!("{sam}@{}", domain.dns_name)));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// A UPN, or another text of its form, as it is looked up. None: the text does not have the form `user@suffix`.
pub fn folded_upn(upn: &str) -> Option<String> {
    is_upn(upn).then(|| fold_case(upn))
}

/// The UPN suffix of a name as it is looked up: what follows the last `@`. None: the name has the form `DOMAIN\user`.
pub fn suffix_of(folded: &str) -> Option<&str> {
    if folded.contains('\\') { None } else { folded.rsplit_once('@').map(|(_, suffix)| suffix) }
}

/// A UPN suffix as an administrator types it, with or without an `@` before it, in the form of [`suffix_of`]. None: no
/// UPN can end in it, or it is longer than [`MAX_SUFFIX`].
pub fn folded_suffix(typed: &str) -> Option<String> {
    let typed = typed.strip_prefix('@').unwrap_or(typed);
    let upn = folded_upn(&format!("x@{typed}")).filter(|_| !typed.contains('@'))?;
    suffix_of(&upn).filter(|suffix| suffix.len() <= MAX_SUFFIX).map(str::to_owned)
}

/// The text in simple lower case, letter by letter, so that the result for a letter never depends on its neighbours.
pub fn fold_case(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).collect()
}

/// Whether the text has the form of a UPN. A backslash is refused, because such a UPN could equal another account's
/// `DOMAIN\sam`.
fn is_upn(upn: &str) -> bool {
    let parted = upn.rsplit_once('@').is_some_and(|(user, suffix)| !user.is_empty() && !suffix.is_empty());
    parted && upn.len() <= 1024 && is_clean(upn) && !upn.contains('\\')
}

fn is_sam(sam: &str) -> bool {
    !sam.is_empty() && sam.len() <= 256 && is_clean(sam) && !sam.contains('\\')
}

fn is_clean(name: &str) -> bool {
    !name.chars().any(char::is_control)
}
