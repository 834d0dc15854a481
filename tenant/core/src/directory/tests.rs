//! Names, by their sentences.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::directory::*;
use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::names::Whose;
use landbridge_tenant_rules::names::fold_case;
use landbridge_tenant_store::tables::names::whose;
use landbridge_wire::upload::{AttributeValue, Presence, Record};

fn find(tenant: &Tenant, name: &str) -> Whose {
    tenant.store.read(|c| whose(c, name)).unwrap()
}

#[test]
fn every_form_of_name_that_ad_accepts_leads_to_the_same_object() {
    let tenant = Tenant::new();
    tenant.sends(vec![
        with(1, vec![written(1, sam("Anna")), written(1, upn("anna.schmidt@example.com"))]),
        user(2, "two"),
    ]);
    let names = [
        "anna.schmidt@example.com",
        "ANNA.Schmidt@EXAMPLE.com",
        "CORP\\anna",
        "corp\\ANNA",
        "corp.example.com\\Anna",
        "Anna@corp.example.com",
    ];
    for name in names {
        assert_eq!(find(&tenant, name), Whose::One(object(1)), "{name}");
    }
}

#[test]
fn guids_sids_dns_and_bare_names_do_not_sign_in() {
    let tenant = Tenant::new();
    tenant.sends(vec![with(1, vec![written(1, sam("Anna")), written(1, upn("anna@example.com"))])]);
    let guid = object(1).to_string();
    let names = [
        "",
        "Anna",
        "anna",
        "@",
        "\\",
        "\\anna",
        "CORP\\",
        "OTHER\\anna",
        "anna @example.com",
        "anna@ example.com",
        &guid,
        &format!("<GUID={guid}>"),
        "S-1-5-21-1-2-3-1101",
        "CN=Anna,CN=Users,DC=corp,DC=example,DC=com",
        "corp.example.com/Users/Anna",
        "CORP/anna",
        "anna@CORP",
        "CORP\\CORP\\anna",
        "anna@example.com\0",
        "anna\n@example.com",
    ];
    for name in names {
        assert_eq!(find(&tenant, name), Whose::Nobody, "{name:?}");
    }
    assert_eq!(find(&tenant, &format!("{}@example.com", "a".repeat(100_000))), Whose::Nobody);
    // Blanks at the ends do not count, as in the directory.
    assert_eq!(find(&tenant, " anna@example.com "), Whose::One(object(1)));
}

#[test]
fn a_upn_that_two_accounts_hold_signs_neither_in() {
    let tenant = Tenant::new();
    tenant.sends(vec![
        with(1, vec![written(1, sam("a")), written(1, upn("same@example.com"))]),
        with(2, vec![written(1, sam("b")), written(1, upn("Same@Example.com"))]),
    ]);
    assert_eq!(find(&tenant, "same@example.com"), Whose::Ambiguous);
    assert_eq!(find(&tenant, "CORP\\a"), Whose::One(object(1)), "other names of theirs go on");
    tenant.sends(vec![Record { presence: Presence::Deleted, ..bare(2) }]);
    assert_eq!(find(&tenant, "same@example.com"), Whose::One(object(1)), "until one of them is gone");
}

#[test]
fn a_upn_that_is_another_accounts_sam_at_domain_signs_neither_in() {
    let tenant = Tenant::new();
    tenant.sends(vec![
        with(1, vec![written(1, sam("boss"))]),
        with(2, vec![written(1, sam("thief")), written(1, upn("boss@corp.example.com"))]),
    ]);
    assert_eq!(find(&tenant, "boss@corp.example.com"), Whose::Ambiguous);
    assert_eq!(find(&tenant, "CORP\\boss"), Whose::One(object(1)));
}

#[test]
fn an_account_whose_upn_is_its_own_sam_at_domain_is_not_ambiguous() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    assert_eq!(find(&tenant, "user1@corp.example.com"), Whose::One(object(1)));
}

#[test]
fn a_renamed_account_leaves_its_old_name_and_holds_the_new() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    tenant.sends(vec![with(1, vec![written(2, sam("renamed")), written(2, upn("renamed@example.com"))])]);
    for old in ["user1@corp.example.com", "CORP\\user1"] {
        assert_eq!(find(&tenant, old), Whose::Nobody, "{old}");
    }
    for new in ["renamed@example.com", "CORP\\renamed", "renamed@corp.example.com"] {
        assert_eq!(find(&tenant, new), Whose::One(object(1)), "{new}");
    }
}

