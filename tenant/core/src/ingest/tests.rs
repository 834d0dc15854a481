//! Ingest, by its sentences.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::ingest::*;
use landbridge_crypto::nt_hash::NtHash;
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::model::Attributes;
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::tables::attributes;
use landbridge_tenant_store::tables::objects::find;
use landbridge_wire::upload::{
    Attribute, AttributeValue, DomainPolicy, Kind, Link, LinkKind, Record, RefusalReason,
};
use proptest::prelude::*;
use uuid::Uuid;

fn known(tenant: &Tenant, n: u128) -> Attributes {
    tenant.store.read(|c| attributes::of(c, object(n))).unwrap()
}

fn presence(tenant: &Tenant, n: u128) -> Presence {
    tenant.store.read(|c| find(c, object(n))).unwrap().unwrap().presence
}

fn names_held(tenant: &Tenant, n: u128) -> Vec<String> {
    tenant.store.read(|c| names::of(c, object(n))).unwrap()
}

fn held_stamp(tenant: &Tenant, n: u128) -> Option<u32> {
    tenant.store.read(|c| digests::find(c, object(n))).unwrap().map(|held| held.stamp.version)
}

fn opens_with(tenant: &Tenant, n: u128, text: &str) -> bool {
    let held = tenant.store.read(|c| digests::find(c, object(n))).unwrap().unwrap();
    held.open(tenant.store.seal_keys(), object(n)).unwrap().verify(&password(text))
}

fn wanted(tenant: &Tenant, offers: &[(u128, u32)]) -> Vec<Uuid> {
    let passwords = offers.iter().map(|(n, version)| (object(*n), stamp(*version))).collect();
    let offer = Offer { instance: Uuid::nil(), passwords: List::new(passwords).unwrap(), iterations: None };
    super::offer(&tenant.store, &tenant.counts, &tenant.writer, &offer, NOW).unwrap().objects.into_vec()
}

/// What is wanted of a phs that derives with these iterations: passwords that are missing, and those to derive again.
fn wanted_of(tenant: &Tenant, offers: &[(u128, u32)], iterations: u32) -> (Vec<Uuid>, Vec<Uuid>) {
    let passwords = offers.iter().map(|(n, version)| (object(*n), stamp(*version))).collect();
    let (instance, passwords) = (Uuid::nil(), List::new(passwords).unwrap());
    let offer = Offer { instance, passwords, iterations: Some(iterations) };
    let wanted = super::offer(&tenant.store, &tenant.counts, &tenant.writer, &offer, NOW).unwrap();
    (wanted.objects.into_vec(), wanted.again.into_vec())
}

/// The account with a digest of this profile, of its password's first version.
fn user_with(n: u128, text: &str, profile: Profile) -> Record {
    let digest = SaltedDigest::derive(NtHash::of_password(&password(text)), profile);
    let sent = landbridge_wire::upload::Password { stamp: stamp(1), digest };
    Record { password: Some(sent), ..user(n, text) }
}

fn iterations_held(tenant: &Tenant, n: u128) -> u32 {
    let held = tenant.store.read(|c| digests::find(c, object(n))).unwrap().unwrap();
    held.open(tenant.store.seal_keys(), object(n)).unwrap().iterations()
}

fn hello_of(tenant: &Tenant, writer: &Writer, sid: &str) -> Result<Receipt, Problem> {
    let hello = Hello { instance: Uuid::nil(), domain_sid: Text::new(sid).unwrap() };
    super::hello(&tenant.store, &tenant.counts, writer, &hello, NOW)
}

fn gone(n: u128, presence: Presence) -> Record {
    Record { presence, ..bare(n) }
}

fn counts(receipt: &Receipt) -> (u32, u32, u32, usize) {
    (receipt.applied, receipt.unchanged, receipt.swept, receipt.refused.as_slice().len())
}

fn refusal(receipt: &Receipt) -> Option<RefusalReason> {
    receipt.refused.as_slice().first().map(|refusal| refusal.why)
}

#[test]
fn a_first_upload_is_applied_and_its_repeat_changes_nothing() {
    let tenant = Tenant::new();
    assert_eq!(counts(&tenant.sends(vec![user(1, "one"), user(2, "two")])), (2, 0, 0, 0));
    let before = tenant.dump();
    assert_eq!(counts(&tenant.sends(vec![user(1, "one"), user(2, "two")])), (0, 2, 0, 0));
    assert_eq!(tenant.dump(), before);
    assert_eq!(tenant.counts.digests_repeated.now(), 2);
    assert_eq!(tenant.counts.digests_set.now(), 2);
}

#[test]
fn an_older_stamp_changes_nothing_and_a_greater_one_does() {
    let tenant = Tenant::new();
    tenant.sends(vec![with(1, vec![written(5, sam("new"))])]);
    assert_eq!(tenant.sends(vec![with(1, vec![written(4, sam("old"))])]).unchanged, 1);
    assert_eq!(known(&tenant, 1).sam_account_name.as_deref(), Some("new"));
    assert_eq!(tenant.sends(vec![with(1, vec![written(6, sam("newer"))])]).applied, 1);
    assert_eq!(known(&tenant, 1).sam_account_name.as_deref(), Some("newer"));
}

#[test]
fn a_stamp_is_greater_by_version_then_time_then_invocation_id() {
    let tenant = Tenant::new();
    let mut stamp = stamp(5);
    let send =
        |stamp, name: &str| tenant.sends(vec![with(1, vec![Attribute { stamp, is: sam(name) }])]).applied;
    assert_eq!(send(stamp, "a"), 1);
    stamp.invocation_id = Uuid::from_u128(6);
    assert_eq!(send(stamp, "b"), 1);
    stamp.time += 1;
    stamp.invocation_id = Uuid::nil();
    assert_eq!(send(stamp, "c"), 1);
    stamp.version += 1;
    stamp.time = 0;
    assert_eq!(send(stamp, "d"), 1);
    stamp.version -= 1;
    stamp.time = u64::MAX;
    assert_eq!(send(stamp, "e"), 0);
}

