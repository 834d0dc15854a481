//! Homes of objects, by their sentences.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::ingest;
use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::model::Writer;
use landbridge_tenant_store::tables::{homes, refused_objects};
use landbridge_wire::upload::{Presence, Receipt, Record, RefusalReason};
use uuid::Uuid;

fn home(tenant: &Tenant, n: u128) -> Option<i64> {
    tenant.store.read(|c| homes::find(c, object(n))).unwrap()
}

fn refused(tenant: &Tenant, by: &Writer) -> Vec<Uuid> {
    let listed = tenant.store.read(|c| refused_objects::of(c, by.domain, tenant.domain)).unwrap();
    listed.into_iter().map(|one| one.object).collect()
}

fn reasons(receipt: &Receipt) -> Vec<RefusalReason> {
    receipt.refused.as_slice().iter().map(|refusal| refusal.why).collect()
}

fn alarms(tenant: &Tenant) -> Vec<String> {
    let all = tenant.audit().into_iter();
    all.filter(|(_, action, _)| action == "object-of-another-domain").map(|(_, _, subject)| subject).collect()
}

/// Without what an upload of the second domain may change of that domain alone.
fn dump(tenant: &Tenant) -> Vec<String> {
    tenant.dump().into_iter().filter(|line| !line.contains("lab.example.net")).collect()
}

#[test]
fn an_object_belongs_to_its_domain_whatever_became_of_it_there() {
    let there = [Presence::Present, Presence::Privileged, Presence::OutOfScope, Presence::Deleted];
    for (presence, erased) in there.map(|one| (one, false)).into_iter().chain([(Presence::Deleted, true)]) {
        let tenant = Tenant::new();
        let other = tenant.other_domain();
        tenant.sends(vec![user(1, "one"), group(2), contact(3, "c"), settings_object(4, 1, 5, 1)]);
        tenant.sends(vec![Record { presence, ..bare(1) }]);
        if erased {
            tenant.store.erase("test", |_| Ok(((), vec![object(1)]))).unwrap();
        }
        let before = dump(&tenant);
        for stolen in [Presence::Present, Presence::Privileged] {
            let receipt =
                tenant.send_as(&other, page(vec![Record { presence: stolen, ..user(1, "stolen") }]));
            assert_eq!(reasons(&receipt), [RefusalReason::ForeignSid], "{presence:?}, erased: {erased}");
        }
        let others = vec![group(2), contact(3, "c"), settings_object(4, 1, 5, 1), contact(1, "c")];
        assert_eq!(reasons(&tenant.send_as(&other, page(others))).len(), 4);
        assert_eq!(dump(&tenant), before, "{presence:?}, erased: {erased}");
        assert_eq!(home(&tenant, 1), Some(tenant.domain));
        assert_eq!(refused(&tenant, &other), [1, 2, 3, 4].map(object));
    }
}

#[test]
fn a_full_compare_of_one_domain_replaces_no_object_of_another() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    tenant.sends(vec![user(1, "one")]);
    let before = dump(&tenant);
    let receipt = tenant.send_as(&other, full(40, vec![user(1, "stolen"), user(9, "own")], Some("c")));
    assert_eq!((receipt.applied, reasons(&receipt).len()), (1, 1));
    let own = |line: &String| !line.contains("AAAA0009") && !line.contains("aaaa0009");
    assert_eq!(dump(&tenant).into_iter().filter(own).collect::<Vec<_>>(), before);
    assert!(tenant.has_digest(object(1)) && tenant.has_digest(object(9)));
}

#[test]
fn an_object_of_another_domain_starts_no_link_also_after_it_was_erased() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    tenant.sends(vec![user(1, "one"), group(2)]);
    tenant.sends(vec![Record { presence: Presence::Deleted, ..group(2) }]);
    tenant.store.erase("test", |_| Ok(((), vec![object(2)]))).unwrap();
    let before = dump(&tenant);
    tenant.send_as(&other, linked(page(vec![]), vec![member(2, 1), member(2, 9)]));
    assert_eq!(dump(&tenant), before);
    assert_eq!(tenant.counts.links_refused.now(), 2);
    assert_eq!((alarms(&tenant), refused(&tenant, &other)), (vec![object(2).to_string()], vec![object(2)]));
}

#[test]
fn the_domain_that_uploads_an_object_first_is_its_home_and_a_tombstone_makes_none() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    for presence in [Presence::Deleted, Presence::OutOfScope] {
        tenant.sends(vec![Record { presence, ..bare(1) }]);
        assert_eq!(home(&tenant, 1), None, "phs uploads every tombstone that it cannot place");
    }
    tenant.send_as(&other, page(vec![user(1, "one")]));
    assert_eq!(home(&tenant, 1), Some(other.domain));
}

#[test]
fn that_an_object_is_gone_from_a_domain_that_it_moved_away_from_is_no_alarm_and_changes_nothing() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    tenant.sends(vec![user(1, "one")]);
    let before = dump(&tenant);
    for presence in [Presence::Deleted, Presence::OutOfScope] {
        let receipt = tenant.send_as(&other, page(vec![Record { presence, ..bare(1) }]));
        assert_eq!((receipt.unchanged, reasons(&receipt).len()), (1, 0));
    }
    assert_eq!((dump(&tenant), alarms(&tenant).len()), (before, 0));
}

#[test]
fn an_object_of_another_domain_raises_one_alarm_a_day_and_many_of_them_few() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    tenant.sends((1..=500).map(bare).collect());
    let send = |numbers: std::ops::RangeInclusive<u128>, now| {
        let upload = of_other(page(numbers.map(bare).collect()));
        ingest::upload(&tenant.store, &tenant.counts, &other, &upload, now).unwrap();
    };
    send(1..=1, NOW);
    send(1..=1, NOW + 60);
    assert_eq!(alarms(&tenant), [object(1).to_string()]);
    send(1..=1, NOW + 86_400);
    assert_eq!(alarms(&tenant).len(), 2);
    send(1..=500, NOW + 86_400);
    assert_eq!(alarms(&tenant).len(), 2 + 11, "ten of them, and how many more");
    send(1..=500, NOW + 86_401);
    assert_eq!(alarms(&tenant).len(), 2 + 11);
    assert_eq!(refused(&tenant, &other).len(), 500, "an administrator sees all of them");
    assert_eq!(tenant.counts.objects_of_other_domains.now(), 1003);
    let since = |at| tenant.store.read(|c| refused_objects::count(c, other.domain, at)).unwrap();
    assert_eq!((since(NOW + 86_401), since(NOW + 86_402)), (500, 0));
}

#[test]
fn the_list_of_refused_objects_is_bounded_and_the_oldest_leave() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    let most = i64::from(refused_objects::MOST);
    let kept = tenant.store.write("test", |t| {
        for n in 0..most + 3 {
            let n = u128::try_from(n).unwrap();
            t.raw().execute("INSERT INTO homes VALUES (?1, ?2)", (object(n).as_bytes(), tenant.domain))?;
            refused_objects::note(t, other.domain, object(n), NOW + i64::try_from(n).unwrap())?;
        }
        refused_objects::prune(t, other.domain)?;
        refused_objects::of(t, other.domain, tenant.domain)
    });
    let kept = kept.unwrap();
    assert_eq!(i64::try_from(kept.len()).unwrap(), most);
    assert_eq!(kept.last().unwrap().object, object(3), "the ones that were refused last stay");
}
