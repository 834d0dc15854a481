//! Groups, contacts, password settings objects and links, by their sentences.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use crate::ingest;
use landbridge_crypto::salted_digest::SaltedDigest;
use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::model::Attributes;
use landbridge_tenant_rules::model::Writer;
use landbridge_tenant_store::tables::objects::{find, present_in};
use landbridge_tenant_store::tables::{attributes, links, names};
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::upload::{
    AttributeValue, Kind, LEVEL, Link, LinkKind, MAX_LINKS, Password, Presence, Receipt, Record,
    RefusalReason, Stamp, Upload,
};
use proptest::prelude::*;
use std::time::Instant;
use uuid::Uuid;

fn members(tenant: &Tenant, group: u128) -> Vec<Uuid> {
    tenant
        .store
        .read(|c| links::targets(c, tenant.domain, object(group), LinkKind::Member, usize::MAX))
        .unwrap()
}

fn links_of(records: Vec<Record>, links: Vec<Link>) -> Upload {
    linked(page(records), links)
}

fn refusals(receipt: &Receipt) -> Vec<RefusalReason> {
    receipt.refused.as_slice().iter().map(|refusal| refusal.why).collect()
}

#[test]
fn every_kind_of_object_is_applied_and_its_repeat_changes_nothing() {
    let tenant = Tenant::new();
    let upload = || {
        let records = vec![user(1, "one"), group(2), contact(3, "Charles"), settings_object(4, 10, 5, 42)];
        let links = vec![
            member(2, 1),
            member(2, 3),
            link(LinkKind::Manager, 1, 3, 1),
            link(LinkKind::AppliesTo, 4, 2, 1),
        ];
        links_of(records, links)
    };
    let receipt = tenant.send(&upload());
    assert_eq!((receipt.level, receipt.applied, receipt.refused.as_slice().len()), (LEVEL, 4, 0));
    for kind in [Kind::Account, Kind::Group, Kind::Contact, Kind::PasswordSettings] {
        assert_eq!(tenant.store.read(|c| present_in(c, tenant.domain, kind)).unwrap(), 1, "{kind:?}");
    }
    assert_eq!(members(&tenant, 2), [object(1), object(3)]);
    let before = (tenant.dump(), tenant.audit());
    assert_eq!(tenant.send(&upload()).unchanged, 4);
    assert_eq!((tenant.dump(), tenant.audit()), before);
    assert_eq!(tenant.counts.links_applied.now(), 4);
}

#[test]
fn accounts_and_groups_have_a_sid_of_the_domain_contacts_and_policies_none() {
    let tenant = Tenant::new();
    let sid = |text: &str| Some(Text::new(text).unwrap());
    let odd = vec![
        Record { sid: None, ..user(1, "one") },
        Record { sid: None, ..group(2) },
        Record { sid: sid("S-1-5-32-544"), ..group(3) },
        Record { sid: sid(&format!("{OTHER_SID}-1104")), ..group(4) },
        Record { sid: sid(&format!("{SID}-1105")), ..contact(5, "c") },
        Record { sid: sid(&format!("{SID}-1106")), ..settings_object(6, 1, 1, 1) },
    ];
    let count = odd.len();
    assert_eq!(refusals(&tenant.sends(odd)), vec![RefusalReason::ForeignSid; count]);
    for n in 1..=6 {
        assert!(tenant.store.read(|c| find(c, object(n))).unwrap().is_none(), "{n}");
    }
}

#[test]
fn only_accounts_have_sign_in_names_and_digests() {
    let tenant = Tenant::new();
    let password = || sent(1, "one");
    let named = vec![written(1, sam("boss")), written(1, upn("boss@corp.example.com"))];
    let records = vec![
        Record { kind: Kind::Group, password: password(), ..with(1, named.clone()) },
        Record { kind: Kind::Contact, sid: None, password: password(), ..with(2, named) },
    ];
    assert_eq!(refusals(&tenant.sends(records)), [RefusalReason::Privileged; 2]);
    for n in [1, 2] {
        assert!(!tenant.has_digest(object(n)));
        assert!(tenant.store.read(|c| names::of(c, object(n))).unwrap().is_empty());
    }
    tenant.sends(vec![user(3, "three")]);
    tenant.sends(vec![Record { kind: Kind::Group, ..bare(3) }]);
    assert!(!tenant.has_digest(object(3)), "what becomes of another kind starts anew");
    assert!(tenant.store.read(|c| names::of(c, object(3))).unwrap().is_empty());
}

