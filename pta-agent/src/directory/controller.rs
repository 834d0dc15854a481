//! One domain controller: kept connections, one bind at a time on each, and its health.

use super::account::{self, OwnEntry, Sid};
use super::config::ControllerConfig;
use super::failed_binds::LockoutPolicy;
use super::requested::RequestedAccount;
use super::verdict::{BindAnswer, NoVerdict, bind_answer};
use landbridge_agent::connect;
use landbridge_crypto::secret::Password;
use landbridge_host::system_error;
use landbridge_host::tls_error::{self, Explained, Server};
use landbridge_wire::signin::Decline;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, StdStream};
use rustls::ClientConfig;
use serde::Serialize;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Limit on TCP with one address.
const CONNECT: Duration = Duration::from_secs(2);
/// Limit on TLS with one address.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// Limit on the answer to a bind. Samba and Windows answer within milliseconds.
const BIND: Duration = Duration::from_secs(4);
/// Limit on reading the rootDSE, which is cheap for a domain controller.
const LOOK: Duration = Duration::from_secs(1);
/// Time for which a domain controller is not used after its first failure. It grows with each further failure.
const ASIDE: Duration = Duration::from_millis(500);
/// Limit on that time.
const ASIDE_LONGEST: Duration = Duration::from_secs(30);

/// A connection that was idle for longer is checked before a password is sent over it.
const STALE: Duration = Duration::from_secs(20);

/// Limit on waiting for the reason why a connection has ended. Its task, which has the reason, ends at the same time.
const WHY: Duration = Duration::from_millis(200);

/// The start of the message for an error at an address that accepted the connection.
const NO_TLS: &str = "no LDAP over TLS";

/// A domain controller, shared by all binds.
pub(super) type Shared = Arc<Controller>;

/// The health of a domain controller.
#[derive(Debug, Clone, Serialize)]
pub struct ControllerHealth {
    /// Its name.
    pub name: String,
    /// The address at which it was last reached.
    pub address: Option<String>,
    /// Whether it can be used, as far as is known.
    pub healthy: bool,
    /// The reason why it cannot be used. None: it can, or was not used yet.
    pub why: Option<String>,
    /// Connections that are kept and idle.
    pub idle: usize,
}

#[derive(Debug)]
pub(super) struct Controller {
    config: ControllerConfig,
    tls: Arc<ClientConfig>,
    /// Limits connections.
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Kept>,
    failures: u32,
    aside_until: Option<Instant>,
    why: Option<String>,
    address: Option<String>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("idle", &self.idle.len())
            .field("why", &self.why)
            .finish_non_exhaustive()
    }
}

struct Kept {
    session: Session,
    used: Instant,
}

/// An LDAP session, and in words why its connection has ended, once it has.
#[derive(Debug)]
struct Session {
    ldap: Ldap,
    ended: watch::Receiver<Option<String>>,
}

/// Why a domain controller cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// Its name has no address.
    #[error("{0}")]
    Name(String),
    /// No address of it can be used.
    #[error("{}", connect::summary(.0, |explained| explained.why.clone()))]
    Addresses(Vec<(SocketAddr, Explained)>),
    /// The agent is stopping.
    #[error("the agent stops")]
    Stopping,
}

impl Unusable {
    /// The remedy.
    pub(super) fn todo(&self) -> String {
        match self {
            Self::Name(_) => "correct its name, or this machine's DNS, or configure its address".to_owned(),
            // The error of an address that was reached explains more than those of the others, which are all alike.
            Self::Addresses(all) => {
                let reached = all.iter().find(|(_, explained)| explained.why.starts_with(NO_TLS));
                reached.or(all.first()).map(|(_, explained)| explained.todo.clone()).unwrap_or_default()
            }
            Self::Stopping => "nothing".to_owned(),
        }
    }
}

/// A connection for one bind, and for the reads after it.
pub(super) struct Connection {
    controller: Arc<Controller>,
    session: Session,
    _permit: OwnedSemaphorePermit,
}

