//! What holds for PostgreSQL: two nodes at one row, connections that end, the move from a file and back.

use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::lockout::Source;
use landbridge_tenant_store::backup;
use landbridge_tenant_store::facts::{self, Origin};
use landbridge_tenant_store::tables::{audit, changes, domains, tenant};
use landbridge_tenant_store::{
    Location, RawValue, Reading, ServerAddress, ServerTrouble, Store, StoreError, Writing, transfer,
};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A tenant on a server, whatever engine the other tests use.
fn on_server() -> (Location, Store) {
    let at = postgres::database();
    let store = Store::create(at.clone(), keys(), Uuid::from_u128(9), NOW).unwrap();
    (at, store)
}

fn server(at: &Location) -> &ServerAddress {
    let Location::Server(address) = at else { panic!("{at:?}") };
    address
}

fn trouble<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> ServerTrouble {
    let error = answer.unwrap_err();
    if let StoreError::Server { trouble, .. } = error { trouble } else { panic!("{error}") }
}

#[test]
fn of_two_nodes_that_count_at_one_row_none_loses_a_count() {
    const EACH: i64 = 200;
    let (at, store) = on_server();
    store.write("test", |t| t.raw_execute("UPDATE tenant SET changed = 0", &[])).unwrap();
    let nodes = [Arc::new(store), Arc::new(Store::open(at, keys()).unwrap())];
    let count = |store: &Store| {
        store.write_short("count", |t| {
            // Read, then written: the order in which a lost update shows.
            let rows = t.raw_rows("SELECT changed FROM tenant", &[])?;
            let RawValue::Integer(before) = rows[0][0] else { panic!("{rows:?}") };
            t.raw_execute("UPDATE tenant SET changed = ?1", &[RawValue::Integer(before + 1)])
        })
    };
    std::thread::scope(|threads| {
        for node in &nodes {
            threads.spawn(|| (0..EACH).for_each(|_| assert_eq!(count(node).unwrap(), 1)));
        }
    });
    let rows = nodes[0].read(|c| c.raw_rows("SELECT changed FROM tenant", &[])).unwrap();
    assert_eq!(rows, [[RawValue::Integer(2 * EACH)]]);
    let repeated: u64 =
        nodes.iter().flat_map(|node| node.transactions()).map(|(_, counts)| counts.repeated).sum();
    assert!(repeated > 0, "they have met");
}

#[test]
fn a_transaction_whose_connection_is_cut_runs_again_and_commits_once() {
    let (at, store) = on_server();
    let runs = std::cell::Cell::new(0);
    store
        .write("cut", |t| {
            runs.set(runs.get() + 1);
            audit::append(t, NOW, "tenant", "tried", "", "")?;
            if runs.get() == 1 {
                let rows = t.raw_rows("SELECT pg_backend_pid()", &[])?;
                let RawValue::Integer(process) = rows[0][0] else { panic!("{rows:?}") };
                postgres::Server::shared()
                    .run_as_superuser(&format!("SELECT pg_terminate_backend({process})"));
            }
            t.raw_rows("SELECT 1", &[])
        })
        .unwrap();
    assert_eq!(runs.get(), 2);
    let count = store.read(|c| c.raw_rows("SELECT count(*) FROM audit", &[])).unwrap();
    assert_eq!(count, [[RawValue::Integer(1)]]);
    // All idle connections of a store that are cut are replaced at the next call.
    let other = Store::open(at, keys()).unwrap();
    let name = other.read(|c| c.raw_rows("SELECT current_database()", &[])).unwrap();
    let RawValue::Text(name) = &name[0][0] else { panic!("{name:?}") };
    postgres::Server::shared().run_as_superuser(&format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"
    ));
    for _ in 0..3 {
        assert!(other.read(domains::all).unwrap().is_empty());
    }
}

#[test]
fn a_database_is_made_once_opened_by_a_plain_role_alone_and_only_where_a_tenant_is() {
    let (at, _store) = on_server();
    assert_eq!(trouble(Store::create(at, keys(), Uuid::nil(), NOW)), ServerTrouble::AlreadyThere);
    assert_eq!(trouble(Store::open(postgres::database(), keys())), ServerTrouble::Missing);
    let server = postgres::Server::shared();
    assert_eq!(
        trouble(Store::open(server.location("landbridge", "absent"), keys())),
        ServerTrouble::NoDatabase
    );
    assert_eq!(
        trouble(Store::open(server.location("postgres", "postgres"), keys())),
        ServerTrouble::Superuser
    );
    assert_eq!(trouble(Store::open(server.location("unknown", "postgres"), keys())), ServerTrouble::Refused);
}

