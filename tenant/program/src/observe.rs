//! What the operator's monitoring sees: `/healthz` and `/metrics`, plain HTTP on a loopback address.
//! Numbers and ids only; neighbours: everything counts here, nothing else reads it.

use crate::accept::Limits;
use crate::accept::pace::{Paced, Rhythm};
use crate::clock::{stopped, unix_now};
use crate::serve::Tenant;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use landbridge_tenant_rules::model::KINDS;
use landbridge_tenant_rules::model::{Agent, AgentState};
use landbridge_tenant_rules::relay::NoAnswer;
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::agents;
use landbridge_tenant_store::tables::{domains, group_policies, links, names, objects};
use landbridge_wire::problem::Problem;
use landbridge_wire::signin::Verdict;
use landbridge_wire::upload::{Kind, LinkKind};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// So many scrapes at once.
const CONNECTIONS: usize = 16;

/// Labels: names that are ours, values from small sets that are ours.
pub type Labels = Vec<(&'static str, String)>;
/// A counter by labels.
pub type Counts = Family<Labels, Counter>;

/// What is counted here; `store::Store::tally` counts the rest.
#[derive(Debug)]
pub struct Metrics {
    /// Sign-ins by true outcome.
    pub signins: Counts,
    /// Sign-in requests that were turned away before any password was looked at.
    pub signins_not_asked: Counts,
    /// From a request's head to its answer, the wait for the grid included.
    pub signin_seconds: Histogram,
    /// Requests of the upload paths by outcome.
    pub uploads: Counts,
    /// Enrolments by outcome.
    pub enrollments: Counts,
    /// Renewals by outcome.
    pub renewals: Counts,
    /// Times that the database failed.
    pub storage_errors: Counter,
    /// Sign-ins that were given to agents, by verdict or why there is none.
    pub asked: Counts,
    /// What happened on the way to agents and back.
    pub agents: Counts,
    /// Agents that were put into quarantine.
    pub quarantined: Counts,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            signins: Family::default(),
            signins_not_asked: Family::default(),
            signin_seconds: Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]),
            uploads: Family::default(),
            enrollments: Family::default(),
            renewals: Family::default(),
            storage_errors: Counter::default(),
            asked: Family::default(),
            agents: Family::default(),
            quarantined: Family::default(),
        }
    }
}

impl Metrics {
    /// Counts how a sign-in that was given to an agent ended.
    pub fn asked(&self, outcome: &Result<Verdict, NoAnswer>) {
        let outcome = match outcome {
            // Its number is in the audit log: a metric has no end of labels.
            Ok(Verdict::Unknown(_)) => "Unknown".to_owned(),
            Ok(verdict) => format!("{verdict:?}"),
            Err(why) => format!("{why:?}"),
        };
        self.asked.get_or_create(&vec![("outcome", outcome)]).inc();
    }

    /// Counts one answer to an agent.
    pub fn count(&self, counts: &Counts, refusal: Option<&Problem>) {
        let outcome = refusal.map_or_else(|| "ok".to_owned(), |refusal| refusal.code.to_string());
        counts.get_or_create(&vec![("outcome", outcome)]).inc();
    }
}

