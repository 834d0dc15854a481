//! One session with one DC: find the port, authenticate, bind, then pages of changes and single objects.
//! A machine: it returns the next step, the caller acts and answers. It opens no socket and waits for nothing.
//! Before it: `rpc::association`, `drs::*`. After it: `phs::read::pull`.

use crate::drs::attribute::Attribute;
use crate::drs::bind::{self, Handle};
use crate::drs::change::{Link, Page, Progress, Quarantined};
use crate::drs::cursor::{COOKIE, Cursor, VectorEntry};
use crate::drs::name;
use crate::drs::page::{self, Asked};
use crate::drs::refusal::{self, Asking};
use crate::drs::reply;
use crate::drs::request::{GET_CHANGES, Request, What};
use crate::error::Error;
use crate::rpc::association::{Association, Operation};
use crate::rpc::epm;
use crate::rpc::machine::{CallerIo, Machine};
use crate::rpc::security::Security;
use landbridge_crypto::drs_secret::SessionKeys;
use landbridge_kerberos::client::Client;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use crate::drs::request::{Attributes, ObjectId, Order, Start};
pub use crate::rpc::machine::{Answer, MAX_KDC_REPLY, Step};

/// The most objects in one page.
pub const MAX_PAGE: u32 = 1000;

/// Whom to replicate from, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// DNS name of the domain, `corp.example.com`.
    pub domain: String,
    /// Full DNS name of the DC, `dc1.corp.example.com`: it is in the service principal name.
    pub controller: String,
    /// sAMAccountName of the delegated account, for errors.
    pub account: String,
    /// The most objects in one page, 1 to 1000.
    pub page_objects: u32,
    /// What is asked for besides what always is.
    pub further: Vec<Attribute>,
    /// Whether containers are to come before what is in them.
    pub ancestors: bool,
}

/// A session with a DC.
pub struct Replica {
    machine: Machine,
}

impl Replica {
    /// Prepares a session. Nothing happens before the first [`Replica::next_step`].
    pub fn new(target: Target, client: Arc<Client>) -> Result<Self, Error> {
        let security = Security::new(client, &target.controller, &target.domain)?;
        Ok(Self { machine: Machine::new(|io| session(io, target, security)) })
    }

    /// The next step; `now` is since 1970-01-01 UTC. After an error, or [`Step::Finished`], the session is over.
    pub fn next_step(&mut self, now: Duration) -> Result<Step, Error> {
        self.machine.next_step(now)
    }

    /// Passes on the answer to the last step.
    pub fn answer(&mut self, answer: Answer) {
        self.machine.answer(answer);
    }
}

/// The whole of a session, in its order.
async fn session(io: CallerIo, target: Target, security: Security) -> Result<(), Error> {
    io.connect(epm::PORT).await?;
    let mut mapper = Association::bind(&io, epm::INTERFACE, None).await?;
    let towers = mapper.call(MAP, &epm::encode(bind::INTERFACE)).await?;
    io.connect(epm::decode(&towers)?).await?;

    let association = Association::bind(&io, bind::INTERFACE, Some(security)).await?;
    let mut session = Session::bind(association, target).await?;
    loop {
        let page = match io.order().await? {
            Order::Changes { from, what } => session.changes(from, what).await,
            Order::Object { which, secrets } => session.object(&which, secrets).await,
            Order::Account(name) => session.account(&name).await,
            Order::Finish => return session.unbind().await,
        };
        match page {
            Err(error @ Error::UnknownObject { .. }) => io.refused(error).await?,
            outcome => io.page(outcome?).await?,
        }
    }
}

const MAP: Operation = Operation { name: "the question for its replication port", number: epm::MAP };
const BIND: Operation = Operation { name: "the replication bind", number: bind::BIND };
const UNBIND: Operation = Operation { name: "the replication unbind", number: bind::UNBIND };
const CHANGES: Operation = Operation { name: "the replication request", number: GET_CHANGES };
const NAMES: Operation = Operation { name: "the question for a name", number: name::CRACK_NAMES };

/// The most links of a group that is read alone: it is held in memory.
const MAX_GROUP: usize = 500_000;

struct Session {
    association: Association,
    handle: Handle,
    target: Target,
    naming_context: String,
    session_key: Zeroizing<Vec<u8>>,
    keys: Arc<SessionKeys>,
    cycle: Option<Cycle>,
}

/// From a start to the last page.
struct Cycle {
    /// Where it started; none at the beginning.
    from: Option<Cursor>,
    /// The database that answers; the first page tells.
    source: Option<Uuid>,
    cookie: [u8; COOKIE],
    /// Whose cookie that is.
    invocation_id: Uuid,
}

