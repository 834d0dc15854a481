//! The door: its paths, and the answers that they share.
//! Neighbours: each path has a file of its own; [`landbridge_door_pages`] has the pages.

use super::authorization::{Back, ResponseMode};
use super::cookies::Forms;
use super::metadata::{document, path};
use super::parameters::{MAX_PARAMETERS, MAX_SIGN_IN, NOTICE, NoParameters, Parameters};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT_LANGUAGE, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HOST, HeaderName, HeaderValue, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use landbridge_door_listen::body::{Answer, BodyTrouble, body, drain};
use landbridge_door_pages::assets::{
    CACHE_FOR_EVER, FORM_POST_SCRIPT, FORM_POST_SCRIPT_PATH, ICON, STYLESHEET, icon_path, stylesheet_path,
};
use landbridge_door_pages::branding::{BrandStylesheet, Branding};
use landbridge_door_pages::continue_to::{ContinueTo, ProgramUri};
use landbridge_door_pages::form_post::FormPost;
use landbridge_door_pages::frame::Frame;
use landbridge_door_pages::headers::{HEADERS, MEDIA_TYPE, Scripts, content_security_policy};
use landbridge_door_pages::language::Language;
use landbridge_door_pages::link::{Link, Origin};
use landbridge_door_pages::logo::Logo;
use landbridge_door_pages::request_error::{RequestError, RequestFault};
use landbridge_tenant_core::applications::Applications;
use landbridge_tenant_core::passwords::Passwords;
use landbridge_tenant_core::provider::{Client, Provider};
use landbridge_tenant_core::sign_ins::SignIns;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;
use url::Url;
use zeroize::Zeroizing;

/// The media type of a stylesheet.
const STYLE: &str = "text/css; charset=utf-8";

/// The door.
#[derive(Debug)]
pub struct OidcDoor {
    pub(crate) provider: Provider,
    pub(crate) sign_ins: SignIns,
    pub(crate) passwords: Passwords,
    pub(crate) applications: Applications,
    pub(crate) forms: Forms,
    branding: Branding,
    brand_stylesheet: Option<BrandStylesheet>,
    /// Without a slash at the end.
    pub(crate) issuer: String,
    /// The host, with the port if it is not 443: what a browser sends as `Host`.
    host: String,
    body_time: Duration,
    /// The domain of names without one.
    pub(crate) domain: Option<String>,
}

/// One request, as far as all paths need it.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) from: IpAddr,
    pub(crate) arrived: Instant,
    pub(crate) language: Language,
    /// The value of the form's cookie, once one of the answers needs it: [`OidcDoor::form_cookie`].
    form_cookie: OnceLock<Option<String>>,
}

impl OidcDoor {
    /// Creates the door of an issuer. A name without a domain is one of `domain`. A form must arrive within `body_time`.
    pub fn new(
        (provider, sign_ins, passwords, applications): (Provider, SignIns, Passwords, Applications),
        (issuer, domain): (&Url, Option<String>),
        branding: Branding,
        form_key: &[u8; 32],
        body_time: Duration,
    ) -> Self {
        let host = issuer.host_str().unwrap_or_default();
        let host = issuer.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let issuer = issuer.as_str().trim_end_matches('/').to_owned();
        let forms = Forms::new(form_key);
        let brand_stylesheet = branding.stylesheet();
        Self {
            provider,
            sign_ins,
            passwords,
            applications,
            forms,
            branding,
            brand_stylesheet,
            issuer,
            host,
            body_time,
            domain,
        }
    }

    /// Answers one request.
    pub async fn serve(
        self: &Arc<Self>,
        request: Request<Incoming>,
        from: IpAddr,
        arrived: Instant,
    ) -> Answer {
        let (head, mut incoming) = request.into_parts();
        let accepted = head.headers.get(ACCEPT_LANGUAGE).and_then(|text| text.to_str().ok());
        let asked = Arc::new(Asked {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            language: Language::of(accepted.unwrap_or_default()),
            headers: head.headers,
            from,
            arrived,
            form_cookie: OnceLock::new(),
        });
        let answer = self.answer(&asked, &mut incoming).await;
        if !answer.status().is_success() {
            drain(&mut incoming).await;
        }
        answer
    }

