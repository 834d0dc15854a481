//! An administrator's own try at a sign-in: the same decision as an application's, with the true reason.
//! Before it: `admin::act`. It counts for the lockout as any other.

use crate::administration::Inner;
use crate::administration::request::Person;
use crate::administration::request::{AdminResponse, Confidential};
use crate::sign_ins::{Attempt, Caller};
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::account_state::Disclosable;
use landbridge_tenant_rules::verdict::Verdict;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

/// Decides. `uid` is who tries, `now` is in seconds since 1970.
pub(super) fn sign_in(
    tenant: &Arc<Inner>,
    uid: u32,
    user: &str,
    password: &Confidential,
    source: &str,
    now: i64,
) -> AdminResponse {
    let plain = (1..=64).contains(&source.len()) && source.bytes().all(|b| b.is_ascii_graphic());
    if !plain {
        let what = "a source is an address or a word of at most 64 characters".to_owned();
        return AdminResponse::Refused { what, todo: "use another --source".to_owned() };
    }
    let password = password.lend(|text| Password::new(text.to_owned()));
    let attempt =
        Attempt { user: user.to_owned(), password: Arc::new(password), now, arrived: Instant::now() };
    let caller =
        Caller { door: "operator", actor: format!("uid {uid}"), source: source.to_owned(), domain: None };
    let deciding = tenant.sign_ins.sign_in(attempt, || Ok::<_, Infallible>(caller));
    // This is a thread for blocking work: it may wait for an agent.
    let Ok(verdict) = tokio::runtime::Handle::current().block_on(deciding);
    match verdict {
        Verdict::Accepted(person) => AdminResponse::Accepted(Person::of(person)),
        Verdict::Refused { told, why, .. } => AdminResponse::SignInRefused {
            told: told.map(|told| Disclosable::as_str(told).to_owned()),
            why: why.to_string(),
        },
        Verdict::Unavailable(why) => {
            AdminResponse::Unavailable(format!("the sign-in cannot be decided now: {why}"))
        }
    }
}
