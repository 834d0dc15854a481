//! What happens to people in AD between two cycles, and what the tenant makes of it after the second.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::edits::{NEVER_EXPIRES, NORMAL, PASSWORD_NOT_REQUIRED, SMART_CARD};
use landbridge_tests::lab::population::{ADMINISTRATOR_PASSWORD, DOMAIN as NAME};
use landbridge_tests::lab::{Domain, Person, PhsSettings, TenantSettings, person};
use serde_json::json;
use std::sync::{Arc, LazyLock};

/// One domain for all of these: each test changes people of its own.
static DOMAIN: LazyLock<Arc<Domain>> = LazyLock::new(|| own_domain(50));

/// A road on which everybody is already.
fn road() -> Road {
    let road = Road::new(DOMAIN.clone(), "entra");
    road.once();
    road
}

/// The same on a domain of its own: for tests that count what a cycle does.
fn quiet_road() -> Road {
    let road = Road::new(own_domain(50), "entra");
    road.once();
    road
}

#[track_caller]
fn holds_digest(road: &Road, sam: &str) -> bool {
    road.tenant.holds_digest(road.domain.identity(sam).unwrap().guid).unwrap()
}

#[test]
fn a_new_person_signs_in_after_the_next_cycle() {
    let road = quiet_road();
    road.domain.create("newcomer", "a first password", NORMAL, "OU=People").unwrap();
    road.assert_out(&format!("newcomer@{NAME}"), "a first password");
    let summary = road.once();
    assert_eq!(summary["mode"], "incremental");
    assert_eq!(summary["digests_sent"], 1, "{summary}");
    road.assert_in(&format!("newcomer@{NAME}"), "a first password");
}

#[test]
fn a_deleted_person_is_out_and_the_digest_is_erased() {
    let (road, who) = (road(), person(1));
    let guid = DOMAIN.identity(&who.sam).unwrap().guid;
    road.assert_in(&who.upn, &who.password);
    DOMAIN.delete(&who.sam).unwrap();
    road.once();
    road.assert_out(&who.upn, &who.password);
    assert!(!road.tenant.holds_digest(guid).unwrap());
}

#[test]
fn a_reanimated_person_is_out_until_a_fresh_password_is_set() {
    let (road, who) = (road(), person(21));
    let guid = DOMAIN.identity(&who.sam).unwrap().guid;
    for group in ["Domain Admins", "Protected Users"] {
        DOMAIN.set_member(group, &who.sam, true).unwrap();
    }
    road.once();
    DOMAIN.delete(&who.sam).unwrap();
    road.once();
    DOMAIN.reanimate(guid, &who.sam, "OU=People").unwrap();
    road.once();
    road.assert_out(&who.upn, &who.password);
    assert!(!holds_digest(&road, &who.sam));
    DOMAIN.set_enabled(&who.sam, true).unwrap();
    road.once();
    road.assert_out(&who.upn, &who.password);
    // No administrator any more: a tombstone lost its links.
    DOMAIN.set_password(&who.sam, "a fresh one, after all").unwrap();
    road.once();
    assert_eq!(DOMAIN.identity(&who.sam).unwrap().guid, guid);
    road.assert_in(&who.upn, "a fresh one, after all");
    road.assert_out(&who.upn, &who.password);
}

#[test]
fn a_renamed_person_signs_in_under_the_new_name_alone() {
    let (road, who) = (quiet_road(), person(2));
    road.domain.rename(&who.sam, "renamed.2").unwrap();
    let summary = road.once();
    assert_eq!(summary["digests_derived"], 0, "{summary}");
    road.assert_in(&format!("renamed.2@{NAME}"), &who.password);
    road.assert_in("CORP\\renamed.2", &who.password);
    road.assert_out(&who.upn, &who.password);
    road.assert_out(&format!("CORP\\{}", who.sam), &who.password);
}

#[test]
fn a_reused_name_never_inherits_a_digest() {
    let (road, who) = (road(), person(3));
    DOMAIN.rename(&who.sam, "moved.on.3").unwrap();
    DOMAIN.create(&who.sam, "the successor's own", NORMAL, "OU=People").unwrap();
    road.once();
    road.assert_out(&who.upn, &who.password);
    road.assert_in(&who.upn, "the successor's own");
    road.assert_in(&format!("moved.on.3@{NAME}"), &who.password);
}

