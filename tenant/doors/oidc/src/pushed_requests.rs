//! Pushed authorization requests (RFC 9126). The client sends a request itself, which is checked at once. The browser
//! then brings its `request_uri`, which is good once.
//!
//! The form of the sign-in page carries the parameters of a request, whether it was pushed or not. One more parameter
//! proves that they were pushed. The proof holds for one browser and for these parameters, so the person cannot change
//! them.
//! Neighbours: [`super::authorization`] checks requests; `authorize.rs` processes them.

use super::authorization::{Wrong, check};
use super::door::{Asked, Checked, OidcDoor, private_json, refused, unavailable};
use super::parameters::{MAX_PARAMETERS, Parameters};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use landbridge_door_listen::body::Answer;
use landbridge_door_pages::request_error::RequestFault;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::provider::Client;
use landbridge_tenant_core::provider::pushed_requests::{PUSHED, REQUEST_URI};
use serde_json::json;

/// The parameter that proves that a carried request was pushed.
const PROOF: &str = "pushed";
/// Bytes that the proof adds to a query: its name, `&` and `=`, and 43 characters.
const PROOF_LENGTH: usize = 52;
/// The fields of the form that authenticate the client. They are not stored with its request.
const OF_THE_CLIENT: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

impl OidcDoor {
    /// The endpoint for pushed requests. Blocks.
    pub(crate) fn push(&self, asked: &Asked, client: &Client, form: &Parameters) -> Answer {
        let bad = |code, words| refused(StatusCode::BAD_REQUEST, code, words);
        // 1. The request, checked as one that a browser brings.
        if form.get("request_uri").is_some() {
            return bad("invalid_request", "a pushed request names no other one");
        }
        match check(&client.oidc, form) {
            Ok(_) => {}
            Err(Wrong::Here(_, words)) => return bad("invalid_request", words),
            Err(Wrong::There(_, code, words)) => return bad(code, words),
        }
        let mut names = OF_THE_CLIENT.to_vec();
        names.extend(["client_id", PROOF]);
        let query = form.without(&names).with("client_id", &client.app.name).to_query();
        if query.len() > MAX_PARAMETERS - PROOF_LENGTH {
            return bad("invalid_request", "the request is too long");
        }
        // 2. Its row in the database.
        if self.applications.charge(&client.app, asked.arrived).is_err() {
            return unavailable();
        }
        match self.provider.push(client, &query, unix_now()) {
            Ok(Some(uri)) => {
                let answer = json!({ "request_uri": uri.as_str(), "expires_in": PUSHED });
                private_json(StatusCode::CREATED, &answer)
            }
            Ok(None) | Err(_) => unavailable(),
        }
    }

    /// The pushed request whose `request_uri` is in these parameters, with its proof for this browser. None: they have
    /// no `request_uri`. The error is the answer. Blocks.
    pub(crate) fn pushed(&self, asked: &Asked, parameters: &Parameters) -> Checked<Option<Parameters>> {
        let Some(uri) = parameters.get("request_uri").filter(|uri| uri.starts_with(REQUEST_URI)) else {
            return Ok(None);
        };
        let client = self.client(asked, parameters)?;
        let found = self.provider.redeem_pushed(&client, uri, unix_now());
        let found = found.map_err(|_| Box::new(self.failure(asked)))?;
        let Some(query) = found else {
            let detail = "request_uri was used, is too old, or is of another client";
            return Err(Box::new(self.wrong(asked, StatusCode::BAD_REQUEST, RequestFault::Expired, detail)));
        };
        let request = self.sound(asked, Parameters::parse(&query))?;
        let Some(cookie) = self.form_cookie(asked) else { return Err(Box::new(self.failure(asked))) };
        let proof = self.forms.proof(cookie, &purpose(&request.to_query()));
        Ok(Some(request.with(PROOF, &proof)))
    }

    /// Whether the parameters are those of a pushed request that this browser brought. `prompt=login` may have been
    /// added, by the page for people without access.
    pub(crate) fn was_pushed(&self, asked: &Asked, request: &Parameters) -> bool {
        let pushed = request.without(&[PROOF]);
        let is_proof = |pushed: &Parameters| {
            let cookie = self.form_cookie(asked);
            cookie.is_some_and(|cookie| {
                self.forms.is_of(cookie, &purpose(&pushed.to_query()), request.get(PROOF))
            })
        };
        let with_login = pushed.get("prompt") == Some("login");
        is_proof(&pushed) || (with_login && is_proof(&pushed.without(&["prompt"])))
    }
}

fn purpose(query: &str) -> String {
    format!("pushed request {}", URL_SAFE_NO_PAD.encode(digest(&SHA256, query.as_bytes())))
}