#[test]
fn every_attribute_comes_back_as_it_was_uploaded() {
    let tenant = Tenant::new();
    let text = |t: &str| Some(Text::new(t).unwrap());
    let short = |t: &str| Some(Text::new(t).unwrap());
    let addresses = vec![Text::new("SMTP:ada@example.com").unwrap(), Text::new("smtp:a@x.y").unwrap()];
    let told = vec![
        AttributeValue::AlternateLogin(text("ada@alt.example")),
        AttributeValue::Mail(text("ada@example.com")),
        AttributeValue::ProxyAddresses(List::new(addresses).unwrap()),
        AttributeValue::GivenName(short("Ada")),
        AttributeValue::Surname(short("Lovelace")),
        AttributeValue::Department(short("Engines")),
        AttributeValue::Title(short("Countess")),
        AttributeValue::TelephoneNumber(short("+44")),
        AttributeValue::Mobile(None),
        AttributeValue::Description(text("first")),
        AttributeValue::GroupType(Some(GLOBAL_SECURITY)),
        AttributeValue::Name(short("Ada L")),
        AttributeValue::Precedence(Some(7)),
        AttributeValue::MaximumPasswordAge(Some(i64::MIN)),
        AttributeValue::LockoutDuration(Some(-1)),
        AttributeValue::LockoutObservationWindow(Some(-2)),
        AttributeValue::LockoutThreshold(Some(3)),
    ];
    tenant.sends(vec![with(1, told.into_iter().map(|is| written(1, is)).collect())]);
    let known = tenant.store.read(|c| attributes::of(c, object(1))).unwrap();
    let expected = Attributes {
        alternate_login: Some("ada@alt.example".to_owned()),
        mail: Some("ada@example.com".to_owned()),
        proxy_addresses: Some("SMTP:ada@example.com\nsmtp:a@x.y".to_owned()),
        given_name: Some("Ada".to_owned()),
        surname: Some("Lovelace".to_owned()),
        department: Some("Engines".to_owned()),
        title: Some("Countess".to_owned()),
        telephone_number: Some("+44".to_owned()),
        description: Some("first".to_owned()),
        group_type: Some(GLOBAL_SECURITY.into()),
        name: Some("Ada L".to_owned()),
        precedence: Some(7),
        maximum_password_age: Some(i64::MIN),
        lockout_duration: Some(-1),
        lockout_observation_window: Some(-2),
        lockout_threshold: Some(3),
        ..Attributes::default()
    };
    assert_eq!(known, expected);
}

#[test]
fn an_erased_password_removes_the_digest_and_nothing_else() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    let without_digests = |tenant: &Tenant| -> Vec<String> {
        tenant.dump().into_iter().filter(|line| !line.starts_with("digest")).collect()
    };
    let before = without_digests(&tenant);
    let erase = || Record { erase_password: true, ..bare(1) };
    assert_eq!(tenant.sends(vec![erase()]).applied, 1);
    assert!(!tenant.has_digest(object(1)));
    assert_eq!(without_digests(&tenant), before);
    assert_eq!(tenant.sends(vec![erase()]).unchanged, 1);
    let digest: SaltedDigest = digest("one");
    let both = Record { password: Some(Password { stamp: stamp(9), digest }), ..erase() };
    tenant.sends(vec![both]);
    assert!(!tenant.has_digest(object(1)), "who says both is taken at the safer word");
}

