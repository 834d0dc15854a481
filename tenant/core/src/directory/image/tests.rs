//! The directory in memory beside the database: the same people and groups, after every change.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::application::LdapApplication;
use super::index::{Lookup, looked_up};
use super::*;
use crate::directory::Directory;
use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::model::{AppGroup, LdapAccess};
use landbridge_tenant_store::tables::{app_groups, members};
use landbridge_wire::upload::{AttributeValue, Link, Presence, Record, Upload};
use proptest::prelude::*;

const ACCOUNTS: u128 = 6;
const GROUPS: u128 = 5;
/// Groups have the numbers from here on.
const FIRST_GROUP: u128 = 20;

/// A step of a random history.
#[derive(Debug, Clone)]
enum Change {
    Member { of: u128, who: u128, present: bool },
    PrimaryGroup { account: u128, group: u128 },
    Leave { object: u128 },
    Return { object: u128 },
    Assign { group: u128 },
    Everybody(bool),
    Block { account: u128 },
    Erase,
    Rename { account: u128, to: u8 },
}

fn change() -> impl Strategy<Value = Change> {
    let account = || 1..=ACCOUNTS;
    let group = || FIRST_GROUP..FIRST_GROUP + GROUPS;
    let any_object = || prop_oneof![account(), group()];
    prop_oneof![
        8 => (group(), any_object(), any::<bool>())
            .prop_map(|(of, who, present)| Change::Member { of, who, present }),
        3 => (account(), group()).prop_map(|(account, group)| Change::PrimaryGroup { account, group }),
        2 => any_object().prop_map(|object| Change::Leave { object }),
        2 => any_object().prop_map(|object| Change::Return { object }),
        3 => group().prop_map(|group| Change::Assign { group }),
        1 => any::<bool>().prop_map(Change::Everybody),
        1 => account().prop_map(|account| Change::Block { account }),
        1 => Just(Change::Erase),
        2 => (account(), any::<u8>()).prop_map(|(account, to)| Change::Rename { account, to }),
    ]
}

/// A tenant with an application that reads the directory, and stamps that rise.
struct World {
    tenant: Tenant,
    app: Uuid,
    version: u32,
}

impl World {
    fn new() -> Self {
        let tenant = Tenant::new();
        let mut records: Vec<Record> = (1..=ACCOUNTS).map(|n| named(n, &format!("user{n}"), 1)).collect();
        records.extend((FIRST_GROUP..FIRST_GROUP + GROUPS).map(group));
        tenant.send(&Upload { commit: commit(), ..page(records) });
        let app = Uuid::from_u128(900);
        tenant
            .store
            .write("test", |writing| {
                let application = landbridge_tenant_rules::model::Application {
                    id: app,
                    name: "wiki".to_owned(),
                    domains: None,
                    everybody: false,
                    networks: Vec::new(),
                    rate_per_minute: 60,
                    created_at: NOW,
                    revoked_at: None,
                };
                apps::insert(writing, &application)?;
                let access = LdapAccess { groups: None, ..LdapAccess::default() };
                app_ldap::set(writing, app, Some(&access))
            })
            .unwrap();
        Self { tenant, app, version: 1 }
    }

    fn does(&mut self, change: &Change) {
        self.version += 1;
        let version = self.version;
        match change {
            Change::Member { of, who, present } => {
                let link = Link { present: *present, ..link(LinkKind::Member, *of, *who, version) };
                self.tenant.send(&linked(page(Vec::new()), vec![link]));
            }
            Change::PrimaryGroup { account, group } => {
                let rid = i32::try_from(1100 + *group).unwrap();
                let is = AttributeValue::PrimaryGroupId(Some(rid));
                self.tenant.sends(vec![with(*account, vec![written(version, is)])]);
            }
            Change::Leave { object } => {
                let record = self.record(*object);
                self.tenant.sends(vec![Record { presence: Presence::OutOfScope, password: None, ..record }]);
            }
            Change::Return { object } => drop(self.tenant.sends(vec![self.record(*object)])),
            Change::Assign { group } => {
                let group = AppGroup {
                    domain: self.domain().id,
                    domain_name: String::new(),
                    group: object(*group),
                    name: "a group".to_owned(),
                };
                self.tenant
                    .store
                    .write("test", |writing| app_groups::add(writing, self.app, &group))
                    .unwrap();
            }
            Change::Everybody(yes) => {
                self.tenant
                    .store
                    .write("test", |writing| apps::set_everybody(writing, self.app, *yes))
                    .unwrap();
            }
            Change::Block { account } => self
                .tenant
                .store
                .write("test", |writing| {
                    landbridge_tenant_store::tables::blocks::add(writing, 1, object(*account), NOW)
                })
                .map(drop)
                .unwrap(),
            Change::Erase => {
                let due = |writing: &landbridge_tenant_store::Writing<'_>| {
                    let due = landbridge_tenant_store::tables::objects::removed_before(writing, i64::MAX)?;
                    Ok(((), due))
                };
                self.tenant.store.erase("test", due).unwrap();
            }
            Change::Rename { account, to } => {
                drop(self.tenant.sends(vec![named(*account, &format!("name{}", to % 8), version)]));
            }
        }
    }

    fn record(&self, object: u128) -> Record {
        if object < FIRST_GROUP {
            named(object, &format!("user{object}"), self.version)
        } else {
            group(object)
        }
    }

    fn domain(&self) -> Domain {
        self.tenant.store.read(|reading| Ok(domains::all(reading)?.remove(0))).unwrap()
    }
}

