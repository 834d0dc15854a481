//! The database's file, by its sentences.
use landbridge_tenant_fixture::{NOW, Tenant, keys};
use landbridge_tenant_rules::lockout::Spent;
use landbridge_tenant_rules::model::AgentState;
use landbridge_tenant_rules::model::Application;
use landbridge_tenant_store::error::*;
use landbridge_tenant_store::tables::*;
use landbridge_tenant_store::*;
use landbridge_wire::upload::Kind;
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use uuid::Uuid;

fn trouble(answer: Result<Store, StoreError>) -> Trouble {
    answer.unwrap_err().trouble().unwrap().clone()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_database_and_all_its_files_are_for_its_owner_alone() {
    let tenant = Tenant::new();
    let mut seen = 0;
    for entry in fs::read_dir(tenant.directory.path()).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
        seen += 1;
    }
    assert!(seen >= 2, "the database and its log");
    assert!(!tenant.directory.path().join("tenant.db.draft").exists());
}

#[test]
fn what_was_acknowledged_survives_a_process_that_never_closes_the_database() {
    let tenant = Tenant::new();
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["tenant.db", "tenant.db-wal"] {
        let to = elsewhere.path().join(name);
        fs::copy(tenant.directory.path().join(name), &to).unwrap();
    }
    let copy = Store::open(&elsewhere.path().join("tenant.db"), keys()).unwrap();
    assert_eq!(copy.read(domains::all).unwrap().len(), 1);
}

#[test]
fn after_a_stop_the_file_alone_is_the_database() {
    let tenant = Tenant::new();
    tenant.store.checkpoint().unwrap();
    let alone = tempfile::tempdir().unwrap();
    let to = alone.path().join("tenant.db");
    fs::copy(tenant.directory.path().join("tenant.db"), &to).unwrap();
    assert_eq!(Store::open(&to, keys()).unwrap().read(domains::all).unwrap().len(), 1);
}

#[test]
fn init_overwrites_no_database_and_no_other_file() {
    let tenant = Tenant::new();
    let again = Store::create(&tenant.path(), keys(), Uuid::nil(), NOW);
    assert_eq!(trouble(again), Trouble::AlreadyThere);
    let other = tenant.directory.path().join("notes.txt");
    fs::write(&other, "mine").unwrap();
    assert_eq!(trouble(Store::create(&other, keys(), Uuid::nil(), NOW)), Trouble::AlreadyThere);
    assert_eq!(fs::read(&other).unwrap(), b"mine");
}

#[test]
fn a_draft_that_a_killed_init_left_is_built_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tenant.db");
    fs::write(directory.path().join("tenant.db.draft"), "half").unwrap();
    Store::create(&path, keys(), Uuid::nil(), NOW).unwrap();
    assert!(!directory.path().join("tenant.db.draft").exists());
}

