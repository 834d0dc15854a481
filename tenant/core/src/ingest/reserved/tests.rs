//! Names of accounts that are not carried, by their sentences.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::directory::Directory;
use crate::ingest;
use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::model::Writer;
use landbridge_tenant_rules::names::Whose;
use landbridge_tenant_store::tables::{domains, names, suffixes};
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::reserved::ReservedAttribute;
use landbridge_wire::upload::{AttributeValue, Hello, Mode, Presence, Receipt, Record, ReservedName, Upload};
use proptest::prelude::*;
use uuid::Uuid;

/// The account that is not carried: no test sends a record of it, unless it says so.
const ADMINISTRATOR: u128 = 500;

fn whose(tenant: &Tenant, name: &str) -> Whose {
    tenant.store.read(|reading| names::whose(reading, name)).unwrap()
}

fn one(n: u128) -> Whose {
    Whose::One(object(n))
}

/// An account with this userPrincipalName, and no other name.
fn named(n: u128, version: u32, name: &str) -> Record {
    with(n, vec![written(version, upn(name))])
}

fn sam_of(tenant: &Tenant, n: u128, version: u32, name: &str) -> ReservedName {
    reserved(tenant, n, ReservedAttribute::SamAccountName, version, name)
}

fn upn_of(tenant: &Tenant, n: u128, version: u32, name: &str) -> ReservedName {
    reserved(tenant, n, ReservedAttribute::UserPrincipalName, version, name)
}

fn reserving(upload: Upload, names: Vec<ReservedName>) -> Upload {
    Upload { reserved: List::new(names).unwrap(), ..upload }
}

/// A complete full compare of a phs of level 2.
fn compared(tenant: &Tenant, cycle: u128, records: Vec<Record>, names: Vec<ReservedName>) -> Receipt {
    tenant.send(&Upload { level: 2, ..reserving(full(cycle, records, Some("c")), names) })
}

/// A tenant with `person`, after a full compare whose only reserved name is the administrator's.
fn after_the_first_compare(person: impl Fn() -> Record) -> Tenant {
    let tenant = Tenant::new();
    tenant.sends(vec![person()]);
    compared(&tenant, 40, vec![person()], vec![sam_of(&tenant, ADMINISTRATOR, 1, "Administrator")]);
    tenant
}

fn ambiguous_entries(tenant: &Tenant) -> Vec<String> {
    let audit = tenant.audit().into_iter();
    audit.filter(|(_, action, _)| action == "name-ambiguous").map(|(_, _, subject)| subject).collect()
}

#[test]
fn a_name_that_an_account_which_is_not_carried_has_signs_nobody_in_once_all_have_arrived() {
    let tenant = Tenant::new();
    let name = "administrator@corp.example.com";
    tenant.sends(vec![named(1, 1, "Administrator@corp.example.com"), user(2, "two")]);
    let all = || vec![named(1, 1, "Administrator@corp.example.com"), user(2, "two")];
    // Not before the first full compare is complete.
    tenant.send(&reserving(full(40, all(), None), vec![sam_of(&tenant, ADMINISTRATOR, 1, "administrator")]));
    assert_eq!(whose(&tenant, name), one(1));
    let receipt = tenant.send(&Upload { level: 2, ..full(40, vec![], Some("c")) });
    assert_eq!(receipt.ambiguous, Some(1), "counted");
    assert_eq!(whose(&tenant, name), Whose::Ambiguous);
    assert_eq!(whose(&tenant, "CORP\\user2"), one(2));
    assert_eq!(ambiguous_entries(&tenant), [object(1).to_string()]);
    let held: Vec<_> =
        tenant.audit().into_iter().filter(|(_, action, _)| action == "names-reserved").collect();
    assert_eq!(held.len(), 1);
    // The next one counts again and says nothing new.
    let names = vec![sam_of(&tenant, ADMINISTRATOR, 1, "administrator")];
    assert_eq!(compared(&tenant, 41, all(), names).ambiguous, Some(1));
    assert_eq!(ambiguous_entries(&tenant).len(), 1);
}

