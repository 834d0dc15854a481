//! The table `upn_suffixes`: which domain declares which UPN suffix. A domain's DNS name and NetBIOS name are always its
//! suffixes and have no row. A suffix that several domains declare is shared: a name that two of their accounts hold is
//! ambiguous.
//! Neighbours: the ingest asks before it gives an account a name, and declares for a new domain; the administration
//! adds, removes and lists.

use super::attributes::known;
use super::attributes::packed::unpack;
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::model::Domain;
use landbridge_tenant_rules::names::suffix_of;
use landbridge_wire::names::{capitals, fold_case, of_upn};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Limit on the suffixes that one domain declares. A forest has a handful.
pub const MOST: usize = 1000;

/// Who declares a suffix, as seen from one domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The domain itself, alone or with others.
    Own,
    /// Another domain, with this DNS name.
    Other(String),
    /// No domain.
    Nobody,
}

/// A name that an account does not get, because its domain does not declare the suffix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedName {
    /// The name, folded.
    pub name: String,
    /// DNS name of another domain that declares the suffix; none: no domain does.
    pub other: Option<String>,
}

/// Who declares the suffix. `suffix` is the result of [`suffix_of`].
pub fn owner(reading: &Reading<'_>, domain: &Domain, suffix: &str) -> Result<Owner, StoreError> {
    if is_name_of(domain, suffix) {
        return Ok(Owner::Own);
    }
    let mut holders = holders(reading, suffix)?;
    if holders.iter().any(|(id, _)| *id == domain.id) {
        return Ok(Owner::Own);
    }
    Ok(if holders.is_empty() { Owner::Nobody } else { Owner::Other(holders.swap_remove(0).1) })
}

/// Row number and DNS name of each domain that has the suffix, in the order of their names.
pub fn holders(reading: &Reading<'_>, suffix: &str) -> Result<Vec<(i64, String)>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT id, dns_name FROM domains WHERE dns_name = ?1 OR netbios_name = ?2
             OR id IN (SELECT domain FROM upn_suffixes WHERE suffix = ?1) ORDER BY dns_name",
    )?;
    let rows = statement.query_map((suffix, capitals(suffix)), |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect::<Result<_, _>>()
}

/// Whether the suffix is the DNS name or the NetBIOS name of the domain.
pub fn is_name_of(domain: &Domain, suffix: &str) -> bool {
    suffix == domain.dns_name || suffix == fold_case(&domain.netbios_name)
}

/// Divides the names of an account into those that it gets and those that it does not get.
pub fn divide(
    reading: &Reading<'_>,
    domain: &Domain,
    names: Vec<String>,
) -> Result<(Vec<String>, Vec<RefusedName>), StoreError> {
    reading.ask_of_each_ahead(&names, |name| {
        suffix_of(name).map_or(Ok(()), |suffix| owner(reading, domain, suffix).map(drop))
    })?;
    let (mut given, mut refused) = (Vec::new(), Vec::new());
    for name in names {
        let owner = suffix_of(&name).map(|suffix| owner(reading, domain, suffix)).transpose()?;
        match owner {
            None | Some(Owner::Own) => given.push(name),
            Some(Owner::Other(other)) => refused.push(RefusedName { name, other: Some(other) }),
            Some(Owner::Nobody) => refused.push(RefusedName { name, other: None }),
        }
    }
    Ok((given, refused))
}

/// Declares a suffix for a domain. False: the domain has declared it before.
pub fn add(writing: &Writing<'_>, domain: i64, suffix: &str) -> Result<bool, StoreError> {
    let insert = "INSERT INTO upn_suffixes (suffix, domain) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    Ok(writing.execute(insert, (suffix, domain))? > 0)
}

/// Takes a suffix from a domain. False: the domain did not declare it.
pub fn remove(writing: &Writing<'_>, domain: i64, suffix: &str) -> Result<bool, StoreError> {
    let delete = "DELETE FROM upn_suffixes WHERE suffix = ?1 AND domain = ?2";
    Ok(writing.execute(delete, (suffix, domain))? > 0)
}

/// The suffixes that a domain declares, sorted; its own names are not among them.
pub fn of(reading: &Reading<'_>, domain: i64) -> Result<Vec<String>, StoreError> {
    let mut statement =
        reading.prepare_cached("SELECT suffix FROM upn_suffixes WHERE domain = ?1 ORDER BY suffix")?;
    let rows = statement.query_map([domain], |row| row.get(0))?;
    rows.collect::<Result<_, _>>()
}

/// The folded names in UPN form of the domain's present accounts that end in this suffix, whether or not the domain
/// declares it. Reads every present account, so it is for requests of an administrator only.
pub fn names_with(
    reading: &Reading<'_>,
    domain: i64,
    suffix: &str,
) -> Result<BTreeSet<(Uuid, String)>, StoreError> {
    let mut names = BTreeSet::new();
    each_upn(reading, domain, |object, name| {
        if suffix_of(&name) == Some(suffix) {
            names.insert((object, name));
        }
    })?;
    Ok(names)
}

/// Each suffix in the UPNs and alternate logins of the domain's present accounts, with the number of these accounts.
/// Reads every present account, so it is for requests of an administrator only.
pub fn in_use(reading: &Reading<'_>, domain: i64) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut pairs = BTreeSet::new();
    each_upn(reading, domain, |object, name| {
        pairs.extend(suffix_of(&name).map(|suffix| (suffix.to_owned(), object)));
    })?;
    let mut accounts = BTreeMap::new();
    for (suffix, _) in pairs {
        *accounts.entry(suffix).or_default() += 1;
    }
    Ok(accounts)
}

/// Calls `with` for each UPN and alternate login, folded, of the domain's present accounts.
fn each_upn(
    reading: &Reading<'_>,
    domain: i64,
    mut with: impl FnMut(Uuid, String),
) -> Result<(), StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT o.object, a.packed FROM objects o JOIN attributes a ON a.number = o.number
         WHERE o.domain = ?1 AND o.kind = 'account' AND o.presence = 'present'",
    )?;
    let mut rows = statement.query([domain])?;
    while let Some(row) = &rows.next()? {
        let (object, packed) = (stamps::guid(row, 0)?, row.get::<Vec<u8>>(1)?);
        let known = known(unpack(&packed)?)?;
        for upn in [known.user_principal_name, known.alternate_login].into_iter().flatten() {
            if let Some(name) = of_upn(&upn) {
                with(object, name);
            }
        }
    }
    Ok(())
}
