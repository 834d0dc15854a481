//! A tenant that lies: it has a real tenant's CA key and address, and requests of the agents whatever it likes, as often
//! as it likes. A fake, because the real tenant has bounds of its own. Speaks `wire::signin` itself.

use super::error::{Doing as _, LabError, failed};
use super::program::wait_until;
use super::pta_agent::PtaAgent;
use super::tenant::RunningTenant;
use futures_util::{SinkExt as _, StreamExt as _};
use landbridge_agent::Identity;
use landbridge_crypto::envelope::change::AboutChange;
use landbridge_crypto::envelope::{About, Envelope, EnvelopePublic, VerdictKey};
use landbridge_crypto::secret::Password;
use landbridge_tenant::config::Config;
use landbridge_tenant::keys;
use landbridge_tenant::server_certificate::ServerCertificate;
use landbridge_tenant_core::agents::certificate_names::Shown;
use landbridge_wire::bounded::{Blob, List, Text};
use landbridge_wire::change::{ChangeOutcome, ChangeRequest};
use landbridge_wire::frame;
use landbridge_wire::nodes::{NodeUrls, node_urls};
use landbridge_wire::signin::{
    AT_BOUND, BY_SID, Decline, DirectoryVerdict, FromAgent, FromTenant, Heartbeat, Hello, NodesChanged,
    SignInRequest, Welcome,
};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

/// What an agent says to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A verdict, whose tag was checked.
    Verdict(DirectoryVerdict),
    /// What came of a change of password, whose tag was checked.
    Change(ChangeOutcome),
    /// No verdict, and whether a bind may have been sent.
    Declined(Decline, bool),
    /// Nothing until the deadline.
    Nothing,
}

/// The names of an account in a request, which need not belong together. Without a SID it is one of version 0.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// objectGUID.
    pub object: Uuid,
    /// objectSid.
    pub sid: Option<String>,
}

/// What the tenant wants of an agent.
enum Task {
    /// Try this password.
    SignIn(String),
    /// Change the password of the account with this sAMAccountName from the first to the second.
    Change(String, [String; 2]),
}

/// Milliseconds that an honest tenant leaves an agent.
const DUE: u64 = 10_000;

/// A task for an account, and where the agent's words go.
struct Request {
    account: Named,
    task: Task,
    /// Milliseconds after which the answer is due.
    due: u64,
    said: oneshot::Sender<(Said, Duration)>,
}

/// The connections of each agent.
type Agents = Arc<Mutex<HashMap<Uuid, Vec<mpsc::Sender<Request>>>>>;

/// The fake, at the address of a tenant that was stopped. Ends when dropped.
#[derive(Debug)]
pub struct LyingTenant {
    agents: Agents,
    /// The nodes that it names.
    nodes: watch::Sender<NodeUrls>,
    runtime: Runtime,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("account", &self.account).finish_non_exhaustive()
    }
}