fn commit() -> Option<landbridge_wire::upload::CursorName> {
    Some(landbridge_wire::bounded::Text::new("c".repeat(64)).unwrap())
}

fn named(n: u128, name: &str, version: u32) -> Record {
    with(n, vec![written(version, sam(name)), written(version, upn(&format!("{name}@corp.example.com")))])
}

/// All that an image says, as text.
fn told(image: &Image) -> Vec<String> {
    let id = |number: &u32| image.slot(*number).unwrap().object;
    let mut all: Vec<String> = image
        .entries()
        .map(|(number, entry)| {
            let mut members: Vec<_> = entry.members.iter().map(id).collect();
            let mut groups: Vec<_> = image.slot(number).unwrap().groups.iter().map(id).collect();
            let mut effective: Vec<_> = image.effective_groups(number).iter().map(id).collect();
            members.sort();
            groups.sort();
            effective.sort();
            format!(
                "{} {:?} {:?} {} {} {members:?} {groups:?} {effective:?} {:?}",
                id(&number),
                entry.kind,
                entry.sid,
                entry.blocked,
                entry.change,
                entry.values
            )
        })
        .collect();
    all.sort();
    all
}

/// What the image shows the application, and what sign-ins say.
fn compare(world: &World, directory: &Directory) -> Result<(), TestCaseError> {
    let domain = world.domain();
    let store = &world.tenant.store;
    directory
        .image(|image| {
            let app: Arc<LdapApplication> = image.application(world.app).unwrap().clone();
            let seen = image.seen_by(&app);
            for n in 1..=ACCOUNTS {
                let (object, stored) = (
                    object(n),
                    store
                        .read(|r| {
                            let found =
                                landbridge_tenant_store::tables::objects::present_account(r, object(n))?;
                            let attributes = landbridge_tenant_store::tables::attributes::of(r, object(n))?;
                            Ok(found.map(|_| attributes))
                        })
                        .unwrap(),
                );
                let Some(attributes) = stored else {
                    prop_assert!(seen.by_id(object).is_none(), "{n} is gone and seen");
                    continue;
                };
                let primary = attributes.primary_group_id;
                // 1. Who is assigned is who is seen.
                let assigned =
                    store.read(|r| app_groups::is_assigned(r, world.app, &domain, object, primary)).unwrap();
                prop_assert_eq!(seen.by_id(object).is_some(), assigned, "account {}", n);
                // 2. The groups are those that a sign-in finds.
                let held = store
                    .read(|r| members::groups_of(r, &domain, object, primary, members::Which::All))
                    .unwrap()
                    .unwrap();
                let number = image.number(object).unwrap();
                let mut found: Vec<Uuid> =
                    image.effective_groups(number).iter().map(|g| image.slot(*g).unwrap().object).collect();
                let mut held = held;
                found.sort();
                held.sort();
                prop_assert_eq!(found, held, "groups of {}", n);
                // 3. It is found by its names.
                let Some(name) = attributes.sam_account_name else { continue };
                let by_name: Vec<Uuid> = image
                    .whole()
                    .find(Lookup::Text("sAMAccountName", &looked_up(&name.to_uppercase())))
                    .map(|one| one.id())
                    .collect();
                prop_assert!(by_name.contains(&object), "{} by {}", n, name);
            }
            Ok(())
        })
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_image_follows_every_change_and_shows_those_whom_sign_ins_let_in(
        history in proptest::collection::vec(change(), 1..40)
    ) {
        let mut world = World::new();
        let directory = Directory::new(world.tenant.store.clone());
        directory.follow().unwrap();
        for step in &history {
            let before = world.tenant.store.last_change();
            world.does(step);
            prop_assert!(directory.is_current() == (world.tenant.store.last_change() == before));
            directory.follow().unwrap();
            compare(&world, &directory)?;
        }
        // What it has followed to is what it would load now.
        let loaded = told(&Image::load(&world.tenant.store).unwrap());
        prop_assert_eq!(directory.image(told).unwrap(), loaded);
    }
}

#[test]
fn the_number_of_a_change_rises_and_goes_on_above_those_of_a_lost_database() {
    let mut world = World::new();
    let number = |world: &World| world.tenant.store.last_change();
    let first = number(&world);
    assert!(first >= NOW * 1_000_000, "it is a time in microseconds");
    world.does(&Change::Rename { account: 1, to: 1 });
    let second = number(&world);
    assert!(second > first);
    // A repeated upload changes nothing, and gives no number.
    world.tenant.sends(vec![named(1, "name1", world.version)]);
    assert_eq!(number(&world), second);
    // The database of before is restored a second later: its numbers begin above all that were given.
    let later = NOW + 1;
    world.tenant.store.write("test", |writing| changes::note_object(writing, object(1), later)).unwrap();
    assert!(number(&world) >= later * 1_000_000 && number(&world) > second);
}
