//! Everything the tenant knows about the accounts behind a name, for an administrator who asks why somebody
//! cannot sign in. Whether there is a digest and what it costs is shown; the digest is not.
//! Neighbours: `admin` (`users show`) prints it.

use crate::directory::groups;
use crate::text::printable;
use landbridge_tenant_rules::account_state::{Account, state};
use landbridge_tenant_rules::model::Object;
use landbridge_tenant_rules::model::kind_text;
use landbridge_tenant_rules::model::presence_text;
use landbridge_tenant_rules::model::{Domain, SigninPolicy};
use landbridge_tenant_rules::names::{Whose, fold_case, names_of};
use landbridge_tenant_rules::policies::{Admission, PolicyOwner, Resultant};
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::policies::{password_policy, signin_policy};
use landbridge_tenant_store::tables::members;
use landbridge_tenant_store::tables::members::Which;
use landbridge_tenant_store::tables::names::whose;
use landbridge_tenant_store::tables::objects;
use landbridge_tenant_store::tables::{attributes, digests, domains, lockouts, names};
use landbridge_tenant_store::{Store, StoreError};
use landbridge_wire::upload::{Kind, Presence, Stamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most accounts that one answer shows.
const MAX_ACCOUNTS: usize = 20;

/// What is known about a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// More than one account signs in with it, so none does.
    pub ambiguous: bool,
    /// The accounts; those that are not present have no names, and are found by those they had.
    pub accounts: Vec<Described>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// objectGUID.
    pub object: Uuid,
    /// DNS name of its domain: where all this comes from.
    pub domain: String,
    /// The phs that writes for the domain, if one does.
    pub source: Option<Uuid>,
    /// objectSid.
    pub sid: Option<String>,
    /// `account`, or what else it is.
    pub kind: String,
    /// `present`, `deleted`, `privileged` or `out-of-scope`.
    pub presence: String,
    /// Since when it is deleted or out of scope: seconds since 1970. It is erased when its grace time is over.
    pub removed_at: Option<i64>,
    /// What a sign-in with the right password would end in.
    pub state: String,
    /// Member of Protected Users.
    pub protected_user: bool,
    /// sAMAccountName.
    pub sam_account_name: Option<String>,
    /// userPrincipalName.
    pub user_principal_name: Option<String>,
    /// displayName.
    pub display_name: Option<String>,
    /// The attribute that phs's administrator chose as a further sign-in name.
    pub alternate_login: Option<String>,
    /// givenName.
    pub given_name: Option<String>,
    /// sn.
    pub surname: Option<String>,
    /// mail.
    pub mail: Option<String>,
    /// proxyAddresses.
    pub proxy_addresses: Vec<String>,
    /// department.
    pub department: Option<String>,
    /// title.
    pub title: Option<String>,
    /// telephoneNumber.
    pub telephone_number: Option<String>,
    /// mobile.
    pub mobile: Option<String>,
    /// description.
    pub description: Option<String>,
    /// manager.
    pub manager: Option<Named>,
    /// The groups that it is in, also through others and as its primary group; none: more than can be looked through.
    pub groups: Option<Vec<Named>>,
    /// How it signs in, and by which group.
    pub signin_policy: String,
    /// The password and lockout policy that holds for it.
    pub password_policy: PolicyDescribed,
    /// The names that it signs in with, folded.
    pub names: Vec<String>,
    /// The attributes that were told, with the stamp of each.
    pub stamps: Vec<(String, Stamp)>,
    /// Its digest, if one is held.
    pub digest: Option<DigestDescribed>,
    /// The counters of the smart lockout.
    pub lockouts: Vec<LockoutDescribed>,
    /// When something about it changed last: seconds since 1970.
    pub changed_at: i64,
}

/// An object and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// What it is called.
    pub name: String,
    /// objectGUID.
    pub object: Uuid,
}

/// A password and lockout policy, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyDescribed {
    /// Whose it is: the domain's, or that of a password settings object.
    pub of: String,
    /// How old a password may be.
    pub max_pwd_age: String,
    /// At how many bad passwords AD locks; 0: never.
    pub lockout_threshold: Option<i64>,
    /// How long AD counts them.
    pub lockout_observation_window: String,
    /// How long a lock lasts.
    pub lockout_duration: String,
}

