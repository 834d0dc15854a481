//! A tenant of two real nodes on a real PostgreSQL, behind a real HAProxy: people sign in while processes are killed, the
//! primary of the database among them, whose synchronous replica is promoted then.
//! `LANDBRIDGE_SEED=n` kills in the same order again; `LANDBRIDGE_SOAK=1` goes on for ten minutes.

use crate::cluster::Cluster;
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::trial::{Draw, seed, size};
use landbridge_tests::lab::{Application, Door, DoorClient, Ended, Person, Try, person};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// People of the domain. The last ones type wrong passwords.
const PEOPLE: u32 = 50;
const WRONG: u32 = 10;
/// What is killed.
const KINDS: [&str; 6] =
    ["the first node", "the second node", "an agent", "an agent", "phs", "the database's primary"];
/// Clients that sign people in by the API at the same time. One more does by LDAP, and one by OpenID Connect.
const CLIENTS: u32 = 4;
/// Time until what was killed runs again.
const GONE: Duration = Duration::from_secs(2);
/// A client tries a sign-in that was lost again and again for this long: a node that is gone is found, and an agent asked
/// again, within seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the clients have seen.
#[derive(Default)]
struct Seen {
    accepted: AtomicU32,
    refused: AtomicU32,
    /// Sign-ins that had no answer, or "unavailable", and were tried again.
    lost: AtomicU32,
    /// The longest time that one person needed until the answer, in milliseconds.
    longest: AtomicU32,
}

