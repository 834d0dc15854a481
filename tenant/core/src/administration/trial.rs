//! A sign-in that an administrator tries: decided as for an application, but answered with the true reason. It counts
//! for the smart lockout. Before it: [`super::act`]. After it: [`crate::sign_ins`].

use crate::administration::parts::Inner;
use crate::administration::request::Person;
use crate::administration::request::{AdminResponse, Confidential};
use crate::sign_ins::{Attempt, Caller, Source};
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::account_state::Disclosable;
use landbridge_tenant_rules::verdict::Verdict;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

/// Tries a sign-in. `actor` is who requested it, as the audit log names them; `now` is in seconds since 1970.
pub(super) fn sign_in(
    tenant: &Arc<Inner>,
    actor: &str,
    user: &str,
    password: &Confidential,
    source: &str,
    now: i64,
) -> AdminResponse {
    let source = match Source::parse(source) {
        Ok(source) => source,
        Err(why) => {
            return AdminResponse::Refused {
                what: why.to_string(),
                todo: "a --source is an address, or `name:` and a word".to_owned(),
            };
        }
    };
    let password = password.lend(|text| Password::new(text.to_owned()));
    let attempt =
        Attempt { user: user.to_owned(), password: Arc::new(password), now, arrived: Instant::now() };
    let (door, actor) = ("operator", actor.to_owned());
    let caller = Caller { door, actor, source, address: None, application: None, domains: None };
    let deciding = tenant.sign_ins.sign_in(attempt, || Ok::<_, Infallible>(caller));
    // This thread is one for blocking work, so it may wait for an agent.
    let Ok(verdict) = tokio::runtime::Handle::current().block_on(deciding);
    match verdict {
        Verdict::Accepted(person) => AdminResponse::Accepted(Person::of(person)),
        Verdict::Refused { disclosed, why, .. } => AdminResponse::SignInRefused {
            disclosed: disclosed.map(|reason| Disclosable::as_str(reason).to_owned()),
            why: why.to_string(),
        },
        Verdict::Unavailable(why) => {
            AdminResponse::Unavailable(format!("the sign-in cannot be decided now: {why}"))
        }
    }
}
