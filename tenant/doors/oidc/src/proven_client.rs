//! The client that a request comes from, proven as a client of its kind must be.
//! Before it: [`super::client_authentication`] reads what the request says. After it: the endpoints that clients call.

use super::client_authentication::{Shown, shown};
use super::door::{Asked, Checked, OidcDoor, refused, unavailable};
use super::parameters::Parameters;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use landbridge_door_listen::body::Answer;
use landbridge_tenant_core::applications::NotAuthenticated;
use landbridge_tenant_core::provider::{Client, OidcKind};
use std::sync::Arc;

impl OidcDoor {
    /// The client that sent a form, proven. The error is the answer. Blocks.
    pub(crate) fn proven_client(&self, asked: &Asked, form: &mut Parameters) -> Checked<Arc<Client>> {
        let shown = match shown(&asked.headers, form) {
            Ok(shown) => shown,
            Err(words) => return Err(Box::new(no_client(asked, words))),
        };
        self.prove(asked, &shown).map_err(|why| {
            Box::new(match why {
                NotAuthenticated::Unknown => no_client(asked, "no client has this client_id and secret"),
                NotAuthenticated::Storage | NotAuthenticated::OverRate(_) => unavailable(),
            })
        })
    }

    /// The client that a request names, if it proves itself as a client of its kind must.
    fn prove(&self, asked: &Asked, shown: &Shown) -> Result<Arc<Client>, NotAuthenticated> {
        let found = self.provider.client(&shown.id).map_err(|_| NotAuthenticated::Storage)?;
        let client = found.ok_or(NotAuthenticated::Unknown)?;
        match (client.oidc.kind, &shown.secret) {
            (OidcKind::Confidential, Some(secret)) => {
                self.applications.authenticate_client(&client.app, secret, asked.from)?;
            }
            (OidcKind::Public, None) => {}
            (OidcKind::Confidential, None) | (OidcKind::Public, Some(_)) => {
                return Err(NotAuthenticated::Unknown);
            }
        }
        Ok(client)
    }
}

fn no_client(asked: &Asked, words: &str) -> Answer {
    let mut answer = refused(StatusCode::UNAUTHORIZED, "invalid_client", words);
    if asked.headers.contains_key(AUTHORIZATION) {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"landbridge\""));
    }
    answer
}
