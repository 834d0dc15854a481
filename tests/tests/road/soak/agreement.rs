//! Whether tenant and domain agree: account by account, by the tenant's database and what the DC lists, and password by
//! password, by signing in.

use super::deeds::Book;
use crate::stage::Road;
use landbridge_tests::lab::Try;
use landbridge_tests::lab::edits::{DISABLED, Listed, NEVER_EXPIRES};
use rusqlite::types::Value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How many sign-ins were tried: accepted, refused.
pub(crate) struct Tried {
    pub(crate) accepted: usize,
    pub(crate) refused: usize,
}

/// Whether whoever has the right password comes in.
fn comes_in(listed: &Listed, now: i64) -> bool {
    let has = |bit: u32| listed.flags & i64::from(bit) != 0;
    let ends = listed.ends.filter(|ends| ![0, i64::MAX].contains(ends));
    let filetime = (now + 11_644_473_600) * 10_000_000;
    let must_change = listed.password_set.unwrap_or(0) == 0 && !has(NEVER_EXPIRES);
    let ordinary = !listed.privileged && !listed.protected_user;
    ordinary && !has(DISABLED) && !must_change && ends.is_none_or(|ends| ends > filetime)
}

/// What is not the same, as sentences; and how many sign-ins were tried.
pub(crate) fn differences(road: &Road, book: &Book<'_>) -> (Vec<String>, Tried) {
    let listed = road.domain.people_now().unwrap();
    let here: BTreeSet<Uuid> = listed.iter().map(|one| one.guid).collect();
    let candidates: BTreeMap<Uuid, Vec<String>> = book
        .people
        .iter()
        .filter(|someone| here.contains(&someone.guid))
        .map(|someone| (someone.guid, someone.passwords.clone()))
        .collect();
    let right = road.domain.which_passwords(&candidates).unwrap();
    let mut wrong = accounts_that_differ(road, &listed, &right);

    // The password that is right, the latest that was before it, and whether the right one lets in. Nobody's password
    // is known to the book but those of its own people.
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let (mut tries, mut expected) = (Vec::new(), Vec::new());
    let mut attempt = |name: &str, password: &str, comes_in: bool| {
        let number = u32::try_from(tries.len()).unwrap();
        tries.push(Try::from(number, name, password));
        expected.push(comes_in);
    };
    for one in &listed {
        let (Some(passwords), Some(upn)) = (candidates.get(&one.guid), &one.upn) else { continue };
        let current = right[&one.guid];
        if let Some(current) = current {
            attempt(upn, &passwords[current], comes_in(one, now));
            attempt(&format!("CORP\\{}", one.sam), &passwords[current], comes_in(one, now));
        }
        let older = (0..passwords.len()).rev().find(|at| Some(*at) != current);
        if let Some(older) = older {
            attempt(upn, &passwords[older], false);
        }
    }
    for gone in book.people.iter().filter(|someone| !here.contains(&someone.guid)) {
        let upn = format!("{}@{}", gone.sam, road.domain.name());
        attempt(&upn, gone.passwords.last().unwrap(), false);
    }
    let answers = road.app.sign_all_in(&tries, 64).unwrap();
    for ((what, answer), comes_in) in tries.iter().zip(&answers).zip(&expected) {
        if answer.accepted() != *comes_in || ![200, 403].contains(&answer.status) {
            let should = if *comes_in { "should come in" } else { "should not" };
            wrong.push(format!("{} {should}: {} {}", what.user, answer.status, answer.body));
        }
    }
    let accepted = expected.iter().filter(|comes_in| **comes_in).count();
    (wrong, Tried { accepted, refused: expected.len() - accepted })
}

/// Presence, digests and attributes.
fn accounts_that_differ(
    road: &Road,
    listed: &[Listed],
    right: &BTreeMap<Uuid, Option<usize>>,
) -> Vec<String> {
    let tenant = road.tenant.open_database().unwrap();
    let all = |ask: &str| -> BTreeSet<Uuid> {
        let mut rows = tenant.prepare(ask).unwrap();
        let rows = rows.query_map([], |row| row.get::<_, [u8; 16]>(0)).unwrap();
        rows.map(|row| Uuid::from_bytes(row.unwrap())).collect()
    };
    let present = all("SELECT object FROM objects WHERE presence = 'present' AND kind = 'account'");
    let digests = all("SELECT object FROM digests JOIN objects USING (number)");
    let mut wrong = Vec::new();
    for stranger in present.iter().filter(|object| !listed.iter().any(|one| one.guid == **object)) {
        wrong.push(format!("{stranger} is present, and the DC has no such person"));
    }
    for stranger in digests.difference(&present) {
        wrong.push(format!("{stranger} has a digest, and is not present"));
    }
    for one in listed {
        let Listed { guid, sam, upn, display, flags, ends, password_set, privileged, protected_user } = one;
        if present.contains(guid) == *privileged {
            wrong.push(format!("{sam} ({guid}): privileged is {privileged}, and so is its presence"));
        }
        if *privileged || !present.contains(guid) {
            continue;
        }
        if let Some(password) = right.get(guid)
            && password.is_some() != digests.contains(guid)
        {
            let digest = digests.contains(guid);
            wrong.push(format!("{sam} ({guid}): a digest: {digest}, a password in AD: {}", !digest));
        }
        let ask = "SELECT protected_user FROM objects WHERE object = ?1";
        let protected: bool = tenant.query_row(ask, [guid.as_bytes()], |row| row.get(0)).unwrap();
        let held = road.tenant.attributes(*guid).unwrap();
        let text =
            |name| if let Some(Value::Text(text)) = held.get(name) { Some(text.clone()) } else { None };
        let number = |name| if let Some(Value::Integer(n)) = held.get(name) { Some(*n) } else { None };
        let there = (
            text("sam_account_name"),
            text("user_principal_name"),
            text("display_name"),
            number("user_account_control"),
            number("account_expires"),
            number("pwd_last_set"),
            protected,
        );
        let in_ad = (
            Some(sam.clone()),
            upn.clone(),
            display.clone(),
            Some(*flags),
            *ends,
            *password_set,
            *protected_user,
        );
        if there != in_ad {
            wrong.push(format!("{guid}: the tenant has {there:?}, the DC {in_ad:?}"));
        }
    }
    wrong
}
