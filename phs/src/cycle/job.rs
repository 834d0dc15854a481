//! One cycle with its connections: identity and certificate, the tenant, the DC.
//! Before it: `command::once` for one cycle, `daemon` for one after the other. After it: [`super`].

use crate::config::Config;
use crate::cycle::send::{Sender, UploadApi};
use crate::cycle::{Counts, Cycle, Order, warnings};
use crate::error::PhsError;
use crate::mirror::Mirror;
use crate::progress::Witness;
use crate::read::discover::controllers;
use crate::read::distrust::{self, Distrusted};
use crate::read::pull::{Error, PullError};
use crate::read::session::{Session, another_may_serve, invocation_id};
use crate::stop::Stop;
use landbridge_agent::{Identity, NodeChoice, NodeClient, ProcessKey, enroll, renew};
use landbridge_drsr::drs::sid::Sid;
use std::sync::Arc;
use tokio::runtime::Handle;
use tracing::{error, warn};
use uuid::Uuid;

/// Limit on passwords that one cycle derives again. A changed password waits for the end of the cycle, so this is the
/// work of some minutes: a core derives about 23 `strong` digests in a second.
const AGAIN_AT_MOST: u64 = 5_000;
/// Fact in the mirror: the ids of extension attributes that were last read from the forest's schema.
const SCHEMA_IDS: &str = "schema ids";

/// A cycle to run.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The state; in a dry run a temporary copy.
    pub mirror: &'a Mirror,
    /// Runs the sockets to the tenant.
    pub runtime: &'a Handle,
    /// Ends the cycle between pages.
    pub stop: &'a Stop,
    /// Receives the progress.
    pub witness: &'a dyn Witness,
    /// The key of this process.
    pub process: &'a Arc<ProcessKey>,
    /// The tenant's nodes, and the one in use.
    pub nodes: &'a Arc<NodeChoice>,
    /// Compare everything.
    pub full: bool,
    /// Send nothing, and have the DC withhold all passwords.
    pub dry_run: bool,
    /// How many accounts may leave the scope, as an administrator has confirmed.
    pub confirmed: Option<u64>,
    /// Seconds since 1970.
    pub now: i64,
}

/// Connections that are kept from one cycle to the next.
#[derive(Default)]
pub struct Kept {
    session: Option<Session>,
    /// The DC of the last session, if it stopped answering or failed. The next session tries it last.
    left: Option<String>,
    /// The way to the tenant, and the certificate that it shows.
    sender: Option<(Sender, Vec<u8>)>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Kept {
    /// This DC stopped answering. If it is the one that is read, the next session tries the others first.
    pub fn leave(&mut self, controller: &str) {
        if self.session.as_ref().is_some_and(|session| session.controller().name == controller) {
            (self.session, self.left) = (None, Some(controller.to_owned()));
        }
    }
}

/// A complete cycle: the tenant has acknowledged all of it.
#[derive(Debug)]
pub struct Done {
    /// What was done.
    pub counts: Counts,
    /// The DC that was read.
    pub controller: String,
    /// DCs that are no longer trusted.
    pub distrusted: Vec<String>,
    /// When the certificate ends: seconds since 1970.
    pub certificate_ends: i64,
}

impl std::fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("full", &self.full)
            .field("dry_run", &self.dry_run)
            .finish_non_exhaustive()
    }
}

/// The identity, if it is for the configured domain.
pub fn identity(config: &Config) -> Result<Identity, PhsError> {
    let identity = Identity::load(&config.state_directory)?;
    if identity.domain.eq_ignore_ascii_case(&config.directory.domain) {
        return Ok(identity);
    }
    let (enrolled, configured) = (identity.domain, config.directory.domain.clone());
    Err(PhsError::OtherDomain { enrolled, configured })
}

/// The SID of the identity's domain.
pub fn domain(identity: &Identity) -> Result<Sid, PhsError> {
    identity.domain_sid.parse().map_err(|_| PhsError::Defect("the identity's domain SID is none"))
}

/// What enrolment and renewal need.
pub fn means(config: &Config) -> Result<enroll::Means, PhsError> {
    Ok(enroll::Means { proxy: config.tenant.open()?, second: None })
}

