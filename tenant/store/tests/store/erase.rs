//! Erasure, by what is left in the files.
#![allow(clippy::print_stdout)]

use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::lockout::Source;
use landbridge_tenant_rules::lockout::Spent;
use landbridge_tenant_rules::sign_in::Subject;
use landbridge_tenant_store::erase::due_before;
use landbridge_tenant_store::tables::{ad_budget, attributes, digests, known_sources, lockouts, objects};
use landbridge_wire::bounded::Text;
use landbridge_wire::upload::{AttributeValue, Link, LinkKind, Presence, Record};
use std::collections::HashMap;
use std::time::Instant;
use uuid::Uuid;

/// GUIDs in no order, as AD makes them, so that pages are divided in the middle.
fn scattered(n: u128) -> u128 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) | 1 << 90
}

/// How often each of these stands in any of the database's files. None is shorter than eight bytes.
fn found(tenant: &Tenant, wanted: &[Vec<u8>]) -> Vec<usize> {
    let mut by_head: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (at, bytes) in wanted.iter().enumerate() {
        by_head.entry(&bytes[..8]).or_default().push(at);
    }
    let mut counts = vec![0; wanted.len()];
    for file in std::fs::read_dir(tenant.directory.path()).unwrap() {
        let held = std::fs::read(file.unwrap().path()).unwrap();
        for from in 0..held.len().saturating_sub(7) {
            for at in by_head.get(&held[from..from + 8]).into_iter().flatten() {
                counts[*at] += usize::from(held[from..].starts_with(&wanted[*at]));
            }
        }
    }
    counts
}

fn sealed(tenant: &Tenant, object: Uuid) -> Vec<u8> {
    let ask = "SELECT sealed FROM digests JOIN objects USING (number) WHERE object = ?1";
    tenant.store.read(|c| Ok(c.raw().query_row(ask, [object.as_bytes()], |r| r.get(0))?)).unwrap()
}

/// A crowd, of which some will leave.
struct Crowd {
    tenant: Tenant,
    all: Vec<u128>,
    leaving: Vec<u128>,
}

impl Crowd {
    fn new(size: u128) -> Self {
        let tenant = Tenant::new();
        let all: Vec<u128> = (1..=size).map(scattered).collect();
        // One derivation for all: what is sealed differs by its nonce.
        let text = digest("one").to_text();
        let person = |n: &u128| {
            let digest = landbridge_crypto::salted_digest::SaltedDigest::parse(&text).unwrap();
            let mail = Text::new(format!("{}@mail.example", marked(*n))).unwrap();
            let attributes = vec![
                written(1, sam(&marked(*n))),
                written(1, upn(&format!("{}@corp.example.com", marked(*n)))),
                written(1, AttributeValue::Mail(Some(mail))),
            ];
            let sid = Some(Text::new(format!("{SID}-{}", *n % 1_000_000)).unwrap());
            let password = Some(landbridge_wire::upload::Password { stamp: stamp(1), digest });
            Record { sid, password, ..with(*n, attributes) }
        };
        for some in all.chunks(500) {
            let links =
                some.iter().flat_map(|n| [member(0, *n), link(LinkKind::Manager, *n, 7, 1)]).collect();
            tenant.send(&linked(page(some.iter().map(person).collect()), links));
        }
        let leaving = all.iter().copied().step_by(5).collect();
        Self { tenant, all, leaving }
    }

    fn leave(&self) {
        for some in self.leaving.chunks(500) {
            let gone = |n: &u128| {
                let sid = Some(Text::new(format!("{SID}-{}", *n % 1_000_000)).unwrap());
                Record { presence: Presence::Deleted, sid, ..bare(*n) }
            };
            self.tenant.sends(some.iter().map(gone).collect());
        }
    }

    /// As the chores do it.
    fn erase(&self, now: i64, grace_days: i64) -> usize {
        self.tenant
            .store
            .erase("test", |tx| counted(objects::removed_before(tx, due_before(now, grace_days))?))
            .unwrap()
    }
}

/// The objects to erase, and how many they are.
fn counted(objects: Vec<Uuid>) -> Result<(usize, Vec<Uuid>), landbridge_tenant_store::StoreError> {
    Ok((objects.len(), objects))
}

fn marked(n: u128) -> String {
    format!("person{:x}", n % 0xffff_ffff_ffff)
}

