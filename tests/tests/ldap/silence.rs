//! Changes of password by LDAP at TRACE, and then a search of everything that tenant and agent wrote for every password.

use crate::stage::{BASE, Secret, run};
use landbridge_tests::lab::silence::{Needle, search};
use landbridge_tests::lab::{
    Domain, Phs, PhsSettings, Population, PtaAgent, PtaSettings, RunningTenant, TenantSettings, person,
};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn nothing_that_tenant_and_agent_write_about_a_change_holds_a_password() {
    // 1. A tenant and an agent that write all that they ever write.
    let domain = Domain::start(Population::of(10)).unwrap();
    domain.set_policy(json!({ "minPwdAge": "0", "minPwdLength": "12" })).unwrap();
    let tenant =
        RunningTenant::start_for(&domain, &TenantSettings { level: "trace", ..Default::default() }).unwrap();
    let server = tenant.serve_ldap().unwrap();
    let phs = Phs::install(&PhsSettings::for_domain(&domain, "entra")).unwrap();
    phs.join(&tenant).unwrap();
    phs.once(&[]).unwrap().expect_code(0);
    let settings = PtaSettings {
        level: "trace",
        directory: "change_passwords = true".to_owned(),
        ..PtaSettings::for_domain(&domain)
    };
    let agent = PtaAgent::start(&settings, &tenant).unwrap();
    tenant.wait_for_connections(2, 30).unwrap();
    let policy = ["domains", "policy", domain.name(), "--change-passwords", "on"];
    tenant.run(&policy, None).unwrap().expect_code(0);
    tenant.ldap_application("silence", &["--everybody"]).unwrap();
    // 2. Changes that succeed, that are refused for each of the passwords, and with a password in the wrong field.
    let mut needles = Vec::new();
    let who = person(3);
    let confused = "my password in the name field (5)";
    let changed = "Neuer und langer Hafen (6)";
    for (user, old, new, expected) in [
        (None, who.wrong_password().as_str(), "Nie gesetzter Hafen (1)", "Invalid credentials (49)"),
        (None, &who.password, "Ku4z!bt", "Constraint violation (19)"),
        (Some(confused), &who.password, "Nie gesetzter Hafen (2)", "Insufficient access (50)"),
        (None, &who.password, changed, "Success (0)"),
    ] {
        let (bound, sent) = (Secret::new(&who.password), [old, new].map(Secret::new));
        let mut command = Command::new("ldappasswd");
        command.env("LDAPTLS_CACERT", &server.ca).args(["-x", "-v", "-H", &format!("ldaps://{}", server.ip)]);
        command.args(["-D", &format!("uid={},ou=people,{BASE}", who.sam), "-y"]).arg(bound.file());
        command.arg("-t").arg(sent[0].file()).arg("-T").arg(sent[1].file()).args(user);
        let done = run(command);
        assert!(done.stdout.contains(&format!("Result: {expected}")), "{done}");
        for (what, password) in [("an old password", old), ("a new password", new)] {
            needles.extend(Needle::password(what, password));
        }
        needles.extend(user.map(|user| Needle::new("a password as a name", user)));
    }
    // 3. The search.
    agent.stop().unwrap().expect_code(0);
    let logs: String =
        files(&agent.output()).iter().map(|file| fs::read_to_string(file).unwrap_or_default()).collect();
    assert!(logs.contains("DEBUG") || logs.contains("TRACE"), "the agent writes all that it ever writes");
    let found = search(&needles, &[tenant.folder(), agent.folder()]).unwrap();
    assert!(found.found.is_empty(), "{:#?}", found.found);
    fs::write(agent.folder().join("planted"), changed).unwrap();
    assert!(!search(&needles, &[agent.folder()]).unwrap().found.is_empty(), "a planted one is found");
}
