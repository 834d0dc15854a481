//! The lab keeps its own promises: a domain that serves, and nothing left of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use landbridge_tests::lab::edits::DISABLED;
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::{Domain, Population, person};
use std::net::TcpStream;

#[test]
fn a_domain_serves_takes_edits_survives_a_kill_and_is_gone_afterwards() {
    let hosts = std::fs::read("/etc/hosts").unwrap();
    let began = std::time::Instant::now();
    let domain = Domain::start(Population::of(50)).unwrap();
    println!("up after {:.2?}", began.elapsed());
    let user = person(7).sam;
    let before = domain.identity(&user).unwrap();
    assert!(before.sid.starts_with(domain.sid()), "{before:?}");
    domain.set_password(&user, "another \u{1f980} one").unwrap();
    domain.change_flags(&user, DISABLED, 0).unwrap();
    domain.set_enabled(&user, true).unwrap();
    domain.age_password(&user, 400).unwrap();
    domain.must_change(&user).unwrap();
    domain.account_ends_in(&user, -60).unwrap();
    domain.set_member("Domain Admins", &user, true).unwrap();
    domain.set_member("Domain Admins", &user, false).unwrap();
    domain.rename(&user, "renamed").unwrap();
    assert_eq!(domain.identity("renamed").unwrap().guid, before.guid);
    domain.delete("renamed").unwrap();
    domain.identity("renamed").unwrap_err();
    domain.create("fresh", "a password", 0x200, "OU=People").unwrap();
    domain.set_replication_rights("svc-landbridge", false).unwrap();
    domain.set_replication_rights("svc-landbridge", true).unwrap();
    let keytab = domain.folder().join("another.keytab");
    domain.write_keytab("fresh", &keytab).unwrap();
    assert!(keytab.metadata().unwrap().len() > 50);

    domain.kill_controller().unwrap();
    let ldap = (domain.address(), 389);
    TcpStream::connect(ldap).unwrap_err();
    domain.start_controller().unwrap();
    TcpStream::connect(ldap).unwrap();

    let folder = domain.folder().to_path_buf();
    drop(domain);
    TcpStream::connect(ldap).unwrap_err();
    assert!(!folder.exists());
    assert_eq!(std::fs::read("/etc/hosts").unwrap(), hosts);
}

/// The child of the next test: makes a domain, says so, and waits to be killed.
#[test]
#[ignore = "run by the next test only"]
fn a_process_that_holds_a_domain() {
    let domain = Domain::start(Population::of(50)).unwrap();
    println!("holding {} {}", domain.address(), domain.folder().display());
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn a_process_that_is_killed_leaves_no_domain_behind() {
    use std::io::{BufRead as _, BufReader};
    let mut holder = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_holds_a_domain", "--ignored", "--nocapture"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines().map_while(Result::ok);
    let said =
        lines.filter_map(|line| line.split_once("holding ").map(|(_, rest)| rest.to_owned())).next().unwrap();
    let (address, folder) = said.split_once(' ').unwrap();
    let ldap: std::net::SocketAddr = format!("{address}:389").parse().unwrap();
    TcpStream::connect(ldap).unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    let gone = || TcpStream::connect(ldap).is_err() && !std::path::Path::new(folder).exists();
    wait_until("the watchdog", 10, gone, String::new).unwrap();
}
