//! Values in the directory that cause trouble at the tenant: what cannot be read or carried (by the same translation as
//! in a cycle), names that cannot be used to sign in from outside, invalid addresses, and names and addresses that two
//! objects have, carried or not. Microsoft's IdFix looks for the last three. They are reported object by object and must
//! be corrected in the directory.
//! Neighbours: `show` reads the domain for it, without passwords; `qualify` translates. Nothing here decides what is
//! carried.

use crate::mirror::{Flaw, Kind};
use crate::qualify::{self, translate};
use crate::scope::Scope;
use landbridge_drsr::drs::attribute::{Attribute, Class, Value};
use landbridge_drsr::drs::change::{Change, Quarantined};
use landbridge_wire::names::{of_sam_at, of_upn};
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

/// Limit on problems that are kept in memory; all are counted.
const NAMED: usize = 10_000;
/// The longest name or address that Exchange and Entra accept, in UTF-16 units.
const LONGEST: usize = 256;

const TOO_LONG: &str = "longer than 256 characters";

/// Last labels of names that public DNS does not have: reserved (RFC 2606, 6761, 6762, 8375, 9476), or used in internal
/// networks and not delegated.
const INSIDE: [&str; 14] = [
    "alt",
    "arpa",
    "corp",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "test",
];

/// A problem of one object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Oddity {
    /// objectGUID.
    pub object: Uuid,
    /// Its distinguished name.
    pub name: String,
    /// The attribute; empty: the object as a whole, or one of its links.
    pub attribute: &'static str,
    /// The value; empty where it cannot be read or carried.
    pub value: String,
    /// What is wrong, and what to do.
    pub what: String,
    /// Since when phs has known of it, in seconds since 1970; none: this command has found it.
    pub since: Option<i64>,
}

/// Checks object after object. Names and addresses that were seen are on disk, so that memory does not grow with the
/// directory.
#[derive(Debug)]
pub struct Findings {
    seen: Connection,
    oddities: Vec<Oddity>,
    looked_at: u64,
    found: u64,
    /// The DNS name of the domain.
    domain: String,
    /// The attribute that is a further sign-in name.
    alternate_login: Option<Attribute>,
}

impl Findings {
    /// Starts with nothing checked, for the domain with this DNS name.
    pub fn new(domain: &str, alternate_login: Option<Attribute>) -> rusqlite::Result<Self> {
        // A file that vanishes with this process.
        let seen = Connection::open("")?;
        seen.execute_batch(
            "PRAGMA cache_size = -256; PRAGMA synchronous = OFF;
             CREATE TABLE seen (what TEXT, value TEXT, object BLOB, name TEXT, PRIMARY KEY (what, value)) WITHOUT ROWID;",
        )?;
        let domain = domain.to_owned();
        Ok(Self { seen, oddities: Vec::new(), looked_at: 0, found: 0, domain, alternate_login })
    }

    /// How many objects were checked.
    pub fn looked_at(&self) -> u64 {
        self.looked_at
    }

    /// How many problems were found.
    pub fn found(&self) -> u64 {
        self.found
    }

    /// The first problems, up to a limit.
    pub fn oddities(&self) -> &[Oddity] {
        &self.oddities
    }

    /// Notes an object, or a link of one, that the DC sent and that cannot be read. `known`: what phs knows of it.
    pub fn look_at_unreadable(&mut self, one: &Quarantined, known: &[Flaw]) {
        let attribute = one.attribute.map_or("", Attribute::name);
        let object = one.object.unwrap_or_default();
        self.flaw(object, &one.dn, attribute, &one.why, !one.link, known);
    }

