//! A node whose clock is wrong, and later right again, beside one whose clock is right.

use landbridge_tenant_fixture::postgres;
use landbridge_tests::lab::program::{built, wait_until};
use landbridge_tests::lab::{Domain, Phs, PhsSettings, Population, RunningTenant, TenantSettings};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// A program that starts the tenant's with the clock that the file `clock` says, as it says it at each moment.
fn program_with_clock(folder: &Path) {
    let (program, clock) = (folder.join("landbridge-tenant"), folder.join("clock"));
    let text = format!(
        "#!/bin/sh\nexport LD_PRELOAD=/usr/lib/$(uname -m)-linux-gnu/faketime/libfaketimeMT.so.1 FAKETIME_TIMESTAMP_FILE={} FAKETIME_NO_CACHE=1 \
         FAKETIME_DONT_FAKE_MONOTONIC=1\nexec {} \"$@\"\n",
        clock.display(),
        built("landbridge-tenant").unwrap().display()
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The status of a GET at the issuer.
fn status_of(issuer: &str, ca: &Path) -> String {
    let ask = "import ssl, sys, urllib.error, urllib.request\n\
               try:\n    print(urllib.request.urlopen(sys.argv[1], context=ssl.create_default_context(cafile=sys.argv[2])).status)\n\
               except urllib.error.HTTPError as error:\n    print(error.code)";
    let url = format!("{issuer}/.well-known/openid-configuration");
    let asked = Command::new("python3").args(["-c", ask, &url]).arg(ca).output().unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    String::from_utf8(asked.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_node_whose_clock_is_wrong_says_so_and_issues_nothing_until_it_is_right() {
    let domain = Domain::start(Population::of(10)).unwrap();
    let settings = TenantSettings { database: Some(postgres::database_url()), ..TenantSettings::default() };
    let first = RunningTenant::start_for(&domain, &settings).unwrap();
    let listen = Some(first.address_of_second());
    let second = first.start_node("second", &TenantSettings { listen, ..settings }).unwrap();
    let (issuer, ca) = second.serve_oidc().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let set_clock = |offset: &str| fs::write(folder.path().join("clock"), offset).unwrap();
    let becomes = |ready: bool, why: &str| {
        let is = || second.readiness().is_ok_and(|(is_ready, said)| is_ready == ready && said.contains(why));
        wait_until("the node to notice its clock", 30, is, || format!("{:?}", second.readiness())).unwrap();
    };
    // 1. Its clock is three seconds fast. The other node does not mind.
    program_with_clock(folder.path());
    set_clock("+3");
    second.stop().unwrap().expect_code(0);
    second.programs.set(Some(folder.path()));
    second.serve().unwrap();
    becomes(false, "its clock differs from that of the database by");
    assert!(first.readiness().unwrap().0);
    assert_eq!(status_of(&issuer, &ca), "503");
    let phs = Phs::install(&PhsSettings::for_domain(&domain, "entra")).unwrap();
    let refused = phs.enroll(&second.token().unwrap()).unwrap();
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(refused.stderr.contains("the clock of this node of the tenant is wrong"), "{refused}");
    // 2. It is slow.
    set_clock("-3");
    becomes(false, "by -3");
    // 3. It is right again: the same process issues.
    set_clock("+0");
    becomes(true, "");
    assert_eq!(status_of(&issuer, &ca), "200");
    phs.enroll(&second.token().unwrap()).unwrap().expect_code(0);
}
