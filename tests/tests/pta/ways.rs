//! The ways of an agent: through a proxy, over IPv6, to a second domain controller, to one that is pinned.

use crate::stage::Stage;
use landbridge_tests::lab::address::Address;
use landbridge_tests::lab::fake_dns::FakeDns;
use landbridge_tests::lab::full_backlog::FullBacklog;
use landbridge_tests::lab::openssl::Openssl;
use landbridge_tests::lab::program::{Finished, Running};
use landbridge_tests::lab::second::SECOND;
use landbridge_tests::lab::{
    Application, Domain, Phs, PhsSettings, Population, PtaAgent, PtaSettings, RunningTenant, TenantSettings,
    Try, person,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
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
fn a_second_controller_takes_over_when_the_first_is_gone() {
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
        assert!(gone.elapsed() < Duration::from_secs(30), "{tried} tries");
    }
    println!(
        "the second controller answers {:?} after the first is gone; {tried} sign-ins were unavailable",
        gone.elapsed()
    );
    let wrong = person(2);
    assert!(stage.sign_in(&wrong, &wrong.wrong_password()).refused());
}

/// `check --json` of an agent that finds its controllers by this DNS, with these lines of `[directory]`.
fn check_with(stage: &Stage, dns: &FakeDns, lines: &str) -> Finished {
    let settings = PtaSettings { controllers: vec![], ..PtaSettings::for_domain(&stage.domain) };
    let agent = PtaAgent::install(&settings).unwrap();
    let text = fs::read_to_string(agent.config()).unwrap();
    fs::write(agent.config(), text.replace("[directory]\n", &format!("[directory]\n{lines}\n"))).unwrap();
    agent.join(&stage.tenant).unwrap();
    let mut check = agent.command(&["check", "--json"]).unwrap();
    dns.show_to(&mut check);
    Running::start(check, None, &agent.output()).unwrap().finish(60).unwrap()
}

/// What a finding about this controller says.
fn found(check: &Finished, controller: &str) -> String {
    let findings = check.json();
    let what = format!("domain controller {controller}");
    let finding = findings.as_array().unwrap().iter().find(|finding| finding["what"] == what.as_str());
    finding.unwrap_or_else(|| panic!("{check}"))["found"].as_str().unwrap().to_owned()
}

fn ipv4(address: IpAddr) -> Ipv4Addr {
    let IpAddr::V4(address) = address else { panic!("the lab's addresses are IPv4") };
    address
}

#[test]
fn a_controller_whose_first_address_takes_no_connection_answers_at_its_second() {
    let stage = Stage::new(50, 0);
    let silent = Address::claim().unwrap();
    let _full = FullBacklog::at(silent.ip(), &[636]).unwrap();
    let dc1 = "dc1.corp.example.com".to_owned();
    let named = vec![(dc1.clone(), ipv4(silent.ip())), (dc1.clone(), ipv4(stage.domain.address()))];
    let dns = FakeDns::serve("corp.example.com", named).unwrap();
    let check = check_with(&stage, &dns, "").expect_code(0);
    assert!(found(&check, &dc1).contains("TLS is verified"), "{check}");
}

#[test]
fn a_controller_of_which_one_address_shows_another_certificate_is_used_at_the_other() {
    let stage = Stage::new(50, 0);
    let openssl = Openssl::new().unwrap();
    openssl.authority("other-ca", "rsa:2048").unwrap();
    let wrong = Address::claim().unwrap();
    let _server = openssl.serve((wrong.ip(), 636).into(), "other-ca", "").unwrap();
    let dc1 = "dc1.corp.example.com".to_owned();
    let named = vec![(dc1.clone(), ipv4(wrong.ip())), (dc1.clone(), ipv4(stage.domain.address()))];
    let dns = FakeDns::serve("corp.example.com", named).unwrap();
    let check = check_with(&stage, &dns, "").expect_code(0);
    assert!(found(&check, &dc1).contains("TLS is verified"), "{check}");
}

