//! Health and metrics for monitoring: `/healthz`, `/readyz` and `/metrics`, plain HTTP on a loopback address. Numbers and ids
//! only.
//! Before it: [`Snapshot`] reads the numbers of the core.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use landbridge_door_listen::limits::Limits;
use landbridge_door_listen::pace::{Paced, Rhythm};
use landbridge_tenant_core::clock::{stopped, unix_now};
use landbridge_tenant_core::nodes::{Nodes, Readiness};
use landbridge_tenant_core::numbers::{CountFamily, Figures, Labels, Snapshot};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Limit on open connections. One monitoring system uses one or two.
const CONNECTIONS: usize = 16;

/// A certificate whose life is shown: the metric's name, its help text, and when the certificate ends (seconds since
/// 1970).
pub type CertificateLife = (&'static str, &'static str, Box<dyn Fn() -> i64 + Send + Sync>);

/// The sources of the metrics.
pub struct Observed {
    /// The tenant's numbers.
    pub snapshot: Snapshot,
    /// This process as a node.
    pub nodes: Nodes,
    /// The limits on a connection.
    pub limits: Limits,
    /// The certificates of the tenant's addresses.
    pub certificates: Vec<CertificateLife>,
}

impl std::fmt::Debug for Observed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observed").finish_non_exhaustive()
    }
}

/// Serves until `stop` is set.
pub async fn run(listener: TcpListener, scrape: Arc<Observed>, mut stop: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // The process may be out of file descriptors. Without a delay this loop would use a whole processor.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else { continue };
        let scrape = scrape.clone();
        tokio::spawn(async move {
            serve(stream, scrape).await;
            drop(permit);
        });
    }
}

async fn serve(stream: TcpStream, scrape: Arc<Observed>) {
    let rhythm = Rhythm::new();
    let limits = Limits { idle: Duration::from_secs(60), ..scrape.limits };
    let paced = Paced::new(stream, rhythm.clone(), limits);
    let service = service_fn(move |request| {
        let (scrape, busy) = (scrape.clone(), rhythm.busy());
        async move {
            let response = respond(scrape, request).await;
            drop(busy);
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).max_headers(64).max_buf_size(16 * 1024);
    let _ = http.serve_connection(TokioIo::new(paced), service).await;
}

async fn respond(scrape: Arc<Observed>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET alone\n".to_owned());
    }
    match request.uri().path() {
        "/healthz" => {
            let checked = tokio::task::spawn_blocking(move || scrape.snapshot.check());
            match checked.await {
                Ok(Ok(())) => text(StatusCode::OK, "ok\n".to_owned()),
                Ok(Err(error)) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
                Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "the check failed\n".to_owned()),
            }
        }
        "/readyz" => match tokio::task::spawn_blocking(move || scrape.nodes.readiness()).await {
            Ok(readiness) => ready_text(&readiness),
            Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "the check failed\n".to_owned()),
        },
        "/metrics" => match tokio::task::spawn_blocking(move || metrics_text(&scrape, unix_now())).await {
            Ok(Some(body)) => {
                let mut answer = text(StatusCode::OK, body);
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
                answer
            }
            Ok(None) | Err(_) => {
                text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n".to_owned())
            }
        },
        _ => text(StatusCode::NOT_FOUND, "/healthz, /readyz or /metrics\n".to_owned()),
    }
}

