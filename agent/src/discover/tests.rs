//! Answers of DNS put together: order, sites, suffixes, limits.

#![allow(clippy::unwrap_used)]

use super::*;

fn record(priority: u16, weight: u16, target: &str) -> Record {
    Record { priority, weight, target: target.to_owned() }
}

/// Equal records of `count` domain controllers, as Windows registers them.
fn equal(count: usize) -> Vec<Record> {
    (0..count).map(|n| record(0, 100, &format!("dc{n}.corp.example.com"))).collect()
}

const SEARCH: Search<'_> = Search { domain: "corp.example.com", site: None, suffixes: &[], seed: b"host" };

fn found(search: Search<'_>, all: Vec<Record>) -> Result<Discovered, DiscoverError> {
    put_together(search, search.domain, Ok(all), None)
}

fn none_named() -> DiscoverError {
    DiscoverError::NoController { name: "_ldap._tcp".to_owned(), others: String::new() }
}

#[test]
fn the_lowest_priority_comes_first_and_no_name_comes_twice() {
    let records = vec![record(1, 9, "c"), record(0, 1, "b"), record(1, 9, "c"), record(2, 65535, "a")];
    assert_eq!(in_order(records, b"any"), ["b", "c", "a"]);
}

#[test]
fn equal_records_come_in_another_order_for_another_seed_and_in_the_same_for_the_same() {
    let first = |seed: u32| found(Search { seed: &seed.to_be_bytes(), ..SEARCH }, equal(4)).unwrap().names;
    let mut counts = std::collections::BTreeMap::<String, u32>::new();
    for seed in 0..4000 {
        let names = first(seed);
        assert_eq!(names, first(seed));
        assert_eq!(names.len(), 4);
        *counts.entry(names.into_iter().next().unwrap()).or_default() += 1;
    }
    // Each is first in a quarter of all cases: 1000, give or take five standard deviations (27 each).
    assert!(counts.len() == 4 && counts.values().all(|count| (860..1140).contains(count)), "{counts:?}");
}

#[test]
fn a_heavier_record_is_first_by_its_share_of_the_weights() {
    let records = || vec![record(0, 300, "heavy"), record(0, 100, "light"), record(0, 0, "spare")];
    let mut first = std::collections::BTreeMap::<String, u32>::new();
    for seed in 0..4000_u32 {
        *first.entry(in_order(records(), &seed.to_be_bytes()).remove(0)).or_default() += 1;
    }
    assert!(first.get("heavy").is_some_and(|count| (2860..3140).contains(count)), "{first:?}");
    assert!(first.get("spare").copied().unwrap_or_default() < 10, "{first:?}");
}

#[test]
fn the_controllers_of_the_site_come_first_and_the_others_of_the_domain_after_them() {
    let search = Search { site: Some("Vienna"), ..SEARCH };
    let of_site = vec![record(0, 100, "dc3.corp.example.com"), record(0, 100, "dc1.corp.example.com")];
    let found = put_together(search, "corp.example.com", Ok(equal(4)), Some(Ok(of_site))).unwrap();
    let (first, rest) = found.names.split_at(2);
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    assert_eq!(sorted(first), ["dc1.corp.example.com", "dc3.corp.example.com"]);
    assert_eq!(sorted(rest), ["dc0.corp.example.com", "dc2.corp.example.com"]);
    assert!(found.notes.is_empty(), "{found:?}");
}

#[test]
fn a_site_that_dns_does_not_know_is_said_and_the_domain_serves() {
    let search = Search { site: Some("Wien"), ..SEARCH };
    let found = put_together(search, "corp.example.com", Ok(equal(2)), Some(Err(none_named()))).unwrap();
    assert_eq!(found.names.len(), 2);
    assert!(found.notes.len() == 1 && found.notes.iter().all(|note| note.contains("site Wien")), "{found:?}");
    // And the other way round.
    let found = put_together(search, "corp.example.com", Err(none_named()), Some(Ok(equal(1)))).unwrap();
    assert_eq!(found.names, ["dc0.corp.example.com"]);
    assert!(
        found.notes.iter().any(|note| note.contains("only the domain controllers of the site")),
        "{found:?}"
    );
    let none = put_together(search, "corp.example.com", Err(none_named()), Some(Err(none_named())));
    assert_eq!(none.unwrap_err(), none_named());
}

#[test]
fn a_name_outside_the_domain_is_taken_by_a_configured_suffix_alone() {
    let records = || vec![record(0, 0, "dc1.ad.example.net"), record(0, 0, "evilcorp.example.com")];
    let refused = found(SEARCH, records()).unwrap_err().to_string();
    assert!(refused.contains("dc1.ad.example.net") && refused.contains("suffixes"), "{refused}");
    let suffixes = ["ad.example.net".to_owned()];
    let taken = found(Search { suffixes: &suffixes, ..SEARCH }, records()).unwrap();
    assert_eq!(taken.names, ["dc1.ad.example.net"]);
    assert!(taken.notes.iter().any(|note| note.contains("evilcorp.example.com")), "{taken:?}");
}

#[test]
fn more_than_the_limit_is_cut_and_said() {
    let found = found(SEARCH, equal(40)).unwrap();
    assert_eq!(found.names.len(), MOST);
    assert!(found.notes.iter().any(|note| note.contains("40 domain controllers: the first 32")), "{found:?}");
}

#[test]
fn sites_and_suffixes_are_checked() {
    for site in ["Vienna", "Default-First-Site-Name", "Zürich", "x_1"] {
        assert_eq!(parse_site(site).unwrap(), site);
    }
    for site in ["", "a.b", "a b", "a\\b", &"x".repeat(64)] {
        assert!(parse_site(site).is_err(), "{site}");
    }
    assert_eq!(parse_suffix(".AD.example.net.").unwrap(), "ad.example.net");
    for suffix in ["", "net", "a..b", "a b.net", "*.net"] {
        assert!(parse_suffix(suffix).is_err(), "{suffix}");
    }
}

#[test]
fn what_a_resolver_reports_has_words_and_no_names_of_a_library() {
    for error in [
        NetError::Timeout,
        NetError::NoConnections,
        NetError::Busy,
        NetError::Message("LibraryWord"),
        NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)),
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)),
        NetError::Dns(DnsError::ResponseCode(ResponseCode::NotImp)),
    ] {
        let text = words(&error);
        assert!(text.contains("DNS server") && !text.contains("LibraryWord"), "{text}");
    }
}