#[test]
fn a_link_goes_by_its_stamp_and_a_removed_one_is_not_brought_back_by_a_late_comer() {
    let tenant = Tenant::new();
    tenant.send(&links_of(vec![user(1, "one"), group(2)], vec![member(2, 1)]));
    let removed = Link { present: false, stamp: stamp(2), ..member(2, 1) };
    tenant.send(&links_of(vec![], vec![removed]));
    assert!(members(&tenant, 2).is_empty());
    tenant.send(&links_of(vec![], vec![member(2, 1)]));
    assert!(members(&tenant, 2).is_empty());
    tenant.send(&links_of(vec![], vec![Link { stamp: stamp(3), ..member(2, 1) }]));
    assert_eq!(members(&tenant, 2), [object(1)]);
    // One that AD had forgotten wholly, and that is written anew, begins at version 1 with a later creation.
    tenant.send(&links_of(vec![], vec![Link { present: false, stamp: stamp(9), ..member(2, 1) }]));
    assert!(members(&tenant, 2).is_empty());
    let created = member(2, 1).created + 1;
    tenant.send(&links_of(vec![], vec![Link { created, ..member(2, 1) }]));
    assert_eq!(members(&tenant, 2), [object(1)]);
    // Also one that was never heard of before it was removed.
    tenant.send(&links_of(
        vec![],
        vec![Link { present: false, stamp: stamp(2), ..member(2, 3) }, member(2, 3)],
    ));
    assert_eq!(members(&tenant, 2), [object(1)]);
}

#[test]
fn the_end_of_a_link_that_ends_by_itself_beats_the_link_and_is_beaten_by_its_next_version() {
    let tenant = Tenant::new();
    tenant.send(&links_of(vec![user(1, "one"), group(2)], vec![member(2, 1)]));
    // phs makes the stamp of the end: that of the link, with the next invocation id.
    let Stamp { version, time, invocation_id } = stamp(1);
    let invocation_id = Uuid::from_u128(invocation_id.as_u128() + 1);
    let end = Link { present: false, stamp: Stamp { version, time, invocation_id }, ..member(2, 1) };
    tenant.send(&links_of(vec![], vec![end]));
    assert!(members(&tenant, 2).is_empty());
    // A DC that does not say when a link ends goes on to send it.
    tenant.send(&links_of(vec![], vec![member(2, 1)]));
    assert!(members(&tenant, 2).is_empty());
    let earlier_clock = Stamp { version: 2, time: 1, invocation_id: Uuid::nil() };
    tenant.send(&links_of(vec![], vec![Link { stamp: earlier_clock, ..member(2, 1) }]));
    assert_eq!(members(&tenant, 2), [object(1)]);
}

#[test]
fn a_link_from_before_2003_gives_way_to_every_newer_form_of_it() {
    let tenant = Tenant::new();
    let old = |version, present| Link { created: 0, present, stamp: stamp(version), ..member(2, 1) };
    tenant.send(&links_of(vec![user(1, "one"), group(2)], vec![old(7, true)]));
    assert_eq!(members(&tenant, 2), [object(1)]);
    tenant.send(&links_of(vec![], vec![old(8, false)]));
    assert!(members(&tenant, 2).is_empty(), "its attribute was written again without it");
    tenant.send(&links_of(vec![], vec![old(9, true)]));
    assert_eq!(members(&tenant, 2), [object(1)]);
    // Removed since 2003, with a stamp of its own of version 1.
    tenant.send(&links_of(vec![], vec![Link { present: false, ..member(2, 1) }]));
    tenant.send(&links_of(vec![], vec![old(90, true)]));
    assert!(members(&tenant, 2).is_empty());
}

#[test]
fn either_end_of_a_link_may_come_later_than_it() {
    let tenant = Tenant::new();
    tenant.send(&links_of(vec![], vec![member(2, 1)]));
    assert_eq!(members(&tenant, 2), [object(1)]);
    tenant.sends(vec![group(2)]);
    tenant.sends(vec![user(1, "one")]);
    assert_eq!(members(&tenant, 2), [object(1)]);
}

#[test]
fn an_object_that_leaves_loses_its_links_and_brings_them_again() {
    for left in [Presence::Deleted, Presence::OutOfScope] {
        let tenant = Tenant::new();
        tenant.send(&links_of(vec![user(1, "one"), group(2), group(3)], vec![member(2, 1), member(3, 2)]));
        tenant.sends(vec![Record { presence: left, ..group(2) }]);
        assert!(members(&tenant, 2).is_empty());
        assert_eq!(members(&tenant, 3), [object(2)], "what others link to it stays");
        tenant.send(&links_of(vec![], vec![member(2, 1)]));
        assert!(members(&tenant, 2).is_empty(), "a late comer links nothing to one that is gone");
        tenant.send(&links_of(vec![group(2)], vec![member(2, 1)]));
        assert_eq!(members(&tenant, 2), [object(1)], "stamps do not matter for what comes anew");
    }
}