#[test]
fn a_reserved_name_that_arrives_later_gets_an_entry_and_so_does_a_person_who_takes_one() {
    let tenant = after_the_first_compare(|| named(1, 1, "ada@example.com"));
    tenant.send(&reserving(page(vec![]), vec![upn_of(&tenant, 7, 1, "ADA@example.com")]));
    assert_eq!(whose(&tenant, "ada@example.com"), Whose::Ambiguous);
    assert_eq!(ambiguous_entries(&tenant), [object(1).to_string()]);
    tenant.sends(vec![named(2, 1, "administrator@corp.example.com")]);
    assert_eq!(whose(&tenant, "administrator@corp.example.com"), Whose::Ambiguous);
    assert_eq!(ambiguous_entries(&tenant), [object(1).to_string(), object(2).to_string()]);
    assert_eq!(tenant.counts.names_shared.now(), 2);
    // Until one of them has another name.
    tenant.send(&reserving(page(vec![]), vec![upn_of(&tenant, 7, 2, "eve@example.com")]));
    assert_eq!(whose(&tenant, "ada@example.com"), one(1));
    tenant.sends(vec![named(2, 2, "adam@example.com")]);
    assert_eq!(whose(&tenant, "adam@example.com"), one(2));
}

#[test]
fn repeated_and_older_names_change_nothing() {
    let tenant = after_the_first_compare(|| named(1, 1, "ada@example.com"));
    let upload = || reserving(page(vec![]), vec![upn_of(&tenant, 7, 5, "ada@example.com")]);
    tenant.send(&upload());
    let (before, audit) = (tenant.dump(), tenant.audit());
    tenant.send(&upload());
    tenant.send(&reserving(page(vec![]), vec![upn_of(&tenant, 7, 4, "eve@example.com")]));
    assert_eq!((tenant.dump(), tenant.audit()), (before, audit));
    // A removed value is remembered by its stamp.
    tenant.send(&reserving(page(vec![]), vec![upn_of(&tenant, 7, 6, "")]));
    assert_eq!(whose(&tenant, "ada@example.com"), one(1));
    tenant.send(&upload());
    assert_eq!(whose(&tenant, "ada@example.com"), one(1));
}

#[test]
fn an_account_that_leaves_reserves_the_names_that_the_tenant_knows_of_it() {
    for left in [Presence::Privileged, Presence::OutOfScope] {
        let tenant = after_the_first_compare(|| user(1, "one"));
        tenant.sends(vec![named(2, 1, "user1@corp.example.com")]);
        assert_eq!(whose(&tenant, "CORP\\user1"), one(1));
        tenant.sends(vec![Record { presence: left, ..bare(1) }]);
        assert_eq!(whose(&tenant, "user1@corp.example.com"), Whose::Ambiguous, "{left:?}");
        // With their stamps: what phs says of an older one changes nothing, and of a newer one does.
        let says = |version, name| {
            reserving(
                page(vec![]),
                vec![sam_of(&tenant, 1, version, name), upn_of(&tenant, 1, version, name)],
            )
        };
        tenant.send(&says(1, "other"));
        assert_eq!(whose(&tenant, "user1@corp.example.com"), Whose::Ambiguous);
        tenant.send(&says(2, "other"));
        assert_eq!(whose(&tenant, "user1@corp.example.com"), one(2));
        tenant.sends(vec![named(3, 1, "other@corp.example.com")]);
        assert_eq!(whose(&tenant, "other@corp.example.com"), Whose::Ambiguous);
        // It comes back with the names that it has now.
        tenant.sends(vec![with(
            1,
            vec![written(2, sam("other")), written(2, AttributeValue::UserPrincipalName(None))],
        )]);
        assert_eq!(whose(&tenant, "CORP\\other"), one(1));
        assert_eq!(whose(&tenant, "other@corp.example.com"), Whose::Ambiguous, "two that are carried");
        assert!(
            !tenant
                .dump()
                .iter()
                .any(|row| row.contains("reserved") && row.contains(&format!("{:X}", object(1).as_simple())))
        );
    }
}

