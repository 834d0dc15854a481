//! LDAP: what OpenLDAP's own clients receive, over TLS and StartTLS.

mod change_password;
mod changing_agent;
mod client;
mod hostile;
mod large;
mod raw;
mod views;

use crate::applications::RIGHT;
use crate::assignment::create;
use crate::directory::{member, send, staff};
use crate::harness::{Edge, Identity};
use client::{Client, configured_with};
use landbridge_tenant::config::Ldap;
use landbridge_tenant_core::administration::request::{AppSettings, GroupSetting, LdapSettings};

/// An application that reads by LDAP, and the members of Pilot assigned to it.
fn reading(name: &str) -> AppSettings {
    let pilot = GroupSetting { object: None, name: Some("CORP\\Pilot".to_owned()) };
    AppSettings { groups: Some(vec![pilot]), ldap: Some(LdapSettings::default()), ..AppSettings::named(name) }
}

/// A tenant with alice in Pilot by way of Inner, bob in none, and the credential of an application.
async fn served(change: impl FnOnce(&mut AppSettings)) -> (Edge, Identity, Client) {
    served_with(|_| (), change).await
}

/// The same with other addresses.
async fn served_with(
    addresses: impl FnOnce(&mut Ldap),
    change: impl FnOnce(&mut AppSettings),
) -> (Edge, Identity, Client) {
    let (edge, certificate) = configured_with(addresses).await;
    let (edge, phs) = staff(edge).await;
    let mut settings = reading("wiki");
    change(&mut settings);
    let credential = create(&edge, settings).await;
    let client = Client::new(&edge, certificate, "cn=wiki,ou=applications", &credential);
    (edge, phs, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_finds_those_who_are_assigned_and_no_others() {
    let (edge, phs, client) = served(|_| ()).await;
    let all = client.search("dc=corp,dc=example,dc=com", &["(objectClass=*)"]).await;
    assert!(all.names().contains(&"uid=alice,ou=people,dc=corp,dc=example,dc=com".to_owned()));
    assert!(!all.text.contains("bob"), "{}", all.errors);
    send(&edge, &phs, vec![], vec![member(10, 2)]).await;
    let bob = client.search("dc=corp,dc=example,dc=com", &["(uid=BOB)", "+", "*"]).await;
    assert_eq!(bob.names(), ["uid=bob,ou=people,dc=corp,dc=example,dc=com"]);
    assert_eq!(bob.values("memberOf"), ["cn=Pilot,ou=groups,dc=corp,dc=example,dc=com"]);
    let who = client.who_am_i("uid=bob,ou=people,dc=corp,dc=example,dc=com", RIGHT).await;
    assert_eq!(who.unwrap(), "dn:uid=bob,ou=people,dc=corp,dc=example,dc=com");
}
