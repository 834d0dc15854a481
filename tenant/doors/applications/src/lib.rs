//! The door for applications: `POST /v1/signin` verifies a person's password.
//!
//! The door checks the path, the method, the body, the credential and the rate. Every answer is JSON. An application
//! without a valid credential learns only that. Lockout, equal delay and the time grid are behind [`SignIns`].
//!
//! # Files
//!
//! - `lib.rs`: this list, and all of the door

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use landbridge_crypto::secret::Password;
use landbridge_door_listen::body::{Answer, BodyTrouble, body, drain};
use landbridge_door_listen::listener::RightCredential;
use landbridge_tenant_core::applications::{Application, Applications, Credential, NotAuthenticated};
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::sign_ins::{
    Attempt, Caller, Disclosable, MAX_PASSWORD, NoAnswer, SignIns, Source, Unavailable, Verdict,
};
use landbridge_wire::bounded::Text;
use landbridge_wire::names::MAX_NAME;
use landbridge_wire::wiped_text::wiped_text;
use serde::{Deserialize, Deserializer};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;

/// The path of sign-ins. This door answers every other path with 404.
pub const PATH: &str = "/v1/signin";

const JSON: &str = "application/json";

/// The door.
#[derive(Debug)]
pub struct ApplicationsDoor {
    sign_ins: SignIns,
    applications: Applications,
    /// The time for a request's body.
    body_time: Duration,
}

/// Limit on the bytes of a request: the longest name, password and source, also where each character is escaped (six
/// bytes for each of 1,280 UTF-16 units of a name, and for each of 1,024 bytes of a password).
const MAX_BODY: usize = 16 * 1024;

/// Limit on the bytes of a source: `name:` and the longest name. An IPv6 address in brackets with a port is shorter.
const MAX_SOURCE: usize = 80;

/// The body of a sign-in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignInBody {
    user: Text<MAX_NAME>,
    #[serde(deserialize_with = "password")]
    password: Password,
    #[serde(default)]
    source: Option<Text<MAX_SOURCE>>,
}

/// Reads the password. An error never contains the value.
fn password<'de, D: Deserializer<'de>>(from: D) -> Result<Password, D::Error> {
    let password = Password::new(std::mem::take(&mut *wiped_text(from)?));
    let fits = password.lend(str::len) <= MAX_PASSWORD;
    if fits { Ok(password) } else { Err(serde::de::Error::custom("the password is too long")) }
}

/// Why a request is refused before its password is verified.
struct TurnedAway {
    status: StatusCode,
    error: &'static str,
    detail: String,
    retry: Option<u64>,
}

fn turned_away(status: StatusCode, error: &'static str, detail: &str) -> TurnedAway {
    TurnedAway { status, error, detail: detail.to_owned(), retry: None }
}

impl ApplicationsDoor {
    /// Creates the door. The body of a request must arrive within `body_time`.
    pub fn new(sign_ins: SignIns, applications: Applications, body_time: Duration) -> Self {
        Self { sign_ins, applications, body_time }
    }