    async fn answer(self: &Arc<Self>, asked: &Arc<Asked>, incoming: &mut Incoming) -> Answer {
        // 1. The host: another name that leads here is not the issuer.
        let mut hosts = asked.headers.get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        if host != Some(&self.host) || hosts.next().is_some() {
            return self.wrong(
                asked,
                StatusCode::MISDIRECTED_REQUEST,
                RequestFault::NotFound,
                "the Host header is not that of the issuer",
            );
        }
        // 2. What changes nothing.
        let is_get = asked.method == Method::GET;
        match asked.path.as_str() {
            path::DISCOVERY if is_get => {
                return public(document(&self.issuer).to_string(), "application/json");
            }
            path::JWKS if is_get => return public(self.provider.issuer().jwks(), "application/json"),
            FORM_POST_SCRIPT_PATH if is_get => {
                // Its path has no hash.
                return public(FORM_POST_SCRIPT.to_owned(), "text/javascript; charset=utf-8");
            }
            path if is_get && path == stylesheet_path() => return kept(STYLESHEET, STYLE),
            path if is_get && path == icon_path() => return kept(ICON, "image/svg+xml"),
            path if is_get => {
                if let Some(logo) = self.branding.logo.as_ref().filter(|logo| logo.path().to_string() == path)
                {
                    return image(logo);
                }
                if let Some(sheet) = self.brand_stylesheet.as_ref().filter(|sheet| sheet.path == path) {
                    return kept(&sheet.content, STYLE);
                }
            }
            _ => {}
        }
        // 3. The rest, with the parameters of the query or of the form.
        let is_known = [
            path::AUTHORIZE,
            path::SIGN_IN,
            path::USERINFO,
            path::SIGN_OUT,
            path::OWN_PAGE,
            path::END_SESSION,
            path::END_OTHER_SESSIONS,
            path::CHANGE_PASSWORD,
            path::NOT_YOU,
            path::DEVICE,
            path::ALLOW_DEVICE,
            path::REFUSE_DEVICE,
        ]
        .contains(&asked.path.as_str());
        let is_of_clients = path::OF_CLIENTS.contains(&asked.path.as_str());
        if !is_known && !is_of_clients {
            return self.wrong(asked, StatusCode::NOT_FOUND, RequestFault::NotFound, "");
        }
        let has_password = [path::SIGN_IN, path::CHANGE_PASSWORD].contains(&asked.path.as_str());
        let limit = if has_password { MAX_SIGN_IN } else { MAX_PARAMETERS };
        let text = match asked.method {
            Method::GET => Ok(Zeroizing::new(asked.query.clone().into_bytes())),
            Method::POST => self.form(asked, incoming, limit).await,
            _ => return self.not_allowed(asked, "GET, POST"),
        };
        let parameters = match text {
            Ok(text) => Parameters::parse_up_to(&text, limit),
            Err(trouble) => {
                let status = match trouble {
                    BodyTrouble::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                    BodyTrouble::Slow => StatusCode::REQUEST_TIMEOUT,
                    BodyTrouble::Broken => StatusCode::BAD_REQUEST,
                };
                return self.wrong(asked, status, RequestFault::Malformed, "the form cannot be read");
            }
        };
        // 4. A sign-in and a change of password wait for others. All else reads and writes the database in one thread that may block.
        let answer = match parameters {
            Ok(form) if asked.path == path::SIGN_IN && !is_get => self.sign_in(asked, form).await,
            Ok(form) if asked.path == path::CHANGE_PASSWORD && !is_get => {
                self.change_password(asked, form).await
            }
            parameters => {
                let (door, of) = (self.clone(), asked.clone());
                blocking(move || door.respond(&of, parameters)).await
            }
        };
        answer.unwrap_or_else(|| self.failure(asked))
    }