/// Signs people in until `done`. A right password is never refused and a wrong one never accepted; a sign-in that was lost is
/// tried again until it has an answer.
fn sign_in_until(
    done: &AtomicBool,
    client: u32,
    seed: u64,
    seen: &Seen,
    mut sign_in: impl FnMut(u32, &Person, &str) -> Ended,
) {
    let mut draw = Draw::new(seed ^ u64::from(client) << 32);
    let mut number = client << 16;
    while !done.load(Ordering::Relaxed) {
        let n = u32::try_from(draw.below(usize::try_from(PEOPLE).unwrap())).unwrap();
        let (who, is_wrong) = (person(n), n >= PEOPLE - WRONG);
        number += 1;
        let password = if is_wrong { format!("wrong {number}") } else { who.password.clone() };
        let began = Instant::now();
        loop {
            match sign_in(number, &who, &password) {
                Ended::Accepted => {
                    assert!(!is_wrong, "seed {seed}: a wrong password of {} was accepted", who.sam);
                    seen.accepted.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Ended::Refused => {
                    assert!(is_wrong, "seed {seed}: {} was refused", who.sam);
                    seen.refused.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Ended::Lost => {}
            }
            seen.lost.fetch_add(1, Ordering::Relaxed);
            assert!(began.elapsed() < PATIENCE, "seed {seed}: {} had no answer for {PATIENCE:?}", who.sam);
            std::thread::sleep(Duration::from_millis(100));
        }
        let took = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        seen.longest.fetch_max(took, Ordering::Relaxed);
    }
}

/// One sign-in by the API.
fn by_api(app: &Application, number: u32, who: &Person, password: &str) -> Ended {
    match app.sign_in(&Try::from(number, &who.upn, password)) {
        Ok(answer) if answer.accepted() => Ended::Accepted,
        Ok(answer) if answer.status == 403 => Ended::Refused,
        Ok(answer) => {
            assert_eq!(answer.status, 503, "{:?}", answer.body);
            Ended::Lost
        }
        // The connection ended without an answer.
        Err(_) => Ended::Lost,
    }
}

/// Runs `meanwhile` while clients sign people in by each door. Returns what each kind of client has seen, and prints it.
fn while_people_sign_in(stage: &Cluster, seed: u64, meanwhile: impl FnOnce()) -> [Seen; 3] {
    let (seen, done): ([Seen; 3], _) = (Default::default(), AtomicBool::new(false));
    std::thread::scope(|threads| {
        for client in 1..=CLIENTS {
            let (app, seen, done) = (&stage.app, &seen[0], &done);
            threads.spawn(move || {
                sign_in_until(done, client, seed, seen, |number, who, password| {
                    by_api(app, number, who, password)
                });
            });
        }
        for (client, door) in [(CLIENTS + 1, Door::Ldap), (CLIENTS + 2, Door::Oidc)] {
            let (seen, done) = (&seen[if door == Door::Ldap { 1 } else { 2 }], &done);
            let mut doors = DoorClient::start(&stage.doors, stage.domain.folder()).unwrap();
            threads.spawn(move || {
                sign_in_until(done, client, seed, seen, |_, who, password| {
                    doors.sign_in(door, &who.upn, password).unwrap()
                });
            });
        }
        // A panic here must end the clients as well.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(meanwhile));
        done.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    for (door, seen) in ["API", "LDAP", "OpenID Connect"].iter().zip(&seen) {
        let [accepted, refused, lost, longest] = [&seen.accepted, &seen.refused, &seen.lost, &seen.longest]
            .map(|count| count.load(Ordering::Relaxed));
        println!(
            "{door}: {accepted} accepted, {refused} refused, {lost} lost and tried again, {longest} ms at most until an answer"
        );
        assert!(accepted > 0 && refused > 0, "{door}");
    }
    seen
}

/// The people whose passwords were changed: of those who type wrong ones.
#[derive(Default)]
struct Changed {
    people: BTreeMap<u32, Person>,
    count: u32,
}

impl Changed {
    fn change(&mut self, stage: &Cluster) {
        let mut who = person(PEOPLE - 1 - self.count % WRONG);
        who.password = format!("Changed-{}-times-before-1", self.count);
        self.count += 1;
        stage.domain.set_password(&who.sam, &who.password).unwrap();
        self.people.insert(who.index, who);
    }

    fn password_of<'a>(&'a self, who: &'a Person) -> &'a str {
        &self.people.get(&who.index).unwrap_or(who).password
    }
}

/// The primary is killed when phs has just sent a changed password, and the replica is promoted. Then it has a replica again.
fn fail_over(stage: &Cluster, changed: &mut Changed) {
    let stored = || {
        stage.database.ask(
            stage.primary(),
            "SELECT md5(string_agg(encode(stamp, 'hex'), '' ORDER BY number)) FROM landbridge.digests",
        )
    };
    let before = stored();
    changed.change(stage);
    wait_until("phs to send a changed password", 60, || stored() != before, String::new).unwrap();
    stage.database.kill(stage.primary());
    std::thread::sleep(GONE);
    stage.promote();
    stage.wait_for_locks();
    stage.add_replica();
}

#[test]
fn sign_ins_go_on_while_nodes_agents_phs_and_the_database_are_killed_and_all_agree_at_the_end() {
    let stage = Cluster::new(PEOPLE, 1000, |_| ());
    let seed = seed();
    let began = Instant::now();
    // Each is killed once, in an order of chance; in the long form again and again.
    let (pause, lasts) =
        size((Duration::from_secs(2), Duration::ZERO), (Duration::from_secs(5), Duration::from_secs(600)));
    let mut killed: BTreeMap<&str, u32> = BTreeMap::new();
    let mut changed = Changed::default();
    let mut daemon = Some(stage.phs.run_daemon().unwrap());
    let seen = while_people_sign_in(&stage, seed, || {
        let mut draw = Draw::new(seed);
        let mut left: Vec<usize> = (0..KINDS.len()).collect();
        while !left.is_empty() {
            std::thread::sleep(pause);
            let which = left.swap_remove(draw.below(left.len()));
            if left.is_empty() && began.elapsed() < lasts {
                left = (0..KINDS.len()).collect();
            }
            let at = Instant::now();
            *killed.entry(KINDS[which]).or_default() += 1;
            match which {
                0 | 1 => {
                    stage.nodes[which].kill();
                    std::thread::sleep(GONE);
                    stage.nodes[which].serve().unwrap();
                }
                2 | 3 => {
                    stage.agents[which - 2].kill();
                    std::thread::sleep(GONE);
                    stage.agents[which - 2].run().unwrap();
                }
                4 => {
                    // A password changes while phs is gone.
                    drop(daemon.take());
                    changed.change(&stage);
                    std::thread::sleep(GONE);
                    daemon = Some(stage.phs.run_daemon().unwrap());
                }
                _ => fail_over(&stage, &mut changed),
            }
            stage.wait_for_all();
            println!("{} killed, and all back after {} ms", KINDS[which], at.elapsed().as_millis());
        }
    });
    drop(daemon);
    println!("seed {seed}, {} s, killed {killed:?}", began.elapsed().as_secs());
    // Each answer that a client received is in the audit log.
    let sum =
        |of: fn(&Seen) -> &AtomicU32| seen.iter().map(|seen| of(seen).load(Ordering::Relaxed)).sum::<u32>();
    let (accepted, refused) = (sum(|seen| &seen.accepted), sum(|seen| &seen.refused));
    for (action, answers) in [("signin-accepted", accepted), ("signin-refused", refused)] {
        let count = format!("SELECT count(*) FROM landbridge.audit WHERE action = '{action}'");
        let entries: u32 = stage.database.ask(stage.primary(), &count).parse().unwrap();
        assert!(entries >= answers, "seed {seed}: {entries} entries {action} for {answers} answers");
    }
    // Tenant and domain agree, password by password, by agents and by digests, at each node.
    stage.phs.once(&[]).unwrap().expect_code(0);
    let everyone = |people: u32, number: u32| {
        (0..people)
            .map(move |n| (number + n, person(n)))
            .map(|(number, who)| Try::from(number, &who.upn, changed.password_of(&who)))
    };
    let everyone = &everyone;
    // Of those who typed wrong passwords AD's budget may be spent: no agent is asked about them.
    for (policy, people, number) in [("pta", PEOPLE - WRONG, 0x00ff_0000), ("phs", PEOPLE, 0x00fe_0000)] {
        stage.nodes[0].set_policy(policy).unwrap().expect_code(0);
        for (at, node) in stage.at_nodes.iter().enumerate() {
            let tries: Vec<Try> = everyone(people, number + 1000 * u32::try_from(at).unwrap()).collect();
            for (what, answer) in tries.iter().zip(node.sign_all_in(&tries, 4).unwrap()) {
                assert!(
                    answer.accepted(),
                    "seed {seed}, {policy}, node {at}: {} {:?}",
                    what.user,
                    answer.body
                );
            }
        }
    }
}

/// `LANDBRIDGE_BEFORE` names the folder of the older version's programs.
#[test]
#[ignore = "needs the programs of an older version: make upgrade-nodes"]
fn nodes_are_upgraded_one_after_the_other_while_people_sign_in() {
    let before = std::env::var_os("LANDBRIDGE_BEFORE").expect("LANDBRIDGE_BEFORE names no folder");
    let stage = Cluster::of_version(Some(before.into()), PEOPLE, 1000, |_| ());
    let seed = seed();
    let old = stage.nodes[0].run(&["--version"], None).unwrap().expect_code(0).stdout;
    while_people_sign_in(&stage, seed, || {
        for node in &stage.nodes {
            std::thread::sleep(GONE);
            node.stop().unwrap().expect_code(0);
            node.programs.set(None);
            node.serve().unwrap();
            stage.wait_for_all();
        }
        std::thread::sleep(GONE);
    });
    let new = stage.nodes[0].run(&["--version"], None).unwrap().expect_code(0).stdout;
    println!("from {} to {}", old.trim(), new.trim());
    // Nothing is left to be done.
    let listed = stage.nodes[0].run(&["nodes", "list"], None).unwrap().expect_code(0);
    assert!(!listed.stdout.contains("waits for nodes"), "{listed}");
    let versions = "SELECT version = oldest FROM landbridge.schema_version";
    let is_done = || stage.database.ask(stage.primary(), versions);
    wait_until("the upgrade of the tables to end", 60, || is_done() == "t", is_done).unwrap();
}
