//! UPN suffixes, by their sentences.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::model::Writer;
use landbridge_tenant_rules::names::Whose;
use landbridge_tenant_store::tables::names::{self, whose};
use landbridge_tenant_store::tables::suffixes;
use landbridge_wire::bounded::Text;
use landbridge_wire::upload::{AttributeValue, MAX_RECORDS, Presence, Record};

fn names_held(tenant: &Tenant, n: u128) -> Vec<String> {
    tenant.store.read(|c| names::of(c, object(n))).unwrap()
}

fn find(tenant: &Tenant, name: &str) -> Whose {
    tenant.store.read(|c| whose(c, name)).unwrap()
}

fn declared(tenant: &Tenant, domain: i64) -> Vec<String> {
    tenant.store.read(|c| suffixes::of(c, domain)).unwrap()
}

/// Subjects of the audit entries of this action.
fn entries(tenant: &Tenant, action: &str) -> Vec<String> {
    let all = tenant.audit().into_iter();
    all.filter(|(_, one, _)| one == action).map(|(_, _, subject)| subject).collect()
}

fn alternate(name: &str) -> AttributeValue {
    AttributeValue::AlternateLogin(Some(Text::new(name).unwrap()))
}

/// An account `user<n>` with this UPN and a digest.
fn called(n: u128, version: u32, name: &str) -> Record {
    let attributes = vec![written(1, sam(&format!("user{n}"))), written(version, upn(name))];
    Record { password: sent(1, "one"), ..with(n, attributes) }
}

#[test]
fn an_account_does_not_get_a_name_whose_suffix_its_domain_does_not_declare_and_keeps_the_rest() {
    let tenant = Tenant::new();
    let record = called(1, 1, "Ada@Undeclared.example");
    let mut attributes = record.attributes.into_vec();
    attributes.push(written(1, alternate("ada@example.com")));
    let record = Record { password: record.password, ..with(1, attributes) };
    let receipt = tenant.sends(vec![record]);
    assert_eq!((receipt.applied, receipt.refused.as_slice().len()), (1, 0));
    let kept = ["ada@example.com", "corp.example.com\\user1", "corp\\user1", "user1@corp.example.com"];
    assert_eq!(names_held(&tenant, 1), kept);
    assert!(tenant.has_digest(object(1)));
    assert_eq!(find(&tenant, "ada@undeclared.example"), Whose::Nobody);
    assert_eq!(entries(&tenant, "name-refused"), [object(1).to_string()]);
    assert_eq!((tenant.counts.names_undeclared.now(), tenant.counts.names_of_other_domains.now()), (1, 0));
    assert!(!declared(&tenant, tenant.domain).contains(&"undeclared.example".to_owned()));
}

#[test]
fn another_domains_names_are_refused_with_an_alarm_and_its_people_sign_in_as_before() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    tenant.sends(vec![user(1, "one"), called(2, 1, "two@example.com"), called(3, 1, "three@corp")]);
    // By the DNS name, a declared suffix, and the NetBIOS name; as UPN and as the further name.
    let targets = ["user1@corp.example.com", "two@example.com", "three@corp", "TWO@EXAMPLE.COM"];
    for (n, name) in (11..).zip(targets) {
        tenant.send_as(&other, page(vec![with(n, vec![written(1, upn(name))])]));
        tenant.send_as(&other, page(vec![with(n + 10, vec![written(1, alternate(name))])]));
        for thief in [n, n + 10] {
            assert!(names_held(&tenant, thief).is_empty(), "{name}");
            assert!(entries(&tenant, "name-refused").contains(&object(thief).to_string()), "{name}");
        }
    }
    for (n, name) in (1..).zip(&targets[..3]) {
        assert_eq!(find(&tenant, name), Whose::One(object(n)), "{name}");
    }
    assert_eq!((tenant.counts.names_of_other_domains.now(), tenant.counts.names_undeclared.now()), (8, 0));
    assert_eq!(tenant.counts.names_shared.now(), 0, "nobody became ambiguous");
}

