//! The UPN suffixes of domains: adds, removes and lists them. Names change in the transaction of the suffix, from the
//! attributes that are stored: no upload is needed.
//! Before it: [`super::act`]. Neighbours: the ingest declares the suffixes of a new domain.

use crate::administration::domain::{Actor, no_domain};
use crate::administration::request::{AdminResponse, MAX_ROWS, SuffixRow, refusal};
use landbridge_tenant_rules::model::Domain;
use landbridge_tenant_rules::names::{MAX_SUFFIX, folded_suffix};
use landbridge_tenant_store::tables::suffixes::{Owner, in_use, is_name_of, names_with, owner};
use landbridge_tenant_store::tables::{domains, names, reserved_names, suffixes};
use landbridge_tenant_store::{Reading, StoreError};
use std::collections::BTreeSet;
use uuid::Uuid;

type Outcome = Result<AdminResponse, StoreError>;

impl Actor<'_> {
    /// Declares a suffix for a domain. With `shared`, the suffix may be another domain's: both have it then.
    pub(super) fn add_suffix(&self, name: &str, suffix: &str, shared: bool) -> Outcome {
        let key = self.tenant.store.name_key();
        self.tenant.store.write("suffix-add", |writing| {
            // 1. Find the domain, and refuse what cannot be its suffix.
            let Some(domain) = domains::by_name(writing, name)? else { return Ok(no_domain()) };
            let Some(suffix) = folded_suffix(suffix) else { return Ok(no_suffix()) };
            match owner(writing, &domain, &suffix)? {
                Owner::Own => {
                    let what = format!("{} has the suffix {suffix} (as before)", domain.dns_name);
                    return Ok(AdminResponse::Done(what));
                }
                Owner::Other(other) if !shared => {
                    let what = format!("{suffix} is a UPN suffix of {other}");
                    let todo = "with --shared both have it: a name that two of their accounts hold then signs neither in";
                    return Ok(refusal(&what, todo));
                }
                Owner::Other(_) | Owner::Nobody => {}
            }
            if suffixes::of(writing, domain.id)?.len() >= suffixes::MOST {
                return Ok(refusal(
                    "the domain has the largest allowed number of suffixes",
                    "take one away with `landbridge-tenant domains suffix remove`",
                ));
            }
            // 2. Declare it, and give the names.
            suffixes::add(writing, domain.id, &suffix)?;
            let gained = names_with(writing, domain.id, &suffix)?;
            let mut ambiguous = 0_u64;
            for (object, name) in &gained {
                names::set(writing, key, *object, &[], std::slice::from_ref(name))?;
            }
            for (_, name) in &gained {
                let shared =
                    names::holders(writing, name)?.len() > 1 || reserved_names::is_reserved(writing, name)?;
                ambiguous += u64::from(shared);
            }
            // 3. Write it down.
            let (accounts, others) = (accounts(&gained), other_holders(writing, &domain, &suffix)?);
            let shared = if others.is_empty() { String::new() } else { format!(", shared with {}", others.join(", ")) };
            let detail = format!("{suffix}{shared}; {accounts} accounts have a name with it");
            self.audit(writing, "suffix-added", &domain.dns_name, &detail)?;
            let warning = match ambiguous {
                0 => String::new(),
                n => format!("; {n} of these names are held by more than one account: see `users ambiguous`"),
            };
            Ok(AdminResponse::Done(format!(
                "{} has the suffix {suffix}{shared}: {accounts} accounts have a name with it{warning}",
                domain.dns_name
            )))
        })
    }

    /// Takes a suffix from a domain, and from its accounts the names that end in it. `confirmed` is the number of
    /// accounts that the administrator agreed to; none: nothing is done, and the number is returned.
    pub(super) fn remove_suffix(&self, name: &str, suffix: &str, confirmed: Option<u64>) -> Outcome {
        let key = self.tenant.store.name_key();
        self.tenant.store.write("suffix-remove", |writing| {
            // 1. Find the domain, and refuse what is not declared.
            let Some(domain) = domains::by_name(writing, name)? else { return Ok(no_domain()) };
            let Some(suffix) = folded_suffix(suffix) else { return Ok(no_suffix()) };
            if is_name_of(&domain, &suffix) {
                return Ok(refusal(
                    "a domain's own name is always its suffix",
                    "see the others with `landbridge-tenant domains suffix list`",
                ));
            }
            if owner(writing, &domain, &suffix)? != Owner::Own {
                let what = format!("{} does not declare the suffix {suffix}", domain.dns_name);
                return Ok(refusal(&what, "see `landbridge-tenant domains suffix list`"));
            }
            // 2. Ask, if more accounts would lose a name than the administrator agreed to.
            let lost = names_with(writing, domain.id, &suffix)?;
            let accounts = accounts(&lost);
            if confirmed.is_none_or(|confirmed| confirmed < accounts) {
                let what = format!(
                    "{accounts} accounts of {} lose their name that ends in @{suffix}",
                    domain.dns_name
                );
                return Ok(AdminResponse::Confirm { what, accounts });
            }
            // 3. Take the names and the suffix away.
            for (object, name) in &lost {
                names::set(writing, key, *object, std::slice::from_ref(name), &[])?;
            }
            suffixes::remove(writing, domain.id, &suffix)?;
            let detail = format!("{suffix}; {accounts} accounts lost a name");
            self.audit(writing, "suffix-removed", &domain.dns_name, &detail)?;
            Ok(AdminResponse::Done(format!(
                "{} does not have the suffix {suffix} any more: {accounts} accounts lost a name",
                domain.dns_name
            )))
        })
    }
}

