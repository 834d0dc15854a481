//! Authorization requests: a code for who has a session, and the sign-in page for everybody else.
//!
//! The form of the page carries the request itself, which is checked again: the server keeps nothing between page and form.
//! Neighbours: [`super::authorization`] checks requests, [`super::sign_in`] has the page.

use super::authorization::{self, Authorization, Meant, Wrong};
use super::cookies::{SESSION, cookie};
use super::door::{Asked, Checked, OidcDoor, page_of};
use super::metadata::path;
use super::parameters::Parameters;
use super::sign_in::Destination;
use super::token::ID_TOKEN;
use hyper::StatusCode;
use landbridge_door_listen::body::Answer;
use landbridge_door_pages::headers::Scripts;
use landbridge_door_pages::no_access::{NoAccess, NoAccessReason};
use landbridge_door_pages::sign_in::Notice;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::provider::{Client, NewGrant, NoCode, WebSession};
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;

impl OidcDoor {
    /// An authorization request of a client, which the browser brings. Blocks.
    pub(crate) fn authorize(&self, asked: &Asked, parameters: &Parameters) -> Checked<Answer> {
        // 1. The request, which the client may have pushed.
        let pushed = self.pushed(asked, parameters)?;
        let text = match &pushed {
            Some(pushed) => pushed.to_query(),
            None => original(parameters, &asked.query),
        };
        let (client, request) = self.checked(asked, pushed.as_ref().unwrap_or(parameters))?;
        // 2. A code for who is signed in already, recently enough, and as the person that the client means.
        let now = unix_now();
        let session = self.timely_session(asked, now)?;
        let mut has_ended = session.is_none() && cookie(&asked.headers, SESSION).is_some();
        let fits = |session: &WebSession| {
            !request.prompt.login
                && request.max_age.is_none_or(|seconds| now.saturating_sub(session.made_at) <= seconds)
                && request.meant != Meant::Unknown
                && self.is_meant(&client, &request, session)
        };
        if let Some(session) = session.filter(fits) {
            match self.finish(asked, (&client, &request, &text), (&session, Some(asked.from)), now) {
                Some(answer) => return Ok(answer),
                None => has_ended = true,
            }
        }
        // 3. The page for everybody else.
        if request.prompt.none {
            return Ok(self.back(asked, &request.back, &[("error", "login_required")]));
        }
        let notice = has_ended.then_some(Notice::SessionEnded);
        let to = Destination::Application(Box::new((client, request, text)));
        Ok(self.sign_in_page(asked, &to, None, notice, StatusCode::OK))
    }

    /// The client of a request and the request, checked. The error is the answer. Blocks.
    pub(crate) fn checked(
        &self,
        asked: &Asked,
        parameters: &Parameters,
    ) -> Checked<(Arc<Client>, Authorization)> {
        let client = self.client(asked, parameters)?;
        match authorization::check(&client.oidc, parameters) {
            Ok(mut request) => {
                request.meant = self.meant(&client, parameters.get("id_token_hint"));
                request.back.application = Some(client.app.name.clone());
                if client.oidc.pushed_requests_only && !self.was_pushed(asked, parameters) {
                    let words = "this client must push its requests";
                    let values = [("error", "invalid_request"), ("error_description", words)];
                    return Err(Box::new(self.back(asked, &request.back, &values)));
                }
                Ok((client, request))
            }
            Err(Wrong::Here(fault, detail)) => {
                Err(Box::new(self.wrong(asked, StatusCode::BAD_REQUEST, fault, detail)))
            }
            Err(Wrong::There(back, code, words)) => {
                Err(Box::new(self.back(asked, &back, &[("error", code), ("error_description", words)])))
            }
        }
    }

    /// The person whom a client means with an ID token of its own, also with one that is over.
    fn meant(&self, client: &Client, hint: Option<&str>) -> Meant {
        let Some(hint) = hint else { return Meant::Anyone };
        let claims = self.provider.issuer().verified(ID_TOKEN, hint).unwrap_or_default();
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        match text("sub") {
            Some(sub)
                if text("iss") == Some(self.issuer.as_str())
                    && text("aud") == Some(client.app.name.as_str()) =>
            {
                Meant::Person(sub.to_owned())
            }
            Some(_) | None => Meant::Unknown,
        }
    }

    /// Whether the person of a session is not another one than the client means.
    fn is_meant(&self, client: &Client, request: &Authorization, session: &WebSession) -> bool {
        match &request.meant {
            Meant::Person(sub) => self.provider.subject(client, session.object) == *sub,
            Meant::Anyone | Meant::Unknown => true,
        }
    }

    /// The session of the browser, if it has one. The error is the answer. Blocks.
    pub(crate) fn session(&self, asked: &Asked, now: i64) -> Checked<Option<WebSession>> {
        let Some(value) = cookie(&asked.headers, SESSION) else { return Ok(None) };
        self.provider.session(value, now).map_err(|_| Box::new(self.failure(asked)))
    }

    /// The same, where the account is looked at later. Blocks.
    fn timely_session(&self, asked: &Asked, now: i64) -> Checked<Option<WebSession>> {
        let Some(value) = cookie(&asked.headers, SESSION) else { return Ok(None) };
        self.provider.timely_session(value, now).map_err(|_| Box::new(self.failure(asked)))
    }

    /// The code for a person with a session, if the application is assigned to the person. With an address, the session
    /// stands for the password. None: the session has ended. Blocks.
    pub(crate) fn finish(
        &self,
        asked: &Asked,
        (client, request, text): (&Client, &Authorization, &str),
        (session, by_session_from): (&WebSession, Option<IpAddr>),
        now: i64,
    ) -> Option<Answer> {
        let back = |values: &[(&str, &str)]| Some(self.back(asked, &request.back, values));
        if !self.is_meant(client, request, session) {
            return back(&[("error", "login_required")]);
        }
        // Redeeming a code costs a write, so codes have the rate that sign-ins have. One with a password was charged before.
        if by_session_from.is_some() && self.applications.charge(&client.app, asked.arrived).is_err() {
            return back(&[("error", "temporarily_unavailable")]);
        }
        let new = NewGrant {
            scopes: request.scopes.clone(),
            nonce: request.nonce.clone(),
            redirect_uri: request.back.redirect_uri.clone(),
            challenge: request.challenge.clone(),
            by_session_from,
        };
        match self.provider.make_code(session, client, new, now) {
            Ok(code) => back(&[("code", &code)]),
            Err(NoCode::SessionEnded) => None,
            Err(NoCode::NotAssigned) if request.prompt.none => back(&[("error", "access_denied")]),
            Err(NoCode::NotAssigned) => Some(self.no_access(asked, client, text)),
            Err(NoCode::Store(_)) => back(&[("error", "temporarily_unavailable")]),
        }
    }

    /// The page for a person to whom the application is not assigned. `request` is the request as text, so that another
    /// name can be used for it.
    pub(crate) fn no_access(&self, asked: &Asked, client: &Client, request: &str) -> Answer {
        let again = if request.contains("prompt=") { "" } else { "&prompt=login" };
        let page = NoAccess {
            application: Some(client.app.name.as_str().into()),
            name: None,
            reason: NoAccessReason::NotAssigned,
            another: format!("{}?{request}{again}", path::NOT_YOU).parse().ok(),
            back: None,
        };
        page_of(StatusCode::FORBIDDEN, page.html(&self.frame(asked)), Scripts::None, None)
    }
}

/// The parameters of a request as a query, however they came.
fn original(parameters: &Parameters, query: &str) -> String {
    if query.is_empty() { parameters.to_query() } else { query.to_owned() }
}
