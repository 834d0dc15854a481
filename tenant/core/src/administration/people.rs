//! Erasing an account that left, blocking accounts, and listing the sign-in names that more than one account holds.
//! Before it: [`super::act`].

use crate::administration::domain::Actor;
use crate::administration::request::{
    AdminResponse, AmbiguousRow, BlockedRow, MAX_ROWS, NO_SUCH_ACCOUNT, refusal,
};
use crate::directory::describe::find_by_scan;
use crate::directory::groups;
use crate::directory::named::Named;
use crate::provider::{Ending, end_all_of};
use landbridge_tenant_rules::model::{Object, is_removed};
use landbridge_tenant_rules::names::{Whose, folded};
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::{attributes, blocks, domains, names, objects};
use landbridge_wire::upload::Kind;
use uuid::Uuid;

/// Erases an account that was deleted or left the scope. A present account is refused: its phs would upload it again.
pub(super) fn purge(actor: &Actor<'_>, name: &str) -> Result<AdminResponse, StoreError> {
    let store = &actor.tenant.store;
    let erased = store.erase("user-purge", |writing| match find_removed(writing, name)? {
        Ok(object) => {
            actor.audit(writing, "user-purged", &object.to_string(), "erased before its time")?;
            Ok((Ok(object), vec![object]))
        }
        Err(refused) => Ok((Err(refused), Vec::new())),
    })?;
    let object = match erased {
        Ok(object) => object,
        Err(refused) => return Ok(refused),
    };
    actor.tenant.set_canaries()?;
    let later = if store.needs_checkpoint() {
        "; a backup is running, so the last bytes leave the write-ahead log within an hour after the backup"
    } else {
        ""
    };
    Ok(AdminResponse::Done(format!(
        "{object} is erased; its objectGUID stays in the audit log and as one of its domain, and older backups still \
         contain the account{later}"
    )))
}

/// Limit on the accounts that are shown for one name. An administrator has to resolve the first few anyway.
const MAX_HOLDERS: u32 = 20;
/// The same for accounts that are not carried.
const MAX_RESERVED: usize = 20;

/// The sign-in names that more than one account holds, carried or not, with these accounts.
pub(super) fn ambiguous(reading: &Reading<'_>) -> Result<AdminResponse, StoreError> {
    let domains = domains::all(reading)?;
    let rows = names::ambiguous(reading, MAX_ROWS)?.into_iter().map(|(name, ambiguous)| {
        let mut holders = Vec::new();
        for object in names::all_holders(reading, &name, MAX_HOLDERS)? {
            let of = objects::find(reading, object)?.map(|found| found.domain);
            if let Some(domain) = domains.iter().find(|domain| Some(domain.id) == of) {
                holders.extend(groups::with_names(reading, domain, [object])?);
            }
        }
        let not_carried = i64::try_from(ambiguous.reserved.len()).unwrap_or(i64::MAX);
        holders.extend(ambiguous.reserved.into_iter().take(MAX_RESERVED).map(|conflict| Named {
            name: format!("(not carried, of {})", conflict.domain),
            object: conflict.reserved,
        }));
        Ok(AmbiguousRow { name, count: ambiguous.carried.saturating_add(not_carried), holders })
    });
    Ok(AdminResponse::Ambiguous(rows.collect::<Result<_, StoreError>>()?))
}

