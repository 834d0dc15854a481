//! The connections to the tenant's nodes: dialled by the agent, kept, renewed, drained. The clock and the sockets under
//! [`super::session`].

mod converse;
pub mod known_nodes;

use crate::directory::bind::Validator;
use crate::error::PtaError;
use crate::session::Closing;
use crate::status::Board;
use crate::unseal::{Unsealer, make_key};
use known_nodes::KnownNodes;
use landbridge_agent::backoff::{Backoff, chance};
use landbridge_agent::dial::Address;
use landbridge_agent::enroll::Means;
use landbridge_agent::proxy::Proxy;
use landbridge_agent::renew::Renewed;
use landbridge_agent::{AgentError, Identity, ProcessKey, nodes, renew, tls};
use landbridge_wire::problem::{ProblemCode, Who};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// The program and its version, for the administrator's list.
pub const SOFTWARE: &str = concat!("landbridge-pta-agent ", env!("CARGO_PKG_VERSION"));
/// The first wait before the next try,
const FIRST: Duration = Duration::from_millis(100);
/// and the longest: a tenant that was restarted has its agents back soon.
const LONGEST: Duration = Duration::from_secs(3);
/// Least interval between attempts while a person has to act.
const WHEN_REFUSED: Duration = Duration::from_secs(10);
/// Interval at which the certificate is checked for renewal.
const RENEWALS: Duration = Duration::from_secs(60);
/// Limit on open sign-ins when the program stops.
pub const STOPPING: Duration = Duration::from_secs(13);
/// Least interval between changes of the set of connections, and interval at which it is checked: a node that sends
/// list after list costs one write and some connections a second.
const CHANGES: Duration = Duration::from_secs(1);

/// What every connection needs.
pub struct Links {
    /// Where the identity is.
    pub state_directory: PathBuf,
    /// Number of connections if the tenant has a single node.
    pub connections: usize,
    /// The proxy on the way.
    pub proxy: Option<Proxy>,
    /// Validates passwords at the directory.
    pub validator: Validator,
    /// The status.
    pub board: Board,
    /// The key of this process.
    pub process: Arc<ProcessKey>,
    /// The number of the next connection.
    pub next: AtomicU64,
    /// The nodes that the tenant named.
    pub nodes: watch::Sender<KnownNodes>,
}

/// One identity, ready for TLS and for opening envelopes.
pub(crate) struct Shown {
    pub(crate) agent: Uuid,
    pub(crate) tls: Arc<rustls::ClientConfig>,
    pub(crate) unsealer: Unsealer,
}

impl Shown {
    pub(crate) fn new(identity: &Identity) -> Result<Self, PtaError> {
        let (tls, unsealer) = (tls::enrolled(identity)?, Unsealer::new(identity)?);
        Ok(Self { agent: identity.agent, tls, unsealer })
    }
}

/// The task that holds one connection to a node, and the signal by which it leaves the node.
struct Slot {
    task: JoinHandle<()>,
    leave: watch::Sender<bool>,
}

/// The two signals that end a task of [`Slot`]: the program stops, or the node is left.
#[derive(Clone)]
struct Ends {
    stop: watch::Receiver<bool>,
    leave: watch::Receiver<bool>,
}

impl Ends {
    async fn raised(mut self) {
        tokio::select! {
            () = raised(&mut self.stop) => {}
            () = raised(&mut self.leave) => {}
        }
    }
}

/// Why a connection ended.
pub(crate) enum Ended {
    Closed(Closing),
    Broken(AgentError),
}