#[test]
fn a_disabled_person_is_out_until_enabled_again() {
    let (road, who) = (road(), person(4));
    DOMAIN.set_enabled(&who.sam, false).unwrap();
    road.once();
    road.assert_out(&who.upn, &who.password);
    DOMAIN.set_enabled(&who.sam, true).unwrap();
    road.once();
    road.assert_in(&who.upn, &who.password);
}

#[test]
fn must_change_is_said_after_the_right_password_alone_and_ends_with_a_change() {
    let (road, who) = (road(), person(5));
    DOMAIN.must_change(&who.sam).unwrap();
    road.once();
    assert!(road.sign_in(&who.upn, &who.password).refused_for("must-change-password"));
    road.assert_out(&who.upn, &who.wrong_password());
    DOMAIN.set_password(&who.sam, "changed, as was asked").unwrap();
    road.once();
    road.assert_in(&who.upn, "changed, as was asked");
    road.assert_out(&who.upn, &who.password);
}

#[test]
fn an_account_that_ends_is_said_to_have_after_the_right_password_alone() {
    let (road, who) = (road(), person(6));
    DOMAIN.account_ends_in(&who.sam, 3600).unwrap();
    road.once();
    road.assert_in(&who.upn, &who.password);
    DOMAIN.account_ends_in(&who.sam, -1).unwrap();
    road.once();
    assert!(road.sign_in(&who.upn, &who.password).refused_for("account-expired"));
    road.assert_out(&who.upn, &who.wrong_password());
    // Both values mean never.
    for never in [0, i64::MAX] {
        DOMAIN.set_attributes(&who.sam, json!({"accountExpires": never})).unwrap();
        road.once();
        road.assert_in(&who.upn, &who.password);
    }
}

/// Written past the DC's checks, as a faulty program may have written them.
#[test]
fn odd_times_keep_their_own_account_out_or_mean_never_and_disturb_nobody_else() {
    let road = quiet_road();
    let odd = [
        ("accountExpires", i64::MIN, false),
        ("accountExpires", -1, false),
        ("pwdLastSet", i64::MIN, false),
        ("pwdLastSet", i64::MAX, true),
        ("lockoutTime", i64::MIN, false),
        ("lockoutTime", i64::MAX, false),
        ("lockoutTime", 0, true),
    ];
    for (index, (name, value, _)) in (0..).zip(odd) {
        // An attribute that was never set does not replicate, whatever is forced into it.
        road.domain.set_attributes(&person(index).sam, json!({"lockoutTime": 0})).unwrap();
        road.domain.force_attribute(&person(index).sam, name, &value.to_string()).unwrap();
    }
    let short = person(7);
    road.domain.set_attributes(&short.sam, json!({"logonHours": {"hex": "ff".repeat(21)}})).unwrap();
    road.domain.force_values(&short.sam, "logonHours", &json!({"hex": "ff".repeat(20)})).unwrap();
    road.phs.once(&["--full"]).unwrap().expect_code(0);
    for (index, (name, value, inside)) in (0..).zip(odd) {
        let answer = road.sign_in(&person(index).upn, &person(index).password);
        assert!(if inside { answer.accepted() } else { answer.refused() }, "{name} {value}: {answer:?}");
    }
    assert!(road.sign_in(&short.upn, &short.password).refused());
    // Each is listed that cannot mean anything.
    let list = road.phs.run(&["check", "--objects", "--json"], None).unwrap().expect_code(10).json();
    let listed = |attribute: &str, why: &str| {
        let says = |one: &&serde_json::Value| {
            one["attribute"] == attribute && one["what"].as_str().unwrap().contains(why)
        };
        list.as_array().unwrap().iter().filter(says).count()
    };
    assert_eq!(listed("accountExpires", "is negative"), 2, "{list:#}");
    assert_eq!(
        (listed("pwdLastSet", "is negative"), listed("lockoutTime", "is negative")),
        (1, 1),
        "{list:#}"
    );
    assert_eq!(listed("logonHours", "is not 21 bytes"), 1, "{list:#}");
    for index in 8..50 {
        road.assert_in(&person(index).upn, &person(index).password);
    }
}

