//! A tenant of several nodes, as phs sees it: it sends to one at a time, and to the next when that one is gone.

use crate::stage::{Road, shared_domain};
use landbridge_agent::{Identity, nodes};
use landbridge_tests::lab::forwarder::Forwarder;
use landbridge_wire::bounded::Text;
use landbridge_wire::enroll::Token;

const USERS: u32 = 50;

impl Road {
    /// The nodes that phs has stored.
    fn stored_nodes(&self) -> Vec<String> {
        nodes::load(self.phs.state(), &Identity::load(self.phs.state()).unwrap())
    }

    /// Stores these nodes, as if the tenant had named them.
    fn store_nodes(&self, urls: &[&str]) {
        let agent = Identity::load(self.phs.state()).unwrap().agent;
        nodes::learn(self.phs.state(), agent, urls.iter().copied());
        assert_eq!(self.stored_nodes(), urls);
    }
}

#[test]
fn phs_finds_its_tenant_although_the_node_of_its_enrolment_is_gone() {
    let road = Road::new(shared_domain(USERS), "entra");
    let own = road.tenant.bound();
    let gone = Forwarder::start(own.ip(), Some(own)).unwrap();
    let mut token = Token::parse(&road.tenant.token().unwrap()).unwrap();
    token.url = Text::new(gone.url()).unwrap();
    let enrolled = road.phs.run(&["enroll", "--replace"], Some(token.to_text().as_bytes())).unwrap();
    assert!(enrolled.expect_code(0).stdout.contains(&gone.url()));
    road.tenant.approve_all().unwrap();
    assert_eq!(road.stored_nodes(), [road.tenant.url()]);
    drop(gone);
    assert!(road.once()["digests_sent"].as_u64().unwrap() > 0);
    // The daemon as well, with its heartbeats.
    let _daemon = road.phs.run_daemon().unwrap();
    let status = road.wait_for_status("an answered heartbeat", |status| {
        !status["heartbeat_at"].is_null() && !status["complete"].is_null()
    });
    assert_eq!(status.json()["nodes"][0], road.tenant.url());
    let said = road.phs.run(&["status"], None).unwrap().stdout;
    assert!(said.contains(&format!("requests go to {}", road.tenant.url())), "{said}");
}

#[test]
fn phs_whose_first_node_is_dead_sends_to_the_second_and_learns_what_that_one_names() {
    let road = Road::new(shared_domain(USERS), "entra");
    let dead = Forwarder::start(road.tenant.bound().ip(), None).unwrap();
    let own = road.tenant.url();
    road.store_nodes(&[&dead.url(), &own]);
    // `check` names each node, and changes nothing.
    let checked = road.phs.run(&["check"], None).unwrap();
    assert!(checked.stdout.contains(&format!("{own} takes uploads from this agent")), "{checked}");
    assert!(checked.stdout.contains("another node takes uploads"), "{checked}");
    assert_eq!(road.stored_nodes(), [dead.url(), own.clone()]);
    let tried = dead.accepted();
    assert!(road.once()["digests_sent"].as_u64().unwrap() > 0);
    assert!(dead.accepted() > tried, "the first node of the list was not tried");
    assert_eq!(road.stored_nodes(), std::slice::from_ref(&own));
    // A list of dead nodes alone: the URL of the enrolment is tried last.
    road.store_nodes(&[&dead.url()]);
    road.once();
    assert_eq!(road.stored_nodes(), std::slice::from_ref(&own));
    // A renewal, too, is made at a node that can be reached.
    let identity = Identity::load(road.phs.state()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let process = std::sync::Arc::new(landbridge_agent::ProcessKey::generate().unwrap());
    let means = landbridge_agent::enroll::Means::default();
    let (tried, order) = (dead.accepted(), [dead.url(), own.clone()]);
    let renewing = landbridge_agent::renew::renew(road.phs.state(), &identity, &order, &means, &process);
    let renewed = runtime.block_on(renewing).unwrap();
    assert_ne!(renewed.identity.certificate, identity.certificate);
    assert_eq!((renewed.nodes, dead.accepted() > tried), (vec![own], true));
}