#[test]
fn a_removed_attribute_is_known_to_be_removed() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    tenant.sends(vec![with(1, vec![written(2, AttributeValue::UserPrincipalName(None))])]);
    assert_eq!(known(&tenant, 1).user_principal_name, None);
    // The name that AD makes of the sAMAccountName happens to be the same here, so it stays.
    assert_eq!(names_held(&tenant, 1), ["corp.example.com\\user1", "corp\\user1", "user1@corp.example.com"]);
    let other = vec![written(1, upn("someone@example.com"))];
    tenant.sends(vec![with(2, other)]);
    assert_eq!(names_held(&tenant, 2), ["someone@example.com"]);
    tenant.sends(vec![with(2, vec![written(2, AttributeValue::UserPrincipalName(None))])]);
    assert!(names_held(&tenant, 2).is_empty());
}

#[test]
fn a_newer_digest_replaces_an_older_one_and_that_is_on_the_record() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "old")]);
    assert!(!tenant.audit().iter().any(|(_, action, _)| action == "digest-replaced"));
    tenant.sends(vec![Record { password: sent(2, "new"), ..bare(1) }]);
    assert!(opens_with(&tenant, 1, "new"));
    let replaced: Vec<_> =
        tenant.audit().into_iter().filter(|(_, action, _)| action == "digest-replaced").collect();
    let actor = format!("agent {}", tenant.writer.agent);
    assert_eq!(replaced, [(actor, "digest-replaced".to_owned(), object(1).to_string())]);
    tenant.sends(vec![Record { password: sent(1, "old"), ..bare(1) }]);
    assert!(opens_with(&tenant, 1, "new"), "a late comer does not bring the old password back");
}

#[test]
fn an_upload_leaves_one_entry_and_one_that_changes_nothing_none() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one"), user(2, "two")]);
    let uploads = |tenant: &Tenant| tenant.audit().iter().filter(|(_, action, _)| action == "upload").count();
    assert_eq!(uploads(&tenant), 1);
    tenant.sends(vec![user(1, "one"), user(2, "two")]);
    assert_eq!(uploads(&tenant), 1);
}

#[test]
fn hello_and_offer_change_nothing() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    let (before, audit) = (tenant.dump(), tenant.audit());
    let receipt = hello_of(&tenant, &tenant.writer, SID).unwrap();
    assert_eq!(receipt.generation, tenant.store.tenant().generation);
    assert_eq!(counts(&receipt), (0, 0, 0, 0));
    wanted(&tenant, &[(1, 2), (2, 1)]);
    assert_eq!((tenant.dump(), tenant.audit()), (before, audit));
}

#[test]
fn hello_does_not_claim_the_domain() {
    let tenant = Tenant::new();
    hello_of(&tenant, &tenant.writer, SID).unwrap();
    assert_eq!(tenant.store.read(domains::all).unwrap()[0].writer, None);
}

#[test]
fn a_password_is_wanted_when_it_is_absent_or_of_another_stamp_and_asked_for_once() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one"), user(2, "two"), bare(3)]);
    assert_eq!(wanted(&tenant, &[(1, 1), (2, 2), (3, 1), (4, 1), (4, 1)]), [object(2), object(3), object(4)]);
    // Held is greater than offered: a lagging DC, or a restored one. In doubt: wanted.
    tenant.sends(vec![Record { password: sent(5, "five"), ..bare(1) }]);
    assert_eq!(wanted(&tenant, &[(1, 4)]), [object(1)]);
}

#[test]
fn a_digest_that_cannot_be_opened_is_wanted_again_and_replaced_by_its_own_stamp() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    tenant
        .store
        .write("test", |t| Ok(t.raw().execute("UPDATE digests SET sealed = zeroblob(80)", [])?))
        .unwrap();
    assert_eq!(wanted(&tenant, &[(1, 1)]), [object(1)]);
    tenant.sends(vec![Record { password: sent(1, "one"), ..bare(1) }]);
    assert!(opens_with(&tenant, 1, "one"));
    assert!(wanted(&tenant, &[(1, 1)]).is_empty());
}

#[test]
fn a_digest_swapped_into_another_row_does_not_open_there() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one"), user(2, "two")]);
    let swap = "UPDATE digests SET sealed = (SELECT sealed FROM digests JOIN objects USING (number) WHERE object = ?1)
                WHERE number = (SELECT number FROM objects WHERE object = ?2)";
    tenant
        .store
        .write("test", |t| Ok(t.raw().execute(swap, (object(1).as_bytes(), object(2).as_bytes()))?))
        .unwrap();
    let held = tenant.store.read(|c| digests::find(c, object(2))).unwrap().unwrap();
    assert!(held.open(tenant.store.seal_keys(), object(2)).is_err());
    assert!(held.open(tenant.store.seal_keys(), object(1)).is_ok(), "it is the other one's");
}

#[test]
fn who_is_deleted_privileged_or_out_of_scope_loses_digest_and_names_at_once() {
    for left in [Presence::Deleted, Presence::Privileged, Presence::OutOfScope] {
        let tenant = Tenant::new();
        tenant.sends(vec![user(1, "one")]);
        let receipt = tenant.sends(vec![gone(1, left)]);
        assert_eq!(receipt.applied, 1);
        assert_eq!(presence(&tenant, 1), left);
        assert!(!tenant.has_digest(object(1)));
        assert!(names_held(&tenant, 1).is_empty());
        assert_eq!(tenant.counts.digests_erased.now(), 1);
        assert_eq!(tenant.sends(vec![gone(1, left)]).unchanged, 1);
    }
}

#[test]
fn a_record_of_an_account_that_left_stores_no_digest() {
    let tenant = Tenant::new();
    tenant.sends(vec![bare(1)]);
    tenant.sends(vec![Record { presence: Presence::OutOfScope, ..user(1, "one") }]);
    assert!(!tenant.has_digest(object(1)));
    assert!(names_held(&tenant, 1).is_empty());
}

#[test]
fn a_tombstone_of_an_unknown_account_leaves_no_trace() {
    let tenant = Tenant::new();
    for left in [Presence::Deleted, Presence::OutOfScope] {
        assert_eq!(counts(&tenant.sends(vec![gone(1, left)])), (0, 1, 0, 0));
        assert!(tenant.store.read(|c| find(c, object(1))).unwrap().is_none());
    }
    assert_eq!(tenant.sends(vec![gone(1, Presence::Privileged)]).applied, 1);
    assert_eq!(presence(&tenant, 1), Presence::Privileged);
}