#[test]
fn outside_the_logon_hours_nobody_gets_in() {
    let (road, who) = (road(), person(8));
    for (hours, inside) in [("00", false), ("ff", true)] {
        DOMAIN.set_attributes(&who.sam, json!({"logonHours": {"hex": hours.repeat(21)}})).unwrap();
        road.once();
        let answer = road.sign_in(&who.upn, &who.password);
        assert!(if inside { answer.accepted() } else { answer.refused() }, "{hours}: {answer:?}");
    }
}

#[test]
fn a_promotion_erases_the_digest_and_a_demotion_brings_it_back() {
    let (road, who, nested) = (road(), person(9), person(10));
    DOMAIN.create_group("helpdesk").unwrap();
    DOMAIN.set_member("helpdesk", &nested.sam, true).unwrap();
    road.once();
    road.assert_in(&nested.upn, &nested.password);
    DOMAIN.set_member("Account Operators", &who.sam, true).unwrap();
    DOMAIN.set_member("Domain Admins", "helpdesk", true).unwrap();
    let summary = road.once();
    for promoted in [&who, &nested] {
        road.assert_out(&promoted.upn, &promoted.password);
        assert!(!holds_digest(&road, &promoted.sam), "{}: {summary}", promoted.sam);
    }
    DOMAIN.set_member("Account Operators", &who.sam, false).unwrap();
    DOMAIN.set_member("Domain Admins", "helpdesk", false).unwrap();
    road.once();
    for demoted in [&who, &nested] {
        road.assert_in(&demoted.upn, &demoted.password);
    }
}

#[test]
fn who_has_admin_count_or_an_administrators_primary_group_is_privileged() {
    let (road, counted, grouped) = (road(), person(11), person(12));
    DOMAIN.set_attributes(&counted.sam, json!({"adminCount": 1})).unwrap();
    DOMAIN.set_member("Domain Admins", &grouped.sam, true).unwrap();
    DOMAIN.set_attributes(&grouped.sam, json!({"primaryGroupID": 512})).unwrap();
    road.once();
    for who in [&counted, &grouped] {
        road.assert_out(&who.upn, &who.password);
        assert!(!holds_digest(&road, &who.sam));
    }
    // A road that begins now never saw them otherwise.
    let later = self::road();
    for who in [&counted, &grouped] {
        later.assert_out(&who.upn, &who.password);
        assert!(!holds_digest(&later, &who.sam));
    }
}

#[test]
fn machines_the_kdc_and_the_administrator_are_never_carried() {
    let road = road();
    for name in ["DC1$", "krbtgt", "Administrator"] {
        assert!(!holds_digest(&road, name), "{name}");
    }
    road.assert_out("CORP\\Administrator", ADMINISTRATOR_PASSWORD);
}

#[test]
fn a_privileged_account_is_carried_when_both_sides_name_it() {
    let who = person(13);
    DOMAIN.set_member("Server Operators", &who.sam, true).unwrap();
    let sid = DOMAIN.identity(&who.sam).unwrap().sid;
    let named = PhsSettings { include: vec![sid], ..PhsSettings::for_domain(&DOMAIN, "entra") };
    let wary = Road::with(DOMAIN.clone(), &named, &TenantSettings::default());
    let summary = wary.once();
    assert_eq!(summary["refused"], 1, "{summary}");
    wary.assert_out(&who.upn, &who.password);
    let willing = TenantSettings { domain_flags: &["--allow-privileged"], ..TenantSettings::default() };
    let road = Road::with(DOMAIN.clone(), &named, &willing);
    let summary = road.once();
    assert_eq!(summary["refused"], 0, "{summary}");
    road.assert_in(&who.upn, &who.password);
}

#[test]
fn protected_users_and_smart_card_users_are_out() {
    let (road, protected, card) = (road(), person(14), person(15));
    road.assert_in(&protected.upn, &protected.password);
    DOMAIN.set_member("Protected Users", &protected.sam, true).unwrap();
    DOMAIN.change_flags(&card.sam, SMART_CARD, 0).unwrap();
    road.once();
    road.assert_out(&protected.upn, &protected.password);
    road.assert_out(&card.upn, &card.password);
    DOMAIN.set_member("Protected Users", &protected.sam, false).unwrap();
    road.once();
    road.assert_in(&protected.upn, &protected.password);
}

