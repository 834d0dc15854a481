//! Upgrades on a real server, by programs that know a version to come.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::engine::Connection;
use crate::engine::postgres::address::ServerAddress;
use crate::engine::postgres::database::ServerDatabase;
use crate::error::ServerTrouble;
use crate::tables::nodes;
use landbridge_tenant_fixture::postgres;
use std::sync::mpsc;
use std::time::Duration;

/// A program of the version after this one.
const NEXT: Known = Known {
    version: SCHEMA_VERSION + 1,
    steps: &[Step {
        to: SCHEMA_VERSION + 1,
        add: "ALTER TABLE nodes ADD COLUMN color TEXT NOT NULL DEFAULT 'blue';
              CREATE INDEX nodes_by_color ON nodes(color)",
        take_away: "ALTER TABLE nodes DROP COLUMN software",
    }],
};

/// A tenant in the present version, and two nodes of it.
fn tenant() -> (ServerAddress, [Uuid; 2]) {
    let address = ServerAddress::parse(&postgres::database_url(), None, b"").unwrap();
    ServerDatabase::create(&address, Uuid::from_u128(9), 0).unwrap();
    let ids = [1, 2].map(|n: u128| Uuid::from_u128(n << 100));
    write(&open(&address, KNOWN).unwrap(), |writing| {
        for (n, id) in ids.iter().enumerate() {
            nodes::insert(writing, *id, (&format!("node {n}"), &format!("https://node{n}.test")), 0)?;
        }
        Ok(())
    });
    (address, ids)
}

fn open(address: &ServerAddress, known: Known) -> Result<ServerDatabase, StoreError> {
    ServerDatabase::open_as(address.clone(), known)
}

fn write<T>(database: &ServerDatabase, change: impl Fn(&Writing<'_>) -> Result<T, StoreError>) -> T {
    let change = |connection: Connection<'_>| change(&Writing::of(connection));
    database.write_short(change).unwrap()
}

fn read(database: &ServerDatabase) -> Versions {
    database.read(|connection| versions(&Reading::of(connection))).unwrap().unwrap()
}

fn has_column(database: &ServerDatabase, name: &str) -> bool {
    let sql = "SELECT count(*) FROM information_schema.columns
               WHERE table_schema = 'landbridge' AND table_name = 'nodes' AND CAST(column_name AS TEXT) = ?1";
    let count = database
        .read(|connection| Ok(Reading::of(connection).query_row(sql, [name], |row| row.get::<i64>(0))?));
    count.unwrap() > 0
}

fn is_newer<T>(answer: Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Server { trouble: ServerTrouble::Newer { .. }, .. }))
}

#[test]
fn what_a_new_program_adds_is_there_at_once_and_what_it_takes_away_waits_for_the_last_old_node() {
    let (address, [first, second]) = tenant();
    let old = open(&address, KNOWN).unwrap();
    old.hold(first).unwrap();
    // 1. The first new program adds.
    let new = open(&address, NEXT).unwrap();
    assert_eq!(read(&new), Versions { tables: SCHEMA_VERSION + 1, oldest: SCHEMA_VERSION });
    assert!(has_column(&new, "color") && has_column(&new, "software"));
    new.hold(second).unwrap();
    assert!(!new.finish_upgrade().unwrap(), "an old node serves");
    // 2. Old programs go on, those that start as well; both see what the other one writes.
    write(&old, |writing| nodes::note_seen(writing, first, "old", 7));
    let restarted = open(&address, KNOWN).unwrap();
    let seen = restarted.read(|connection| nodes::find(&Reading::of(connection), first)).unwrap().unwrap();
    assert_eq!((seen.software.as_str(), seen.seen_at), ("old", Some(7)));
    assert!(!old.finish_upgrade().unwrap(), "an old program takes nothing away");
    // 3. The last old node comes back with the new program.
    old.release();
    assert!(!new.finish_upgrade().unwrap(), "it may come back as it was");
    let other = open(&address, NEXT).unwrap();
    other.hold(first).unwrap();
    assert!(other.finish_upgrade().unwrap());
    assert_eq!(read(&new), Versions { tables: SCHEMA_VERSION + 1, oldest: SCHEMA_VERSION + 1 });
    assert!(!has_column(&new, "software"));
    assert!(!new.finish_upgrade().unwrap(), "it is done once");
    // 4. From now on an old program is refused, when it opens the database and when it begins to serve.
    assert!(is_newer(open(&address, KNOWN)));
    other.release();
    assert!(is_newer(old.hold(first)));
    other.hold(first).unwrap();
}

#[test]
fn several_new_programs_at_once_add_once() {
    let (address, _) = tenant();
    std::thread::scope(|scope| {
        let opened: Vec<_> = (0..4).map(|_| scope.spawn(|| open(&address, NEXT).map(drop))).collect();
        for opened in opened {
            opened.join().unwrap().unwrap();
        }
    });
    assert!(has_column(&open(&address, NEXT).unwrap(), "color"));
}

#[test]
fn an_upgrade_waits_for_a_long_transaction_and_others_go_on() {
    let (address, [first, _]) = tenant();
    let (old, other) = (open(&address, KNOWN).unwrap(), open(&address, KNOWN).unwrap());
    let (begun, has_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let (old, address) = (&old, &address);
        scope.spawn(move || {
            let long = |connection: Connection<'_>| {
                nodes::note_seen(&Writing::of(connection), first, "old", 1)?;
                begun.send(()).unwrap();
                may_end.recv().unwrap();
                Ok(())
            };
            old.write(long).unwrap();
        });
        has_begun.recv().unwrap();
        let opening = scope.spawn(move || open(address, NEXT).map(drop));
        // Others read meanwhile.
        for n in 0..20 {
            let read = other.read(|connection| nodes::find(&Reading::of(connection), first));
            assert_eq!(read.unwrap().unwrap().seen_at, None, "{n}");
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(!opening.is_finished());
        end.send(()).unwrap();
        opening.join().unwrap().unwrap();
    });
    assert!(has_column(&other, "color"));
}

#[test]
fn a_step_that_fails_leaves_the_tables_as_they_were() {
    const WRONG: Known = Known {
        version: SCHEMA_VERSION + 1,
        steps: &[Step {
            to: SCHEMA_VERSION + 1,
            add: "ALTER TABLE nodes ADD COLUMN color TEXT; ALTER TABLE nothing ADD COLUMN color TEXT",
            take_away: "",
        }],
    };
    let (address, _) = tenant();
    assert!(open(&address, WRONG).is_err());
    let old = open(&address, KNOWN).unwrap();
    assert_eq!(read(&old), Versions { tables: SCHEMA_VERSION, oldest: SCHEMA_VERSION });
    assert!(!has_column(&old, "color"));
}
