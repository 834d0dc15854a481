//! An installation of an older version is upgraded in place, program by program, and both versions work together
//! meanwhile. Not part of the suite, since it needs the programs of the older version: `make upgrade FROM=COMMIT`.

use crate::stage::{Road, own_domain};
use landbridge_pta_agent::status::OLDER_TENANT;
use landbridge_tests::lab::population::DOMAIN as NAME;
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::{
    Application, Person, Phs, PhsSettings, PtaAgent, PtaSettings, RunningTenant, TenantSettings, person,
};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder with the programs of the older version.
fn before() -> PathBuf {
    PathBuf::from(std::env::var_os("LANDBRIDGE_BEFORE").expect("LANDBRIDGE_BEFORE names no folder"))
}

/// Removes the lines that the older version does not know.
fn without(config: &Path, lines: &[&str]) {
    let text = fs::read_to_string(config).unwrap();
    let kept = text.lines().filter(|line| !lines.iter().any(|unknown| line.starts_with(unknown)));
    fs::write(config, kept.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

/// A phs of the older version, enrolled.
fn older_phs(settings: &PhsSettings, tenant: &RunningTenant) -> Phs {
    let phs = Phs::install(settings).unwrap();
    phs.programs.set(Some(&before()));
    without(&phs.config(), &["also = "]);
    phs.join(tenant).unwrap();
    phs
}

/// An agent of the older version, which runs.
fn older_agent(settings: &PtaSettings, tenant: &RunningTenant) -> PtaAgent {
    let agent = PtaAgent::install(settings).unwrap();
    agent.programs.set(Some(&before()));
    without(&agent.config(), &["[defence]"]);
    agent.join(tenant).unwrap();
    agent.run().unwrap();
    agent
}

#[test]
#[ignore = "needs the programs of an older version: make upgrade"]
fn an_installation_of_an_older_version_is_upgraded_in_place_and_works_at_every_step() {
    let domain = own_domain(50);
    let folder = before();
    // Somebody has the administrator's name.
    let (administrator, impostor) = (format!("administrator@{NAME}"), person(6));
    domain.force_attribute(&impostor.sam, "userPrincipalName", &administrator).unwrap();
    // 1. All of the older version. The account that phs reads with is in the cloud, as it was then.
    let settings = TenantSettings { programs: Some(folder.clone()), ..TenantSettings::default() };
    let tenant = RunningTenant::start_for(&domain, &settings).unwrap();
    let phs_settings = PhsSettings::for_domain(&domain, "entra");
    let agent_settings = PtaSettings::for_domain(&domain);
    let phs = older_phs(&phs_settings, &tenant);
    phs.once(&[]).unwrap().expect_code(0);
    let agent = older_agent(&agent_settings, &tenant);
    tenant.wait_for_connections(2, 30).unwrap();
    let app = Application::of(&tenant, "road").unwrap();
    let road = Road::of_parts(app, phs, tenant, domain, "entra");
    let reader = format!("{}@{NAME}", phs_settings.account);
    road.assert_everybody_gets_in();
    road.assert_in(&reader, &phs_settings.password);
    road.assert_in(&administrator, &impostor.password);
    let policy = |policy| road.tenant.set_policy(policy).unwrap().expect_code(0);
    let by_agent = |who: &Person, password: &str| {
        policy("pta");
        road.assert_in(&who.upn, password);
        policy("phs");
    };
    by_agent(&person(1), &person(1).password);
    // 2. The tenant is upgraded. The older phs and the older agent, which prove no process, go on.
    road.tenant.stop().unwrap();
    road.tenant.programs.set(None);
    road.tenant.serve().unwrap();
    road.assert_everybody_gets_in();
    road.tenant.wait_for_connections(2, 30).unwrap();
    by_agent(&person(1), &person(1).password);
    road.domain.set_password(&person(2).sam, "at the newer tenant").unwrap();
    let summary = road.once();
    assert_eq!(
        (&summary["mode"], &summary["digests_derived"]),
        (&"incremental".into(), &1.into()),
        "{summary}"
    );
    road.assert_in(&person(2).upn, "at the newer tenant");
    road.assert_in(&administrator, &impostor.password);
    // 3. phs is upgraded: one full compare that derives nothing. The account that it reads with leaves, and the
    //    administrator's name signs nobody in.
    road.phs.programs.set(None);
    road.phs.configure(&phs_settings).unwrap();
    let summary = road.once();
    assert_eq!((&summary["mode"], &summary["digests_derived"]), (&"full".into(), &0.into()), "{summary}");
    road.assert_in(&person(2).upn, "at the newer tenant");
    road.assert_in(&person(3).upn, &person(3).password);
    road.assert_out(&reader, &phs_settings.password);
    assert_eq!(summary["ambiguous"], 1, "{summary}");
    road.assert_out(&administrator, &impostor.password);
    road.domain.set_password(&person(4).sam, "by the newer phs").unwrap();
    let summary = road.once();
    assert_eq!(summary["mode"], "incremental", "{summary}");
    road.assert_in(&person(4).upn, "by the newer phs");
    // 4. The agent is upgraded.
    agent.stop().unwrap();
    agent.programs.set(None);
    agent.configure(&agent_settings).unwrap();
    agent.run().unwrap();
    road.tenant.wait_for_connections(2, 30).unwrap();
    by_agent(&person(5), &person(5).password);
    let said = road.phs.run(&["check"], None).unwrap();
    assert!(said.stdout.contains("takes uploads"), "{said}");
    // 5. Both have proved a process. The older agent is refused from now on, in words that it understands.
    let agents = road.tenant.agents().unwrap();
    assert!(agents.iter().all(|row| row["proved_at"].is_i64()), "{agents:?}");
    agent.stop().unwrap();
    agent.programs.set(Some(&folder));
    without(&agent.config(), &["[defence]"]);
    let said = agent.run_to_end(&["check"], None).unwrap();
    assert!(said.stdout.contains("run the present version of the agent"), "{said}");
}

#[test]
#[ignore = "needs the programs of an older version: make upgrade"]
fn a_newer_phs_and_a_newer_agent_work_with_an_older_tenant_and_notice_its_upgrade() {
    let domain = own_domain(50);
    let settings = TenantSettings { programs: Some(before()), ..TenantSettings::default() };
    let road = Road::with(domain.clone(), &PhsSettings::for_domain(&domain, "entra"), &settings);
    let summary = road.once();
    assert_eq!((&summary["mode"], &summary["refused"]), (&"full".into(), &0.into()), "{summary}");
    road.assert_everybody_gets_in();
    let agent = PtaAgent::start(&PtaSettings::for_domain(&domain), &road.tenant).unwrap();
    road.tenant.wait_for_connections(2, 30).unwrap();
    road.tenant.set_policy("pta").unwrap().expect_code(0);
    road.assert_in(&person(1).upn, &person(1).password);
    road.assert_out(&person(1).upn, &person(1).wrong_password());
    let older = || agent.run_to_end(&["status"], None).unwrap().stdout.contains(OLDER_TENANT);
    wait_until("the status to name the older tenant", 10, older, String::new).unwrap();
    road.tenant.set_policy("phs").unwrap().expect_code(0);
    road.domain.set_password(&person(2).sam, "at the older tenant").unwrap();
    assert_eq!(road.once()["mode"], "incremental");
    road.assert_in(&person(2).upn, "at the older tenant");
    // The tenant is upgraded under them.
    road.tenant.stop().unwrap();
    road.tenant.programs.set(None);
    road.tenant.serve().unwrap();
    let summary = road.once();
    assert_eq!((&summary["mode"], &summary["digests_derived"]), (&"full".into(), &0.into()), "{summary}");
    road.assert_in(&person(2).upn, "at the older tenant");
    assert_eq!(road.once()["mode"], "incremental");
    road.tenant.wait_for_connections(2, 30).unwrap();
    wait_until("the status to name no older tenant", 10, || !older(), String::new).unwrap();
    road.tenant.set_policy("pta").unwrap().expect_code(0);
    road.assert_in(&person(3).upn, &person(3).password);
    drop(agent);
}
