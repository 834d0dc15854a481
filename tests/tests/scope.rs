//! Who is carried and who is not, asked of a real domain: each sentence changes the directory, runs `once`, and asks
//! the tenant.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use landbridge_tests::lab::program::Finished;
use landbridge_tests::lab::{
    Application, Domain, Person, Phs, PhsSettings, Population, RunningTenant, TenantSettings, Try, person,
};
use serde_json::{Value, json};

struct Stage {
    domain: Domain,
    tenant: RunningTenant,
    phs: Phs,
    app: Application,
}

impl Stage {
    fn set() -> Self {
        let domain = Domain::start(Population::of(50)).unwrap();
        let tenant = RunningTenant::start_for(&domain, &TenantSettings::default()).unwrap();
        let phs = Phs::install(&PhsSettings::for_domain(&domain, "entra")).unwrap();
        phs.join(&tenant).unwrap();
        let app = Application::of(&tenant, "scope").unwrap();
        Self { domain, tenant, phs, app }
    }

    fn once(&self, more: &[&str]) -> Value {
        self.phs.once(more).unwrap().expect_code(0).json()
    }

    fn accepts(&self, upn: &str, password: &str) -> bool {
        self.app.sign_in(&Try::from(1, upn, password)).unwrap().accepted()
    }

    fn accepts_person(&self, person: &Person) -> bool {
        self.accepts(&person.upn, &person.password)
    }

    fn holds_digest(&self, sam: &str) -> bool {
        self.tenant.holds_digest(self.domain.identity(sam).unwrap().guid).unwrap()
    }
}

#[test]
fn privileged_accounts_come_and_go_with_their_groups() {
    let stage = Stage::set();
    let (domain, user, friend) = (&stage.domain, person(1), person(2));
    let first = stage.once(&[]);
    assert_eq!(first["mode"], "full");
    assert!(first["privileged"].as_u64().unwrap() >= 1, "the Administrator: {first}");
    assert!(!stage.holds_digest("Administrator"));
    assert!(stage.accepts_person(&user) && stage.accepts_person(&friend));

    // Through another group, both links in one cycle: told by links alone, which come last.
    domain.set_member("Cert Publishers", &user.sam, true).unwrap();
    domain.set_member("Domain Admins", "Cert Publishers", true).unwrap();
    let promoted = stage.once(&[]);
    assert_eq!(
        (&promoted["mode"], &promoted["privileged"]),
        (&json!("incremental"), &json!(1)),
        "{promoted}"
    );
    assert!(!stage.accepts_person(&user) && !stage.holds_digest(&user.sam));
    assert!(stage.accepts_person(&friend));

    // Out again: nothing of the account itself changes, so it is read alone.
    domain.set_member("Cert Publishers", &user.sam, false).unwrap();
    let demoted = stage.once(&[]);
    assert_eq!((&demoted["records_sent"], &demoted["digests_sent"]), (&json!(1), &json!(1)), "{demoted}");
    assert!(stage.accepts_person(&user));

    // Made and promoted between two cycles: its password is never opened.
    domain.create("fresh.admin", "Frisch & neu 1", 0x200, "OU=People").unwrap();
    domain.set_member("Domain Admins", "fresh.admin", true).unwrap();
    let made = stage.once(&[]);
    assert_eq!((&made["digests_derived"], &made["privileged"]), (&json!(0), &json!(1)), "{made}");
    assert!(!stage.holds_digest("fresh.admin"));

    // By primary group: no member link tells it.
    domain.set_member("Domain Admins", &friend.sam, true).unwrap();
    domain.set_attributes(&friend.sam, json!({"primaryGroupID": "512"})).unwrap();
    stage.once(&[]);
    assert!(!stage.accepts_person(&friend) && !stage.holds_digest(&friend.sam));
    let idle = stage.once(&[]);
    assert_eq!((&idle["uploads"], &idle["records_sent"]), (&json!(0), &json!(0)), "{idle}");
}

#[test]
fn people_come_leave_and_change_their_names() {
    let stage = Stage::set();
    let (domain, leaver, renamed, guarded) = (&stage.domain, person(3), person(4), person(5));
    stage.once(&[]);

    domain.create("new.person", "Ganz neu hier 1", 0x200, "OU=People").unwrap();
    domain.delete(&leaver.sam).unwrap();
    domain.rename(&renamed.sam, "other.name").unwrap();
    domain.set_member("Protected Users", &guarded.sam, true).unwrap();
    let counts = stage.once(&[]);
    assert_eq!((&counts["removed"], &counts["digests_sent"]), (&json!(1), &json!(1)), "{counts}");
    assert!(stage.accepts("new.person@corp.example.com", "Ganz neu hier 1"));
    assert!(!stage.accepts_person(&leaver));
    assert!(!stage.accepts_person(&renamed), "the old name");
    assert!(stage.accepts("other.name@corp.example.com", &renamed.password));
    assert!(!stage.accepts_person(&guarded));

    domain.set_member("Protected Users", &guarded.sam, false).unwrap();
    assert_eq!(stage.once(&[])["digests_sent"], 0);
    assert!(stage.accepts_person(&guarded), "nothing but the membership changed");
}

#[test]
fn a_lost_state_costs_a_full_compare_and_no_derivation() {
    let stage = Stage::set();
    let first = stage.once(&[]);
    assert_eq!(first["digests_derived"], first["digests_sent"]);
    std::fs::remove_file(stage.phs.database()).unwrap();
    stage.domain.delete(&person(6).sam).unwrap();
    let again = stage.once(&[]);
    assert_eq!((&again["mode"], &again["digests_derived"]), (&json!("full"), &json!(0)), "{again}");
    assert!(stage.accepts_person(&person(7)));
    assert!(!stage.accepts_person(&person(6)), "swept");
    assert_eq!(stage.once(&[])["uploads"], 0);
}

#[test]
fn check_says_what_is_wrong_and_what_to_do() {
    let stage = Stage::set();
    let check = |phs: &Phs, code: i32| -> Finished { phs.run(&["check"], None).unwrap().expect_code(code) };
    let good = check(&stage.phs, 0);
    assert!(!good.stdout.contains("FAIL") && good.stdout.contains("replication"), "{good}");

    stage.domain.set_replication_rights("svc-landbridge", false).unwrap();
    let missing = check(&stage.phs, 4);
    assert!(
        missing.stdout.contains("FAIL  replication") && missing.stdout.contains("dsacl set"),
        "{missing}"
    );
    stage.domain.set_replication_rights("svc-landbridge", true).unwrap();

    let gone = format!("{}-4711", stage.domain.sid());
    let settings =
        PhsSettings { include: vec![gone.clone()], ..PhsSettings::for_domain(&stage.domain, "entra") };
    stage.phs.configure(&settings).unwrap();
    let include = check(&stage.phs, 3);
    assert!(include.stdout.contains("FAIL  include") && include.stdout.contains(&gone), "{include}");

    stage.tenant.kill();
    let unreachable = check(&stage.phs, 3);
    assert!(unreachable.stdout.contains("FAIL  tenant"), "{unreachable}");
}
