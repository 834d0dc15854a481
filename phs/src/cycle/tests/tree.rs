//! Where objects are in the directory's tree: the containers above what is carried, and no others.

use super::*;
use landbridge_drsr::drs::attribute::Class;
use landbridge_drsr::drs::change::Change;

/// What a record says of the tree: whose it is, whether it is a container, its presence, the first part of its name, and
/// its container.
pub(super) type Sent = (u32, bool, Presence, Option<String>, Option<u32>);

/// What a record says of the tree; none: nothing.
pub(super) fn sent(record: &Record) -> Option<Sent> {
    let rid = |guid: &Uuid| u32::try_from(guid.as_u128()).unwrap();
    let is_container = record.kind == upload::Kind::Container;
    let (mut part, mut parent) = (None, None);
    for attribute in record.attributes.as_slice() {
        if let upload::AttributeValue::Rdn(is) = &attribute.is {
            part = is.as_ref().map(|is| is.as_str().to_owned());
        }
        if let upload::AttributeValue::Parent(is) = &attribute.is {
            parent = is.as_ref().map(rid);
        }
    }
    assert!(!is_container || record.sid.is_none() && record.password.is_none());
    let says = is_container || part.is_some() || parent.is_some();
    says.then(|| (rid(&record.object), is_container, record.presence, part, parent))
}

/// The domain's head, 0.
fn head() -> Telling {
    named(Telling::object(0, &[Class::Top, Class::DomainDns]), "DC", "corp")
}

fn ou(rid: u32, name: &str, parent: u32) -> Telling {
    named(Telling::object(rid, &[Class::Top, Class::OrganizationalUnit]), "OU", name).within(parent)
}

fn user(rid: u32, parent: u32) -> Telling {
    named(Telling::user(rid), "CN", &format!("Person {rid}")).within(parent)
}

fn named(telling: Telling, kind: &str, name: &str) -> Telling {
    let telling = telling.with(Attribute::Name, Some(Value::Text(name.to_owned())));
    let mut change = telling.tell();
    change.object.dn = format!("{kind}={name},DC=example,DC=com");
    Telling::again(change)
}

fn place(rid: u32, kind: &str, name: &str, parent: Option<u32>) -> Sent {
    (rid, kind != "CN", Presence::Present, Some(format!("{kind}={name}")), parent)
}

fn person(rid: u32, parent: u32) -> Sent {
    place(rid, "CN", &format!("Person {rid}"), Some(parent))
}

impl Bench {
    /// Runs a cycle of one page; returns what was sent of the tree, by RID.
    fn places(&mut self, changes: Vec<Telling>, usn: u8) -> Vec<Sent> {
        let changes: Vec<Change> = changes.into_iter().map(Telling::tell).collect();
        self.cycle(vec![page(changes, vec![], Progress::Last(cursor(usn)))]).unwrap();
        let mut places = std::mem::take(&mut self.cloud.places);
        places.sort_by_key(|(rid, ..)| *rid);
        places
    }
}

/// A domain with Ada in Sales in Staff, and an OU of nobody.
fn domain_of_ada() -> Vec<Telling> {
    vec![user(1105, 3), ou(3, "Sales", 2), ou(2, "Staff", 0), ou(4, "Empty", 0), head()]
}

fn tree_of_ada() -> Vec<Sent> {
    vec![
        place(0, "DC", "corp", None),
        place(2, "OU", "Staff", Some(0)),
        place(3, "OU", "Sales", Some(2)),
        person(1105, 3),
    ]
}

#[test]
fn the_containers_above_what_is_carried_are_sent_and_no_others_in_whatever_order_they_come() {
    let mut bench = Bench::new();
    assert_eq!(bench.places(domain_of_ada(), 4), tree_of_ada());
    // Nothing is new: nothing is sent.
    assert_eq!(bench.places(vec![], 5), []);
    // All is compared: all of it again, or the tenant would remove it.
    bench.full = true;
    let mut other_way = domain_of_ada();
    other_way.reverse();
    assert_eq!(bench.places(other_way, 6), tree_of_ada());
}

