//! `GET /metrics` and `GET /healthz` for the operator's monitoring: plain HTTP, only if `[metrics]` names an address.
//! The only file of phs that listens. It shows numbers, the domain and the agent's id; no name of a person, and not why
//! something fails, which `status` shows. It reads the status and accepts no command.
//! Neighbours: [`super::status`] has the board that is read; `daemon` starts it.

use crate::daemon::status::{Board, Health, Status};
use crate::error::PhsError;
use crate::stop::Stop;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::fmt::{Display, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Limit on scrapes at the same time; further connections are closed.
const CONNECTIONS: usize = 8;
/// Limit from the connection to the answer's last byte. A connection serves one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// Limit on the bytes of a request's head, the least that hyper allows.
const MAX_HEAD: usize = 8 * 1024;

/// Binds at once, then serves on the runtime until `stop`.
pub fn serve(
    runtime: &Handle,
    address: SocketAddr,
    board: Arc<Board>,
    stop: Stop,
    now: fn() -> i64,
) -> Result<(), PhsError> {
    let _inside = runtime.enter();
    let listener = std::net::TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .and_then(TcpListener::from_std)
        .map_err(|why| PhsError::Listen { address, why })?;
    runtime.spawn(async move {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = stop.raised() => return,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(why) => {
                    // Out of file descriptors, for example: wait, so that this loop does not spin.
                    tracing::debug!(%why, "a scrape was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(place) = places.clone().try_acquire_owned() else { continue };
            let board = board.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let response = respond(&request, &board, now());
                    async move { Ok::<_, Infallible>(response) }
                });
                let mut http = hyper::server::conn::http1::Builder::new();
                http.keep_alive(false).max_headers(64).max_buf_size(MAX_HEAD);
                let _ = tokio::time::timeout(PATIENCE, http.serve_connection(TokioIo::new(stream), service))
                    .await;
                drop(place);
            });
        }
    });
    Ok(())
}