/// Serves until `stop` says true.
pub async fn run(listener: TcpListener, tenant: Arc<Tenant>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, say: not as fast as the machine can.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let tenant = tenant.clone();
        tokio::spawn(async move {
            serve(stream, tenant).await;
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, tenant: Arc<Tenant>) {
    let rhythm = Rhythm::new();
    let limits = Limits { idle: Duration::from_secs(60), ..tenant.limits };
    let paced = Paced::new(stream, rhythm.clone(), limits);
    let service = service_fn(move |request| {
        let (tenant, busy) = (tenant.clone(), rhythm.busy());
        async move {
            let response = respond(tenant, request).await;
            drop(busy);
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).max_headers(64).max_buf_size(16 * 1024);
    let _ = http.serve_connection(TokioIo::new(paced), service).await;
}

async fn respond(tenant: Arc<Tenant>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET alone\n".to_owned());
    }
    match request.uri().path() {
        "/healthz" => {
            let checked =
                tokio::task::spawn_blocking(move || tenant.store.read(|conn| Ok(domains::all(conn)?.len())));
            match checked.await {
                Ok(Ok(_)) => text(StatusCode::OK, "ok\n".to_owned()),
                Ok(Err(error)) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
                Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "the check failed\n".to_owned()),
            }
        }
        "/metrics" => match tokio::task::spawn_blocking(move || scrape(&tenant, unix_now())).await {
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
        _ => text(StatusCode::NOT_FOUND, "/healthz or /metrics\n".to_owned()),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

/// All metrics as text (OpenMetrics 1.0). Blocking. Counter names get their `_total` from the encoder.
fn scrape(tenant: &Tenant, now: i64) -> Option<String> {
    let held = tenant.store.look(|conn| Ok((agents::list(conn, 10_000)?, Held::of(conn)?)));
    let (agents, held) = held.unwrap_or_else(|error| {
        tracing::error!(%error, "the database failed");
        tenant.metrics.storage_errors.inc();
        Default::default()
    });
    let mut registry = Registry::with_prefix("landbridge");
    let metrics = &tenant.metrics;
    registry.register("signins", "Sign-ins by true outcome", metrics.signins.clone());
    let help = "Sign-in requests turned away before any password was looked at";
    registry.register("signins_not_asked", help, metrics.signins_not_asked.clone());
    let help = "Seconds from a sign-in's head to its answer";
    registry.register("signin_seconds", help, metrics.signin_seconds.clone());
    registry.register("uploads", "Requests of the upload paths by outcome", metrics.uploads.clone());
    registry.register("enrollments", "Enrolments by outcome", metrics.enrollments.clone());
    registry.register("renewals", "Certificate renewals by outcome", metrics.renewals.clone());
    registry.register("agent_verdicts", "Sign-ins given to agents, by outcome", metrics.asked.clone());
    registry.register("agent_events", "On the way to agents and back", metrics.agents.clone());
    registry.register("agents_quarantined", "Agents put into quarantine", metrics.quarantined.clone());
    registry.register("storage_errors", "Times that the database failed", metrics.storage_errors.clone());
    let tally = tenant.store.tally();
    for (name, help, value) in tally.each() {
        registry.register(name, help.trim_end_matches('.'), ConstCounter::new(value));
    }
    let received = tally.digests_set.now() + tally.digests_replaced.now() + tally.digests_repeated.now();
    registry.register(
        "digests_received",
        "Digests that uploads carried and that were taken",
        ConstCounter::new(received),
    );
    agents_of(&mut registry, &agents, now);
    directory_of(&mut registry, held);
    let connected = i64::try_from(tenant.live.agents()).unwrap_or(i64::MAX);
    registry.register("agents_connected", "Agents with an open connection", ConstGauge::new(connected));
    let left = tenant.authority.life().1.saturating_sub(now);
    registry.register("root_certificate_seconds_left", "Life of the root certificate", ConstGauge::new(left));
    let left = tenant.certificate_ends().saturating_sub(now);
    registry.register(
        "server_certificate_seconds_left",
        "Life of the server's certificate",
        ConstGauge::new(left),
    );
    if let Some(brought) = &tenant.brought {
        registry.register(
            "applications_certificate_seconds_left",
            "Life of the certificate that applications see at their own address",
            ConstGauge::new(brought.ends().saturating_sub(now)),
        );
    }
    let mut body = String::new();
    encode(&mut body, &registry).ok()?;
    Some(body)
}

fn agents_of(registry: &mut Registry, agents: &[Agent], now: i64) {
    let by_state = Family::<Labels, Gauge>::default();
    let left = Family::<Labels, Gauge>::default();
    for agent in agents {
        by_state.get_or_create(&vec![("state", agent.state.as_str().to_owned())]).inc();
        if agent.state == AgentState::Approved {
            let labels = vec![("agent", agent.id.to_string()), ("role", agent.role.to_string())];
            left.get_or_create(&labels).set(agent.not_after.saturating_sub(now));
        }
    }
    registry.register("agents", "Agents by state", by_state);
    registry.register(
        "agent_certificate_seconds_left",
        "Life of each approved agent's newest certificate",
        left,
    );
}

/// What the directory holds.
#[derive(Default)]
struct Held {
    /// Domain, kind and count, of what is present.
    objects: Vec<(String, Kind, i64)>,
    /// Domain and count, of what is gone and not erased.
    removed: Vec<(String, i64)>,
    /// Domain, kind and count.
    links: Vec<(String, LinkKind, i64)>,
    /// Domain and count, of groups that are gone and have a sign-in policy.
    idle: Vec<(String, i64)>,
    ambiguous: i64,
}

impl Held {
    fn of(conn: &Reading<'_>) -> Result<Self, StoreError> {
        let mut held = Self { ambiguous: names::count_ambiguous(conn)?, ..Self::default() };
        for domain in domains::all(conn)? {
            let name = || domain.dns_name.clone();
            for kind in KINDS {
                held.objects.push((name(), kind, objects::present_in(conn, domain.id, kind)?));
            }
            let counted = links::counts(conn, domain.id)?;
            for what in links::KINDS {
                let count = counted.iter().find(|(one, _)| one == links::kind_text(what));
                held.links.push((name(), what, count.map_or(0, |(_, count)| *count)));
            }
            held.removed.push((name(), objects::removed(conn, domain.id)?));
            held.idle.push((name(), group_policies::idle(conn, domain.id)?));
        }
        Ok(held)
    }
}

fn directory_of(registry: &mut Registry, held: Held) {
    let accounts = Family::<Labels, Gauge>::default();
    let objects = Family::<Labels, Gauge>::default();
    let removed = Family::<Labels, Gauge>::default();
    let links = Family::<Labels, Gauge>::default();
    for (domain, kind, count) in held.objects {
        if kind == Kind::Account {
            accounts.get_or_create(&vec![("domain", domain.clone())]).set(count);
        }
        let labels =
            vec![("domain", domain), ("kind", landbridge_tenant_rules::model::kind_text(kind).to_owned())];
        objects.get_or_create(&labels).set(count);
    }
    for (domain, count) in held.removed {
        removed.get_or_create(&vec![("domain", domain)]).set(count);
    }
    let idle = Family::<Labels, Gauge>::default();
    for (domain, count) in held.idle {
        idle.get_or_create(&vec![("domain", domain)]).set(count);
    }
    for (domain, what, count) in held.links {
        let labels = vec![
            ("domain", domain),
            ("kind", landbridge_tenant_store::tables::links::kind_text(what).to_owned()),
        ];
        links.get_or_create(&labels).set(count);
    }
    registry.register("accounts", "Accounts that are present, by domain", accounts);
    registry.register("objects", "Objects that are present, by domain and kind", objects);
    registry.register("objects_removed", "Objects that are gone and not erased yet, by domain", removed);
    registry.register("links", "Links, by domain and kind", links);
    let help = "Groups that are gone and have a sign-in policy, which holds for nobody";
    registry.register("group_policies_idle", help, idle);
    let help = "Sign-in names that more than one account holds: they sign nobody in";
    registry.register("ambiguous_names", help, ConstGauge::new(held.ambiguous));
}
