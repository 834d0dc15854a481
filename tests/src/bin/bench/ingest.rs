//! The tenant alone takes uploads, as fast as one connection of a phs brings them, beside SQLite alone.
//! The digests are derived before; what is measured is all from the request to the receipt, which means: on the disk.

use crate::derivations::on_all_cores;
use crate::report::Comparison;
use crate::sync::{joined, joined_on};
use landbridge_agent::http::Client;
use landbridge_agent::{Identity, ProcessKey, tls};
use landbridge_crypto::salted_digest::Profile;
use landbridge_tests::lab::population::DOMAIN;
use landbridge_tests::lab::{Domain, LabError, Phs, Population, RunningTenant};
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::upload::{
    Attribute, AttributeValue as Is, DomainPolicy, Hello, Kind, MAX_ATTRIBUTES, Mode, Password, Presence,
    Receipt, Record, Stamp, Upload,
};
use rusqlite::Connection;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// In one round, each way.
pub(crate) const ACCOUNTS: usize = 20_000;
/// In one upload, and in one transaction of SQLite's: as phs sends them.
const PORTION: usize = 250;
const ROUNDS: usize = 7;
/// Of a sealed digest in the tenant's database.
const SEALED: usize = 180;
/// Some day of 2025, in seconds since 1601 and as FILETIME.
const WRITTEN: u64 = 13_400_000_000;
const WRITTEN_FILETIME: i64 = 134_000_000_000_000_000;

/// In turns, each round into a tenant and a file of its own; then once into a tenant that grows.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let domain = Domain::start(Population::of(50))?;
    let runtime = Runtime::new().map_err(|why| LabError::said("a runtime", &why))?;
    Ok(vec![in_rounds(&domain, &runtime)?, growing(&domain, &runtime)?])
}

fn in_rounds(domain: &Domain, runtime: &Runtime) -> Result<Comparison, LabError> {
    let sides = ["SQLite alone, a row each", "whole new accounts", "new digests of the same accounts"];
    let what = format!("Uploads of {PORTION} taken by the tenant, {ACCOUNTS} digests");
    let mut all = Comparison::new(what, "/s", "20,000 /s", &sides);
    for round in 0..ROUNDS {
        let [whole, digests] = tenant(domain, runtime, None)?;
        let [alone] = sqlite([ACCOUNTS]).map_err(|why| LabError::said("SQLite alone", &why))?;
        all.round(&[alone, whole, digests]);
        eprintln!("    ingest: round {} of {ROUNDS}", round + 1);
    }
    Ok(all)
}

/// Accounts that a tenant has when its last portion has arrived.
const GROWN: usize = 300_000;
/// Rounds of a tenant that grows: each derives and sends [`GROWN`] accounts.
const GROWING_ROUNDS: usize = 1;

/// The first 20,000 accounts of a tenant, and those with which it has 300,000; at both sizes new digests of the last ones,
/// and of accounts in no order.
fn growing(domain: &Domain, runtime: &Runtime) -> Result<Comparison, LabError> {
    let sides = [
        "SQLite alone, a row each, to 20,000",
        "whole new accounts, to 20,000",
        "new digests of them",
        "SQLite alone, a row each, to 300,000",
        "whole new accounts, to 300,000",
        "new digests of the last 20,000",
        "new digests of 20,000 in no order",
    ];
    let what = format!("Uploads of {PORTION} taken by a tenant that grows to {GROWN} accounts");
    let mut all = Comparison::new(what, "/s", "at 300,000 0.8× of the rate at 20,000", &sides);
    for _ in 0..GROWING_ROUNDS {
        let [small, _, large] = sqlite([ACCOUNTS, GROWN - 2 * ACCOUNTS, ACCOUNTS])
            .map_err(|why| LabError::said("SQLite alone", &why))?;
        let joined = joined(domain, Profile::Entra)?;
        let mut sender = Sender::of(domain, runtime, &joined)?;
        let all_accounts = accounts(0..GROWN);
        let (first, last) = (&all_accounts[..ACCOUNTS], &all_accounts[GROWN - ACCOUNTS..]);
        let whole = sender.send(first, 1)?;
        let digests = sender.send(first, 2)?;
        for (n, some) in all_accounts[ACCOUNTS..GROWN - ACCOUNTS].chunks(ACCOUNTS).enumerate() {
            sender.send(some, 1)?;
            eprintln!("    ingest: {} of {GROWN} accounts", (n + 2) * ACCOUNTS);
        }
        let whole_grown = sender.send(last, 1)?;
        let digests_grown = sender.send(last, 2)?;
        let any: Vec<Account> = in_no_order(all_accounts).into_iter().step_by(GROWN / ACCOUNTS).collect();
        let digests_any = sender.send(&any, 3)?;
        all.round(&[small, whole, digests, large, whole_grown, digests_grown, digests_any]);
    }
    Ok(all)
}

