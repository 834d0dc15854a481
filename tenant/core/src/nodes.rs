//! This process as one of the nodes of the tenant: which one it is, what other nodes have changed, and whether it is fit to
//! serve.
//!
//! What a process keeps in memory of the database is read again when the number of the last change has risen. Another node's
//! change is noticed by a notice of the database, and without one within a second. Every decision reads the database itself;
//! this is for what no request comes by: open connections of a revoked agent, keys that sign, the list of nodes.
//! Neighbours: `tables::nodes` and `tables::changes` in the store; the program starts [`Nodes::watch`].

mod entry;

pub use entry::{NotANode, can_be_first, enter};

use crate::administration::Administration;
use crate::agents::Parts;
use crate::clock::unix_now;
use crate::issuer::Issuer;
use crate::lock::lock;
use landbridge_tenant_rules::model::SigninPolicy;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::{agents, domains, group_policies, nodes};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use uuid::Uuid;

/// The longest time between two looks at the database for changes of other nodes.
const LOOK: Duration = Duration::from_secs(1);
/// The least time between two looks: each page of an upload has a notice.
const PAUSE: Duration = Duration::from_millis(200);
/// Limit on the agents whose connections are ended because they are revoked or in quarantine: the last ones.
const REFUSED: u32 = 10_000;
/// Time between two notes that this node serves.
const NOTE: Duration = Duration::from_secs(30);

/// The handle on the nodes.
#[derive(Clone)]
pub struct Nodes(Arc<Inner>);

struct Inner {
    parts: Arc<Parts>,
    administration: Administration,
    issuer: Issuer,
    draining: AtomicBool,
    /// What the last look has found.
    found: Mutex<Found>,
}

/// What a look at the database finds.
#[derive(Debug, Clone, Default)]
struct Found {
    /// Why the database cannot be used; none: it can.
    trouble: Option<String>,
    /// This node was removed.
    removed: bool,
}

/// What one thread keeps between two looks.
#[derive(Default)]
struct Seen {
    /// The number of the last change that was applied.
    change: i64,
    noted: Option<Instant>,
    /// The agents that may not connect.
    refused: HashSet<Uuid>,
}

/// Whether this node is fit to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Why it is not; empty: it is.
    pub unfit: Vec<String>,
    /// The domains that agents decide for, and none is connected here: their sign-ins have no answer by this node.
    pub without_agent: Vec<String>,
}

impl std::fmt::Debug for Nodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nodes").finish_non_exhaustive()
    }
}

impl Nodes {
    pub(crate) fn new(parts: Arc<Parts>, administration: Administration, issuer: Issuer) -> Self {
        let (draining, found) = (AtomicBool::new(false), Mutex::default());
        Self(Arc::new(Inner { parts, administration, issuer, draining, found }))
    }

    /// From now on this node says that it is not ready, so that balancers send their connections elsewhere.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Whether this node may take new connections, as far as is known without asking anybody.
    pub fn is_ready(&self) -> bool {
        self.unfit().is_empty()
    }

    /// Whether this node may issue certificates, codes and tokens: its clock is right, and it was not removed.
    pub fn may_issue(&self) -> bool {
        !lock(&self.0.found).removed && self.0.parts.clock.is_right()
    }

    /// The clock of this node less that of the database, in milliseconds.
    pub fn clock(&self) -> i64 {
        self.0.parts.clock.milliseconds()
    }

    /// Whether this node is fit to serve. Blocks.
    pub fn readiness(&self) -> Readiness {
        let mut unfit = self.unfit();
        let without_agent = self.without_agent().unwrap_or_else(|error| {
            if unfit.is_empty() {
                unfit.push(error.to_string());
            }
            Vec::new()
        });
        Readiness { unfit, without_agent }
    }

    /// The names of the domains whose sign-ins agents decide, and of which none is connected here. Blocks.
    pub fn without_agent(&self) -> Result<Vec<String>, StoreError> {
        let asking = self.0.parts.store.read(|reading| {
            let mut asking = Vec::new();
            for domain in domains::all(reading)? {
                let of_groups = group_policies::of(reading, domain.id)?;
                let policies = of_groups.iter().map(|group| group.policy).chain([domain.signin]);
                if policies.into_iter().any(SigninPolicy::asks_agents) {
                    asking.push(domain);
                }
            }
            Ok(asking)
        })?;
        let lacks = asking.into_iter().filter(|domain| self.0.parts.relay.is_without_agent(domain.id));
        Ok(lacks.map(|domain| domain.dns_name).collect())
    }

