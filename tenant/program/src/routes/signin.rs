//! `POST /v1/signin`: an application asks whether a person's password is right.
//! The checks before anybody is decided about: body, credential, rate; whoever has no valid credential hears of that alone.
//! Refusals leave on the time grid.

use super::{Answer, BodyTrouble, JSON, answer, body};
use crate::admin::Person;
use crate::apps::Credential;
use crate::clock::unix_now;
use crate::decide::{Asker, Wish, decide};
use crate::serve::Tenant;
use crate::signin::departure;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{HeaderMap, StatusCode};
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::account_state::Told;
use landbridge_tenant_rules::model::Application;
use landbridge_tenant_rules::relay::NoAnswer;
use landbridge_tenant_rules::verdict::{MAX_PASSWORD, Unavailable, Verdict};
use landbridge_wire::bounded::Text;
use serde::{Deserialize, Deserializer};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::spawn_blocking;

/// The most bytes of a request.
const MAX_BODY: usize = 8 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    user: Text<1024>,
    #[serde(deserialize_with = "password")]
    password: Password,
    #[serde(default)]
    source: Option<Text<64>>,
}

/// The error never repeats the value.
fn password<'de, D: Deserializer<'de>>(from: D) -> Result<Password, D::Error> {
    let password = Password::new(String::deserialize(from)?);
    let fits = password.lend(str::len) <= MAX_PASSWORD;
    if fits { Ok(password) } else { Err(serde::de::Error::custom("the password is too long")) }
}

/// Why nobody was asked about the password.
struct NotAsked {
    status: StatusCode,
    error: &'static str,
    detail: String,
    retry: Option<u64>,
}

fn not_asked(status: StatusCode, error: &'static str, detail: &str) -> NotAsked {
    NotAsked { status, error, detail: detail.to_owned(), retry: None }
}

