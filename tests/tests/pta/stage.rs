//! What the tests stand on: a domain, its directory in a tenant, and agents.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use landbridge_tests::lab::{
    Answer, Application, Domain, Person, Phs, PhsSettings, Population, PtaAgent, PtaSettings, RunningTenant,
    TenantSettings, Try, person,
};

/// From an application to the DC.
pub(crate) struct Stage {
    pub(crate) app: Application,
    pub(crate) agents: Vec<PtaAgent>,
    pub(crate) phs: Phs,
    pub(crate) tenant: RunningTenant,
    pub(crate) domain: Domain,
}

impl Stage {
    /// A domain with so many users in a tenant, sign-in by so many agents.
    pub(crate) fn new(users: u32, agents: usize) -> Self {
        Self::prepared(users, agents, "pta", |_| {})
    }

    /// The same, with something done to the domain before its directory is read.
    pub(crate) fn prepared(users: u32, agents: usize, policy: &str, prepare: impl FnOnce(&Domain)) -> Self {
        let domain = Domain::start(Population::of(users)).unwrap();
        prepare(&domain);
        let settings = PhsSettings::for_domain(&domain, "entra");
        Self::on(domain, &settings, agents, policy)
    }

    /// A domain of 50 users with one agent, whose phs includes this privileged account.
    pub(crate) fn including(who: &Person, prepare: impl FnOnce(&Domain)) -> Self {
        let domain = Domain::start(Population::of(50)).unwrap();
        prepare(&domain);
        let include = vec![domain.identity(&who.sam).unwrap().sid];
        let settings = PhsSettings { include, ..PhsSettings::for_domain(&domain, "entra") };
        Self::on(domain, &settings, 1, "pta")
    }

    fn on(domain: Domain, phs: &PhsSettings, agents: usize, policy: &str) -> Self {
        let tenant = RunningTenant::start_for(&domain, &TenantSettings::default()).unwrap();
        let phs = Phs::install(phs).unwrap();
        phs.join(&tenant).unwrap();
        phs.once(&[]).unwrap().expect_code(0);
        tenant.set_policy(policy).unwrap().expect_code(0);
        // Tests sign in faster than people do.
        let defence = "failed_binds_per_minute = 100000".to_owned();
        let settings = PtaSettings { defence, ..PtaSettings::for_domain(&domain) };
        let agents: Vec<PtaAgent> =
            (0..agents).map(|_| PtaAgent::start(&settings, &tenant).unwrap()).collect();
        let stage = Self { app: Application::of(&tenant, "road-two").unwrap(), agents, phs, tenant, domain };
        stage.wait_for_all();
        stage
    }

    /// Every agent has its two connections.
    #[track_caller]
    pub(crate) fn wait_for_all(&self) {
        let wanted = 2 * u64::try_from(self.agents.len()).unwrap();
        self.tenant.wait_for_connections(wanted, 30).unwrap();
    }

    /// Signs people in until every agent has read the lockout policy of the domain with a good bind.
    #[track_caller]
    pub(crate) fn teach_policy(&self, people: std::ops::Range<u32>) {
        let knows = |agent: &PtaAgent| {
            let status = agent.status();
            status.is_some_and(|status| status.lockout.is_some())
        };
        let until = Instant::now() + Duration::from_secs(30);
        for n in people.cycle() {
            if self.agents.iter().all(knows) {
                return;
            }
            assert!(Instant::now() < until, "an agent does not read the lockout policy");
            let who = person(n);
            assert!(self.sign_in(&who, &who.password).accepted());
        }
    }

    /// One sign-in.
    #[track_caller]
    pub(crate) fn sign_in(&self, who: &Person, password: &str) -> Answer {
        self.app.sign_in(&Try::from(who.index, &who.upn, password)).unwrap()
    }

    /// Whether the audit log names this as how the last sign-in ended; it is written a moment later.
    pub(crate) fn said_why(&self, wanted: &str) -> bool {
        let until = Instant::now() + Duration::from_secs(5);
        while !self.why().starts_with(wanted) {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// The reason of the last refusal, from the audit log: what the operator sees.
    pub(crate) fn why(&self) -> String {
        let ask = "SELECT detail FROM audit WHERE action LIKE 'signin-%' ORDER BY rowid DESC LIMIT 1";
        self.tenant
            .open_database()
            .unwrap()
            .query_row(ask, [], |row| row.get::<_, String>(0))
            .unwrap_or_default()
    }

    /// What the tenant knows of its sign-ins, for the message of a failed test: the audit log's last entries about this
    /// person, and why sign-ins had no answer, of which the audit log says nothing.
    pub(crate) fn recorded(&self, who: &Person) -> String {
        let object = self.domain.identity(&who.sam).unwrap().guid.to_string();
        let database = self.tenant.open_database().unwrap();
        let ask = "SELECT at, action, detail FROM audit WHERE subject = ?1 ORDER BY rowid DESC LIMIT 5";
        let mut rows = database.prepare(ask).unwrap();
        let entry = |row: &rusqlite::Row<'_>| {
            Ok(format!(
                "{} {}: {}",
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?
            ))
        };
        let entries: Vec<String> = rows.query_map([object], entry).unwrap().map(Result::unwrap).collect();
        let names = ["signins", "signins_not_asked", "agent_verdicts", "agent_events"];
        let counted = self.tenant.metrics_of(&names.map(|name| format!("landbridge_{name}_total"))).unwrap();
        format!("audit log of {}, newest first: {entries:#?}, counted: {counted:#?}", who.sam)
    }

    /// How often each reason stands in the audit log.
    pub(crate) fn reasons(&self) -> BTreeMap<String, usize> {
        let database = self.tenant.open_database().unwrap();
        let mut details = database.prepare("SELECT detail FROM audit WHERE action LIKE 'signin-%'").unwrap();
        let mut reasons = BTreeMap::new();
        for detail in details.query_map([], |row| row.get::<_, String>(0)).unwrap() {
            let reason = detail.unwrap().split(',').next().unwrap().to_owned();
            *reasons.entry(reason).or_default() += 1;
        }
        reasons
    }
}