#[test]
fn a_deleted_account_frees_its_names_at_once_also_one_that_was_never_carried() {
    let tenant = after_the_first_compare(|| named(1, 1, "administrator@corp.example.com"));
    assert_eq!(whose(&tenant, "administrator@corp.example.com"), Whose::Ambiguous);
    tenant.sends(vec![Record { presence: Presence::Deleted, ..bare(ADMINISTRATOR) }]);
    assert_eq!(whose(&tenant, "administrator@corp.example.com"), one(1));
    tenant.sends(vec![user(2, "two")]);
    tenant.sends(vec![Record { presence: Presence::OutOfScope, ..bare(2) }]);
    tenant.sends(vec![named(3, 1, "user2@corp.example.com")]);
    assert_eq!(whose(&tenant, "user2@corp.example.com"), Whose::Ambiguous);
    tenant.sends(vec![Record { presence: Presence::Deleted, ..bare(2) }]);
    assert_eq!(whose(&tenant, "user2@corp.example.com"), one(3));
}

#[test]
fn a_full_compare_deletes_what_it_does_not_name_and_goes_before_older_stamps() {
    let tenant = after_the_first_compare(|| named(1, 1, "ada@example.com"));
    let person = || vec![named(1, 1, "ada@example.com")];
    tenant.send(&reserving(page(vec![]), vec![upn_of(&tenant, 7, 9, "ada@example.com")]));
    // The domain controller was restored: what it says now is older.
    compared(&tenant, 41, person(), vec![upn_of(&tenant, 7, 3, "eve@example.com")]);
    assert_eq!(whose(&tenant, "ada@example.com"), one(1));
    tenant.sends(vec![named(2, 1, "eve@example.com"), named(3, 1, "administrator@corp.example.com")]);
    assert_eq!(whose(&tenant, "eve@example.com"), Whose::Ambiguous);
    assert_eq!(whose(&tenant, "administrator@corp.example.com"), one(3), "it was not named");
}

#[test]
fn a_full_compare_by_stamp_takes_back_no_newer_name_and_deletes_what_it_does_not_name() {
    let tenant = after_the_first_compare(|| named(1, 1, "ada@example.com"));
    let newer = vec![upn_of(&tenant, 7, 9, "ada@example.com"), upn_of(&tenant, 8, 1, "eve@example.com")];
    tenant.send(&reserving(page(vec![]), newer));
    let older = vec![upn_of(&tenant, 7, 3, "adam@example.com")];
    let by_stamp =
        Upload { level: 2, ..reserving(full(41, vec![named(1, 1, "ada@example.com")], Some("d")), older) };
    tenant.send(&Upload { mode: Mode::FullCompareByStamp, ..by_stamp });
    assert_eq!(whose(&tenant, "ada@example.com"), Whose::Ambiguous);
    tenant.sends(vec![named(2, 1, "eve@example.com")]);
    assert_eq!(whose(&tenant, "eve@example.com"), one(2));
}

#[test]
fn an_account_that_leaves_at_the_end_of_a_full_compare_keeps_its_names_reserved() {
    let tenant = after_the_first_compare(|| user(1, "one"));
    tenant.send(&full(41, vec![user(1, "one"), named(2, 1, "user1@corp.example.com")], None));
    let leaves = Record { presence: Presence::OutOfScope, ..bare(1) };
    compared(&tenant, 41, vec![leaves], vec![]);
    assert_eq!(whose(&tenant, "user1@corp.example.com"), Whose::Ambiguous);
}