#[test]
fn a_missing_database_says_what_makes_one() {
    let directory = tempfile::tempdir().unwrap();
    let error = Store::open(&directory.path().join("tenant.db"), keys()).unwrap_err();
    assert_eq!(error.trouble(), Some(&Trouble::Missing));
    let text = error.to_string();
    assert!(text.contains("tenant.db") && text.contains("init"), "{text}");
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let tenant = Tenant::new();
    tenant
        .store
        .write("test", |t| {
            Ok(t.raw().pragma_update(None, "user_version", landbridge_tenant_store::SCHEMA_VERSION + 1)?)
        })
        .unwrap();
    let path = tenant.path();
    let Tenant { directory: _directory, store, .. } = tenant;
    drop(store);
    let before = fs::read(&path).unwrap();
    assert_eq!(
        trouble(Store::open(&path, keys())),
        Trouble::Newer {
            found: landbridge_tenant_store::SCHEMA_VERSION + 1,
            known: landbridge_tenant_store::SCHEMA_VERSION
        }
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// Every table with its columns, and every index with its own.
fn shape(connection: &Reading<'_>) -> Vec<String> {
    let ask = "SELECT m.name, t.cid, t.name, t.type, t.\"notnull\", t.dflt_value, t.pk
               FROM sqlite_schema m JOIN pragma_table_info(m.name) t WHERE m.type = 'table'
               UNION ALL
               SELECT m.name, i.seqno, i.name, m.tbl_name, i.cid, m.sql LIKE '%WHERE%', 0
               FROM sqlite_schema m JOIN pragma_index_info(m.name) i WHERE m.type = 'index'
               UNION ALL
               SELECT m.name, f.seq, f.\"table\", f.\"from\", f.\"to\", NULL, 0
               FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'
               ORDER BY 1, 2, 3";
    let mut statement = connection.raw().prepare(ask).unwrap();
    let line = |row: &rusqlite::Row<'_>| {
        Ok(format!("{:?}", (0..7).map(|n| row.get(n)).collect::<Result<Vec<rusqlite::types::Value>, _>>()?))
    };
    statement.query_map([], line).unwrap().map(Result::unwrap).collect()
}

/// A new database of schema version 2 at this path, with the tenant's own row and nothing else.
fn database_of_version_2(path: &Path) -> Connection {
    let old = Connection::open(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    old.execute_batch(include_str!("../../../src/schema/version_2.sql")).unwrap();
    old.execute_batch(
        "PRAGMA application_id = 1279415374; PRAGMA user_version = 2;
         INSERT INTO tenant VALUES (1, zeroblob(16), zeroblob(16), 1);",
    )
    .unwrap();
    old
}

#[test]
fn a_database_of_version_2_becomes_one_of_today_with_everything_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tenant.db");
    let old = database_of_version_2(&path);
    old.execute_batch(
        "INSERT INTO domains (id, dns_name, netbios_name, sid, min_iterations, added_at)
             VALUES (1, 'corp.example.com', 'CORP', 'S-1-5-21-1-2-3', 1000, 1);
         INSERT INTO accounts VALUES (x'000000000000000000000000aaaa0001', 1, 'S-1-5-21-1-2-3-1101', 'present', 1, NULL, 5),
             (x'000000000000000000000000aaaa0002', 1, 'S-1-5-21-1-2-3-1102', 'deleted', 0, NULL, 6);
         INSERT INTO agents (id, domain, role, state, software, host, serial, not_after, enrolled_at)
             VALUES (zeroblob(16), 1, 'pta', 'approved', 'pta 0.1', 'pta1', x'01', 9, 1);
         INSERT INTO attributes VALUES (x'000000000000000000000000aaaa0001', 'mail', zeroblob(28), 'a@b'),
             (x'000000000000000000000000aaaa0001', 'sam_account_name', zeroblob(28), 'a'),
             (x'000000000000000000000000aaaa0002', 'sam_account_name', zeroblob(28), 'gone');
         INSERT INTO signin_names VALUES ('corp\\a', x'000000000000000000000000aaaa0001');
         INSERT INTO digests VALUES (x'000000000000000000000000aaaa0001', zeroblob(28), zeroblob(80), 5);
         INSERT INTO lockouts VALUES (x'000000000000000000000000aaaa0001', '203.0.113.7', 3, 1, 2, 0, 0),
             (x'000000000000000000000000aaaa0001', '', 4, 1, 2, 0, 0),
             (x'000000000000000000000000aaaa0001', char(10), 2, 1, 7, 0, 0);
         INSERT INTO apps VALUES (x'000000000000000000000000bbbb0001', 'mail', zeroblob(32), 1, 60, 3, 4, NULL),
             (x'000000000000000000000000bbbb0002', 'all', zeroblob(32), NULL, 70, 3, NULL, NULL),
             (x'000000000000000000000000bbbb0003', 'gone', zeroblob(32), NULL, 80, 3, NULL, 5);",
    )
    .unwrap();
    old.close().unwrap();
    let store = Store::open(&path, keys()).unwrap();
    let object = landbridge_tenant_fixture::object;
    store
        .read(|connection| {
            let kept = objects::find(connection, object(1))?.unwrap();
            assert_eq!((kept.kind, kept.changed_at, kept.removed_at), (Kind::Account, 5, None));
            assert_eq!(kept.sid.as_deref(), Some("S-1-5-21-1-2-3-1101"));
            assert!(kept.protected_user);
            assert_eq!(objects::find(connection, object(2))?.unwrap().removed_at, Some(6));
            assert_eq!(attributes::of(connection, object(1))?.mail.as_deref(), Some("a@b"));
            let of_sam = ["a@corp.example.com", "corp.example.com\\a", "corp\\a"];
            assert_eq!(names::of(connection, object(1))?, of_sam);
            assert_eq!(names::of(connection, object(2))?, Vec::<String>::new());
            for name in of_sam {
                let of_name = "SELECT hash FROM signin_names WHERE name = ?1";
                let hash = connection.raw().query_row(of_name, [name], |row| row.get(0));
                assert_eq!(hash, Ok(*store.name_key().hash(name).as_bytes()), "hashed at the first opening");
            }
            assert_eq!(domains::all(connection)?[0].reserved_since, None);
            assert!(digests::find(connection, object(1))?.is_some());
            assert!(domains::all(connection)?[0].approve_agents, "new agents wait after the upgrade");
            let agent = agents::list(connection, 10)?.remove(0);
            assert_eq!(
                (agent.state, agent.key_fingerprint),
                (AgentState::Approved, None),
                "old ones work on"
            );
            // What AD may have counted still counts, and what all sources had tried is that of unknown ones.
            let spent = Spent { unknown: 2, last_at: 7, ..Spent::default() };
            assert_eq!(ad_budget::find(connection, object(1))?, Some(spent));
            // Applications serve whom they served, by the secret that they have.
            let apps = apps::list(connection, 10)?;
            let of = |app: &Application| (app.name.clone(), app.domain_rows(), app.everybody, app.revoked_at);
            let expected = [
                ("all".to_owned(), None, true, None),
                ("gone".to_owned(), None, true, Some(5)),
                ("mail".to_owned(), Some(vec![1]), true, None),
            ];
            assert_eq!(apps.iter().map(of).collect::<Vec<_>>(), expected);
            let secrets = app_secrets::of(connection, apps[2].id)?;
            let (made, ends) = (secrets[0].created_at, secrets[0].ends_at);
            assert_eq!((secrets.len(), secrets[0].number, made, ends), (1, 1, 4, None));
            let counters = lockouts::of(connection, object(1))?;
            assert_eq!((counters.len(), counters[0].0.as_str(), counters[0].1.failures), (1, "", 4));
            Ok(())
        })
        .unwrap();
    let fresh = Tenant::new();
    let today = fresh.store.read(|c| Ok(shape(c))).unwrap();
    assert_eq!(store.read(|c| Ok(shape(c))).unwrap(), today);
    assert!(today.len() > 100, "{}", today.len());
}

#[test]
fn an_upgrade_declares_the_suffixes_that_are_in_use_and_gives_every_object_its_home() {
    // 1. A database of version 2 with two domains and an account of each kind of suffix.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tenant.db");
    let old = database_of_version_2(&path);
    old.execute_batch(
        "INSERT INTO domains (id, dns_name, netbios_name, sid, min_iterations, added_at)
             VALUES (1, 'corp.example.com', 'CORP', 'S-1-5-21-1-2-3', 1000, 1),
                 (2, 'lab.example.net', 'LAB', 'S-1-5-21-4-5-6', 1000, 1);",
    )
    .unwrap();
    let accounts = [
        (1, 1, "present", "user_principal_name", "Ada@\u{c4}rzte.Example"),
        (2, 1, "present", "user_principal_name", "bo@corp.example.com"),
        (3, 1, "present", "alternate_login", "bo@Example.COM"),
        (4, 1, "deleted", "user_principal_name", "gone@gone.example"),
        (5, 1, "present", "mail", "mail@mail.example"),
        (6, 1, "present", "user_principal_name", "no name at all"),
        (7, 2, "present", "user_principal_name", "cy@example.com"),
        (8, 2, "present", "user_principal_name", "cy@corp.example.com"),
    ];
    for (n, domain, presence, name, value) in accounts {
        let object = landbridge_tenant_fixture::object(n);
        old.execute(
            "INSERT INTO accounts (object, domain, sid, presence, changed_at) VALUES (?1, ?2, 'S', ?3, 5)",
            (object.as_bytes(), domain, presence),
        )
        .unwrap();
        let row = (object.as_bytes(), name, value);
        old.execute("INSERT INTO attributes VALUES (?1, ?2, zeroblob(28), ?3)", row).unwrap();
    }
    old.close().unwrap();
    // 2. After the upgrade.
    let store = Store::open(&path, keys()).unwrap();
    store
        .read(|connection| {
            assert_eq!(suffixes::of(connection, 1)?, ["example.com", "\u{e4}rzte.example"]);
            // What both used they share: also the name of the one that the other one's accounts use.
            assert_eq!(suffixes::of(connection, 2)?, ["corp.example.com", "example.com"]);
            for (n, domain, ..) in accounts {
                assert_eq!(homes::find(connection, landbridge_tenant_fixture::object(n))?, Some(domain));
            }
            Ok(())
        })
        .unwrap();
    // 3. Only once: what an administrator removes is not declared again.
    store.write("test", |writing| suffixes::remove(writing, 1, "example.com")).unwrap();
    drop(store);
    let store = Store::open(&path, keys()).unwrap();
    assert_eq!(store.read(|c| suffixes::of(c, 1)).unwrap(), ["\u{e4}rzte.example"]);
}

#[test]
fn an_upgrade_derives_names_by_the_letters_that_the_directory_takes_as_equal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tenant.db");
    let old = Connection::open(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    old.execute_batch(include_str!("../../../src/schema/version_2.sql")).unwrap();
    old.execute_batch(
        "PRAGMA application_id = 1279415374; PRAGMA user_version = 2;
         INSERT INTO tenant VALUES (1, zeroblob(16), zeroblob(16), 1);
         INSERT INTO domains (id, dns_name, netbios_name, sid, min_iterations, added_at)
             VALUES (1, 'corp.example.com', 'CORP', 'S-1-5-21-1-2-3', 1000, 1);",
    )
    .unwrap();
    // The value in the directory, the name as older versions folded it, and a spelling that signs in from now on.
    let accounts = [
        (1, "γιώργος@corp.example.com", "γιώργος@corp.example.com", "ΓΙΏΡΓΟΣ@corp.example.com"),
        (2, "Ada@corp.example.com", "ada@corp.example.com", "ADA@CORP.example.com"),
        (3, "\u{212a}arl@corp.example.com", "karl@corp.example.com", "\u{212a}ARL@corp.example.com"),
        (4, "karl@corp.example.com", "karl@corp.example.com", "KARL@corp.example.com"),
        (5, "bo@corp.example.com ", "bo@corp.example.com ", "bo@corp.example.com"),
    ];
    for (n, value, name, _) in accounts {
        let object = landbridge_tenant_fixture::object(n);
        old.execute(
            "INSERT INTO accounts (object, domain, sid, presence, changed_at) VALUES (?1, 1, 'S', 'present', 5)",
            [object.as_bytes()],
        )
        .unwrap();
        let row = (object.as_bytes(), "user_principal_name", value);
        old.execute("INSERT INTO attributes VALUES (?1, ?2, zeroblob(28), ?3)", row).unwrap();
        old.execute("INSERT INTO signin_names VALUES (?1, ?2)", (name, object.as_bytes())).unwrap();
    }
    old.close().unwrap();
    let store = Store::open(&path, keys()).unwrap();
    for (n, value, _, typed) in accounts {
        let whose = store.read(|connection| names::whose(connection, typed)).unwrap();
        let one = landbridge_tenant_rules::names::Whose::One(landbridge_tenant_fixture::object(n));
        assert_eq!(whose, one, "{value}: {typed}");
    }
}

#[test]
fn garbage_an_empty_file_and_another_programs_database_are_not_ours() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tenant.db");
    let other = directory.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x); PRAGMA user_version = 1;").unwrap();
    for bytes in [vec![], b"SQLite format".to_vec(), vec![0xa5; 8192], fs::read(&other).unwrap()] {
        fs::write(&path, &bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(trouble(Store::open(&path, keys())), Trouble::NotOurs);
        assert_eq!(fs::read(&path).unwrap(), bytes, "left as it was");
    }
}