impl Session {
    async fn bind(mut association: Association, target: Target) -> Result<Self, Error> {
        let mut bound = bind::decode(&association.call(BIND, &bind::encode(false)).await?)?;
        if bound.has_ending_links() {
            association.call(UNBIND, &bind::encode_unbind(bound.handle)).await?;
            bound = bind::decode(&association.call(BIND, &bind::encode(true)).await?)?;
        }
        let session_key = association.security().ok_or(Error::OutOfOrder("no security"))?.session_key()?;
        let mut keys = SessionKeys::new();
        keys.push_newest(session_key.clone());
        let labels = target.domain.split('.').map(|label| format!("DC={label}"));
        let naming_context = labels.collect::<Vec<_>>().join(",");
        let keys = Arc::new(keys);
        Ok(Self { association, handle: bound.handle, target, naming_context, session_key, keys, cycle: None })
    }

    async fn changes(&mut self, from: Start, what: Attributes) -> Result<Page, Error> {
        match from {
            Start::Beginning => self.cycle = Some(Cycle::beginning()),
            Start::Cursor(cursor) => self.cycle = Some(Cycle::since(cursor)),
            Start::NextPage => {}
        }
        let mut cycle = self.cycle.take().ok_or(Error::OutOfOrder("a next page, where none is due"))?;
        let mut page = self.page_of(&cycle, what).await?;
        if cycle.source.is_none() && cycle.is_of_another(&page)? {
            // The request named the cookie's database, so the DC must have ignored the cookie. Do not rely on that.
            cycle.forget_cookie();
            page = self.page_of(&cycle, what).await?;
        }
        cycle.check(&page)?;
        match (&mut page.page.progress, &cycle.from) {
            (Progress::Last(now), Some(from)) => now.remember(from),
            (Progress::More, _) => {
                cycle.go_on(&page);
                self.cycle = Some(cycle);
            }
            (Progress::Last(_) | Progress::Object, _) => {}
        }
        Ok(page.page)
    }

    async fn page_of(&mut self, cycle: &Cycle, what: Attributes) -> Result<Received, Error> {
        let (naming_context, further) = (self.naming_context.clone(), self.target.further.clone());
        let request = Request {
            what: What::Domain { dn: &naming_context, ancestors: self.target.ancestors },
            invocation_id: cycle.invocation_id,
            cookie: cycle.cookie,
            vector: cycle.vector(),
            max_objects: self.target.page_objects.clamp(1, MAX_PAGE),
            attributes: what,
            further: &further,
        };
        self.ask(&request, Asked::Changes { secrets: what == Attributes::WithSecrets }).await
    }

    async fn account(&mut self, sam: &str) -> Result<Page, Error> {
        let principal = format!("{sam}@{}", self.target.domain);
        let stub = self.association.call(NAMES, &name::encode(self.handle, &principal)).await?;
        let guid = name::decode(&stub, &principal)?;
        self.object(&ObjectId::Guid(guid), false).await
    }

    async fn object(&mut self, which: &ObjectId, secrets: bool) -> Result<Page, Error> {
        // The DC forgets where a cycle on this handle was.
        self.cycle = None;
        let further = self.target.further.clone();
        let request = Request {
            what: What::Object(which),
            invocation_id: Uuid::nil(),
            cookie: [0; COOKIE],
            vector: &[],
            max_objects: 1,
            attributes: Attributes::of(secrets),
            further: &further,
        };
        let Received { mut page, more, .. } = self.ask(&request, Asked::Object { secrets }).await?;
        if !page::is_object(&page, which) {
            return Err(Error::Protocol("another object than the one that was asked for".to_owned()));
        }
        if more {
            let object = page.changes.first().map(|change| change.object.guid);
            let object = object.ok_or(Error::TooLarge("the links of an object that cannot be read"))?;
            (page.links, page.quarantined) = self.links_of(object).await?;
        }
        Ok(page)
    }