    fn unfit(&self) -> Vec<String> {
        let found = lock(&self.0.found);
        let mut unfit = Vec::new();
        if self.0.draining.load(Ordering::Acquire) {
            unfit.push("it is stopping".to_owned());
        }
        if found.removed {
            unfit.push("this node was removed from the tenant".to_owned());
        }
        if !self.0.parts.clock.is_right() {
            unfit.push(format!("its clock differs from that of the database by {} ms", self.clock()));
        }
        unfit.extend(found.trouble.clone());
        unfit
    }

    /// Notices what other nodes change, until `stop` is set or this node was removed. Blocks.
    pub fn watch(&self, node: Uuid, software: &str, stop: &watch::Receiver<bool>) {
        let mut seen = Seen::default();
        while !*stop.borrow() && !lock(&self.0.found).removed {
            let began = Instant::now();
            let looked = self.look(node, software, &mut seen);
            let trouble = looked.err().map(|error| error.to_string());
            let before = std::mem::replace(&mut lock(&self.0.found).trouble, trouble.clone());
            match (before, trouble) {
                (None, Some(error)) => tracing::error!(error, "this node cannot serve"),
                (Some(_), None) => tracing::info!("this node serves again"),
                (None, None) | (Some(_), Some(_)) => {}
            }
            self.0.parts.store.wait_for_notice(LOOK);
            std::thread::sleep(PAUSE.saturating_sub(began.elapsed()));
        }
    }

    /// Looks at the database once.
    fn look(&self, node: Uuid, software: &str, seen: &mut Seen) -> Result<(), StoreError> {
        let (store, now) = (&self.0.parts.store, unix_now());
        // 1. This node alone has its lock, and its connection receives notices.
        store.hold(node)?;
        // 2. The clock.
        let (clock, was_right) = (&self.0.parts.clock, self.0.parts.clock.is_right());
        clock.set(store.clock_difference()?);
        let milliseconds = clock.milliseconds();
        match (was_right, clock.is_right()) {
            (true, false) => tracing::error!(
                milliseconds,
                "the clock of this node differs from that of the database: it issues nothing until that is mended"
            ),
            (false, true) => tracing::info!(milliseconds, "the clock of this node is right again"),
            (true, true) | (false, false) => {}
        }
        // 3. What has changed.
        let change = store.read_last_change()?;
        if change != seen.change {
            self.apply(node, seen)?;
            seen.change = change;
        }
        // 4. Others see that this node serves.
        if seen.noted.is_none_or(|noted| noted.elapsed() >= NOTE) {
            store.write_short("node-seen", |writing| nodes::note_seen(writing, node, software, now))?;
            seen.noted = Some(Instant::now());
            // 5. The upgrade of the tables ends when the last node of an older version is gone.
            if let Err(error) = store.finish_upgrade() {
                tracing::warn!(%error, "the upgrade of the tables has not ended; it is tried again");
            }
        }
        Ok(())
    }

    /// Reads again what this process keeps in memory.
    fn apply(&self, node: Uuid, seen: &mut Seen) -> Result<(), StoreError> {
        let parts = &self.0.parts;
        // 1. The nodes.
        let (is_one, urls) =
            parts.store.read(|reading| Ok((nodes::find(reading, node)?.is_some(), nodes::urls(reading)?)))?;
        if !is_one {
            lock(&self.0.found).removed = true;
            tracing::error!("this node was removed from the tenant: it stops");
            return Ok(());
        }
        parts.relay.set_nodes(urls);
        // 2. Agents that may not connect any more, and those that may again.
        let refused = parts.store.read(|reading| agents::refused(reading, REFUSED))?;
        let refused: HashSet<Uuid> = refused.into_iter().collect();
        for agent in refused.difference(&seen.refused) {
            parts.relay.cut(*agent);
            parts.open.cut(*agent);
        }
        for agent in seen.refused.difference(&refused) {
            parts.relay.trust_again(*agent);
        }
        seen.refused = refused;
        // 3. Accounts that agents are tried with.
        self.0.administration.set_canaries()?;
        // 4. Keys that sign.
        if let Err(error) = self.0.issuer.read() {
            tracing::error!(%error, "the keys that sign tokens cannot be read");
        }
        Ok(())
    }
}
