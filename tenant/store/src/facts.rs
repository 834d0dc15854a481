//! All facts of a sign-in, read in one snapshot.
//! Neighbours: [`landbridge_tenant_rules::sign_in`] decides by them; what the process remembers beside the database
//! is added by its caller.

use crate::policies::{self, password_policy, policy_for_stranger, signin_policy};
use crate::tables::{
    ad_budget, app_groups, attributes, blocks, canaries, digests, domains, group_policies, known_sources,
    lockouts, names, objects,
};
use crate::{Reading, StoreError};
use landbridge_crypto::seal::{SealError, SealKeys};
use landbridge_tenant_rules::lockout::{AdBudget, Source, Standing};
use landbridge_tenant_rules::model::{Attributes, Domain, Object};
use landbridge_tenant_rules::names::Whose;
use landbridge_tenant_rules::policies::PolicyOwner;
use landbridge_tenant_rules::privileged::{lacks_permission, rid_of};
use landbridge_tenant_rules::sign_in::{AccountFacts, DigestFact, DomainFacts, Facts, SourceFacts, Subject};
use landbridge_tenant_rules::verdict::Why;
use landbridge_wire::upload::{Presence, Stamp};
use uuid::Uuid;

/// The facts, and the account's digest, which is sealed: the caller opens it and corrects [`AccountFacts::digest`].
#[derive(Debug)]
pub struct Stored {
    /// The facts.
    pub facts: Facts,
    /// The account's digest, if it has one.
    pub digest: Option<digests::StoredDigest>,
}

/// Who requests a sign-in, where it comes from, and when.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The caller, as the audit log names it. What it says of sources counts for it alone.
    pub caller: &'a str,
    /// The application; none: an administrator, to whom everybody is assigned.
    pub application: Option<Uuid>,
    /// Rows of the domains that the caller serves; none: every domain.
    pub domains: Option<&'a [i64]>,
    /// The source, as the caller states it.
    pub source: &'a Source,
    /// The time, in seconds since 1970.
    pub now: i64,
    /// The keys under which known sources and unknown names are hashed.
    pub keys: &'a SealKeys,
}

/// Stands for the place of the sign-ins of an application that cannot state one.
const OF_APPLICATION: &str = "everywhere";
/// Stands for the caller of every sign-in from a browser with a device cookie: the cookie is the issuer's own.
const OF_BROWSERS: &str = "browsers";

impl Origin<'_> {
    /// Who states the source.
    fn stated_by(&self) -> &str {
        if matches!(self.source, Source::Device { .. }) { OF_BROWSERS } else { self.caller }
    }

    /// The source of the counter that holds for a source of this standing.
    pub fn counter(&self, standing: Standing) -> String {
        match (standing, self.source.place()) {
            _ if *self.source == Source::Application => lockouts::of_known(OF_APPLICATION, self.caller),
            (Standing::Known, Some(place)) => lockouts::of_known(&place, self.stated_by()),
            (Standing::Known | Standing::Unknown, _) => lockouts::UNKNOWN_SOURCES.to_owned(),
        }
    }

    /// The hashes under which the source is known for this account.
    pub fn hashes(&self, object: Uuid) -> Vec<[u8; 32]> {
        known_sources::hashes(self.keys, object, self.stated_by(), self.source)
    }

    /// The pseudonym under which a name that no account has is counted, and by which it gets its road. It is of the
    /// sealing key, which all nodes of a tenant have: each node gives one name the same pseudonym.
    fn pseudonym(&self, folded: &str) -> Result<Uuid, StoreError> {
        let hashes = self.keys.hashes("unknown name", &[folded.as_bytes()]);
        let bytes = hashes.first().and_then(|hash| hash.first_chunk::<16>());
        bytes.map(|bytes| Uuid::from_bytes(*bytes)).ok_or(StoreError::Seal(SealError::NoKey))
    }
}

