//! An administrator's own try at a sign-in: the same decision as an application's, with the true reason.
//! Before it: `admin::act`. It counts for the lockout as any other.

use super::{Answer, Confidential};
use crate::account_state::Told;
use crate::decide::{Wish, decide};
use crate::routes::signin::{noted, shown};
use crate::serve::Tenant;
use crate::signin::Verdict;
use landbridge_crypto::secret::Password;
use std::sync::Arc;

/// Decides. `uid` is who tries, `now` is in seconds since 1970.
pub(super) fn sign_in(
    tenant: &Arc<Tenant>,
    uid: u32,
    user: &str,
    password: &Confidential,
    source: &str,
    now: i64,
) -> Answer {
    let plain = (1..=64).contains(&source.len()) && source.bytes().all(|b| b.is_ascii_graphic());
    if !plain {
        let what = "a source is an address or a word of at most 64 characters".to_owned();
        return Answer::Refused { what, todo: "use another --source".to_owned() };
    }
    let password = password.lend(|text| Password::new(text.to_owned()));
    let (user, password) = (user.to_owned(), Arc::new(password));
    let wish = Wish { user, password, from: source.to_owned(), limit: None, now };
    // This is a thread for blocking work: it may wait for an agent.
    let (verdict, by) = tokio::runtime::Handle::current().block_on(decide(tenant, wish));
    if let Some(entry) = noted(tenant, &format!("uid {uid}"), source, &verdict, by, now)
        && tenant.recorder.record_blocking(entry).is_err()
    {
        tenant.metrics.storage_errors.inc();
    }
    match verdict {
        Verdict::Accepted(person) => Answer::Accepted(shown(&person)),
        Verdict::Refused { told, why, .. } => Answer::SignInRefused {
            told: told.map(|told| Told::as_str(told).to_owned()),
            why: why.to_string(),
        },
        Verdict::Unavailable(why) => Answer::Unavailable(format!("the sign-in cannot be decided now: {why}")),
    }
}