    /// Notes what a cycle would leave out of an object, or why it would not carry it. `known`: what phs knows of it.
    pub fn look_at_attributes(&mut self, change: &Change, scope: &Scope, known: &[Flaw]) {
        let kind = qualify::kind_of(change);
        let (object, dn) = (change.object.guid, &change.object.dn);
        // What is never carried has no flaw.
        if qualify::is_tombstone(change) || matches!(kind, Kind::Computer | Kind::Other) {
            return;
        }
        if let Some(odd) = qualify::undecided(change, kind, scope) {
            return self.look_at_unreadable(&odd, known);
        }
        let place = translate::PlaceInTree { dn, parent: change.parent };
        let left_out =
            match translate::attributes(change.attributes.clone(), kind, place, self.alternate_login) {
                Ok(carried) => carried.left_out,
                Err(odd) => return self.flaw(object, dn, odd.attribute.name(), odd.why, true, known),
            };
        let unreadable = change.unreadable.iter().map(|odd| (odd.attribute, odd.why));
        let carried = unreadable.filter(|(one, _)| translate::is_carried(*one, kind, self.alternate_login));
        for (attribute, why) in left_out.into_iter().chain(carried.collect::<Vec<_>>()) {
            self.flaw(object, dn, attribute.name(), why, false, known);
        }
    }

    /// Notes a password that phs could not open; it is not read here.
    pub fn look_at_password(&mut self, known: &[Flaw]) {
        for flaw in known.iter().filter(|flaw| flaw.attribute == "unicodePwd") {
            self.flaw(flaw.object, &flaw.dn, "unicodePwd", &flaw.why, flaw.quarantine, known);
        }
    }

    fn flaw(
        &mut self,
        object: Uuid,
        dn: &str,
        attribute: &'static str,
        why: &str,
        quarantine: bool,
        known: &[Flaw],
    ) {
        let since = known.iter().find(|flaw| flaw.attribute == attribute).map(|flaw| flaw.since);
        let what = format!("{why}; to do: {}", Flaw::todo(quarantine));
        self.add(Oddity { object, name: dn.to_owned(), attribute, value: String::new(), what, since });
    }

    fn add(&mut self, oddity: Oddity) {
        self.found += 1;
        if self.oddities.len() < NAMED {
            self.oddities.push(oddity);
        }
    }

    /// Checks an object that the DC sent whole.
    pub fn look(&mut self, change: &Change) -> rusqlite::Result<()> {
        let value = |wanted| {
            let found = change.attributes.iter().find(|one| one.attribute == wanted);
            found.and_then(|one| one.value.as_ref())
        };
        let Some(Value::Classes(classes)) = value(Attribute::ObjectClass) else { return Ok(()) };
        let is = |class| classes.contains(&class);
        let account = is(Class::User) || is(Class::InetOrgPerson);
        let person = account && !is(Class::Computer);
        let deleted = value(Attribute::IsDeleted) == Some(&Value::Boolean(true));
        let text = |wanted| match value(wanted) {
            Some(Value::Text(text)) => Some(text.as_str()),
            Some(_) | None => None,
        };
        if account && !deleted {
            for (attribute, name) in self.names(text) {
                self.claim(change, attribute, "name", &name)?;
            }
        }
        if deleted || !(person || is(Class::Group) || is(Class::Contact)) {
            return Ok(());
        }
        self.looked_at += 1;
        if let Some(upn) = text(Attribute::UserPrincipalName).filter(|_| person)
            && let Some(what) = wrong_name(upn)
        {
            self.odd(change, Attribute::UserPrincipalName, upn, what);
        }
        if let Some(mail) = text(Attribute::Mail)
            && let Some(what) = wrong_address(mail)
        {
            self.odd(change, Attribute::Mail, mail, what);
        }
        if let Some(Value::Texts(addresses)) = value(Attribute::ProxyAddresses) {
            let primary = addresses.iter().filter(|address| address.starts_with("SMTP:")).count();
            if primary > 1 {
                let what =
                    format!("{primary} addresses begin with SMTP: in capitals; one is the primary one");
                self.odd(change, Attribute::ProxyAddresses, "", &what);
            }
            for address in addresses {
                if let Some(what) = wrong_proxy(address) {
                    self.odd(change, Attribute::ProxyAddresses, address, what);
                }
                self.claim(change, Attribute::ProxyAddresses, "address", address)?;
            }
        }
        Ok(())
    }

