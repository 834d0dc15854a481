//! Erasing an account that left, and listing the sign-in names that more than one account holds.
//! Before it: [`super::act`].

use crate::administration::domain::Actor;
use crate::administration::request::{AdminResponse, AmbiguousRow, MAX_ROWS, refusal};
use crate::directory::describe::find_by_scan;
use crate::directory::groups;
use landbridge_tenant_rules::model::is_removed;
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::{domains, names, objects};
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
        "{object} is erased; its objectGUID stays in the audit log, and older backups still contain the account{later}"
    )))
}

/// Limit on the accounts that are shown for one name. An administrator has to resolve the first few anyway.
const MAX_HOLDERS: u32 = 20;

/// The sign-in names that more than one account holds, with these accounts.
pub(super) fn ambiguous(reading: &Reading<'_>) -> Result<AdminResponse, StoreError> {
    let domains = domains::all(reading)?;
    let rows = names::ambiguous(reading, MAX_ROWS)?.into_iter().map(|(name, count)| {
        let mut holders = Vec::new();
        for object in names::all_holders(reading, &name, MAX_HOLDERS)? {
            let of = objects::find(reading, object)?.map(|found| found.domain);
            if let Some(domain) = domains.iter().find(|domain| Some(domain.id) == of) {
                holders.extend(groups::with_names(reading, domain, [object])?);
            }
        }
        Ok(AmbiguousRow { name, count, holders })
    });
    Ok(AdminResponse::Ambiguous(rows.collect::<Result<_, StoreError>>()?))
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
        ([], true) => Err(refusal("there is no such account", "give its objectGUID")),
        ([], false) => Err(refusal(
            "the account is still synchronized, so the next cycle would bring it back",
            "delete it in AD or exclude it from the scope of its phs, let phs run once, and try again",
        )),
        _ => {
            let guids: Vec<String> = gone.iter().map(|one| one.object.to_string()).collect();
            let what = format!("several accounts that left had this name: {}", guids.join(", "));
            Err(refusal(&what, "give the objectGUID of one"))
        }
    })
}
