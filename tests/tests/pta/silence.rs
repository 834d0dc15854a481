//! Road two at TRACE, and then a search of everything that tenant and agents wrote for every secret there was.

use landbridge_tests::lab::silence::{Needle, search};
use landbridge_tests::lab::{
    Application, Domain, Phs, PhsSettings, Population, PtaAgent, PtaSettings, RunningTenant, TenantSettings,
    Try, person,
};
use landbridge_wire::enroll::Token;
use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn nothing_that_tenant_and_agents_write_holds_a_password_or_a_key() {
    let domain = Domain::start(Population::of(50)).unwrap();
    let tenant =
        RunningTenant::start_for(&domain, &TenantSettings { level: "trace", ..Default::default() }).unwrap();
    let phs = Phs::install(&PhsSettings::for_domain(&domain, "entra")).unwrap();
    phs.join(&tenant).unwrap();
    phs.once(&[]).unwrap().expect_code(0);
    tenant.set_policy("pta").unwrap().expect_code(0);
    let mut needles = Vec::new();
    let settings = PtaSettings { level: "trace", ..PtaSettings::for_domain(&domain) };
    let agent = PtaAgent::install(&settings).unwrap();
    let token = tenant.token_for("pta").unwrap();
    Token::parse(&token).unwrap().secret.lend(|secret| needles.push(Needle::new("a token's secret", secret)));
    needles.push(Needle::new("a token", token.as_str()));
    agent.enroll(&token).unwrap().expect_code(0);
    tenant.approve_all().unwrap();
    agent.run_to_end(&["check"], None).unwrap().expect_code(0);
    agent.run().unwrap();
    tenant.wait_for_connections(2, 20).unwrap();
    let idle = resident(agent.process().unwrap());
    println!("the idle agent's resident memory: {idle} KiB (debug build; the aim is 12 MiB in release)");
    assert!(idle < 64 * 1024, "{idle}");

    let app = Application::of(&tenant, "silence").unwrap();
    needles.push(Needle::new("an application's credential", app.credential()));
    for index in 0..30 {
        let who = person(index);
        for password in [who.password.clone(), who.wrong_password()] {
            app.sign_in(&Try::from(index, &who.upn, &password)).unwrap();
            needles.extend(Needle::password(&format!("{} as tried", who.sam), &password));
        }
    }
    agent.run_to_end(&["status", "--json"], None).unwrap().expect_code(0);
    // With the DC gone, what goes wrong is said too.
    domain.kill_controller().unwrap();
    app.sign_in(&Try::from(31, &person(31).upn, &person(31).password)).unwrap();
    needles.extend(Needle::password("person 31", &person(31).password));
    agent.stop().unwrap().expect_code(0);

    let identity = landbridge_agent::Identity::load(&agent.state()).unwrap();
    identity.lend_second_key(|key| needles.push(Needle::new("the envelope key", key))).unwrap();
    for file in files(&tenant.output()) {
        let text = fs::read_to_string(&file).unwrap();
        let alone = text.split_whitespace().count() == 1;
        if alone && (text.starts_with("lbt1.") || text.starts_with("lba1.")) {
            fs::remove_file(&file).unwrap();
        }
    }
    // Where the key itself lives, it may be found.
    for file in files(&agent.state().join("identity")) {
        if file.extension().is_some_and(|kind| kind == "key") {
            fs::remove_file(&file).unwrap();
        }
    }
    let logs =
        files(&agent.output()).iter().map(|f| fs::read_to_string(f).unwrap_or_default()).collect::<String>();
    assert!(logs.contains("DEBUG") || logs.contains("TRACE"), "the agent says all that it ever says");
    let found = search(&needles, &[tenant.folder(), agent.folder()]).unwrap();
    println!(
        "{} secrets searched in {} files",
        needles.len(),
        files(tenant.folder()).len() + files(agent.folder()).len()
    );
    assert!(found.found.is_empty(), "{:#?}", found.found);
    fs::write(agent.folder().join("planted"), &person(3).password).unwrap();
    assert!(!search(&needles, &[agent.folder()]).unwrap().found.is_empty(), "a planted one is found");
}

/// VmRSS of a process, in KiB.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