#[test]
fn a_reused_name_leads_to_its_new_holder_and_never_to_the_old_ones_digest() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    tenant.sends(vec![
        with(1, vec![written(2, upn("gone@example.com")), written(2, sam("gone"))]),
        with(2, vec![written(1, upn("user1@corp.example.com")), written(1, sam("user1"))]),
    ]);
    assert_eq!(find(&tenant, "user1@corp.example.com"), Whose::One(object(2)));
    assert!(!tenant.has_digest(object(2)));
    assert!(tenant.has_digest(object(1)));
}

#[test]
fn letters_fold_one_by_one_and_accents_stay() {
    assert_eq!(fold_case("ÄÖÜ ΑΣ"), "äöü ας".replace('ς', "σ"));
    assert_ne!(fold_case("Müller"), fold_case("Muller"));
    let tenant = Tenant::new();
    tenant.sends(vec![with(1, vec![written(1, sam("Ærøskøbing"))])]);
    assert_eq!(find(&tenant, "corp\\ÆRØSKØBING"), Whose::One(object(1)));
}

#[test]
fn a_letter_that_folds_to_another_ones_makes_a_name_ambiguous_and_steals_nothing() {
    let tenant = Tenant::new();
    let greek = |n, name: &str| with(n, vec![written(1, sam(name))]);
    tenant.sends(vec![greek(1, "νίκος"), greek(2, "νίκοσ"), greek(3, "kim"), greek(4, "\u{212a}im")]);
    assert_eq!(find(&tenant, "CORP\\ΝΊΚΟΣ"), Whose::Ambiguous);
    // AD tells these two apart, and so does the tenant.
    assert_eq!(find(&tenant, "CORP\\KIM"), Whose::One(object(3)));
    assert_eq!(find(&tenant, "CORP\\\u{212a}im"), Whose::One(object(4)));
}

#[test]
fn blanks_round_a_name_do_not_count_and_those_beside_the_at_sign_do() {
    let tenant = Tenant::new();
    tenant.sends(vec![
        with(1, vec![written(1, sam("alice")), written(1, upn("alice.smith@corp.example.com"))]),
        with(2, vec![written(1, sam("asmith")), written(1, upn("alice@example.com"))]),
    ]);
    let known =
        ["alice@corp.example.com ", "CORP\\alice ", " corp \\ ALICE", "  alice.smith@corp.example.com "];
    for name in known {
        assert_eq!(find(&tenant, name), Whose::One(object(1)), "{name:?}");
    }
    let unknown = [
        "alice @corp.example.com",
        "alice@ corp.example.com",
        "al ice@corp.example.com",
        "alice@corp.example.com\u{a0}",
    ];
    for name in unknown {
        assert_eq!(find(&tenant, name), Whose::Nobody, "{name:?}");
    }
}

#[test]
fn an_administrator_is_shown_everything_but_the_digest() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    let shown = describe::describe(&tenant.store, "CORP\\user1", NOW).unwrap();
    assert!(!shown.ambiguous);
    let account = &shown.accounts[0];
    assert_eq!(
        (account.object, account.state.as_str(), account.presence.as_str()),
        (object(1), "usable", "present")
    );
    assert_eq!(account.domain, "corp.example.com");
    assert_eq!(account.source, Some(tenant.writer.agent));
    assert_eq!(account.digest.as_ref().unwrap().iterations, Some(1000));
    assert_eq!(account.stamps.len(), 6);
    let text = serde_json::to_string(&shown).unwrap();
    let held =
        tenant.store.read(|c| landbridge_tenant_store::tables::digests::find(c, object(1))).unwrap().unwrap();
    let digest = held.open(tenant.store.seal_keys(), object(1)).unwrap().to_text();
    let (salt, hash) =
        (digest.split(',').nth(1).unwrap(), digest.rsplit(',').next().unwrap().trim_end_matches(';'));
    assert!(!text.contains(salt) && !text.contains(hash));
}

