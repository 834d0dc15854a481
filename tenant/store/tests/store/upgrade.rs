//! The upgrade of a database that holds everything an object can have.

use landbridge_tenant_fixture::*;
use landbridge_tenant_store::Location;
use landbridge_tenant_store::tables::attributes::packed::{Value, unpack};
use landbridge_tenant_store::tables::{attributes, homes, names};
use landbridge_tenant_store::{RawValue, SCHEMA_VERSION, Store, stamps};
use landbridge_wire::bounded::{Blob, List, Text};
use landbridge_wire::described::{Described, DescribedName, DescribedValue, Syntax};
use landbridge_wire::upload::{Attribute, AttributeValue as Is, Record};
use rusqlite::Connection;
use rusqlite::types::Value as Column;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

fn text<const MAX: usize>(text: &str) -> Option<Text<MAX>> {
    Some(Text::new(text).unwrap())
}

/// Every attribute of an object, each with a stamp of its own.
fn every_attribute() -> Vec<Attribute> {
    let mut all = vec![
        sam("one"),
        upn("one@corp.example.com"),
        Is::DisplayName(text("One, née Прохор")),
        Is::UserAccountControl(Some(0x200)),
        Is::AccountExpires(Some(i64::MAX)),
        Is::PwdLastSet(Some(134_000_000_000_000_000)),
        Is::LockoutTime(Some(0)),
        Is::LogonHours(Some(Blob::new(vec![0xff; 21]).unwrap())),
        Is::PrimaryGroupId(Some(513)),
        Is::AdminCount(Some(0)),
        Is::AlternateLogin(text("first@example.com")),
        Is::Mail(text("0815")),
        Is::ProxyAddresses(
            List::new(vec![Text::new("SMTP:a@b").unwrap(), Text::new("smtp:c@d").unwrap()]).unwrap(),
        ),
        Is::GivenName(text("One")),
        Is::Surname(text("Of all")),
        Is::Department(text("")),
        Is::Title(text("x")),
        Is::TelephoneNumber(text("+44 20")),
        Is::Mobile(text("+44 30")),
        Is::Description(text("two\nlines")),
        Is::GroupType(Some(-2_147_483_646)),
        Is::Name(text("name")),
        Is::Precedence(Some(i32::MAX)),
        Is::MaximumPasswordAge(Some(i64::MIN)),
        Is::LockoutDuration(Some(-1)),
        Is::LockoutObservationWindow(Some(1)),
        Is::LockoutThreshold(Some(5)),
        Is::MinimumPasswordAge(Some(-2)),
        Is::MinimumPasswordLength(Some(7)),
        Is::PasswordHistoryLength(Some(24)),
        Is::PasswordComplexity(Some(true)),
        Is::Rdn(text("CN=One")),
        Is::Parent(Some(object(12))),
    ];
    all.extend(DescribedName::all().map(|name| {
        let value = match name.row().syntax {
            Syntax::Text | Syntax::Ascii => DescribedValue::Text(Text::cut(name.row().name)),
            Syntax::Integer | Syntax::Time => DescribedValue::Integer(-7),
            Syntax::Octets => DescribedValue::Octets(
                Blob::new((0..=255).cycle().take(102_400).collect::<Vec<u8>>()).unwrap(),
            ),
        };
        Is::Described(Described { name, value: Some(value) })
    }));
    let stamped = |(n, is)| written(u32::try_from(n).unwrap() + 1, is);
    all.into_iter().enumerate().map(stamped).collect()
}

/// An account with names and no password.
fn named(n: u128) -> Record {
    let name = format!("user{n}");
    with(n, vec![written(1, sam(&name)), written(1, upn(&format!("{name}@corp.example.com")))])
}

/// What the tenant has of objects.
fn held(tenant: &Tenant) -> Vec<String> {
    let of_objects = ["attribute ", "digest ", "Text(\"octets\")", "Text(\"object\")", "Text(\"name\")"];
    tenant.dump().into_iter().filter(|line| of_objects.iter().any(|start| line.starts_with(start))).collect()
}