impl Controller {
    pub(super) fn new(config: ControllerConfig, connections: u16, mut tls: Arc<ClientConfig>) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(usize::from(connections)));
        // AD allows an underscore in a name. GnuTLS, which Samba serves LDAPS by, closes a connection whose SNI has
        // one.
        if config.name.contains('_') {
            Arc::make_mut(&mut tls).enable_sni = false;
        }
        Arc::new(Self { config, tls, permits, state: Mutex::new(State::default()) })
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    pub(super) fn config(&self) -> &ControllerConfig {
        &self.config
    }

    /// Whether it failed recently and must not be used yet.
    pub(super) fn is_aside(&self, now: Instant) -> bool {
        self.state().aside_until.is_some_and(|until| now < until)
    }

    pub(super) fn health(&self) -> ControllerHealth {
        let state = self.state();
        ControllerHealth {
            name: self.config.name.clone(),
            address: state.address.clone(),
            healthy: state.why.is_none() && state.address.is_some(),
            why: state.why.clone(),
            idle: state.idle.len(),
        }
    }

    /// A connection for one caller until it is dropped: a kept one that still works, or a new one.
    pub(super) async fn connection(self: &Arc<Self>) -> Result<Connection, Unusable> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Unusable::Stopping)?;
        loop {
            let Some(kept) = self.state().idle.pop() else { break };
            if let Some(session) = alive(kept).await {
                return Ok(Connection { controller: self.clone(), session, _permit: permit });
            }
        }
        match self.connect().await {
            Ok(session) => {
                let mut state = self.state();
                (state.failures, state.aside_until, state.why) = (0, None, None);
                drop(state);
                Ok(Connection { controller: self.clone(), session, _permit: permit })
            }
            Err(why) => {
                self.failed(&format!("{why}. To do: {}", why.todo()));
                Err(why)
            }
        }
    }

    /// A session at the first address of the domain controller with which TCP and TLS succeed.
    async fn connect(&self) -> Result<Session, Unusable> {
        let ControllerConfig { name, address, port } = &self.config;
        let addresses = match address {
            Some(address) => vec![(*address, *port).into()],
            None => {
                let found = connect::addresses(name, *port).await;
                found.map_err(|why| Unusable::Name(why.to_string()))?
            }
        };
        // The certificate is compared with the name, whichever address is reached.
        let (tls, url) = (self.tls.clone(), format!("ldaps://{name}:{port}"));
        let attempt = |address| session(address, tls.clone(), url.clone());
        let (address, (driver, ldap)) =
            connect::first(name, addresses, attempt).await.map_err(Unusable::Addresses)?;
        let (says, ended) = watch::channel(None);
        tokio::spawn(async move {
            if let Err(why) = driver.drive().await {
                let why = lost(&why);
                tracing::debug!(why, "a connection to a domain controller ended");
                says.send_replace(Some(why));
            }
        });
        self.state().address = Some(address.to_string());
        Ok(Session { ldap, ended })
    }

    pub(super) fn failed(&self, why: &str) {
        let mut state = self.state();
        // Kept connections stay: each is checked before it is used.
        state.failures = state.failures.saturating_add(1);
        let aside = ASIDE.saturating_mul(1 << state.failures.min(8)).min(ASIDE_LONGEST);
        let chance = landbridge_agent::backoff::chance();
        state.aside_until = Some(Instant::now() + aside.mul_f64(0.5 + chance / 2.0));
        if state.why.as_deref() != Some(why) {
            tracing::warn!(controller = self.config.name, why, "a domain controller cannot be used");
        }
        state.why = Some(why.to_owned());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kept connection, if the domain controller still answers on it.
async fn alive(mut kept: Kept) -> Option<Session> {
    let ldap = &mut kept.session.ldap;
    if ldap.is_closed() {
        return None;
    }
    if kept.used.elapsed() > STALE {
        let asking = ldap.with_timeout(LOOK).search("", Scope::Base, "(objectClass=*)", vec!["1.1"]);
        let answered = tokio::time::timeout(LOOK, asking).await;
        if !matches!(answered, Ok(Ok(_))) {
            return None;
        }
    }
    Some(kept.session)
}

impl Session {
    /// The reason why there was no answer. The error of an operation may show only that the task of the connection has
    /// ended. The task has the cause.
    async fn lost(&mut self, error: &LdapError) -> String {
        let ended = self.ended.wait_for(Option::is_some);
        let known =
            tokio::time::timeout(WHY, ended).await.ok().and_then(Result::ok).and_then(|why| why.clone());
        known.unwrap_or_else(|| lost(error))
    }
}

impl Connection {
    /// The domain controller.
    pub(super) fn controller(&self) -> &Shared {
        &self.controller
    }

    /// Binds once, by one form of name: a second one after a refusal could be a second bad password. A connection
    /// without an answer is dropped and not used again; [`Self::keep`] gives back the other.
    pub(super) async fn bind(
        mut self,
        name: &str,
        password: &Password,
        by: Instant,
    ) -> Result<(BindAnswer, Self), NoVerdict> {
        let by = by.min(Instant::now() + BIND);
        // The copy is wiped right after the bind. The library keeps a copy of its own.
        let text = password.lend(|text| zeroize::Zeroizing::new(text.to_owned()));
        let answer = tokio::time::timeout_at(by.into(), self.session.ldap.simple_bind(name, &text)).await;
        drop(text);
        match answer {
            Err(_) => {
                self.controller.failed("a bind was not answered in time");
                Err(NoVerdict { why: Decline::TooLate, tried: true })
            }
            Ok(Err(why)) => {
                let why = self.session.lost(&why).await;
                self.controller.failed(&format!("a bind came to nothing: {why}"));
                Err(NoVerdict { why: Decline::NoDirectory, tried: true })
            }
            Ok(Ok(result)) => match bind_answer(result.rc, &result.text) {
                Ok(answer) => Ok((answer, self)),
                Err(why) => {
                    self.controller.failed(why);
                    Err(NoVerdict { why: Decline::NoDirectory, tried: true })
                }
            },
        }
    }

    /// Gives the connection back for the next bind.
    pub(super) fn keep(self) {
        let Self { controller, session, _permit } = self;
        controller.state().idle.push(Kept { session, used: Instant::now() });
    }

    /// The SIDs of the account that the connection is bound as, and of its groups. Empty: the domain controller does
    /// not show them. The error: it does not answer.
    pub(super) async fn bound_as(&mut self, by: Instant) -> Result<Vec<Sid>, NoVerdict> {
        let root = self.read("", &[account::BOUND_AS], by).await;
        let root = root.map_err(|why| self.unread("which account a connection is bound as", &why))?;
        Ok(root.as_ref().map(account::bound_as).unwrap_or_default())
    }

    /// The facts in the entry with the requested name, after a good bind as that account. None: the entry does not show
    /// them. The error: the domain controller does not answer.
    pub(super) async fn own_entry(
        &mut self,
        requested: &RequestedAccount,
        by: Instant,
    ) -> Result<Option<OwnEntry>, NoVerdict> {
        let entry = self.read(&requested.entry(), &account::OF_ACCOUNT, by).await;
        let entry = entry.map_err(|why| self.unread("an account's own entry", &why))?;
        Ok(entry.as_ref().and_then(OwnEntry::of))
    }

    /// Notes that something could not be read after a good bind.
    fn unread(&self, what: &str, why: &str) -> NoVerdict {
        self.controller.failed(&format!("{what} came to nothing: {why}"));
        NoVerdict { why: Decline::NoDirectory, tried: true }
    }

    /// The SIDs of the entries below this DN that the filter finds, at most as many as the domain controller returns in
    /// one answer. Empty: there are none, or it does not answer.
    pub(super) async fn sids_of(&mut self, head: &str, filter: &str, by: Instant) -> Vec<Sid> {
        let by = by.min(Instant::now() + BIND);
        let reading = self.session.ldap.search(head, Scope::Subtree, filter, vec!["objectSid"]);
        let Ok(Ok(found)) = tokio::time::timeout_at(by.into(), reading).await else { return Vec::new() };
        let Ok((entries, _)) = found.success() else { return Vec::new() };
        entries
            .into_iter()
            .map(SearchEntry::construct)
            .filter_map(|entry| account::object_sid(&entry))
            .collect()
    }

    /// The lockout policy in the entry of this DN: the domain's head or a password settings object. None: the entry
    /// does not show it.
    pub(super) async fn lockout_policy(
        &mut self,
        dn: &str,
        names: [&'static str; 2],
        by: Instant,
    ) -> Option<LockoutPolicy> {
        account::policy(&self.read(dn, &names, by).await.ok()??, names)
    }

    /// Reads one entry. None: the domain controller does not show it.
    async fn read(
        &mut self,
        base: &str,
        wanted: &[&str],
        by: Instant,
    ) -> Result<Option<SearchEntry>, String> {
        let by = by.min(Instant::now() + BIND);
        let reading = self.session.ldap.search(base, Scope::Base, "(objectClass=*)", wanted.to_vec());
        let found = tokio::time::timeout_at(by.into(), reading).await.map_err(|_| "no answer in time")?;
        let result = match found {
            Ok(found) => found.success(),
            Err(why) => return Err(self.session.lost(&why).await),
        };
        Ok(result.ok().and_then(|(mut entries, _)| entries.pop()).map(SearchEntry::construct))
    }

    /// The attributes of the rootDSE. None: the server shows none. The error: it does not answer, and why.
    pub(super) async fn root(&mut self, by: Instant) -> Result<Option<HashMap<String, Vec<String>>>, String> {
        let wanted = ["defaultNamingContext", "dnsHostName", "currentTime"];
        Ok(self.read("", &wanted, by).await?.map(|entry| entry.attrs))
    }
}

/// LDAP over TLS at one address.
async fn session(
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    url: String,
) -> Result<(LdapConnAsync, Ldap), Explained> {
    let reach = || "its port for LDAPS, 636, must be reachable from this machine".to_owned();
    let unreachable = |why: io::Error| Explained {
        why: format!("no connection: {}", system_error::words(&why)),
        todo: reach(),
    };
    let stream = connect::tcp(address, CONNECT).await.map_err(unreachable)?;
    let stream = stream.into_std().map_err(unreachable)?;
    let settings = LdapConnSettings::new().set_config(tls).set_std_stream(StdStream::Tcp(stream));
    let connecting = LdapConnAsync::with_settings(settings, &url);
    let silence = || LdapError::from(io::Error::from(io::ErrorKind::TimedOut));
    let connected = match tokio::time::timeout(HANDSHAKE, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(silence()),
    };
    connected.map_err(|error| {
        let Explained { why, todo } = in_words(&error);
        Explained { why: format!("{NO_TLS}: {why}"), todo }
    })
}

/// An error of the LDAP library in words.
fn in_words(error: &LdapError) -> Explained {
    if let LdapError::Io { source } = error {
        tls_error::of_connection(source, Server::DomainController)
    } else if let LdapError::Rustls { source } = error {
        tls_error::explain(source, Server::DomainController)
    } else {
        // All other errors of connecting are about the name.
        tls_error::explain(&rustls::Error::UnsupportedNameType, Server::DomainController)
    }
}

/// The reason why an open connection returned no answer, in words.
fn lost(error: &LdapError) -> String {
    if let LdapError::Io { source } = error {
        tls_error::of_session(source, Server::DomainController)
    } else if let LdapError::Rustls { source } = error {
        tls_error::explain(source, Server::DomainController).to_string()
    } else {
        // All other errors mean that the library's task has ended.
        "the connection was closed".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_ldap_library_reports_has_words_of_ours() {
        let tls = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        for (error, word) in [
            (LdapError::from(io::Error::from_raw_os_error(104)), "closed the connection"),
            (LdapError::from(io::Error::other(tls.clone())), "client certificate"),
            (LdapError::from(tls), "client certificate"),
            (LdapError::EndOfStream, "was closed"),
        ] {
            let text = lost(&error);
            assert!(text.contains(word) && !text.contains("os error"), "{text}");
        }
    }
}