#[test]
fn by_tls_the_server_proves_its_name_and_the_role_its_password() {
    let server = postgres::Server::shared();
    let opened = |host: &str, password: Option<&str>, roots: &str| {
        let url = server.url_by_tls(host);
        let address = ServerAddress::parse(&url, password.map(str::as_bytes), roots.as_bytes()).unwrap();
        Store::create(Location::Server(Box::new(address)), keys(), Uuid::from_u128(9), NOW)
    };
    let (right, ca) = (Some(postgres::PASSWORD), server.ca.as_str());
    opened("localhost", right, ca).unwrap();
    assert_eq!(trouble(opened("localhost", Some("wrong"), ca)), ServerTrouble::Refused);
    assert_eq!(trouble(opened("localhost", None, ca)), ServerTrouble::Refused);
    // Another name, and another CA.
    let other = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap();
    for (host, roots) in [("127.0.0.1", ca), ("localhost", other.as_str())] {
        assert!(matches!(trouble(opened(host, right, roots)), ServerTrouble::Certificate(_)), "{host}");
    }
    // Whatever the URL says of TLS.
    let url = format!("{}?sslmode=disable", server.url_by_tls("localhost"));
    let address = ServerAddress::parse(&url, Some(b"wrong"), other.as_bytes()).unwrap();
    let refused = Store::open(Location::Server(Box::new(address)), keys());
    assert!(matches!(trouble(refused), ServerTrouble::Certificate(_)));
}

#[test]
fn a_server_of_a_cluster_that_takes_connections_and_never_answers_does_not_hide_the_others() {
    let server = postgres::Server::shared();
    // The kernel accepts connections, as it does for a server whose processes are frozen.
    let frozen = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = frozen.local_addr().unwrap().port();
    let url = server.url_by_tls("localhost").replace("@localhost:", &format!("@localhost:{port},localhost:"));
    let password = Some(postgres::PASSWORD.as_bytes());
    let address = ServerAddress::parse(&url, password, server.ca.as_bytes()).unwrap();
    let at = Location::Server(Box::new(address));
    Store::create(at, keys(), Uuid::from_u128(9), NOW).unwrap();
}

#[test]
fn one_process_at_a_time_serves_as_a_node_and_one_does_the_chores() {
    let (at, store) = on_server();
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    store.hold(first).unwrap();
    store.hold(first).unwrap();
    let other = Store::open(at.clone(), keys()).unwrap();
    assert_eq!(trouble(other.hold(first)), ServerTrouble::Served);
    // Another node serves beside it, and the first that asks does the chores.
    other.hold(second).unwrap();
    assert_eq!((store.does_chores().unwrap(), other.does_chores().unwrap()), (true, false));
    drop(store);
    // The server notices the end of the first one when it reads it.
    let began = Instant::now();
    while !other.does_chores().unwrap() {
        assert!(began.elapsed().as_secs() < 30, "the lock of a process that has ended");
    }
    Store::open(at, keys()).unwrap().hold(first).unwrap();
}

#[test]
fn a_change_is_noticed_by_another_process_and_a_sign_in_is_none() {
    let (at, store) = on_server();
    let other = Store::open(at, keys()).unwrap();
    other.hold(Uuid::new_v4()).unwrap();
    let before = other.last_change();
    let long = Duration::from_secs(30);
    let waited = |change: &dyn Fn()| {
        std::thread::scope(|threads| {
            let waiting = threads.spawn(|| {
                let began = Instant::now();
                other.wait_for_notice(long);
                began.elapsed()
            });
            change();
            waiting.join().unwrap()
        })
    };
    let took = waited(&|| store.write("test", changes::note_settings).unwrap());
    assert!(took < long / 2, "{took:?}");
    assert_eq!(other.read_last_change().unwrap(), store.last_change());
    assert!(other.last_change() > before);
    // What has no number wakes nobody.
    let note = |writing: &Writing<'_>| audit::append(writing, 1, "test", "test", "", "");
    store.write_short("test", note).unwrap();
    let began = Instant::now();
    other.wait_for_notice(Duration::from_millis(300));
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(other.clock_difference().unwrap().abs() < 1000, "one machine has one clock");
}