#[test]
fn damaged_pages_are_found_when_the_database_is_opened() {
    let tenant = Tenant::new();
    for n in 0..200 {
        tenant.sends_bare(n);
    }
    let path = tenant.path();
    let Tenant { directory: _directory, store, .. } = tenant;
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    let length = bytes.len();
    bytes[4096..length].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    assert_eq!(trouble(Store::open(&path, keys())), Trouble::Corrupt);
}

#[test]
fn a_database_that_others_may_read_is_refused_by_its_mode() {
    let tenant = Tenant::new();
    fs::set_permissions(tenant.path(), fs::Permissions::from_mode(0o640)).unwrap();
    let error = Store::open(&tenant.path(), keys()).unwrap_err();
    assert_eq!(error.trouble(), Some(&Trouble::Loose { mode: 0o640 }));
    assert!(error.to_string().contains("chmod 600"));
}

#[test]
fn a_link_in_place_of_the_database_is_not_followed() {
    let tenant = Tenant::new();
    let link = tenant.directory.path().join("link.db");
    std::os::unix::fs::symlink(tenant.path(), &link).unwrap();
    assert_eq!(trouble(Store::open(&link, keys())), Trouble::Unopenable);
}

#[test]
fn a_full_disk_is_named_and_what_was_there_stays() {
    let tenant = Tenant::new();
    tenant.sends_bare(1);
    let error = tenant
        .store
        .write("test", |t| {
            t.raw().pragma_update_and_check(None, "max_page_count", 1, |_| Ok(()))?;
            t.raw().execute("INSERT INTO audit VALUES (NULL, 0, '', '', '', ?1)", ["x".repeat(1 << 20)])?;
            Ok(())
        })
        .unwrap_err();
    assert_eq!(error.trouble(), Some(&Trouble::Full));
    assert!(error.to_string().starts_with(&tenant.path().display().to_string()), "{error}");
    assert!(tenant.store.read(|c| objects::find(c, landbridge_tenant_fixture::object(1))).unwrap().is_some());
}

#[test]
fn an_erased_digest_leaves_nothing_in_the_file() {
    let tenant = Tenant::new();
    tenant.sends(vec![landbridge_tenant_fixture::user(1, "correct horse")]);
    let object = landbridge_tenant_fixture::object(1);
    let sealed: Vec<u8> = tenant
        .store
        .read(|c| {
            Ok(c.raw().query_row(
                "SELECT sealed FROM digests JOIN objects USING (number) WHERE object = ?1",
                [object.as_bytes()],
                |r| r.get(0),
            )?)
        })
        .unwrap();
    let path = tenant.path();
    tenant.store.write("test", |t| digests::erase(t, object)).unwrap();
    let Tenant { directory: _directory, store, .. } = tenant;
    drop(store);
    let bytes = fs::read(path).unwrap();
    assert!(!bytes.windows(sealed.len()).any(|window| window == sealed));
}
