//! `[scope]`: the administrator's rules for which objects are carried, and whose passwords; and what follows from
//! them for the attributes of one object. Containers and groups are looked up in the mirror.
//! Neighbours: `config` reads it, `mirror::scope` resolves its entries, `qualify` applies it.

use crate::read::described;
use landbridge_drsr::drs::attribute::{Attribute, Value};
use landbridge_wire::distinguished_name::DistinguishedName;
use serde::Deserialize;

/// Limit on OUs and groups in a list.
const MAX_ENTRIES: usize = 256;
/// Limit on terms of the attribute filter: each is a bit in the mirror.
const MAX_TERMS: usize = 32;

/// Attributes that a filter, or a further sign-in name, may use: texts with a single value. Beside them those of the
/// wire's table in [`DESCRIBED`], and extensionAttribute1 to 15.
const TEXTS: [Attribute; 11] = [
    Attribute::AdminDescription,
    Attribute::Department,
    Attribute::DisplayName,
    Attribute::GivenName,
    Attribute::Mail,
    Attribute::Mobile,
    Attribute::SamAccountName,
    Attribute::Surname,
    Attribute::TelephoneNumber,
    Attribute::Title,
    Attribute::UserPrincipalName,
];
const DESCRIBED: [&str; 8] = [
    "company",
    "division",
    "employeeID",
    "employeeNumber",
    "employeeType",
    "info",
    "l",
    "physicalDeliveryOfficeName",
];

/// Those among them that people may write in their own account: the property set Personal Information, which every
/// account holds for itself (MS-ADTS 3.1.1.2.3.3). `tests/tests/road/scoped.rs` asks a DC.
const OWN: [&str; 5] = ["info", "l", "mobile", "physicalDeliveryOfficeName", "telephoneNumber"];

/// One of the lists of distinguished names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeList {
    /// `include`.
    Include,
    /// `exclude`.
    Exclude,
    /// `groups`.
    Groups,
    /// `password_groups`.
    PasswordGroups,
}

impl ScopeList {
    /// Its key in `[scope]`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Include => "include",
            Self::Exclude => "exclude",
            Self::Groups => "groups",
            Self::PasswordGroups => "password_groups",
        }
    }

    /// Whether it has groups; otherwise it has OUs and containers.
    pub fn is_of_groups(self) -> bool {
        match self {
            Self::Include | Self::Exclude => false,
            Self::Groups | Self::PasswordGroups => true,
        }
    }
}

/// A text that is the same for every spelling of a distinguished name.
pub fn entry_key(dn: &str) -> String {
    DistinguishedName::parse(dn).map_or_else(|_| dn.to_lowercase(), |name| name.key())
}

/// Which objects are carried. An empty list restricts nothing. The distinguished names are in one spelling, in the case
/// in which they were typed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawScope")]
pub struct Scope {
    /// Distinguished names of OUs and containers: what is in them, at any depth. None: the whole domain.
    pub include: Vec<String>,
    /// What is in these is not; of an OU in an OU the inner one counts.
    pub exclude: Vec<String>,
    /// Distinguished names of groups: accounts and contacts must be in one of them, through however many between.
    pub groups: Vec<String>,
    /// Accounts and contacts must have, of every attribute that is named, one of the values.
    pub with: Vec<Term>,
    /// Whatever has one of these values does not belong there, groups too.
    pub without: Vec<Term>,
    /// Whether passwords are carried.
    pub passwords: bool,
    /// Distinguished names of groups: only their members' passwords are. None: everybody's.
    pub password_groups: Vec<String>,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
            groups: Vec::new(),
            with: Vec::new(),
            without: Vec::new(),
            passwords: true,
            password_groups: Vec::new(),
        }
    }
}

/// An attribute and a value, compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The attribute.
    pub attribute: Attribute,
    /// The value.
    pub value: String,
}

impl std::fmt::Display for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.attribute.name(), self.value)
    }
}