#[test]
fn only_what_follows_the_last_at_is_the_suffix_and_a_domain_above_lends_none() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    tenant.sends(vec![user(1, "one")]);
    let own = "user1@corp.example.com@lab.example.net";
    let records = vec![
        called(11, 1, own),
        called(12, 1, "user1@sub.corp.example.com"),
        called(13, 1, "user1@x.lab.example.net"),
        called(14, 1, "user1@corp.example.com."),
        called(15, 1, "user1@xcorp.example.com"),
    ];
    tenant.send_as(&other, page(records));
    assert_eq!(find(&tenant, own), Whose::One(object(11)));
    assert_eq!(find(&tenant, "user1@corp.example.com"), Whose::One(object(1)));
    for n in [12, 13, 14, 15] {
        assert_eq!(names_held(&tenant, n).len(), 3, "{n}");
    }
    assert_eq!(tenant.counts.names_undeclared.now(), 4);
}

#[test]
fn a_new_domain_declares_what_its_accounts_use_until_its_first_full_compare_is_complete() {
    let tenant = Tenant::new();
    let other = tenant.new_domain();
    tenant
        .send_as(&other, full(40, vec![called(1, 1, "a@Lab.example"), called(2, 1, "b@lab.example")], None));
    // Also the page that ends it.
    let mail = with(3, vec![written(1, alternate("c@mail.example"))]);
    tenant.send_as(&other, full(40, vec![mail], Some("c")));
    assert_eq!(declared(&tenant, other.domain), ["lab.example", "mail.example"]);
    assert_eq!(entries(&tenant, "suffix-claimed"), ["lab.example.net", "lab.example.net"]);
    for (n, name) in [(1, "a@lab.example"), (2, "b@lab.example"), (3, "c@mail.example")] {
        assert_eq!(find(&tenant, name), Whose::One(object(n)), "{name}");
    }
    // From then on only an administrator declares.
    tenant.send_as(&other, full(41, vec![called(4, 1, "d@late.example")], None));
    assert_eq!(find(&tenant, "d@late.example"), Whose::Nobody);
    assert_eq!(declared(&tenant, other.domain).len(), 2);
}

#[test]
fn a_new_domain_declares_no_suffix_of_another_domain_and_none_below_its_name() {
    let tenant = Tenant::new();
    let other = tenant.new_domain();
    let names =
        ["a@corp.example.com", "b@example.com", "c@corp", "d@mail.corp.example.com", "e@x.lab.example.net"];
    let records = (1..).zip(names).map(|(n, name)| called(n, 1, name)).collect();
    tenant.send_as(&other, full(40, records, None));
    let long = called(9, 1, &format!("f@{}", "x".repeat(766)));
    tenant.send_as(&other, full(40, vec![long], Some("c")));
    assert_eq!(declared(&tenant, other.domain), ["x.lab.example.net"], "below its own name it may");
    for name in &names[..4] {
        assert_eq!(find(&tenant, name), Whose::Nobody, "{name}");
    }
}

#[test]
fn after_a_restore_a_domain_is_not_new_again() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    let restored = "UPDATE domains SET acknowledged_before = acknowledged, acknowledged = NULL";
    tenant.store.write("test", |t| Ok(t.raw().execute(restored, [])?)).unwrap();
    tenant.send_as(&other, full(40, vec![called(1, 1, "a@late.example")], Some("c")));
    assert!(declared(&tenant, other.domain).is_empty());
    assert_eq!(find(&tenant, "a@late.example"), Whose::Nobody);
}