#[test]
fn a_url_with_a_password_or_without_a_user_host_or_database_is_refused_and_not_repeated() {
    for url in [
        "postgres://u:secret@h/d",
        "postgres://u@h/d?password=secret",
        "postgres://h/d",
        "postgres://u@h",
        "postgres://u@/d",
        "postgres://u@h,%2Ftmp/d",
        "postgresql:/secret",
        "secret",
    ] {
        let error = ServerAddress::parse(url, None, b"").unwrap_err().to_string();
        assert!(!error.contains("secret@") && !error.contains("=secret"), "{error}");
        assert!(ServerAddress::check(url).is_err(), "{url}");
    }
    assert!(ServerAddress::check("postgres://u@a.example,b.example:5433/d?sslmode=require").is_ok());
    let without_roots = ServerAddress::parse("postgres://u@h/d", None, b"");
    assert!(matches!(trouble(without_roots), ServerTrouble::Address(_)));
}

#[test]
fn a_tenant_moves_from_a_file_to_a_server_and_back_with_every_row() {
    // 1. A tenant in a file, with people, digests, a photo and texts of all kinds.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tenant.db");
    let old = Tenant::at(directory, Location::from(&file), false);
    old.sends((1..=300).map(|n| user(n, "one")).collect());
    old.store.write("test", |t| audit::append(t, NOW, "tenant", "typed", "a\0b", "ä\n\"'")).unwrap();
    let before = old.dump();
    let generation = old.store.tenant().generation;
    old.store.checkpoint().unwrap();
    // 2. To the server. What was cut off goes on when it is run again.
    let at = postgres::database();
    let cut = catch_unwind(AssertUnwindSafe(|| {
        let each = |done: &transfer::Transferred| assert!(done.table != "digests", "cut on purpose");
        transfer::to_server(&file, server(&at), each, |_| Ok(()))
    }));
    assert!(cut.is_err());
    assert_eq!(trouble(Store::open(at.clone(), keys())), ServerTrouble::Missing, "half a tenant is none");
    let done = transfer::to_server(&file, server(&at), |_| {}, tenant::renew_generation).unwrap();
    let rows = |name: &str| done.iter().find(|table| table.table == name).unwrap().rows;
    assert_eq!((rows("tenant"), rows("digests"), rows("objects")), (1, 300, 300));
    // 3. It is the same tenant, of another generation, and takes uploads: new rows get new numbers.
    let store = Store::open(at.clone(), keys()).unwrap();
    assert_ne!(store.tenant().generation, generation);
    let moved = Tenant {
        directory: tempfile::tempdir().unwrap(),
        location: at.clone(),
        store: Arc::new(store),
        ..old
    };
    let expected: Vec<String> = before.iter().map(|line| line.replace('\0', "\u{fffd}")).collect();
    assert_eq!(moved.dump(), expected);
    moved.sends(vec![user(301, "two")]);
    moved.store.write("test", |t| audit::append(t, NOW, "tenant", "after", "", "")).unwrap();
    assert_eq!(moved.audit().last().unwrap().1, "after");
    // 4. What is not empty is left.
    let again = transfer::to_server(&file, server(&at), |_| {}, |_| Ok(()));
    assert_eq!(trouble(again), ServerTrouble::AlreadyThere);
    let half = postgres::database();
    let cut = catch_unwind(AssertUnwindSafe(|| {
        transfer::to_server(&file, server(&half), |_| panic!("cut on purpose"), |_| Ok(()))
    }));
    assert!(cut.is_err());
    let other = tempfile::tempdir().unwrap();
    let other_file = other.path().join("tenant.db");
    drop(Store::create(&other_file, keys(), Uuid::from_u128(8), NOW).unwrap());
    let other = transfer::to_server(&other_file, server(&half), |_| {}, |_| Ok(()));
    assert_eq!(trouble(other), ServerTrouble::OtherTransfer);
    assert_eq!(trouble(Store::create(half, keys(), Uuid::nil(), NOW)), ServerTrouble::OtherTransfer);
    // 5. A backup is a file, and a file is a tenant's database again.
    let copy = moved.directory.path().join("copy.db");
    let contents = backup::copy(&at, &copy, "test", NOW, |_| {}).unwrap();
    assert_eq!((contents.digests, contents.tenant), (301, Uuid::from_u128(9)));
    let dump = moved.dump();
    let back = Store::open(&copy, keys()).unwrap();
    let back = Tenant { location: Location::from(&copy), store: Arc::new(back), ..moved };
    assert_eq!(back.dump(), dump);
    back.sends(vec![user(302, "three")]);
}

