//! Names of accounts that are not carried: which are sent, as what, and when.

use super::*;
use ReservedAttribute::UserPrincipalName;
use landbridge_drsr::drs::attribute::Class;
use landbridge_drsr::drs::change::Change;
use landbridge_wire::upload::LEVEL;

fn text(text: &str) -> Option<Value> {
    Some(Value::Text(text.to_owned()))
}

fn user(rid: u32, sam: &str, upn: &str) -> Telling {
    let telling = Telling::user(rid).with(Attribute::SamAccountName, text(sam));
    telling.with(Attribute::UserPrincipalName, text(upn))
}

fn machine(rid: u32, class: Class, sam: &str) -> Telling {
    let all = [Class::Top, Class::Person, Class::OrganizationalPerson, Class::User, class];
    Telling::object(rid, &all)
        .with(Attribute::SamAccountName, text(sam))
        .with(Attribute::DnsHostName, text("secret-host.corp.example.com"))
        .number(Attribute::UserAccountControl, 0x1000)
}

fn one_page(changes: Vec<Change>, usn: u8) -> Vec<Page> {
    vec![page(changes, vec![], Progress::Last(cursor(usn)))]
}

/// The names that arrived, by RID and attribute, sorted; true: as many as the attribute yields.
fn arrived(bench: &mut Bench) -> Vec<(u128, &'static str, usize)> {
    let names = std::mem::take(&mut bench.cloud.reserved);
    let mut all: Vec<_> = names
        .iter()
        .map(|name| (name.object.as_u128(), name.attribute.as_str(), name.hashes.as_slice().len()))
        .collect();
    all.sort_unstable();
    all
}

const SAM: &str = "sam_account_name";
const UPN: &str = "user_principal_name";

#[test]
fn names_of_every_account_that_is_not_carried_leave_as_hashes_and_nothing_else_of_it_does() {
    let mut bench = Bench::new();
    let gone = crate::scope::Term { attribute: Attribute::Department, value: "gone".to_owned() };
    bench.scope.without = vec![gone];
    bench.dc.holders = vec![domain().with_rid(1500)];
    let everybody = || {
        vec![
            user(1100, "carried", "carried@example.com").tell(),
            // Privileged, the KDC's, one that reads every password, and the one that phs reads with.
            user(500, "secret-admin", "secret-admin@example.com").tell(),
            user(502, "krbtgt", "secret-krbtgt@example.com").tell(),
            user(1500, "secret-holder", "secret-holder@example.com").tell(),
            user(READER, "secret-reader", "secret-reader@example.com").tell(),
            // Outside the scope.
            user(1200, "secret-out", "secret-out@example.com")
                .with(Attribute::Department, text("gone"))
                .with(Attribute::Mail, text("secret-mail@example.com"))
                .tell(),
            machine(1300, Class::Computer, "secret-pc$").tell(),
            machine(1301, Class::GroupManagedServiceAccount, "secret-gmsa$").tell(),
            Telling::group(1400).with(Attribute::SamAccountName, text("a group")).tell(),
        ]
    };
    let counts = bench.cycle(one_page(everybody(), 4)).unwrap();
    let both = |rid| [(rid, SAM, 3), (rid, UPN, 1)];
    let mut expected: Vec<_> = [500, 502, READER.into(), 1200, 1500].into_iter().flat_map(both).collect();
    expected.extend([(1300, SAM, 3), (1301, SAM, 3)]);
    expected.sort_unstable();
    assert_eq!(counts.reserved_sent, 12);
    let name = bench
        .cloud
        .reserved
        .iter()
        .find(|name| name.object == guid(500) && name.attribute == UserPrincipalName);
    assert_eq!(name.unwrap().hashes.as_slice(), [reserving(7).key.hash("secret-admin@example.com")]);
    assert_eq!(arrived(&mut bench), expected);
    assert!(bench.cloud.bytes.contains("carried@example.com"));
    assert!(!bench.cloud.bytes.to_lowercase().contains("secret") && !bench.cloud.bytes.contains("krbtgt"));
    // Of distinguished names the first part, and only of the account and the group that are carried.
    let parts: Vec<&str> =
        bench.cloud.bytes.match_indices("CN=").map(|(at, _)| &bench.cloud.bytes[at..]).collect();
    assert!(
        parts.len() == 2
            && parts[0].starts_with("CN=object 1100\"")
            && parts[1].starts_with("CN=object 1400\"")
    );
    let key = serde_json::to_string(&reserving(7).key).unwrap();
    assert!(!bench.cloud.bytes.contains(&key));
    // The next full compare sends all of them again, and an idle cycle none.
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().reserved_sent, 0);
    bench.full = true;
    bench.cycle(one_page(everybody(), 5)).unwrap();
    assert_eq!(arrived(&mut bench), expected);
}

