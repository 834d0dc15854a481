//! A tenant behind a real HAProxy: phs, an agent and applications reach it through the balancer alone.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::haproxy::Haproxy;
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::{Application, Phs};
use landbridge_tests::lab::{PhsSettings, PtaAgent, PtaSettings, RunningTenant, TenantSettings, person};

#[test]
fn phs_agents_and_applications_reach_a_tenant_through_haproxy_and_nobody_reaches_it_otherwise() {
    let domain = own_domain(20);
    let balancer = Haproxy::claim().unwrap();
    let settings = TenantSettings { balancer: Some(balancer.listen()), ..TenantSettings::default() };
    let tenant = RunningTenant::start_for(&domain, &settings).unwrap();
    balancer.start(&tenant).unwrap();
    // 1. Everybody comes through it. The application may send from this machine's usual address, and the balancer has
    //    another one: so the header counts.
    let phs = Phs::install(&PhsSettings::for_domain(&domain, "entra")).unwrap();
    phs.join(&tenant).unwrap();
    let app = Application::of(&tenant, "road").unwrap();
    let road = Road::of_parts(app, phs, tenant, domain, "entra");
    road.tenant.run(&["apps", "networks", "road", "--add", "127.0.0.1"], None).unwrap().expect_code(0);
    road.once();
    road.assert_everybody_gets_in();
    let agent = PtaAgent::start(&PtaSettings::for_domain(&road.domain), &road.tenant).unwrap();
    road.tenant.wait_for_connections(2, 30).unwrap();
    road.tenant.set_policy("pta").unwrap().expect_code(0);
    let who = person(3);
    road.assert_in(&who.upn, &who.password);
    road.assert_out(&who.upn, &who.wrong_password());
    let agents = road.tenant.agents().unwrap();
    assert!(agents.iter().all(|row| row["enrolled_from"] == "127.0.0.1"), "{agents:?}");
    // 2. Past the balancer there is no way: the connection ends before TLS.
    let past = road.app.at(road.tenant.bound(), &road.tenant.root_certificate()).unwrap();
    let tried = past.sign_in(&landbridge_tests::lab::Try::from(1, &who.upn, &who.password));
    assert!(tried.is_err(), "{tried:?}");
    // 3. Its health check sees the tenant go and come.
    road.tenant.kill();
    wait_until("the balancer to miss it", 30, || !balancer.finds_the_tenant(), String::new).unwrap();
    road.tenant.serve().unwrap();
    wait_until("the balancer to find it", 30, || balancer.finds_the_tenant(), String::new).unwrap();
    road.tenant.wait_for_connections(2, 30).unwrap();
    road.assert_in(&who.upn, &who.password);
    drop(agent);
    balancer.kill();
}