impl Job<'_> {
    /// Runs the cycle. After an error no connection is kept. If the DC was turned back to an earlier state, another
    /// DC is read and everything is compared; without another DC the rollback is the error.
    pub fn run(&self, kept: &mut Kept) -> Result<Done, PhsError> {
        let mut used = std::mem::take(kept);
        let done = match self.over(&mut used, self.full) {
            Err(PhsError::Pull(PullError::Directory {
                controller,
                error: error @ Error::Rollback { .. },
            })) => {
                let Some(session) = used.session.take() else {
                    return Err(PhsError::Defect("a rollback without a session"));
                };
                let invocation_id = session.invocation_id();
                distrust::add(self.mirror, Distrusted { invocation_id, controller: controller.clone() })?;
                error!(controller, %error, "this domain controller is no longer trusted: comparing everything through another");
                used = Kept::default();
                match self.over(&mut used, true) {
                    Err(PhsError::Pull(PullError::Distrusted { .. })) => {
                        return Err(PullError::Directory { controller, error }.into());
                    }
                    other => other?,
                }
            }
            Err(PhsError::Pull(error)) => {
                let session = used.session.filter(|_| another_may_serve(&error));
                kept.left = session.map(|session| session.controller().name.clone());
                return Err(error.into());
            }
            other => other?,
        };
        *kept = used;
        Ok(done)
    }

    /// A DC that is not believed is looked at again when connections are made: it may have been restored since.
    fn open(&self, domain: &Sid, last: Option<&str>) -> Result<Session, PhsError> {
        let config = &self.config.directory;
        let distrusted = distrust::all(self.mirror)?;
        let known = self.mirror.controllers()?;
        let ids = self.mirror.fact(SCHEMA_IDS)?.unwrap_or_default();
        let scope = &self.config.scope;
        let session = Session::open(config, scope, domain, &distrusted, &known, last, &ids)?;
        let in_schema = session.in_schema();
        let read = in_schema.to_text();
        if in_schema.unread.is_none() && read != ids {
            self.mirror.set_fact(SCHEMA_IDS, &read)?;
        }
        let serves = &session.controller().name;
        distrust::lift(self.mirror, serves, session.invocation_id())?;
        for one in distrusted.iter().filter(|one| one.controller != *serves) {
            let known =
                controllers(config)?.controllers.into_iter().find(|known| known.name == one.controller);
            if let Some(found) = known.and_then(|known| invocation_id(config, &known, domain).ok()) {
                distrust::lift(self.mirror, &one.controller, found)?;
            }
        }
        Ok(session)
    }

    fn over(&self, kept: &mut Kept, full: bool) -> Result<Done, PhsError> {
        let Self { config, runtime, .. } = *self;
        let mut identity = identity(config)?;
        let domain = domain(&identity)?;
        self.nodes.follow(&identity);
        let sends = !self.dry_run && !config.staging;
        // The certificate is renewed also while staging, where nothing is sent yet.
        if !self.dry_run {
            let means = means(config)?;
            let (state_directory, nodes) = (&config.state_directory, self.nodes.all());
            let renewing =
                renew::renew_if_due(state_directory, identity, &nodes, &means, self.process, self.now);
            let renewed = runtime.block_on(renewing)?;
            self.nodes.learn(renewed.nodes.iter().map(String::as_str));
            identity = renewed.identity;
            let other = |shown: &Vec<u8>| shown[..] != *identity.certificate;
            if sends && kept.sender.as_ref().is_none_or(|(_, shown)| other(shown)) {
                let client = NodeClient::new(self.nodes, &identity, means.proxy)?;
                let client = client.proving(self.process.clone(), identity.agent);
                let sender = Sender::new(client, runtime.clone(), self.stop.clone());
                kept.sender = Some((sender, identity.certificate.to_vec()));
            }
        }
        if kept.session.is_none() {
            for term in config.scope.own_terms() {
                let attribute = term.attribute.name();
                warn!(%term, "people write {attribute} in their own account: they leave or enter the scope as they like");
            }
            for why in warnings::stars(&config.scope) {
                warn!("{why}");
            }
        }
        let session = match kept.session.take().filter(Session::is_good) {
            Some(session) => session,
            None => {
                let last = kept.left.take();
                let session = self.open(&domain, last.as_deref())?;
                let in_schema = session.in_schema().attributes.iter();
                for one in in_schema.filter(|one| one.own && one.is_configured) {
                    let attribute = one.further.attribute().name();
                    warn!(
                        attribute,
                        "by the forest's schema people write this attribute in their own account: they leave or enter the scope as they like"
                    );
                }
                session
            }
        };
        let session = kept.session.insert(session);
        let controller = session.controller().name.clone();
        let in_schema = session.in_schema().attributes.iter().map(|one| format!(" {}", one.further));
        let photos = config.directory.photos.then(|| " photos".to_owned());
        let order = Order {
            full,
            domain,
            include: config.privileged.include.clone(),
            also: config.privileged.also.clone(),
            account: config.directory.account.clone(),
            scope: config.scope.clone(),
            alternate_login: config.directory.alternate_login,
            requested: in_schema.chain(photos).collect(),
            guard: config.removals,
            confirmed: self.confirmed,
            profile: config.passwords.profile,
            again_at_most: AGAIN_AT_MOST,
            instance: self.process.name(),
            cycle: Uuid::new_v4(),
            now: self.now,
        };
        let pages = session.pages();
        let cycle = Cycle {
            order: &order,
            mirror: self.mirror,
            singles: session,
            source: &mut |start, what| pages.from(start, what),
            tenant: kept.sender.as_mut().filter(|_| sends).map(|(sender, _)| sender as &mut dyn UploadApi),
            witness: self.witness,
            stop: self.stop,
        };
        let counts = cycle.run()?;
        if counts.nobody && counts.read > 0 {
            let why = counts.warnings.first().map_or("", String::as_str);
            warn!(why, "the tenant has no account of a person");
        }
        let distrusted = distrust::all(self.mirror)?.into_iter().map(|one| one.controller).collect();
        Ok(Done { counts, controller, distrusted, certificate_ends: identity.not_after })
    }
}
