//! Known sources, by their sentences.

use landbridge_crypto::seal::{SealKey, SealKeys};
use landbridge_tenant_fixture::{NOW, Tenant, object};
use landbridge_tenant_rules::lockout::Source;
use landbridge_tenant_store::tables::known_sources;

fn keys(of: &[u8]) -> SealKeys {
    SealKeys::new(of.iter().map(|n| SealKey::from_bytes(u32::from(*n), [*n; 32])).collect())
}

fn hashes(keys: &SealKeys, account: u128, caller: &str, source: &str) -> Vec<[u8; 32]> {
    known_sources::hashes(keys, object(account), caller, &Source::parse(source).unwrap())
}

#[test]
fn a_source_is_found_for_its_account_and_its_caller_alone() {
    let (tenant, keys) = (Tenant::new(), keys(&[1]));
    let noted = hashes(&keys, 1, "app mail", "203.0.113.7:51234");
    tenant.store.write("test", |t| known_sources::note(t, object(1), (&noted, true), NOW)).unwrap();
    let seen = |account, hashes: Vec<[u8; 32]>| {
        tenant.store.read(|r| known_sources::seen_at(r, object(account), &hashes)).unwrap()
    };
    assert_eq!(seen(1, hashes(&keys, 1, "app mail", "203.0.113.7")), Some(NOW));
    assert_eq!(seen(1, hashes(&keys, 1, "app wiki", "203.0.113.7")), None);
    assert_eq!(seen(1, hashes(&keys, 1, "app mail", "203.0.113.8")), None);
    assert_eq!(seen(1, hashes(&keys, 1, "app mail", "name:203.0.113.7")), None);
    assert_eq!(seen(2, hashes(&keys, 2, "app mail", "203.0.113.7")), None);
    // A row that was copied to another account is not that account's.
    assert_eq!(seen(1, hashes(&keys, 2, "app mail", "203.0.113.7")), None);
    assert!(known_sources::hashes(&keys, object(1), "app mail", &Source::Unstated).is_empty());
}

#[test]
fn a_new_seal_key_forgets_nothing_and_takes_over_with_the_next_success() {
    let (tenant, old, both, new) = (Tenant::new(), keys(&[1]), keys(&[2, 1]), keys(&[2]));
    let of = |keys: &SealKeys| hashes(keys, 1, "app mail", "203.0.113.7");
    let seen =
        |keys: &SealKeys| tenant.store.read(|r| known_sources::seen_at(r, object(1), &of(keys))).unwrap();
    tenant.store.write("test", |t| known_sources::note(t, object(1), (&of(&old), true), NOW)).unwrap();
    assert_eq!((seen(&both), seen(&new)), (Some(NOW), None));
    tenant.store.write("test", |t| known_sources::note(t, object(1), (&of(&both), true), NOW + 9)).unwrap();
    assert_eq!((seen(&new), seen(&old)), (Some(NOW + 9), None));
    assert_eq!(tenant.store.read(|r| known_sources::count(r, object(1), 0)).unwrap(), 1, "in one place");
}

#[test]
fn a_success_that_is_noted_late_does_not_shorten_what_another_node_has_noted() {
    let (tenant, keys) = (Tenant::new(), keys(&[1]));
    let of = hashes(&keys, 1, "app mail", "203.0.113.7");
    for at in [NOW, NOW - 100] {
        tenant.store.write("test", |t| known_sources::note(t, object(1), (&of, true), at)).unwrap();
    }
    assert_eq!(tenant.store.read(|r| known_sources::seen_at(r, object(1), &of)).unwrap(), Some(NOW));
}

#[test]
fn old_sources_are_forgotten_and_younger_ones_stay() {
    let (tenant, keys) = (Tenant::new(), keys(&[1]));
    let note = |source, at| {
        let of = hashes(&keys, 1, "app mail", source);
        tenant.store.write("test", |t| known_sources::note(t, object(1), (&of, true), at)).unwrap();
    };
    note("203.0.113.7", NOW - 10);
    note("203.0.113.8", NOW);
    assert_eq!(tenant.store.write("test", |t| known_sources::prune(t, NOW)).unwrap(), 1);
    assert_eq!(tenant.store.read(|r| known_sources::count(r, object(1), 0)).unwrap(), 1);
}