#[test]
fn who_comes_back_has_its_names_and_needs_a_fresh_digest() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    tenant.sends(vec![gone(1, Presence::Deleted)]);
    tenant.sends(vec![bare(1)]);
    assert!(names_held(&tenant, 1).contains(&"corp\\user1".to_owned()));
    assert!(!tenant.has_digest(object(1)));
    assert_eq!(wanted(&tenant, &[(1, 1)]), [object(1)]);
    tenant.sends(vec![Record { password: sent(1, "one"), ..bare(1) }]);
    assert_eq!(held_stamp(&tenant, 1), Some(1));
}

#[test]
fn a_reused_upn_never_inherits_a_digest() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    tenant.sends(vec![gone(1, Presence::Deleted)]);
    let heir = vec![written(1, upn("user1@corp.example.com")), written(1, sam("user1"))];
    tenant.sends(vec![with(2, heir)]);
    assert!(!tenant.has_digest(object(2)));
    assert!(!tenant.has_digest(object(1)));
}

#[test]
fn privileged_digests_are_refused_and_the_rest_of_the_record_is_applied() {
    let cases = [
        written(2, AttributeValue::AdminCount(Some(1))),
        written(2, AttributeValue::PrimaryGroupId(Some(512))),
        written(2, AttributeValue::UserAccountControl(Some(0x1000))),
        written(2, AttributeValue::UserAccountControl(Some(0x2))),
    ];
    for case in cases {
        let tenant = Tenant::new();
        let mut record = user(1, "one");
        let mut attributes = record.attributes.into_vec();
        attributes.push(case.clone());
        record.attributes = List::new(attributes).unwrap();
        let receipt = tenant.sends(vec![record, user(2, "two")]);
        assert_eq!(counts(&receipt), (1, 0, 0, 1), "{case:?}");
        assert_eq!(refusal(&receipt), Some(RefusalReason::Privileged));
        assert!(!tenant.has_digest(object(1)));
        assert!(tenant.has_digest(object(2)));
        assert!(known(&tenant, 1).sam_account_name.is_some());
    }
}

#[test]
fn the_administrators_and_krbtgts_digests_are_refused_by_their_rid() {
    let tenant = Tenant::new();
    for rid in ["500", "502"] {
        let record = Record { sid: Some(Text::new(format!("{SID}-{rid}")).unwrap()), ..user(1, "one") };
        assert_eq!(refusal(&tenant.sends(vec![record])), Some(RefusalReason::Privileged));
    }
}

#[test]
fn a_later_promotion_erases_the_digest_although_no_password_comes_with_it() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    let receipt = tenant.sends(vec![with(1, vec![written(2, AttributeValue::AdminCount(Some(1)))])]);
    assert_eq!(counts(&receipt), (1, 0, 0, 0));
    assert!(!tenant.has_digest(object(1)));
}

#[test]
fn an_account_that_phs_marks_as_privileged_is_refused_though_nothing_else_shows_it() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    let promoted = || Record { privileged: true, password: sent(2, "two"), ..bare(1) };
    let receipt = tenant.sends(vec![promoted()]);
    assert_eq!(refusal(&receipt), Some(RefusalReason::Privileged));
    assert!(!tenant.has_digest(object(1)));
    let willing = Tenant::with(true);
    willing.sends(vec![user(1, "one")]);
    assert_eq!(counts(&willing.sends(vec![promoted()])), (1, 0, 0, 0));
    assert!(willing.has_digest(object(1)));
}

#[test]
fn a_domain_that_allows_privileged_accounts_accepts_their_digests() {
    let tenant = Tenant::with(true);
    let record = Record { sid: Some(Text::new(format!("{SID}-500")).unwrap()), ..user(1, "one") };
    assert_eq!(counts(&tenant.sends(vec![record])), (1, 0, 0, 0));
    assert!(tenant.has_digest(object(1)));
}

#[test]
fn a_digest_cheaper_than_the_domain_accepts_is_refused() {
    let tenant = Tenant::new();
    tenant
        .store
        .write("test", |t| Ok(t.raw().execute("UPDATE domains SET min_iterations = 1001", [])?))
        .unwrap();
    let receipt = tenant.sends(vec![user(1, "one")]);
    assert_eq!(refusal(&receipt), Some(RefusalReason::WeakDigest));
    assert!(!tenant.has_digest(object(1)));
}

#[test]
fn when_the_domain_raises_its_bar_the_cheaper_digests_are_wanted_again() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    assert!(wanted(&tenant, &[(1, 1)]).is_empty());
    tenant
        .store
        .write("test", |t| Ok(t.raw().execute("UPDATE domains SET min_iterations = 1001", [])?))
        .unwrap();
    assert_eq!(wanted(&tenant, &[(1, 1)]), [object(1)]);
}

#[test]
fn a_digest_of_the_same_password_gives_way_to_one_with_more_iterations_and_never_to_one_with_fewer() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one"), user(2, "two")]);
    assert_eq!(wanted_of(&tenant, &[(1, 1), (2, 2), (3, 1)], 1000), (vec![object(2), object(3)], vec![]));
    let both = (vec![object(2), object(3)], vec![object(1)]);
    assert_eq!(wanted_of(&tenant, &[(1, 1), (2, 2), (3, 1)], 600_000), both);
    // 1. More iterations: replaced, and written down; people sign in by it.
    tenant.sends(vec![user_with(1, "one", Profile::Strong)]);
    assert_eq!(iterations_held(&tenant, 1), 600_000);
    assert!(opens_with(&tenant, 1, "one"));
    let replaced = |(_, action, subject): &(String, String, String)| {
        action == "digest-replaced" && *subject == object(1).to_string()
    };
    assert_eq!(tenant.audit().iter().filter(|entry| replaced(entry)).count(), 1);
    assert_eq!(wanted_of(&tenant, &[(1, 1)], 600_000), (vec![], vec![]));
    // 2. Fewer: neither wanted nor stored, in a full compare as little as elsewhere.
    assert_eq!(wanted_of(&tenant, &[(1, 1)], 1000), (vec![], vec![]));
    for mode in [Mode::Incremental, Mode::FullCompareByStamp, Mode::FullCompare] {
        tenant.send(&Upload { mode, ..page(vec![user_with(1, "one", Profile::Entra)]) });
        assert_eq!(iterations_held(&tenant, 1), 600_000, "{mode:?}");
    }
    // 3. A phs of version 0.1 names no iterations.
    assert!(wanted(&tenant, &[(1, 1)]).is_empty());
    assert!(wanted(&tenant, &[(2, 1)]).is_empty());
}