#[test]
fn changes_of_many_things_wait_once_keep_the_order_of_each_and_are_seen_by_what_is_read_between() {
    let (_, store) = on_server();
    let append = |writing: &Writing<'_>, n: u32, what: &str| {
        audit::append(writing, NOW, &format!("actor {n}"), what, "", "")
    };
    // 1. As many round trips for 300 as for 20, once the statements are prepared.
    let all = |count: u32| {
        let before = store.round_trips();
        let change = |writing: &Writing<'_>| {
            writing.change_each(0..count, |n| {
                append(writing, n, "first")?;
                if n % 2 == 0 { append(writing, n, "second") } else { Ok(()) }
            })
        };
        store.write("test", change).unwrap();
        store.round_trips() - before
    };
    all(20);
    assert_eq!(all(20), all(300));
    // 2. The entries of each are in their order. Those of different ones may be mixed.
    let entries = store.read(|reading| audit::newest(reading, 1000)).unwrap();
    assert_eq!(entries.len(), 30 + 30 + 450);
    let of = |n: u32| {
        let newest = entries.iter().filter(move |entry| entry.actor == format!("actor {n}"));
        newest.map(|entry| entry.action.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of(10), ["second", "first"].repeat(3));
    assert_eq!(of(11), ["first"].repeat(3));
    assert_eq!(of(298), ["second", "first"]);
    // 3. What is read while others are gathered sees all that were changed before.
    let seen = RefCell::new(Vec::new());
    let change = |writing: &Writing<'_>| {
        seen.borrow_mut().clear();
        writing.change_each(0..20, |n| {
            append(writing, n, "third")?;
            if n % 10 == 9 {
                let newest = audit::newest(writing, 1000)?;
                let third = newest.iter().filter(|entry| entry.action == "third").count();
                seen.borrow_mut().push(third);
            }
            Ok(())
        })
    };
    store.write("test", change).unwrap();
    assert_eq!(*seen.borrow(), [10, 20]);
    // 4. Nothing is left of changes that failed, and the next ones are not gathered.
    let fails = |writing: &Writing<'_>| {
        writing.change_each(0..20, |n| {
            append(writing, n, "fourth")?;
            if n == 15 { Err(StoreError::Defect("on purpose".to_owned())) } else { Ok(()) }
        })
    };
    assert!(matches!(store.write("test", fails), Err(StoreError::Defect(_))));
    store.write("test", |writing| append(writing, 1, "fifth")).unwrap();
    let newest = store.read(|reading| audit::newest(reading, 2)).unwrap();
    assert_eq!(newest.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["fifth", "third"]);
}

