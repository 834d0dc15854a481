//! A thief: it has a copy of everything on an agent's disk, and makes process keys of its own. It speaks `wire` itself,
//! because the real programs do not rename themselves.

use super::error::{Doing as _, LabError, failed};
use futures_util::{SinkExt as _, StreamExt as _};
use landbridge_agent::dial::{Address, dial};
use landbridge_agent::http::Client;
use landbridge_agent::{AgentError, Identity, ProcessKey, tls};
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::process_proof::HEADER;
use landbridge_wire::signin::{Decline, Declined, FromAgent, FromTenant, PATH};
use landbridge_wire::upload::{Hello, PhsHeartbeat, Receipt};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use uuid::Uuid;

/// A thief that is not found for so long has won.
const LONGEST: Duration = Duration::from_secs(60);

/// When the thief is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// All the time, with a new process key every 4 s.
    RenamesEvery4Seconds,
    /// For a second, with a new process key, and then 3 s not.
    TakesTurns,
}

impl Conduct {
    fn times(self) -> (Duration, Duration) {
        match self {
            Self::RenamesEvery4Seconds => (Duration::from_secs(4), Duration::ZERO),
            Self::TakesTurns => (Duration::from_secs(1), Duration::from_secs(3)),
        }
    }
}

/// How far a thief came.
#[derive(Debug)]
pub struct Loot {
    /// Process names that the tenant took.
    pub names: usize,
    /// Messages that it sent under them.
    pub messages: usize,
    /// Why it was refused in the end.
    pub refused: Problem,
}

impl std::fmt::Display for Loot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} names, {} messages: {}", self.names, self.messages, self.refused)
    }
}

/// A copy of an agent's state directory.
#[derive(Debug)]
pub struct Thief(TempDir);

impl Thief {
    /// Copies the state directory of an agent.
    pub fn copy(state: &Path) -> Result<Self, LabError> {
        let folder = tempfile::tempdir().doing("make a folder")?;
        let copied = Command::new("cp").arg("-a").arg(state).arg(folder.path().join("state")).status();
        if copied.doing("copy a state directory")?.success() {
            Ok(Self(folder))
        } else {
            Err(failed("copying a state directory", "cp failed"))
        }
    }

    /// The copied identity.
    pub fn identity(&self) -> Result<Identity, LabError> {
        Identity::load(&self.0.path().join("state")).map_err(|why| failed("reading an identity", why))
    }

    /// Answers sign-ins as the pta-agent whose state this is, until it is refused.
    pub fn attend(&self, conduct: Conduct) -> Result<Loot, LabError> {
        let identity = self.identity()?;
        run(conduct, async |until, loot| attend(&identity, until, loot).await)
    }

    /// Says hello and sends heartbeats as the phs whose state this is, until it is refused.
    pub fn beat(&self, conduct: Conduct) -> Result<Loot, LabError> {
        let identity = self.identity()?;
        run(conduct, async |until, loot| beat(&identity, until, loot).await)
    }
}

/// One life after the other, each with a new key, until the tenant refuses one in words.
fn run(
    conduct: Conduct,
    mut life: impl AsyncFnMut(Instant, &mut Loot) -> Result<(), AgentError>,
) -> Result<Loot, LabError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().doing("make a runtime")?;
    let (active, silent) = conduct.times();
    let refused = Problem::new(ProblemCode::Internal, "not refused");
    let mut loot = Loot { names: 0, messages: 0, refused };
    let end = Instant::now() + LONGEST;
    while Instant::now() < end {
        match runtime.block_on(life(Instant::now() + active, &mut loot)) {
            Err(AgentError::Refused(refused)) if refused.code == ProblemCode::AgentNotApproved => {
                return Ok(Loot { refused, ..loot });
            }
            // A connection that was cut is made again.
            Ok(()) | Err(AgentError::Unreachable { .. } | AgentError::Tls { .. }) => {}
            Err(other) => return Err(failed("a thief", other)),
        }
        std::thread::sleep(silent);
    }
    Err(failed("a thief", format!("it is not refused, with {} names", loot.names)))
}

async fn attend(identity: &Identity, until: Instant, loot: &mut Loot) -> Result<(), AgentError> {
    // 1. The connection, as its own process.
    let key = ProcessKey::generate()?;
    let address = Address::parse(&identity.url)?;
    let stream = dial(&address, tls::enrolled(identity)?, None).await?;
    let lost = |why: Error| AgentError::Unreachable { host: address.authority.clone(), why: why.to_string() };
    let proof = key.prove(identity.agent, stream.get_ref().1)?;
    let mut request = format!("wss://{}{PATH}", address.authority).into_client_request().map_err(lost)?;
    request.headers_mut().insert(HEADER, proof.parse().map_err(|_| AgentError::Unfit("no header"))?);
    let mut socket = match client_async(request, stream).await {
        Ok((socket, _)) => socket,
        Err(Error::Http(answer)) => {
            return Err(frame::decode::<Problem>(answer.body().as_deref().unwrap_or_default())?.into());
        }
        Err(other) => return Err(lost(other)),
    };
    // 2. The hello, and then what keeps the connection.
    let hello = landbridge_wire::signin::Hello {
        connection: Uuid::new_v4(),
        instance: key.name(),
        software: Text::cut("a copy"),
        capacity: 64,
        abilities: List::default(),
    };
    let mut say = vec![FromAgent::Hello(hello)];
    loop {
        for message in say.drain(..) {
            let bytes = frame::encode(&message)?.to_vec();
            socket.send(Message::Binary(bytes.into())).await.map_err(lost)?;
            loot.messages += 1;
        }
        let came = tokio::select! {
            came = socket.next() => came,
            () = tokio::time::sleep_until(until.into()) => return Ok(()),
        };
        let Some(Ok(Message::Binary(bytes))) = came else { return Ok(()) };
        match frame::decode(&bytes)? {
            FromTenant::Heartbeat(beat) => say.push(FromAgent::Heartbeat(beat)),
            FromTenant::SignIn(asked) => {
                let (request, why) = (asked.request, Decline::NoDirectory);
                say.push(FromAgent::Declined(Declined { request, why, tried: false }));
            }
            FromTenant::Welcome(_) => loot.names += 1,
            FromTenant::Change(_) | FromTenant::Nodes(_) | FromTenant::Drain | FromTenant::Unknown => {}
        }
    }
}

async fn beat(identity: &Identity, until: Instant, loot: &mut Loot) -> Result<(), AgentError> {
    let key = Arc::new(ProcessKey::generate()?);
    let instance = key.name();
    let client = Client::new(&identity.url, tls::enrolled(identity)?)?;
    let mut client = client.proving(key, identity.agent);
    let hello = Hello { instance, domain_sid: Text::cut(&identity.domain_sid) };
    let _: Receipt = client.post("/v1/upload/hello", &hello).await?;
    loot.names += 1;
    while Instant::now() < until {
        let _: PhsHeartbeat = client.post("/v1/upload/heartbeat", &PhsHeartbeat { instance }).await?;
        loot.messages += 1;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}
