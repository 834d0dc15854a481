//! Lists, rotates and revokes the keys that sign tokens.
//! Before it: [`super::act`]. Neighbours: [`crate::issuer`] makes keys and signs with them.

use crate::administration::domain::Actor;
use crate::administration::request::{AdminResponse, KeyRow, refusal};
use crate::clock::unix_now;
use crate::issuer::{KEPT, NotSigned};
use crate::provider::codes_known_until;
use landbridge_tenant_store::tables::grants;
use landbridge_tenant_store::tables::signing_keys::{self, SigningKey};
use landbridge_tenant_store::{Reading, StoreError, Writing};

/// Limit on the keys that are published. Each rotation publishes two more for a day, and clients read all of them.
const MOST_PUBLISHED: usize = 24;

/// The keys, the newest first.
pub(super) fn list(reading: &Reading<'_>) -> Result<AdminResponse, StoreError> {
    let row = |key: SigningKey| KeyRow {
        state: match (key.signs_at, key.retired_at) {
            (None, _) => "next",
            (Some(_), None) => "signs",
            (Some(_), Some(_)) => "retired",
        }
        .to_owned(),
        published_until: key.retired_at.map(|at| at.saturating_add(KEPT)),
        algorithm: key.algorithm.to_string(),
        made_at: key.made_at,
        signs_at: key.signs_at,
        kid: key.kid,
    };
    Ok(AdminResponse::Keys(signing_keys::all(reading)?.into_iter().map(row).collect()))
}

/// Lets the next key of each algorithm sign.
pub(super) fn rotate(actor: &Actor<'_>) -> Result<AdminResponse, StoreError> {
    if actor.tenant.store.read(signing_keys::all)?.len() >= MOST_PUBLISHED {
        let what = format!("{MOST_PUBLISHED} keys are published, and no more can be");
        return Ok(refusal(&what, "wait a day: a key is published for a day after it has signed last"));
    }
    let note =
        |writing: &Writing<'_>, kid: &str| actor.audit(writing, "key-rotated", kid, "signs from now on");
    let signing = actor.tenant.provider.issuer().rotate(actor.now, note).map_err(in_store)?;
    Ok(AdminResponse::Done(format!(
        "these keys sign from now on: {}; those before them stay published for a day",
        signing.join(", ")
    )))
}

/// Deletes a key, and ends the grants of the applications whose tokens it signs. Without `consent` to their number nothing
/// is done and the number is returned.
pub(super) fn revoke(
    actor: &Actor<'_>,
    kid: &str,
    consent: Option<u64>,
) -> Result<AdminResponse, StoreError> {
    let store = &actor.tenant.store;
    // 1. The key, and what ends with it.
    let found = store.read(|reading| {
        let key = signing_keys::all(reading)?.into_iter().find(|key| key.kid == kid);
        let held = |key: &SigningKey| match key.signs_at {
            Some(_) => grants::count_signed_with(reading, key.algorithm),
            None => Ok(0),
        };
        key.map(|key| Ok((key.algorithm, key.signs_at.is_some(), held(&key)?))).transpose()
    })?;
    let Some((algorithm, has_signed, held)) = found else {
        return Ok(refusal("there is no such key", "see `landbridge-tenant keys list`"));
    };
    if consent.is_none_or(|consent| consent < held) {
        let ends = if has_signed {
            format!(
                "Nothing that it signed is accepted here any more, and {held} grants of applications with {algorithm} end: people \
                 return to the issuer, and who has a session is not asked for the password. Applications that keep sessions of \
                 their own must end these themselves."
            )
        } else {
            "It has signed nothing yet, and another key takes its place.".to_owned()
        };
        let what = format!("{kid} ({algorithm}) will be deleted. {ends}");
        return Ok(AdminResponse::Confirm { what, accounts: held });
    }
    // 2. In one transaction.
    let note = |writing: &Writing<'_>, signing: &str| {
        let known_until = codes_known_until(unix_now());
        let ended = if has_signed { grants::end_signed_with(writing, algorithm, known_until)? } else { 0 };
        actor.audit(
            writing,
            "key-revoked",
            kid,
            &format!("{algorithm}, {ended} grants ended, {signing} signs"),
        )
    };
    let signing =
        actor.tenant.provider.issuer().revoke((kid, algorithm), actor.now, note).map_err(in_store)?;
    Ok(AdminResponse::Done(format!("{kid} is revoked; {signing} signs {algorithm}")))
}

fn in_store(why: NotSigned) -> StoreError {
    match why {
        NotSigned::Store(why) => why,
        why @ (NotSigned::Unreadable(_) | NotSigned::Key(_) | NotSigned::None) => {
            StoreError::Defect(why.to_string())
        }
    }
}