#[test]
fn what_is_asked_ahead_needs_one_round_trip_and_is_asked_again_after_a_write() {
    let (_, store) = on_server();
    let at = |n: u128| format!("actor {n}");
    let append = |writing: &Writing<'_>, n| audit::append(writing, NOW, &at(n), "test", "", "");
    let has = |reading: &Reading<'_>, n| audit::has_lately(reading, "test", &at(n), 0);
    store.write("test", |writing| append(writing, 1)).unwrap();
    // 1. Ten questions, of which each finds its own answer. The first time the statement is prepared, and the one that asks
    //    for many.
    for expected in [3, 1] {
        let before = store.round_trips();
        let found = store.read(|reading| {
            let numbers: Vec<u128> = (0..10).collect();
            reading.ask_of_each_ahead(&numbers, |n| has(reading, *n).map(drop))?;
            numbers.iter().map(|n| has(reading, *n)).collect::<Result<Vec<_>, _>>()
        });
        assert_eq!(found.unwrap(), (0..10).map(|n| n == 1).collect::<Vec<_>>());
        assert_eq!(store.round_trips() - before, expected);
    }
    // 2. What a question asks ahead in turn is sent with it, and what is asked twice is sent once.
    let before = store.round_trips();
    let both = |reading: &Reading<'_>| {
        reading.ask_ahead(&[&|| has(reading, 1).map(drop), &|| has(reading, 2).map(drop)])?;
        Ok((has(reading, 1)?, has(reading, 2)?))
    };
    let found = store.read(|reading| {
        reading.ask_ahead(&[&|| both(reading).map(drop), &|| has(reading, 3).map(drop)])?;
        Ok((both(reading)?, has(reading, 3)?))
    });
    assert_eq!(found.unwrap(), ((true, false), false));
    assert_eq!(store.round_trips() - before, 1);
    // 3. A write of the same transaction is seen by what was asked ahead of it.
    let seen = store.write("test", |writing| {
        writing.ask_ahead(&[&|| has(writing, 2).map(drop)])?;
        append(writing, 2)?;
        has(writing, 2)
    });
    assert!(seen.unwrap());
    // So is one that returns what it has written.
    let seen = store.write("test", |writing| {
        writing.ask_ahead(&[&|| has(writing, 7).map(drop)])?;
        let sql = "INSERT INTO audit (at, actor, action, subject, detail) VALUES (?1, ?2, 'test', '', '') RETURNING id";
        writing.raw_rows(sql, &[RawValue::Integer(NOW), RawValue::Text(at(7))])?;
        has(writing, 7)
    });
    assert!(seen.unwrap());
    // 4. A question that writes, or fails before it asks, is an error, and changes nothing.
    let writes = store.write("test", |writing| writing.ask_ahead(&[&|| append(writing, 3)]));
    assert!(matches!(writes, Err(StoreError::Defect(_))), "{writes:?}");
    let fails = store.read(|reading| reading.ask_ahead(&[&|| Err(StoreError::Conflict)]));
    assert!(matches!(fails, Err(StoreError::Conflict)), "{fails:?}");
    assert!(!store.read(|reading| has(reading, 3)).unwrap());
    // 5. What is not asked again is of no later transaction.
    store.read(|reading| reading.ask_ahead(&[&|| has(reading, 4).map(drop)])).unwrap();
    store.write("test", |writing| append(writing, 4)).unwrap();
    assert!(store.read(|reading| has(reading, 4)).unwrap());
}

#[test]
fn an_error_of_a_question_that_was_sent_ahead_is_returned_where_it_is_asked() {
    let (_, store) = on_server();
    let bad = |reading: &Reading<'_>| {
        reading.raw_rows("SELECT 1 / (count(*) - count(*)) FROM tenant", &[]).map(drop)
    };
    let answer = store.read(|reading| {
        reading.ask_ahead(&[&|| bad(reading)])?;
        bad(reading)
    });
    assert!(answer.is_err());
    // The connection goes on.
    assert!(store.read(changes::last).unwrap().any >= 0);
}

#[test]
fn a_sign_in_reads_no_whole_table_although_the_server_has_no_statistics_yet() {
    let tenant = Tenant::at(tempfile::tempdir().unwrap(), postgres::database(), false);
    for page in 0..8 {
        tenant.sends((1..=250).map(|n| user(page * 250 + n, "right")).collect());
    }
    let keys = keys();
    let source = Source::Unstated;
    let origin =
        Origin { caller: "app", application: None, domains: None, source: &source, now: NOW, keys: &keys };
    let read = |reading: &Reading<'_>| {
        // From the sixth time on the server plans for any parameters.
        for n in 1..=10 {
            let name = format!("user{}@corp.example.com", n * 100);
            let found = facts::of_name(reading, &name, &origin)?;
            assert_eq!(found.facts.subject.account(), Some(object(n * 100)));
        }
        let sql = "SELECT relname FROM pg_stat_xact_user_tables WHERE schemaname = 'landbridge' AND seq_tup_read > 500";
        reading.raw_rows(sql, &[])
    };
    assert_eq!(tenant.store.read(read).unwrap(), Vec::<Vec<RawValue>>::new());
}