impl LyingTenant {
    /// Takes the place of this tenant, which must be stopped, and waits for these agents. Its welcome is that of this
    /// version or that of version 0.1.
    pub fn take_over(
        tenant: &RunningTenant,
        agents: &[PtaAgent],
        of_this_version: bool,
    ) -> Result<Self, LabError> {
        let wrong = |why: &dyn std::fmt::Display| failed("a lying tenant", why);
        let config = Config::load(&tenant.config()).map_err(|why| wrong(&why))?;
        let first = agents.first().ok_or_else(|| failed("a lying tenant", "no agent"))?;
        let name = Identity::load(&first.state()).map_err(|why| wrong(&why))?.tenant;
        let tls = stolen_tls(&config, name)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.doing("make a runtime")?;
        let listener =
            runtime.block_on(TcpListener::bind(config.listen)).doing("bind the tenant's address")?;
        let connected = Agents::default();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let into = connected.clone();
        let (nodes, named) = watch::channel(NodeUrls::default());
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (into, named) = (into.clone(), named.clone());
                tokio::spawn(attend(acceptor.clone(), stream, name, of_this_version, (into, named)));
            }
        });
        let lying = Self { agents: connected, nodes, runtime };
        for agent in agents {
            let id = agent_id(agent)?;
            let held = || lock(&lying.agents).get(&id).is_some_and(|links| !links.is_empty());
            wait_until("an agent at the lying tenant", 30, held, String::new)?;
        }
        Ok(lying)
    }

    /// Names these nodes from now on, to the agents that are connected as well.
    pub fn set_nodes(&self, urls: &[String]) {
        self.nodes.send_replace(node_urls(urls.to_vec()));
    }

    /// Requests of this agent whether this is the account's password. What it says, and after what time;
    /// [`Said::Nothing`] also when the connection ends meanwhile.
    pub fn guess(
        &self,
        agent: &PtaAgent,
        account: &Named,
        password: &str,
    ) -> Result<(Said, Duration), LabError> {
        self.request(DUE, agent, account, Task::SignIn(password.to_owned()))
    }

    /// Requests of this agent to change a password: that of the account with these names, or with this sAMAccountName.
    pub fn change(
        &self,
        agent: &PtaAgent,
        account: &Named,
        name: &str,
        passwords: [&str; 2],
    ) -> Result<(Said, Duration), LabError> {
        self.change_within(DUE, agent, account, (name, passwords))
    }

    /// The same. The answer is due `due` milliseconds after the request is sent.
    pub fn change_within(
        &self,
        due: u64,
        agent: &PtaAgent,
        account: &Named,
        (name, passwords): (&str, [&str; 2]),
    ) -> Result<(Said, Duration), LabError> {
        self.request(due, agent, account, Task::Change(name.to_owned(), passwords.map(str::to_owned)))
    }

    fn request(
        &self,
        due: u64,
        agent: &PtaAgent,
        account: &Named,
        task: Task,
    ) -> Result<(Said, Duration), LabError> {
        let id = agent_id(agent)?;
        let open = || {
            let agents = lock(&self.agents);
            agents.get(&id)?.iter().find(|link| !link.is_closed()).cloned()
        };
        wait_until("an agent at the lying tenant", 30, || open().is_some(), String::new)?;
        let link = open().ok_or_else(|| failed("a lying tenant", "the agent is gone"))?;
        let (said, heard) = oneshot::channel();
        let request = Request { account: account.clone(), task, due, said };
        Ok(self.runtime.block_on(async move {
            let since = Instant::now();
            let _ = link.send(request).await;
            heard.await.unwrap_or_else(|_| (Said::Nothing, since.elapsed()))
        }))
    }
}

/// The TLS settings of this tenant, by its keys.
pub(super) fn stolen_tls(config: &Config, tenant: Uuid) -> Result<ServerConfig, LabError> {
    let wrong = |why: &dyn std::fmt::Display| failed("the keys of a tenant", why);
    let owner = rustix::process::geteuid().as_raw();
    let now = landbridge_tenant_core::clock::unix_now();
    let root = config.root_certificate();
    let authority =
        keys::authority(tenant, (&config.ca_key, owner), &root, now).map_err(|why| wrong(&why))?;
    let server = ServerCertificate::new(&authority, &root, &config.url, now).map_err(|why| wrong(&why))?;
    let mut roots = RootCertStore::empty();
    roots.add(authority.root().clone()).map_err(|why| wrong(&why))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| wrong(&why))?
        .with_client_cert_verifier(clients.map_err(|why| wrong(&why))?)
        .with_cert_resolver(Arc::new(server));
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