impl Term {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, value) =
            text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form `attribute=value`"))?;
        let value = value.trim();
        if value.is_empty() {
            return Err(format!("`{text}` names no value"));
        }
        Ok(Self { attribute: attribute(name.trim())?, value: value.to_owned() })
    }

    /// Whether the value has a star: none stands for other characters.
    pub fn has_star(&self) -> bool {
        self.value.contains('*')
    }

    fn holds(&self, value: Option<&Value>) -> bool {
        matches!(value, Some(Value::Text(text)) if text.to_lowercase() == self.value.to_lowercase())
    }
}

/// The attribute of that name, if it is one that scope and sign-in names may go by.
pub fn attribute(name: &str) -> Result<Attribute, String> {
    let texts = || TEXTS.into_iter().chain(DESCRIBED.into_iter().filter_map(described::named));
    let mut all = texts().chain((1..=15).map(Attribute::Extension));
    all.find(|known| known.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
        let mut known: Vec<_> = texts().map(Attribute::name).collect();
        known.sort_unstable_by_key(|name| name.to_ascii_lowercase());
        format!("`{name}` is none of {}, extensionAttribute1 to 15", known.join(", "))
    })
}

/// The attribute of that name, if it may be a further sign-in name: one that a filter may use, and that people do not
/// write themselves.
pub fn login_attribute(name: &str) -> Result<Attribute, String> {
    let attribute = attribute(name)?;
    if OWN.contains(&attribute.name()) {
        return Err(format!(
            "people write {} in their own account: a person could sign in under another one's name. Use an attribute \
             that only administrators write, such as mail",
            attribute.name()
        ));
    }
    Ok(attribute)
}

impl Scope {
    /// The terms of the filter whose attribute people write themselves.
    pub fn own_terms(&self) -> impl Iterator<Item = &Term> {
        self.terms().filter(|term| OWN.contains(&term.attribute.name()))
    }

    /// Everything that is named and must be found in the directory, with its list.
    pub fn named_entries(&self) -> impl Iterator<Item = (ScopeList, &str)> {
        let all = [
            (ScopeList::Include, &self.include),
            (ScopeList::Exclude, &self.exclude),
            (ScopeList::Groups, &self.groups),
            (ScopeList::PasswordGroups, &self.password_groups),
        ];
        all.into_iter().flat_map(|(list, names)| names.iter().map(move |name| (list, name.as_str())))
    }

