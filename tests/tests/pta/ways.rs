//! The ways of an agent: through a proxy, over IPv6, to a second domain controller, to one that is pinned.

use crate::stage::Stage;
use landbridge_tests::lab::address::Address;
use landbridge_tests::lab::fake_dns::FakeDns;
use landbridge_tests::lab::second::SECOND;
use landbridge_tests::lab::{
    Application, Domain, Phs, PhsSettings, Population, PtaAgent, PtaSettings, RunningTenant, TenantSettings,
    Try, person,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A CONNECT proxy on loopback that wants `who:secret`; counts what it let through. Ends with the test's process.
fn proxy(let_through: Arc<AtomicU32>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let let_through = let_through.clone();
            std::thread::spawn(move || relay(stream, &let_through));
        }
    });
    address
}

fn relay(mut client: TcpStream, let_through: &AtomicU32) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap_or(0) == 0 || head.len() > 8192 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    // base64 of `who:secret`.
    if !head.contains("Proxy-Authorization: Basic d2hvOnNlY3JldA==\r\n") {
        let _ = client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let to = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap();
    let Ok(server) = TcpStream::connect(to) else { return };
    let_through.fetch_add(1, Ordering::Relaxed);
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    let (mut from, mut back) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || std::io::copy(&mut back, &mut from));
    let (mut client, mut server) = (client, server);
    let _ = std::io::copy(&mut client, &mut server);
}

#[test]
fn an_agent_enrols_and_answers_through_a_proxy_with_a_password_and_says_so_when_it_is_wrong() {
    let stage = Stage::new(50, 0);
    let through = Arc::new(AtomicU32::new(0));
    let address = proxy(through.clone());
    let agent = PtaAgent::install(&PtaSettings::for_domain(&stage.domain)).unwrap();
    let secret = agent.folder().join("proxy-password");
    fs::write(&secret, "not the password\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let tenant = format!(
        "proxy = \"http://{address}\"\nproxy_user = \"who\"\nproxy_password_file = \"{}\"",
        secret.display()
    );
    let settings = PtaSettings { tenant, ..PtaSettings::for_domain(&stage.domain) };
    agent.configure(&settings).unwrap();
    let token = stage.tenant.token_for("pta").unwrap();
    let refused = agent.enroll(&token).unwrap().expect_code(7);
    let said = refused.to_string();
    assert!(
        said.contains("407") && said.contains("proxy_password_file") && !said.contains("not the password"),
        "{said}"
    );
    fs::write(&secret, "secret\n").unwrap();
    // The token was not spent: it never left.
    agent.enroll(&token).unwrap().expect_code(0);
    stage.tenant.approve_all().unwrap();
    agent.run().unwrap();
    stage.tenant.wait_for_connections(2, 20).unwrap();
    let who = person(1);
    assert!(stage.sign_in(&who, &who.password).accepted());
    assert!(through.load(Ordering::Relaxed) >= 3, "enrolment and two connections went through it");
}

#[test]
fn a_tenant_at_an_ipv6_address_has_its_agents_and_its_applications() {
    let domain = Domain::start(Population::of(50)).unwrap();
    let address = Address::claim().unwrap();
    let settings = TenantSettings { listen: Some(address.ipv6()), ..TenantSettings::default() };
    let tenant = RunningTenant::start_for(&domain, &settings).unwrap();
    let phs = Phs::install(&PhsSettings::for_domain(&domain, "entra")).unwrap();
    phs.join(&tenant).unwrap();
    phs.once(&[]).unwrap().expect_code(0);
    tenant.set_policy("pta").unwrap().expect_code(0);
    let _agent = PtaAgent::start(&PtaSettings::for_domain(&domain), &tenant).unwrap();
    tenant.wait_for_connections(2, 20).unwrap();
    let who = person(1);
    let app = Application::of(&tenant, "six").unwrap();
    assert!(app.sign_in(&Try::from(1, &who.upn, &who.password)).unwrap().accepted());
}

