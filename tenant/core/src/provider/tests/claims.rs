//! What an application learns of a person.

use super::*;
use crate::provider::claims::MOST_GROUPS;
use landbridge_tenant_rules::model::AppRole;
use landbridge_wire::bounded::Text;
use serde_json::{Map, Value, json};

/// `user1` with a name and an address.
fn named() -> Record {
    let text = |text: &str| Some(Text::new(text).unwrap());
    with(
        1,
        vec![
            written(2, AttributeValue::DisplayName(text("<script>alert(1)</script> \"O'Neil\""))),
            written(2, AttributeValue::GivenName(text("Anna"))),
            written(2, AttributeValue::Surname(text("O'Neil"))),
            written(2, AttributeValue::Mail(Some(Text::new("anna@example.com").unwrap()))),
        ],
    )
}

impl Bench {
    fn claims(&self, client: &Client, n: u128, scopes: &str) -> Map<String, Value> {
        let store = &self.tenant.store;
        let claims = store.read(|reading| {
            let person = facts::known_account(reading, object(n), None)?.unwrap();
            self.provider.claims_in(reading, client, &person, scopes)
        });
        claims.unwrap()
    }

    /// Groups `from`.., in each of which `user1` is.
    fn groups(&self, from: u128, count: usize) {
        let numbers = from..from + u128::try_from(count).unwrap();
        let links = numbers.clone().map(|n| member(n, 1)).collect();
        self.tenant.send(&linked(page(numbers.map(group).collect()), links));
    }
}

#[test]
fn each_scope_has_its_claims_and_no_other() {
    let bench = Bench::new();
    bench.tenant.sends(vec![named()]);
    let client = bench.client("wiki");
    let always = ["domain", "domain_sid", "sub"];
    for (scopes, expected) in [
        ("", vec![]),
        ("openid", vec![]),
        ("openid profile", vec!["family_name", "given_name", "name", "preferred_username", "upn"]),
        ("openid email", vec!["email", "email_verified"]),
        ("openid groups", vec!["groups"]),
        ("openid roles", vec!["roles"]),
        ("openid offline_access", vec![]),
        ("openid Profile profilex emai", vec![]),
    ] {
        let claims = bench.claims(&client, 1, scopes);
        let mut names: Vec<&str> = claims.keys().map(String::as_str).collect();
        names.sort_unstable();
        let mut expected = [&always[..], &expected].concat();
        expected.sort_unstable();
        assert_eq!(names, expected, "{scopes}");
    }
    let claims = bench.claims(&client, 1, "openid profile email");
    assert_eq!(claims["name"], "<script>alert(1)</script> \"O'Neil\"", "as it is in AD: a page escapes it");
    assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("anna@example.com"), &json!(false)));
    // Without a mail address there is nothing to say of it, and without a display name the sAMAccountName is the name.
    let claims = bench.claims(&client, 2, "openid profile email");
    assert!(!claims.contains_key("email") && !claims.contains_key("email_verified"));
    assert_eq!(claims["name"], "user2");
}

#[test]
fn up_to_200_groups_are_named_and_with_more_none() {
    let bench = Bench::new();
    let client = bench.changed_client("wiki", true, |oidc| oidc.groups = None);
    assert_eq!(bench.claims(&client, 1, "groups")["groups"], json!([]));
    bench.groups(1000, MOST_GROUPS);
    let claims = bench.claims(&client, 1, "groups");
    let names: Vec<&str> = claims["groups"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(names.len(), MOST_GROUPS);
    assert!(names.is_sorted() && !claims.contains_key("groups_over_limit"));
    bench.groups(5000, 1);
    let claims = bench.claims(&client, 1, "groups");
    assert_eq!(claims["groups_over_limit"], true);
    assert!(!claims.contains_key("groups"), "a part would be taken for the whole");
    // What the application may not see does not count.
    let few = bench.client("mail");
    bench.assign(&few, 1007);
    assert_eq!(bench.claims(&few, 1, "groups")["groups"], json!(["group1007"]));
}

#[test]
fn an_application_sees_the_groups_that_are_assigned_to_it_or_named_for_it() {
    let bench = Bench::new();
    bench.groups(10, 4);
    bench.tenant.send(&linked(page(vec![group(20), group(21)]), vec![member(20, 10), member(21, 2)]));
    let seen = bench.named_group(20);
    let client = bench.changed_client("wiki", false, |oidc| oidc.groups = Some(vec![seen]));
    bench.assign(&client, 11);
    bench.assign(&client, 21);
    assert_eq!(bench.claims(&client, 1, "groups")["groups"], json!(["group11", "group20"]));
    assert_eq!(bench.claims(&client, 2, "groups")["groups"], json!(["group21"]));
}

#[test]
fn a_role_is_named_once_for_the_members_of_its_groups_also_through_others() {
    let bench = Bench::new();
    bench.groups(10, 2);
    bench.tenant.send(&linked(page(vec![group(20), group(21)]), vec![member(20, 10)]));
    let roles = [("admin", 20), ("admin", 11), ("reader", 10), ("nobody", 21)]
        .map(|(role, n)| AppRole { role: role.to_owned(), group: bench.named_group(n) });
    let client = bench.changed_client("wiki", true, |oidc| oidc.roles = roles.into());
    assert_eq!(bench.claims(&client, 1, "roles")["roles"], json!(["admin", "reader"]));
    assert_eq!(bench.claims(&client, 2, "roles")["roles"], json!([]));
}

#[test]
fn a_pairwise_subject_differs_by_client_and_person_and_stays() {
    let bench = Bench::new();
    let pairwise = |oidc: &mut OidcClient| oidc.subject = SubjectKind::Pairwise;
    let (wiki, mail) =
        (bench.changed_client("wiki", true, pairwise), bench.changed_client("mail", true, pairwise));
    let plain = bench.client("plain");
    let subject = |client: &Client, n| bench.claims(client, n, "openid")["sub"].as_str().unwrap().to_owned();
    let all =
        [subject(&wiki, 1), subject(&wiki, 2), subject(&mail, 1), subject(&mail, 2), object(1).to_string()];
    for (n, one) in all.iter().enumerate() {
        assert!(all.iter().skip(n + 1).all(|other| other != one), "{all:?}");
        assert!(Uuid::parse_str(one).is_ok());
    }
    assert_eq!(subject(&plain, 1), object(1).to_string());
    // Other settings of the client change no subject.
    bench.set(wiki.app.id, &OidcClient { algorithm: SigningAlgorithm::Rs256, ..wiki.oidc.clone() });
    let changed = bench.provider.client("wiki").unwrap().unwrap();
    assert_eq!(changed.oidc.algorithm, SigningAlgorithm::Rs256);
    assert_eq!(subject(&changed, 1), all[0]);
}