#[test]
fn a_container_that_is_renamed_is_one_record() {
    let mut bench = Bench::new();
    bench.places(domain_of_ada(), 4);
    let renamed = named(Telling::of(2), "OU", "People").within(0);
    assert_eq!(bench.places(vec![renamed], 5), [place(2, "OU", "People", Some(0))]);
    let (_, records, _) = bench.cloud.uploads.last().unwrap();
    assert_eq!(records.as_slice(), [], "nothing of those in it");
    // One that the tenant does not have is not told of.
    let renamed = named(Telling::of(4), "OU", "Still empty").within(0);
    assert_eq!(bench.places(vec![renamed], 6), []);
}

#[test]
fn a_container_that_moves_is_one_record_and_takes_what_is_above_it_along() {
    let mut bench = Bench::new();
    bench.places(domain_of_ada(), 4);
    let moved = named(Telling::of(3), "OU", "Sales").within(4);
    assert_eq!(
        bench.places(vec![moved], 5),
        [place(3, "OU", "Sales", Some(4)), place(4, "OU", "Empty", Some(0))]
    );
    assert_eq!(bench.places(vec![], 6), []);
}

#[test]
fn an_object_that_moves_is_one_record_and_its_new_containers_come_with_it() {
    let mut bench = Bench::new();
    bench.places(domain_of_ada(), 4);
    let moved = |parent| named(Telling::of(1105), "CN", "Person 1105").within(parent);
    assert_eq!(bench.places(vec![moved(2)], 5), [person(1105, 2)]);
    assert_eq!(bench.places(vec![moved(4)], 6), [place(4, "OU", "Empty", Some(0)), person(1105, 4)]);
    // Into an OU that is made in the same cycle, and comes after its person.
    let new = ou(5, "New", 4);
    assert_eq!(bench.places(vec![moved(5), new], 7), [place(5, "OU", "New", Some(4)), person(1105, 5)]);
    // The OUs of nobody stay until all is compared.
    bench.full = true;
    let all = vec![user(1105, 5), ou(5, "New", 4), ou(4, "Empty", 0), ou(3, "Sales", 2), head()];
    assert_eq!(
        bench.places(all, 8),
        [
            place(0, "DC", "corp", None),
            place(4, "OU", "Empty", Some(0)),
            place(5, "OU", "New", Some(4)),
            person(1105, 5)
        ]
    );
}

#[test]
fn a_container_that_is_deleted_leaves_and_one_that_is_made_again_comes() {
    let mut bench = Bench::new();
    bench.places(domain_of_ada(), 4);
    let moved = named(Telling::of(1105), "CN", "Person 1105").within(2);
    assert_eq!(
        bench.places(vec![moved, Telling::of(3).deleted()], 5),
        [(3, true, Presence::Deleted, None, None), person(1105, 2)]
    );
    assert_eq!(bench.places(vec![Telling::of(3).deleted()], 6), [], "once is enough");
    let back = ou(3, "Sales", 2).with(Attribute::IsDeleted, None);
    let moved = named(Telling::of(1105), "CN", "Person 1105").within(3);
    assert_eq!(bench.places(vec![back, moved], 7), [place(3, "OU", "Sales", Some(2)), person(1105, 3)]);
}

#[test]
fn a_container_outside_the_scope_is_sent_only_if_an_object_in_it_is_held_back() {
    let mut bench = Bench::new();
    staffed(&mut bench, 1100..1140);
    bench.cloud.places.clear();
    let outside = |bench: &Bench| bench.cloud.places.iter().any(|(rid, ..)| *rid == 2);
    let counts = bench.cycle(moved(1100..1101, 2, 5)).unwrap();
    assert_eq!((counts.removed, counts.held, outside(&bench)), (1, 0, false));
    let counts = bench.cycle(moved(1101..1130, 2, 6)).unwrap();
    assert_eq!((counts.removed, counts.held, outside(&bench)), (0, 29, true));
}

#[test]
fn containers_of_objects_that_a_full_compare_does_not_see_are_not_sent_again() {
    let mut bench = Bench::new();
    bench.places(domain_of_ada(), 4);
    bench.full = true;
    let rest = vec![user(1106, 4), ou(4, "Empty", 0), ou(2, "Staff", 0), head()];
    assert_eq!(
        bench.places(rest, 5),
        [place(0, "DC", "corp", None), place(4, "OU", "Empty", Some(0)), person(1106, 4)]
    );
}