#[test]
fn a_change_of_one_name_sends_that_name_and_asks_the_controller_for_nothing() {
    let mut bench = Bench::new();
    bench.cycle(one_page(vec![user(500, "admin", "admin@example.com").tell()], 4)).unwrap();
    arrived(&mut bench);
    let renamed = Telling::of(500).with(Attribute::SamAccountName, text("boss"));
    bench.cycle(one_page(vec![renamed.with(Attribute::Title, text("Boss")).tell()], 5)).unwrap();
    assert_eq!(arrived(&mut bench), [(500, SAM, 3)]);
    let removed = Telling::of(500).with(Attribute::UserPrincipalName, None);
    assert_eq!(bench.cycle(one_page(vec![removed.tell()], 6)).unwrap().reserved_sent, 1);
    assert_eq!(arrived(&mut bench), [(500, UPN, 0)], "it has none any more");
    assert!(bench.dc.asked_with_secrets().is_empty());
    assert!(!bench.dc.asked.iter().any(|(rid, _)| *rid == 500));
    // A name that no sign-in has is none.
    let odd = Telling::of(500).with(Attribute::UserPrincipalName, text("no form"));
    bench.cycle(one_page(vec![odd.tell()], 7)).unwrap();
    assert_eq!(arrived(&mut bench), [(500, UPN, 0)]);
}

#[test]
fn the_further_sign_in_name_is_reserved_too() {
    let mut bench = Bench::new();
    bench.alternate_login = Some(Attribute::Mail);
    let admin = user(500, "admin", "admin@example.com").with(Attribute::Mail, text("boss@example.com"));
    bench.cycle(one_page(vec![admin.tell()], 4)).unwrap();
    assert_eq!(arrived(&mut bench), [(500, "alternate_login", 1), (500, SAM, 3), (500, UPN, 1)]);
}

#[test]
fn a_deleted_account_frees_its_names_also_a_computer_that_was_never_sent() {
    let mut bench = Bench::new();
    let both =
        vec![user(500, "admin", "admin@example.com").tell(), machine(1300, Class::Computer, "pc$").tell()];
    bench.cycle(one_page(both, 4)).unwrap();
    bench.cloud.uploads.clear();
    let deleted = |rid| Telling::of(rid).with(Attribute::UserPrincipalName, None).deleted().tell();
    bench.cycle(one_page(vec![deleted(500), deleted(1300), deleted(1999)], 5)).unwrap();
    let records = &bench.cloud.uploads[0].1;
    assert_eq!(*records, [500, 1300, 1999].map(|rid| (rid, Presence::Deleted)));
    arrived(&mut bench);
    assert_eq!(bench.cycle(one_page(vec![deleted(1300)], 6)).unwrap().records_sent, 0, "once");
}

