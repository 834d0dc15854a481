//! Authorization requests, and the form of the sign-in page.
//!
//! The form carries the request itself, which is checked again: the server keeps nothing between page and form.
//! Neighbours: [`super::authorization`] checks requests.

use super::authorization::{self, Authorization, Meant, Wrong};
use super::cookies::{self, FORM, SESSION, cookie};
use super::door::{Asked, Checked, OidcDoor, blocking, page_of};
use super::metadata::path;
use super::parameters::Parameters;
use super::token::ID_TOKEN;
use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER, SET_COOKIE, USER_AGENT};
use landbridge_crypto::secret::Password;
use landbridge_door_listen::body::Answer;
use landbridge_door_pages::frame::{CSRF_FIELD, REQUEST_FIELD};
use landbridge_door_pages::headers::Scripts;
use landbridge_door_pages::link::{Link, Path};
use landbridge_door_pages::no_access::{NoAccess, NoAccessReason};
use landbridge_door_pages::request_error::RequestFault;
use landbridge_door_pages::sign_in::{KnownName, NAME_FIELD, Notice, PASSWORD_FIELD, SignIn};
use landbridge_tenant_core::applications::NotAuthenticated;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::provider::{Client, NewGrant, NewSession, Standing, StoreError, WebSession};
use landbridge_tenant_core::sign_ins::{
    Attempt, Caller, Disclosable, MAX_PASSWORD, Source, Unavailable, Verdict, Why,
};
use serde_json::Value;
use std::sync::Arc;

/// What a proof of the sign-in form is for.
const FORM_PURPOSE: &str = "sign-in";
/// Limit on the bytes of a browser's description of itself that are kept.
const MAX_DEVICE: usize = 256;
/// Limit on the bytes of a name.
const MAX_NAME: usize = 1024;

impl OidcDoor {
    /// An authorization request of a client, which the browser brings.
    pub(crate) async fn authorize(&self, asked: &Asked, parameters: Parameters) -> Checked<Answer> {
        // 1. The request.
        let (client, request) = self.checked(asked, &parameters).await?;
        // 2. Who is signed in already, recently enough.
        let now = unix_now();
        let session = self.session(asked, now).await?;
        let is_recent = |session: &WebSession| {
            !request.prompt.login
                && request.max_age.is_none_or(|seconds| now.saturating_sub(session.made_at) <= seconds)
                && request.meant != Meant::Unknown
                && self.is_meant(&client, &request, session)
        };
        let session = session.filter(is_recent);
        // 3. A code, or the page.
        Ok(match session {
            Some(session) => self.finish(asked, &client, &request, session, now).await,
            None if request.prompt.none => self.back(asked, &request.back, &[("error", "login_required")]),
            None => {
                let text = original(&parameters, &asked.query);
                self.page(asked, &client, &request, &text, None, StatusCode::OK)
            }
        })
    }

    /// The form of the sign-in page.
    pub(crate) async fn sign_in(&self, asked: &Asked, mut form: Parameters) -> Checked<Answer> {
        // 1. The form is one that this browser was given, and its request is sound.
        if !self.forms.is_ours(&asked.headers, FORM_PURPOSE, form.get(CSRF_FIELD)) {
            return Ok(self.wrong(asked, StatusCode::FORBIDDEN, RequestFault::ForgedForm, ""));
        }
        let text = form.get(REQUEST_FIELD).unwrap_or_default().to_owned();
        let parameters = self.sound(asked, Parameters::parse(text.as_bytes()))?;
        let (client, request) = self.checked(asked, &parameters).await?;
        // 2. Name and password.
        let user = form.get(NAME_FIELD).unwrap_or_default().trim().to_owned();
        let password = Password::new(form.extract(PASSWORD_FIELD).unwrap_or_default());
        let again = |notice, status| {
            let request = Authorization { login_hint: Some(user.clone()), ..request.clone() };
            self.page(asked, &client, &request, &text, Some(notice), status)
        };
        let fits = password.lend(|text| !text.is_empty() && text.len() <= MAX_PASSWORD);
        if user.is_empty() || user.len() > MAX_NAME || !fits {
            return Ok(again(Notice::WrongPassword, StatusCode::FORBIDDEN));
        }
        let now = unix_now();
        let (provider, name) = (self.provider.clone(), user.clone());
        let Some(Ok(version)) = blocking(move || provider.password_version(&name)).await else {
            return Ok(again(Notice::CannotCheck, StatusCode::SERVICE_UNAVAILABLE));
        };
        let attempt =
            Attempt { user: user.clone(), password: Arc::new(password), now, arrived: asked.arrived };
        let (applications, app, from, arrived) =
            (self.applications.clone(), client.app.clone(), asked.from, asked.arrived);
        let verdict = self.sign_ins.sign_in(attempt, move || {
            applications.charge(&app, arrived)?;
            Ok::<_, NotAuthenticated>(Caller {
                door: "oidc",
                actor: format!("app {}", app.name),
                source: Source::Address(from),
                address: Some(from),
                application: Some(app.id),
                domains: app.domain_rows(),
            })
        });
        // 3. What it means.
        let person = match verdict.await {
            Ok(Verdict::Accepted(person)) => person,
            Ok(Verdict::Refused { why: Why::NotAssigned, .. }) => return Ok(self.no_access(asked, &client)),
            Ok(Verdict::Refused { disclosed, .. }) => {
                let notice = match disclosed {
                    None => Notice::WrongPassword,
                    Some(Disclosable::MustChangePassword | Disclosable::PasswordExpired) => {
                        Notice::PasswordExpired
                    }
                    Some(Disclosable::AccountExpired) => Notice::AccountExpired,
                };
                return Ok(again(notice, StatusCode::FORBIDDEN));
            }
            Ok(Verdict::Unavailable(Unavailable::Overloaded)) | Err(NotAuthenticated::OverRate(_)) => {
                let mut answer = again(Notice::CannotCheck, StatusCode::SERVICE_UNAVAILABLE);
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                return Ok(answer);
            }
            Ok(Verdict::Unavailable(_)) | Err(NotAuthenticated::Storage | NotAuthenticated::Unknown) => {
                return Ok(again(Notice::CannotCheck, StatusCode::SERVICE_UNAVAILABLE));
            }
        };
        // 4. A session, and the answer to the request.
        let device = asked.headers.get(USER_AGENT).and_then(|text| text.to_str().ok()).unwrap_or_default();
        let device = device.chars().take(MAX_DEVICE).collect();
        let new = NewSession { object: person.object, version, device, address: asked.from.to_string() };
        let provider = self.provider.clone();
        let before = cookie(&asked.headers, SESSION).map(str::to_owned);
        let Some(Ok((session, secret))) =
            blocking(move || provider.begin(&new, before.as_deref(), now)).await
        else {
            return Ok(again(Notice::CannotCheck, StatusCode::SERVICE_UNAVAILABLE));
        };
        let mut answer = self.finish(asked, &client, &request, session, now).await;
        answer
            .headers_mut()
            .extend(cookies::set(SESSION, &secret.to_text()).map(|value| (SET_COOKIE, value)));
        Ok(answer)
    }