#[test]
fn a_full_compare_of_an_older_phs_ends_the_rule_until_a_newer_one_has_named_all_again() {
    let tenant = after_the_first_compare(|| named(1, 1, "administrator@corp.example.com"));
    let person = || vec![named(1, 1, "administrator@corp.example.com")];
    // One of them leaves at its end.
    tenant.send(&full(41, vec![user(9, "nine")], None));
    let leaves = Record { presence: Presence::OutOfScope, ..bare(9) };
    let end = full(41, person().into_iter().chain([leaves]).collect(), Some("d"));
    assert_eq!(tenant.send(&end).ambiguous, None);
    assert_eq!(whose(&tenant, "administrator@corp.example.com"), one(1));
    assert!(!tenant.dump().iter().any(|row| row.contains("reserved")), "nothing is left of it");
    let names = || vec![sam_of(&tenant, ADMINISTRATOR, 1, "administrator")];
    tenant.send(&reserving(page(vec![]), names()));
    assert_eq!(whose(&tenant, "administrator@corp.example.com"), one(1), "not all have arrived");
    assert_eq!(compared(&tenant, 42, person(), names()).ambiguous, Some(1));
    assert_eq!(whose(&tenant, "administrator@corp.example.com"), Whose::Ambiguous);
}

#[test]
fn an_account_that_is_present_is_not_spoiled_by_late_names_of_its_own() {
    let tenant = after_the_first_compare(|| named(1, 5, "ada@example.com"));
    tenant.sends(vec![named(2, 1, "ada.before@example.com")]);
    let before = tenant.dump();
    tenant.send(&reserving(page(vec![]), vec![upn_of(&tenant, 1, 4, "ada.before@example.com")]));
    assert_eq!(tenant.dump(), before);
    // A newer one counts: phs could not carry the change. Its next record ends that.
    tenant.send(&reserving(page(vec![]), vec![upn_of(&tenant, 1, 6, "ada.before@example.com")]));
    assert_eq!(whose(&tenant, "ada.before@example.com"), Whose::Ambiguous);
    assert_eq!(whose(&tenant, "ada@example.com"), one(1), "its own name is no other account's");
    tenant.sends(vec![named(1, 7, "ada@example.com")]);
    assert_eq!(whose(&tenant, "ada.before@example.com"), one(2));
}

/// What the phs of the second domain sends.
fn elsewhere(tenant: &Tenant, other: &Writer, upload: Upload) -> Receipt {
    let upload = Upload { domain_sid: Text::new(OTHER_SID).unwrap(), policy: None, ..upload };
    ingest::upload(&tenant.store, &tenant.counts, other, &upload, NOW).unwrap()
}

#[test]
fn names_hold_across_domains_that_share_their_suffix_and_no_other_domain_keeps_people_out() {
    let tenant = Tenant::new();
    tenant.sends(vec![named(1, 1, "ada@example.com"), user(2, "two")]);
    let other = tenant.other_domain();
    let names =
        vec![upn_of(&tenant, 70, 1, "ada@example.com"), upn_of(&tenant, 71, 1, "user2@corp.example.com")];
    let upload = Upload { level: 2, ..reserving(full(40, vec![], Some("c")), names) };
    assert_eq!(elsewhere(&tenant, &other, upload).ambiguous, Some(0));
    assert_eq!(whose(&tenant, "ada@example.com"), one(1), "the second domain does not declare example.com");
    assert!(tenant.store.read(|reading| names::ambiguous(reading, 10)).unwrap().is_empty());
    tenant.store.write("test", |t| suffixes::add(t, other.domain, "example.com")).unwrap();
    assert_eq!(whose(&tenant, "ada@example.com"), Whose::Ambiguous);
    assert_eq!(whose(&tenant, "user2@corp.example.com"), one(2));
    assert_eq!(tenant.store.read(names::count_ambiguous).unwrap(), 1);
    // Nor does one domain change what another has reserved.
    let before = tenant.dump();
    tenant.send(&reserving(page(vec![]), vec![upn_of(&tenant, 70, 9, "")]));
    assert_eq!(whose(&tenant, "ada@example.com"), Whose::Ambiguous);
    tenant.sends(vec![Record { presence: Presence::Deleted, ..bare(70) }]);
    assert_eq!(tenant.dump(), before);
}