#[test]
fn an_account_that_the_recycle_bin_gives_back_is_read_for_its_names() {
    let mut bench = Bench::new();
    bench.cycle(one_page(vec![user(500, "admin", "admin@example.com").tell()], 4)).unwrap();
    bench.cycle(one_page(vec![Telling::of(500).deleted().tell()], 5)).unwrap();
    arrived(&mut bench);
    bench.dc = std::mem::take(&mut bench.dc).holds(500, || user(500, "admin", "admin@example.com"));
    let back = || Telling::of(500).with(Attribute::IsDeleted, None).tell();
    bench.cycle(one_page(vec![back()], 6)).unwrap();
    assert_eq!(arrived(&mut bench), [(500, SAM, 3), (500, UPN, 1)]);
    assert!(bench.dc.asked_with_secrets().is_empty());
    // A second deletion frees them again.
    bench.cloud.uploads.clear();
    bench.cycle(one_page(vec![Telling::of(500).deleted().tell()], 7)).unwrap();
    assert_eq!(bench.cloud.uploads[0].1, [(500, Presence::Deleted)]);
}

#[test]
fn an_account_that_the_mirror_does_not_know_is_read_for_its_names() {
    let mut bench = Bench::new();
    bench.cycle(last(0..0, 4)).unwrap();
    bench.dc = std::mem::take(&mut bench.dc).holds(500, || user(500, "admin", "admin@example.com"));
    let title = Telling::of(500).with(Attribute::Title, text("Boss")).tell();
    bench.cycle(one_page(vec![title], 5)).unwrap();
    assert_eq!(arrived(&mut bench), [(500, SAM, 3), (500, UPN, 1)]);
}

#[test]
fn an_account_in_quarantine_has_its_names_reserved_as_they_were() {
    let mut bench = Bench::new();
    let hours = Some(Value::Bytes(vec![0xff; 22]));
    let long = user(1100, "odd", "odd@example.com").with(Attribute::LogonHours, hours);
    let counts = bench.cycle(one_page(vec![long.tell()], 4)).unwrap();
    assert_eq!((counts.quarantined, counts.records_sent), (1, 0));
    assert!(bench.cloud.reserved.iter().all(|name| name.stamp.version == 0), "any other stamp is greater");
    assert_eq!(arrived(&mut bench), [(1100, SAM, 3), (1100, UPN, 1)]);
    // In a full compare that cannot read it, too.
    bench.full = true;
    let mut unreadable = one_page(vec![], 5);
    unreadable[0].quarantined.push(crate::fixture::quarantined(1100, false, "a value of the wrong length"));
    bench.cycle(unreadable).unwrap();
    assert_eq!(arrived(&mut bench), [(1100, SAM, 3), (1100, UPN, 1)]);
}

#[test]
fn a_tenant_of_level_1_receives_no_names_and_all_of_them_once_it_is_upgraded() {
    let mut bench = Bench::new();
    bench.cloud.level = 1;
    let all =
        || vec![user(500, "admin", "admin@example.com").tell(), machine(1300, Class::Computer, "pc$").tell()];
    assert_eq!(bench.cycle(one_page(all(), 4)).unwrap().reserved_sent, 0);
    let counts = bench.cycle(one_page(vec![Telling::of(1300).deleted().tell()], 5)).unwrap();
    assert_eq!((counts.reserved_sent, counts.records_sent), (0, 0));
    bench.cloud.level = LEVEL;
    let counts = bench.cycle(one_page(all(), 6)).unwrap();
    assert_eq!(
        (counts.mode, counts.reserved_sent, counts.digests_derived),
        ("full", 2, 0),
        "of the one that is left"
    );
}

