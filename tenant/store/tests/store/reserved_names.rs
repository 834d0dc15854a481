//! The key of names and the rows that depend on it, by their sentences.

use landbridge_crypto::seal::{SealKey, SealKeys};
use landbridge_tenant_fixture::{Tenant, bare, full, object, reserved, upn, with, written};
use landbridge_tenant_rules::names::Whose;
use landbridge_tenant_store::Store;
use landbridge_tenant_store::tables::{domains, names, reserved_names};
use landbridge_wire::bounded::List;
use landbridge_wire::reserved::ReservedAttribute;
use landbridge_wire::upload::{Presence, Record, Upload};
use std::sync::Arc;

/// The fixture's key is number 1; others are number 2.
fn keys(of: &[u8]) -> SealKeys {
    SealKeys::new(of.iter().map(|n| SealKey::from_bytes(if *n == 7 { 1 } else { 2 }, [*n; 32])).collect())
}

/// A tenant in which ada has the name of an account that is not carried.
fn with_a_conflict() -> Tenant {
    let tenant = Tenant::new();
    let ada = with(1, vec![written(1, upn("ada@example.com"))]);
    let name = reserved(&tenant, 7, ReservedAttribute::UserPrincipalName, 1, "ada@example.com");
    let reserved = List::new(vec![name]).unwrap();
    tenant.send(&Upload { level: 2, reserved, ..full(40, vec![ada], Some("c")) });
    tenant
}

fn whose(store: &Store) -> Whose {
    store.read(|reading| names::whose(reading, "ada@example.com")).unwrap()
}

/// The same database under other seal keys.
fn opened(tenant: Tenant, with: &[u8]) -> Tenant {
    let Tenant { directory, location, store, counts, writer, domain } = tenant;
    drop(store);
    let store = Arc::new(Store::open(location.clone(), keys(with)).unwrap());
    Tenant { directory, location, store, counts, writer, domain }
}

#[test]
fn the_key_of_names_outlives_a_change_of_seal_keys() {
    let tenant = with_a_conflict();
    let hash = tenant.store.name_key().hash("ada@example.com");
    // A new one comes first, and then the old one goes.
    for seal_keys in [&[2, 7][..], &[2][..]] {
        let tenant = opened(with_a_conflict(), &[7]);
        let hash = tenant.store.name_key().hash("ada@example.com");
        let tenant = opened(tenant, &[2, 7]);
        let tenant = opened(tenant, seal_keys);
        assert_eq!(tenant.store.name_key().hash("ada@example.com"), hash);
        assert_eq!(whose(&tenant.store), Whose::Ambiguous);
    }
    assert_ne!(Tenant::new().store.name_key().hash("ada@example.com"), hash, "each tenant has its own");
}

#[test]
fn a_key_of_names_that_does_not_open_is_made_again_and_nothing_holds_until_all_have_arrived() {
    let tenant = with_a_conflict();
    let hash = tenant.store.name_key().hash("ada@example.com");
    let tenant = opened(tenant, &[2]);
    assert_ne!(tenant.store.name_key().hash("ada@example.com"), hash);
    assert_eq!(whose(&tenant.store), Whose::One(object(1)));
    assert_eq!(tenant.store.read(domains::all).unwrap()[0].reserved_since, None);
    // The names that are stored have their hashes under the new key.
    let name = reserved(&tenant, 7, ReservedAttribute::UserPrincipalName, 1, "ada@example.com");
    tenant.store.write("test", |t| reserved_names::apply(t, tenant.domain, &name, None, None, true)).unwrap();
    tenant.store.write("test", |t| reserved_names::set_since(t, tenant.domain, Some(1))).unwrap();
    assert_eq!(whose(&tenant.store), Whose::Ambiguous);
}

#[test]
fn without_a_seal_key_the_database_opens_and_nothing_of_it_changes() {
    let tenant = opened(with_a_conflict(), &[]);
    assert_eq!(whose(&tenant.store), Whose::Ambiguous);
    assert_eq!(whose(&opened(tenant, &[7]).store), Whose::Ambiguous);
}

#[test]
fn the_names_of_an_account_stay_reserved_after_its_row_is_erased() {
    let tenant = Tenant::new();
    let ada = || with(1, vec![written(1, upn("ada@example.com"))]);
    let other = || with(2, vec![written(1, upn("eve@example.com"))]);
    tenant.send(&Upload { level: 2, ..full(40, vec![ada(), other()], Some("c")) });
    tenant.sends(vec![Record { presence: Presence::OutOfScope, ..bare(1) }]);
    tenant.store.erase("test", |_| Ok(((), vec![object(1)]))).unwrap();
    tenant.sends(vec![with(2, vec![written(2, upn("ada@example.com"))])]);
    assert_eq!(whose(&tenant.store), Whose::Ambiguous, "it is still in AD");
    tenant.sends(vec![Record { presence: Presence::Deleted, ..bare(1) }]);
    assert_eq!(whose(&tenant.store), Whose::One(object(2)));
}