#[test]
fn a_domain_reserves_names_under_its_own_name_also_where_another_domain_shares_that() {
    let tenant = after_the_first_compare(|| user(1, "one"));
    let other = tenant.other_domain();
    tenant.store.write("test", |t| suffixes::add(t, other.domain, "corp.example.com")).unwrap();
    let sid = Some(Text::new(format!("{OTHER_SID}-1105")).unwrap());
    let impostor = Record { sid, ..named(80, 1, "administrator@corp.example.com") };
    elsewhere(&tenant, &other, page(vec![impostor]));
    assert_eq!(whose(&tenant, "administrator@corp.example.com"), Whose::Ambiguous);
    assert_eq!(tenant.store.read(names::count_ambiguous).unwrap(), 1);
    assert_eq!(ambiguous_entries(&tenant), [object(80).to_string()]);
}

#[test]
fn people_who_look_are_shown_whose_name_it_is_too() {
    let tenant = after_the_first_compare(|| named(1, 1, "administrator@corp.example.com"));
    let directory = Directory::new(tenant.store.clone());
    let shown = directory.describe("administrator@corp.example.com", NOW).unwrap();
    assert!(shown.ambiguous);
    let account = shown.accounts.first().unwrap();
    let reserved: Vec<_> = account.reserved.iter().map(|one| (one.object, one.domain.as_str())).collect();
    assert_eq!(reserved, [(object(ADMINISTRATOR), "corp.example.com")]);
    let ambiguous = tenant.store.read(|reading| names::ambiguous(reading, 10)).unwrap();
    let (name, held) = ambiguous.first_key_value().unwrap();
    assert_eq!((name.as_str(), held.carried), ("administrator@corp.example.com", 1));
    assert_eq!(held.reserved.first().unwrap().reserved, object(ADMINISTRATOR));
    assert_eq!(tenant.store.read(names::count_ambiguous).unwrap(), 1);
}

#[test]
fn the_key_goes_to_a_phs_with_the_hello_alone_and_stays_the_same_after_a_restart() {
    let hello = |tenant: &Tenant| {
        let hello = Hello { instance: Uuid::nil(), domain_sid: Text::new(SID).unwrap() };
        ingest::hello(&tenant.store, &tenant.counts, &tenant.writer, &hello, NOW).unwrap()
    };
    let tenant = Tenant::new();
    let receipt = hello(&tenant);
    let print = receipt.reserving.as_ref().unwrap().print();
    assert!(print.starts_with("corp.example.com CORP "), "{print}");
    let key = serde_json::to_value(&receipt).unwrap()["reserving"]["key"].as_str().unwrap().to_owned();
    assert!(!format!("{receipt:?} {:?}", tenant.store).contains(&key));
    assert!(tenant.sends(vec![]).reserving.is_none());
    let tenant = tenant.restarted();
    assert_eq!(hello(&tenant).reserving.unwrap().print(), print);
}

#[test]
fn a_name_holds_after_a_restart() {
    let tenant = after_the_first_compare(|| named(1, 1, "administrator@corp.example.com")).restarted();
    assert_eq!(whose(&tenant, "administrator@corp.example.com"), Whose::Ambiguous);
    assert!(tenant.store.read(domains::all).unwrap().first().unwrap().reserved_since.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Names with stamps, in any order and repeated: the greatest stamp of each attribute decides.
    #[test]
    fn the_greatest_stamp_decides_in_whatever_order_names_arrive(order in Just(vec![1_u32, 2, 3, 3]).prop_shuffle()) {
        let tenant = after_the_first_compare(|| named(1, 1, "n3@example.com"));
        for version in order {
            let name = upn_of(&tenant, 7, version, &format!("n{version}@example.com"));
            tenant.send(&reserving(page(vec![]), vec![name]));
        }
        prop_assert_eq!(whose(&tenant, "n3@example.com"), Whose::Ambiguous);
        tenant.sends(vec![named(2, 1, "n2@example.com")]);
        prop_assert_eq!(whose(&tenant, "n2@example.com"), one(2));
    }
}
