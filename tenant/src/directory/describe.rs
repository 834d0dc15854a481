//! Everything the tenant knows about the accounts behind a name, for an administrator who asks why somebody
//! cannot sign in. Whether there is a digest and what it costs is shown; the digest is not.
//! Neighbours: `admin` (`users show`) prints it.

use super::{Whose, fold, names_of, whose};
use crate::account_state::{Account as Judged, state};
use crate::store::objects::{self, Object};
use crate::store::{Store, StoreError, attributes, digests, domains, lockouts, names};
use landbridge_wire::upload::{Kind, Presence, Stamp};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most accounts that one answer shows.
const MOST: usize = 20;

/// What is known about a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// More than one account signs in with it, so none does.
    pub ambiguous: bool,
    /// The accounts; those that are not present have no names, and are found by those they had.
    pub accounts: Vec<Described>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// objectGUID.
    pub object: Uuid,
    /// DNS name of its domain: where all this comes from.
    pub domain: String,
    /// The phs that writes for the domain, if one does.
    pub source: Option<Uuid>,
    /// objectSid.
    pub sid: Option<String>,
    /// `present`, `deleted`, `privileged` or `out-of-scope`.
    pub presence: String,
    /// What a sign-in with the right password would end in.
    pub state: String,
    /// Member of Protected Users.
    pub protected_user: bool,
    /// sAMAccountName.
    pub sam_account_name: Option<String>,
    /// userPrincipalName.
    pub user_principal_name: Option<String>,
    /// displayName.
    pub display_name: Option<String>,
    /// The names that it signs in with, folded.
    pub names: Vec<String>,
    /// The attributes that were told, with the stamp of each.
    pub stamps: Vec<(String, Stamp)>,
    /// Its digest, if one is held.
    pub digest: Option<DigestDescribed>,
    /// The counters of the smart lockout.
    pub lockouts: Vec<LockoutDescribed>,
    /// When something about it changed last: seconds since 1970.
    pub changed_at: i64,
}

/// About a digest, without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestDescribed {
    /// When and where the password was set.
    pub stamp: Stamp,
    /// When it came here: seconds since 1970.
    pub set_at: i64,
    /// What a derivation costs; none: the digest cannot be opened.
    pub iterations: Option<u32>,
}

/// A counter of the smart lockout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockoutDescribed {
    /// Where the tries came from; none: over all sources.
    pub source: Option<String>,
    /// Wrong passwords.
    pub failures: u32,
    /// Locks in a row.
    pub locks: u32,
    /// Seconds since 1970; in the past: not locked.
    pub locked_until: i64,
}

/// What is known about a name, at `now` in seconds since 1970. The name may also be an objectGUID, a bare
/// sAMAccountName or a SID: it is an administrator who asks.
pub fn describe(store: &Store, name: &str, now: i64) -> Result<Description, StoreError> {
    store.read(|connection| {
        let found = whose(connection, name)?;
        let mut objects = match found {
            Whose::One(object) => vec![object],
            Whose::Nobody | Whose::Ambiguous => Vec::new(),
        };
        if objects.is_empty() {
            objects = by_walking(connection, name)?;
        }
        let described = objects.into_iter().map(|object| one(store, connection, object, now));
        Ok(Description {
            ambiguous: found == Whose::Ambiguous,
            accounts: described.filter_map(Result::transpose).collect::<Result<_, _>>()?,
        })
    })
}

/// The accounts that have or had that name: objectGUID, SID, bare sAMAccountName, or a name that they signed in with.
pub fn by_walking(connection: &Connection, name: &str) -> Result<Vec<Uuid>, StoreError> {
    if let Ok(object) = name.parse::<Uuid>() {
        return Ok(vec![object]);
    }
    let wanted = fold(name);
    let domains = domains::all(connection)?;
    objects::walk(connection, Kind::Account, MOST, |account, known| {
        let named = domains
            .iter()
            .find(|d| d.id == account.domain)
            .is_some_and(|d| names_of(d, known).contains(&wanted));
        let sam = known.sam_account_name.as_deref().is_some_and(|sam| fold(sam) == wanted);
        named || sam || account.sid.as_deref() == Some(name)
    })
}

fn one(
    store: &Store,
    connection: &Connection,
    object: Uuid,
    now: i64,
) -> Result<Option<Described>, StoreError> {
    let Some(account) = objects::find(connection, object)? else { return Ok(None) };
    let Some(domain) = domains::by_id(connection, account.domain)? else { return Ok(None) };
    let attributes = attributes::of(connection, object)?;
    let digest = digests::find(connection, object)?.map(|held| DigestDescribed {
        stamp: held.stamp,
        set_at: held.set_at,
        iterations: held.open(store.seal_keys(), object).ok().map(|digest| digest.iterations()),
    });
    let judged = Judged::known(&attributes, &domain.policy, account.protected_user);
    let lockouts = lockouts::of(connection, object)?.into_iter().map(|(source, tries)| LockoutDescribed {
        source: match source.as_str() {
            lockouts::ALL_SOURCES => None,
            lockouts::DIRECTORY => Some("(reached AD)".to_owned()),
            _ => Some(source),
        },
        failures: tries.failures,
        locks: tries.locks,
        locked_until: tries.locked_until,
    });
    Ok(Some(Described {
        object,
        source: domain.writer,
        state: said(&account, digest.as_ref(), state(&judged, now).as_str()).to_owned(),
        domain: domain.dns_name,
        presence: objects::presence_text(account.presence).to_owned(),
        sid: account.sid,
        protected_user: account.protected_user,
        sam_account_name: attributes.sam_account_name.as_deref().map(printable),
        user_principal_name: attributes.user_principal_name.as_deref().map(printable),
        display_name: attributes.display_name.as_deref().map(printable),
        names: names::of(connection, object)?,
        stamps: attributes::stamps_of(connection, object)?,
        digest,
        lockouts: lockouts.collect(),
        changed_at: account.changed_at,
    }))
}

/// What stops a sign-in first.
fn said<'a>(account: &Object, digest: Option<&DigestDescribed>, state: &'a str) -> &'a str {
    match account.presence {
        Presence::Deleted => "deleted in AD",
        Presence::Privileged => "privileged: not synchronised",
        Presence::OutOfScope => "out of scope",
        Presence::Present => match digest {
            None => "no digest has arrived",
            Some(DigestDescribed { iterations: None, .. }) => {
                "its digest cannot be opened: is a seal key missing?"
            }
            Some(DigestDescribed { iterations: Some(_), .. }) => state,
        },
    }
}

/// AD takes control characters in names; a terminal should not.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
