//! An administrator's own try at a sign-in: the same decision as an application's, with the true reason.
//! Before it: `admin::act`. It counts for the lockout as any other.

use super::{Answer, Confidential};
use crate::decide::{Asker, Wish, decide};
use crate::routes::signin::shown;
use crate::serve::Tenant;
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::account_state::Told;
use landbridge_tenant_rules::verdict::Verdict;
use std::convert::Infallible;
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
    let wish = Wish { user: user.to_owned(), password: Arc::new(password), now };
    let asker = Asker { actor: format!("uid {uid}"), from: source.to_owned(), limit: None };
    let deciding = decide(tenant, wish, |_| Ok::<_, Infallible>(asker));
    // This is a thread for blocking work: it may wait for an agent.
    let Ok(verdict) = tokio::runtime::Handle::current().block_on(deciding);
    match verdict {
        Verdict::Accepted(person) => Answer::Accepted(shown(&person)),
        Verdict::Refused { told, why, .. } => Answer::SignInRefused {
            told: told.map(|told| Told::as_str(told).to_owned()),
            why: why.to_string(),
        },
        Verdict::Unavailable(why) => Answer::Unavailable(format!("the sign-in cannot be decided now: {why}")),
    }
}
