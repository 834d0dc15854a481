//! A domain whose names no textbook has and AD takes: an underscore in the DNS name, `AT&T` as the NetBIOS name. By digest
//! and through an agent.

use crate::stage::Road;
use landbridge_tests::lab::population::ODD_NAMES;
use landbridge_tests::lab::{Domain, Population, PtaAgent, PtaSettings};
use std::sync::Arc;

#[test]
fn people_of_a_domain_with_an_underscore_and_at_t_sign_in_by_every_name_by_digest_and_through_an_agent() {
    let domain = Arc::new(Domain::start(Population::of(30).named(ODD_NAMES)).unwrap());
    let road = Road::new(domain.clone(), "entra");
    let people: Vec<_> = domain.population().people().collect();
    let (one, other) = (&people[3], &people[4]);
    // 1. By digest.
    let said = road.phs.run(&["check"], None).unwrap().expect_code(0).stdout;
    assert!(said.contains("dc1.my_corp.example.com answers") && !said.contains("FAIL"), "{said}");
    let summary = road.once();
    assert_eq!((&summary["refused"], &summary["quarantined"]), (&0.into(), &0.into()), "{summary}");
    road.assert_everybody_gets_in();
    let names =
        |sam: &str| [format!("AT&T\\{sam}"), format!("at&t\\{sam}"), format!("{sam}@my_corp.example.com")];
    for name in names(&one.sam) {
        road.assert_in(&name, &one.password);
        road.assert_out(&name, &one.wrong_password());
    }
    assert!(one.upn.ends_with("@my_corp.example.com"));
    let answer = road.sign_in(&one.upn, &one.password);
    assert_eq!(answer.body["domain"], "my_corp.example.com", "{answer:?}");
    domain.set_password(&other.sam, "changed at AT&T").unwrap();
    assert_eq!(road.once()["mode"], "incremental");
    road.assert_in(&other.upn, "changed at AT&T");
    // 2. Through an agent, by the DC's certificate for that name.
    let agent = PtaAgent::start(&PtaSettings::for_domain(&domain), &road.tenant).unwrap();
    road.tenant.wait_for_connections(2, 30).unwrap();
    agent.run_to_end(&["check"], None).unwrap().expect_code(0);
    road.tenant.set_policy("pta").unwrap().expect_code(0);
    domain.set_password(&other.sam, "known in AD alone").unwrap();
    road.assert_in(&format!("AT&T\\{}", other.sam), "known in AD alone");
    road.assert_out(&other.upn, "changed at AT&T");
    drop(agent);
}
