//! An application that signs people in at the tenant: HTTPS with the tenant's root and no other.
//! Blocking, a connection a thread, kept as long as the tenant keeps it.

use super::error::{Doing as _, LabError, failed};
use super::tenant::RunningTenant;
use landbridge_agent::ProcessKey;
use landbridge_wire::process_proof::HEADER;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longer than any answer may take. The usual time until a client gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// An application with its credential.
#[derive(Debug, Clone)]
pub struct Application {
    tls: Arc<ClientConfig>,
    tenant: SocketAddr,
    credential: String,
    /// How long it waits for what the tenant sends next.
    patience: Duration,
    /// The process and the agent of a client that is none: it posts an agent's frames.
    process: Option<(Arc<ProcessKey>, uuid::Uuid)>,
}

/// What the tenant said of a sign-in.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, when it is JSON.
    pub body: Value,
    /// The body as it came.
    pub raw: Vec<u8>,
    /// How long it took.
    pub took: Duration,
}

impl Answer {
    /// Whether the person may come in.
    pub fn accepted(&self) -> bool {
        self.status == 200 && self.body["outcome"] == "accepted"
    }

    /// Whether the person may not, and nothing is said of why.
    pub fn refused(&self) -> bool {
        self.status == 403 && self.body == json!({"outcome": "refused"})
    }

    /// Whether the person may not, for this reason.
    pub fn refused_for(&self, reason: &str) -> bool {
        self.status == 403 && self.body == json!({"outcome": "refused", "reason": reason})
    }
}

/// A sign-in to be tried.
#[derive(Debug, Clone)]
pub struct Try {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
    /// Where the person is said to be.
    pub source: IpAddr,
}

impl Try {
    /// From an address that depends on the number: lockout counts per account and source.
    pub fn from(number: u32, user: &str, password: &str) -> Self {
        let [_, a, b, c] = number.to_be_bytes();
        Self { user: user.to_owned(), password: password.to_owned(), source: IpAddr::from([10, a, b, c]) }
    }
}

impl Application {
    /// An application of this tenant's.
    pub fn of(tenant: &RunningTenant, name: &str) -> Result<Self, LabError> {
        let tls = trusting(&tenant.root_certificate())?;
        let credential = tenant.credential(name)?;
        Ok(Self { tls, tenant: tenant.listen(), credential, patience: PATIENCE, process: None })
    }

    /// The same application at another address of the tenant, trusting this CA and no other.
    pub fn at(&self, tenant: SocketAddr, ca: &Path) -> Result<Self, LabError> {
        Ok(Self { tls: trusting(ca)?, tenant, ..self.clone() })
    }

    /// The same application, which gives up when nothing is sent to it for this long.
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// A client with the identity in this state directory of a phs, which posts frames as a process of its own.
    pub fn with_identity_of(tenant: &RunningTenant, state: &Path) -> Result<Self, LabError> {
        let identity =
            landbridge_agent::Identity::load(state).map_err(|why| failed("reading an identity", why))?;
        let tls = landbridge_agent::tls::enrolled(&identity).map_err(|why| failed("setting up TLS", why))?;
        let process = ProcessKey::generate().map_err(|why| failed("making a process key", why))?;
        let process = Some((Arc::new(process), identity.agent));
        Ok(Self { tls, tenant: tenant.listen(), credential: String::new(), patience: PATIENCE, process })
    }

    /// The same application with another credential.
    pub fn with_credential(&self, credential: &str) -> Self {
        Self { credential: credential.to_owned(), ..self.clone() }
    }

    /// The credential's text.
    pub fn credential(&self) -> &str {
        &self.credential
    }

    /// Tries one sign-in on a connection of its own.
    pub fn sign_in(&self, what: &Try) -> Result<Answer, LabError> {
        Session::of(self).sign_in(what)
    }

    /// Posts any body to any path, on a connection of its own.
    pub fn post(&self, path: &str, headers: &str, body: &[u8]) -> Result<Answer, LabError> {
        Session::of(self).post(path, headers, body)
    }

    /// Tries them one after the other on one connection, with a pause before each.
    pub fn sign_in_one_by_one(&self, tries: &[Try], pause: Duration) -> Result<Vec<Answer>, LabError> {
        let mut session = Session::of(self);
        let answer = |what| {
            std::thread::sleep(pause);
            session.sign_in(what)
        };
        tries.iter().map(answer).collect()
    }

