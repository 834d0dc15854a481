//! What the tests stand on: shared domains, a tenant and a phs of a test's own, and everybody's sign-ins.

use landbridge_tests::lab::program::{Finished, wait_until};
use landbridge_tests::lab::{
    Answer, Application, Domain, Person, Phs, PhsSettings, Population, RunningTenant, TenantSettings, Try,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Sign-ins at once: refusals wait for the tenant's time grid, so most of them sleep; strong digests keep
/// its cores busy instead.
fn at_once(profile: &str) -> usize {
    if profile == "strong" { 4 } else { 64 }
}

/// A domain that no test changes, with so many users; started by the first test that asks.
pub(crate) fn shared_domain(users: u32) -> Arc<Domain> {
    static SHARED: Mutex<BTreeMap<u32, Arc<Domain>>> = Mutex::new(BTreeMap::new());
    let mut shared = SHARED.lock().unwrap();
    shared.entry(users).or_insert_with(|| Arc::new(Domain::start(Population::of(users)).unwrap())).clone()
}

/// A domain of the test's own.
pub(crate) fn own_domain(users: u32) -> Arc<Domain> {
    Arc::new(Domain::start(Population::of(users)).unwrap())
}

/// From the DC to an application.
pub(crate) struct Road {
    pub(crate) app: Application,
    pub(crate) phs: Phs,
    pub(crate) tenant: RunningTenant,
    pub(crate) domain: Arc<Domain>,
    profile: &'static str,
}

impl Road {
    /// With this profile, and all else by default.
    pub(crate) fn new(domain: Arc<Domain>, profile: &'static str) -> Self {
        let settings = PhsSettings::for_domain(&domain, profile);
        Self::with(domain, &settings, &TenantSettings::default())
    }

    pub(crate) fn with(domain: Arc<Domain>, phs: &PhsSettings, tenant: &TenantSettings) -> Self {
        let profile = phs.profile;
        let tenant = RunningTenant::start_for(&domain, tenant).unwrap();
        let phs = Phs::install(phs).unwrap();
        phs.join(&tenant).unwrap();
        let app = Application::of(&tenant, "road").unwrap();
        Self { app, phs, tenant, domain, profile }
    }

    /// Of parts that the test made.
    pub(crate) fn of_parts(
        app: Application,
        phs: Phs,
        tenant: RunningTenant,
        domain: Arc<Domain>,
        profile: &'static str,
    ) -> Self {
        Self { app, phs, tenant, domain, profile }
    }

    /// `once --json`, which must succeed; its summary.
    #[track_caller]
    pub(crate) fn once(&self) -> serde_json::Value {
        self.phs.once(&[]).unwrap().expect_code(0).json()
    }

    /// `status --json` of the daemon, once it is as `is` wants it.
    #[track_caller]
    pub(crate) fn wait_for_status(&self, what: &str, is: impl Fn(&serde_json::Value) -> bool) -> Finished {
        let mut last = None;
        let seen = || {
            let said = self.phs.run(&["status", "--json"], None).unwrap();
            // 3: no daemon runs yet.
            let seen = said.code != Some(3) && is(&said.json());
            last = Some(said);
            seen
        };
        wait_until(what, 60, seen, String::new).unwrap();
        last.unwrap()
    }

    /// The tenant never received a digest that it held already.
    #[track_caller]
    pub(crate) fn assert_nothing_was_derived_twice(&self) {
        assert_eq!(self.tenant.metric("landbridge_digests_repeated_total").unwrap(), Some(0.0));
    }

    /// One sign-in, from an address that no other test uses for this name.
    #[track_caller]
    pub(crate) fn sign_in(&self, name: &str, password: &str) -> Answer {
        self.app.sign_in(&Try::from(0, name, password)).unwrap()
    }

    /// This password is accepted for this name.
    #[track_caller]
    pub(crate) fn assert_in(&self, name: &str, password: &str) {
        let answer = self.sign_in(name, password);
        assert!(answer.accepted(), "{name}: {answer:?}");
    }

    /// It is not, and nothing is said of why.
    #[track_caller]
    pub(crate) fn assert_out(&self, name: &str, password: &str) {
        let answer = self.sign_in(name, password);
        assert!(answer.refused(), "{name}: {answer:?}");
    }

    /// Everybody's own password is accepted.
    #[track_caller]
    pub(crate) fn assert_everybody_gets_in(&self) {
        let people: Vec<_> = self.domain.population().people().collect();
        let tries: Vec<_> = people.iter().map(|p| Try::from(p.index, &p.upn, &p.password)).collect();
        let answers = self.app.sign_all_in(&tries, at_once(self.profile)).unwrap();
        let out: Vec<_> = people.iter().zip(&answers).filter(|(_, answer)| !answer.accepted()).collect();
        assert!(out.is_empty(), "{} of {} refused, first {:?}", out.len(), people.len(), out.first());
    }

    /// Nobody gets in with another password than their own, and nothing is said of why.
    #[track_caller]
    pub(crate) fn assert_nobody_else_gets_in(&self) {
        let people: Vec<_> = self.domain.population().people().collect();
        let tries: Vec<_> = people.iter().map(|p| Try::from(p.index, &p.upn, &p.wrong_password())).collect();
        let answers = self.app.sign_all_in(&tries, at_once(self.profile)).unwrap();
        let inside: Vec<_> = people.iter().zip(&answers).filter(|(_, answer)| !answer.refused()).collect();
        assert!(
            inside.is_empty(),
            "{} of {} not refused, first {:?}",
            inside.len(),
            people.len(),
            inside.first()
        );
    }
}

/// All files under a folder with their content; what is not there has none.
pub(crate) fn files_of(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_of(&path));
        } else if path.is_file() {
            files.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    files
}

/// The person signs in by digest.
#[track_caller]
pub(crate) fn inside(road: &Road, who: &Person) {
    road.assert_in(&who.upn, &who.password);
}

/// The person does not sign in, and the tenant holds no digest.
#[track_caller]
pub(crate) fn outside(road: &Road, who: &Person) {
    road.assert_out(&who.upn, &who.password);
    let object = road.domain.identity(&who.sam).unwrap().guid;
    assert!(!road.tenant.holds_digest(object).unwrap(), "{}: a digest is left", who.sam);
}