    /// The names of the form `user@domain` that an account has, folded as the tenant does, each with its attribute.
    fn names<'a>(&self, text: impl Fn(Attribute) -> Option<&'a str>) -> Vec<(Attribute, String)> {
        let further = [Attribute::UserPrincipalName].into_iter().chain(self.alternate_login);
        let named = further.filter_map(|attribute| Some((attribute, of_upn(text(attribute)?)?)));
        let sam = text(Attribute::SamAccountName)
            .and_then(|sam| of_sam_at(sam, &self.domain))
            .map(|name| (Attribute::SamAccountName, name));
        named.chain(sam).collect()
    }

    /// Notes a value of an object; reports it if another object had it first.
    fn claim(
        &mut self,
        change: &Change,
        attribute: Attribute,
        what: &str,
        value: &str,
    ) -> rusqlite::Result<()> {
        let folded = value.trim().to_lowercase();
        let mut query =
            self.seen.prepare_cached("SELECT object, name FROM seen WHERE what = ?1 AND value = ?2")?;
        let first: Option<([u8; 16], String)> =
            query.query_row(params![what, folded], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        drop(query);
        match first {
            Some((object, name)) if object != *change.object.guid.as_bytes() => {
                let signs = if what == "name" { ", and it signs nobody in" } else { "" };
                let what = format!("{name} has it too{signs}: give it to one of them");
                self.odd(change, attribute, value, &what);
            }
            Some(_) => {}
            None => {
                let sql = "INSERT INTO seen (what, value, object, name) VALUES (?1, ?2, ?3, ?4)";
                let object = change.object.guid;
                self.seen.prepare_cached(sql)?.execute(params![
                    what,
                    folded,
                    object.as_bytes(),
                    change.object.dn
                ])?;
            }
        }
        Ok(())
    }

    fn odd(&mut self, change: &Change, attribute: Attribute, value: &str, what: &str) {
        self.add(Oddity {
            object: change.object.guid,
            name: change.object.dn.clone(),
            attribute: attribute.name(),
            value: value.to_owned(),
            what: what.to_owned(),
            since: None,
        });
    }
}

fn wrong_name(upn: &str) -> Option<&'static str> {
    let Some((user, suffix)) = upn.rsplit_once('@') else {
        return Some("no @: it must be of the form user@domain");
    };
    if user.is_empty() || user.contains(['@', ' ', '\\', '/']) || upn.contains(char::is_control) {
        return Some("characters before the @ that a sign-in name must not have");
    }
    if user.ends_with('.') || user.starts_with('.') || user.contains("..") {
        return Some("a dot at the wrong place before the @");
    }
    if !is_domain(suffix) {
        return Some("what follows the @ is no DNS name");
    }
    if !is_routable(suffix) {
        return Some(
            "its suffix exists inside only: add one of your public domains to the forest, and use it",
        );
    }
    is_too_long(upn).then_some(TOO_LONG)
}

fn wrong_proxy(address: &str) -> Option<&'static str> {
    let Some((kind, rest)) = address.split_once(':') else {
        return Some("no type in front, like smtp:");
    };
    if kind.is_empty() || rest.is_empty() || address.contains(char::is_control) || address != address.trim() {
        return Some("not of the form type:address");
    }
    if kind.eq_ignore_ascii_case("smtp") { wrong_address(rest) } else { None }
}

fn wrong_address(address: &str) -> Option<&'static str> {
    let Some((user, domain)) = address.rsplit_once('@') else { return Some("no @: it is no mail address") };
    if user.is_empty() || user.contains(['@', ' ', '<', '>', '(', ')', ',', ';', ':', '\\', '"']) {
        return Some("characters before the @ that a mail address must not have");
    }
    if !is_domain(domain) {
        return Some("what follows the @ is no DNS name");
    }
    if !is_routable(domain) {
        return Some("its domain exists inside only: no mail from outside reaches it");
    }
    is_too_long(address).then_some(TOO_LONG)
}

fn is_too_long(text: &str) -> bool {
    text.encode_utf16().count() > LONGEST
}