/// The facts of a sign-in with this name, folded. A name that signs nobody in is counted under a pseudonym.
pub fn of_name(reading: &Reading<'_>, folded: &str, origin: &Origin<'_>) -> Result<Stored, StoreError> {
    // It is made for every name, so that it costs an account's as much.
    let pseudonym = origin.pseudonym(folded)?;
    let (whose, domain) = names::whose_with_domain(reading, folded)?;
    let object = match whose {
        Whose::One(object) => object,
        Whose::Nobody => return of_stranger(reading, folded, (pseudonym, origin), Why::UnknownName),
        Whose::Ambiguous => return of_stranger(reading, folded, (pseudonym, origin), Why::AmbiguousName),
    };
    match of_account(reading, (object, domain), origin)? {
        // An application of some domains locks nobody of another domain out: the name is counted as a stranger's.
        Some(stored) if !serves(origin, &stored.facts) => {
            of_stranger(reading, folded, (pseudonym, origin), Why::OtherDomain)
        }
        Some(stored) => Ok(stored),
        None => of_stranger(reading, folded, (pseudonym, origin), Why::UnknownName),
    }
}

/// What is known of an account, whatever it is asked for.
#[derive(Debug, Clone)]
pub struct KnownAccount {
    /// The account.
    pub object: Object,
    /// Its domain.
    pub domain: Domain,
    /// Its attributes.
    pub attributes: Attributes,
    /// The stamp of its pwdLastSet; none: it has not arrived.
    pub password_set: Option<Stamp>,
    /// Whether the application is assigned to it. Without an application: true.
    pub assigned: bool,
    /// Whether it is a canary.
    pub canary: bool,
    /// Whether an administrator blocked it.
    pub blocked: bool,
}

/// Sends what [`known_account`] asks ahead.
fn ask_account_ahead(
    reading: &Reading<'_>,
    object: Uuid,
    application: Option<Uuid>,
) -> Result<(), StoreError> {
    reading.ask_ahead(&[
        &|| objects::find(reading, object).map(drop),
        &|| domains::of_object(reading, object).map(drop),
        &|| attributes::of(reading, object).map(drop),
        &|| canaries::is_one(reading, object).map(drop),
        &|| blocks::since(reading, object).map(drop),
    ])?;
    application.map_or(Ok(()), |app| app_groups::ask_ahead(reading, app))
}

/// What is known of this account and, if there is one, of its assignment to an application; none: it is not known.
pub fn known_account(
    reading: &Reading<'_>,
    object: Uuid,
    application: Option<Uuid>,
) -> Result<Option<KnownAccount>, StoreError> {
    ask_account_ahead(reading, object, application)?;
    let Some(account) = objects::find(reading, object)? else { return Ok(None) };
    let Some(domain) = domains::of_object(reading, object)? else { return Ok(None) };
    let (attributes, password_set) = attributes::with_password_stamp(reading, object)?;
    let assigned = match application {
        None => true,
        Some(app) => app_groups::is_assigned(reading, app, &domain, object, attributes.primary_group_id)?,
    };
    let canary = canaries::is_one(reading, object)?;
    let blocked = blocks::since(reading, object)?.is_some();
    Ok(Some(KnownAccount { object: account, domain, attributes, password_set, assigned, canary, blocked }))
}