/// Whether the node is ready: `ready`, or why it is not, a reason on each line. A domain without an agent does not make it
/// unready: if all agents are gone, every node would be.
fn ready_text(readiness: &Readiness) -> Response<Full<Bytes>> {
    let lacks = readiness.without_agent.iter();
    let lacks: String =
        lacks.map(|domain| format!("no agent of {domain} is connected to this node\n")).collect();
    if readiness.unfit.is_empty() {
        return text(StatusCode::OK, format!("ready\n{lacks}"));
    }
    text(StatusCode::SERVICE_UNAVAILABLE, format!("{}\n{lacks}", readiness.unfit.join("\n")))
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

/// All metrics as text (OpenMetrics 1.0). Blocking. Counter names get their `_total` from the encoder.
fn metrics_text(observed: &Observed, now: i64) -> Option<String> {
    let figures = observed.snapshot.figures();
    let mut registry = Registry::with_prefix("landbridge");
    let numbers = observed.snapshot.numbers();
    let metrics = &numbers.metrics;
    registry.register("signins", "Sign-ins by true outcome", metrics.signins.clone());
    let help = "Sign-in requests refused before the password was verified";
    registry.register("signins_not_asked", help, metrics.signins_not_asked.clone());
    let help = "Requests by LDAP, by operation and result";
    registry.register("ldap_requests", help, metrics.ldap_requests.clone());
    let help = "Seconds from a sign-in's head to its answer";
    registry.register("signin_seconds", help, metrics.signin_seconds.clone());
    registry.register("uploads", "Requests of the upload paths by outcome", metrics.uploads.clone());
    registry.register("enrollments", "Enrolments by outcome", metrics.enrollments.clone());
    registry.register("renewals", "Certificate renewals by outcome", metrics.renewals.clone());
    registry.register(
        "agent_verdicts",
        "Sign-ins sent to agents, by outcome",
        metrics.agent_verdicts.clone(),
    );
    registry.register(
        "password_changes",
        "Changes of password sent to agents, by outcome",
        metrics.password_changes.clone(),
    );
    let help = "Notices of ended sessions to applications, by outcome";
    registry.register("logout_notices", help, metrics.logout_notices.clone());
    registry.register("agent_events", "Events between the tenant and its agents", metrics.agents.clone());
    registry.register("agents_quarantined", "Agents put into quarantine", metrics.quarantined.clone());
    let help = "Events without an audit entry of their own, by kind";
    registry.register("audit_left_out", help, metrics.audit_left_out.clone());
    let help = "Answers of agents that were compared with a digest";
    registry.register("agent_answers_compared", help, metrics.agent_answers_compared.clone());
    let help = "Answers of agents that the digest of the same password version contradicts";
    registry.register("agents_contradicting_digests", help, metrics.agents_contradicting.clone());
    registry.register(
        "tokens_signed",
        "Tokens that were signed for applications",
        metrics.tokens_signed.clone(),
    );
    registry.register("storage_errors", "Times that the database failed", metrics.storage_errors.clone());
    let counts = &numbers.counts;
    for (name, help, value) in counts.each() {
        registry.register(name, help.trim_end_matches('.'), ConstCounter::new(value));
    }
    let received = counts.digests_set.now() + counts.digests_replaced.now() + counts.digests_repeated.now();
    registry.register(
        "digests_received",
        "Digests that uploads carried and that were accepted",
        ConstCounter::new(received),
    );
    let transactions = CountFamily::default();
    for (name, outcome, count) in observed.snapshot.transactions() {
        let labels = vec![("name", name.to_owned()), ("outcome", outcome.to_owned())];
        transactions.get_or_create(&labels).inc_by(count);
    }
    registry.register("transactions", "Database transactions by name and outcome", transactions);
    let (ready, clock) = (i64::from(observed.nodes.is_ready()), observed.nodes.clock());
    registry.register("node_ready", "1 if this node takes new connections", ConstGauge::new(ready));
    let help = "The clock of this node less that of the database, in milliseconds";
    registry.register("node_clock_milliseconds", help, ConstGauge::new(clock));
    let without_agent = Family::<Labels, Gauge>::default();
    for domain in observed.nodes.without_agent().unwrap_or_default() {
        without_agent.get_or_create(&vec![("domain", domain)]).set(1);
    }
    let help = "1 for each domain whose sign-ins agents decide and of which none is connected to this node";
    registry.register("node_domain_without_agent", help, without_agent);
    register_agents(&mut registry, &figures, now);
    register_directory(&mut registry, figures);
    let connected = i64::try_from(observed.snapshot.connected_agents()).unwrap_or(i64::MAX);
    registry.register("agents_connected", "Agents with an open connection", ConstGauge::new(connected));
    let left = observed.snapshot.root_certificate_ends().saturating_sub(now);
    registry.register("root_certificate_seconds_left", "Life of the root certificate", ConstGauge::new(left));
    for (name, help, ends) in &observed.certificates {
        registry.register(*name, *help, ConstGauge::new(ends().saturating_sub(now)));
    }
    let mut body = String::new();
    encode(&mut body, &registry).ok()?;
    Some(body)
}

fn register_agents(registry: &mut Registry, figures: &Figures, now: i64) {
    let by_state = Family::<Labels, Gauge>::default();
    let left = Family::<Labels, Gauge>::default();
    for (state, count) in &figures.agents {
        by_state.get_or_create(&vec![("state", (*state).to_owned())]).set(*count);
    }
    for (agent, role, ends) in &figures.agent_certificates {
        let labels = vec![("agent", agent.to_string()), ("role", role.clone())];
        left.get_or_create(&labels).set(ends.saturating_sub(now));
    }
    registry.register("agents", "Agents by state", by_state);
    registry.register(
        "agent_certificate_seconds_left",
        "Life of each approved agent's newest certificate",
        left,
    );
}

fn register_directory(registry: &mut Registry, figures: Figures) {
    let accounts = Family::<Labels, Gauge>::default();
    let objects = Family::<Labels, Gauge>::default();
    let removed = Family::<Labels, Gauge>::default();
    let links = Family::<Labels, Gauge>::default();
    let idle = Family::<Labels, Gauge>::default();
    for (domain, kind, count) in figures.objects {
        if kind == "account" {
            accounts.get_or_create(&vec![("domain", domain.clone())]).set(count);
        }
        objects.get_or_create(&vec![("domain", domain), ("kind", kind.to_owned())]).set(count);
    }
    for (domain, count) in figures.removed {
        removed.get_or_create(&vec![("domain", domain)]).set(count);
    }
    for (domain, count) in figures.idle_policies {
        idle.get_or_create(&vec![("domain", domain)]).set(count);
    }
    for (domain, kind, count) in figures.links {
        links.get_or_create(&vec![("domain", domain), ("kind", kind.to_owned())]).set(count);
    }
    registry.register("accounts", "Accounts that are present, by domain", accounts);
    registry.register("objects", "Objects that are present, by domain and kind", objects);
    registry.register("objects_removed", "Objects that have left and are not erased yet, by domain", removed);
    registry.register("links", "Links, by domain and kind", links);
    let help = "Groups that have left and have a sign-in policy";
    registry.register("group_policies_idle", help, idle);
    let help = "Sign-in names that more than one account holds, so none signs in with them";
    registry.register("ambiguous_names", help, ConstGauge::new(figures.ambiguous_names));
}