#[test]
fn a_second_controller_takes_over_in_five_seconds_when_the_first_is_gone() {
    let stage = Stage::new(50, 0);
    let second = stage.domain.join_second().unwrap();
    let both = stage.domain.folder().join("both.pem");
    let ca = |folder: &str| fs::read_to_string(stage.domain.folder().join(folder).join("ca.pem")).unwrap();
    fs::write(&both, ca("tls") + &ca("dc2/tls")).unwrap();
    let mut settings = PtaSettings { ca: Some(both), ..PtaSettings::for_domain(&stage.domain) };
    settings.controllers.push((SECOND.to_owned(), second.address(), 636));
    let agent = PtaAgent::start(&settings, &stage.tenant).unwrap();
    stage.tenant.wait_for_connections(2, 20).unwrap();
    agent.run_to_end(&["check"], None).unwrap().expect_code(0);
    let who = person(1);
    assert!(stage.sign_in(&who, &who.password).accepted());
    stage.domain.kill_controller().unwrap();
    let gone = Instant::now();
    let mut tried = 0;
    while !stage.sign_in(&who, &who.password).accepted() {
        tried += 1;
        assert!(gone.elapsed() < Duration::from_secs(5), "{tried} tries");
    }
    println!(
        "the second controller answers {:?} after the first is gone; {tried} sign-ins were unavailable",
        gone.elapsed()
    );
    let wrong = person(2);
    assert!(stage.sign_in(&wrong, &wrong.wrong_password()).refused());
}

#[test]
fn a_pinned_controller_is_believed_whoever_made_its_certificate_and_no_other_is() {
    let stage = Stage::new(50, 0);
    let leaf = CertificateDer::from_pem_file(stage.domain.folder().join("tls/dc.pem")).unwrap();
    let pin: String = landbridge_agent::pin::pin_of(&leaf).iter().map(|byte| format!("{byte:02x}")).collect();
    for (pin, code) in [(pin, 0), ("00".repeat(32), 5)] {
        let settings = PtaSettings { pins: vec![pin], ca: None, ..PtaSettings::for_domain(&stage.domain) };
        let agent = PtaAgent::install(&settings).unwrap();
        agent.join(&stage.tenant).unwrap();
        agent.run_to_end(&["check"], None).unwrap().expect_code(code);
    }
}

#[test]
fn a_new_agent_waits_until_a_person_has_compared_its_key() {
    let stage = Stage::new(50, 0);
    let agent = PtaAgent::install(&PtaSettings::for_domain(&stage.domain)).unwrap();
    let token = stage.tenant.token_for("pta").unwrap();
    let enrolled = agent.enroll(&token).unwrap().expect_code(0);
    let key = enrolled.stdout.lines().find_map(|line| line.strip_prefix("key ")).unwrap();
    agent.run().unwrap();
    let id = agent.id().unwrap();
    let listed = || stage.tenant.agents().unwrap().into_iter().find(|agent| agent["id"] == *id).unwrap();
    let waiting = listed();
    assert_eq!((&waiting["state"], &waiting["key"]), (&"pending".into(), &key.into()));
    assert_eq!(stage.tenant.connections().unwrap(), 0);
    // Without a person, and without the flag for scripts, nothing is approved. What is to be compared is shown.
    let asked = stage.tenant.run(&["agents", "approve", &id], None).unwrap().expect_code(2);
    for what in [key, "Host", "from 127.", "--yes"] {
        assert!(asked.stderr.contains(what), "does not show `{what}`: {asked}");
    }
    assert_eq!(listed()["state"], "pending");
    stage.tenant.approve(&id).unwrap();
    stage.tenant.wait_for_connections(2, 60).unwrap();
    let status = agent.run_to_end(&["status"], None).unwrap();
    assert!(status.stdout.contains(&format!("key {key}\n")), "{status}");
}

#[test]
fn controllers_are_found_by_dns_and_one_outside_the_domain_is_not_taken() {
    let stage = Stage::new(50, 0);
    let IpAddr::V4(controller) = stage.domain.address() else { panic!("the lab's DC has an IPv4 address") };
    let named = vec![
        ("dc.elsewhere.example.net".to_owned(), controller),
        ("dc1.corp.example.com".to_owned(), controller),
    ];
    let dns = FakeDns::serve("corp.example.com", named).unwrap();
    let settings = PtaSettings { controllers: vec![], ..PtaSettings::for_domain(&stage.domain) };
    let agent = PtaAgent::install(&settings).unwrap();
    agent.join(&stage.tenant).unwrap();
    let mut check = agent.command(&["check", "--json"]).unwrap();
    dns.show_to(&mut check);
    let found = check.output().unwrap();
    let said = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(found.status.success(), "{said}\n{}", String::from_utf8_lossy(&found.stderr));
    assert!(said.contains("dc1.corp.example.com") && !said.contains("elsewhere"), "{said}");
    assert!(String::from_utf8_lossy(&found.stderr).contains("outside the domain"));
    // Without such a server it is said what is missing, and what to do.
    let without = agent.run_to_end(&["check"], None).unwrap().expect_code(5);
    assert!(without.to_string().contains("[[directory.controllers]]"), "{without}");
}