#[test]
fn when_the_domain_raises_its_bar_a_phs_that_reaches_it_may_take_its_time() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    tenant
        .store
        .write("test", |t| Ok(t.raw().execute("UPDATE domains SET min_iterations = 600000", [])?))
        .unwrap();
    assert_eq!(wanted_of(&tenant, &[(1, 1)], 600_000), (vec![], vec![object(1)]));
    assert!(opens_with(&tenant, 1, "one"), "people sign in meanwhile");
    // One that does not reach it is told with each upload.
    assert_eq!(wanted_of(&tenant, &[(1, 1)], 1000), (vec![object(1)], vec![]));
    assert_eq!(refusal(&tenant.sends(vec![user(1, "one")])), Some(RefusalReason::WeakDigest));
    assert!(opens_with(&tenant, 1, "one"));
    // A changed password is refused too, and the old one does not sign in any more.
    let changed = Record { password: sent(2, "changed"), ..user(1, "changed") };
    assert_eq!(refusal(&tenant.sends(vec![changed])), Some(RefusalReason::WeakDigest));
    assert!(!tenant.has_digest(object(1)));
}

#[test]
fn a_sid_of_another_domain_or_oddly_spelled_is_refused() {
    let tenant = Tenant::new();
    let odd = [
        "",
        "S-1-5-21-4-5-6-1105",
        "S-1-5-21-1-2-33-1105",
        "S-1-5-21-1-2-3",
        "S-1-5-21-1-2-3-",
        "S-1-5-21-1-2-3-1-5",
        "S-1-5-21-1-2-3-01105",
        "S-1-5-21-1-2-3-+1105",
        "S-1-5-21-1-2-3-4294967296",
    ];
    for sid in odd {
        let receipt = tenant.sends(vec![Record { sid: Some(Text::new(sid).unwrap()), ..user(1, "one") }]);
        assert_eq!(refusal(&receipt), Some(RefusalReason::ForeignSid), "{sid:?}");
    }
    assert!(tenant.store.read(|c| find(c, object(1))).unwrap().is_none());
}

#[test]
fn one_domains_phs_cannot_write_another_domains_account() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    let before = tenant.dump();
    let other = tenant.other_domain();
    let thief = || Record { sid: Some(Text::new(format!("{OTHER_SID}-1105")).unwrap()), ..user(1, "stolen") };
    let upload =
        |record| Upload { domain_sid: Text::new(OTHER_SID).unwrap(), policy: None, ..page(vec![record]) };
    let receipt = super::upload(&tenant.store, &tenant.counts, &other, &upload(thief()), NOW).unwrap();
    assert_eq!(refusal(&receipt), Some(RefusalReason::ForeignSid));
    let unchanged = |before: &[String]| {
        let after: Vec<_> =
            tenant.dump().into_iter().filter(|line| !line.contains("lab.example.net")).collect();
        assert_eq!(after, before);
    };
    unchanged(&before);
    // Nor one that is held back, or out of scope for an hour; nor does its word end what links from there.
    tenant.send(&linked(page(vec![group(2)]), vec![member(2, 1)]));
    for presence in [Presence::Privileged, Presence::OutOfScope] {
        tenant.sends(vec![gone(1, presence)]);
        let before = tenant.dump();
        for record in [thief(), Record { presence: Presence::Privileged, ..thief() }] {
            let receipt = super::upload(&tenant.store, &tenant.counts, &other, &upload(record), NOW).unwrap();
            assert_eq!(refusal(&receipt), Some(RefusalReason::ForeignSid), "{presence:?}");
        }
        let unknown = Record { object: object(2), ..thief() };
        super::upload(
            &tenant.store,
            &tenant.counts,
            &other,
            &upload(Record { presence: Presence::Privileged, ..unknown }),
            NOW,
        )
        .unwrap();
        let after: Vec<_> =
            tenant.dump().into_iter().filter(|line| !line.contains("lab.example.net")).collect();
        let before: Vec<_> = before.into_iter().filter(|line| !line.contains("lab.example.net")).collect();
        assert_eq!(after, before, "{presence:?}");
    }
}

#[test]
fn an_agent_that_reads_another_domain_than_it_enrolled_for_is_refused() {
    let tenant = Tenant::new();
    assert_eq!(hello_of(&tenant, &tenant.writer, OTHER_SID).unwrap_err().code, ProblemCode::WrongDomain);
    let upload = Upload { domain_sid: Text::new(OTHER_SID).unwrap(), ..page(vec![user(1, "one")]) };
    let problem = super::upload(&tenant.store, &tenant.counts, &tenant.writer, &upload, NOW).unwrap_err();
    assert_eq!(problem.code, ProblemCode::WrongDomain);
    assert!(tenant.store.read(|c| find(c, object(1))).unwrap().is_none());
    let nowhere = Writer { domain: 4711, ..tenant.writer };
    assert_eq!(hello_of(&tenant, &nowhere, SID).unwrap_err().code, ProblemCode::WrongDomain);
}

#[test]
fn a_second_writer_is_refused_and_raises_one_alarm_an_hour() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    let before = tenant.dump();
    let second = enrolled(&tenant.store, 79, tenant.domain);
    for _ in 0..3 {
        let problem = super::upload(&tenant.store, &tenant.counts, &second, &page(vec![user(1, "two")]), NOW)
            .unwrap_err();
        assert_eq!(problem.code, ProblemCode::SecondWriter);
        assert_eq!(hello_of(&tenant, &second, SID).unwrap_err().code, ProblemCode::SecondWriter);
    }
    assert_eq!(tenant.dump(), before);
    assert_eq!(tenant.counts.second_writers.now(), 6);
    let alarms = |tenant: &Tenant| {
        tenant.audit().iter().filter(|(_, action, _)| action == "alarm-second-writer").count()
    };
    assert_eq!(alarms(&tenant), 1);
    super::upload(&tenant.store, &tenant.counts, &second, &page(vec![]), NOW + 3601).unwrap_err();
    assert_eq!(alarms(&tenant), 2);
}