    /// All links of a group that has more than the DC puts into one reply. Samba sends 1499, says that there
    /// are more, and begins again when asked for them; so they are picked out of all links of the domain.
    async fn links_of(&mut self, group: Uuid) -> Result<(Vec<Link>, Vec<Quarantined>), Error> {
        let naming_context = self.naming_context.clone();
        let mut cycle = Cycle::beginning();
        let (mut links, mut quarantined) = (Vec::new(), Vec::new());
        loop {
            let request = Request {
                what: What::Domain { dn: &naming_context, ancestors: false },
                invocation_id: cycle.invocation_id,
                cookie: cycle.cookie,
                vector: &[],
                max_objects: MAX_PAGE,
                attributes: Attributes::OnlyLinks,
                further: &[],
            };
            let received = self.ask(&request, Asked::Changes { secrets: false }).await?;
            cycle.check(&received)?;
            cycle.go_on(&received);
            links.extend(received.page.links.into_iter().filter(|link| link.from.guid == group));
            quarantined.extend(received.page.quarantined.into_iter().filter(|odd| odd.object == Some(group)));
            if links.len() > MAX_GROUP {
                return Err(Error::TooLarge("the links of a single group"));
            }
            match received.page.progress {
                Progress::More => {}
                Progress::Last(_) | Progress::Object => return Ok((links, quarantined)),
            }
        }
    }

    async fn ask(&mut self, request: &Request<'_>, asked: Asked) -> Result<Received, Error> {
        let stub = self.association.call(CHANGES, &request.encode(self.handle)).await?;
        self.keys = self.newest_keys()?;
        let object = match request.what {
            What::Domain { .. } => None,
            What::Object(object) => Some(object),
        };
        let asking = Asking { account: &self.target.account, naming_context: &self.naming_context, object };
        let reply = reply::decode(&stub).map_err(|error| refusal::explain(error, asking))?;
        if reply.drs_error != 0 {
            let error = Error::Refused { operation: CHANGES.name, code: reply.drs_error };
            return Err(refusal::explain(error, asking));
        }
        let page = page::read(&reply, asked, Arc::clone(&self.keys))?;
        Ok(Received { page, cookie: reply.cookie, more: reply.more })
    }

    /// An authentication in the middle of a session would change the key.
    fn newest_keys(&mut self) -> Result<Arc<SessionKeys>, Error> {
        let key = self.association.security().ok_or(Error::OutOfOrder("no security"))?.session_key()?;
        if *key == *self.session_key {
            return Ok(Arc::clone(&self.keys));
        }
        self.session_key = key.clone();
        Ok(Arc::new(self.keys.with_newest(key)))
    }

    async fn unbind(mut self) -> Result<(), Error> {
        self.association.call(UNBIND, &bind::encode_unbind(self.handle)).await.map(|_| ())
    }
}

struct Received {
    page: Page,
    cookie: [u8; COOKIE],
    more: bool,
}

impl Cycle {
    fn beginning() -> Self {
        Self { from: None, source: None, cookie: [0; COOKIE], invocation_id: Uuid::nil() }
    }

    fn since(cursor: Cursor) -> Self {
        let (cookie, invocation_id) = (*cursor.cookie(), cursor.invocation_id());
        Self { from: Some(cursor), source: None, cookie, invocation_id }
    }

    fn vector(&self) -> &[VectorEntry] {
        self.from.as_ref().map_or(&[], Cursor::vector)
    }

    /// Another DC than the cursor's answers. If it is the same with another database, it was restored.
    fn is_of_another(&self, received: &Received) -> Result<bool, Error> {
        let source = received.page.source;
        match &self.from {
            Some(from) if from.invocation_id() == source.invocation_id => Ok(false),
            Some(from) if from.dsa() == source.dsa => Err(Error::Restored { dsa: source.dsa }),
            Some(_) => Ok(true),
            None => Ok(false),
        }
    }

    fn go_on(&mut self, received: &Received) {
        self.cookie = received.cookie;
        self.invocation_id = received.page.source.invocation_id;
    }

    fn forget_cookie(&mut self) {
        self.cookie = [0; COOKIE];
        self.invocation_id = Uuid::nil();
    }

    /// One database answers from the first page to the last, and it is not behind its own past.
    fn check(&mut self, received: &Received) -> Result<(), Error> {
        let source = received.page.source;
        if *self.source.get_or_insert(source.invocation_id) != source.invocation_id {
            return Err(Error::Restored { dsa: source.dsa });
        }
        let (Progress::Last(now), Some(from)) = (&received.page.progress, &self.from) else { return Ok(()) };
        let own = |cursor: &Cursor| {
            let entry = cursor.vector().iter().find(|entry| entry.invocation_id == source.invocation_id);
            entry.map(|entry| entry.usn)
        };
        let cookie = (from.invocation_id() == source.invocation_id).then(|| from.usn());
        let before = own(from).max(cookie);
        match (before, own(now)) {
            (Some(before), Some(now)) if now < before => {
                Err(Error::Rollback { dsa: source.dsa, before, now })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
