//! People and groups: written into the tenant's database by its own rules for uploads, and as LDIF for slapd.
//!
//! Person 0 is in 200 groups: directly in the first one of each of 10 chains of 20 groups that are in one another. Every
//! other person is in 4 of the remaining groups.

use crate::derivations::on_all_cores;
use crate::ldap::failed;
use landbridge_crypto::salted_digest::Profile;
use landbridge_tenant::config::Config;
use landbridge_tenant::keys::seal_keys;
use landbridge_tenant_core::ingest;
use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_rules::model::{AgentState, NewAgent, Writer};
use landbridge_tenant_store::Store;
use landbridge_tenant_store::tables::{agents, domains};
use landbridge_tests::lab::population::DOMAIN;
use landbridge_tests::lab::{LabError, RunningTenant};
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::described::{Described, DescribedName, DescribedValue};
use landbridge_wire::enroll::Role;
use landbridge_wire::upload::{
    Attribute, AttributeValue as Is, DomainPolicy, Kind, Link, LinkKind, Mode, Password, Presence, Record,
    Stamp, Upload,
};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

pub(crate) const PEOPLE: u32 = 100_000;
pub(crate) const GROUPS: u32 = 2_000;
/// Chains of groups around person 0, and the groups of each.
const CHAINS: u32 = 10;
const CHAIN: u32 = 20;
/// Groups that person 0 is in.
pub(crate) const NESTED: u32 = CHAINS * CHAIN;
/// Groups that every other person is in.
pub(crate) const GROUPS_OF_A_PERSON: u32 = 4;
/// The first people have a digest, all of the same password.
pub(crate) const WITH_DIGEST: u32 = 2_000;
/// Of the people with a digest: the one that [`on_all_cores`] derives.
pub(crate) const PASSWORD: &str = "password 0";
/// The naming context.
pub(crate) const BASE: &str = "dc=corp,dc=example,dc=com";
/// Who searches slapd.
pub(crate) const SLAPD_NAME: &str = "cn=bench,dc=corp,dc=example,dc=com";
pub(crate) const SLAPD_PASSWORD: &str = "bench";

/// SID of the domain.
const SID: &str = "S-1-5-21-1-2-3";
/// The first relative ids of people and of groups.
const PEOPLE_FROM: u32 = 10_000;
const GROUPS_FROM: u32 = 500_000;
/// In one upload: each person has [`GROUPS_OF_A_PERSON`] links.
const PORTION: u32 = 500;
/// Some day of 2025, in seconds since 1601, and as FILETIME: when each password was set.
const WRITTEN: u64 = 13_400_000_000;
pub(crate) const PWD_LAST_SET: i64 = 134_000_000_000_000_000;
const STAMP: Stamp = Stamp { version: 1, time: WRITTEN, invocation_id: Uuid::from_u128(7) };
const GLOBAL_SECURITY: i32 = -2_147_483_646;

pub(crate) fn uid(person: u32) -> String {
    format!("person{person:06}")
}

pub(crate) fn mail(person: u32) -> String {
    format!("{}@{DOMAIN}", uid(person))
}

pub(crate) fn uid_number(person: u32) -> u32 {
    1_000_000 + person
}

pub(crate) fn dn(person: u32) -> String {
    format!("uid={},ou=people,{BASE}", uid(person))
}

pub(crate) fn group_dn(group: u32) -> String {
    format!("cn=group{group:04},ou=groups,{BASE}")
}

/// The groups of which a person is a member itself.
fn groups_of(person: u32) -> Vec<u32> {
    if person == 0 {
        return (0..CHAINS).map(|chain| chain * CHAIN).collect();
    }
    (0..GROUPS_OF_A_PERSON).map(|nth| NESTED + (person + 449 * nth) % (GROUPS - NESTED)).collect()
}

/// The group that is around a group, if there is one.
fn group_around(group: u32) -> Option<u32> {
    (group < NESTED && group % CHAIN + 1 < CHAIN).then_some(group + 1)
}

/// objectGUIDs, at random as AD makes them.
pub(crate) struct Objects {
    people: Vec<Uuid>,
    groups: Vec<Uuid>,
}

impl Objects {
    pub(crate) fn new() -> Self {
        let some = |count| (0..count).map(|_| Uuid::new_v4()).collect();
        Self { people: some(PEOPLE), groups: some(GROUPS) }
    }