#[test]
fn when_the_writer_is_revoked_the_next_one_may_write() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    let second = enrolled(&tenant.store, 79, tenant.domain);
    assert!(tenant.store.write("test", |t| domains::release_writer(t, tenant.writer.agent)).unwrap());
    super::upload(&tenant.store, &tenant.counts, &second, &page(vec![user(2, "two")]), NOW).unwrap();
    let problem =
        super::upload(&tenant.store, &tenant.counts, &tenant.writer, &page(vec![]), NOW).unwrap_err();
    assert_eq!(problem.code, ProblemCode::SecondWriter);
}

#[test]
fn an_upload_on_its_way_when_its_agent_is_revoked_does_not_claim_the_domain_again() {
    use landbridge_tenant_rules::model::AgentState;
    use landbridge_tenant_store::tables::agents::change_state;
    let cases = [
        (AgentState::Revoked, ProblemCode::AgentRevoked),
        (AgentState::Pending, ProblemCode::AgentNotApproved),
        (AgentState::Quarantined, ProblemCode::AgentNotApproved),
    ];
    for (state, code) in cases {
        let tenant = Tenant::new();
        tenant.sends(vec![user(1, "one")]);
        let agent = tenant.writer.agent;
        tenant
            .store
            .write("test", |t| {
                change_state(t, agent, AgentState::Approved, state).and(domains::release_writer(t, agent))
            })
            .unwrap();
        let before = tenant.dump();
        let late =
            super::upload(&tenant.store, &tenant.counts, &tenant.writer, &page(vec![user(1, "two")]), NOW);
        assert_eq!(late.unwrap_err().code, code);
        assert_eq!(tenant.dump(), before);
        assert_eq!(tenant.store.read(domains::all).unwrap()[0].writer, None);
    }
}

#[test]
fn an_agent_that_is_not_enrolled_writes_nothing() {
    let tenant = Tenant::new();
    let nobody = Writer { agent: Uuid::from_u128(4711), ..tenant.writer };
    let problem =
        super::upload(&tenant.store, &tenant.counts, &nobody, &page(vec![user(1, "one")]), NOW).unwrap_err();
    assert_eq!(problem.code, ProblemCode::AgentRevoked);
}

#[test]
fn a_commit_moves_the_cursor_once_however_often_it_is_repeated() {
    let tenant = Tenant::new();
    let commit = |name: &str| {
        let receipt = tenant.send(&Upload { commit: Some(Text::new(name).unwrap()), ..page(vec![]) });
        (receipt.acknowledged.unwrap().to_string(), receipt.acknowledged_before.map(|c| c.to_string()))
    };
    assert_eq!(commit("a"), ("a".to_owned(), Some("0".to_owned())));
    assert_eq!(commit("a"), ("a".to_owned(), Some("0".to_owned())));
    assert_eq!(commit("b"), ("b".to_owned(), Some("a".to_owned())));
    assert_eq!(commit("b"), ("b".to_owned(), Some("a".to_owned())));
    let receipt = hello_of(&tenant, &tenant.writer, SID).unwrap();
    assert_eq!(receipt.acknowledged.unwrap().as_str(), "b");
    let tenant = tenant.restarted();
    let receipt = hello_of(&tenant, &tenant.writer, SID).unwrap();
    assert_eq!(receipt.acknowledged.unwrap().as_str(), "b");
}

#[test]
fn a_page_without_a_commit_leaves_the_cursor() {
    let tenant = Tenant::new();
    assert_eq!(tenant.sends(vec![user(1, "one")]).acknowledged.unwrap().as_str(), "0");
}

#[test]
fn a_full_compare_that_would_let_too_many_go_ends_nothing() {
    let tenant = Tenant::new();
    tenant.sends((1..=5).map(|n| user(n, "one")).collect());
    let end = |most| Upload { most_swept: Some(most), ..full(8, vec![user(1, "one")], Some("c")) };
    let problem = super::upload(&tenant.store, &tenant.counts, &tenant.writer, &end(3), NOW).unwrap_err();
    assert_eq!(problem.code, ProblemCode::RemovalsHeld);
    assert!(problem.detail.as_str().starts_with("4 accounts"), "{problem}");
    assert!(tenant.has_digest(object(5)));
    let receipt = hello_of(&tenant, &tenant.writer, SID).unwrap();
    assert_eq!(receipt.acknowledged.unwrap().as_str(), "0");
    assert_eq!(tenant.send(&end(4)).swept, 4);
    assert!(!tenant.has_digest(object(5)) && tenant.has_digest(object(1)));
}

#[test]
fn a_full_compare_replaces_what_is_held_also_by_what_is_older() {
    let tenant = Tenant::new();
    let newer = vec![written(9, sam("restored-away")), written(9, AttributeValue::AdminCount(Some(0)))];
    tenant.sends(vec![Record { password: sent(9, "nine"), ..with(1, newer) }]);
    tenant.send(&full(40, vec![user(1, "one")], None));
    assert_eq!(known(&tenant, 1).sam_account_name.as_deref(), Some("user1"));
    assert_eq!(known(&tenant, 1).admin_count, None, "what was not sent AD never had");
    assert!(opens_with(&tenant, 1, "one"));
    assert_eq!(held_stamp(&tenant, 1), Some(1));
}