/// Makes the table of homes anew and empty. It keeps the objectGUIDs of the erased for ever, and would hide what other
/// tables leave.
const WITHOUT_HOMES: &str = "DROP TABLE homes;
    CREATE TABLE homes (object BLOB PRIMARY KEY, domain INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

#[test]
fn whoever_comes_back_in_its_grace_time_stays_and_needs_a_fresh_digest() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    tenant.sends(vec![Record { presence: Presence::OutOfScope, ..bare(1) }]);
    let erase = |tenant: &Tenant| {
        tenant
            .store
            .erase("test", |tx| counted(objects::removed_before(tx, due_before(NOW + 30 * 86_400, 7))?))
            .unwrap()
    };
    tenant.sends(vec![bare(1)]);
    assert_eq!(erase(&tenant), 0);
    assert!(!tenant.has_digest(object(1)));
    tenant.sends(vec![Record { presence: Presence::Privileged, ..bare(1) }]);
    assert_eq!(erase(&tenant), 0, "a privileged account has not left");
}

#[test]
fn an_erased_object_takes_the_links_at_both_its_ends_with_it() {
    let tenant = Tenant::new();
    let gone = Link { present: false, ..member(2, 1) };
    let links = vec![member(3, 1), link(LinkKind::Manager, 1, 4, 1), gone, member(3, 4)];
    tenant.send(&linked(page(vec![user(1, "one"), group(2), group(3)]), links));
    tenant.sends(vec![Record { presence: Presence::Deleted, ..bare(1) }]);
    tenant.store.erase("test", |tx| counted(objects::removed_before(tx, NOW + 1)?)).unwrap();
    let left = tenant.dump().into_iter().filter(|line| line.contains("\"link\"")).count();
    assert_eq!(left, 1, "{:?}", tenant.dump());
}

#[test]
fn the_grace_time_is_counted_in_whole_days() {
    let day = 86_400;
    for (removed, now, days, due) in [
        (10 * day, 17 * day, 7, false),
        (10 * day, 18 * day - 1, 7, false),
        (10 * day, 18 * day, 7, true),
        (11 * day - 1, 18 * day, 7, true),
        (11 * day, 18 * day, 7, false),
        (10 * day, 10 * day, 0, true),
        (10 * day, 11 * day, 1, false),
    ] {
        assert_eq!(removed < due_before(now, days), due, "{removed} {now} {days}");
    }
}

/// What SQLite leaves in its files.
mod sqlite {
    use super::*;