impl Links {
    /// Holds the connections until `stop` is true, then answers open sign-ins.
    pub async fn run(
        self: Arc<Self>,
        identity: Identity,
        stop: watch::Receiver<bool>,
    ) -> Result<(), PtaError> {
        let agent = identity.agent;
        let (show, shown) = watch::channel(Arc::new(Shown::new(&identity)?));
        let renewing = tokio::spawn(self.clone().renewals(identity, show));
        let mut nodes = self.nodes.subscribe();
        let mut stopped = stop.clone();
        let mut stored = nodes.borrow().list().to_vec();
        let mut slots: BTreeMap<(String, usize), Slot> = BTreeMap::new();
        let mut leaving: Vec<JoinHandle<()>> = Vec::new();
        loop {
            // 1. The nodes that the tenant named last are stored for the next start.
            let (wanted, list) = {
                let known = nodes.borrow_and_update();
                (known.wanted(Instant::now()), known.list().to_vec())
            };
            if list != stored {
                self.store(agent, list.clone()).await;
                stored = list;
            }
            // 2. A connection to a node that is not among them any more answers its open sign-ins and ends.
            self.board.set_nodes(&wanted);
            let wanted = self.wanted(&wanted);
            leaving.retain(|task| !task.is_finished());
            let gone = slots.extract_if(.., |slot, _| !wanted.contains(slot));
            leaving.extend(gone.map(|((node, _), slot)| {
                tracing::info!(
                    node,
                    "a connection is drained: its node is no longer named, or one connection to it is enough"
                );
                let _ = slot.leave.send(true);
                slot.task
            }));
            // 3. The others are held.
            for (node, number) in wanted {
                let (links, shown, stop) = (self.clone(), shown.clone(), stop.clone());
                slots.entry((node.clone(), number)).or_insert_with(|| {
                    let (leave, left) = watch::channel(false);
                    Slot { task: tokio::spawn(links.hold(node, shown, Ends { stop, leave: left })), leave }
                });
            }
            // 4. Until something changes, and at least for a while.
            let changed = async {
                tokio::time::sleep(CHANGES).await;
                let _ = tokio::time::timeout(CHANGES, nodes.changed()).await;
            };
            tokio::select! {
                () = raised(&mut stopped) => break,
                () = changed => {}
            }
        }
        renewing.abort();
        let draining = async {
            for task in slots.into_values().map(|slot| slot.task).chain(leaving) {
                let _ = task.await;
            }
        };
        if tokio::time::timeout(STOPPING, draining).await.is_err() {
            tracing::warn!("some answers were not finished in time; the tenant asks another agent");
        }
        Ok(())
    }

    /// Stores the nodes of this agent, on another thread: a slow disk must not delay a sign-in.
    async fn store(&self, agent: Uuid, list: Vec<String>) {
        let state_directory = self.state_directory.clone();
        let storing = move || nodes::learn(&state_directory, agent, list.iter().map(String::as_str));
        let _ = tokio::task::spawn_blocking(storing).await;
    }

    /// Connects to a node once and closes again without a hello, for the preflight: the tenant notes no process.
    pub async fn try_once(&self, identity: &Identity, node: &str) -> Result<(), PtaError> {
        let shown = Shown::new(identity)?;
        let mut socket = self.connect(&Address::parse(node)?, &shown).await?;
        let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
        Ok(())
    }

    /// One connection to each node; several if there is a single node.
    fn wanted(&self, nodes: &[String]) -> Vec<(String, usize)> {
        let each = if nodes.len() > 1 { 1 } else { self.connections };
        nodes.iter().flat_map(|node| (0..each).map(move |number| (node.clone(), number))).collect()
    }