    /// Writes them into the database of a tenant that does not serve now.
    pub(crate) fn fill(&self, tenant: &RunningTenant) -> Result<(), LabError> {
        let store = open_store(tenant)?;
        let writer = writer(&store)?;
        let (counts, now) = (Counts::default(), now());
        let send = |upload: Upload| -> Result<(), LabError> {
            let records = upload.records.as_slice().len();
            let receipt = ingest::upload(&store, &counts, &writer, &upload, now);
            let receipt = receipt.map_err(|problem| failed("an upload", &format!("{problem:?}")))?;
            if receipt.applied as usize == records {
                Ok(())
            } else {
                Err(failed("an upload", &format!("{} of {records} records applied", receipt.applied)))
            }
        };
        // 1. Groups first, so that their links find them.
        for first in (0..GROUPS).step_by(PORTION as usize) {
            let range = first..(first + PORTION).min(GROUPS);
            let links = range.clone().filter_map(|group| {
                Some(member(self.groups[group_around(group)? as usize], self.groups[group as usize]))
            });
            send(upload(range.clone().map(|group| self.group(group)).collect(), links.collect())?)?;
        }
        // 2. People, and what they are in.
        let mut digests =
            on_all_cores(Profile::Entra, WITH_DIGEST as usize).into_iter().take(WITH_DIGEST as usize);
        for first in (0..PEOPLE).step_by(PORTION as usize) {
            let range = first..(first + PORTION).min(PEOPLE);
            let links = range.clone().flat_map(|person| {
                let of = move |group: u32| member(self.groups[group as usize], self.people[person as usize]);
                groups_of(person).into_iter().map(of)
            });
            let links = links.collect();
            let records = range.map(|person| Record {
                password: digests.next().map(|digest| Password { stamp: STAMP, digest }),
                ..self.person(person)
            });
            send(upload(records.collect(), links)?)?;
        }
        // 3. The first cycle is complete.
        send(Upload { commit: Some(Text::cut("0")), ..upload(Vec::new(), Vec::new())? })
    }

    /// objectGUID of a person.
    pub(crate) fn person_object(&self, person: u32) -> Uuid {
        self.people[person as usize]
    }

    fn person(&self, person: u32) -> Record {
        let number = |value: u32| DescribedValue::Integer(value.into());
        let text = |value: &str| DescribedValue::Text(Text::cut(value));
        let uid = uid(person);
        let mut attributes = vec![
            Is::SamAccountName(Some(Text::cut(&uid))),
            Is::UserPrincipalName(Some(Text::cut(&mail(person)))),
            Is::DisplayName(Some(Text::cut(&format!("Person {person} of the harbour")))),
            Is::Name(Some(Text::cut(&format!("Person {person}")))),
            Is::UserAccountControl(Some(0x200)),
            Is::AccountExpires(Some(i64::MAX)),
            Is::PwdLastSet(Some(PWD_LAST_SET)),
            Is::PrimaryGroupId(Some(513)),
            Is::Mail(Some(Text::cut(&mail(person)))),
            Is::GivenName(Some(Text::cut("Person"))),
            Is::Surname(Some(Text::cut(&format!("Number {person}")))),
            Is::Department(Some(Text::cut("Harbour and terns"))),
            Is::TelephoneNumber(Some(Text::cut("+49 30 901820"))),
        ];
        attributes.extend(described("uidNumber", number(uid_number(person))));
        attributes.extend(described("gidNumber", number(513)));
        attributes.extend(described("unixHomeDirectory", text(&format!("/home/{uid}"))));
        attributes.extend(described("loginShell", text("/bin/bash")));
        record(Kind::Account, self.people[person as usize], PEOPLE_FROM + person, attributes)
    }

    fn group(&self, group: u32) -> Record {
        let name = format!("group{group:04}");
        let mut attributes = vec![
            Is::SamAccountName(Some(Text::cut(&name))),
            Is::Name(Some(Text::cut(&name))),
            Is::GroupType(Some(GLOBAL_SECURITY)),
        ];
        attributes.extend(described("gidNumber", DescribedValue::Integer((GROUPS_FROM + group).into())));
        record(Kind::Group, self.groups[group as usize], GROUPS_FROM + group, attributes)
    }