fn is_domain(name: &str) -> bool {
    let label = |label: &str| {
        let sound = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len())
            && label.chars().all(sound)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

fn is_routable(domain: &str) -> bool {
    let last = domain.rsplit('.').next().unwrap_or_default().to_lowercase();
    domain.contains('.') && !INSIDE.contains(&last.as_str()) && !last.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixture::Telling;
    use crate::read::described;

    fn found(objects: Vec<Telling>) -> Vec<(u128, &'static str, String)> {
        let mut findings = Findings::new("corp.example.com", None).unwrap();
        for telling in objects {
            findings.look(&telling.tell()).unwrap();
        }
        let told = |oddity: &Oddity| (oddity.object.as_u128(), oddity.attribute, oddity.what.clone());
        findings.oddities().iter().map(told).collect()
    }

    fn named(rid: u32, upn: &str) -> Telling {
        Telling::user(rid).with(Attribute::UserPrincipalName, Some(Value::Text(upn.to_owned())))
    }

    fn addressed(rid: u32, addresses: &[&str]) -> Telling {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        Telling::user(rid).with(Attribute::ProxyAddresses, Some(Value::Texts(addresses)))
    }

    #[test]
    fn what_a_cycle_would_leave_out_or_not_carry_is_named_with_what_to_do_and_since_when() {
        let mut findings = Findings::new("corp.example.com", None).unwrap();
        let scope = Scope {
            without: vec![crate::scope::Term {
                attribute: described::named("company").unwrap(),
                value: "x".to_owned(),
            }],
            ..Scope::default()
        };
        let known = Flaw {
            object: Uuid::from_u128(1),
            name: String::new(),
            dn: String::new(),
            attribute: "title".to_owned(),
            why: String::new(),
            since: 77,
            quarantine: false,
            todo: String::new(),
        };
        let long = Some(Value::Text("x".repeat(4_000)));
        let all = vec![
            Telling::user(1).unreadable(Attribute::Title).unreadable(Attribute::Description),
            Telling::user(2).with(Attribute::UserPrincipalName, long.clone()),
            Telling::user(3).unreadable(described::named("company").unwrap()),
            Telling::group(4)
                .with(Attribute::DisplayName, long.clone())
                .unreadable(described::named("company").unwrap()),
            Telling::object(5, &[Class::User, Class::Computer]).with(Attribute::DisplayName, long),
            Telling::user(6).unreadable(Attribute::Title).deleted(),
            Telling::user(7),
        ];
        for telling in all {
            findings.look_at_attributes(&telling.tell(), &scope, std::slice::from_ref(&known));
        }
        findings.look_at_unreadable(&crate::fixture::quarantined(8, false, "it has no name"), &[]);
        let told = |one: &Oddity| {
            (one.object.as_u128(), one.attribute, one.what.contains("nobody signs in"), one.since)
        };
        assert_eq!(
            findings.oddities().iter().map(told).collect::<Vec<_>>(),
            [
                (1, "title", false, Some(77)),
                (2, "userPrincipalName", true, None),
                (3, "company", true, None),
                (4, "company", true, None),
                (8, "", true, None),
            ]
        );
        assert!(
            findings.oddities().iter().all(|one| one.value.is_empty() && one.what.contains("to do: mend it"))
        );
        assert_eq!(findings.found(), 5);
    }

    #[test]
    fn sound_names_and_addresses_are_not_odd() {
        let all = vec![
            named(1, "ada@example.com"),
            named(2, "o'neil.jr@sub.example.co.uk"),
            named(3, "zoë@bücher.example"),
            addressed(
                4,
                &[
                    "SMTP:ada@example.com",
                    "smtp:a.l@example.com",
                    "x500:/o=Org/cn=Ada",
                    "sip:ada@example.com",
                ],
            ),
            Telling::user(5),
        ];
        assert_eq!(found(all), []);
    }

    #[test]
    fn names_that_nobody_can_sign_in_with_from_outside_are_named() {
        for (upn, says) in [
            ("ada@corp.local", "inside only"),
            ("ada@corp", "inside only"),
            ("ada@printers.LAN", "inside only"),
            ("ada@10.0.0.1", "inside only"),
            ("ada", "no @"),
            ("ada lovelace@example.com", "characters"),
            ("@example.com", "characters"),
            ("ada.@example.com", "dot"),
            ("ada@exam ple.com", "no DNS name"),
            ("ada@-example.com", "no DNS name"),
        ] {
            let odd = found(vec![named(1, upn)]);
            assert!(odd.len() == 1 && odd.iter().all(|(_, _, what)| what.contains(says)), "{upn}: {odd:?}");
        }
    }

    #[test]
    fn addresses_that_are_none_and_a_second_primary_one_are_named() {
        for (address, says) in [
            ("ada@example.com", "no @"),
            ("nothing", "no type"),
            ("smtp:", "type:address"),
            ("smtp:ada@example.com ", "type:address"),
            ("smtp:ada", "no @"),
            ("smtp:a da@example.com", "characters"),
            ("smtp:ada@corp.local", "inside only"),
        ] {
            let odd = found(vec![addressed(1, &[address])]);
            let said = odd.first().map(|(_, _, what)| what.as_str()).unwrap_or_default();
            let says = if address == "ada@example.com" { "no type" } else { says };
            assert!(said.contains(says), "{address}: {said}");
        }
        let two = found(vec![addressed(1, &["SMTP:a@example.com", "SMTP:b@example.com"])]);
        assert!(two.iter().any(|(_, _, what)| what.contains("primary")), "{two:?}");
    }

    #[test]
    fn what_two_objects_claim_is_named_at_the_second_with_the_first() {
        let all = vec![
            named(1, "Ada@example.com"),
            named(2, "ada@EXAMPLE.com"),
            addressed(3, &["smtp:x@example.com"]),
            addressed(4, &["SMTP:X@example.com"]),
            addressed(5, &["smtp:y@example.com", "SMTP:Y@example.com"]),
        ];
        let odd = found(all);
        let who: Vec<_> = odd.iter().map(|(object, attribute, _)| (*object, *attribute)).collect();
        assert_eq!(who, [(2, "userPrincipalName"), (4, "proxyAddresses")]);
        assert!(odd.iter().all(|(_, _, what)| what.contains("has it too")), "{odd:?}");
    }

    #[test]
    fn a_name_that_one_account_has_of_its_sam_account_name_and_another_as_its_upn_is_named_with_both() {
        let sam = |rid, name: &str| {
            Telling::user(rid).with(Attribute::SamAccountName, Some(Value::Text(name.to_owned())))
        };
        let computer = Telling::object(9, &[Class::User, Class::Computer])
            .with(Attribute::SamAccountName, Some(Value::Text("PC$".to_owned())));
        for (one, two, attribute) in [
            (sam(500, "Administrator"), named(2, "administrator@CORP.example.com"), "userPrincipalName"),
            (named(2, "administrator@corp.example.com"), sam(500, "Administrator"), "sAMAccountName"),
            (computer, named(2, "pc$@corp.example.com"), "userPrincipalName"),
        ] {
            let odd = found(vec![one, two]);
            let both = odd.iter().find(|(_, of, what)| *of == attribute && what.contains("signs nobody in"));
            assert!(both.is_some_and(|(_, _, what)| what.contains("CN=")), "{odd:?}");
        }
        let own = found(vec![
            sam(1, "ada")
                .with(Attribute::UserPrincipalName, Some(Value::Text("ada@corp.example.com".to_owned()))),
        ]);
        assert_eq!(own, [], "both names are its own");
    }

    #[test]
    fn machines_and_the_deleted_are_nobody() {
        let computer = Telling::object(1, &[Class::User, Class::Computer])
            .with(Attribute::UserPrincipalName, Some(Value::Text("pc".to_owned())));
        assert_eq!(found(vec![computer, named(2, "ada@corp.local").deleted()]), []);
    }
}
