//! What an administrator does to what is known of people.
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

/// Erases one that is gone. Whoever has not left stays: its phs would only bring it again.
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
    let later = if store.is_to_fold() {
        "; a backup is being made, so its last bytes leave the database's log within the hour after that"
    } else {
        ""
    };
    Ok(AdminResponse::Done(format!(
        "{object} is erased; the audit log keeps its objectGUID, and backups what they hold{later}"
    )))
}

/// So many holders of a name are shown.
const MAX_HOLDERS: u32 = 20;

/// The names that more than one account holds, with who they are.
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
    // Its name may be another's by now.
    let gone: Vec<_> = found.iter().filter(|one| is_removed(one.presence)).collect();
    Ok(match (gone.as_slice(), found.is_empty()) {
        ([one], _) => Ok(one.object),
        ([], true) => Err(refusal("nothing is known of such an account", "name its objectGUID")),
        ([], false) => Err(refusal(
            "the account has not left: it would be back with the next synchronization",
            "delete it in AD or take it out of the scope of its phs, let that run, and say it again",
        )),
        _ => {
            let guids: Vec<String> = gone.iter().map(|one| one.object.to_string()).collect();
            let what = format!("several that are gone had this name: {}", guids.join(", "));
            Err(refusal(&what, "name the objectGUID of one"))
        }
    })
}
