//! What a complete cycle warns of, in words: that it carries nobody, that the directory has no NT hashes, that a term of
//! the filter has a star. Pure.
//! Neighbours: `super` counts and stores, `mirror::census` has the numbers; `command::check` says the same beforehand.

use crate::mirror::Census;
use crate::scope::{Scope, Term};

/// What an account without an NT hash has, why, and what to do; completes "the account has …".
pub const NO_HASH: &str = "no NT hash in the directory (a DC with `nt hash store = never`, or an account that never had a \
                           password), so no digest can be made: agents can sign the account in";

/// Why no account of a person is carried, with the likely reason. None: one is.
pub fn why_nobody(census: &Census, scope: &Scope) -> Option<String> {
    let Census { people, held_back, carried, quarantined, elsewhere, in_no_group, filtered, ref matched } =
        *census;
    if carried > 0 {
        return None;
    }
    if people == 0 {
        let why = if held_back > 0 {
            format!("all {held_back} accounts of people are privileged or never carried")
        } else {
            "the domain controller sent no account of a person".to_owned()
        };
        return Some(format!("nobody is carried: {why}"));
    }
    // 1. What alone leaves everybody out.
    let mut reasons = Vec::new();
    if quarantined == people {
        reasons.push("all of them are in quarantine".to_owned());
    }
    if elsewhere == people {
        reasons.push(match scope.include.as_slice() {
            [] => "`exclude` names the OUs of all of them".to_owned(),
            names => {
                format!("none of them is in an OU of `include` ({}) that `exclude` leaves", names.join("; "))
            }
        });
    }
    if in_no_group == people {
        reasons.push(format!("none of them is in a group of `groups` ({})", scope.groups.join("; ")));
    }
    let matches = |term: &Term| -> u64 {
        let of = scope.terms().zip(matched).filter(|(other, _)| other.attribute == term.attribute);
        of.map(|(_, number)| number).sum()
    };
    for term in scope.with.iter().filter(|term| matches(term) == 0) {
        reasons.push(format!("`with` {term}: none of them has this value{}", star(term)));
    }
    for (term, number) in scope.without.iter().zip(matched.iter().skip(scope.with.len())) {
        if *number == people {
            reasons.push(format!("`without` {term}: all of them have this value"));
        }
    }
    // 2. Or several rules together.
    if reasons.is_empty() {
        reasons.push(format!(
            "{elsewhere} are outside the OUs of [scope], {in_no_group} in none of its groups, {filtered} left out by \
             its filter"
        ));
    }
    Some(format!("nobody is carried: of {people} accounts of people, {}", reasons.join("; ")))
}

/// The terms with a star, which stands for no other characters.
pub fn stars(scope: &Scope) -> impl Iterator<Item = String> {
    let terms = scope.terms().filter(|term| term.has_star());
    terms.map(|term| format!("[scope] {term}{}", star(term)))
}

fn star(term: &Term) -> &'static str {
    if term.has_star() { ": a star is no wildcard, only the very same value counts" } else { "" }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::read::described;
    use landbridge_drsr::drs::attribute::Attribute;

    fn term(attribute: Attribute, value: &str) -> Term {
        Term { attribute, value: value.to_owned() }
    }

    #[test]
    fn the_likely_reason_is_the_rule_that_alone_leaves_everybody_out() {
        let all = Census { people: 9, ..Census::default() };
        let names = || vec!["CN=x,DC=b".to_owned()];
        let plain = Scope::default;
        let (mail, town) =
            (term(Attribute::Mail, "*@example.com"), term(described::named("l").unwrap(), "Graz"));
        let cases = [
            (
                Census { elsewhere: 9, ..all.clone() },
                Scope { include: names(), ..plain() },
                "of `include` (CN=x,DC=b)",
            ),
            (
                Census { elsewhere: 9, ..all.clone() },
                Scope { exclude: names(), ..plain() },
                "`exclude` names the OUs of all",
            ),
            (
                Census { in_no_group: 9, ..all.clone() },
                Scope { groups: names(), ..plain() },
                "of `groups` (CN=x,DC=b)",
            ),
            (Census { quarantined: 9, ..all.clone() }, plain(), "in quarantine"),
            (
                Census { filtered: 9, matched: vec![0], ..all.clone() },
                Scope { with: vec![mail.clone()], ..plain() },
                "mail=*@example.com: none of them has this value: a star is no wildcard",
            ),
            (
                Census { filtered: 9, matched: vec![3, 0], ..all.clone() },
                Scope { with: vec![town.clone(), mail.clone()], ..plain() },
                "9 accounts of people, `with` mail",
            ),
            (
                Census { filtered: 9, matched: vec![9], ..all.clone() },
                Scope { without: vec![town.clone()], ..plain() },
                "`without` l=Graz: all of them have this value",
            ),
            (
                Census { elsewhere: 5, in_no_group: 4, filtered: 3, matched: vec![6], ..all.clone() },
                Scope { include: names(), groups: names(), with: vec![town.clone()], ..plain() },
                "5 are outside the OUs of [scope], 4 in none of its groups, 3 left out by its filter",
            ),
            (
                Census { held_back: 3, ..Census::default() },
                plain(),
                "all 3 accounts of people are privileged",
            ),
            (Census::default(), plain(), "sent no account"),
        ];
        for (census, scope, says) in cases {
            let why = why_nobody(&census, &scope).unwrap();
            assert!(why.starts_with("nobody is carried: ") && why.contains(says), "{says}: {why}");
        }
        assert_eq!(why_nobody(&Census { carried: 1, elsewhere: 9, ..all }, &plain()), None);
        // Two values of one attribute: one of them is enough.
        let two = Scope { with: vec![town.clone(), term(described::named("l").unwrap(), "Wien")], ..plain() };
        let census = Census { people: 9, elsewhere: 9, matched: vec![0, 9], ..Census::default() };
        assert!(!why_nobody(&census, &two).unwrap().contains("Graz"));
    }

    #[test]
    fn a_star_is_named_and_no_other_value() {
        let scope = Scope {
            with: vec![term(Attribute::Mail, "*@example.com"), term(Attribute::Title, "Clerk")],
            without: vec![term(described::named("info").unwrap(), "no*")],
            ..Scope::default()
        };
        let said: Vec<String> = stars(&scope).collect();
        assert!(
            matches!(said.as_slice(), [mail, info] if mail.contains("mail=*@") && info.contains("info=no*")),
            "{said:?}"
        );
    }
}
