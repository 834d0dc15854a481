//! The names that people sign in with: their forms, and how letters are compared. Pure.
//!
//! These names sign in: the userPrincipalName; the further name that phs's administrator chose, if it has the form
//! `user@domain`; `NETBIOS\sam` and `dns.domain\sam`; and `sam@dns.domain`, which AD accepts too. GUIDs, SIDs, DNs and
//! bare names do not sign in.
//!
//! Letters are compared one by one by Unicode's simple lower case. AD also ignores accents and widths, so the tenant
//! may refuse a name that AD accepts, and never accepts one that AD refuses.
//! Neighbours: the tenant derives an account's names by this, and looks names up.

/// Limits of AD on userPrincipalName and sAMAccountName (rangeUpper, MS-ADA3), in UTF-16 units.
const MAX_UPN: usize = 1024;
const MAX_SAM: usize = 256;

/// Limit on the bytes of a name: the longest UPN in any script (a unit of UTF-16 takes at most three bytes of UTF-8), and
/// 256 for a domain before it.
pub const MAX_NAME: usize = 3 * MAX_UPN + 256;

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

/// The name that a userPrincipalName, or a further sign-in name, yields. None: it has no form that signs in.
pub fn of_upn(upn: &str) -> Option<String> {
    is_upn(upn).then(|| fold_case(upn))
}

/// The name `sam@dns.domain` that a sAMAccountName yields. None: it has no form that signs in.
pub fn of_sam_at(sam: &str, dns_name: &str) -> Option<String> {
    of_upn(&format!("{sam}@{dns_name}"))
}

/// The names that a sAMAccountName yields in a domain with these names: three, or none if it has no form that signs in.
pub fn of_sam(sam: &str, dns_name: &str, netbios_name: &str) -> Vec<String> {
    if !is_sam(sam) {
        return Vec::new();
    }
    let forms = [format!("{netbios_name}\\{sam}"), format!("{dns_name}\\{sam}"), format!("{sam}@{dns_name}")];
    forms.iter().map(|form| fold_case(form)).collect()
}

/// The text in simple lower case, letter by letter, so that the result for a letter never depends on its neighbours.
pub fn fold_case(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).collect()
}

/// Whether the text has the form of a UPN. A backslash is refused, because such a UPN could equal another account's
/// `DOMAIN\sam`.
fn is_upn(upn: &str) -> bool {
    let parted = upn.rsplit_once('@').is_some_and(|(user, suffix)| !user.is_empty() && !suffix.is_empty());
    parted && is_within(upn, MAX_UPN) && is_clean(upn) && !upn.contains('\\')
}

fn is_sam(sam: &str) -> bool {
    !sam.is_empty() && is_within(sam, MAX_SAM) && is_clean(sam) && !sam.contains('\\')
}

/// Whether the text has at most this many UTF-16 units.
fn is_within(text: &str, units: usize) -> bool {
    // A unit takes one to three bytes of UTF-8, so most texts need not be counted.
    text.len() <= units || (text.len() <= 3 * units && text.encode_utf16().count() <= units)
}

fn is_clean(name: &str) -> bool {
    !name.chars().any(char::is_control)
}
