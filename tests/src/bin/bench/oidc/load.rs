//! Code flows, refreshes and userinfo, by the same client at both issuers. A worker is a browser and an application, each with a
//! kept connection.

use super::http::{Answer, Connection};
use crate::proc;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landbridge_tests::lab::LabError;
use rustls::ClientConfig;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use url::{Url, form_urlencoded};

/// Where people return. Nothing listens there: the client reads the redirect.
pub(crate) const CALLBACK: &str = "https://app.example.com/callback";
/// A verifier and its challenge (RFC 7636 appendix B).
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Limit on the redirects from a request to the callback.
const MAX_REDIRECTS: usize = 4;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// A request of a browser with a session, the code, and the tokens for it.
    CodeFlow,
    /// A refresh token for the next one and new tokens.
    Refresh,
    UserInfo,
}

impl Operation {
    pub(super) const ALL: [Self; 3] = [Self::CodeFlow, Self::Refresh, Self::UserInfo];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CodeFlow => "code flows",
            Self::Refresh => "refreshes",
            Self::UserInfo => "userinfo",
        }
    }
}

/// An issuer, and its client.
pub(super) struct Issuer {
    pub(super) address: SocketAddr,
    pub(super) process: u32,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) authorize: &'static str,
    pub(super) userinfo: &'static str,
    pub(super) client: &'static str,
    /// The header with the client's secret.
    basic: String,
}

impl Issuer {
    pub(super) fn new(
        (address, process): (SocketAddr, u32),
        tls: Arc<ClientConfig>,
        (authorize, userinfo): (&'static str, &'static str),
        (client, secret): (&'static str, &str),
    ) -> Self {
        let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let basic = format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{client}:{encoded}")));
        Self { address, process, tls, authorize, userinfo, client, basic }
    }

    /// The path and query of an authorization request.
    pub(super) fn request(&self, scope: &str, more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("client_id", self.client),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", scope),
            ("state", "of the application"),
            ("nonce", "once"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        format!("{}?{}", self.authorize, query.extend_pairs(more).finish())
    }
}

/// Scopes of a code flow; a refresh needs one more.
const SCOPES: &str = "openid profile email";
const OFFLINE: &str = "openid profile email offline_access";

/// The cookies of a browser.
#[derive(Clone, Default)]
pub(super) struct Cookies(Vec<String>);

impl Cookies {
    pub(super) fn of(pair: String) -> Self {
        Self(vec![pair])
    }

    pub(super) fn store(&mut self, answer: &Answer) {
        for pair in &answer.cookies {
            let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
            self.0.retain(|held| name(held) != name(pair));
            self.0.push(pair.clone());
        }
    }

    pub(super) fn header(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!("Cookie: {}\r\n", self.0.join("; ")) }
    }
}

/// How a browser begins that has no tokens yet.
pub(super) enum Start<'a> {
    /// With a session.
    Session(&'a Cookies),
    /// Without one, at an issuer that lets this name in.
    Name(&'a str),
}

/// A browser and an application.
pub(super) struct Worker {
    browser: Connection,
    application: Connection,
    access: String,
    refresh: String,
}

impl Worker {
    async fn new(issuer: &Issuer) -> Result<Self, LabError> {
        let open = async || Connection::open(issuer.address, &issuer.tls).await;
        let (browser, application) = (open().await?, open().await?);
        Ok(Self { browser, application, access: String::new(), refresh: String::new() })
    }

    /// Gets an access token and a refresh token. Returns the cookies that the browser has then.
    async fn begin(&mut self, issuer: &Issuer, start: Start<'_>) -> Result<Cookies, LabError> {
        let (mut cookies, mut to) = match start {
            Start::Session(cookies) => (cookies.clone(), issuer.request(OFFLINE, &[])),
            Start::Name(name) => {
                let more = [("prompt", "login consent"), ("login_hint", name)];
                (Cookies::default(), issuer.request(OFFLINE, &more))
            }
        };
        for _ in 0..MAX_REDIRECTS {
            let answer = self.browser.get(&to, &cookies.header()).await?.expect("a redirect", 303)?;
            cookies.store(&answer);
            if answer.location.starts_with(CALLBACK) {
                self.redeem(issuer, &answer.location).await?;
                return Ok(cookies);
            }
            let own = format!("https://{}", issuer.address.ip());
            to = answer.location.strip_prefix(&own).unwrap_or(&answer.location).to_owned();
        }
        Err(LabError::said("a first code", &"too many redirects"))
    }

    /// Redeems the code of a redirect.
    async fn redeem(&mut self, issuer: &Issuer, location: &str) -> Result<(), LabError> {
        let url = Url::parse(location).map_err(|why| LabError::said("a redirect", &why))?;
        let code = url.query_pairs().find(|(name, _)| name == "code").map(|(_, value)| value.into_owned());
        let code = code.ok_or_else(|| LabError::said("a redirect", &"it has no code"))?;
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", CALLBACK),
                ("code_verifier", VERIFIER),
            ])
            .finish();
        self.tokens(issuer, &form).await
    }