/// Limit on the suffixes of one domain in a list that its accounts use without having them: those of most accounts.
const MOST_REFUSED: usize = 1000;

/// The suffixes of a domain, or of all domains: those that it declares, and those that its accounts use without.
pub(super) fn list(reading: &Reading<'_>, name: Option<&str>) -> Outcome {
    let listed = match name {
        None => domains::all(reading)?,
        Some(name) => match domains::by_name(reading, name)? {
            Some(domain) => vec![domain],
            None => return Ok(no_domain()),
        },
    };
    let mut rows = Vec::new();
    for domain in listed {
        // 1. What the domain has, and what its accounts use; a suffix that nothing can declare is cut.
        let used = in_use(reading, domain.id)?;
        let mut all: BTreeSet<String> = suffixes::of(reading, domain.id)?.into_iter().collect();
        all.insert(domain.dns_name.clone());
        all.extend(used.keys().cloned());
        let (mut has, mut refused) = (Vec::new(), Vec::new());
        for suffix in all {
            let declared = owner(reading, &domain, &suffix)? == Owner::Own;
            let row = SuffixRow {
                declared,
                others: other_holders(reading, &domain, &suffix)?,
                accounts: used.get(&suffix).copied().unwrap_or_default(),
                domain: domain.dns_name.clone(),
                suffix: suffix.chars().take(MAX_SUFFIX).collect(),
            };
            if declared { has.push(row) } else { refused.push(row) }
        }
        // 2. Those that it has first, then the others by the number of accounts: a phs that makes up thousands of them
        //    hides nothing.
        refused.sort_by_key(|row| std::cmp::Reverse((!row.others.is_empty(), row.accounts)));
        refused.truncate(MOST_REFUSED);
        rows.extend(has.into_iter().chain(refused));
    }
    rows.truncate(usize::try_from(MAX_ROWS).unwrap_or(usize::MAX));
    Ok(AdminResponse::Suffixes(rows))
}

/// Number of names that accounts of the domain do not get, because of their suffix.
pub(super) fn refused_names(reading: &Reading<'_>, domain: &Domain) -> Result<u64, StoreError> {
    let mut refused = 0;
    for (suffix, accounts) in in_use(reading, domain.id)? {
        if owner(reading, domain, &suffix)? != Owner::Own {
            refused += accounts;
        }
    }
    Ok(refused)
}

/// The DNS names of the other domains that have the suffix.
fn other_holders(reading: &Reading<'_>, domain: &Domain, suffix: &str) -> Result<Vec<String>, StoreError> {
    let holders = suffixes::holders(reading, suffix)?.into_iter();
    Ok(holders.filter(|(id, _)| *id != domain.id).map(|(_, name)| name).collect())
}

/// Number of accounts among names. One account may have two names with a suffix.
fn accounts(names: &BTreeSet<(Uuid, String)>) -> u64 {
    let accounts: BTreeSet<Uuid> = names.iter().map(|(object, _)| *object).collect();
    u64::try_from(accounts.len()).unwrap_or(u64::MAX)
}

fn no_suffix() -> AdminResponse {
    refusal(
        "a UPN suffix is what follows the @ of a userPrincipalName, as example.com",
        "see `landbridge-tenant domains suffix list`",
    )
}