/// About a digest, without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestDescribed {
    /// When and where the password was set.
    pub stamp: Stamp,
    /// When it came here: seconds since 1970.
    pub set_at: i64,
    /// What a derivation costs; none: the digest cannot be opened.
    pub iterations: Option<u32>,
}

/// A counter of the smart lockout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockoutDescribed {
    /// Where the tries came from; none: over all sources.
    pub source: Option<String>,
    /// Wrong passwords.
    pub failures: u32,
    /// Locks in a row.
    pub locks: u32,
    /// Seconds since 1970; in the past: not locked.
    pub locked_until: i64,
}

/// What is known about a name, at `now` in seconds since 1970. The name may also be an objectGUID, a bare
/// sAMAccountName or a SID: it is an administrator who asks.
pub fn describe(store: &Store, name: &str, now: i64) -> Result<Description, StoreError> {
    store.look(|reading| {
        let found = whose(reading, name)?;
        let mut objects = match found {
            Whose::One(object) => vec![object],
            Whose::Nobody | Whose::Ambiguous => Vec::new(),
        };
        if objects.is_empty() {
            objects = find_by_scan(reading, name)?;
        }
        let described = objects.into_iter().map(|object| describe_account(store, reading, object, now));
        Ok(Description {
            ambiguous: found == Whose::Ambiguous,
            accounts: described.filter_map(Result::transpose).collect::<Result<_, _>>()?,
        })
    })
}

/// The accounts that have or had that name: objectGUID, SID, bare sAMAccountName, or a name that they signed in with.
pub fn find_by_scan(reading: &Reading<'_>, name: &str) -> Result<Vec<Uuid>, StoreError> {
    if let Ok(object) = name.parse::<Uuid>() {
        return Ok(vec![object]);
    }
    let wanted = fold_case(name);
    let domains = domains::all(reading)?;
    objects::walk(reading, Kind::Account, MAX_ACCOUNTS, |account, known| {
        let named = domains
            .iter()
            .find(|d| d.id == account.domain)
            .is_some_and(|d| names_of(d, known).contains(&wanted));
        let sam = known.sam_account_name.as_deref().is_some_and(|sam| fold_case(sam) == wanted);
        named || sam || account.sid.as_deref() == Some(name)
    })
}

fn describe_account(
    store: &Store,
    reading: &Reading<'_>,
    object: Uuid,
    now: i64,
) -> Result<Option<Described>, StoreError> {
    let Some(account) = objects::find(reading, object)? else { return Ok(None) };
    let Some(domain) = domains::by_id(reading, account.domain)? else { return Ok(None) };
    let attributes = attributes::of(reading, object)?;
    let digest = digests::find(reading, object)?.map(|held| DigestDescribed {
        stamp: held.stamp,
        set_at: held.set_at,
        iterations: held.open(store.seal_keys(), object).ok().map(|digest| digest.iterations()),
    });
    let resultant = password_policy(reading, &domain, object, &attributes)?;
    let account_facts = Account::known(&attributes, &resultant.policy, account.protected_user);
    let group_ids = members::groups_of(reading, &domain, object, attributes.primary_group_id, Which::All)?;
    let groups = group_ids.map(|group_ids| groups::with_names(reading, &domain, group_ids)).transpose()?;
    let admission = signin_policy(reading, &domain, object, &attributes)?;
    let signin_policy = describe_signin_policy(reading, &domain, admission)?;
    let text = |value: &Option<String>| value.as_deref().map(printable);
    let lockouts = lockouts::of(reading, object)?.into_iter().map(|(source, tries)| LockoutDescribed {
        source: match source.as_str() {
            lockouts::ALL_SOURCES => None,
            lockouts::DIRECTORY => Some("(reached AD)".to_owned()),
            _ => Some(source),
        },
        failures: tries.failures,
        locks: tries.locks,
        locked_until: tries.locked_until,
    });
    Ok(Some(Described {
        object,
        source: domain.writer,
        state: first_obstacle(
            &account,
            admission.policy,
            digest.as_ref(),
            state(&account_facts, now).as_str(),
        )
        .to_owned(),
        kind: kind_text(account.kind).to_owned(),
        removed_at: account.removed_at,
        alternate_login: text(&attributes.alternate_login),
        given_name: text(&attributes.given_name),
        surname: text(&attributes.surname),
        mail: text(&attributes.mail),
        proxy_addresses: attributes
            .proxy_addresses
            .iter()
            .flat_map(|all| all.lines())
            .map(printable)
            .collect(),
        department: text(&attributes.department),
        title: text(&attributes.title),
        telephone_number: text(&attributes.telephone_number),
        mobile: text(&attributes.mobile),
        description: text(&attributes.description),
        manager: groups::manager_of(reading, &domain, object)?,
        groups,
        signin_policy,
        password_policy: describe_password_policy(reading, &domain, &resultant)?,
        domain: domain.dns_name,
        presence: presence_text(account.presence).to_owned(),
        sid: account.sid,
        protected_user: account.protected_user,
        sam_account_name: attributes.sam_account_name.as_deref().map(printable),
        user_principal_name: attributes.user_principal_name.as_deref().map(printable),
        display_name: attributes.display_name.as_deref().map(printable),
        names: names::of(reading, object)?,
        stamps: attributes::stamps_of(reading, object)?,
        digest,
        lockouts: lockouts.collect(),
        changed_at: account.changed_at,
    }))
}