    async fn tokens(&mut self, issuer: &Issuer, form: &str) -> Result<(), LabError> {
        let answer = self.application.post("/token", &issuer.basic, form).await?.expect("tokens", 200)?;
        let tokens: Value =
            serde_json::from_slice(&answer.body).map_err(|why| LabError::said("tokens", &why))?;
        let text = |name: &str| tokens[name].as_str().map(str::to_owned);
        let (Some(access), Some(_)) = (text("access_token"), text("id_token")) else {
            return Err(LabError::said("tokens", &"there are none"));
        };
        self.access = access;
        if let Some(refresh) = text("refresh_token") {
            self.refresh = refresh;
        }
        Ok(())
    }

    async fn perform(&mut self, issuer: &Issuer, what: Operation, session: &Cookies) -> Result<(), LabError> {
        match what {
            Operation::CodeFlow => {
                let request = issuer.request(SCOPES, &[]);
                let answer = self.browser.get(&request, &session.header()).await?.expect("a code", 303)?;
                self.redeem(issuer, &answer.location).await
            }
            Operation::Refresh => {
                let form = form_urlencoded::Serializer::new(String::new())
                    .extend_pairs([("grant_type", "refresh_token"), ("refresh_token", &self.refresh)])
                    .finish();
                let before = self.refresh.clone();
                self.tokens(issuer, &form).await?;
                if before == self.refresh {
                    return Err(LabError::said("a refresh", &"the refresh token is the same"));
                }
                Ok(())
            }
            Operation::UserInfo => {
                let header = format!("Authorization: Bearer {}\r\n", self.access);
                let answer = self.application.get(issuer.userinfo, &header).await?.expect("userinfo", 200)?;
                let is_whole = answer.body.windows(20).any(|some| some == b"\"preferred_username\"");
                if is_whole { Ok(()) } else { Err(LabError::said("userinfo", &"claims are missing")) }
            }
        }
    }
}

/// What a load came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Operations a second.
    pub(super) rate: f64,
    /// CPU of the server and of this program for one operation, in µs.
    pub(super) server: f64,
    pub(super) client: f64,
}

/// An issuer, with workers, and with sessions that browsers use in turns.
pub(super) struct Side {
    pub(super) issuer: Arc<Issuer>,
    sessions: Arc<Vec<Cookies>>,
    next: Arc<AtomicUsize>,
    workers: Vec<Worker>,
}

impl Side {
    pub(super) fn new(issuer: Issuer, sessions: Vec<Cookies>) -> Self {
        let (issuer, sessions) = (Arc::new(issuer), Arc::new(sessions));
        Self { issuer, sessions, next: Arc::default(), workers: Vec::new() }
    }

    /// Makes some workers, with new connections: servers close those that nobody uses for some seconds. Each gets tokens in a
    /// session that is there.
    pub(super) async fn begin(&mut self, workers: usize) -> Result<(), LabError> {
        self.connect(workers).await?;
        for worker in &mut self.workers {
            let session = session(&self.sessions, &self.next);
            worker.begin(&self.issuer, Start::Session(session)).await?;
        }
        Ok(())
    }

    /// The same in new sessions, as many as are wanted, at an issuer that lets every name in.
    pub(super) async fn begin_anew(&mut self, workers: usize, sessions: usize) -> Result<(), LabError> {
        self.connect(workers).await?;
        let mut all = Vec::new();
        for nth in 0..sessions.max(workers) {
            if let Some(worker) = self.workers.get_mut(nth % workers) {
                all.push(worker.begin(&self.issuer, Start::Name(&format!("person{nth:06}"))).await?);
            }
        }
        self.sessions = Arc::new(all);
        Ok(())
    }

    async fn connect(&mut self, workers: usize) -> Result<(), LabError> {
        self.workers.clear();
        for _ in 0..workers {
            self.workers.push(Worker::new(&self.issuer).await?);
        }
        Ok(())
    }

    /// Each worker begins the next operation as soon as the one before has ended.
    pub(super) async fn at_full_load(&mut self, what: Operation, time: Duration) -> Result<Run, LabError> {
        let cpu = || [self.issuer.process, std::process::id()].map(proc::cpu);
        let (before, began) = (cpu(), Instant::now());
        let task = |mut worker: Worker| {
            let (issuer, sessions, next) = (self.issuer.clone(), self.sessions.clone(), self.next.clone());
            tokio::spawn(async move {
                let mut count = 0_u32;
                while began.elapsed() < time {
                    worker.perform(&issuer, what, session(&sessions, &next)).await?;
                    count += 1;
                }
                Ok::<_, LabError>((worker, count))
            })
        };
        let tasks: Vec<_> = self.workers.drain(..).map(task).collect();
        let mut count = 0;
        for task in tasks {
            let (worker, own) = task.await.map_err(|why| LabError::said("a worker", &why))??;
            self.workers.push(worker);
            count += own;
        }
        let (seconds, after) = (began.elapsed().as_secs_f64(), cpu());
        let each = |side: usize| (after[side] - before[side]) * 1e6 / f64::from(count);
        Ok(Run { rate: f64::from(count) / seconds, server: each(0), client: each(1) })
    }
}

/// The next session. A large step lets neighbours in the list be used far apart.
fn session<'a>(sessions: &'a [Cookies], next: &AtomicUsize) -> &'a Cookies {
    const STEP: usize = 7_919;
    let nth = next.fetch_add(1, Ordering::Relaxed).wrapping_mul(STEP);
    &sessions[nth % sessions.len()]
}