#[test]
fn the_suffixes_that_a_new_domain_declares_by_itself_are_bounded() {
    let tenant = Tenant::new();
    let other = tenant.new_domain();
    let names =
        (1..=MAX_RECORDS as u128 + 5).map(|n| with(n, vec![written(1, upn(&format!("a@s{n}.example")))]));
    let names: Vec<Record> = names.collect();
    let mut names = names.into_iter();
    tenant.send_as(&other, full(40, names.by_ref().take(MAX_RECORDS).collect(), None));
    tenant.send_as(&other, full(40, names.collect(), Some("c")));
    assert_eq!(declared(&tenant, other.domain).len(), suffixes::MOST);
    assert_eq!(tenant.counts.names_undeclared.now(), 5);
}

#[test]
fn a_full_compare_of_many_refused_names_writes_few_entries_and_its_repeat_none() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    let all = || -> Vec<Record> {
        (1..=300).map(|n| with(n, vec![written(1, upn(&format!("user{n}@corp.example.com")))])).collect()
    };
    tenant.send_as(&other, full(40, all(), Some("c")));
    let first = entries(&tenant, "name-refused");
    assert_eq!((first.len(), first[10].as_str()), (11, "lab.example.net"), "ten of them, and how many more");
    assert_eq!(tenant.counts.names_of_other_domains.now(), 300);
    tenant.send_as(&other, full(41, all(), Some("d")));
    assert_eq!(entries(&tenant, "name-refused").len(), 11);
    // Another change of one account is no reason, if it does not bring the name again.
    tenant.send_as(&other, page(vec![with(1, vec![written(2, sam("new"))])]));
    assert_eq!(entries(&tenant, "name-refused").len(), 12, "its names have changed");
    tenant.send_as(&other, page(vec![with(1, vec![written(3, AttributeValue::AdminCount(Some(0)))])]));
    assert_eq!(entries(&tenant, "name-refused").len(), 12);
}

#[test]
fn a_refused_name_that_becomes_another_refused_name_is_on_the_record_again() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    tenant.send_as(&other, page(vec![called(1, 1, "one@corp.example.com")]));
    tenant.send_as(&other, page(vec![called(1, 2, "two@corp.example.com")]));
    assert_eq!(entries(&tenant, "name-refused").len(), 2);
    // The alarm comes before what nobody declares, however much of that there is.
    let mut records: Vec<Record> =
        (20..40).map(|n| with(n, vec![written(1, upn("x@nobody.example"))])).collect();
    records.push(called(1, 3, "three@corp.example.com"));
    tenant.send_as(&other, page(records));
    assert_eq!(entries(&tenant, "name-refused")[2], object(1).to_string());
}

#[test]
fn an_account_that_leaves_and_returns_does_not_get_the_name_either() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    tenant.send_as(&other, page(vec![called(1, 1, "one@corp.example.com")]));
    tenant.send_as(&other, page(vec![Record { presence: Presence::OutOfScope, ..bare(1) }]));
    tenant.send_as(&other, page(vec![bare(1)]));
    assert_eq!(names_held(&tenant, 1), ["lab.example.net\\user1", "lab\\user1", "user1@lab.example.net"]);
}

#[test]
fn a_suffix_that_two_domains_share_lets_both_have_names_and_a_name_of_both_signs_neither_in() {
    let tenant = Tenant::new();
    let other: Writer = tenant.other_domain();
    tenant.store.write("test", |t| suffixes::add(t, other.domain, "example.com")).unwrap();
    tenant.sends(vec![called(1, 1, "ada@example.com"), called(2, 1, "two@example.com")]);
    tenant.send_as(&other, page(vec![called(11, 1, "ada@example.com"), called(12, 1, "twelve@example.com")]));
    assert_eq!(find(&tenant, "ada@example.com"), Whose::Ambiguous);
    assert_eq!(find(&tenant, "two@example.com"), Whose::One(object(2)));
    assert_eq!(find(&tenant, "twelve@example.com"), Whose::One(object(12)));
    assert_eq!(entries(&tenant, "name-ambiguous"), [object(11).to_string()]);
}