    /// The answer to a request at any path but the form of the sign-in. Blocks.
    fn respond(&self, asked: &Asked, parameters: Result<Parameters, NoParameters>) -> Answer {
        let is_get = asked.method == Method::GET;
        // The endpoints of clients have answers of their own to what is wrong.
        if path::OF_CLIENTS.contains(&asked.path.as_str()) && !is_get {
            return self.client_endpoint(asked, parameters);
        }
        let parameters = match self.sound(asked, parameters) {
            Ok(parameters) => parameters,
            Err(answer) => return *answer,
        };
        let answer = match (asked.path.as_str(), is_get) {
            (path::AUTHORIZE, _) => self.authorize(asked, &parameters),
            (path::USERINFO, _) => Ok(self.userinfo(asked)),
            (path::SIGN_OUT, _) => self.sign_out(asked, parameters),
            (path::OWN_PAGE, true) => self.own_page(asked, parameters.get(NOTICE)),
            (path::CHANGE_PASSWORD, true) => self.change_password_page_of_session(asked),
            (path::END_SESSION | path::END_OTHER_SESSIONS, false) => self.end_sessions(asked, &parameters),
            (path::NOT_YOU, true) => Ok(self.not_you(asked)),
            (path::DEVICE, true) => self.device_page(asked),
            (path::DEVICE, false) => self.device_typed(asked, &parameters),
            (path::ALLOW_DEVICE | path::REFUSE_DEVICE, false) => self.answer_device(asked, &parameters),
            (path::OWN_PAGE | path::NOT_YOU, false) => Ok(self.not_allowed(asked, "GET")),
            _ => Ok(self.not_allowed(asked, "POST")),
        };
        answer.unwrap_or_else(|answer| *answer)
    }

    /// The bytes of a form, which may hold a password. A request without a body has an empty one.
    async fn form(
        &self,
        asked: &Asked,
        incoming: &mut Incoming,
        limit: usize,
    ) -> Result<Zeroizing<Vec<u8>>, BodyTrouble> {
        if incoming.is_end_stream() {
            return Ok(Zeroizing::default());
        }
        let kind = asked.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_form = kind
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
        if !is_form {
            return Err(BodyTrouble::Broken);
        }
        body(incoming, limit, self.body_time).await
    }

    /// The value of the form's cookie of a browser, which the answer sets: the present one or a new one, and the same one all
    /// through a request. None: the system gives no randomness.
    pub(crate) fn form_cookie<'a>(&self, asked: &'a Asked) -> Option<&'a str> {
        asked.form_cookie.get_or_init(|| self.forms.cookie(&asked.headers)).as_deref()
    }

    pub(crate) fn frame(&self, asked: &Asked) -> Frame<'_> {
        Frame { branding: &self.branding, language: asked.language, root: "" }
    }

    /// A page for the person: what is wrong with the request, with details for an administrator.
    pub(crate) fn wrong(
        &self,
        asked: &Asked,
        status: StatusCode,
        fault: RequestFault,
        detail: &str,
    ) -> Answer {
        let detail = (!detail.is_empty()).then(|| detail.into());
        let page = RequestError { fault, application: None, detail, reference: None };
        page_of(status, page.html(&self.frame(asked)), Scripts::None, None)
    }

    /// The same where the server is at fault.
    pub(crate) fn failure(&self, asked: &Asked) -> Answer {
        self.wrong(asked, StatusCode::SERVICE_UNAVAILABLE, RequestFault::Failure, "")
    }

    fn not_allowed(&self, asked: &Asked, allowed: &'static str) -> Answer {
        let mut answer =
            self.wrong(asked, StatusCode::METHOD_NOT_ALLOWED, RequestFault::NotFound, "the method");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        answer
    }

    /// An answer that goes back to a client (RFC 6749 4.1.2; RFC 9207; OAuth 2.0 Form Post Response Mode).
    pub(crate) fn back(&self, asked: &Asked, back: &Back, values: &[(&str, &str)]) -> Answer {
        let all = back.parameters(values, &self.issuer);
        // Browsers apply the page's `form-action` to the redirect behind its form.
        let is_behind_form = asked.method == Method::POST;
        let wrong = || self.wrong(asked, StatusCode::BAD_REQUEST, RequestFault::WrongReturn, "");
        match back.mode {
            ResponseMode::Query => match back.with_query(&all) {
                Some(url) if is_behind_form && back.redirect_uri.parse::<Link>().is_err() => {
                    match url.parse::<ProgramUri>() {
                        Ok(target) => {
                            let application = back.application.clone().unwrap_or_default().into();
                            let page = ContinueTo { target, application };
                            page_of(StatusCode::OK, page.html(&self.frame(asked)), Scripts::None, None)
                        }
                        Err(_) => wrong(),
                    }
                }
                Some(url) => see_other(&url),
                None => wrong(),
            },
            ResponseMode::FormPost => match back.redirect_uri.parse::<Link>() {
                Ok(target) => {
                    let parameters =
                        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
                    let origin = target.origin().clone();
                    let application = back.application.as_deref().map(Into::into);
                    let page = FormPost { target, application, parameters };
                    page_of(StatusCode::OK, page.html(&self.frame(asked)), Scripts::Own, Some(&origin))
                }
                Err(_) => wrong(),
            },
        }
    }
}