    /// Everything that is named and must be found in the directory.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.named_entries().map(|(_, name)| name)
    }

    /// Those of them that are groups.
    pub fn group_entries(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().chain(&self.password_groups).map(String::as_str)
    }

    /// Whether the OU of an object matters.
    pub fn goes_by_place(&self) -> bool {
        !self.include.is_empty() || !self.exclude.is_empty()
    }

    /// The terms of the filter, in the order of the bits in the mirror.
    pub fn terms(&self) -> impl Iterator<Item = &Term> {
        self.with.iter().chain(&self.without)
    }

    /// An entry that is not in the domain with this DNS name.
    pub fn entry_outside(&self, domain: &str) -> Option<&str> {
        let domain = DistinguishedName::of_domain(domain);
        self.entries().find(|dn| DistinguishedName::parse(dn).is_ok_and(|name| !name.is_within(&domain)))
    }

    /// The attributes that the filter uses.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute> {
        self.terms().map(|term| term.attribute)
    }

    /// The terms that match an object now that this attribute has changed; `held` matched before.
    pub fn learn(&self, held: u32, changed: Attribute, value: Option<&Value>) -> u32 {
        self.terms().zip(0u32..).filter(|(term, _)| term.attribute == changed).fold(
            held,
            |held, (term, at)| {
                let bit = 1 << at;
                if term.holds(value) { held | bit } else { held & !bit }
            },
        )
    }

    /// The first term that keeps out an object of which these hold. `group`: it is one.
    pub fn keeps_out(&self, held: u32, group: bool) -> Option<&Term> {
        let holds = |at: usize| u32::try_from(at).is_ok_and(|at| held & (1 << at) != 0);
        let without = self.without.iter().zip(self.with.len()..).find(|(_, at)| holds(*at));
        if let Some((term, _)) = without {
            return Some(term);
        }
        let lacking = self.with.iter().find(|term| {
            let same = self.with.iter().enumerate().filter(|(_, other)| other.attribute == term.attribute);
            !same.map(|(at, _)| at).any(holds)
        });
        lacking.filter(|_| !group)
    }

    /// What the mirror's `terms` go by: with another filter they mean nothing.
    pub fn filter_print(&self) -> String {
        let terms: Vec<_> = self.terms().map(ToString::to_string).collect();
        format!("{}: {terms:?}", self.with.len())
    }

    /// What decides besides.
    pub fn place_print(&self) -> String {
        let lists = [&self.include, &self.exclude, &self.groups, &self.password_groups];
        format!("{lists:?} {}", self.passwords)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScope {
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    with: Vec<String>,
    #[serde(default)]
    without: Vec<String>,
    passwords: Option<bool>,
    #[serde(default)]
    password_groups: Vec<String>,
}

impl TryFrom<RawScope> for Scope {
    type Error = String;

    fn try_from(raw: RawScope) -> Result<Self, String> {
        let terms = |texts: &[String]| texts.iter().map(|text| Term::parse(text)).collect::<Result<_, _>>();
        let names = |texts: Vec<String>| texts.iter().map(|text| entry(text)).collect::<Result<Vec<_>, _>>();
        let scope = Self {
            with: terms(&raw.with)?,
            without: terms(&raw.without)?,
            include: names(raw.include)?,
            exclude: names(raw.exclude)?,
            groups: names(raw.groups)?,
            passwords: raw.passwords.unwrap_or(true),
            password_groups: names(raw.password_groups)?,
        };
        if scope.entries().count() > MAX_ENTRIES {
            return Err(format!("[scope] names more than {MAX_ENTRIES} OUs and groups"));
        }
        if scope.terms().count() > MAX_TERMS {
            return Err(format!("[scope] has more than {MAX_TERMS} terms"));
        }
        let excludes = |dn: &str| scope.exclude.iter().any(|other| entry_key(other) == entry_key(dn));
        if let Some(both) = scope.include.iter().find(|dn| excludes(dn)) {
            return Err(format!("`{both}` is both in `include` and in `exclude`"));
        }
        if !scope.passwords && !scope.password_groups.is_empty() {
            return Err("`passwords = false` and `password_groups` exclude each other".to_owned());
        }
        Ok(scope)
    }
}

/// A distinguished name in its one spelling.
fn entry(typed: &str) -> Result<String, String> {
    let name = DistinguishedName::parse(typed).map_err(|why| {
        format!(
            "`{typed}` in [scope] is no distinguished name like OU=Staff,DC=corp,DC=example,DC=com: {why}"
        )
    })?;
    Ok(name.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn scope(text: &str) -> Result<Scope, String> {
        let parsed = landbridge_agent::config::parse(std::path::Path::new("scope"), text);
        parsed.map_err(|error| error.to_string())
    }

    fn held(scope: &Scope, told: &[(Attribute, &str)]) -> u32 {
        told.iter().fold(0, |held, (attribute, text)| {
            scope.learn(held, *attribute, Some(&Value::Text((*text).to_owned())))
        })
    }

    #[test]
    fn one_value_of_each_attribute_is_asked_for_and_none_of_those_that_keep_out() {
        let scope = scope(
            "with = [\"department=Sales\", \"department=Support\", \"l = Vienna\"]\nwithout = [\"adminDescription=no\"]",
        )
        .unwrap();
        let out = |told: &[(Attribute, &str)], group| {
            scope.keeps_out(held(&scope, told), group).map(ToString::to_string)
        };
        let (department, town, note) =
            (Attribute::Department, described::named("l").unwrap(), Attribute::AdminDescription);
        assert_eq!(out(&[(department, "support"), (town, "VIENNA")], false), None);
        assert_eq!(out(&[(department, "Sales")], false).unwrap(), "l=Vienna");
        assert_eq!(out(&[], false).unwrap(), "department=Sales");
        let all = [(department, "Sales"), (town, "Vienna"), (note, "NO")];
        assert_eq!(out(&all, false).unwrap(), "adminDescription=no");
        assert_eq!(out(&[], true), None, "a group has no department");
        assert_eq!(out(&[(note, "no")], true).unwrap(), "adminDescription=no");
    }

    #[test]
    fn an_attribute_that_changes_or_goes_changes_its_own_terms_alone() {
        let scope = scope("with = [\"department=Sales\", \"title=Clerk\"]").unwrap();
        let both = held(&scope, &[(Attribute::Department, "Sales"), (Attribute::Title, "Clerk")]);
        assert_eq!(both, 0b11);
        assert_eq!(scope.learn(both, Attribute::Title, None), 0b01);
        assert_eq!(scope.learn(both, Attribute::Mail, None), 0b11);
    }

    #[test]
    fn each_attribute_of_the_list_has_its_name_in_any_case() {
        let names = TEXTS.into_iter().map(Attribute::name).chain(DESCRIBED).chain(["extensionAttribute15"]);
        for name in names {
            assert_eq!(attribute(&name.to_uppercase()).map(Attribute::name), Ok(name));
        }
    }

    #[test]
    fn what_is_written_wrong_is_refused_with_what_is_right() {
        for (text, says) in [
            ("with = [\"department\"]", "attribute=value"),
            ("with = [\"department=\"]", "names no value"),
            ("with = [\"colour=blue\"]", "adminDescription"),
            ("include = [\"Staff\"]", "distinguished name"),
            ("include = [\"OU=A,DC=b\"]\nexclude = [\"OU=A,DC=b\"]", "both"),
            ("include = [\"OU=A, DC=b\"]\nexclude = [\"ou=\\\"a\\\";dc=B\"]", "both"),
            ("groups = [\"CN=A,,DC=b\"]", "at character 6"),
            ("password_groups = [\"\"]", "missing"),
            ("passwords = false\npassword_groups = [\"CN=a,DC=b\"]", "exclude each other"),
            ("ou = []", "unknown field"),
        ] {
            let error = scope(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn another_spelling_of_an_entry_is_the_same_scope() {
        let plain = scope("include = [\"OU=Odd,DC=hunt,DC=org\"]").unwrap();
        let typed = scope("include = [\"ou = Odd , DC=hunt; DC=org\"]").unwrap();
        assert_eq!(plain.place_print(), typed.place_print());
        assert_eq!(entry_key("OU=ODD,DC=hunt,DC=org"), entry_key(typed.include.first().unwrap()));
    }

    #[test]
    fn an_entry_of_another_domain_is_found() {
        let scope =
            scope("include = [\"OU=A, dc=corp,DC=example,DC=com\"]\ngroups = [\"CN=B,DC=example,DC=com\"]")
                .unwrap();
        assert_eq!(scope.entry_outside("corp.example.com"), Some("CN=B,DC=example,DC=com"));
        assert_eq!(scope.entry_outside("example.com"), None);
    }

    #[test]
    fn another_filter_and_another_place_have_other_prints() {
        let plain = Scope::default();
        let filtered = scope("with = [\"l=Graz\"]").unwrap();
        let turned = scope("without = [\"l=Graz\"]").unwrap();
        let placed = scope("include = [\"OU=A,DC=b\"]").unwrap();
        assert_ne!(plain.filter_print(), filtered.filter_print());
        assert_ne!(filtered.filter_print(), turned.filter_print());
        assert_eq!(plain.filter_print(), placed.filter_print());
        assert_eq!(plain.place_print(), filtered.place_print());
        assert_ne!(plain.place_print(), placed.place_print());
        assert_ne!(plain.place_print(), scope("passwords = false").unwrap().place_print());
    }
}
