#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use rasn_ldap::{
    AttributeValueAssertion as Ava, Filter as Sent, MatchingRuleAssertion, SubstringChoice, SubstringFilter,
};

/// One person, in the AD view, who is in a group of a group.
struct Person;

const VALUES: &[(&str, &str)] = &[
    ("objectClass", "top"),
    ("objectClass", "person"),
    ("objectClass", "organizationalPerson"),
    ("objectClass", "user"),
    ("cn", "Alice Anna Smith"),
    ("sn", "Smith"),
    ("mail", "alice@example.com"),
    ("uidNumber", "1000"),
    ("userAccountControl", "514"),
    ("memberOf", "CN=Staff,OU=Groups,DC=corp,DC=example,DC=com"),
    ("whenCreated", "20240229120000.0Z"),
];

impl Entry for Person {
    fn any_value(&self, attribute: &'static AttributeType, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let own = VALUES.iter().filter(|(name, _)| *name == attribute.name());
        own.map(|(_, value)| value.as_bytes()).any(test)
    }

    fn in_chain(&self, attribute: &'static AttributeType, target: &DistinguishedName) -> bool {
        attribute.name() == "memberOf" && target.to_string().starts_with("CN=All")
    }
}

fn ava(name: &str, value: &[u8]) -> Ava {
    Ava::new(name.into(), value.to_vec().into())
}

fn equal(name: &str, value: &str) -> Sent {
    Sent::EqualityMatch(ava(name, value.as_bytes()))
}

fn truth(filter: Sent) -> Truth {
    Filter::resolve(filter).evaluate(&Person)
}

fn substring(name: &str, parts: Vec<SubstringChoice>) -> Sent {
    Sent::Substrings(SubstringFilter::new(name.into(), parts))
}

fn rule(rule: Option<&str>, name: Option<&str>, value: &str, dn: bool) -> Sent {
    Sent::ExtensibleMatch(MatchingRuleAssertion::new(
        rule.map(Into::into),
        name.map(Into::into),
        value.as_bytes().to_vec().into(),
        dn,
    ))
}

#[test]
fn and_or_and_not_have_three_values() {
    let (t, f, u) = (equal("sn", "smith"), equal("sn", "jones"), equal("nosuch", "x"));
    let all = [(t, Truth::True), (f, Truth::False), (u, Truth::Undefined)];
    for (a, left) in &all {
        let not = match left {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Undefined => Truth::Undefined,
        };
        assert_eq!(truth(!a.clone()), not);
        for (b, right) in &all {
            let both = [*left, *right];
            let and = if both.contains(&Truth::False) {
                Truth::False
            } else if both.contains(&Truth::Undefined) {
                Truth::Undefined
            } else {
                Truth::True
            };
            let or = if both.contains(&Truth::True) {
                Truth::True
            } else if both.contains(&Truth::Undefined) {
                Truth::Undefined
            } else {
                Truth::False
            };
            assert_eq!(truth(Sent::And(vec![a.clone(), b.clone()].into())), and, "{a:?} & {b:?}");
            assert_eq!(truth(Sent::Or(vec![a.clone(), b.clone()].into())), or, "{a:?} | {b:?}");
        }
    }
    assert_eq!(truth(Sent::And(vec![].into())), Truth::True, "RFC 4526");
    assert_eq!(truth(Sent::Or(vec![].into())), Truth::False, "RFC 4526");
}

