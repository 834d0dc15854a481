//! The names that people sign in with: which forms there are, and how letters are compared.
//!
//! Names that sign in: the userPrincipalName; what phs's administrator chose as a further name, if it reads
//! `user@domain`; `NETBIOS\sam` and `dns.domain\sam`; and `sam@dns.domain`, which AD takes too. GUIDs, SIDs, DNs and bare names do not. Letters are compared by Unicode's simple lower case, one by one,
//! and nothing else is folded: AD also ignores accents and widths, so a name may be refused here that AD takes,
//! never the other way round. A name that two accounts hold signs neither in, also when one holds it as its UPN and
//! the other as `sam@dns.domain`: AD would prefer the UPN, and whoever may write UPNs could take a name over so.
//! A name never joins records: it is derived from an objectGUID's attributes, and goes with them.
//! Neighbours: the crate `store` looks a folded name up; the tenant derives the names of an account at each upload.

use crate::model::{Attributes, Domain};
use uuid::Uuid;

/// The most bytes of a name that is looked at.
pub const MAX_NAME: usize = 1024 + 256;

/// Whose name it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// This account's.
    One(Uuid),
    /// Nobody's.
    Nobody,
    /// More than one account's: it signs none of them in.
    Ambiguous,
}

/// The name as it is looked up; none: it has no form that signs in.
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

/// The names that an account with these attributes signs in with, folded.
pub fn names_of(domain: &Domain, known: &Attributes) -> Vec<String> {
    let mut names = Vec::new();
    let upns = [known.user_principal_name.as_deref(), known.alternate_login.as_deref()];
    for upn in upns.into_iter().flatten().filter(|upn| is_upn(upn)) {
        names.push(fold_case(upn));
    }
    if let Some(sam) = known.sam_account_name.as_deref().filter(|sam| is_sam(sam)) {
        names.push(fold_case(&format!("{}\\{sam}", domain.netbios_name)));
        names.push(fold_case(&format!("{}\\{sam}", domain.dns_name)));
        names.push(fold_case(&format!("{sam}@{}", domain.dns_name)));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Letter by letter, so that a letter never depends on its neighbours.
pub fn fold_case(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).collect()
}

/// A backslash would let a UPN look like another account's `DOMAIN\sam`.
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