#[test]
fn another_key_of_names_leads_to_a_full_compare_and_no_tenant_to_no_names() {
    let mut bench = Bench::new();
    let all = || one_page(vec![user(500, "admin", "admin@example.com").tell()], 4);
    bench.cycle(all()).unwrap();
    let before = std::mem::take(&mut bench.cloud.reserved);
    bench.cloud.key = 8;
    assert_eq!(bench.cycle(all()).unwrap().mode, "full");
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental");
    let hashes = |names: &[ReservedName]| -> Vec<_> {
        names.iter().flat_map(|one| one.hashes.as_slice().to_vec()).collect()
    };
    let after = hashes(&bench.cloud.reserved);
    assert!(after.len() == 4 && hashes(&before).iter().all(|hash| !after.contains(hash)));
    bench.cloud.reserved.clear();
    let renamed = || vec![Telling::of(500).with(Attribute::SamAccountName, text("boss")).tell()];
    let pages = one_page(renamed(), 5).into_iter().map(Ok).collect();
    assert_eq!(bench.go(pages, true).unwrap().reserved_sent, 0);
    bench.staging = true;
    assert_eq!(bench.cycle(one_page(renamed(), 5)).unwrap().reserved_sent, 0);
}

#[test]
fn many_names_go_in_several_uploads_with_one_commit() {
    let mut bench = Bench::new();
    let machines =
        (2000..3500).map(|rid| machine(rid, Class::Computer, &format!("pc{rid}$")).tell()).collect();
    let counts = bench.cycle(one_page(machines, 4)).unwrap();
    assert_eq!((counts.reserved_sent, counts.uploads), (1500, 2));
    let commits: Vec<_> = bench.cloud.uploads.iter().map(|(_, _, commit)| *commit).collect();
    assert_eq!(commits, [false, false, true]);
}

#[test]
fn how_many_accounts_became_ambiguous_is_known_until_the_next_full_compare() {
    let mut bench = Bench::new();
    bench.cloud.ambiguous = Some(3);
    assert_eq!(bench.cycle(two_pages()).unwrap().ambiguous, 3);
    bench.cloud.ambiguous = None;
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().ambiguous, 3);
    assert_eq!(bench.cycle(last(1200..1201, 5)).unwrap().ambiguous, 3);
    (bench.full, bench.cloud.ambiguous) = (true, Some(0));
    assert_eq!(bench.cycle(two_pages()).unwrap().ambiguous, 0);
}

#[test]
fn a_rename_and_an_account_that_leaves_are_told_in_one_upload_each_and_in_order() {
    let mut bench = Bench::new();
    bench.cycle(one_page(vec![user(1100, "ada", "ada@example.com").tell()], 4)).unwrap();
    bench.cloud.uploads.clear();
    let promoted =
        Telling::of(1100).number(Attribute::AdminCount, 1).with(Attribute::SamAccountName, text("boss"));
    bench.cycle(one_page(vec![promoted.tell()], 5)).unwrap();
    assert_eq!(bench.cloud.uploads[0].1, [(1100, Presence::Privileged)], "the tenant reserves what it holds");
    assert_eq!(arrived(&mut bench), [(1100, SAM, 3)], "and receives what is new");
    assert!(bench.cloud.uploads[1].1.is_empty());
    let demoted = Telling::of(1100).number(Attribute::AdminCount, 0);
    bench.dc = std::mem::take(&mut bench.dc).holds(1100, || user(1100, "boss", "ada@example.com"));
    bench.cycle(one_page(vec![demoted.tell()], 6)).unwrap();
    assert!(bench.cloud.uploads.iter().any(|(_, records, _)| *records == [(1100, Presence::Present)]));
    assert_eq!(arrived(&mut bench), []);
}

#[test]
fn a_tenant_that_gives_no_key_is_not_told_that_all_names_were_sent() {
    let mut bench = Bench::new();
    bench.cloud.hides_key = true;
    bench.cycle(one_page(vec![user(500, "admin", "admin@example.com").tell()], 4)).unwrap();
    assert!(!bench.cloud.bytes.contains("\"level\""), "{}", bench.cloud.bytes);
    bench.cloud.hides_key = false;
    let counts = bench.cycle(one_page(vec![user(500, "admin", "admin@example.com").tell()], 4)).unwrap();
    assert_eq!((counts.mode, counts.reserved_sent), ("full", 2));
    assert!(bench.cloud.bytes.contains(&format!("\"level\":{LEVEL}")));
}