/// How it signs in, and by which group.
fn describe_signin_policy(
    reading: &Reading<'_>,
    domain: &Domain,
    admission: Admission,
) -> Result<String, StoreError> {
    let by = match admission.group {
        Some(group) => format!(", by {}", groups::name_of(reading, domain, group)?),
        None => String::new(),
    };
    Ok(format!("{}{by}", admission.policy.as_str()))
}

fn describe_password_policy(
    reading: &Reading<'_>,
    domain: &Domain,
    resultant: &Resultant,
) -> Result<PolicyDescribed, StoreError> {
    let Resultant { policy, owner } = resultant;
    Ok(PolicyDescribed {
        of: match owner {
            PolicyOwner::Domain => "the domain".to_owned(),
            PolicyOwner::Settings(object) => {
                format!("password settings object {} ({object})", groups::name_of(reading, domain, *object)?)
            }
            PolicyOwner::Unclear => {
                "it cannot be told: a password settings object has not arrived, or not all of it".to_owned()
            }
        },
        max_pwd_age: interval(policy.max_pwd_age),
        lockout_threshold: policy.lockout_threshold,
        lockout_observation_window: interval(policy.lockout_observation_window),
        lockout_duration: interval(policy.lockout_duration),
    })
}

/// A negative count of 100 ns in words.
fn interval(value: Option<i64>) -> String {
    let Some(value) = value else { return "not known".to_owned() };
    if value == 0 || value == i64::MIN {
        return "without end".to_owned();
    }
    let minutes = value.unsigned_abs() / 600_000_000;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "min")];
    let words: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    if words.is_empty() { "less than a minute".to_owned() } else { words.join(" ") }
}

/// What stops a sign-in first.
fn first_obstacle<'a>(
    account: &Object,
    policy: SigninPolicy,
    digest: Option<&DigestDescribed>,
    state: &'a str,
) -> &'a str {
    match account.kind {
        Kind::Account => {}
        Kind::Group => return "a group: see `groups show`",
        Kind::Contact => return "a contact: nobody's account",
        Kind::PasswordSettings => return "a password settings object",
    }
    match account.presence {
        Presence::Deleted => "deleted in AD",
        Presence::Privileged => "privileged: not synchronised",
        Presence::OutOfScope => "out of scope",
        Presence::Present if policy == SigninPolicy::Refuse => "refused by its sign-in policy",
        Presence::Present if policy.asks_agents() => "a domain controller decides",
        Presence::Present => match digest {
            None => "no digest has arrived",
            Some(DigestDescribed { iterations: None, .. }) => {
                "its digest cannot be opened: is a seal key missing?"
            }
            Some(DigestDescribed { iterations: Some(_), .. }) => state,
        },
    }
}
