//! A tenant of several nodes, as its agents see it: which they connect to, and what they remember.

use crate::stage::Stage;
use landbridge_agent::{Identity, nodes};
use landbridge_tests::lab::forwarder::Forwarder;
use landbridge_tests::lab::lying_tenant::LyingTenant;
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::{PtaAgent, PtaSettings, person};
use landbridge_wire::bounded::Text;
use landbridge_wire::enroll::Token;
use std::collections::BTreeMap;

/// The nodes to which the running agent connects, and whether it is connected to each.
fn nodes_of(agent: &PtaAgent) -> BTreeMap<String, bool> {
    let status = agent.status();
    let nodes = status.map(|status| status.nodes).unwrap_or_default();
    nodes.into_iter().map(|(url, node)| (url, node.connected)).collect()
}

#[track_caller]
fn wait_for_nodes(agent: &PtaAgent, wanted: &[(&str, bool)]) {
    let wanted = wanted.iter().map(|(url, connected)| ((*url).to_owned(), *connected)).collect();
    let are = || nodes_of(agent) == wanted;
    let said = || {
        let status = agent.status();
        format!("{:?}, not {wanted:?}", status.map(|status| status.nodes))
    };
    wait_until("the agent's nodes", 30, are, said).unwrap();
}

/// The nodes that the agent has stored.
fn stored(agent: &PtaAgent) -> Vec<String> {
    nodes::load(&agent.state(), &Identity::load(&agent.state()).unwrap())
}

#[test]
fn an_agent_finds_its_tenant_although_the_node_of_its_enrolment_is_gone() {
    let stage = Stage::new(50, 0);
    let gone = Forwarder::start(stage.tenant.bound().ip(), Some(stage.tenant.bound())).unwrap();
    let mut token = Token::parse(&stage.tenant.token_for("pta").unwrap()).unwrap();
    token.url = Text::new(gone.url()).unwrap();
    let agent = PtaAgent::install(&PtaSettings::for_domain(&stage.domain)).unwrap();
    agent.enroll(&token.to_text()).unwrap().expect_code(0);
    stage.tenant.approve_all().unwrap();
    assert_eq!(Identity::load(&agent.state()).unwrap().url, gone.url());
    assert_eq!(stored(&agent), [stage.tenant.url()]);
    drop(gone);
    let who = person(1);
    for start in 1..=2 {
        agent.run().unwrap();
        stage.tenant.wait_for_connections(2, 30).unwrap();
        assert!(stage.sign_in(&who, &who.password).accepted(), "start {start}");
        wait_for_nodes(&agent, &[(&stage.tenant.url(), true)]);
        agent.stop().unwrap().expect_code(0);
    }
}

#[test]
fn an_agent_whose_stored_nodes_are_all_gone_comes_back_by_the_url_of_its_enrolment() {
    let stage = Stage::new(50, 1);
    let agent = &stage.agents[0];
    agent.stop().unwrap().expect_code(0);
    let gone = Forwarder::start(stage.tenant.bound().ip(), None).unwrap().url();
    let id = Identity::load(&agent.state()).unwrap().agent;
    nodes::learn(&agent.state(), id, [gone.as_str()]);
    agent.run().unwrap();
    stage.wait_for_all();
    wait_for_nodes(agent, &[(&stage.tenant.url(), true)]);
    assert_eq!(stored(agent), [stage.tenant.url()]);
}

#[test]
fn an_agent_holds_a_connection_to_each_node_keeps_trying_a_dead_one_and_leaves_one_that_is_not_named() {
    let stage = Stage::new(50, 1);
    let agent = &stage.agents[0];
    let (own, ip) = (stage.tenant.url(), stage.tenant.bound().ip());
    let second = Forwarder::start(ip, Some(stage.tenant.bound())).unwrap();
    let dead = Forwarder::start(ip, None).unwrap();
    stage.tenant.kill();
    // A fake, since it names what the test wants.
    let tenant = LyingTenant::take_over(&stage.tenant, &stage.agents, true).unwrap();
    tenant.set_nodes(&[own.clone(), second.url(), dead.url()]);
    let all = [(own.as_str(), true), (&second.url(), true), (&dead.url(), false)];
    wait_for_nodes(agent, &all);
    let tried = dead.accepted();
    wait_until("further attempts", 60, || dead.accepted() >= tried + 3, String::new).unwrap();
    let said = agent.run_to_end(&["status"], None).unwrap().expect_code(0);
    assert!(said.stdout.contains(&format!("connected to {} for", second.url())), "{said}");
    assert!(said.stdout.contains(&format!("not connected to {}: ", dead.url())), "{said}");
    // They are stored for the next start.
    agent.stop().unwrap().expect_code(0);
    let mut urls = [own.clone(), second.url(), dead.url()];
    urls.sort();
    assert_eq!(stored(agent), urls);
    agent.run().unwrap();
    wait_for_nodes(agent, &all);
    // Only one is named: the agent leaves the others.
    tenant.set_nodes(std::slice::from_ref(&own));
    wait_for_nodes(agent, &[(&own, true)]);
    assert_eq!(stored(agent), std::slice::from_ref(&own));
    // An empty list is no change.
    tenant.set_nodes(&[]);
    tenant.set_nodes(&[own.clone(), second.url()]);
    wait_for_nodes(agent, &[(&own, true), (&second.url(), true)]);
}
