//! The tenant alone takes uploads, as fast as one connection of a phs brings them, beside SQLite alone.
//! The digests are derived before; what is measured is all from the request to the receipt, which means: on the disk.

use crate::derivations::on_all_cores;
use crate::report::Comparison;
use crate::sync::joined;
use landbridge_agent::http::Client;
use landbridge_agent::{Identity, ProcessKey, tls};
use landbridge_crypto::salted_digest::Profile;
use landbridge_tests::lab::population::DOMAIN;
use landbridge_tests::lab::{Domain, LabError, Population};
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::upload::{
    Attribute, AttributeValue as Is, Hello, Kind, MAX_ATTRIBUTES, Mode, Password, Presence, Receipt, Record,
    Stamp, Upload,
};
use rusqlite::Connection;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// In one round, each way.
const DIGESTS: usize = 20_000;
/// In one upload, and in one transaction of SQLite's: as phs sends them.
const PORTION: usize = 250;
const ROUNDS: usize = 7;
/// Of a sealed digest in the tenant's database.
const SEALED: usize = 180;
/// Some day of 2025, in seconds since 1601 and as FILETIME.
const WRITTEN: u64 = 13_400_000_000;
const WRITTEN_FILETIME: i64 = 134_000_000_000_000_000;

/// In turns, each round into a tenant and a file of its own.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let domain = Domain::start(Population::of(50))?;
    let runtime = Runtime::new().map_err(|why| LabError::said("a runtime", &why))?;
    let sides = ["SQLite alone, a row each", "whole new accounts", "new digests of the same accounts"];
    let what = format!("Uploads of {PORTION} taken by the tenant, {DIGESTS} digests");
    let mut all = Comparison::new(what, "/s", "20,000 /s", &sides);
    for round in 0..ROUNDS {
        let [whole, digests] = tenant(&domain, &runtime)?;
        let alone = sqlite().map_err(|why| LabError::said("SQLite alone", &why))?;
        all.round(&[alone, whole, digests]);
        eprintln!("    ingest: round {} of {ROUNDS}", round + 1);
    }
    Ok(vec![all])
}

/// Rows a second, on the disk after every portion of them: whatever a tenant does, it does this too.
fn sqlite() -> rusqlite::Result<f64> {
    let folder = tempfile::tempdir().map_err(|why| rusqlite::Error::ToSqlConversionFailure(why.into()))?;
    let mut connection = Connection::open(folder.path().join("alone.db"))?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let table = "CREATE TABLE digests (object BLOB PRIMARY KEY, stamp BLOB NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID";
    connection.execute_batch(table)?;
    let objects: Vec<Uuid> = (0..DIGESTS).map(|_| Uuid::new_v4()).collect();
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
    Ok(DIGESTS as f64 / began.elapsed().as_secs_f64())
}

/// Digests a second of a new tenant: with whole accounts, and alone for the same.
fn tenant(domain: &Domain, runtime: &Runtime) -> Result<[f64; 2], LabError> {
    let (_tenant, phs) = joined(domain, Profile::Entra)?;
    let identity = Identity::load(phs.state()).map_err(|why| LabError::said("an identity", &why))?;
    let tls = tls::enrolled(&identity).map_err(|why| LabError::said("an identity", &why))?;
    let client = Client::new(&identity.url, tls).map_err(|why| LabError::said("a client", &why))?;
    let process = ProcessKey::generate().map_err(|why| LabError::said("a process key", &why))?;
    let (instance, process) = (process.name(), Arc::new(process));
    let client = client.proving(process, identity.agent);
    let mut sender = Sender { client, runtime, domain: domain.sid(), instance };
    let objects: Vec<Uuid> = (0..DIGESTS).map(|_| Uuid::new_v4()).collect();
    sender.hello()?;
    Ok([sender.send(&objects, 1)?, sender.send(&objects, 2)?])
}

/// What a phs is to the tenant.
struct Sender<'a> {
    client: Client,
    runtime: &'a Runtime,
    domain: &'a str,
    instance: Uuid,
}

impl Sender<'_> {
    fn hello(&mut self) -> Result<Receipt, LabError> {
        let hello = Hello { instance: self.instance, domain_sid: Text::cut(self.domain) };
        let answer = self.runtime.block_on(self.client.post("/v1/upload/hello", &hello));
        answer.map_err(|why| LabError::said("a hello", &why))
    }

    /// Digests a second. Of version 1 with all else that is known of an account, later ones alone.
    fn send(&mut self, objects: &[Uuid], version: u32) -> Result<f64, LabError> {
        let stamp = Stamp { version, time: WRITTEN, invocation_id: Uuid::from_u128(7) };
        let digests =
            on_all_cores(Profile::Entra, objects.len()).into_iter().map(|digest| Password { stamp, digest });
        let records = objects.iter().enumerate().zip(digests);
        let mut records = records.map(|((number, object), password)| Record {
            object: *object,
            kind: Kind::Account,
            sid: Some(Text::cut(&format!("{}-{}", self.domain, 100_000 + number))),
            presence: Presence::Present,
            privileged: false,
            protected_user: None,
            attributes: if version == 1 { attributes(number, stamp) } else { List::default() },
            password: Some(password),
            erase_password: false,
        });
        let cycle = Uuid::new_v4();
        let mut uploads = Vec::new();
        while uploads.len() * PORTION < objects.len() {
            let portion = records.by_ref().take(PORTION).collect();
            uploads.push(Upload {
                instance: self.instance,
                domain_sid: Text::cut(self.domain),
                cycle,
                mode: Mode::Incremental,
                policy: None,
                records: List::new(portion).map_err(|why| LabError::said("an upload", &why))?,
                links: List::default(),
                commit: None,
                most_swept: None,
                reserved: List::default(),
                level: 0,
            });
        }
        let began = Instant::now();
        let mut applied = 0;
        for upload in uploads {
            let answer = self.runtime.block_on(self.client.post("/v1/upload", &upload));
            let receipt: Receipt = answer.map_err(|why| LabError::said("an upload", &why))?;
            applied += usize::try_from(receipt.applied).unwrap_or(0);
        }
        let took = began.elapsed().as_secs_f64();
        if applied == objects.len() {
            Ok(applied as f64 / took)
        } else {
            Err(LabError::said("an upload", &format!("{applied} of {} records applied", objects.len())))
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