#[test]
fn a_full_compare_by_stamp_takes_back_nothing_newer_and_sweeps_what_it_did_not_name() {
    let tenant = Tenant::new();
    let newer = vec![written(9, sam("renamed"))];
    tenant.sends(vec![Record { password: sent(9, "nine"), ..with(1, newer) }, user(2, "two"), group(3)]);
    tenant.send(&linked(page(vec![]), vec![Link { present: false, ..link(LinkKind::Member, 3, 1, 9) }]));
    let by_stamp = |records, commit| Upload { mode: Mode::FullCompareByStamp, ..full(40, records, commit) };
    let links = vec![link(LinkKind::Member, 3, 1, 1)];
    tenant.send(&linked(by_stamp(vec![user(1, "one"), group(3)], None), links));
    assert_eq!(known(&tenant, 1).sam_account_name.as_deref(), Some("renamed"));
    assert!(opens_with(&tenant, 1, "nine"));
    assert_eq!(held_stamp(&tenant, 1), Some(9));
    let accounts = |group: u128| {
        let in_it = |reading: &Reading<'_>| {
            let domain = domains::by_id(reading, tenant.domain)?.unwrap();
            crate::directory::groups::accounts_in(reading, &domain, object(group))
        };
        tenant.store.read(in_it).unwrap()
    };
    assert!(accounts(3).is_empty(), "a link that was removed later stays removed");
    assert_eq!(tenant.send(&by_stamp(vec![], Some("c"))).swept, 1);
    assert_eq!((presence(&tenant, 1), presence(&tenant, 2)), (Presence::Present, Presence::OutOfScope));
}

#[test]
fn within_one_full_compare_a_later_word_goes_by_its_stamp() {
    let tenant = Tenant::new();
    tenant.send(&full(40, vec![user(1, "one")], None));
    let renamed = || with(1, vec![written(2, sam("renamed"))]);
    tenant.send(&full(40, vec![renamed()], None));
    tenant.send(&full(40, vec![user(1, "one")], None));
    assert_eq!(
        known(&tenant, 1).sam_account_name.as_deref(),
        Some("renamed"),
        "a repeated page takes nothing back"
    );
    assert_eq!(known(&tenant, 1).user_account_control, Some(0x200), "a short second record drops nothing");
}

#[test]
fn a_full_compare_keeps_the_digests_that_it_does_not_send_again() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    tenant.send(&full(40, vec![Record { password: None, ..user(1, "one") }], Some("c")));
    assert!(opens_with(&tenant, 1, "one"));
}

#[test]
fn an_account_that_a_full_compare_did_not_name_leaves_at_its_commit_and_not_before() {
    let tenant = Tenant::new();
    tenant.sends((1..=5).map(|n| user(n, "one")).collect());
    let other = tenant.other_domain();
    let elsewhere = Record { sid: Some(Text::new(format!("{OTHER_SID}-1105")).unwrap()), ..user(9, "nine") };
    let upload = Upload { domain_sid: Text::new(OTHER_SID).unwrap(), ..page(vec![elsewhere]) };
    super::upload(&tenant.store, &tenant.counts, &other, &upload, NOW).unwrap();

    assert_eq!(tenant.send(&full(40, vec![user(1, "one"), user(2, "one")], None)).swept, 0);
    assert_eq!(presence(&tenant, 3), Presence::Present);
    let receipt = tenant.send(&full(40, vec![user(3, "one")], Some("c")));
    assert_eq!(receipt.swept, 2);
    for n in [4, 5] {
        assert_eq!(presence(&tenant, n), Presence::OutOfScope);
        assert!(!tenant.has_digest(object(n)));
        assert!(names_held(&tenant, n).is_empty());
    }
    for n in [1, 2, 3, 9] {
        assert_eq!(presence(&tenant, n), Presence::Present, "{n}");
        assert!(tenant.has_digest(object(n)));
    }
    assert_eq!(tenant.send(&full(40, vec![], Some("c"))).swept, 0, "a repeated commit sweeps nobody");
}

#[test]
fn a_new_full_compare_after_a_killed_one_counts_from_zero() {
    let tenant = Tenant::new();
    tenant.send(&full(40, vec![user(1, "one"), user(2, "two")], None));
    let receipt = tenant.send(&full(41, vec![user(2, "two")], Some("c")));
    assert_eq!(receipt.swept, 1);
    assert_eq!(presence(&tenant, 1), Presence::OutOfScope);
}

#[test]
fn an_incremental_commit_sweeps_no_account() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    let receipt = tenant.send(&Upload { commit: Some(Text::new("c").unwrap()), ..page(vec![]) });
    assert_eq!(receipt.swept, 0);
    assert_eq!(presence(&tenant, 1), Presence::Present);
}

#[test]
fn policy_goes_by_its_stamps_and_a_full_compare_replaces_it() {
    let tenant = Tenant::new();
    let age = |tenant: &Tenant| tenant.store.read(domains::all).unwrap()[0].policy.max_pwd_age;
    let say = |version, value| DomainPolicy {
        max_pwd_age: Some((stamp(version), value)),
        ..DomainPolicy::default()
    };
    tenant.send(&Upload { policy: Some(say(5, -5)), ..page(vec![]) });
    tenant.send(&Upload { policy: Some(say(4, -4)), ..page(vec![]) });
    assert_eq!(age(&tenant), Some(-5));
    tenant.send(&Upload { policy: Some(DomainPolicy::default()), ..page(vec![]) });
    assert_eq!(age(&tenant), Some(-5));
    tenant.send(&Upload { policy: Some(say(3, -3)), ..full(40, vec![], None) });
    assert_eq!(age(&tenant), Some(-3));
}

#[test]
fn a_name_that_becomes_ambiguous_is_put_on_the_record_once() {
    let tenant = Tenant::new();
    let same = |n, version| with(n, vec![written(version, upn("same@example.com"))]);
    let entries = |tenant: &Tenant| -> Vec<String> {
        let all = tenant.audit().into_iter();
        all.filter(|(_, action, _)| action == "name-ambiguous").map(|(_, _, subject)| subject).collect()
    };
    tenant.sends(vec![same(1, 1)]);
    assert!(entries(&tenant).is_empty());
    tenant.sends(vec![same(2, 1)]);
    tenant.sends(vec![same(2, 2), same(1, 2), bare(2)]);
    assert_eq!(entries(&tenant), [object(2).to_string()]);
    assert_eq!(tenant.counts.names_shared.now(), 1);
    tenant.send(&full(40, vec![same(1, 3), same(2, 3)], Some("c")));
    assert_eq!(entries(&tenant).len(), 1);
}