/// What was checked; the error is the answer.
pub(crate) type Checked<T> = Result<T, Box<Answer>>;

/// Does what blocks. None: the thread failed.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    spawn_blocking(work).await.ok()
}

/// A page with the headers that all pages carry. Its form may lead to this origin, beside the issuer's own.
pub(crate) fn page_of(status: StatusCode, html: String, scripts: Scripts, target: Option<&Origin>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(html)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    for (name, value) in HEADERS {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    let targets: Vec<&Origin> = target.into_iter().collect();
    if let Ok(policy) = HeaderValue::from_str(&content_security_policy(scripts, &targets)) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

/// 303: the browser goes there with GET, whatever it sent (RFC 9700 4.12).
pub(crate) fn see_other(to: &str) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(mut to) = HeaderValue::from_str(to) {
        to.set_sensitive(true);
        headers.insert(LOCATION, to);
    }
    answer
}

/// JSON that is not to be cached.
pub(crate) fn private_json(status: StatusCode, value: &Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(value.to_string())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// An answer without content that is not to be cached.
pub(crate) fn private_empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// An error for a client (RFC 6749 5.2).
pub(crate) fn refused(status: StatusCode, code: &str, words: &str) -> Answer {
    private_json(status, &json!({ "error": code, "error_description": words }))
}

/// The same where the server is at fault, or the application is over its rate.
pub(crate) fn unavailable() -> Answer {
    refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "try again")
}

/// What every program on any page may read.
fn public(text: String, kind: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    answer
}

/// A file of the pages, whose path has a hash of it.
fn kept(text: &str, kind: &'static str) -> Answer {
    let mut answer = public(text.to_owned(), kind);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(CACHE_FOR_EVER));
    answer
}

/// The logo, whose path has a hash of it.
fn image(logo: &Logo) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(logo.content())));
    let headers = answer.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, logo.media_type()),
        (CACHE_CONTROL, CACHE_FOR_EVER),
        (CONTENT_SECURITY_POLICY, Logo::CONTENT_SECURITY_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

impl OidcDoor {
    /// The client that is named, if there is one. The error is the answer. Blocks.
    pub(crate) fn client(&self, asked: &Asked, parameters: &Parameters) -> Checked<Arc<Client>> {
        let id = parameters.get("client_id").unwrap_or_default();
        match self.provider.client(id) {
            Ok(Some(client)) => Ok(client),
            Ok(None) => {
                let (status, fault) = (StatusCode::BAD_REQUEST, RequestFault::UnknownApplication);
                Err(Box::new(self.wrong(asked, status, fault, &format!("client_id {id}"))))
            }
            Err(_) => Err(Box::new(self.failure(asked))),
        }
    }

    /// The answer to parameters that cannot be used.
    pub(crate) fn sound(
        &self,
        asked: &Asked,
        parameters: Result<Parameters, NoParameters>,
    ) -> Checked<Parameters> {
        parameters.map_err(|why| {
            Box::new(self.wrong(asked, StatusCode::BAD_REQUEST, RequestFault::Malformed, &why.to_string()))
        })
    }
}