    /// With 1,500 accounts every table has divided its pages: if the tables are not rewritten, this finds leftovers.
    #[test]
    fn of_those_whose_time_is_over_nothing_is_left_in_any_file() {
        let crowd = Crowd::new(1500);
        let tenant = &crowd.tenant;
        let trace =
            |n: u128| vec![object(n).as_bytes().to_vec(), marked(n).into_bytes(), sealed(tenant, object(n))];
        let mut traces: Vec<Vec<Vec<u8>>> = crowd.leaving.iter().map(|n| trace(*n)).collect();
        let stayed: Vec<Vec<u8>> = trace(crowd.all[1]);
        let tries = landbridge_tenant_rules::lockout::Tries { last_at: NOW, ..Default::default() };
        tenant
            .store
            .write("test", |t| {
                lockouts::replace(t, Subject::Account(object(crowd.leaving[0])), "somewhere", None, &tries)
            })
            .unwrap();
        let leaving = object(crowd.leaving[0]);
        let home = Source::parse("203.0.113.7").unwrap();
        let hashes = known_sources::hashes(tenant.store.seal_keys(), leaving, "app mail", &home);
        let spent = Spent { known: 1, unknown: 2, last_at: NOW, ..Spent::default() };
        let note = |t: &landbridge_tenant_store::Writing<'_>| {
            ad_budget::replace(t, Subject::Account(leaving), None, Some(&spent))?;
            known_sources::note(t, leaving, (&hashes, true), NOW)
        };
        tenant.store.write("test", note).unwrap();
        traces.push(vec![hashes[0].to_vec()]);
        let all_traces: Vec<Vec<u8>> = traces.concat();
        assert!(found(tenant, &all_traces).iter().all(|count| *count > 0), "the search finds what is there");
        crowd.leave();
        let day = 86_400;
        assert_eq!(crowd.erase(NOW + 7 * day, 7), 0, "the grace time is not over");
        assert!(tenant.store.read(|c| objects::find(c, object(crowd.leaving[0]))).unwrap().is_some());
        let began = Instant::now();
        assert_eq!(crowd.erase(NOW + 8 * day, 7), crowd.leaving.len());
        println!(
            "erasing {} of {} accounts took {:?}",
            crowd.leaving.len(),
            crowd.all.len(),
            began.elapsed()
        );
        tenant.store.write("test", |t| Ok(t.raw().execute_batch(WITHOUT_HOMES)?)).unwrap();
        tenant.store.checkpoint().unwrap();
        assert_eq!(found(tenant, &all_traces), vec![0; all_traces.len()]);
        assert!(
            found(tenant, &stayed).iter().all(|count| *count > 0),
            "the data of those that stayed is there"
        );
    }

    #[test]
    fn an_erasure_leaves_everybody_else_as_they_were() {
        let crowd = Crowd::new(200);
        let tenant = &crowd.tenant;
        let odd = AttributeValue::Department(Some(Text::new("0815").unwrap()));
        tenant.sends(vec![with(3, vec![written(1, odd), written(1, AttributeValue::AdminCount(Some(0)))])]);
        crowd.leave();
        let gone: Vec<String> =
            crowd.leaving.iter().map(|n| object(*n).simple().to_string().to_uppercase()).collect();
        let mut expected = tenant.dump();
        let stays = |line: &String| {
            line.starts_with("Text(\"home\")") || !gone.iter().any(|guid| line.contains(guid))
        };
        expected.retain(stays);
        assert_eq!(crowd.erase(NOW, 0), crowd.leaving.len());
        assert_eq!(tenant.dump(), expected);
        assert_eq!(crowd.erase(NOW, 0), 0);
        let known = tenant.store.read(|c| attributes::of(c, object(3))).unwrap();
        assert_eq!(known.department.as_deref(), Some("0815"), "a number that is a text stays one");
        // Keys are looked after again.
        let orphan = tenant.store.write("test", |t| {
            Ok(t.raw().execute("INSERT INTO digests VALUES (1000000, zeroblob(28), zeroblob(9), 1)", [])?)
        });
        assert!(orphan.is_err());
    }

    #[test]
    fn a_digest_that_was_replaced_or_erased_leaves_nothing_when_the_digests_are_scrubbed() {
        let crowd = Crowd::new(1500);
        let tenant = &crowd.tenant;
        let old: Vec<Vec<u8>> = crowd.all.iter().map(|n| sealed(tenant, object(*n))).collect();
        let two = digest("two");
        tenant
            .store
            .write("test", |t| {
                for (at, n) in crowd.all.iter().enumerate() {
                    match at % 3 {
                        0 => {
                            digests::erase(t, object(*n))?;
                        }
                        1 => digests::put(t, tenant.store.seal_keys(), object(*n), &stamp(2), &two, NOW)?,
                        _ => {}
                    }
                }
                Ok(())
            })
            .unwrap();
        tenant.store.scrub_digests().unwrap();
        let expected: Vec<usize> = (0..old.len()).map(|at| usize::from(at % 3 == 2)).collect();
        assert_eq!(found(tenant, &old), expected);
    }

    #[test]
    fn while_a_backup_reads_what_is_erased_leaves_the_log_afterwards() {
        let tenant = Tenant::new();
        tenant.sends(vec![user(1, "one")]);
        tenant.store.checkpoint().unwrap();
        let secret = vec![sealed(&tenant, object(1))];
        let backup = rusqlite::Connection::open(tenant.path()).unwrap();
        backup.execute_batch("BEGIN; SELECT count(*) FROM objects;").unwrap();
        backup.query_row("SELECT count(*) FROM digests", [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(tenant.store.erase("test", |_| counted(vec![object(1)])).unwrap(), 1);
        assert!(tenant.store.needs_checkpoint());
        assert!(found(&tenant, &secret)[0] > 0, "the backup has nothing to read");
        backup.execute_batch("COMMIT").unwrap();
        tenant.store.checkpoint_erased().unwrap();
        assert!(!tenant.store.needs_checkpoint());
        assert_eq!(found(&tenant, &secret), [0]);
    }

    #[test]
    fn every_column_of_a_table_that_is_written_anew_is_named() {
        let tenant = Tenant::new();
        for (table, columns) in landbridge_tenant_store::erase::TABLES {
            let ask =
                "SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_table_info(?1) ORDER BY name)";
            let held: String =
                tenant.store.read(|c| Ok(c.raw().query_row(ask, [table], |row| row.get(0))?)).unwrap();
            let mut named: Vec<&str> = columns.split(", ").collect();
            named.sort_unstable();
            assert_eq!(held, named.join(", "), "{table}");
        }
    }
}
