//! Who is assigned to an application, by the groups of a real directory: nested, by primary group, by digest and through an
//! agent.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::{Application, PtaAgent, PtaSettings, Try, person};

#[test]
fn the_members_of_an_ad_group_sign_in_through_its_application_and_nobody_else_by_digest_and_through_an_agent()
{
    let road = Road::new(own_domain(20), "entra");
    let (direct, nested, primary, other) = (person(1), person(2), person(3), person(4));
    for name in ["Mail users", "Mail team", "Mail primary"] {
        road.domain.create_group(name).unwrap();
    }
    road.domain.set_member("Mail users", &direct.sam, true).unwrap();
    road.domain.set_member("Mail users", "Mail team", true).unwrap();
    road.domain.set_member("Mail team", &nested.sam, true).unwrap();
    road.domain.set_member("Mail primary", &primary.sam, true).unwrap();
    let sid = road.domain.identity("Mail primary").unwrap().sid;
    let rid: u32 = sid.rsplit_once('-').unwrap().1.parse().unwrap();
    road.domain.set_attributes(&primary.sam, serde_json::json!({"primaryGroupID": rid})).unwrap();
    road.once();
    let mail = Application::of(&road.tenant, "mail").unwrap();
    let group = |name: &str| format!("CORP\\{name}");
    let (users, of_primary) = (group("Mail users"), group("Mail primary"));
    let assign = ["apps", "assign", "mail", "--group", &users, "--group", &of_primary];
    road.tenant.run(&assign, None).unwrap().expect_code(0);
    let accepted = |who: &landbridge_tests::lab::Person| {
        let answer = mail.sign_in(&Try::from(who.index, &who.upn, &who.password)).unwrap();
        assert!(answer.accepted() || answer.refused(), "{answer:?}");
        answer.accepted()
    };
    let all = || [&direct, &nested, &primary, &other].map(accepted);
    // 1. By digest.
    assert_eq!(all(), [true, true, true, false]);
    road.assert_in(&other.upn, &other.password);
    let explained = road.tenant.run(&["apps", "explain", "mail", &nested.upn], None).unwrap().expect_code(0);
    assert!(explained.stdout.contains("yes, as a member of CORP\\Mail users"), "{explained}");
    // 2. AD takes one out of the nested group, and puts another in.
    road.domain.set_member("Mail team", &nested.sam, false).unwrap();
    road.domain.set_member("Mail team", &other.sam, true).unwrap();
    road.once();
    assert_eq!(all(), [true, false, true, true]);
    // 3. Through an agent.
    let agent = PtaAgent::start(&PtaSettings::for_domain(&road.domain), &road.tenant).unwrap();
    road.tenant.wait_for_connections(2, 30).unwrap();
    road.tenant.set_policy("pta").unwrap().expect_code(0);
    assert_eq!(all(), [true, false, true, true]);
    road.assert_in(&nested.upn, &nested.password);
    drop(agent);
}
