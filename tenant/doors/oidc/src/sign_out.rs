//! The end of a session (OpenID Connect RP-Initiated Logout 2): at once if the application shows an ID token of it, and else
//! after a question, so that no page can end somebody's session.

use super::cookies::{self, FORM, NAME, SESSION, cookie};
use super::door::{Asked, Checked, OidcDoor, page_of, see_other};
use super::metadata::path;
use super::parameters::Parameters;
use super::token::ID_TOKEN;
use hyper::header::SET_COOKIE;
use hyper::{Method, StatusCode};
use landbridge_door_listen::body::Answer;
use landbridge_door_pages::frame::{CSRF_FIELD, REQUEST_FIELD};
use landbridge_door_pages::headers::Scripts;
use landbridge_door_pages::link::Path;
use landbridge_door_pages::request_error::RequestFault;
use landbridge_door_pages::sign_out::{SignOut, SignedOut};
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::provider::{Ending, WebSession};
use serde_json::Value;
use url::Url;

/// What a proof of the form is for.
const FORM_PURPOSE: &str = "sign-out";

impl OidcDoor {
    /// The request of an application or of a person, and the form of the question. Blocks.
    pub(crate) fn sign_out(&self, asked: &Asked, parameters: Parameters) -> Checked<Answer> {
        let says_so = asked.method == Method::POST
            && self.forms.is_ours(&asked.headers, FORM_PURPOSE, parameters.get(CSRF_FIELD));
        // The form carries the application's request.
        let carried = parameters.get(REQUEST_FIELD).filter(|_| says_so).map(str::to_owned);
        let parameters = match carried.map(|text| Parameters::parse(text.as_bytes())) {
            Some(carried) => self.sound(asked, carried)?,
            None => parameters,
        };
        let session = self.session(asked, unix_now())?;
        // 1. What the application shows: an ID token of ours, also one that is over.
        let hint =
            parameters.get("id_token_hint").and_then(|hint| self.provider.issuer().verified(ID_TOKEN, hint));
        let text = |name: &str| {
            let value = hint.as_ref().and_then(|claims| claims.get(name)).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let is_ours = text("iss") == self.issuer;
        if is_ours && parameters.get("client_id").is_some_and(|named| named != text("aud")) {
            let detail = "id_token_hint is of another client_id";
            return Ok(self.wrong(asked, StatusCode::BAD_REQUEST, RequestFault::Malformed, detail));
        }
        // 2. Where the person goes afterwards: to a URI that this application has registered.
        let back = match parameters.get("post_logout_redirect_uri") {
            Some(wanted) if is_ours => {
                match self.signed_out_uri(&text("aud"), wanted, parameters.get("state")) {
                    Some(back) => Some(back),
                    None => {
                        return Ok(self.wrong(
                            asked,
                            StatusCode::BAD_REQUEST,
                            RequestFault::WrongReturn,
                            "post_logout_redirect_uri is not registered",
                        ));
                    }
                }
            }
            Some(_) | None => None,
        };
        // 3. The session ends if the token is of it, or the person says so.
        if let Some(session) = session {
            if !(says_so || is_ours && self.is_of(&text("aud"), &text("sid"), &session)) {
                return Ok(self.sign_out_page(asked, &parameters));
            }
            if self.provider.end(&session, Ending::SignedOut, unix_now()).is_err() {
                return Ok(self.failure(asked));
            }
        }
        Ok(match back {
            Some(back) => forgotten(asked, see_other(&back)),
            None => self.signed_out(asked),
        })
    }

    /// Whether `sid` of an ID token of this client names a session.
    fn is_of(&self, client: &str, sid: &str, session: &WebSession) -> bool {
        let client = self.provider.client(client).ok().flatten();
        client.is_some_and(|client| self.provider.session_name(&client, session.id) == sid)
    }

    /// The question whether the person wants to sign out.
    fn sign_out_page(&self, asked: &Asked, parameters: &Parameters) -> Answer {
        let paths = (path::SIGN_OUT.parse::<Path>(), path::OWN_PAGE.parse::<Path>());
        let (Ok(action), Ok(stay), Some(value)) = (paths.0, paths.1, self.forms.cookie(&asked.headers))
        else {
            return self.failure(asked);
        };
        let csrf = self.forms.proof(&value, FORM_PURPOSE);
        let page = SignOut { action, csrf, request: Some(parameters.to_query()), name: None, stay };
        let mut answer = page_of(StatusCode::OK, page.html(&self.frame(asked)), Scripts::None, None);
        answer.headers_mut().extend(cookies::set(FORM, &value).map(|value| (SET_COOKIE, value)));
        answer
    }

    /// The page after the end of the browser's session.
    pub(crate) fn signed_out(&self, asked: &Asked) -> Answer {
        let page = SignedOut { application: None, back: None, sign_in: path::OWN_PAGE.parse().ok() };
        forgotten(asked, page_of(StatusCode::OK, page.html(&self.frame(asked)), Scripts::None, None))
    }

    /// A registered URI of a client, with the state. None: it is not one of its.
    fn signed_out_uri(&self, client: &str, wanted: &str, state: Option<&str>) -> Option<String> {
        let client = self.provider.client(client).ok()??;
        client.oidc.signed_out_uris.iter().find(|registered| registered.fits(wanted))?;
        let mut url = Url::parse(wanted).ok()?;
        if let Some(state) = state {
            url.query_pairs_mut().append_pair("state", state);
        }
        Some(url.into())
    }
}

/// An answer after which the browser knows neither session nor name. It stays one that is known for its accounts.
///
/// A form that another site posts comes without the cookie of the session. Its answer must not remove anything.
fn forgotten(asked: &Asked, mut answer: Answer) -> Answer {
    if cookie(&asked.headers, SESSION).is_some() {
        for name in [SESSION, NAME] {
            answer.headers_mut().extend(cookies::clear(name).map(|value| (SET_COOKIE, value)));
        }
    }
    answer
}
