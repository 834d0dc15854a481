//! Who must never be carried: the account that phs reads with, and who can read or set every password of the domain. Both
//! are read from the DC at the start of each cycle: the second from the security descriptor of the domain's head, which
//! no page of changes carries.
//! Neighbours: `descriptor` reads the descriptor, `mirror::holders` stores the result, [`super::privileged`]
//! reads the members of the groups.

use crate::error::PhsError;
use crate::mirror::{HeldBack, Mirror};
use crate::qualify::descriptor::{self, Holder};
use crate::read::pull::ObjectId;
use crate::read::session::Singles;
use landbridge_drsr::drs::attribute::{Attribute, Value};
use landbridge_drsr::drs::change::Page;
use landbridge_drsr::drs::sid::Sid;
use uuid::Uuid;

/// Prefix of the SIDs of built-in groups.
const BUILT_IN: &str = "S-1-5-32-";
/// What the administrator's own entries are called.
pub(crate) const ALSO: &str = "[privileged] also";
/// Fact in the mirror: SIDs of entries that hold back a large part of the scope, and that an administrator accepted.
const ACCEPTED: &str = "accepted holders";
/// Share of the scope, in percent, that one entry may hold back without a question,
const WIDE_PERCENT: u64 = 5;
/// and number of accounts: in a small domain each is a large share.
const ALWAYS: u64 = 10;
/// Fact in the mirror: objectGUID of the account that phs reads with, and the name that it was looked up by.
const ACCOUNT: &str = "account";

/// The trustees of the domain's head that can read or set every password.
///
/// # Errors
/// The DC does not send the descriptor, or it is malformed.
pub fn of_head(singles: &mut dyn Singles, domain: &Sid) -> Result<Vec<Holder>, PhsError> {
    let head = singles.object(ObjectId::Sid(domain.clone()), false)?;
    let mut changes = head.iter().flat_map(|page| &page.changes);
    let descriptor = changes.find_map(|change| change.value(Attribute::SecurityDescriptor));
    match descriptor {
        Some(Value::Bytes(bytes)) => {
            descriptor::holders(bytes).ok_or(PhsError::HeadUnreadable("it is malformed"))
        }
        Some(_) | None => Err(PhsError::HeadUnreadable("the domain controller does not send it")),
    }
}

/// Reads at the DC who can read or set every password, adds the groups of `also`, and stores both. Returns whether
/// anything changed.
pub fn learn(
    mirror: &Mirror,
    singles: &mut dyn Singles,
    domain: &Sid,
    also: &[Sid],
) -> Result<bool, PhsError> {
    let mut holders: Vec<(Sid, String)> =
        of_head(singles, domain)?.into_iter().map(|Holder { trustee, rights }| (trustee, rights)).collect();
    for sid in also {
        match holders.iter_mut().find(|(known, _)| known == sid) {
            Some((_, rights)) => *rights = format!("{rights}, {ALSO}"),
            None => holders.push((sid.clone(), ALSO.to_owned())),
        }
    }
    holders.sort_by_key(|(sid, _)| sid.to_string());
    if mirror.holders()? == holders {
        return Ok(false);
    }
    mirror.set_holders(&holders)?;
    Ok(true)
}

/// An entry at the domain's head that holds back a large part of the scope.
#[derive(Debug)]
pub struct WideEntry {
    trustee: Sid,
    name: String,
    rights: String,
    /// Accounts of the scope that it holds back.
    pub held: u64,
    scope: u64,
}

impl WideEntry {
    /// The error that names it and says what to do.
    pub fn refusal(self) -> PhsError {
        let Self { name, rights, held, scope, .. } = self;
        PhsError::WideEntry { trustee: name, rights, held, scope }
    }
}

/// The first entry at the domain's head that holds back more than a twentieth of the scope, and that no administrator
/// has accepted. What the configuration names in `also` is wanted. [`Mirror::resolve`] must have been called.
pub fn wide_entry(mirror: &Mirror, domain: &Sid, also: &[Sid]) -> Result<Option<WideEntry>, PhsError> {
    if !is_wide(mirror.held_by_holders()?) {
        return Ok(None);
    }
    let accepted = mirror.fact(ACCEPTED)?.unwrap_or_default();
    for (trustee, rights) in mirror.holders()? {
        let text = trustee.to_string();
        if also.contains(&trustee) || accepted.split(' ').any(|one| one == text) {
            continue;
        }
        let held_back = mirror.held_by(&trustee, domain)?;
        if is_wide(held_back) {
            let HeldBack { scope, held } = held_back;
            let name = name(mirror, &trustee)?;
            return Ok(Some(WideEntry { trustee, name, rights, held, scope }));
        }
    }
    Ok(None)
}

/// Remembers that an administrator has accepted this entry.
pub fn accept(mirror: &Mirror, wide: &WideEntry) -> Result<(), PhsError> {
    let accepted = mirror.fact(ACCEPTED)?.unwrap_or_default();
    Ok(mirror.set_fact(ACCEPTED, format!("{accepted} {}", wide.trustee).trim())?)
}

fn is_wide(HeldBack { scope, held }: HeldBack) -> bool {
    held > ALWAYS && held.saturating_mul(100) > scope.saturating_mul(WIDE_PERCENT)
}

/// Whether the domain can hold an account or group with this SID. Others, such as SYSTEM, are objects of another naming
/// context: a DC refuses to send them (Samba: 8453).
pub fn is_in_domain(sid: &Sid, domain: &Sid) -> bool {
    sid.domain().as_ref() == Some(domain) || sid.to_string().starts_with(BUILT_IN)
}

/// What people call an account or a group.
pub fn name(mirror: &Mirror, sid: &Sid) -> Result<String, PhsError> {
    let text = sid.to_string();
    let name = match (well_known(&text), mirror.named(&text)?) {
        (Some(name), _) => name.to_owned(),
        (None, Some(object)) => object.label(),
        (None, None) => return Ok(text),
    };
    Ok(format!("{name} ({text})"))
}

/// The name of a SID that stands for every account (MS-DTYP 2.4.2.4).
pub fn well_known(sid: &str) -> Option<&'static str> {
    match sid {
        "S-1-1-0" => Some("Everyone"),
        "S-1-5-11" => Some("Authenticated Users"),
        _ => None,
    }
}

/// The objectGUID of the account that phs reads with. It is looked up at the DC once, and again when the configuration
/// names another account; a later change of its name changes nothing.
pub fn learn_account(mirror: &Mirror, singles: &mut dyn Singles, name: &str) -> Result<Uuid, PhsError> {
    if let Some(known) = account(mirror, name)? {
        return Ok(known);
    }
    let page: Option<Page> = singles.account(name)?;
    let found = page.and_then(|page| page.changes.first().map(|change| change.object.guid));
    let guid = found.ok_or_else(|| PhsError::AccountUnknown(name.to_owned()))?;
    mirror.set_fact(ACCOUNT, &format!("{guid} {name}"))?;
    mirror.unsettle();
    Ok(guid)
}

/// The objectGUID of the account with this configured name, if a cycle has looked it up.
pub fn account(mirror: &Mirror, name: &str) -> Result<Option<Uuid>, PhsError> {
    let fact = mirror.fact(ACCOUNT)?;
    let known = fact.as_deref().and_then(|fact| fact.split_once(' ')).filter(|(_, known)| *known == name);
    Ok(known.and_then(|(guid, _)| Uuid::parse_str(guid).ok()))
}