#[test]
fn a_full_compare_replaces_links_and_drops_what_it_did_not_name() {
    let tenant = Tenant::new();
    let records =
        || vec![user(1, "one"), user(2, "two"), group(3), contact(4, "c"), settings_object(5, 1, 5, 1)];
    let old = Link { stamp: stamp(9), ..member(3, 1) };
    tenant.send(&links_of(records(), vec![old, member(3, 2), link(LinkKind::AppliesTo, 5, 3, 1)]));
    // A lesser stamp replaces in the first mention, and goes by its stamp in the second.
    tenant.send(&linked(
        full(40, vec![user(1, "one"), group(3)], None),
        vec![Link { present: false, ..member(3, 1) }],
    ));
    assert_eq!(members(&tenant, 3), [object(2)], "nothing is dropped before the commit");
    tenant.send(&linked(full(40, vec![], None), vec![member(3, 1)]));
    assert_eq!(members(&tenant, 3), [object(2)]);
    let receipt = tenant.send(&linked(full(40, vec![user(2, "two")], Some("c")), vec![]));
    assert_eq!(receipt.swept, 2, "the contact and the policy");
    assert!(members(&tenant, 3).is_empty());
    for n in [4, 5] {
        let gone = tenant.store.read(|c| find(c, object(n))).unwrap().unwrap();
        assert_eq!((gone.presence, gone.removed_at), (Presence::OutOfScope, Some(NOW)));
    }
    let held: i64 = tenant
        .store
        .read(|c| Ok(c.raw().query_row("SELECT count(*) FROM links", [], |r| r.get(0))?))
        .unwrap();
    assert_eq!(held, 1, "what was named as removed is remembered");
}

#[test]
fn one_domains_phs_cannot_touch_another_domains_links_or_objects() {
    let tenant = Tenant::new();
    tenant.send(&links_of(vec![user(1, "one"), group(2)], vec![member(2, 1)]));
    let other = tenant.other_domain();
    let says = |records, links| Upload {
        domain_sid: Text::new(OTHER_SID).unwrap(),
        policy: None,
        ..links_of(records, links)
    };
    let removed = |n| Link { present: false, stamp: stamp(u32::MAX), ..member(2, n) };
    let before = tenant.dump();
    ingest::upload(&tenant.store, &tenant.counts, &other, &says(vec![], vec![removed(1), member(2, 7)]), NOW)
        .unwrap();
    assert_eq!(tenant.dump(), before);
    assert_eq!(tenant.counts.links_refused.now(), 2);
    let thief = || Record { sid: None, ..contact(2, "x") };
    let receipt =
        ingest::upload(&tenant.store, &tenant.counts, &other, &says(vec![thief()], vec![]), NOW).unwrap();
    assert_eq!(refusals(&receipt), [RefusalReason::ForeignSid]);
    let gone = Record { presence: Presence::Deleted, ..thief() };
    ingest::upload(&tenant.store, &tenant.counts, &other, &says(vec![gone], vec![]), NOW).unwrap();
    assert_eq!(tenant.dump(), before);
    // What it says of an object that nobody knows yet does not count for whoever brings the object.
    let early = vec![Link { stamp: stamp(u32::MAX), present: false, ..member(3, 1) }];
    ingest::upload(&tenant.store, &tenant.counts, &other, &says(vec![], early), NOW).unwrap();
    tenant.send(&links_of(vec![group(3)], vec![member(3, 1)]));
    assert_eq!(members(&tenant, 3), [object(1)]);
    // A full compare of the other domain sweeps its own alone.
    let full =
        Upload { domain_sid: Text::new(OTHER_SID).unwrap(), policy: None, ..full(40, vec![], Some("c")) };
    assert_eq!(ingest::upload(&tenant.store, &tenant.counts, &other, &full, NOW).unwrap().swept, 0);
    assert_eq!(members(&tenant, 2), [object(1)]);
}

