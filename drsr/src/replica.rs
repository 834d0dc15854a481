//! One session with one DC: find the port, authenticate, bind, then pages of changes and single objects.
//! A machine: it returns the next step, the caller acts and answers. It opens no socket and waits for nothing.
//! Before it: `rpc::association`, `drs::*`. After it: `phs::read::pull`.

use crate::drs::bind::{self, Bound};
use crate::drs::change::{Link, Page, Progress, Quarantined};
use crate::drs::cursor::{COOKIE, Cursor, VectorEntry};
use crate::drs::further::Further;
use crate::drs::name::{self, Form, Found};
use crate::drs::page::{self, Asked};
use crate::drs::refusal::{self, Asking};
use crate::drs::reply;
use crate::drs::request::{GET_CHANGES, Request, What};
use crate::drs::sid::Sid;
use crate::error::Error;
use crate::rpc::association::{Association, Operation};
use crate::rpc::epm;
use crate::rpc::machine::{CallerIo, Machine};
use crate::rpc::security::Security;
use landbridge_crypto::drs_secret::SessionKeys;
use landbridge_kerberos::client::Client;
use std::collections::HashMap;
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
    /// The TCP port of directory replication. If none, the endpoint mapper at port 135 names it.
    pub port: Option<u16>,
    /// sAMAccountName of the delegated account, for errors.
    pub account: String,
    /// The most objects in one page, 1 to 1000.
    pub page_objects: u32,
    /// Attributes that are requested beside the usual ones.
    pub further: Vec<Further>,
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
    let port = match target.port {
        Some(port) => port,
        None => mapped_port(&io).await?,
    };
    io.connect(port).await?;
    let naming_context = naming_context(&target.domain);
    let asking = Asking { account: &target.account, naming_context: &naming_context, object: None, epoch: 0 };
    let association = Association::bind(&io, bind::INTERFACE, Some(security)).await;
    let association = association.map_err(|error| refusal::explain(error, asking))?;
    let mut session = Session::bind(association, target).await?;
    loop {
        let page = match io.order(session.bound).await? {
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

/// The port of directory replication, by the endpoint mapper.
async fn mapped_port(io: &CallerIo) -> Result<u16, Error> {
    io.connect(epm::PORT).await?;
    let mut mapper = Association::bind(io, epm::INTERFACE, None).await.map_err(refusal::of_mapper)?;
    let towers = mapper.call(MAP, &epm::encode(bind::INTERFACE)).await.map_err(refusal::of_mapper)?;
    epm::decode(&towers)
}

/// The distinguished name of a domain's head.
fn naming_context(domain: &str) -> String {
    domain.split('.').map(|label| format!("DC={label}")).collect::<Vec<_>>().join(",")
}

const MAP: Operation = Operation { name: "the question for its replication port", number: epm::MAP };
const BIND: Operation = Operation { name: "the replication bind", number: bind::BIND };
const UNBIND: Operation = Operation { name: "the replication unbind", number: bind::UNBIND };
const CHANGES: Operation = Operation { name: "the replication request", number: GET_CHANGES };
const NAMES: Operation = Operation { name: name::OPERATION, number: name::CRACK_NAMES };

/// The most links of a group that is read alone: it is held in memory.
const MAX_GROUP: usize = 500_000;
/// What the SIDs of built-in groups begin with.
const BUILT_IN: &str = "S-1-5-32-";
/// Limit on SIDs whose objectGUIDs are remembered. Those of protected groups and trustees are some dozens.
const MAX_RESOLVED: usize = 1_000;

struct Session {
    association: Association,
    bound: Bound,
    target: Target,
    naming_context: String,
    session_key: Zeroizing<Vec<u8>>,
    keys: Arc<SessionKeys>,
    cycle: Option<Cycle>,
    /// The objectGUIDs of SIDs, which never change.
    resolved: HashMap<Sid, Uuid>,
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
        let naming_context = naming_context(&target.domain);
        let asking =
            |epoch| Asking { account: &target.account, naming_context: &naming_context, object: None, epoch };
        // 1. With epoch 0, which all domains have that were never renamed.
        let answer = association.call(BIND, &bind::encode(0, false)).await;
        let mut bound = answer
            .and_then(|stub| bind::decode(&stub))
            .map_err(|error| refusal::explain(error, asking(0)))?;
        // 2. Once more with the epoch that the DC named, and with the offer to read when links end, if there are such. If
        //    it names yet another epoch then, no call would succeed.
        let ending_links = bound.has_ending_links();
        if bound.epoch != 0 || ending_links {
            let epoch = bound.epoch;
            match association.call(UNBIND, &bind::encode_unbind(bound.handle)).await {
                // The handle is given up either way.
                Ok(_) | Err(Error::Fault { .. }) => {}
                Err(error) => return Err(error),
            }
            let answer = association.call(BIND, &bind::encode(epoch, ending_links)).await;
            bound = answer
                .and_then(|stub| bind::decode(&stub))
                .map_err(|error| refusal::explain(error, asking(epoch)))?;
            if bound.epoch != epoch {
                return Err(Error::OtherEpoch { sent: epoch });
            }
        }
        // 3. What secrets in the replies are sealed under.
        let session_key = association.security().ok_or(Error::OutOfOrder("no security"))?.session_key()?;
        let mut keys = SessionKeys::new();
        keys.push_newest(session_key.clone());
        let (keys, resolved) = (Arc::new(keys), HashMap::new());
        Ok(Self { association, bound, target, naming_context, session_key, keys, cycle: None, resolved })
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
            destination: bind::CLIENT,
            invocation_id: cycle.invocation_id,
            cookie: cycle.cookie,
            vector: cycle.vector(),
            max_objects: self.target.page_objects.clamp(1, MAX_PAGE),
            attributes: what,
            further: &further,
        };
        match self.ask(&request, Asked::Changes { secrets: what == Attributes::WithSecrets }).await {
            // As for a single object: what exists may be denied.
            Err(error @ Error::UnknownName { .. }) => {
                match self.look_up(Form::Distinguished, &naming_context).await? {
                    Found::One { .. } => Err(self.asking(None).missing_right()),
                    Found::Several | Found::None => Err(error),
                }
            }
            other => other,
        }
    }

    async fn account(&mut self, sam: &str) -> Result<Page, Error> {
        let principal = format!("{sam}@{}", self.target.domain);
        let unknown = || Error::UnknownObject { object: principal.clone() };
        match self.look_up(Form::Principal, &principal).await? {
            Found::One { guid, .. } => self.object(&ObjectId::Guid(guid), false).await,
            Found::Several | Found::None => Err(unknown()),
        }
    }

    /// One object of the domain, read by its objectGUID, whatever it is named by: Windows and Samba agree on that form
    /// alone.
    async fn object(&mut self, which: &ObjectId, secrets: bool) -> Result<Page, Error> {
        let unknown = || Error::UnknownObject { object: which.to_string() };
        // 1. Its objectGUID.
        let found = match which {
            ObjectId::Guid(guid) => Found::One { guid: *guid, domain: None },
            ObjectId::Dn(dn) => self.look_up(Form::Distinguished, dn).await?,
            ObjectId::Sid(sid) => match self.resolved.get(sid) {
                Some(guid) => Found::One { guid: *guid, domain: None },
                None => self.look_up(Form::Sid, &sid.to_string()).await?,
            },
        };
        let guid = match found {
            Found::One { guid, .. } => guid,
            Found::None => return Err(unknown()),
            Found::Several => return self.own_of_several(which, secrets).await,
        };
        // 2. The object. Windows says that there is none also where the account may not read it. An object that
        //    exists and is not sent must not be taken for one that is gone: members of a group would get lost.
        let page = match self.alone(&ObjectId::Guid(guid), secrets).await {
            Err(Error::UnknownObject { .. }) => {
                self.resolved.retain(|_, known| *known != guid);
                return match self.look_up(Form::Guid, &format!("{{{guid}}}")).await? {
                    Found::One { .. } | Found::Several => Err(self.asking(None).missing_right()),
                    Found::None => Err(unknown()),
                };
            }
            other => other?,
        };
        // 3. A SID leads to another object as well: to one that has it in its history.
        if let ObjectId::Sid(sid) = which {
            if page.changes.iter().any(|change| change.object.sid.as_ref() != Some(sid)) {
                return Err(unknown());
            }
            if self.resolved.len() < MAX_RESOLVED {
                self.resolved.insert(sid.clone(), guid);
            }
        }
        Ok(page)
    }

    /// Of several objects with a SID the one of the domain. A global catalog holds the built-in groups of each domain.
    async fn own_of_several(&mut self, which: &ObjectId, secrets: bool) -> Result<Page, Error> {
        let ambiguous = || Error::Ambiguous { object: which.to_string() };
        if !matches!(which, ObjectId::Sid(_)) {
            return Err(ambiguous());
        }
        let page = match self.alone(which, secrets).await {
            Err(Error::UnknownObject { .. }) => return Err(ambiguous()),
            other => other?,
        };
        // `CN=…,DC=corp,DC=example` is of this domain, and `CN=…,DC=child,DC=corp,DC=example` is not.
        let domain = format!(",{}", self.naming_context.to_lowercase());
        let is_own = |dn: &str| {
            let dn = dn.to_lowercase();
            dn.strip_suffix(&domain)
                .is_some_and(|inside| !inside.split(',').any(|part| part.starts_with("dc=")))
        };
        if page.changes.iter().all(|change| is_own(&change.object.dn)) { Ok(page) } else { Err(ambiguous()) }
    }

    /// Looks a name up. An object of another domain, which a global catalog holds too, is none of this one's. Each domain
    /// has the built-in groups, with the same SIDs, so the DC that found another domain's holds this one's beside it.
    async fn look_up(&mut self, form: Form, name: &str) -> Result<Found, Error> {
        let stub = name::encode(self.bound.handle, form, name);
        let answer = self.association.call(NAMES, &stub).await;
        let found = answer
            .and_then(|stub| name::decode(&stub))
            .map_err(|error| refusal::explain(error, self.asking(None)))?;
        Ok(match found {
            Found::One { domain: Some(domain), .. }
                if domain.to_lowercase() != self.target.domain.to_lowercase() =>
            {
                let built_in = form == Form::Sid && name.starts_with(BUILT_IN);
                if built_in { Found::Several } else { Found::None }
            }
            found @ (Found::One { .. } | Found::Several | Found::None) => found,
        })
    }

    fn asking<'a>(&'a self, object: Option<&'a ObjectId>) -> Asking<'a> {
        let (account, naming_context) = (self.target.account.as_str(), self.naming_context.as_str());
        Asking { account, naming_context, object, epoch: self.bound.epoch }
    }

    /// One object alone, by a name of this form.
    async fn alone(&mut self, which: &ObjectId, secrets: bool) -> Result<Page, Error> {
        // The DC forgets where a cycle on this handle was.
        self.cycle = None;
        let further = self.target.further.clone();
        let request = Request {
            what: What::Object(which),
            destination: if self.bound.site.is_nil() { bind::CLIENT } else { self.bound.site },
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
                destination: bind::CLIENT,
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
        let answer = self.association.call(CHANGES, &request.encode(self.bound.handle)).await;
        if answer.is_ok() {
            self.keys = self.newest_keys()?;
        }
        let object = match request.what {
            What::Domain { .. } => None,
            What::Object(object) => Some(object),
        };
        let asking = self.asking(object);
        let stub = answer.map_err(|error| refusal::explain(error, asking))?;
        let reply = reply::decode(&stub).map_err(|error| refusal::explain(error, asking))?;
        if reply.drs_error != 0 {
            let error = Error::Refused { operation: CHANGES.name, code: reply.drs_error };
            return Err(refusal::explain(error, asking));
        }
        let page = page::read(&reply, asked, request.further, Arc::clone(&self.keys));
        let page = page.map_err(|error| refusal::explain(error, asking))?;
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
        self.association.call(UNBIND, &bind::encode_unbind(self.bound.handle)).await.map(|_| ())
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
