//! The client that sent a request, authenticated in the way that is registered for it.
//! Before it: [`super::client_authentication`] reads the credential. After it: the endpoints that clients call.

use super::client_authentication::{Proof, Shown, shown};
use super::door::{Asked, Checked, OidcDoor, refused, unavailable};
use super::metadata::path;
use super::parameters::Parameters;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use landbridge_door_listen::body::Answer;
use landbridge_tenant_core::applications::NotAuthenticated;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::provider::client_assertion::{Assertion, BadAssertion};
use landbridge_tenant_core::provider::{Client, OidcKind};
use std::sync::Arc;

impl OidcDoor {
    /// The client that sent a form, authenticated. The error is the answer. Blocks.
    pub(crate) fn proven_client(&self, asked: &Asked, form: &mut Parameters) -> Checked<Arc<Client>> {
        let shown = match shown(&asked.headers, form) {
            Ok(shown) => shown,
            Err(words) => return Err(Box::new(no_client(asked, words))),
        };
        self.prove(asked, &shown).map_err(|why| {
            Box::new(match why {
                NotProven::Words(words) => no_client(asked, words),
                NotProven::Not(NotAuthenticated::Unknown) => {
                    no_client(asked, "no client has this client_id and secret")
                }
                NotProven::Not(NotAuthenticated::Storage | NotAuthenticated::OverRate(_)) => unavailable(),
            })
        })
    }

    /// The client that a request names, if its credential is good and of the registered kind.
    fn prove(&self, asked: &Asked, shown: &Shown) -> Result<Arc<Client>, NotProven> {
        let found = self.provider.client(&shown.id).map_err(|_| NotAuthenticated::Storage)?;
        let client = found.ok_or(NotAuthenticated::Unknown)?;
        match (client.oidc.kind, &shown.proof) {
            (OidcKind::Confidential, Proof::Secret(secret)) => {
                self.applications.authenticate_client(&client.app, secret, asked.from)?;
            }
            (OidcKind::Confidential, Proof::Assertion(assertion)) => {
                self.check_assertion(asked, &client, assertion)?;
            }
            (OidcKind::Public, Proof::Nothing) => {}
            (OidcKind::Confidential, Proof::Nothing)
            | (OidcKind::Public, Proof::Secret(_) | Proof::Assertion(_)) => {
                return Err(NotAuthenticated::Unknown.into());
            }
        }
        Ok(client)
    }

    /// Checks the assertion of a client, and notes that it is used. The note is a row in the database, so it is charged
    /// to the application's rate.
    fn check_assertion(
        &self,
        asked: &Asked,
        client: &Client,
        assertion: &Assertion,
    ) -> Result<(), NotProven> {
        let now = unix_now();
        let refuse = |why| {
            self.applications.note_refused_assertion(&client.app, asked.from, why);
            Err(NotProven::Words(why))
        };
        // 1. The assertion, and where it comes from.
        let token_endpoint = format!("{}{}", self.issuer, path::TOKEN);
        let audiences = [self.issuer.as_str(), &token_endpoint];
        let used = match assertion.check(&client.app.name, &client.oidc.keys, &audiences, now) {
            Ok(used) => used,
            Err(BadAssertion(why)) => return refuse(why),
        };
        if !client.app.is_near(asked.from) {
            return refuse("from outside its networks");
        }
        // 2. The note that it is used. A copy of a used assertion is refused before it costs the application anything.
        const AGAIN: &str = "the assertion was used before: its jti is not new";
        if self.provider.was_used(client, &used).map_err(|_| NotAuthenticated::Storage)? {
            return refuse(AGAIN);
        }
        self.applications.charge(&client.app, asked.arrived)?;
        let is_new = self.provider.use_assertion(client, &used).map_err(|_| NotAuthenticated::Storage)?;
        if is_new { Ok(()) } else { refuse(AGAIN) }
    }
}

/// The reason why a client is not authenticated.
enum NotProven {
    /// The credential is refused, with the reason in words for the client's developer.
    Words(&'static str),
    /// The client is unknown or over its rate, or the database fails.
    Not(NotAuthenticated),
}

impl From<NotAuthenticated> for NotProven {
    fn from(why: NotAuthenticated) -> Self {
        Self::Not(why)
    }
}

fn no_client(asked: &Asked, words: &str) -> Answer {
    let mut answer = refused(StatusCode::UNAUTHORIZED, "invalid_client", words);
    if asked.headers.contains_key(AUTHORIZATION) {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"landbridge\""));
    }
    answer
}