#[test]
fn a_further_sign_in_name_is_ambiguous_as_any_other() {
    let tenant = Tenant::new();
    let alternate = |n, name: &str| {
        with(n, vec![written(1, AttributeValue::AlternateLogin(Some(Text::new(name).unwrap())))])
    };
    tenant.sends(vec![alternate(1, "Ada@Example.com"), alternate(2, "4711"), user(3, "three")]);
    let names_held = |n| tenant.store.read(|c| names::of(c, object(n))).unwrap();
    assert_eq!(names_held(1), ["ada@example.com"]);
    assert!(names_held(2).is_empty(), "what has no form of a sign-in name signs nobody in");
    assert!(tenant.store.read(|c| names::ambiguous(c, 10)).unwrap().is_empty());
    tenant.sends(vec![alternate(2, "ignored by its stamp"), alternate(4, "user3@corp.example.com")]);
    let ambiguous = tenant.store.read(|c| names::ambiguous(c, 10)).unwrap();
    let ambiguous: Vec<_> = ambiguous.iter().map(|(name, held)| (name.as_str(), held.carried)).collect();
    assert_eq!(ambiguous, [("user3@corp.example.com", 2)]);
    assert_eq!(tenant.counts.names_shared.now(), 1);
}

#[test]
fn fifty_thousand_links_in_one_full_compare_are_no_trouble() {
    let tenant = Tenant::new();
    let began = Instant::now();
    let mut sent = 0;
    for upload in 0..13 {
        let links: Vec<Link> = (0..MAX_LINKS as u128)
            .map(|n| member(1, 100 + upload * MAX_LINKS as u128 + n))
            .take(50_000 - sent)
            .collect();
        sent += links.len();
        tenant.send(&linked(full(40, vec![group(1)], (upload == 12).then_some("c")), links));
    }
    let whole = began.elapsed();
    assert_eq!(members(&tenant, 1).len(), 50_000);
    let began = Instant::now();
    let gone = Link { present: false, stamp: stamp(2), ..member(1, 25_000) };
    tenant.send(&links_of(vec![], vec![gone]));
    println!("N = {sent} links: {whole:?} for all of them in 13 uploads, {:?} for one more", began.elapsed());
    assert_eq!(members(&tenant, 1).len(), 49_999);
}

/// What a domain's life brings to its links, in one order; any other order must end in the same state. Nobody leaves
/// here: presence has no stamp.
fn life() -> Vec<Upload> {
    let gone = |version, link: Link| Link { present: false, stamp: stamp(version), ..link };
    let again = |version, link: Link| Link { stamp: stamp(version), ..link };
    vec![
        links_of(vec![group(1)], vec![member(1, 5)]),
        links_of(vec![], vec![gone(2, member(1, 5))]),
        links_of(vec![], vec![again(3, member(1, 5)), member(1, 6)]),
        links_of(vec![group(2)], vec![member(1, 2), gone(4, member(1, 5))]),
        links_of(vec![settings_object(3, 1, 5, 1)], vec![link(LinkKind::AppliesTo, 3, 1, 1)]),
        links_of(vec![], vec![gone(2, link(LinkKind::AppliesTo, 3, 1, 1)), gone(7, member(2, 9))]),
        links_of(vec![user_without_password(6)], vec![link(LinkKind::Manager, 6, 5, 1), member(2, 9)]),
    ]
}

fn user_without_password(n: u128) -> Record {
    Record { password: None, ..user(n, "") }
}

fn end_of(order: &[usize]) -> Vec<String> {
    let tenant = Tenant::new();
    for n in order {
        tenant.send(&life()[*n]);
    }
    tenant.dump()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_any_repetition_of_links_ends_in_the_same_state(
        order in Just((0..7).collect::<Vec<usize>>()).prop_shuffle(),
        again in prop::collection::vec((0_usize..7, 0_usize..7), 0..10),
    ) {
        let mut repeated = order;
        for (what, place) in again {
            repeated.insert(place, what);
        }
        let straight: Vec<usize> = (0..7).collect();
        prop_assert_eq!(end_of(&repeated), end_of(&straight));
    }
}

#[test]
fn links_are_refused_to_an_agent_that_does_not_write() {
    let tenant = Tenant::new();
    tenant.send(&links_of(vec![group(1)], vec![]));
    let second: Writer = enrolled(&tenant.store, 99, tenant.domain);
    assert!(
        ingest::upload(&tenant.store, &tenant.counts, &second, &links_of(vec![], vec![member(1, 2)]), NOW)
            .is_err()
    );
    assert!(members(&tenant, 1).is_empty());
}