#[test]
fn misleading_names_sign_no_account_in() {
    let tenant = Tenant::new();
    let evil = [
        "",
        "nul\0@corp.example.com",
        "line\n@corp.example.com",
        "CORP\\user1",
        "CORP\\user1@x",
        "@",
        "a@",
        "@b",
        "no-at",
    ];
    for (n, name) in (1..).zip(evil) {
        assert_eq!(tenant.sends(vec![with(n, vec![written(1, upn(name))])]).applied, 1);
        assert!(names_held(&tenant, n).is_empty(), "{name:?}");
    }
    for (n, name) in (50..).zip(["", "a\\b", "a\0b", "a\u{7f}"]) {
        tenant.sends(vec![with(n, vec![written(1, sam(name))])]);
        assert!(names_held(&tenant, n).is_empty(), "{name:?}");
    }
}

#[test]
fn protected_users_are_remembered_until_phs_uploads_otherwise() {
    let tenant = Tenant::new();
    let flag = |tenant: &Tenant| tenant.store.read(|c| find(c, object(1))).unwrap().unwrap().protected_user;
    tenant.sends(vec![Record { protected_user: Some(true), ..user(1, "one") }]);
    assert!(flag(&tenant));
    assert_eq!(tenant.sends(vec![bare(1)]).unchanged, 1);
    assert!(flag(&tenant));
    assert_eq!(tenant.sends(vec![Record { protected_user: Some(false), ..bare(1) }]).applied, 1);
    assert!(!flag(&tenant));
}

#[test]
fn a_failing_disk_stores_nothing_of_an_upload_and_the_agent_receives_a_time_to_retry() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    let before = tenant.dump();
    tenant
        .store
        .write("test", |t| Ok(t.raw().pragma_update_and_check(None, "max_page_count", 1, |_| Ok(()))?))
        .unwrap();
    let many = (1..=1000).map(|n| with(n, vec![written(3, sam(&"x".repeat(200)))])).collect();
    let problem = super::upload(&tenant.store, &tenant.counts, &tenant.writer, &page(many), NOW).unwrap_err();
    assert_eq!(problem.code, ProblemCode::StorageFailed);
    assert!(problem.retry_after_seconds.is_some());
    assert!(problem.detail.as_str().contains("full"), "{problem}");
    assert_eq!(tenant.dump(), before);
    assert_eq!(tenant.counts.records_applied.now(), 1);
}

/// What a domain's life brings, in one order; any other order must end in the same state.
fn life(digests: &[String]) -> Vec<Upload> {
    let text = |n: usize| {
        Some(landbridge_wire::upload::Password {
            stamp: stamp(u32::try_from(n).unwrap() + 1),
            digest: landbridge_crypto::salted_digest::SaltedDigest::parse(&digests[n]).unwrap(),
        })
    };
    let uac = |version, n| written(version, AttributeValue::UserAccountControl(Some(n)));
    let mut uploads = vec![
        page(vec![
            with(1, vec![written(1, sam("anna")), uac(1, 0x202)]),
            with(2, vec![written(1, sam("bert"))]),
        ]),
        page(vec![with(1, vec![uac(2, 0x200)])]),
        page(vec![Record { password: text(0), ..bare(1) }]),
        page(vec![Record { password: text(1), ..bare(1) }, Record { password: text(0), ..bare(2) }]),
        page(vec![with(1, vec![written(2, sam("anna2")), written(1, upn("anna@corp.example.com"))])]),
        page(vec![with(
            2,
            vec![written(2, upn("anna@corp.example.com")), written(1, AttributeValue::LockoutTime(Some(5)))],
        )]),
        page(vec![with(1, vec![written(2, AttributeValue::UserPrincipalName(None))])]),
        page(vec![Record { password: text(2), ..with(2, vec![uac(3, 0x1_0200)]) }]),
        page(vec![with(2, vec![written(2, AttributeValue::LockoutTime(Some(0)))])]),
    ];
    for (n, upload) in (0_u32..).zip(&mut uploads) {
        upload.policy =
            Some(DomainPolicy { max_pwd_age: Some((stamp(n), -i64::from(n))), ..DomainPolicy::default() });
    }
    uploads
}

fn end_of(order: &[usize], digests: &[String]) -> Vec<String> {
    let tenant = Tenant::new();
    for n in order {
        tenant.send(&life(digests)[*n]);
    }
    tenant.dump()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_any_repetition_of_the_same_uploads_ends_in_the_same_state(
        order in Just((0..9).collect::<Vec<usize>>()).prop_shuffle(),
        again in prop::collection::vec((0_usize..9, 0_usize..9), 0..12),
    ) {
        let digests: Vec<String> = ["zero", "one", "two"].iter().map(|text| digest(text).to_text().to_string()).collect();
        let mut repeated = order;
        for (what, place) in again {
            repeated.insert(place, what);
        }
        let straight: Vec<usize> = (0..9).collect();
        prop_assert_eq!(end_of(&repeated, &digests), end_of(&straight, &digests));
    }
}

/// A record of object `n`, of one of several kinds, with a password that costs no derivation.
fn record_of(n: u128, kind: u8, version: u32, digest: &str) -> Record {
    let uac = |flags| written(version, AttributeValue::UserAccountControl(Some(flags)));
    let set = |written_at: i64| written(version, AttributeValue::PwdLastSet(Some(written_at * 10_000_000)));
    let password = Some(landbridge_wire::upload::Password {
        stamp: stamp(version),
        digest: SaltedDigest::parse(digest).unwrap(),
    });
    match kind {
        0 | 1 => Record { password, ..with(n, vec![written(version, sam(&format!("user{n}"))), uac(0x200)]) },
        2 => Record { password, ..with(n, vec![set(13_400_000_000 + i64::from(version))]) },
        // A name that others have too, in its own domain and in none.
        3 => with(n, vec![written(version, sam("shared"))]),
        4 => with(n, vec![written(version, upn(&format!("user{n}@other.example")))]),
        5 => with(n, vec![uac(0x202)]),
        6 => gone(n, Presence::OutOfScope),
        7 => gone(n, Presence::Deleted),
        8 => Record { privileged: true, ..bare(n) },
        9 => Record { kind: Kind::Group, ..with(n, vec![written(version, sam("group"))]) },
        _ => Record { erase_password: true, ..bare(n) },
    }
}