/// Rows a second, on the disk after every portion of them: whatever a tenant does, it does this too. Of each of these
/// counts of rows, which are written one after the other.
fn sqlite<const N: usize>(counts: [usize; N]) -> rusqlite::Result<[f64; N]> {
    let folder = tempfile::tempdir().map_err(|why| rusqlite::Error::ToSqlConversionFailure(why.into()))?;
    let mut connection = Connection::open(folder.path().join("alone.db"))?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let table = "CREATE TABLE digests (object BLOB PRIMARY KEY, stamp BLOB NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID";
    connection.execute_batch(table)?;
    let mut rates = [0.0; N];
    for (rate, count) in rates.iter_mut().zip(counts) {
        let objects: Vec<Uuid> = (0..count).map(|_| Uuid::new_v4()).collect();
        let began = Instant::now();
        for some in objects.chunks(PORTION) {
            let transaction = connection.transaction()?;
            for object in some {
                transaction
                    .prepare_cached("INSERT INTO digests (object, stamp, sealed) VALUES (?1, ?2, ?3)")?
                    .execute((object.as_bytes(), [7_u8; 28], [7_u8; SEALED]))?;
            }
            transaction.commit()?;
        }
        *rate = count as f64 / began.elapsed().as_secs_f64();
    }
    Ok(rates)
}

/// Digests a second of a new tenant, with its database in a file or at this URL: with whole accounts, and alone for the same.
pub(crate) fn tenant(
    domain: &Domain,
    runtime: &Runtime,
    database: Option<String>,
) -> Result<[f64; 2], LabError> {
    let joined = joined_on(domain, Profile::Entra, database)?;
    let mut sender = Sender::of(domain, runtime, &joined)?;
    let accounts = accounts(0..ACCOUNTS);
    Ok([sender.send(&accounts, 1)?, sender.send(&accounts, 2)?])
}

/// An account that is sent.
#[derive(Clone, Copy)]
pub(crate) struct Account {
    /// Its number among all, which is in its names and its SID.
    number: usize,
    /// objectGUID: random, as AD makes it.
    object: Uuid,
}

/// Accounts with these numbers, which no other account of the tenant may have.
pub(crate) fn accounts(numbers: Range<usize>) -> Vec<Account> {
    numbers.map(|number| Account { number, object: Uuid::new_v4() }).collect()
}

/// The same accounts in the order of their objectGUIDs, which is random.
pub(crate) fn in_no_order(mut accounts: Vec<Account>) -> Vec<Account> {
    accounts.sort_unstable_by_key(|account| account.object);
    accounts
}

/// What a phs is to the tenant.
pub(crate) struct Sender<'a> {
    client: Client,
    runtime: &'a Runtime,
    domain: &'a str,
    instance: Uuid,
}

impl<'a> Sender<'a> {
    /// In the place of this phs, which never runs.
    pub(crate) fn of(
        domain: &'a Domain,
        runtime: &'a Runtime,
        (_, phs): &(RunningTenant, Phs),
    ) -> Result<Self, LabError> {
        let identity = Identity::load(phs.state()).map_err(|why| LabError::said("an identity", &why))?;
        let tls = tls::enrolled(&identity).map_err(|why| LabError::said("an identity", &why))?;
        let client = Client::new(&identity.url, tls).map_err(|why| LabError::said("a client", &why))?;
        let process = ProcessKey::generate().map_err(|why| LabError::said("a process key", &why))?;
        let (instance, process) = (process.name(), Arc::new(process));
        let client = client.proving(process, identity.agent);
        let mut sender = Self { client, runtime, domain: domain.sid(), instance };
        sender.hello()?;
        Ok(sender)
    }

    fn hello(&mut self) -> Result<Receipt, LabError> {
        let hello = Hello { instance: self.instance, domain_sid: Text::cut(self.domain) };
        let answer = self.runtime.block_on(self.client.post("/v1/upload/hello", &hello));
        answer.map_err(|why| LabError::said("a hello", &why))
    }

