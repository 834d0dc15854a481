//! Heartbeats: while the daemon runs, the tenant receives a message of its process every 3 s, also during a cycle and
//! while no DC can be reached. So a copy of the identity, which is another process, is noticed within seconds. A
//! heartbeat that fails ends nothing; the next cycle reports a refusal.
//! Neighbours: `daemon` starts it and ends it; `cycle/send.rs` has the requests of a cycle, on another connection.

use crate::daemon::status::Board;
use crate::stop::Stop;
use landbridge_agent::proxy::ProxyConfig;
use landbridge_agent::{AgentError, Identity, NodeChoice, NodeClient, ProcessKey};
use landbridge_wire::bounded::Text;
use landbridge_wire::problem::ProblemCode;
use landbridge_wire::upload::{HEARTBEAT, HEARTBEAT_FROM, Hello, PhsHeartbeat, Receipt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, warn};
use uuid::Uuid;

/// Limit on one heartbeat, with its connection. One that takes longer gives way to the next, on a new connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// Interval at which the identity is read again: a cycle may have renewed the certificate. The one before stays
/// accepted for hours.
const IDENTITY: Duration = Duration::from_secs(60);
/// Delay before the tenant is asked again whether it accepts heartbeats, if it is too old or refuses the agent.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// What heartbeats are sent with.
#[derive(Debug)]
pub(super) struct Heartbeats {
    /// Where the identity is.
    pub(super) state_directory: PathBuf,
    /// The proxy on the way.
    pub(super) proxy: ProxyConfig,
    /// The key of this process.
    pub(super) process: Arc<ProcessKey>,
    /// The tenant's nodes, and the one in use, to which heartbeats go as well.
    pub(super) nodes: Arc<NodeChoice>,
    /// Shows when the last heartbeat was answered.
    pub(super) board: Arc<Board>,
    /// The clock: seconds since 1970.
    pub(super) now: fn() -> i64,
}

/// The way to the tenant.
struct TenantLine {
    client: NodeClient,
    certificate: Vec<u8>,
    domain_sid: String,
    read_at: Instant,
    /// Whether the tenant has said that it accepts heartbeats.
    accepted: bool,
}

/// How an attempt ended.
enum Beat {
    /// The tenant answered the heartbeat.
    Answered,
    /// The tenant is of a version that accepts none.
    TenantOlder,
}

impl Heartbeats {
    /// Sends heartbeats on the runtime until the returned request to stop is raised.
    pub(super) fn start(self, runtime: &Handle) -> Stop {
        let stop = Stop::new();
        let ends = stop.clone();
        runtime.spawn(async move {
            tokio::select! {
                () = ends.raised() => {}
                () = self.run() => {}
            }
        });
        stop
    }

    async fn run(self) {
        let mut ticks = interval(HEARTBEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut line, mut reported) = (None, None);
        loop {
            ticks.tick().await;
            let why = match timeout(PATIENCE, self.beat(&mut line)).await {
                Ok(Ok(Beat::Answered)) => {
                    self.board.change(|status| status.heartbeat_at = Some((self.now)()));
                    reported = None;
                    continue;
                }
                Ok(Ok(Beat::TenantOlder)) => {
                    debug!("the tenant is of a version that accepts no heartbeats");
                    sleep(ASK_AGAIN).await;
                    continue;
                }
                Ok(Err(error)) => {
                    let asks = line.as_ref().is_none_or(|line: &TenantLine| !line.accepted);
                    if error.is_of_one_node() {
                        leave(&mut line);
                    }
                    if asks && !error.passes_by_itself() {
                        sleep(ASK_AGAIN).await;
                    }
                    error.to_string()
                }
                Err(_) => {
                    leave(&mut line);
                    format!("no answer within {} s", PATIENCE.as_secs())
                }
            };
            // The same reason is logged once.
            if reported.as_ref() == Some(&why) {
                debug!(why, "a heartbeat failed");
            } else {
                warn!(why, "a heartbeat failed; the next ones may succeed");
                reported = Some(why);
            }
        }
    }

    async fn beat(&self, kept: &mut Option<TenantLine>) -> Result<Beat, AgentError> {
        // 1. The connection, with the present certificate.
        if kept.as_ref().is_none_or(|line| line.read_at.elapsed() > IDENTITY) {
            let identity = Identity::load(&self.state_directory)?;
            match kept.as_mut().filter(|line| line.certificate[..] == *identity.certificate) {
                Some(line) => line.read_at = Instant::now(),
                None => *kept = Some(self.line(&identity)?),
            }
        }
        let Some(line) = kept.as_mut() else { return Err(AgentError::Unfit("no connection")) };
        // 2. Whether the tenant accepts heartbeats. A hello that names no process changes nothing.
        if !line.accepted {
            let hello = Hello { instance: Uuid::nil(), domain_sid: Text::cut(&line.domain_sid) };
            let receipt: Receipt = line.client.post("/v1/upload/hello", &hello).await?;
            line.accepted = receipt.level >= HEARTBEAT_FROM;
            if !line.accepted {
                return Ok(Beat::TenantOlder);
            }
        }
        // 3. The heartbeat. A tenant that went back to an older version has no such path.
        let beat = PhsHeartbeat { instance: self.process.name() };
        match line.client.post::<_, PhsHeartbeat>("/v1/upload/heartbeat", &beat).await {
            Ok(_) => Ok(Beat::Answered),
            Err(AgentError::Refused(problem)) if problem.code == ProblemCode::NotFound => {
                line.accepted = false;
                Ok(Beat::TenantOlder)
            }
            Err(error) => Err(error),
        }
    }

    fn line(&self, identity: &Identity) -> Result<TenantLine, AgentError> {
        self.nodes.follow(identity);
        let client = NodeClient::new(&self.nodes, identity, self.proxy.open()?)?;
        Ok(TenantLine {
            client: client.proving(self.process.clone(), identity.agent),
            certificate: identity.certificate.to_vec(),
            domain_sid: identity.domain_sid.clone(),
            read_at: Instant::now(),
            accepted: false,
        })
    }
}

/// The next heartbeat goes to the next node of the tenant, if it has several; so does the next request of a cycle.
fn leave(line: &mut Option<TenantLine>) {
    if let Some(line) = line {
        line.client.leave();
    }
}