#[test]
fn an_administrator_is_shown_which_sources_are_locked_how_many_are_known_and_what_still_counts_in_ad() {
    use landbridge_tenant_rules::lockout::{Source, Spent, Tries};
    use landbridge_tenant_rules::sign_in::Subject;
    use landbridge_tenant_store::tables::{ad_budget, known_sources, lockouts};
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one")]);
    let home = Source::parse("203.0.113.7").unwrap();
    let hashes = known_sources::hashes(tenant.store.seal_keys(), object(1), "app mail", &home);
    let locked = Tries { locks: 1, locked_until: NOW + 60, last_at: NOW, ..Tries::default() };
    let at_home = Tries { failures: 3, last_at: NOW, ..Tries::default() };
    let spent = Spent { unknown: 2, last_at: NOW, ..Spent::default() };
    let write = |t: &landbridge_tenant_store::Writing<'_>| {
        known_sources::note(t, object(1), (&hashes, true), NOW)?;
        lockouts::replace(t, Subject::Account(object(1)), lockouts::UNKNOWN_SOURCES, None, &locked)?;
        lockouts::replace(
            t,
            Subject::Account(object(1)),
            &lockouts::of_known("203.0.113.7", "app mail"),
            None,
            &at_home,
        )?;
        ad_budget::replace(t, Subject::Account(object(1)), None, Some(&spent))
    };
    tenant.store.write("test", write).unwrap();
    let shown = |now| describe::describe(&tenant.store, "CORP\\user1", now).unwrap().accounts.remove(0);
    let account = shown(NOW);
    let lockouts: Vec<_> =
        account.lockouts.iter().map(|one| (one.source.as_deref(), one.failures, one.locked_until)).collect();
    let expected = [
        (None, 0, NOW + 60),
        (Some("203.0.113.7, app mail"), 3, 0),
        (Some("(reached AD, from unknown sources)"), 2, 0),
    ];
    assert_eq!(lockouts, expected);
    assert_eq!(account.known_sources, 1);
    // What no longer counts is not shown as if it did.
    let later = shown(NOW + 31 * 86_400);
    assert_eq!((later.lockouts.len(), later.known_sources), (2, 0));
}

#[test]
fn an_administrator_finds_an_account_by_guid_sid_and_bare_name_and_one_that_left_by_its_old_names() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one"), user(2, "two")]);
    tenant.sends(vec![Record { presence: Presence::Privileged, ..bare(2) }]);
    let found = |name: &str| -> Vec<_> {
        describe::describe(&tenant.store, name, NOW)
            .unwrap()
            .accounts
            .into_iter()
            .map(|a| (a.object, a.state))
            .collect()
    };
    for name in ["CORP\\user1", "user1", &object(1).to_string(), "S-1-5-21-1-2-3-1101"] {
        assert_eq!(found(name), [(object(1), "usable".to_owned())], "{name}");
    }
    for name in ["CORP\\user2", "User2@corp.example.com", "USER2"] {
        assert_eq!(found(name), [(object(2), "privileged: not synchronised".to_owned())], "{name}");
    }
    assert!(found("nobody").is_empty());
    assert!(found(&uuid::Uuid::nil().to_string()).is_empty());
}

#[test]
fn an_administrator_sees_both_holders_of_an_ambiguous_name() {
    let tenant = Tenant::new();
    tenant.sends(vec![
        with(1, vec![written(1, upn("same@example.com"))]),
        with(2, vec![written(1, upn("same@example.com"))]),
    ]);
    let shown = describe::describe(&tenant.store, "same@example.com", NOW).unwrap();
    assert!(shown.ambiguous);
    assert_eq!(shown.accounts.len(), 2);
    assert_eq!(shown.accounts[0].state, "no digest has arrived");
}

#[test]
fn names_are_returned_as_they_came_and_made_safe_where_they_are_printed() {
    let tenant = Tenant::new();
    let evil = "\u{1b}[31mred\u{202e}";
    let display = AttributeValue::DisplayName(Some(landbridge_wire::bounded::Text::new(evil).unwrap()));
    tenant.sends(vec![with(1, vec![written(1, sam("anna")), written(1, display)])]);
    let shown = describe::describe(&tenant.store, "CORP\\anna", NOW).unwrap();
    let name = shown.accounts[0].display_name.as_deref().unwrap();
    assert_eq!(name, evil);
    assert_eq!(landbridge_wire::printable::one_line(name), "\u{fffd}[31mred\u{fffd}");
}