    /// Writes them as LDIF. `member_of`: with memberOf, which the server does not add to entries that are loaded.
    pub(crate) fn write_ldif(&self, to: &mut dyn Write, member_of: bool) -> std::io::Result<()> {
        writeln!(to, "dn: {BASE}\nobjectClass: top\nobjectClass: domain\ndc: corp\n")?;
        for ou in ["people", "groups"] {
            writeln!(to, "dn: ou={ou},{BASE}\nobjectClass: organizationalUnit\nou: {ou}\n")?;
        }
        writeln!(
            to,
            "dn: {SLAPD_NAME}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: bench\n\
             userPassword: {SLAPD_PASSWORD}\n"
        )?;
        let mut members = vec![Vec::new(); GROUPS as usize];
        for person in 0..PEOPLE {
            let (uid, object) = (uid(person), self.people[person as usize]);
            writeln!(
                to,
                "dn: {}\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: {uid}\ncn: Person {person}\n\
                 sn: Number {person}\ngivenName: Person\ndisplayName: Person {person} of the harbour\nmail: {}\n\
                 telephoneNumber: +49 30 901820\nuidNumber: {}\ngidNumber: 513\nhomeDirectory: /home/{uid}\n\
                 loginShell: /bin/bash\nentryUUID: {object}",
                dn(person),
                mail(person),
                uid_number(person),
            )?;
            for group in groups_of(person) {
                members[group as usize].push(dn(person));
                if member_of {
                    writeln!(to, "memberOf: {}", group_dn(group))?;
                }
            }
            writeln!(to)?;
        }
        for group in 0..GROUPS {
            writeln!(
                to,
                "dn: {}\nobjectClass: groupOfNames\nobjectClass: posixGroup\ncn: group{group:04}\ngidNumber: {}\n\
                 entryUUID: {}",
                group_dn(group),
                GROUPS_FROM + group,
                self.groups[group as usize],
            )?;
            let inner = group.checked_sub(1).filter(|inner| group_around(*inner) == Some(group));
            for member in members[group as usize].iter().cloned().chain(inner.map(group_dn)) {
                writeln!(to, "member: {member}")?;
            }
            if let Some(around) = group_around(group).filter(|_| member_of) {
                writeln!(to, "memberOf: {}", group_dn(around))?;
            }
            writeln!(to)?;
        }
        Ok(())
    }
}

/// Opens the database of a tenant that does not serve now.
pub(crate) fn open_store(tenant: &RunningTenant) -> Result<Store, LabError> {
    let config = Config::load(&tenant.config()).map_err(|why| failed("reading tenant.toml", &why))?;
    let owner = rustix::process::getuid().as_raw();
    let keys = seal_keys(&config.seal_keys, owner).map_err(|why| failed("reading the seal keys", &why))?;
    Store::open(&config.database_file(), keys).map_err(|why| failed("opening the store", &why))
}

/// A phs of the tenant's one domain.
fn writer(store: &Store) -> Result<Writer, LabError> {
    let inserted = store.write("bench", |writing| {
        let domain = domains::all(writing)?.first().map_or(0, |domain| domain.id);
        let agent = NewAgent {
            enrolled_from: "192.0.2.7",
            key_fingerprint: "",
            id: Uuid::new_v4(),
            domain,
            role: Role::Phs,
            state: AgentState::Approved,
            software: "bench",
            host: "bench",
            serial: &[1],
            not_after: i64::MAX,
        };
        agents::insert(writing, &agent, now())?;
        Ok(Writer { agent: agent.id, domain })
    });
    inserted.map_err(|why| failed("making a writer", &why))
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

/// The SID of the domain, for `domains add`.
pub(crate) fn sid() -> &'static str {
    SID
}

fn described(name: &str, value: DescribedValue) -> Option<Is> {
    Some(Is::Described(Described { name: DescribedName::named(name)?, value: Some(value) }))
}

fn record(kind: Kind, object: Uuid, relative_id: u32, attributes: Vec<Is>) -> Record {
    let attributes = attributes.into_iter().map(|is| Attribute { stamp: STAMP, is }).collect();
    Record {
        object,
        kind,
        sid: Some(Text::cut(&format!("{SID}-{relative_id}"))),
        presence: Presence::Present,
        privileged: false,
        protected_user: None,
        attributes: List::new(attributes).unwrap_or_default(),
        password: None,
        erase_password: false,
    }
}

fn member(of: Uuid, who: Uuid) -> Link {
    Link { what: LinkKind::Member, from: of, to: who, present: true, created: WRITTEN, stamp: STAMP }
}

fn upload(records: Vec<Record>, links: Vec<Link>) -> Result<Upload, LabError> {
    let never = Some((STAMP, 0));
    Ok(Upload {
        instance: Uuid::from_u128(3),
        domain_sid: Text::cut(SID),
        cycle: Uuid::from_u128(4),
        mode: Mode::Incremental,
        policy: Some(DomainPolicy {
            max_pwd_age: never,
            lockout_duration: never,
            lockout_observation_window: never,
            lockout_threshold: Some((STAMP, 0)),
            ..DomainPolicy::default()
        }),
        records: List::new(records).map_err(|why| failed("an upload", &why))?,
        links: List::new(links).map_err(|why| failed("an upload", &why))?,
        commit: None,
        most_swept: None,
        reserved: List::default(),
        level: 0,
    })
}
