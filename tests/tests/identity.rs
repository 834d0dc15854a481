//! An agent's identity over time, at a real tenant: renewed whole, used while it runs, given up only when asked.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use landbridge_agent::{AgentError, Identity, ProcessKey, enroll, renew};
use landbridge_tests::lab::{Domain, Phs, PhsSettings, Population, RunningTenant, TenantSettings};
use landbridge_wire::enroll::Role;
use landbridge_wire::problem::ProblemCode;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn means() -> enroll::Means {
    enroll::Means::default()
}

/// Each renewal here is by a process of its own, which ends with it.
fn process() -> Arc<ProcessKey> {
    Arc::new(ProcessKey::generate().unwrap())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_renewal_brings_a_new_key_and_the_old_certificate_is_not_needed_any_more() {
    let domain = Domain::start(Population::of(50)).unwrap();
    let tenant = RunningTenant::start_for(&domain, &TenantSettings::default()).unwrap();
    let phs = Phs::install(&PhsSettings::for_domain(&domain, "entra")).unwrap();
    phs.join(&tenant).unwrap();
    let old = Identity::load(phs.state()).unwrap();
    let new =
        runtime().block_on(renew::renew(phs.state(), &old, &[], &means(), &process())).unwrap().identity;
    assert_eq!((new.agent, &new.domain_sid), (old.agent, &old.domain_sid));
    assert_ne!(new.certificate, old.certificate);
    assert_eq!(Identity::load(phs.state()).unwrap().certificate, new.certificate);
    let keys = std::fs::read_dir(phs.state().join("identity")).unwrap().count();
    assert_eq!(keys, 3, "identity.json, one key, and the tenant's nodes");
    phs.once(&[]).unwrap().expect_code(0);
    // A certificate that is due is renewed by whoever asks; one that is fresh is left alone.
    let later = old.not_before + (old.not_after - old.not_before) / 2;
    let soon = old.not_before + 60;
    let fresh = runtime()
        .block_on(renew::renew_if_due(phs.state(), new, &[], &means(), &process(), soon))
        .unwrap()
        .identity;
    let certificate = fresh.certificate.clone();
    let due = runtime()
        .block_on(renew::renew_if_due(phs.state(), fresh, &[], &means(), &process(), later))
        .unwrap()
        .identity;
    assert_ne!(due.certificate, certificate);
    phs.once(&[]).unwrap().expect_code(0);
}

#[test]
fn a_revoked_agent_is_not_renewed_and_keeps_what_it_has() {
    let tenant = RunningTenant::start(&TenantSettings::default()).unwrap();
    tenant.add_domain("S-1-5-21-1-2-3", &[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let token = || zeroize::Zeroizing::new(tenant.token().unwrap());
    let enrolled =
        runtime().block_on(enroll::enroll(&state, token(), Role::Phs, "test", false, &means())).unwrap();
    assert!(!enrolled.approved);
    let old = enrolled.identity;
    tenant.run(&["agents", "revoke", &old.agent.to_string()], None).unwrap().expect_code(0);
    let refused = runtime().block_on(renew::renew(&state, &old, &[], &means(), &process())).unwrap_err();
    assert!(matches!(&refused, AgentError::Refused(p) if p.code == ProblemCode::AgentRevoked), "{refused}");
    assert_eq!(Identity::load(&state).unwrap().certificate, old.certificate);
    assert!(!state.join("identity.new").exists());
    let anew =
        runtime().block_on(enroll::enroll(&state, token(), Role::Phs, "test", true, &means())).unwrap();
    assert_ne!(anew.identity.agent, old.agent);
    assert_eq!(Identity::load(&state).unwrap().agent, anew.identity.agent);
}

#[test]
fn a_signal_ends_a_run_soon_and_the_next_one_goes_on_from_there() {
    let domain = Domain::start(Population::of(50)).unwrap();
    let tenant = RunningTenant::start_for(&domain, &TenantSettings::default()).unwrap();
    let settings = PhsSettings { page_objects: 20, ..PhsSettings::for_domain(&domain, "strong") };
    let phs = Phs::install(&settings).unwrap();
    phs.join(&tenant).unwrap();
    let held = || tenant.metric("landbridge_digests_received_total").unwrap().unwrap_or(0.0);
    let mut run = phs.command(&["once"]).unwrap();
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while held() == 0.0 {
        assert!(Instant::now() < until, "nothing was uploaded");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(9));
    let rest = phs.once(&[]).unwrap().expect_code(0).json();
    let derived = rest["digests_derived"].as_u64().unwrap();
    assert!((1..50).contains(&derived), "{rest}");
    // Received once each: a digest that was derived again would have come twice. The tenant may still apply an upload when
    // phs has ended, so what it had received then is not known.
    assert_eq!(tenant.metric("landbridge_digests_repeated_total").unwrap(), Some(0.0), "{rest}");
    assert!(held() >= 50.0, "{}", held());
}