#[test]
fn one_of_four_controllers_of_dns_is_enough_and_of_those_that_are_configured_each_must_serve() {
    let stage = Stage::new(50, 0);
    let dead: Vec<Address> = (0..3).map(|_| Address::claim().unwrap()).collect();
    let mut named: Vec<(String, Ipv4Addr)> =
        (2..).zip(&dead).map(|(n, at)| (format!("dc{n}.corp.example.com"), ipv4(at.ip()))).collect();
    named.push(("dc1.corp.example.com".to_owned(), ipv4(stage.domain.address())));
    let dns = FakeDns::serve("corp.example.com", named).unwrap();
    let check = check_with(&stage, &dns, "").expect_code(0);
    for n in 2..5 {
        let said = found(&check, &format!("dc{n}.corp.example.com"));
        assert!(said.contains("refused") && said.ends_with("others are used"), "{said}");
    }
    // None of them answers.
    let named = (2..).zip(&dead).map(|(n, at)| (format!("dc{n}.corp.example.com"), ipv4(at.ip()))).collect();
    let dns = FakeDns::serve("corp.example.com", named).unwrap();
    check_with(&stage, &dns, "").expect_code(5);
    // The configuration names one that does not answer.
    let mut settings = PtaSettings::for_domain(&stage.domain);
    settings.controllers.push(("dc2.corp.example.com".to_owned(), dead[0].ip(), 636));
    let agent = PtaAgent::install(&settings).unwrap();
    agent.join(&stage.tenant).unwrap();
    agent.run_to_end(&["check"], None).unwrap().expect_code(5);
}

#[test]
fn the_controllers_of_the_site_come_first_and_a_site_that_dns_does_not_know_is_said() {
    let stage = Stage::new(50, 0);
    let dead = Address::claim().unwrap();
    let named = vec![
        ("dc2.corp.example.com".to_owned(), ipv4(dead.ip())),
        ("dc1.corp.example.com".to_owned(), ipv4(stage.domain.address())),
    ];
    let of_site = vec!["dc1.corp.example.com".to_owned()];
    let dns = FakeDns::serve_with_site("corp.example.com", named, "Vienna", of_site).unwrap();
    let order = |site: &str| {
        let check = check_with(&stage, &dns, &format!("site = \"{site}\"")).expect_code(0);
        let findings = check.json();
        let whats = findings.as_array().unwrap().iter().filter_map(|finding| finding["what"].as_str());
        let order: Vec<String> =
            whats.filter_map(|what| what.strip_prefix("domain controller ")).map(str::to_owned).collect();
        (order, check)
    };
    assert_eq!(order("Vienna").0, ["dc1.corp.example.com", "dc2.corp.example.com"]);
    let (without, check) = order("Graz");
    assert_eq!(without, ["dc2.corp.example.com", "dc1.corp.example.com"]);
    assert!(check.stdout.contains("the site Graz are not preferred"), "{check}");
}

#[test]
fn a_controller_in_a_disjoint_namespace_is_used_where_its_suffix_is_configured() {
    let stage = Stage::new(50, 0);
    let named = vec![("dc1.ad.example.net".to_owned(), ipv4(stage.domain.address()))];
    let dns = FakeDns::serve("corp.example.com", named).unwrap();
    let refused = check_with(&stage, &dns, "").expect_code(5);
    assert!(refused.stdout.contains("[directory] suffixes"), "{refused}");
    // It is dialled. Its certificate is the lab's, for another name.
    let used = check_with(&stage, &dns, "suffixes = [\"ad.example.net\"]").expect_code(5);
    assert!(found(&used, "dc1.ad.example.net").contains("is not for dc1.ad.example.net"), "{used}");
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
    let checked = |name: &str| said.contains(&format!("domain controller {name}"));
    assert!(checked("dc1.corp.example.com") && !checked("dc.elsewhere.example.net"), "{said}");
    assert!(said.contains("write their DNS suffix into [directory] suffixes"), "{said}");
    assert!(String::from_utf8_lossy(&found.stderr).contains("outside the domain"));
    // Without such a server it is said what is missing, and what to do.
    let without = agent.run_to_end(&["check"], None).unwrap().expect_code(5);
    assert!(without.to_string().contains("[[directory.controllers]]"), "{without}");
}