/// All that is stored, but for what differs from tenant to tenant, and the audit log without its order and its pages.
fn all_of(tenant: &Tenant) -> Vec<String> {
    let mut rows = tenant.dump();
    // The key of names is the tenant's own.
    rows.iter_mut().filter(|row| row.contains("\"reserved\"")).for_each(|row| row.truncate(16));
    // A page has ten entries about refused names at most, and one about the others.
    let is_of_page = |action: &str| matches!(action, "upload" | "name-refused");
    let entries = tenant.audit().into_iter().filter(|(_, action, _)| !is_of_page(action));
    rows.extend(entries.map(|(actor, action, subject)| format!("audit {actor} {action} {subject}")));
    rows.sort();
    rows
}

/// The rows of one list that the other one lacks, without the digest that may be at their ends.
fn lacking<'a>(one: &'a [String], other: &[String]) -> Vec<&'a str> {
    one.iter().filter(|row| !other.contains(row)).map(|row| row.get(..80).unwrap_or(row)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_of_one_page_end_as_they_do_one_after_the_other_on_a_file_and_on_a_server(
        records in prop::collection::vec((1_u128..40, 0_u8..12, 1_u32..4), 40..90),
        members in prop::collection::vec((1_u128..40, 1_u128..40, 1_u32..3), 0..30),
    ) {
        let digests = ["zero", "one", "two", "three"].map(|text| digest(text).to_text().to_string());
        let one = |(n, kind, version): &(u128, u8, u32)| record_of(*n, *kind, *version, &digests[*version as usize]);
        let links: Vec<Link> = members
            .into_iter()
            .map(|(of, who, version)| Link { present: version == 1, ..link(LinkKind::Member, of, who, version) })
            .collect();
        let on_a_file = || {
            let directory = tempfile::tempdir().unwrap();
            let location = landbridge_tenant_store::Location::from(&directory.path().join("tenant.db"));
            Tenant::at(directory, location, false)
        };
        let send = |tenant: &Tenant| {
            tenant.send(&linked(page(records.iter().map(one).collect()), links.clone()));
            all_of(tenant)
        };
        // 1. Each alone; all in one page, on each engine.
        let one_by_one = on_a_file();
        records.iter().for_each(|record| drop(one_by_one.sends(vec![one(record)])));
        links.iter().for_each(|link| drop(one_by_one.send(&linked(page(Vec::new()), vec![*link]))));
        let mut one_by_one = all_of(&one_by_one);
        let mut on_file = send(&on_a_file());
        let server = landbridge_tenant_fixture::postgres::database();
        let on_server = send(&Tenant::at(tempfile::tempdir().unwrap(), server, false));
        let differing = (lacking(&on_file, &on_server), lacking(&on_server, &on_file));
        prop_assert!(on_file == on_server, "{} {} {differing:?}", on_file.len(), on_server.len());
        // 2. A name that an account gives up in the same page is not ambiguous.
        prop_assert!(lacking(&on_file, &one_by_one).is_empty(), "{:?}", lacking(&on_file, &one_by_one));
        for rows in [&mut on_file, &mut one_by_one] {
            rows.retain(|row| !row.contains(" name-ambiguous "));
        }
        prop_assert!(on_file == one_by_one, "{:?}", lacking(&one_by_one, &on_file));
    }
}

#[test]
fn of_several_accounts_that_bring_one_name_each_later_one_is_on_the_record() {
    let tenant = Tenant::new();
    let named = |n| with(n, vec![written(1, sam("anna"))]);
    let ambiguous = || {
        let entries = tenant.audit().into_iter().filter(|(_, action, _)| action == "name-ambiguous");
        entries.map(|(_, _, subject)| subject).collect::<Vec<_>>()
    };
    // A sAMAccountName is three names.
    let thrice = |of: &[u128]| of.iter().flat_map(|n| vec![object(*n).to_string(); 3]).collect::<Vec<_>>();
    tenant.sends(vec![named(1)]);
    assert_eq!(ambiguous(), thrice(&[]));
    tenant.sends(vec![named(2), named(3), named(4)]);
    assert_eq!(ambiguous(), thrice(&[2, 3, 4]));
    tenant.sends(vec![with(5, vec![written(1, sam("bert"))]), named(6)]);
    assert_eq!(ambiguous(), thrice(&[2, 3, 4, 6]));
    let new = Tenant::new();
    new.sends(vec![named(1), named(2), named(3)]);
    let entries = new.audit().into_iter().filter(|(_, action, _)| action == "name-ambiguous");
    assert_eq!(entries.map(|(_, _, subject)| subject).collect::<Vec<_>>(), thrice(&[2, 3]));
}

#[test]
fn an_upload_waits_for_a_server_as_often_however_much_it_brings() {
    let directory = tempfile::tempdir().unwrap();
    let tenant = Tenant::at(directory, landbridge_tenant_fixture::postgres::database(), false);
    let trips = |records: Vec<Record>, links: Vec<Link>| {
        let before = tenant.store.round_trips();
        tenant.send(&linked(page(records), links));
        tenant.store.round_trips() - before
    };
    let users = |numbers: std::ops::Range<u128>| numbers.map(|n| user(n, "right")).collect::<Vec<_>>();
    let changed = |numbers: std::ops::Range<u128>| {
        let one = |n| Record { password: sent(2, "other"), ..user(n, "right") };
        numbers.map(one).collect::<Vec<_>>()
    };
    let other_times = |numbers: std::ops::Range<u128>| {
        let set = |n: u128| written(2, AttributeValue::PwdLastSet(Some(n as i64)));
        numbers.map(|n| with(n, vec![set(n)])).collect::<Vec<_>>()
    };
    let members = |numbers: std::ops::Range<u128>| numbers.map(|n| member(9, n)).collect::<Vec<_>>();
    // The first time statements are prepared, for one and for many.
    trips(vec![user(1, "right"), group(9)], members(1..2));
    trips(users(20..40), members(20..40));
    trips(changed(20..40), Vec::new());
    trips(other_times(20..40), Vec::new());
    assert_eq!(trips(users(110..140), Vec::new()), trips(users(100..110), Vec::new()));
    assert_eq!(trips(changed(110..130), Vec::new()), trips(changed(100..110), Vec::new()));
    assert_eq!(trips(other_times(110..130), Vec::new()), trips(other_times(100..110), Vec::new()));
    assert_eq!(trips(Vec::new(), members(110..130)), trips(Vec::new(), members(100..110)));
}