    /// Holds one connection.
    async fn hold(self: Arc<Self>, node: String, mut shown: watch::Receiver<Arc<Shown>>, ends: Ends) {
        let Ok(address) = Address::parse(&node) else {
            return tracing::error!(node, "the URL of the enrolment is no https URL");
        };
        let mut backoff = backoff();
        let mut said = None;
        loop {
            let (drain, draining) = watch::channel(false);
            let present = shown.borrow_and_update().clone();
            let conversation = self.clone().converse(node.clone(), address.clone(), present, draining);
            let mut conversation = tokio::spawn(conversation);
            let ended = tokio::select! {
                ended = &mut conversation => ended,
                () = ends.clone().raised() => {
                    let _ = drain.send(true);
                    let _ = conversation.await;
                    return;
                }
                changed = shown.changed() => {
                    // The new identity connects at once; the old connection answers its open sign-ins.
                    if changed.is_ok() && drain.send(true).is_ok() {
                        backoff = self::backoff();
                        continue;
                    }
                    conversation.await
                }
            };
            let (why, asked, lasted) = match ended {
                Ok((Ended::Closed(why), lasted)) => (in_words(why), wait_after(why), lasted),
                Ok((Ended::Broken(error), lasted)) => {
                    let asked = wait_for(&error).or(error.retry_after());
                    (format!("{error}"), asked, lasted)
                }
                Err(_) => {
                    ("a defect: a conversation panicked".to_owned(), Some(WHEN_REFUSED), Duration::ZERO)
                }
            };
            if lasted > LONGEST {
                backoff = self::backoff();
            }
            if said.as_ref() != Some(&why) {
                tracing::warn!(node, why, "no connection to the tenant");
                said = Some(why.clone());
            }
            self.board.not_connected(&node, why);
            let wait = backoff.wait(chance(), None).unwrap_or(LONGEST);
            let wait = asked.map_or(wait, |asked| asked.mul_f64(0.5 + chance() / 2.0));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = ends.clone().raised() => return,
            }
        }
    }

    /// Renews the certificate when it is due, and passes on the new identity.
    async fn renewals(self: Arc<Self>, first: Identity, show: watch::Sender<Arc<Shown>>) {
        let means = Means { proxy: self.proxy.clone(), second: Some(make_key) };
        let mut present = first.certificate.clone();
        let mut identity = Some(first);
        loop {
            let now = unix_now();
            let known = match identity.take() {
                Some(identity) => Ok(identity),
                None => Identity::load(&self.state_directory),
            };
            let renewed = match known {
                Ok(known) => {
                    let nodes = self.nodes.borrow().to_renew_at();
                    renew::renew_if_due(&self.state_directory, known, &nodes, &means, &self.process, now)
                        .await
                }
                Err(error) => Err(error),
            };
            let renewed = renewed.map(|Renewed { identity, nodes }| {
                if !nodes.is_empty() {
                    self.nodes.send_modify(|known| known.renewed(&nodes, Instant::now()));
                }
                identity
            });
            match renewed {
                Ok(identity) if identity.certificate != present => match Shown::new(&identity) {
                    Ok(next) => {
                        present = identity.certificate.clone();
                        self.board.change(|status| status.certificate_ends = identity.not_after);
                        show.send_replace(Arc::new(next));
                    }
                    Err(error) => tracing::error!(%error, "the renewed identity cannot be used"),
                },
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "the certificate cannot be renewed"),
            }
            tokio::time::sleep(RENEWALS).await;
        }
    }
}

/// Waits until the value is true, or its sender is gone.
pub async fn raised(flag: &mut watch::Receiver<bool>) {
    drop(flag.wait_for(|raised| *raised).await);
}

fn backoff() -> Backoff {
    Backoff::new(FIRST, LONGEST, u32::MAX)
}

/// Why a connection ended by the protocol.
fn in_words(why: Closing) -> String {
    match why {
        Closing::Silent => "the tenant was silent for too long".to_owned(),
        Closing::Drained => "this agent stops or has a new certificate".to_owned(),
        Closing::NotWelcomed => "the tenant did not introduce itself".to_owned(),
        Closing::TenantDrains => "the tenant stops".to_owned(),
        Closing::Breach(what) => format!("the tenant sent {what}"),
    }
}

/// How long to wait after a connection ended by the protocol.
fn wait_after(why: Closing) -> Option<Duration> {
    match why {
        // The tenant may be back in a moment, or there is another node.
        Closing::TenantDrains | Closing::Silent | Closing::NotWelcomed | Closing::Drained => None,
        Closing::Breach(_) => Some(WHEN_REFUSED),
    }
}

/// How long to wait after an error: longer if a person has to act first.
fn wait_for(error: &AgentError) -> Option<Duration> {
    // These pass by themselves: a proxy's answer while the tenant restarts, and a disk that is full for a moment.
    let passes = matches!(error, AgentError::NotATenant { .. })
        || matches!(error, AgentError::Refused(problem) if problem.code == ProblemCode::StorageFailed);
    match error.who() {
        Who::Nobody => None,
        Who::AgentOperator | Who::DirectoryOperator | Who::TenantOperator | Who::Developers if passes => None,
        Who::AgentOperator | Who::DirectoryOperator | Who::TenantOperator | Who::Developers => {
            Some(WHEN_REFUSED)
        }
    }
}

/// Seconds since 1970.
pub fn unix_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