#[test]
fn an_account_that_only_a_controller_can_judge_has_no_digest_at_the_tenant() {
    let (road, limited, judged, siloed) = (road(), person(24), person(25), person(26));
    let held = |who: &Person| road.tenant.holds_digest(DOMAIN.identity(&who.sam).unwrap().guid).unwrap();
    for who in [&limited, &judged, &siloed] {
        road.assert_in(&who.upn, &who.password);
    }
    // 1. Computers that it may log on to, a policy, a silo.
    let services = "CN=Services,CN=Configuration";
    let policies = format!("CN=Our Policies,{services}");
    DOMAIN.add(&policies, json!({"objectClass": "msDS-AuthNPolicies"})).unwrap();
    DOMAIN.add(&format!("CN=Four Hours,{policies}"), json!({"objectClass": "msDS-AuthNPolicy"})).unwrap();
    let silos = format!("CN=Our Silos,{services}");
    DOMAIN.add(&silos, json!({"objectClass": "msDS-AuthNPolicySilos"})).unwrap();
    DOMAIN.add(&format!("CN=Vault,{silos}"), json!({"objectClass": "msDS-AuthNPolicySilo"})).unwrap();
    let base = "DC=corp,DC=example,DC=com";
    let policy = format!("CN=Four Hours,{policies},{base}");
    let silo = format!("CN=Vault,{silos},{base}");
    DOMAIN.set_attributes(&limited.sam, json!({"userWorkstations": "PC1,PC2"})).unwrap();
    DOMAIN.set_attributes(&judged.sam, json!({"msDS-AssignedAuthNPolicy": policy})).unwrap();
    DOMAIN.set_attributes(&siloed.sam, json!({"msDS-AssignedAuthNPolicySilo": silo})).unwrap();
    road.once();
    for who in [&limited, &judged, &siloed] {
        road.assert_out(&who.upn, &who.password);
        assert!(!held(who), "{}", who.sam);
    }
    let why = |who: &Person| road.phs.run(&["explain", &who.sam], None).unwrap().expect_code(0).stdout;
    assert!(why(&limited).contains("userWorkstations"), "{}", why(&limited));
    assert!(why(&judged).contains("authentication policy"), "{}", why(&judged));
    // 2. A full compare and a new password change nothing.
    DOMAIN.set_password(&judged.sam, "New and just as useless").unwrap();
    road.phs.once(&["--full"]).unwrap().expect_code(0);
    for who in [&limited, &judged, &siloed] {
        assert!(!held(who), "{}", who.sam);
    }
    // 3. A tenant that hears of the domain for the first time never has their digests, though policies come pages later.
    let small_pages = PhsSettings { page_objects: 10, ..PhsSettings::for_domain(&DOMAIN, "entra") };
    let later = Road::with(DOMAIN.clone(), &small_pages, &TenantSettings::default());
    later.once();
    for who in [&limited, &judged, &siloed] {
        let guid = DOMAIN.identity(&who.sam).unwrap().guid;
        let entries = "SELECT count(*) FROM audit WHERE subject = ?1 AND action LIKE 'digest-%'";
        let database = later.tenant.open_database().unwrap();
        let erased: i64 = database.query_row(entries, [guid.to_string()], |row| row.get(0)).unwrap();
        assert_eq!(erased, 0, "{}", who.sam);
        later.assert_out(&who.upn, &who.password);
    }
    // 4. Without the limit the digest is back.
    DOMAIN.set_attributes(&limited.sam, json!({"userWorkstations": null})).unwrap();
    DOMAIN.set_attributes(&judged.sam, json!({"msDS-AssignedAuthNPolicy": null})).unwrap();
    DOMAIN.set_attributes(&siloed.sam, json!({"msDS-AssignedAuthNPolicySilo": null})).unwrap();
    road.once();
    road.assert_in(&limited.upn, &limited.password);
    road.assert_in(&judged.upn, "New and just as useless");
    road.assert_in(&siloed.upn, &siloed.password);
}