fn respond(request: &Request<Incoming>, board: &Board, now: i64) -> Response<Full<Bytes>> {
    if *request.method() != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is allowed\n".to_owned());
    }
    let status = board.snapshot(now);
    match request.uri().path() {
        "/healthz" => match status.health(now) {
            Health::Healthy => text(StatusCode::OK, "ok\n".to_owned()),
            Health::Warn(_) => {
                text(StatusCode::OK, "warn: `landbridge-phs status` says of what\n".to_owned())
            }
            Health::Unhealthy(_) => {
                let why = "unhealthy: `landbridge-phs status` says why\n".to_owned();
                text(StatusCode::SERVICE_UNAVAILABLE, why)
            }
        },
        "/metrics" => text(StatusCode::OK, metrics(&status, now)),
        _ => text(StatusCode::NOT_FOUND, "/healthz or /metrics\n".to_owned()),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// The metrics in the text format of Prometheus (0.0.4).
fn metrics(status: &Status, now: i64) -> String {
    let mut body = String::new();
    let mut tell = |name: &str, kind: &str, help: &str, value: &dyn Display| {
        let _ = writeln!(body, "# HELP landbridge_phs_{name} {help}\n# TYPE landbridge_phs_{name} {kind}");
        let _ = writeln!(body, "landbridge_phs_{name} {value}");
    };
    let gauge = "gauge";
    let health = status.health(now);
    tell("healthy", gauge, "1 when nobody needs to look", &u8::from(health == Health::Healthy));
    let warns = u8::from(matches!(health, Health::Warn(_)));
    tell("warns", gauge, "1 when something is to be mended and all else is well", &warns);
    let help = "How old what the tenant has is";
    tell("seconds_since_last_complete_cycle", gauge, help, &status.staleness(now));
    tell("cycles_total", "counter", "Complete cycles since the start", &status.cycles);
    let help = "Replication requests sent to domain controllers since the start";
    tell("replication_requests_total", "counter", help, &status.replication_requests.total);
    if let Some(at) = status.heartbeat_at {
        let ago = now.saturating_sub(at).max(0);
        tell("seconds_since_heartbeat", gauge, "Since the tenant last answered a heartbeat", &ago);
    }
    let help = "Failed cycles since the last complete one";
    tell("failed_cycles_in_a_row", gauge, help, &status.failed_in_a_row);
    tell(
        "records_sent_total",
        "counter",
        "Records that the tenant took since the start",
        &status.records_sent,
    );
    tell(
        "digests_sent_total",
        "counter",
        "Digests that the tenant took since the start",
        &status.digests_sent,
    );
    if let Some(complete) = &status.complete {
        let seconds = Duration::from_millis(complete.milliseconds).as_secs_f64();
        tell("last_cycle_seconds", gauge, "How long the last complete cycle took", &seconds);
        tell("last_cycle_objects_read", gauge, "Objects that the DC sent in it", &complete.read);
    }
    let running = status.cycle_since.map_or(0, |since| now.saturating_sub(since).max(0));
    tell("running_cycle_seconds", gauge, "How long the present cycle has run; 0: none runs", &running);
    if let Some(at) = status.compared_at {
        let ago = now.saturating_sub(at).max(0);
        tell("seconds_since_full_compare", gauge, "Since all was last compared", &ago);
    }
    let help = "Accounts that left the scope and are held back until somebody confirms";
    tell("held_accounts", gauge, help, &status.held);
    let help = "Passwords that the tenant holds with fewer iterations than the profile has";
    tell("digests_left", gauge, help, &status.digests_left);
    let help = "Domain controllers that were turned back, and are not read any more";
    tell("distrusted_controllers", gauge, help, &status.distrusted.len());
    tell("staging", gauge, "1 when nothing is sent", &u8::from(status.staging));
    tell("quarantined_objects", gauge, "Objects that cannot be carried", &status.quarantined);
    let help = "Attributes and links that are left out of objects that are carried";
    tell("left_out_attributes", gauge, help, &status.left_out);
    let help = "Enabled accounts whose password is carried and of which the directory has no NT hash";
    tell("accounts_without_hash", gauge, help, &status.without_hash);
    let left = status.certificate_ends.saturating_sub(now);
    tell("certificate_seconds_left", gauge, "Life of this agent's certificate", &left);
    let watching = u8::from(status.watching.is_some());
    tell("watching", gauge, "1 when changes wake the daemon, 0 when only the timer does", &watching);
    tell("start_time_seconds", gauge, "When the process started, since 1970", &status.started_at);
    let _ = writeln!(
        body,
        "# HELP landbridge_phs_info Which agent this is\n# TYPE landbridge_phs_info gauge\n\
         landbridge_phs_info{{agent=\"{}\",domain=\"{}\",version=\"{}\"}} 1",
        status.agent,
        status.domain.replace(['\\', '"', '\n'], "_"),
        env!("CARGO_PKG_VERSION"),
    );
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_has_a_name_a_kind_and_a_number_and_says_nothing_of_why() {
        let trouble =
            crate::daemon::status::Trouble { since: 1, what: "secret reason".into(), who: String::new() };
        let status = Status {
            started_at: 1_000,
            poll_seconds: 120,
            failed_in_a_row: 3,
            trouble: Some(trouble),
            domain: "corp\"\n.example.com".to_owned(),
            warnings: vec!["odd".to_owned()],
            without_hash_names: vec!["odd.person@corp.example.com".to_owned()],
            ..Status::default()
        };
        let text = metrics(&status, 2_000);
        assert!(text.contains("\nlandbridge_phs_healthy 0\n"), "{text}");
        assert!(text.contains("\nlandbridge_phs_seconds_since_last_complete_cycle 1000\n"));
        assert!(text.contains("\nlandbridge_phs_failed_cycles_in_a_row 3\n"));
        assert!(!text.contains("secret reason") && !text.contains("odd"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap_or_default();
            assert!(name.starts_with("landbridge_phs_") && value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
