//! A tenant of two nodes that loses a part without the part's end: a node is frozen, a node is cut off from the database or
//! from the agents, the database's primary or its replica is frozen. No wrong answer is given, and all of it comes back by itself.

use crate::cluster::Cluster;
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::{Application, LabError, Person, Try, person};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const PEOPLE: u32 = 50;
/// A client gives up after this, as applications do, and tries again.
const CLIENT: Duration = Duration::from_secs(15);

/// Signs a person in with the right password, or with a wrong one. Each comes from a source of its own.
fn sign_in(app: &Application, who: &Person, is_right: bool) -> Result<u16, LabError> {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let wrong = format!("wrong {number}");
    let password = if is_right { &who.password } else { &wrong };
    let answer = app.with_patience(CLIENT).sign_in(&Try::from(number, &who.upn, password))?;
    match answer.status {
        200 => assert!(is_right, "a wrong password of {} was accepted", who.sam),
        403 => assert!(!is_right, "{} was refused: {:?}", who.sam, answer.body),
        status => assert_eq!(status, 503, "{:?}", answer.body),
    }
    Ok(answer.status)
}

/// Right and wrong passwords are decided here, at last.
#[track_caller]
fn wait_for_decisions(app: &Application, what: &str) {
    let began = Instant::now();
    let decides = || {
        let right = sign_in(app, &person(1), true).ok();
        right == Some(200) && sign_in(app, &person(2), false).ok() == Some(403)
    };
    wait_until(&format!("decisions {what}"), 60, decides, String::new).unwrap();
    println!("decisions {what}: after {} ms", began.elapsed().as_millis());
}

/// No sign-in is decided here, with a right password or with a wrong one.
#[track_caller]
fn expect_unavailable(app: &Application, what: &str) {
    let status = |n, is_right| {
        let began = Instant::now();
        let status = sign_in(app, &person(n), is_right).unwrap();
        println!("{status} {what}: after {} ms", began.elapsed().as_millis());
        status
    };
    let both = std::thread::scope(|threads| {
        let wrong = threads.spawn(|| status(4, false));
        (status(3, true), wrong.join().unwrap())
    });
    assert_eq!(both, (503, 503), "{what}");
}

/// The second node is not ready, and names the database as the reason. The balancer leaves it.
#[track_caller]
fn wait_until_unready(cluster: &Cluster) {
    let said = || cluster.nodes[1].readiness();
    let unready = || said().is_ok_and(|(ready, reasons)| !ready && reasons.contains("postgres://"));
    wait_until("the node not to be ready", 30, unready, || format!("{:?}", said())).unwrap();
    cluster.wait_for_nodes(1);
}

/// A sign-in that waits in a frozen node is decided by what is true when the node goes on.
fn a_frozen_node(cluster: &Cluster) {
    let (blocked, second) = (person(10), &cluster.at_nodes[1]);
    assert_eq!(sign_in(second, &blocked, true).unwrap(), 200);
    cluster.nodes[1].freeze(true);
    std::thread::scope(|threads| {
        let what = Try::from(0x0f_0000, &blocked.upn, &blocked.password);
        let waiting = threads.spawn(move || second.sign_in(&what));
        cluster.wait_for_nodes(1);
        wait_for_decisions(&cluster.app, "by the balancer while a node is frozen");
        cluster.nodes[0].run(&["users", "block", &blocked.upn], None).unwrap().expect_code(0);
        cluster.nodes[1].freeze(false);
        let answer = waiting.join().unwrap();
        assert!(answer.is_ok_and(|answer| !answer.accepted()), "the account was blocked meanwhile");
    });
    cluster.wait_for_all();
    wait_for_decisions(second, "at a node that was frozen");
    cluster.wait_for_locks();
}

fn a_node_without_database(cluster: &Cluster) {
    let (second, ways) = (&cluster.at_nodes[1], &cluster.to_database[1]);
    let ports = cluster.database.ports();
    for silent in [false, true] {
        let what = if silent { "with a silent database" } else { "without a database" };
        for way in ways {
            if silent { way.silence(true) } else { way.lead_to(None) }
        }
        expect_unavailable(second, what);
        wait_until_unready(cluster);
        wait_for_decisions(&cluster.app, "by the balancer while a node is cut off from the database");
        for (way, port) in ways.iter().zip(ports) {
            if silent {
                way.silence(false)
            } else {
                way.lead_to(port.map(|port| ([127, 0, 0, 1], port).into()))
            }
        }
        cluster.wait_for_all();
        wait_for_decisions(second, "at a node that has the database again");
        cluster.wait_for_locks();
    }
}

fn a_node_without_agents(cluster: &Cluster) {
    let second = &cluster.at_nodes[1];
    cluster.to_second.lead_to(None);
    cluster.wait_for_agents(1);
    expect_unavailable(second, "without agents");
    // Where no agent is at all, no node would be ready.
    let (ready, said) = cluster.nodes[1].readiness().unwrap();
    assert!(ready && said.contains(cluster.domain.name()), "{said}");
    assert_eq!(cluster.haproxy.nodes_up(), 2);
    // Digests still decide there.
    cluster.nodes[0].set_policy("pta-then-phs").unwrap().expect_code(0);
    wait_for_decisions(second, "by digests without agents");
    cluster.nodes[0].set_policy("pta").unwrap().expect_code(0);
    cluster.to_second.lead_to(Some(cluster.nodes[1].bound()));
    cluster.wait_for_all();
    wait_for_decisions(second, "with agents again");
}

/// The replica is frozen: what is not on its disk is not acknowledged.
fn a_frozen_replica(cluster: &Cluster) {
    let replica = 1 - cluster.primary();
    cluster.database.freeze(replica, true);
    std::thread::scope(|threads| {
        for node in &cluster.at_nodes {
            threads.spawn(|| expect_unavailable(node, "without the replica"));
        }
    });
    cluster.database.freeze(replica, false);
    cluster.wait_for_all();
    wait_for_decisions(&cluster.app, "with the replica again");
}

/// The primary is frozen: its port takes connections, and nothing answers. The replica is promoted. What goes on later at the old
/// primary acknowledges nothing, because its replica is gone.
fn a_frozen_primary(cluster: &Cluster) {
    let old = cluster.primary();
    cluster.database.freeze(old, true);
    cluster.wait_for_nodes(0);
    println!("no node is ready");
    cluster.promote();
    for (node, name) in cluster.at_nodes.iter().zip(["first", "second"]) {
        wait_for_decisions(node, &format!("at the {name} node after a fail-over from a frozen primary"));
    }
    cluster.wait_for_all();
    cluster.wait_for_locks();
    cluster.database.freeze(old, false);
    wait_for_decisions(&cluster.app, "while the old primary goes on");
    // A node that is started now finds the old primary first.
    let second = &cluster.at_nodes[1];
    cluster.nodes[1].kill();
    cluster.nodes[1].serve().unwrap();
    expect_unavailable(second, "at the old primary");
    cluster.database.kill(old);
    wait_for_decisions(second, "at a node that was started at the old primary");
    cluster.wait_for_all();
    cluster.wait_for_locks();
    cluster.add_replica();
    wait_for_decisions(&cluster.app, "with a new replica");
}

#[test]
fn a_lost_part_costs_no_wrong_answer_and_comes_back_by_itself() {
    let cluster = Cluster::new(PEOPLE, 1000, |_| ());
    a_frozen_node(&cluster);
    a_node_without_database(&cluster);
    a_node_without_agents(&cluster);
    a_frozen_replica(&cluster);
    a_frozen_primary(&cluster);
}