/// The facts of a sign-in of this account, whatever it is called by now; none: it is not known. Where its domain is known
/// (its row), a server is asked for nearly all of them at once.
pub fn of_account(
    reading: &Reading<'_>,
    (object, domain): (Uuid, Option<i64>),
    origin: &Origin<'_>,
) -> Result<Option<Stored>, StoreError> {
    let (hashes, counters) =
        (origin.hashes(object), [Standing::Known, Standing::Unknown].map(|s| origin.counter(s)));
    reading.ask_ahead(&[
        &|| digests::find(reading, object).map(drop),
        &|| known_sources::seen_at(reading, object, &hashes).map(drop),
        &|| lockouts::find(reading, object, &counters[0]).map(drop),
        &|| lockouts::find(reading, object, &counters[1]).map(drop),
        &|| ad_budget::find(reading, object).map(drop),
    ])?;
    domain.map_or(Ok(()), |domain| policies::ask_ahead(reading, domain, object))?;
    let Some(known) = known_account(reading, object, origin.application)? else { return Ok(None) };
    let KnownAccount { object: account, domain, attributes, .. } = known;
    let resultant = password_policy(reading, &domain, object, &attributes)?;
    let admission = signin_policy(reading, &domain, object, &attributes)?;
    let digest = digests::find(reading, object)?;
    let seen_at = known_sources::seen_at(reading, object, &hashes)?;
    let standing = Standing::of(seen_at, origin.now);
    let counter = lockouts::find(reading, object, &origin.counter(standing))?;
    // What counts only where agents decide: AD's budget, and whether the digest is of the newest password.
    let mut spent = None;
    let mut password_set = None;
    if admission.policy.asks_agents() {
        spent = ad_budget::find(reading, object)?;
        password_set = known.password_set;
    }
    let is_current = |digest: &digests::StoredDigest| {
        password_set.is_none_or(|password_set| password_set.time <= digest.stamp.time)
    };
    let account = AccountFacts {
        assigned: known.assigned,
        privileged: lacks_permission(account.sid.as_deref(), account.privileged, &domain, &attributes),
        present: account.presence == Presence::Present,
        protected_user: account.protected_user,
        attributes,
        password_policy: resultant.policy,
        digest: if digest.is_some() { DigestFact::Readable } else { DigestFact::Absent },
        digest_is_current: digest.as_ref().is_some_and(is_current),
        rid: account.sid.as_deref().and_then(|sid| rid_of(sid, &domain.sid)),
        canary: known.canary,
        blocked: known.blocked,
    };
    let domain = DomainFacts {
        id: domain.id,
        dns_name: domain.dns_name,
        sid: domain.sid,
        policy: admission.policy,
        budget: AdBudget::of(&resultant.policy),
        budget_is_domains: resultant.owner == PolicyOwner::Domain,
    };
    let facts = Facts {
        subject: Subject::Account(object),
        nobody: None,
        domain: Some(domain),
        account: Some(account),
        source: SourceFacts { standing, seen_at, counter, in_memory: None },
        spent,
    };
    Ok(Some(Stored { facts, digest }))
}

/// The facts of a sign-in with a name that signs nobody in, for this reason. Its counters are read as an account's are.
fn of_stranger(
    reading: &Reading<'_>,
    folded: &str,
    (pseudonym, origin): (Uuid, &Origin<'_>),
    why: Why,
) -> Result<Stored, StoreError> {
    let counter = origin.counter(Standing::Unknown);
    reading.ask_ahead(&[
        &|| would_be_domain(reading, folded).map(drop),
        &|| domains::all(reading).map(drop),
        &|| lockouts::find(reading, pseudonym, &counter).map(drop),
        &|| ad_budget::find(reading, pseudonym).map(drop),
        &|| group_policies::all(reading).map(drop),
    ])?;
    let domain = match would_be_domain(reading, folded)? {
        None => None,
        Some(domain) => Some(DomainFacts {
            id: domain.id,
            policy: policy_for_stranger(reading, &domain, pseudonym)?,
            budget: AdBudget::of(&domain.policy),
            budget_is_domains: true,
            dns_name: domain.dns_name,
            sid: domain.sid,
        }),
    };
    let subject = Subject::Stranger(pseudonym);
    let counter = lockouts::find(reading, pseudonym, &counter)?;
    let source = SourceFacts { counter, ..SourceFacts::UNKNOWN };
    let asks_agents = domain.as_ref().is_some_and(|domain: &DomainFacts| domain.policy.asks_agents());
    let spent = if asks_agents { ad_budget::find(reading, pseudonym)? } else { None };
    let facts = Facts { subject, nobody: Some(why), domain, account: None, source, spent };
    Ok(Stored { facts, digest: None })
}

/// Whether the caller serves the domain of these facts.
fn serves(origin: &Origin<'_>, facts: &Facts) -> bool {
    let Some(served) = origin.domains else { return true };
    facts.domain.as_ref().is_some_and(|domain| served.contains(&domain.id))
}

/// The domain that a name would be of, if it were an account's; none: there is no domain at all.
fn would_be_domain(reading: &Reading<'_>, folded: &str) -> Result<Option<Domain>, StoreError> {
    let named = match folded.split_once('\\') {
        Some((domain, _)) => Some(domain),
        None => folded.rsplit_once('@').map(|(_, domain)| domain),
    };
    let by_name = match named {
        Some(named) => domains::by_name(reading, named)?,
        None => None,
    };
    // A UPN suffix need not be a domain's name: then the first domain stands for all.
    Ok(match by_name {
        Some(domain) => Some(domain),
        None => domains::all(reading)?.into_iter().next(),
    })
}