/// Blocks an account, or ends its block. `name` is a sign-in name, an objectGUID, a SID or a bare sAMAccountName. The
/// objectGUID of a blocked account is accepted after the account was erased as well.
pub(super) fn block(actor: &Actor<'_>, name: &str, block: bool) -> Result<AdminResponse, StoreError> {
    actor.tenant.store.write("user-block", |writing| {
        // 1. Find the account.
        let erased = match name.parse::<Uuid>() {
            Ok(object) if !block => blocks::since(writing, object)?.map(|_| object),
            Ok(_) | Err(_) => None,
        };
        let (object, domain) = match erased {
            Some(object) => (object, None),
            None => match one_account(writing, name)? {
                Ok(account) => (account.object, Some(account.domain)),
                Err(refused) => return Ok(refused),
            },
        };
        // 2. Change the list, and write the audit entry if it changed.
        let (changed, action, words) = match (block, domain) {
            (true, Some(domain)) => {
                if blocks::count(writing)? >= blocks::MOST {
                    let what = format!("{} accounts are blocked, and no more can be", blocks::MOST);
                    return Ok(refusal(
                        &what,
                        "refuse a whole domain or group with `landbridge-tenant domains policy`",
                    ));
                }
                let changed = blocks::add(writing, domain, object, actor.now)?;
                (changed, "user-blocked", "is blocked: it signs in by no road until `users unblock`")
            }
            (true | false, _) => {
                (blocks::remove(writing, object, actor.now)?, "user-unblocked", "is not blocked any more")
            }
        };
        if block {
            end_all_of(writing, (object, None), (&actor.name, Ending::Administrator), actor.now)?;
        }
        if changed {
            actor.audit(writing, action, &object.to_string(), "")?;
        }
        let before = if changed { "" } else { " (as before)" };
        Ok(AdminResponse::Done(format!("{object} {words}{before}")))
    })
}

/// The blocked accounts, the newest first.
pub(super) fn blocked(reading: &Reading<'_>) -> Result<AdminResponse, StoreError> {
    let domains = domains::all(reading)?;
    let rows = blocks::all(reading)?.into_iter().map(|block| {
        let known = attributes::of(reading, block.object)?;
        let domain = domains.iter().find(|domain| domain.id == block.domain);
        Ok(BlockedRow {
            object: block.object,
            name: known.user_principal_name.or(known.sam_account_name),
            domain: domain.map(|domain| domain.dns_name.clone()).unwrap_or_default(),
            blocked_at: block.blocked_at,
        })
    });
    Ok(AdminResponse::Blocked(rows.collect::<Result<_, StoreError>>()?))
}

/// The one account that has this name, or a refusal.
pub(super) fn one_account(
    reading: &Reading<'_>,
    name: &str,
) -> Result<Result<Object, AdminResponse>, StoreError> {
    let found = match folded(name).map(|name| names::whose(reading, &name)).transpose()? {
        Some(Whose::One(object)) => vec![object],
        Some(Whose::Nobody | Whose::Ambiguous) | None => find_by_scan(reading, name)?,
    };
    let mut accounts = Vec::new();
    for object in found {
        accounts.extend(objects::find(reading, object)?.filter(|one| one.kind == Kind::Account));
    }
    let guids: Vec<String> = accounts.iter().map(|one| one.object.to_string()).collect();
    Ok(match (accounts.pop(), accounts.is_empty()) {
        (Some(account), true) => Ok(account),
        (None, _) => Err(refusal("there is no such account", NO_SUCH_ACCOUNT)),
        (Some(_), false) => {
            let what = format!("several accounts have or had this name: {}", guids.join(", "));
            Err(refusal(&what, "give the objectGUID of one"))
        }
    })
}

fn find_removed(reading: &Reading<'_>, name: &str) -> Result<Result<Uuid, AdminResponse>, StoreError> {
    let mut found = Vec::new();
    for object in find_by_scan(reading, name)? {
        found.extend(objects::find(reading, object)?);
    }
    // A present account may have taken the name of the one that left.
    let gone: Vec<_> = found.iter().filter(|one| is_removed(one.presence)).collect();
    Ok(match (gone.as_slice(), found.is_empty()) {
        ([one], _) => Ok(one.object),
        ([], true) => Err(refusal("there is no such account", NO_SUCH_ACCOUNT)),
        ([], false) => Err(refusal(
            "the account is still synchronized, so the next cycle would bring it back",
            "delete it in AD or exclude it from the scope of its phs, run `landbridge-phs once`, and try again",
        )),
        _ => {
            let guids: Vec<String> = gone.iter().map(|one| one.object.to_string()).collect();
            let what = format!("several accounts that left had this name: {}", guids.join(", "));
            Err(refusal(&what, "give the objectGUID of one"))
        }
    })
}