#[test]
fn an_empty_password_signs_nobody_in() {
    let road = road();
    let flags = NORMAL | NEVER_EXPIRES | PASSWORD_NOT_REQUIRED;
    DOMAIN.create("no.password", "", flags, "OU=People").unwrap();
    road.once();
    for password in ["", " ", "anything"] {
        road.assert_out(&format!("no.password@{NAME}"), password);
    }
    road.assert_out(&person(0).upn, "");
}

#[test]
fn a_move_and_the_renaming_of_a_unit_change_nothing_for_its_people() {
    let (road, who) = (quiet_road(), person(17));
    road.domain.create_unit("Old Name").unwrap();
    road.domain.move_to(&who.sam, "OU=Old Name").unwrap();
    road.once();
    road.assert_in(&who.upn, &who.password);
    road.domain.rename_container("OU=Old Name", "OU=New Name").unwrap();
    let summary = road.once();
    assert_eq!(summary["digests_derived"], 0, "{summary}");
    road.assert_in(&who.upn, &who.password);
    road.domain.set_password(&who.sam, "after the unit was renamed").unwrap();
    road.once();
    road.assert_in(&who.upn, "after the unit was renamed");
}

#[test]
fn a_name_that_two_people_hold_signs_neither_in() {
    let (one, other) = (person(18), person(19));
    // A DC refuses this to one administrator, but not to two of them at two DCs.
    DOMAIN.force_attribute(&other.sam, "userPrincipalName", &one.upn).unwrap();
    let road = road();
    for password in [&one.password, &other.password] {
        road.assert_out(&one.upn, password);
    }
    assert!(road.tenant.metric("landbridge_names_ambiguous_total").unwrap() >= Some(2.0));
    // Each still has a name of their own.
    for who in [&one, &other] {
        road.assert_in(&format!("CORP\\{}", who.sam), &who.password);
    }
    DOMAIN.set_attributes(&other.sam, json!({"userPrincipalName": other.upn})).unwrap();
    road.once();
    for who in [&one, &other] {
        road.assert_in(&who.upn, &who.password);
    }
}

#[test]
fn a_password_changed_ten_times_between_two_cycles_is_the_last_one() {
    let (road, who) = (quiet_road(), person(20));
    for round in 0..10 {
        road.domain.set_password(&who.sam, &format!("round {round} of ten")).unwrap();
    }
    let summary = road.once();
    assert_eq!(summary["digests_sent"], 1, "{summary}");
    road.assert_in(&who.upn, "round 9 of ten");
    road.assert_out(&who.upn, "round 8 of ten");
    road.assert_out(&who.upn, &who.password);
    road.assert_nothing_was_derived_twice();
}

/// The policy is the whole domain's, so this needs one of its own.
#[test]
fn the_domains_policy_decides_when_a_password_expires_and_a_lock_ends() {
    let domain = own_domain(50);
    let road = Road::new(domain.clone(), "entra");
    let [old, exempt, locked]: [Person; 3] = [person(1), person(2), person(3)];
    for who in [&old, &exempt] {
        domain.age_password(&who.sam, 10).unwrap();
    }
    domain.change_flags(&exempt.sam, NEVER_EXPIRES, 0).unwrap();
    road.once();
    road.assert_in(&old.upn, &old.password);

    let day = 24 * 3600 * 10_000_000_i64;
    domain
        .set_policy(json!({"maxPwdAge": -5 * day, "lockoutThreshold": 3, "lockoutDuration": -day / 24}))
        .unwrap();
    domain.try_wrong_passwords(&locked.upn, 4).unwrap();
    let summary = road.once();
    assert_eq!(summary["policy_sent"], true, "{summary}");
    assert!(road.sign_in(&old.upn, &old.password).refused_for("password-expired"));
    road.assert_out(&old.upn, &old.wrong_password());
    road.assert_in(&exempt.upn, &exempt.password);
    road.assert_out(&locked.upn, &locked.password);

    domain.set_policy(json!({"maxPwdAge": 0})).unwrap();
    domain.set_attributes(&locked.sam, json!({"lockoutTime": 0})).unwrap();
    road.once();
    road.assert_in(&old.upn, &old.password);
    road.assert_in(&locked.upn, &locked.password);
}