/// Writes the same objects as a program of version 2 or 4 left them: an attribute a row, under objectGUIDs.
fn as_older(version: i64, tenant: &Tenant, path: &Path) {
    let (schema, table) = match version {
        2 => (include_str!("../../src/schema/version_2.sql"), "accounts"),
        _ => (include_str!("../../src/schema/version_4.sql"), "objects"),
    };
    let old = Connection::open(path).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    old.execute_batch(schema).unwrap();
    old.pragma_update(None, "user_version", version).unwrap();
    old.execute_batch(
        "PRAGMA application_id = 0x4c42544e;
         INSERT INTO tenant (only_row, id, generation, created_at) VALUES (1, zeroblob(16), zeroblob(16), 1);
         INSERT INTO domains (id, dns_name, netbios_name, sid, min_iterations, added_at)
             VALUES (1, 'corp.example.com', 'CORP', 'S-1-5-21-1-2-3', 1000, 1);",
    )
    .unwrap();
    let copy = |connection: &landbridge_tenant_store::Reading<'_>| {
        let new = connection.raw();
        let mut objects = new.prepare("SELECT object, sid, presence FROM objects").unwrap();
        let mut rows = objects.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let (object, sid, presence): ([u8; 16], String, String) =
                (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
            let columns = "object, domain, sid, presence, changed_at";
            let insert = format!("INSERT INTO {table} ({columns}) VALUES (?1, 1, ?2, ?3, 5)");
            old.execute(&insert, (object, sid, presence)).unwrap();
            let object = Uuid::from_bytes(object);
            copy_attributes(connection, &old, object);
            copy_digest(connection, &old, object);
            // The upgrade from version 2 derives the names.
            for name in if version == 2 { Vec::new() } else { names::of(connection, object)? } {
                let insert = "INSERT INTO signin_names (name, object) VALUES (?1, ?2)";
                old.execute(insert, (name, object.as_bytes())).unwrap();
            }
        }
        if version > 2 {
            // Version 4 keeps the home of each object. One of them is erased.
            old.execute_batch("INSERT INTO homes SELECT object, domain FROM objects").unwrap();
            let erased = "INSERT INTO homes VALUES (?1, 1)";
            old.execute(erased, [object(999).as_bytes()]).unwrap();
            // One code waits in the place of a grant, another one was redeemed.
            old.execute_batch(
                "INSERT INTO apps VALUES (x'0a', 'wiki', 1, 1, 60, 5, NULL);
                 INSERT INTO grants VALUES
                     (zeroblob(16), x'0a', zeroblob(16), zeroblob(16), 'openid', 'waits', 'https://wiki.example.com/',
                         NULL, 5, zeroblob(32), 65, 65),
                     (CAST(zeroblob(15) || x'01' AS BLOB), x'0a', zeroblob(16), zeroblob(16), 'openid', 'redeemed',
                         'https://wiki.example.com/', NULL, 5, zeroblob(32), NULL, 1000);",
            )
            .unwrap();
        }
        Ok(())
    };
    tenant.store.read(copy).unwrap();
    old.close().unwrap();
}

fn copy_attributes(new: &landbridge_tenant_store::Reading<'_>, old: &Connection, object: Uuid) {
    let ask = "SELECT packed FROM attributes JOIN objects USING (number) WHERE object = ?1";
    let packed: Vec<u8> =
        new.raw().query_row(ask, [object.as_bytes()], |row| row.get(0)).unwrap_or_else(|_| vec![1, 0, 0]);
    for entry in unpack(&packed).unwrap() {
        let value = match entry.value {
            None => Column::Null,
            Some(Value::Text(text)) => Column::Text(text.into_owned()),
            Some(Value::Integer(number)) => Column::Integer(number),
            Some(Value::Octets(octets)) => Column::Blob(octets.into_owned()),
            Some(Value::Elsewhere(_)) => {
                let name = DescribedName::named(entry.name).unwrap();
                Column::Blob(attributes::octets(new, object, name).unwrap().unwrap())
            }
        };
        let row = (object.as_bytes(), entry.name, stamps::to_bytes(&entry.stamp), value);
        old.execute("INSERT INTO attributes VALUES (?1, ?2, ?3, ?4)", row).unwrap();
    }
}

fn copy_digest(new: &landbridge_tenant_store::Reading<'_>, old: &Connection, object: Uuid) {
    let ask = "SELECT stamp, sealed FROM digests JOIN objects USING (number) WHERE object = ?1";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?));
    if let Ok((stamp, sealed)) = new.raw().query_row(ask, [object.as_bytes()], read) {
        let row = (object.as_bytes(), stamp, sealed);
        old.execute("INSERT INTO digests VALUES (?1, ?2, ?3, 5)", row).unwrap();
    }
}