    /// Tries them all, `at_once` at a time. Returns the answers in the order of the tries.
    pub fn sign_all_in(&self, tries: &[Try], at_once: usize) -> Result<Vec<Answer>, LabError> {
        let next = AtomicUsize::new(0);
        let answers: Mutex<Vec<Option<Answer>>> = Mutex::new(vec![None; tries.len()]);
        let work = || -> Result<(), LabError> {
            let mut session = Session::of(self);
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(what) = tries.get(at) else { return Ok(()) };
                let answer = session.sign_in(what)?;
                if let Some(place) = answers.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at) {
                    *place = Some(answer);
                }
            }
        };
        let ends: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join()).collect()
        });
        for end in ends {
            end.map_err(|_| failed("signing in", "a thread of the test panicked"))??;
        }
        let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        answers.into_iter().collect::<Option<_>>().ok_or_else(|| failed("signing in", "an answer is missing"))
    }
}

/// TLS that trusts the CA of this file (PEM) alone.
pub fn trusting(ca: &Path) -> Result<Arc<ClientConfig>, LabError> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(ca).map_err(|why| failed("reading a root", why))?;
    roots.add(root).map_err(|why| failed("reading a root", why))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| failed("setting up TLS", why))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(tls))
}

type Stream = BufReader<StreamOwned<ClientConnection, TcpStream>>;

struct Session<'a> {
    application: &'a Application,
    stream: Option<Stream>,
    /// The header that proves the process of an agent on this stream.
    proof: String,
}

impl<'a> Session<'a> {
    fn of(application: &'a Application) -> Self {
        Self { application, stream: None, proof: String::new() }
    }

    fn sign_in(&mut self, what: &Try) -> Result<Answer, LabError> {
        let body = json!({"user": what.user, "password": what.password, "source": what.source}).to_string();
        let authorization = format!("Authorization: Bearer {}\r\n", self.application.credential);
        self.post("/v1/signin", &authorization, body.as_bytes())
    }

    fn post(&mut self, path: &str, headers: &str, body: &[u8]) -> Result<Answer, LabError> {
        let began = Instant::now();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}{headers}\r\n",
            self.application.tenant,
            body.len(),
            self.proof,
        );
        let request = [head.as_bytes(), body].concat();
        // A tenant that refuses a body early answers before it has read all of it.
        let _ = stream.get_mut().write_all(&request).and_then(|()| stream.get_mut().flush());
        let (status, keep, answer) = read_answer(&mut stream).doing("read the tenant's answer")?;
        if keep {
            self.stream = Some(stream);
        }
        let body = serde_json::from_slice(&answer).unwrap_or(Value::Null);
        Ok(Answer { status, body, raw: answer, took: began.elapsed() })
    }

    fn connect(&mut self) -> Result<Stream, LabError> {
        let address = self.application.tenant;
        let mut tcp = TcpStream::connect(address).doing("connect to the tenant")?;
        tcp.set_nodelay(true).doing("set up a socket")?;
        tcp.set_read_timeout(Some(self.application.patience)).doing("set up a socket")?;
        tcp.set_write_timeout(Some(self.application.patience)).doing("set up a socket")?;
        let name = ServerName::IpAddress(address.ip().into());
        let tls = ClientConnection::new(self.application.tls.clone(), name);
        let mut tls = tls.map_err(|why| failed("starting TLS", why))?;
        if let Some((process, agent)) = &self.application.process {
            while tls.is_handshaking() {
                tls.complete_io(&mut tcp).doing("shake hands")?;
            }
            let proof = process.prove(*agent, &tls).map_err(|why| failed("proving a process", why))?;
            self.proof = format!("{HEADER}: {proof}\r\n");
        }
        Ok(BufReader::new(StreamOwned::new(tls, tcp)))
    }
}

/// Status, whether the connection stays, and the body (RFC 9112): the tenant always names the length.
fn read_answer(stream: &mut Stream) -> std::io::Result<(u16, bool, Vec<u8>)> {
    let broken = |what: &str| std::io::Error::other(format!("no HTTP answer: {what}"));
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| broken(&line))?;
    let (mut length, mut keep) = (None, true);
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let lower = line.trim().to_ascii_lowercase();
        match lower.split_once(':') {
            None if lower.is_empty() => break,
            None => return Err(broken(&line)),
            Some(("content-length", value)) => length = value.trim().parse::<u64>().ok(),
            Some(("connection", value)) => keep = value.trim() != "close",
            Some(_) => {}
        }
    }
    let length = length.ok_or_else(|| broken("no length"))?;
    let mut body = Vec::new();
    stream.take(length).read_to_end(&mut body)?;
    Ok((status, keep, body))
}