    /// The client of a request and the request, checked. The error is the answer.
    async fn checked(&self, asked: &Asked, parameters: &Parameters) -> Checked<(Client, Authorization)> {
        let client = self.client(asked, parameters).await?;
        match authorization::check(&client.oidc, parameters) {
            Ok(request) => {
                let meant = self.meant(&client, parameters.get("id_token_hint"));
                Ok((client, Authorization { meant, ..request }))
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

    /// The session of the browser, if it has one. The error is the answer.
    pub(crate) async fn session(&self, asked: &Asked, now: i64) -> Checked<Option<WebSession>> {
        let Some(value) = cookie(&asked.headers, SESSION).map(str::to_owned) else { return Ok(None) };
        let provider = self.provider.clone();
        match blocking(move || provider.session(&value, now)).await {
            Some(Ok(session)) => Ok(session),
            Some(Err(_)) | None => Err(Box::new(self.failure(asked))),
        }
    }

    /// The code for a person with a session, if the application is hers or his.
    async fn finish(
        &self,
        asked: &Asked,
        client: &Client,
        request: &Authorization,
        session: WebSession,
        now: i64,
    ) -> Answer {
        if !self.is_meant(client, request, &session) {
            return self.back(asked, &request.back, &[("error", "login_required")]);
        }
        let provider = self.provider.clone();
        let new = NewGrant {
            scopes: request.scopes.clone(),
            nonce: request.nonce.clone(),
            redirect_uri: request.back.redirect_uri.clone(),
            challenge: request.challenge.clone(),
        };
        // A code costs a write, so codes have the rate that sign-ins have.
        if self.applications.charge(&client.app, asked.arrived).is_err() {
            return self.back(asked, &request.back, &[("error", "temporarily_unavailable")]);
        }
        let of = client.clone();
        let made = blocking(move || match provider.standing(&session, &of, now)? {
            Standing::Good => Ok((Standing::Good, Some(provider.grant(&session, &of, &new, now)?))),
            other @ (Standing::Over | Standing::NotAssigned) => Ok::<_, StoreError>((other, None)),
        });
        match made.await {
            Some(Ok((_, Some(code)))) => self.back(asked, &request.back, &[("code", &code)]),
            Some(Ok((_, None))) if request.prompt.none => {
                self.back(asked, &request.back, &[("error", "access_denied")])
            }
            Some(Ok((_, None))) => self.no_access(asked, client),
            Some(Err(_)) | None => self.back(asked, &request.back, &[("error", "temporarily_unavailable")]),
        }
    }

    fn no_access(&self, asked: &Asked, client: &Client) -> Answer {
        let page = NoAccess {
            application: Some(client.app.name.as_str().into()),
            name: None,
            reason: NoAccessReason::NotAssigned,
            another: None,
            back: None,
        };
        page_of(StatusCode::FORBIDDEN, page.html(&self.frame(asked)), Scripts::None, None)
    }

    /// The sign-in page.
    fn page(
        &self,
        asked: &Asked,
        client: &Client,
        request: &Authorization,
        text: &str,
        notice: Option<Notice>,
        status: StatusCode,
    ) -> Answer {
        let (Ok(action), Some(value)) = (path::SIGN_IN.parse::<Path>(), self.forms.cookie(&asked.headers))
        else {
            return self.failure(asked);
        };
        let page = SignIn {
            application: Some(client.app.name.as_str().into()),
            action,
            csrf: self.forms.proof(&value, FORM_PURPOSE),
            request: text.to_owned(),
            name: request.login_hint.as_ref().map_or(KnownName::Empty, |name| KnownName::Typed(name.into())),
            notice,
        };
        // Browsers apply `form-action` to the redirects behind the form.
        let target = request.back.redirect_uri.parse::<Link>().ok();
        let target = target.as_ref().map(Link::origin);
        let mut answer = page_of(status, page.html(&self.frame(asked)), Scripts::None, target);
        answer.headers_mut().extend(cookies::set(FORM, &value).map(|value| (SET_COOKIE, value)));
        answer
    }
}

/// The parameters of a request as a query, however they came.
fn original(parameters: &Parameters, query: &str) -> String {
    if query.is_empty() { parameters.to_query() } else { query.to_owned() }
}