/// The tenant with these objects after an upgrade from this version.
fn upgraded(version: i64, fresh: &Tenant) -> Tenant {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tenant.db");
    as_older(version, fresh, &path);
    let store = Arc::new(Store::open(&path, keys()).unwrap());
    let writer = enrolled(&store, 77, 1);
    Tenant {
        location: Location::from(&directory.path().join("tenant.db")),
        directory,
        store,
        counts: Arc::default(),
        writer,
        domain: 1,
    }
}

#[test]
fn every_attribute_stamp_photo_digest_and_name_is_there_after_the_upgrade() {
    let fresh = Tenant::new();
    let removed = DescribedName::all().map(|name| Is::Described(Described { name, value: None }));
    fresh.sends(vec![
        Record { password: sent(1, "one"), ..with(1, every_attribute()) },
        with(2, removed.map(|is| written(9, is)).collect()),
        bare(3),
    ]);
    for some in (10..310).collect::<Vec<u128>>().chunks(100) {
        fresh.sends(some.iter().map(|n| named(*n)).collect());
    }
    for version in [2, 4] {
        assert_all_is_there(version, &fresh);
    }
}

#[track_caller]
fn assert_all_is_there(version: i64, fresh: &Tenant) {
    let upgraded = upgraded(version, fresh);
    let (before, after) = (held(fresh), held(&upgraded));
    assert_eq!(after, before);
    let count = |start: &str| after.iter().filter(|line| line.starts_with(start)).count();
    let counts = (count("attribute "), count("digest "), count("Text(\"octets\")"));
    assert_eq!(counts, (72 + 39 + 2 * 300, 1, 1));
    // An objectGUID has the domain that it had.
    for (n, home) in [(1, Some(1)), (999, (version > 2).then_some(1)), (998, None)] {
        assert_eq!(upgraded.store.read(|c| homes::find(c, object(n))).unwrap(), home, "{n}");
    }
    // A grant goes on, and a code that waits is none.
    let nonces = "SELECT nonce, ends_at FROM grants";
    let nonces = upgraded.store.read(|c| c.raw_rows(nonces, &[])).unwrap();
    let goes_on = vec![RawValue::Text("redeemed".to_owned()), RawValue::Integer(1000)];
    assert_eq!(nonces, if version > 2 { vec![goes_on] } else { Vec::new() });
    // Its columns are those of what is packed.
    let columns = "SELECT primary_group_id, account_expires, group_type FROM attributes a WHERE packed =
                   (SELECT max(packed) FROM attributes b WHERE b.primary_group_id = 513)";
    let found = upgraded
        .store
        .read(|c| Ok(c.raw().query_row(columns, [], |row| <(i64, i64, i64)>::try_from(row))?));
    assert_eq!(found.unwrap(), (513, i64::MAX, -2_147_483_646));
    let version = "SELECT user_version FROM pragma_user_version";
    let version: i64 =
        upgraded.store.read(|c| Ok(c.raw().query_row(version, [], |row| row.get(0))?)).unwrap();
    assert_eq!(version, SCHEMA_VERSION);
    // What comes next is applied by the stamps that were stored.
    let older = upgraded.sends(vec![with(1, vec![written(1, Is::Mail(None))])]);
    let newer = upgraded.sends(vec![with(1, vec![written(90, Is::Mail(None))])]);
    assert_eq!((older.applied, newer.applied), (0, 1));
}

/// An upgrade writes tables again. Of the old ones nothing may be left in unused pages: who is erased later would leave it.
#[test]
fn who_is_erased_after_an_upgrade_has_left_no_copy_in_the_file() {
    let fresh = Tenant::new();
    // Long, so that what the upgrade writes afterwards does not cover the old pages by chance.
    let trace = "a trace of one";
    let long = trace.repeat(70);
    for some in (10..310).collect::<Vec<u128>>().chunks(200) {
        let marked = |n: &u128| {
            with(*n, vec![written(9, sam(&format!("user{n}"))), written(9, Is::Description(text(&long)))])
        };
        fresh.sends(some.iter().map(marked).collect());
    }
    fresh.sends(vec![named(1)]);
    let upgraded = upgraded(2, &fresh);
    let found = || {
        let files = std::fs::read_dir(upgraded.directory.path()).unwrap();
        let has = |bytes: &Vec<u8>| bytes.windows(trace.len()).any(|window| window == trace.as_bytes());
        files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).filter(has).count()
    };
    upgraded.store.checkpoint().unwrap();
    assert!(found() > 0, "the search finds what is there");
    upgraded.store.erase("test", |_| Ok(((), (10..310).map(object).collect()))).unwrap();
    assert_eq!(found(), 0);
}