    /// Answers one request. `from` is the network address of the request. `arrived` is when its head was read: the time
    /// grid counts from there.
    pub async fn serve(&self, request: Request<Incoming>, from: IpAddr, arrived: Instant) -> Answer {
        let (head, mut incoming) = request.into_parts();
        let outcome = match misdirected(head.uri.path(), &head.method) {
            Some(why) => Err(why),
            None => sign_in(self, &head.headers, &mut incoming, from, arrived).await,
        };
        let answer = match outcome {
            Ok(mut verdict) => {
                self.applications.observe_duration(arrived.elapsed());
                verdict.extensions_mut().insert(RightCredential);
                verdict
            }
            Err(why) => {
                self.applications.count_turned_away(why.error);
                let text = serde_json::json!({ "error": why.error, "detail": why.detail });
                let mut answer = json(why.status, &text);
                if let Some(seconds) = why.retry {
                    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                match why.status {
                    StatusCode::UNAUTHORIZED => {
                        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                    }
                    StatusCode::METHOD_NOT_ALLOWED => {
                        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
                    }
                    // The credential was not looked at, or may not have been.
                    StatusCode::NOT_FOUND | StatusCode::SERVICE_UNAVAILABLE => {}
                    _ => {
                        answer.extensions_mut().insert(RightCredential);
                    }
                }
                answer
            }
        };
        if !answer.status().is_success() {
            drain(&mut incoming).await;
        }
        answer
    }
}

/// Why a request is not for this door: its path or its method is another one.
fn misdirected(path: &str, method: &Method) -> Option<TurnedAway> {
    if path != PATH {
        return Some(turned_away(
            StatusCode::NOT_FOUND,
            "not-found",
            "there is no such path here: sign-ins are POST /v1/signin, without a slash at the end",
        ));
    }
    if *method != Method::POST {
        return Some(turned_away(StatusCode::METHOD_NOT_ALLOWED, "method", "this path accepts only POST"));
    }
    None
}

async fn sign_in(
    door: &ApplicationsDoor,
    headers: &HeaderMap,
    incoming: &mut Incoming,
    from: IpAddr,
    arrived: Instant,
) -> Result<Answer, TurnedAway> {
    // 1. Read the credential and the body.
    let credential = credential(headers).ok_or_else(no_credential)?;
    let applications = door.applications.clone();
    let request = match read_body(door, headers, incoming).await {
        Ok(request) => request,
        Err(why) => {
            // Without a valid credential the client learns only that, not what is wrong with the body.
            let proved =
                spawn_blocking(move || authenticate(&applications, &credential, from, arrived).map(drop));
            proved.await.unwrap_or_else(|_| Err(database_fails()))?;
            return Err(why);
        }
    };
    // 2. Sign in. `sign_in` verifies the credential, on its own thread, before it does anything else.
    let attempt = Attempt {
        user: request.user.as_str().to_owned(),
        password: Arc::new(request.password),
        now: unix_now(),
        arrived,
    };
    let stated = request.source;
    let verdict = door.sign_ins.sign_in(attempt, move || {
        let app = authenticate(&applications, &credential, from, arrived)?;
        let source = source(stated.as_ref())?;
        let actor = format!("app {}", app.name);
        let (application, domains) = (Some(app.id), app.domain_rows());
        Ok(Caller { door: "applications", actor, source, address: Some(from), application, domains })
    });
    let verdict = verdict.await?;
    // 3. Answer.
    match verdict {
        Verdict::Accepted(person) => {
            let text = serde_json::json!({
                "outcome": "accepted",
                "object": person.object,
                "user": person.user,
                "sam": person.sam,
                "domain": person.domain,
                "domain_sid": person.domain_sid,
            });
            Ok(json(StatusCode::OK, &text))
        }
        Verdict::Refused { disclosed, .. } => {
            let text = match disclosed.map(Disclosable::as_str) {
                None => serde_json::json!({ "outcome": "refused" }),
                Some(reason) => serde_json::json!({ "outcome": "refused", "reason": reason }),
            };
            Ok(json(StatusCode::FORBIDDEN, &text))
        }
        Verdict::Unavailable(why) => Err(TurnedAway {
            retry: Some(match why {
                Unavailable::Overloaded => 1,
                Unavailable::Storage | Unavailable::NoRoomInDirectory => 30,
                Unavailable::NoAnswer(NoAnswer::Busy) => 1,
                Unavailable::NoAnswer(_) => 5,
            }),
            ..turned_away(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "the sign-in cannot be decided now: try again",
            )
        }),
    }
}

/// Reads and decodes the body of a request.
async fn read_body(
    door: &ApplicationsDoor,
    headers: &HeaderMap,
    incoming: &mut Incoming,
) -> Result<SignInBody, TurnedAway> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case(JSON)) {
        return Err(turned_away(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", "send application/json"));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        let detail = "send the body without a Content-Encoding";
        return Err(turned_away(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", detail));
    }
    let bytes = body(incoming, MAX_BODY, door.body_time).await.map_err(|trouble| match trouble {
        BodyTrouble::TooLarge => {
            turned_away(StatusCode::PAYLOAD_TOO_LARGE, "too-large", &format!("send {MAX_BODY} bytes at most"))
        }
        BodyTrouble::Slow => {
            turned_away(StatusCode::REQUEST_TIMEOUT, "slow", "the body did not arrive in time")
        }
        BodyTrouble::Broken => turned_away(StatusCode::BAD_REQUEST, "malformed", "the body is incomplete"),
    })?;
    serde_json::from_slice(&bytes).map_err(|e| {
        let place = format!("the body is not as documented, at line {}, column {}", e.line(), e.column());
        turned_away(StatusCode::BAD_REQUEST, "malformed", &place)
    })
}

/// The credential of the request. None: there is none, more than one, or one of another form.
fn credential(headers: &HeaderMap) -> Option<Credential> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (all.next(), all.next()) else { return None };
    let header = header.to_str().ok()?;
    let (scheme, credential) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Credential::parse(credential.trim()))?
}

fn no_credential() -> TurnedAway {
    turned_away(StatusCode::UNAUTHORIZED, "credential", "no valid credential of an application")
}

fn database_fails() -> TurnedAway {
    let why = turned_away(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the tenant's database fails");
    TurnedAway { retry: Some(30), ..why }
}

/// The application of the credential, charged with one sign-in. Blocks.
fn authenticate(
    applications: &Applications,
    credential: &Credential,
    from: IpAddr,
    arrived: Instant,
) -> Result<Application, TurnedAway> {
    applications.authenticate(credential, from, arrived).map_err(|why| match why {
        NotAuthenticated::Unknown => no_credential(),
        NotAuthenticated::Storage => database_fails(),
        NotAuthenticated::OverRate(wait) => TurnedAway {
            retry: Some(wait.as_secs().saturating_add(1)),
            ..turned_away(StatusCode::TOO_MANY_REQUESTS, "rate", "over the rate of this application")
        },
    })
}

/// The source of a sign-in, as the application states it.
fn source(stated: Option<&Text<MAX_SOURCE>>) -> Result<Source, TurnedAway> {
    let Some(stated) = stated else { return Ok(Source::Unstated) };
    Source::parse(stated.as_str())
        .map_err(|why| turned_away(StatusCode::BAD_REQUEST, "malformed", &why.to_string()))
}

fn json(status: StatusCode, value: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(value.to_string())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::*;

    #[test]
    fn a_malformed_request_is_refused_by_position_and_never_repeated() {
        for bad in [
            r#"{"user":"u","password":12345678}"#,
            r#"{"user":"u","password":"p","sauce":"Hunter2!"}"#,
            r#"{"user":"u"}"#,
            r#"["Hunter2!"]"#,
        ] {
            assert!(serde_json::from_str::<SignInBody>(bad).is_err(), "{bad}");
        }
        let long = format!(r#"{{"user":"u","password":"{}"}}"#, "x".repeat(MAX_PASSWORD + 1));
        let error = serde_json::from_str::<SignInBody>(&long).err().unwrap();
        assert!(!error.to_string().contains("xx"));
        let request: SignInBody =
            serde_json::from_str(r#"{"user":"u","password":"p\u00e4","source":"::1"}"#).unwrap();
        request.password.lend(|password| assert_eq!(password, "pä"));
    }
}