#[test]
fn a_term_is_true_false_or_undefined() {
    use SubstringChoice::{Any, Final, Initial};
    let part = |text: &str| text.as_bytes().to_vec().into();
    for (filter, expected) in [
        (equal("CN", "alice  anna smith"), Truth::True),
        (equal("commonName", "Alice Anna Smith"), Truth::True),
        (equal("2.5.4.3", "Alice Anna Smith"), Truth::True),
        (equal("cn", "Bob"), Truth::False),
        (equal("cn", ""), Truth::Undefined),
        (equal("cn;lang-de", "Alice Anna Smith"), Truth::Undefined),
        (equal("member;range=0-1", "cn=a"), Truth::Undefined),
        // The entry lacks it: false, and its negation is true.
        (equal("title", "Boss"), Truth::False),
        (!equal("title", "Boss"), Truth::True),
        (Sent::ApproxMatch(ava("sn", b"SMITH")), Truth::True),
        (Sent::Present("mail".into()), Truth::True),
        (Sent::Present("title".into()), Truth::False),
        (Sent::Present("nosuch".into()), Truth::Undefined),
        (Sent::Present("userPassword".into()), Truth::Undefined),
        (Sent::GreaterOrEqual(ava("uidNumber", b"1000")), Truth::True),
        (Sent::GreaterOrEqual(ava("uidNumber", b"999")), Truth::True),
        (Sent::GreaterOrEqual(ava("uidNumber", b"1001")), Truth::False),
        (Sent::LessOrEqual(ava("uidNumber", b"10000")), Truth::True),
        (Sent::LessOrEqual(ava("uidNumber", b"x")), Truth::Undefined),
        (Sent::GreaterOrEqual(ava("whenCreated", b"20240229115959Z")), Truth::True),
        (Sent::LessOrEqual(ava("whenCreated", b"20240229125959+0100")), Truth::False),
        (Sent::GreaterOrEqual(ava("memberOf", b"cn=a")), Truth::Undefined),
        (substring("cn", vec![Initial(part("ali")), Any(part("anna")), Final(part("th"))]), Truth::True),
        (substring("cn", vec![Any(part("anna")), Any(part("alice"))]), Truth::False),
        (substring("cn", vec![Final(part("th")), Any(part("a"))]), Truth::Undefined),
        (substring("cn", vec![Any(part("a")), Initial(part("al"))]), Truth::Undefined),
        (substring("cn", vec![]), Truth::Undefined),
        (substring("memberOf", vec![Initial(part("CN=Staff"))]), Truth::Undefined),
        (substring("uidNumber", vec![Initial(part("10"))]), Truth::Undefined),
        (equal("memberOf", "cn=staff, ou=groups, dc=corp, dc=example, dc=com"), Truth::True),
        (equal("memberOf", "no name"), Truth::Undefined),
        (equal("objectClass", "2.5.6.6"), Truth::True),
        (!equal("objectClass", "computer"), Truth::True),
        (!equal("objectClass", "nosuchclass"), Truth::True),
    ] {
        assert_eq!(truth(filter.clone()), expected, "{filter:?}");
    }
}

#[test]
fn extensible_matches_know_the_rules_of_ad_and_those_of_the_attribute() {
    for (filter, expected) in [
        (rule(Some(BIT_AND), Some("userAccountControl"), "2", false), Truth::True),
        (rule(Some(BIT_AND), Some("userAccountControl"), "514", false), Truth::True),
        (rule(Some(BIT_AND), Some("userAccountControl"), "3", false), Truth::False),
        (rule(Some(BIT_AND), Some("userAccountControl"), "0", false), Truth::True),
        (rule(Some(BIT_OR), Some("userAccountControl"), "3", false), Truth::True),
        (rule(Some(BIT_OR), Some("userAccountControl"), "0", false), Truth::False),
        (rule(Some(BIT_OR), Some("userAccountControl"), "x", false), Truth::Undefined),
        (rule(Some(BIT_OR), Some("userAccountControl"), "9223372036854775808", false), Truth::Undefined),
        (rule(Some(BIT_AND), Some("title"), "2", false), Truth::Undefined),
        (rule(Some(BIT_AND), Some("uidNumber"), "2", false), Truth::False),
        (rule(Some(IN_CHAIN), Some("memberOf"), "CN=All,DC=corp", false), Truth::True),
        (rule(Some(IN_CHAIN), Some("memberOf"), "CN=Few,DC=corp", false), Truth::False),
        (rule(Some(IN_CHAIN), Some("memberOf"), "all", false), Truth::Undefined),
        (rule(Some(IN_CHAIN), Some("cn"), "CN=All,DC=corp", false), Truth::Undefined),
        (rule(None, Some("sn"), "SMITH", false), Truth::True),
        (rule(Some("caseExactMatch"), Some("sn"), "SMITH", false), Truth::False),
        (rule(Some("2.5.13.5"), Some("sn"), "Smith", false), Truth::True),
        (rule(Some("caseIgnoreMatch"), Some("uidNumber"), "1000", false), Truth::Undefined),
        (rule(Some("nosuchMatch"), Some("sn"), "Smith", false), Truth::Undefined),
        (rule(Some("caseExactMatch"), None, "Smith", false), Truth::Undefined),
        (rule(None, None, "Smith", false), Truth::Undefined),
        (rule(None, Some("sn"), "Smith", true), Truth::Undefined),
    ] {
        assert_eq!(truth(filter.clone()), expected, "{filter:?}");
    }
}

#[test]
fn flags_of_groups_are_found_as_signed_and_unsigned_numbers() {
    struct Group;
    impl Entry for Group {
        fn any_value(&self, attribute: &'static AttributeType, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
            attribute.name() == "groupType" && test(b"-2147483646")
        }
        fn in_chain(&self, _: &'static AttributeType, _: &DistinguishedName) -> bool {
            false
        }
    }
    for (bits, expected) in [("2147483648", Truth::True), ("-2147483648", Truth::True), ("4", Truth::False)] {
        let filter = Filter::resolve(rule(Some(BIT_AND), Some("groupType"), bits, false));
        assert_eq!(filter.evaluate(&Group), expected, "{bits}");
    }
}