/// Answers one sign-in. `arrived` is when the head of the request was read: the grid counts from there.
pub(super) async fn sign_in(
    tenant: Arc<Tenant>,
    headers: &HeaderMap,
    incoming: &mut Incoming,
    arrived: Instant,
) -> Answer {
    match decided(&tenant, headers, incoming, arrived).await {
        Ok(verdict) => {
            tenant.metrics.signin_seconds.observe(arrived.elapsed().as_secs_f64());
            verdict
        }
        Err(why) => {
            tenant.metrics.signins_not_asked.get_or_create(&vec![("why", why.error.to_owned())]).inc();
            let text = serde_json::json!({ "error": why.error, "detail": why.detail });
            let mut answer = json(why.status, &text);
            if let Some(seconds) = why.retry {
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            if why.status == StatusCode::UNAUTHORIZED {
                answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            answer
        }
    }
}

async fn decided(
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    incoming: &mut Incoming,
    arrived: Instant,
) -> Result<Answer, NotAsked> {
    let credential = credential(headers).ok_or_else(stranger)?;
    let ask = match asked(tenant, headers, incoming).await {
        Ok(ask) => ask,
        Err(why) => {
            // Who proves to be nobody hears that, and no more.
            let proving = tenant.clone();
            let proved = spawn_blocking(move || proved(&proving, &credential, arrived).map(drop));
            proved.await.unwrap_or_else(|_| Err(database_fails()))?;
            return Err(why);
        }
    };
    let wish = Wish { user: ask.user.as_str().to_owned(), password: Arc::new(ask.password), now: unix_now() };
    let said = ask.source;
    let verdict = decide(tenant, wish, move |tenant| {
        let app = proved(tenant, &credential, arrived)?;
        let from = source(said.as_ref(), &app)?;
        Ok(Asker { actor: format!("app {}", app.name), from, limit: app.domain })
    });
    let verdict = verdict.await?;
    match verdict {
        Verdict::Accepted(person) => {
            let person = shown(&person);
            let text = serde_json::json!({
                "outcome": "accepted",
                "object": person.object,
                "user": person.user,
                "sam": person.sam,
                "domain": person.domain,
            });
            Ok(json(StatusCode::OK, &text))
        }
        Verdict::Refused { told, .. } => {
            let text = match told.map(Told::as_str) {
                None => serde_json::json!({ "outcome": "refused" }),
                Some(reason) => serde_json::json!({ "outcome": "refused", "reason": reason }),
            };
            tokio::time::sleep(departure(arrived.elapsed(), tenant.grid)).await;
            Ok(json(StatusCode::FORBIDDEN, &text))
        }
        Verdict::Unavailable(why) => {
            // What needs no agent to say so is not told apart from what does.
            if matches!(why, Unavailable::NoAnswer(_) | Unavailable::NoRoomInDirectory) {
                tokio::time::sleep(departure(arrived.elapsed(), tenant.grid)).await;
            }
            Err(NotAsked {
                retry: Some(match why {
                    Unavailable::Overloaded => 1,
                    Unavailable::Storage | Unavailable::NoRoomInDirectory => 30,
                    Unavailable::NoAnswer(NoAnswer::Busy) => 1,
                    Unavailable::NoAnswer(_) => 5,
                }),
                ..not_asked(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "nobody can say now: try again")
            })
        }
    }
}

/// The request's body, read and understood.
async fn asked(tenant: &Tenant, headers: &HeaderMap, incoming: &mut Incoming) -> Result<Ask, NotAsked> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case(JSON)) {
        return Err(not_asked(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", "send application/json"));
    }
    let bytes = body(incoming, MAX_BODY, tenant.limits.body).await.map_err(|trouble| match trouble {
        BodyTrouble::TooLarge => {
            not_asked(StatusCode::PAYLOAD_TOO_LARGE, "too-large", &format!("send {MAX_BODY} bytes at most"))
        }
        BodyTrouble::Slow => not_asked(StatusCode::REQUEST_TIMEOUT, "slow", "the body did not come in time"),
        BodyTrouble::Broken => not_asked(StatusCode::BAD_REQUEST, "malformed", "the body was cut"),
    })?;
    serde_json::from_slice(&bytes).map_err(|e| {
        let place = format!("the body is not as documented, at line {}, column {}", e.line(), e.column());
        not_asked(StatusCode::BAD_REQUEST, "malformed", &place)
    })
}

fn credential(headers: &HeaderMap) -> Option<Credential> {
    let shown = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = shown.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Credential::parse(credential.trim()))?
}

fn stranger() -> NotAsked {
    not_asked(StatusCode::UNAUTHORIZED, "credential", "no valid credential of an application")
}

fn database_fails() -> NotAsked {
    let why = not_asked(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the tenant's database fails");
    NotAsked { retry: Some(30), ..why }
}

/// The application that asks, within its rate. Blocks.
fn proved(tenant: &Tenant, credential: &Credential, arrived: Instant) -> Result<Application, NotAsked> {
    let proved = tenant.store.read(|conn| credential.prove(conn)).map_err(|error| {
        tracing::error!(%error, "the database failed");
        tenant.metrics.storage_errors.inc();
        database_fails()
    })?;
    let app = proved.ok_or_else(stranger)?;
    tenant.rates.take(app.id, app.rate_per_minute, arrived).map_err(|wait| NotAsked {
        retry: Some(wait.as_secs().saturating_add(1)),
        ..not_asked(StatusCode::TOO_MANY_REQUESTS, "rate", "over the rate of this application")
    })?;
    Ok(app)
}

/// Where the sign-in comes from: an address in its one spelling, another plain word, or the application itself.
fn source(said: Option<&Text<64>>, app: &Application) -> Result<String, NotAsked> {
    let Some(said) = said.map(Text::as_str) else { return Ok(format!("app:{}", app.name)) };
    if let Ok(address) = said.parse::<IpAddr>() {
        return Ok(address.to_canonical().to_string());
    }
    if !said.is_empty() && said.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(said.to_owned());
    }
    Err(not_asked(StatusCode::BAD_REQUEST, "malformed", "source: an IP address, or a word without spaces"))
}

/// The person, as the applications and the administrator see one.
pub(crate) fn shown(person: &landbridge_tenant_rules::verdict::Person) -> Person {
    Person {
        object: person.object,
        user: person.user.clone(),
        sam: person.sam.clone(),
        domain: person.domain.clone(),
    }
}

fn json(status: StatusCode, value: &serde_json::Value) -> Answer {
    answer(status, JSON, Bytes::from(value.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_malformed_request_is_named_by_place_and_never_repeated() {
        for bad in [
            r#"{"user":"u","password":12345678}"#,
            r#"{"user":"u","password":"p","sauce":"Hunter2!"}"#,
            r#"{"user":"u"}"#,
            r#"["Hunter2!"]"#,
        ] {
            assert!(serde_json::from_str::<Ask>(bad).is_err(), "{bad}");
        }
        let long = format!(r#"{{"user":"u","password":"{}"}}"#, "x".repeat(MAX_PASSWORD + 1));
        let error = serde_json::from_str::<Ask>(&long).err().unwrap();
        assert!(!error.to_string().contains("xx"));
        let ask: Ask = serde_json::from_str(r#"{"user":"u","password":"p\u00e4","source":"::1"}"#).unwrap();
        ask.password.lend(|password| assert_eq!(password, "pä"));
    }
}