fn agent_id(agent: &PtaAgent) -> Result<Uuid, LabError> {
    agent.id()?.parse().map_err(|why| failed("reading an agent's id", why))
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request under way.
struct Open {
    key: VerdictKey,
    sent: Instant,
    said: oneshot::Sender<(Said, Duration)>,
}

/// Serves one connection of an agent until it ends.
async fn attend(
    tls: TlsAcceptor,
    stream: TcpStream,
    tenant: Uuid,
    of_this_version: bool,
    (agents, mut nodes): (Agents, watch::Receiver<NodeUrls>),
) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tls.accept(stream).await else { return };
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let Some(shown) = certificates.first().and_then(|certificate| Shown::read(certificate)) else { return };
    let Some(key) = shown.name.envelope.and_then(|key| EnvelopePublic::from_bytes(&key).ok()) else { return };
    let Ok(mut socket) = accept_async(stream).await else { return };
    let (mut began, mut connection) = (Instant::now(), Uuid::nil());
    let mut open: HashMap<Uuid, Open> = HashMap::new();
    let (sender, mut requests) = mpsc::channel::<Request>(64);
    let mut beats = tokio::time::interval(Duration::from_secs(1));
    loop {
        let say = tokio::select! {
            came = socket.next() => match came {
                Some(Ok(Message::Binary(bytes))) => match frame::decode::<FromAgent>(&bytes) {
                    Ok(FromAgent::Hello(Hello { connection: name, .. })) => {
                        (began, connection) = (Instant::now(), name);
                        lock(&agents).entry(shown.name.agent).or_default().push(sender.clone());
                        let known = [AT_BOUND, BY_SID].into_iter().filter(|_| of_this_version).map(Text::cut);
                        let abilities = List::new(known.collect()).unwrap_or_default();
                        Some(FromTenant::Welcome(Welcome { nodes: nodes.borrow_and_update().clone(), abilities }))
                    }
                    Ok(FromAgent::Answer(answer)) => {
                        if let Some(open) = open.remove(&answer.request) {
                            let authenticated = answer.verdict.authenticated(answer.request);
                            let sound = open.key.verify(&authenticated, answer.tag.as_bytes());
                            let said = if sound { Said::Verdict(answer.verdict) } else { Said::Nothing };
                            let _ = open.said.send((said, open.sent.elapsed()));
                        }
                        None
                    }
                    Ok(FromAgent::Changed(answer)) => {
                        if let Some(open) = open.remove(&answer.request) {
                            let authenticated = answer.outcome.authenticated(answer.request);
                            let sound = open.key.verify(&authenticated, answer.tag.as_bytes());
                            let said = if sound { Said::Change(answer.outcome) } else { Said::Nothing };
                            let _ = open.said.send((said, open.sent.elapsed()));
                        }
                        None
                    }
                    Ok(FromAgent::Declined(declined)) => {
                        if let Some(open) = open.remove(&declined.request) {
                            let said = Said::Declined(declined.why, declined.tried);
                            let _ = open.said.send((said, open.sent.elapsed()));
                        }
                        None
                    }
                    Ok(FromAgent::Heartbeat(_) | FromAgent::Drain | FromAgent::Unknown) => None,
                    Err(_) => return,
                },
                Some(Ok(_)) => None,
                Some(Err(_)) | None => return,
            },
            Ok(()) = nodes.changed(), if !connection.is_nil() => {
                let nodes = nodes.borrow_and_update().clone();
                Some(FromTenant::Nodes(NodesChanged { nodes }))
            }
            _ = beats.tick(), if !connection.is_nil() => {
                let late = |open: &Open| open.sent.elapsed() > Duration::from_secs(11);
                for (_, open) in open.extract_if(|_, open| late(open)) {
                    let _ = open.said.send((Said::Nothing, open.sent.elapsed()));
                }
                Some(FromTenant::Heartbeat(Heartbeat { at: millis(began) }))
            }
            Some(Request { account: Named { object, sid }, task, due, said }) = requests.recv() => {
                let (request, due) = (Uuid::new_v4(), millis(began) + due);
                let about = About {
                    request: request.into_bytes(),
                    connection: connection.into_bytes(),
                    agent: shown.name.agent.into_bytes(),
                    serial: &shown.serial,
                    tenant: tenant.into_bytes(),
                    domain_sid: &shown.name.domain_sid,
                    object: object.into_bytes(),
                    sid: sid.as_deref(),
                    due,
                };
                let change = match &task {
                    Task::SignIn(_) => None,
                    Task::Change(name, _) => Some(AboutChange { delivery: about, account: name }),
                };
                let secret = |text: &String| Password::new(text.clone());
                let sealed = match (&task, &change) {
                    (Task::Change(_, [old, new]), Some(about)) => {
                        key.seal_change(about, &secret(old), &secret(new))
                    }
                    (Task::SignIn(password), _) => key.seal(&about, &secret(password)),
                    (Task::Change(..), None) => return,
                };
                let Ok((Envelope { encapsulated, sealed }, verdict_key)) = sealed else { return };
                let Ok(encapsulated) = Blob::new(encapsulated) else { return };
                open.insert(request, Open { key: verdict_key, sent: Instant::now(), said });
                Some(match task {
                    Task::SignIn(_) => {
                        let (Ok(sealed), Ok(sid)) = (Blob::new(sealed), sid.map(Text::new).transpose()) else {
                            return;
                        };
                        let asked = SignInRequest { request, object, sid, due, encapsulated, sealed };
                        FromTenant::SignIn(Box::new(asked))
                    }
                    Task::Change(account, _) => {
                        let sid = Text::new(sid.unwrap_or_default());
                        let (Ok(sealed), Ok(sid), Ok(account)) =
                            (Blob::new(sealed), sid, Text::new(account)) else { return };
                        let asked = ChangeRequest { request, object, sid, account, due, encapsulated, sealed };
                        FromTenant::Change(Box::new(asked))
                    }
                })
            }
        };
        if let Some(message) = say {
            let Ok(bytes) = frame::encode(&message) else { return };
            if socket.send(Message::Binary(bytes.to_vec().into())).await.is_err() {
                return;
            }
        }
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