#[test]
fn the_domains_head_is_in_no_container_whatever_the_controller_sends() {
    let mut bench = Bench::new();
    let mut sent = head().within(99).tell();
    sent.domain_head = true;
    let all = vec![user(1105, 0), Telling::again(sent)];
    assert_eq!(bench.places(all, 4), [place(0, "DC", "corp", None), person(1105, 0)]);
}

#[test]
fn a_container_that_the_tenant_refused_is_sent_again_with_the_next_change_in_it() {
    let mut bench = Bench::new();
    bench.cloud.refuses = Some(RefusalReason::ForeignSid);
    bench.places(domain_of_ada(), 4);
    bench.cloud.refuses = None;
    // Ada was refused too, so she is read alone and sent whole.
    bench.dc = std::mem::take(&mut bench.dc).holds(1105, || user(1105, 3));
    let changed = Telling::of(1105).password(2);
    assert_eq!(bench.places(vec![changed], 5), tree_of_ada());
}

#[test]
fn a_cycle_that_breaks_sends_the_containers_again() {
    let mut bench = Bench::new();
    bench.places(vec![head(), ou(2, "Staff", 0)], 4);
    let page = || page(vec![user(1105, 2).tell()], vec![], Progress::Last(cursor(5)));
    bench.cloud.breaks_after = Some(bench.cloud.uploads.len());
    bench.cycle(vec![page()]).unwrap_err();
    bench.cloud.breaks_after = None;
    assert_eq!(bench.cloud.places, []);
    assert_eq!(
        bench.places(vec![user(1105, 2)], 5),
        [place(0, "DC", "corp", None), place(2, "OU", "Staff", Some(0)), person(1105, 2)]
    );
}

#[test]
fn a_tenant_of_an_older_version_receives_none_of_it_until_it_is_upgraded() {
    let mut bench = Bench::new();
    bench.cloud.level = 2;
    assert_eq!(bench.places(domain_of_ada(), 4), []);
    let renamed = named(Telling::of(2), "OU", "People").within(0);
    assert_eq!(bench.places(vec![renamed], 5), []);
    bench.cloud.level = LEVEL;
    let mut all = domain_of_ada();
    all[2] = ou(2, "People", 0);
    let mut tree = tree_of_ada();
    tree[1] = place(2, "OU", "People", Some(0));
    assert_eq!(bench.places(all, 6), tree, "all is compared");
}

#[test]
fn containers_are_no_accounts_to_the_guard_and_the_tenant_is_not_told_of_them_in_a_dry_run() {
    let mut bench = Bench::new();
    let many = |head: Telling| {
        let ous = (2000..2040).map(|rid| ou(rid, &format!("OU {rid}"), 0));
        let users = (1100..1140).map(|rid| user(rid, rid + 900));
        ous.chain(users).chain([head]).collect::<Vec<_>>()
    };
    assert_eq!(bench.places(many(head()), 4).len(), 81);
    // All OUs are deleted, and their people moved before.
    let moved = (1100..1140).map(|rid| named(Telling::of(rid), "CN", "x").within(0));
    let deleted = (2000..2040).map(|rid| Telling::of(rid).deleted());
    let changes: Vec<Change> = moved.chain(deleted).map(Telling::tell).collect();
    let counts = bench.cycle(vec![page(changes, vec![], Progress::Last(cursor(5)))]).unwrap();
    assert_eq!((counts.held, counts.removed), (0, 40));
    assert_eq!(bench.cloud.places.iter().filter(|one| one.2 == Presence::Deleted).count(), 40);
    bench.cloud.places.clear();
    let again = page(vec![ou(7, "New", 0).tell(), user(1105, 7).tell()], vec![], Progress::Last(cursor(6)));
    let shown = bench.go(vec![Ok(again)], true).unwrap().differences;
    let signs: Vec<_> = shown.iter().map(|one| (one.sign, one.name.as_str())).collect();
    assert!(signs.contains(&(Sign::Enters, "New")), "{signs:?}");
    assert_eq!(bench.cloud.places, []);
}
