//! Which of its names an account gets: those in UPN form need a suffix that its domain declares.
//!
//! A domain that is new declares by itself what its accounts use: until its first full compare is complete, a suffix
//! that no domain declares becomes its own. Afterwards only an administrator declares. Otherwise a stolen phs of one
//! domain could take the names that another domain, or nobody yet, has.
//! Neighbours: [`super::record`] gives the names; [`landbridge_tenant_store::tables::suffixes`] has the suffixes.

use crate::ingest::outcome::Outcome;
use crate::ingest::record::Page;
use landbridge_tenant_rules::names::{MAX_SUFFIX, suffix_of};
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::suffixes::{Owner, RefusedName};
use landbridge_tenant_store::tables::{audit, domains, suffixes};

/// Limit on audit entries of one kind for one upload. Ten show what is wrong; an upload of 1,000 accounts would
/// otherwise write as many entries. One more entry has the number of the others.
pub(super) const MOST_ENTRIES: usize = 10;

impl Page<'_> {
    /// Divides the names of an account, which are sorted, into those that it gets, sorted too, and those that it does not
    /// get.
    pub(super) fn divide_names(
        &self,
        names: Vec<String>,
    ) -> Result<(Vec<String>, Vec<RefusedName>), StoreError> {
        let (given, refused) = suffixes::divide(self.writing, self.domain, names)?;
        if self.domain.is_known() || refused.iter().all(|one| one.other.is_some()) {
            return Ok((given, refused));
        }
        for one in &refused {
            self.claim_suffix(&one.name)?;
        }
        let mut names: Vec<String> =
            given.into_iter().chain(refused.into_iter().map(|one| one.name)).collect();
        names.sort_unstable();
        suffixes::divide(self.writing, self.domain, names)
    }

    /// Declares the suffix of a name for this domain, if no domain has declared it. Not if the domain has the largest
    /// number, if the suffix is too long, or if it is a subdomain of another domain.
    fn claim_suffix(&self, name: &str) -> Result<(), StoreError> {
        let Some(suffix) = suffix_of(name) else { return Ok(()) };
        if suffix.len() > MAX_SUFFIX || suffixes::owner(self.writing, self.domain, suffix)? != Owner::Nobody {
            return Ok(());
        }
        let below = |dns_name: &str| suffix.strip_suffix(dns_name).is_some_and(|rest| rest.ends_with('.'));
        let all = domains::all(self.writing)?;
        let nearest = all.iter().filter(|one| below(&one.dns_name)).max_by_key(|one| one.dns_name.len());
        if nearest.is_some_and(|nearest| nearest.id != self.domain.id)
            || suffixes::of(self.writing, self.domain.id)?.len() >= suffixes::MOST
        {
            return Ok(());
        }
        suffixes::add(self.writing, self.domain.id, suffix)?;
        let detail = format!("{suffix}: its accounts used it in the first full compare");
        audit::append(self.writing, self.now, self.actor, "suffix-claimed", &self.domain.dns_name, &detail)
    }

    /// Writes the audit entries about the names that the page brought and that no account got.
    pub(super) fn audit_refused_names(&self, outcome: &Outcome) -> Result<(), StoreError> {
        let (other, nobodys): (Vec<_>, Vec<_>) =
            outcome.refused_names.iter().partition(|(_, one)| one.other.is_some());
        let domain = &self.domain.dns_name;
        for (object, RefusedName { name, other }) in other.iter().chain(&nobodys).take(MOST_ENTRIES) {
            let detail = match other {
                Some(other) => {
                    format!("the account does not get the name {name}: {other} declares its suffix")
                }
                None => format!(
                    "the account does not get the name {name}: no domain declares its suffix; if it is right, \
                     `domains suffix add {domain} {}`",
                    suffix_of(name).unwrap_or_default()
                ),
            };
            self.audit("name-refused", *object, &detail)?;
        }
        let more = outcome.refused_names.len().saturating_sub(MOST_ENTRIES);
        if more > 0 {
            let detail = format!("{more} more names of this upload: see `domains suffix list {domain}`");
            audit::append(self.writing, self.now, self.actor, "name-refused", domain, &detail)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