#[test]
fn an_administrator_sees_a_persons_groups_manager_and_policies() {
    use landbridge_tenant_rules::model::GroupPolicy;
    use landbridge_tenant_rules::model::SigninPolicy;
    use landbridge_tenant_store::tables::domains;
    use landbridge_tenant_store::tables::group_policies;
    use landbridge_wire::bounded::{List, Text};
    use landbridge_wire::upload::LinkKind;
    let tenant = Tenant::new();
    let addresses =
        List::new(vec![Text::new("SMTP:a@x.y").unwrap(), Text::new("smtp:b@x.y").unwrap()]).unwrap();
    let one = with(1, vec![written(1, AttributeValue::ProxyAddresses(addresses))]);
    let records = vec![user(1, "one"), user(2, "two"), group(10), group(11), settings_object(50, 1, 5, 42)];
    let links = vec![
        member(10, 1),
        member(11, 10),
        link(LinkKind::Manager, 1, 2, 1),
        link(LinkKind::AppliesTo, 50, 11, 1),
    ];
    tenant.send(&linked(page(records), links));
    tenant.sends(vec![one]);
    let pilot = GroupPolicy { group: object(11), policy: SigninPolicy::Phs, name: "group11".to_owned() };
    tenant
        .store
        .write("test", |writing| {
            domains::set_signin(writing, tenant.domain, SigninPolicy::Refuse, false)?;
            group_policies::set(writing, tenant.domain, std::slice::from_ref(&pilot))
        })
        .unwrap();
    let shown = |name: &str| describe::describe(&tenant.store, name, NOW).unwrap().accounts.remove(0);
    let first = shown("CORP\\user1");
    assert_eq!(first.proxy_addresses, ["SMTP:a@x.y", "smtp:b@x.y"]);
    assert_eq!(first.manager.unwrap().name, "CORP\\user2");
    let groups: Vec<String> = first.groups.unwrap().into_iter().map(|group| group.name).collect();
    assert_eq!(groups, ["CORP\\group10", "CORP\\group11"]);
    assert_eq!((first.signin_policy.as_str(), first.state.as_str()), ("phs, by CORP\\group11", "usable"));
    assert!(first.password_policy.of.contains("pso50"), "{:?}", first.password_policy);
    assert_eq!(first.password_policy.max_pwd_age, "42 d");
    let second = shown("CORP\\user2");
    assert_eq!(
        (second.signin_policy.as_str(), second.state.as_str()),
        ("refuse", "refused by its sign-in policy")
    );
    assert_eq!((second.password_policy.of.as_str(), second.removed_at), ("the domain", None));
    tenant.sends(vec![Record { presence: Presence::Deleted, ..bare(2) }]);
    assert_eq!(shown("CORP\\user2").removed_at, Some(NOW));
}

#[test]
fn an_administrator_sees_who_is_in_a_group_by_every_way() {
    use landbridge_wire::bounded::Text;
    let tenant = Tenant::new();
    let users = Record { sid: Some(Text::new(format!("{SID}-513")).unwrap()), ..group(10) };
    let records = vec![user(1, "one"), user(2, "two"), users, group(11), contact(3, "Charles")];
    tenant.send(&linked(page(records), vec![member(11, 10), member(11, 3), member(11, 99), member(10, 2)]));
    let shown = |name: &str| tenant.store.read(|c| groups::describe(c, name)).unwrap();
    let outer = &shown("CORP\\GROUP11")[0];
    let names: Vec<(&str, &str)> =
        outer.direct.iter().map(|one| (one.name.as_str(), one.kind.as_str())).collect();
    let stranger = object(99).to_string();
    assert_eq!(names.len(), 3);
    for expected in [("Charles", "contact"), ("CORP\\group10", "group"), (stranger.as_str(), "unknown")] {
        assert!(names.contains(&expected), "{expected:?} in {names:?}");
    }
    assert_eq!((outer.accounts, outer.group.kind.as_str()), (2, "global security"), "by their primary group");
    let inner = &shown(&object(10).to_string())[0];
    assert_eq!((inner.group.members, inner.accounts, inner.groups[0].name.as_str()), (2, 2, "CORP\\group11"));
    assert_eq!(shown(&format!("{SID}-513")).len(), 1);
    for nobody in ["LAB\\group11", "group12", "CORP\\user1"] {
        assert!(shown(nobody).is_empty(), "{nobody}");
    }
    let rows = tenant.store.read(|c| groups::list(c, 10)).unwrap();
    let rows: Vec<_> = rows.into_iter().map(|row| (row.name, row.members)).collect();
    assert_eq!(rows, [("CORP\\group10".to_owned(), 2), ("CORP\\group11".to_owned(), 3)]);
    assert_eq!(tenant.store.read(|c| groups::list(c, 1)).unwrap().len(), 1);
}