    /// Ends the first cycle, with a policy of the domain: people sign in from then on.
    pub(crate) fn commit(&mut self) -> Result<(), LabError> {
        let stamp = Stamp { version: 1, time: WRITTEN, invocation_id: Uuid::from_u128(7) };
        let never = Some((stamp, 0));
        let policy = DomainPolicy {
            max_pwd_age: never,
            lockout_duration: never,
            lockout_observation_window: never,
            lockout_threshold: Some((stamp, 0)),
            ..DomainPolicy::default()
        };
        let upload =
            Upload { policy: Some(policy), commit: Some(Text::cut("0")), ..self.empty(Uuid::new_v4()) };
        self.post(&upload).map(drop)
    }

    /// Ends a cycle in which nothing had changed.
    pub(crate) fn idle_cycle(&mut self) -> Result<(), LabError> {
        let upload = Upload { commit: Some(Text::cut("0")), ..self.empty(Uuid::new_v4()) };
        self.post(&upload).map(drop)
    }

    /// An upload without records.
    fn empty(&self, cycle: Uuid) -> Upload {
        Upload {
            instance: self.instance,
            domain_sid: Text::cut(self.domain),
            cycle,
            mode: Mode::Incremental,
            policy: None,
            records: List::default(),
            links: List::default(),
            commit: None,
            most_swept: None,
            reserved: List::default(),
            level: 0,
        }
    }

    fn post(&mut self, upload: &Upload) -> Result<Receipt, LabError> {
        let answer = self.runtime.block_on(self.client.post("/v1/upload", upload));
        answer.map_err(|why| LabError::said("an upload", &why))
    }

    /// Digests a second. Of version 1 with all else that is known of an account, later ones alone.
    pub(crate) fn send(&mut self, accounts: &[Account], version: u32) -> Result<f64, LabError> {
        let stamp = Stamp { version, time: WRITTEN, invocation_id: Uuid::from_u128(7) };
        let digests =
            on_all_cores(Profile::Entra, accounts.len()).into_iter().map(|digest| Password { stamp, digest });
        let mut records = accounts.iter().zip(digests).map(|(account, password)| Record {
            object: account.object,
            kind: Kind::Account,
            sid: Some(Text::cut(&format!("{}-{}", self.domain, 100_000 + account.number))),
            presence: Presence::Present,
            privileged: false,
            protected_user: None,
            attributes: if version == 1 { attributes(account.number, stamp) } else { List::default() },
            password: Some(password),
            erase_password: false,
        });
        let cycle = Uuid::new_v4();
        let mut uploads = Vec::new();
        while uploads.len() * PORTION < accounts.len() {
            let portion = records.by_ref().take(PORTION).collect();
            let records = List::new(portion).map_err(|why| LabError::said("an upload", &why))?;
            uploads.push(Upload { records, ..self.empty(cycle) });
        }
        let began = Instant::now();
        let mut applied = 0;
        for upload in uploads {
            let receipt = self.post(&upload)?;
            applied += usize::try_from(receipt.applied).unwrap_or(0);
        }
        let took = began.elapsed().as_secs_f64();
        if applied == accounts.len() {
            Ok(applied as f64 / took)
        } else {
            Err(LabError::said("an upload", &format!("{applied} of {} records applied", accounts.len())))
        }
    }
}

/// As a well kept account has them.
fn attributes(number: usize, stamp: Stamp) -> List<Attribute, MAX_ATTRIBUTES> {
    let name = format!("person{number:06}");
    let all = [
        Is::SamAccountName(Some(Text::cut(&name))),
        Is::UserPrincipalName(Some(Text::cut(&format!("{name}@{DOMAIN}")))),
        Is::DisplayName(Some(Text::cut(&format!("Person {number}, née Прохор")))),
        Is::UserAccountControl(Some(0x200)),
        Is::AccountExpires(Some(i64::MAX)),
        Is::PwdLastSet(Some(WRITTEN_FILETIME)),
        Is::PrimaryGroupId(Some(513)),
        Is::Mail(Some(Text::cut(&format!("{name}@{DOMAIN}")))),
        Is::GivenName(Some(Text::cut("Person"))),
        Is::Surname(Some(Text::cut("Прохор"))),
        Is::Department(Some(Text::cut("Harbour and terns"))),
        Is::TelephoneNumber(Some(Text::cut("+49 30 901820"))),
    ];
    // Twelve are fewer than a record may have.
    List::new(all.map(|is| Attribute { stamp, is }).to_vec()).unwrap_or_default()
}
