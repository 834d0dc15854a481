//! A domain controller that answers as Windows is documented, or was seen, to answer where Samba answers otherwise. It
//! is a fake: no Windows was at hand. It has a KDC, an endpoint mapper and the replication interface at an address of
//! its own, all over TCP, with real Kerberos and sealed calls, so programs speak to it as they speak to a DC.
//!
//! What it does differently is a field of [`Behaviour`]; what happens once is a [`Trouble`]; what its domain holds is in
//! `objects`. To extend it:
//! - an attribute under an attid of its own (`msDS-IntId`): put a [`FakeAttribute`] with any attid into an object. It is
//!   sent when a request names that attid, or always if `unasked`.
//! - values of links of before 2003: a [`FakeAttribute`] with the attid of the link and values of
//!   [`objects::name_value`].
//! - another call: an arm in `answers::answer`.

mod answers;
pub mod objects;
mod reply;
mod rpc;

use super::address::Address;
use super::error::{Doing as _, LabError};
use landbridge_kerberos::realm::HonestRealm;
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

pub use objects::{FakeAttribute, FakeLink, FakeObject, SITE, domain, guid};

/// The port of its replication interface.
pub const PORT: u16 = 12_500;
/// Its name. The account that it knows has any name.
pub const NAME: &str = "win1.corp.example.com";

/// What the fake does, call after call.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// The replication epoch; calls of a bind with another one end in fault 8593.
    pub epoch: u32,
    /// The epoch that the answer to a bind names, if it is another one.
    pub named_epoch: Option<u32>,
    /// Bytes of DRS_EXTENSIONS_INT in the answer to a bind: 28 (2003), 48 (2008) or 52.
    pub extensions: usize,
    /// The endpoint mapper refuses clients without authentication (fault 5).
    pub mapper_closed: bool,
    /// A single object is read for an object that the DC knows alone; otherwise this extended code comes.
    pub unknown_caller: Option<u32>,
    /// A DSNAME with a SID alone names nothing (8439).
    pub refuses_sids: bool,
    /// DRSCrackNames knows several objects with a built-in SID, as a global catalog may.
    pub several_built_in: bool,
    /// The account has no right: 8453.
    pub missing_right: bool,
    /// Objects that exist and are answered with 8439, as where the account's entry is inherit-only.
    pub denied: BTreeSet<Uuid>,
    /// Objects of which a reply holds nothing.
    pub blank: BTreeSet<Uuid>,
    /// The forest has memberships that end by themselves. A client that offers to read replies of version 9 gets them.
    pub ending_links: bool,
    /// All links come on a first page, before every object.
    pub links_first: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            epoch: 0,
            named_epoch: None,
            extensions: 52,
            mapper_closed: false,
            unknown_caller: Some(6),
            refuses_sids: true,
            several_built_in: false,
            missing_right: false,
            denied: BTreeSet::new(),
            blank: BTreeSet::new(),
            ending_links: false,
            links_first: false,
        }
    }
}

/// What happens to one call after a bind, instead of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The server asks the client to hang up, and hangs up.
    Shutdown,
    /// The call gets no answer, and neither does any other on this connection.
    Swallowed,
    /// A fault with this status.
    Fault(u32),
    /// The return value of DRSGetNCChanges is this code.
    Code(u32),
}

/// A call that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// DRSBind with this epoch.
    Bind(u32),
    /// DRSUnbind.
    Unbind,
    /// DRSCrackNames: this form of name, and the name.
    Name(u32, String),
    /// DRSGetNCChanges for a single object, named by this GUID (nil for none), and whether with secrets.
    Object(Uuid, bool),
    /// DRSGetNCChanges for pages.
    Changes,
}

/// The fake. It answers until this process ends.
#[derive(Debug)]
pub struct WindowsFake {
    ip: IpAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    objects: Mutex<Vec<FakeObject>>,
    behaviour: Mutex<Behaviour>,
    troubles: Mutex<VecDeque<Trouble>>,
    calls: Mutex<Vec<Call>>,
    /// Connections to the replication interface, in all.
    connections: Mutex<u32>,
}

impl WindowsFake {
    /// Serves these objects.
    pub fn serve(objects: Vec<FakeObject>, behaviour: Behaviour) -> Result<Self, LabError> {
        let address = Address::claim()?;
        let ip = address.ip();
        let shared = Arc::new(Shared {
            objects: Mutex::new(objects),
            behaviour: Mutex::new(behaviour),
            troubles: Mutex::default(),
            calls: Mutex::default(),
            connections: Mutex::default(),
        });
        let listen = |port| TcpListener::bind((ip, port)).doing("serve a fake domain controller");
        let (kdc, mapper, replication) = (listen(88)?, listen(135)?, listen(PORT)?);
        // The address stays claimed as long as the servers listen there.
        std::thread::spawn(move || {
            let _held = address;
            rpc::serve_kdc(&kdc);
        });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || rpc::serve_mapper(&mapper, &served));
        let served = Arc::clone(&shared);
        std::thread::spawn(move || rpc::serve_replication(&replication, &served));
        Ok(Self { ip, shared })
    }

    /// Its address.
    pub fn address(&self) -> IpAddr {
        self.ip
    }

    /// The content of a keytab for an account of this name.
    pub fn keytab(&self, account: &str) -> Vec<u8> {
        realm().keytab(account)
    }

    /// Changes what it does from the next call on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut lock(&self.shared.behaviour));
    }

    /// Changes what its domain holds.
    pub fn edit(&self, change: impl FnOnce(&mut Vec<FakeObject>)) {
        change(&mut lock(&self.shared.objects));
    }

    /// The next call after a bind meets this trouble. Further ones meet those that are added later, one each.
    pub fn next_call_meets(&self, trouble: Trouble) {
        lock(&self.shared.troubles).push_back(trouble);
    }

    /// The calls since the last look.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut lock(&self.shared.calls))
    }

    /// Connections to the replication interface so far.
    pub fn connections(&self) -> u32 {
        *lock(&self.shared.connections)
    }
}

/// The realm, now.
fn realm() -> HonestRealm {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    HonestRealm { now }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
