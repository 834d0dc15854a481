//! The ids of attributes that only the schema of the forest tells. AD gives an attribute that was added later (by
//! Exchange's setup, say) a random number, `msDS-IntId`, and replication names it by that number alone. The schema
//! cannot be read by replication without more rights; every account may read it by LDAP.
//!
//! So phs proves itself by Kerberos at the LDAP port of the DC that it reads, and the DC proves itself too, by the
//! service name that only DCs have; everything after that is sealed. Two searches follow: where the schema is, and the
//! attributes in it. Of those that the configuration names none may be missing: a filter by it would let everybody in.
//! The others are carried where the schema has them. They need no LDAP: without it the ids that were read last count.
//! Neighbours: [`super::ldap`] has the messages, [`super::session`] reads the schema for each session.

use super::ldap::{self, Attributes, Depth, LdapError, MAX_BIND_ANSWER, MAX_ENTRIES, any, one_of, search};
use super::pull::{self, Directory, Error, OPENING, Principal, PullError, Sockets};
use landbridge_drsr::drs::attribute::Attribute;
use landbridge_drsr::drs::further::{Further, SchemaId};
use landbridge_kerberos::as_exchange::{AsExchange, Next};
use landbridge_kerberos::kdc::Ticket;
use landbridge_kerberos::random::SystemRandom;
use landbridge_kerberos::sasl::{MAX_TOKEN, MECHANISM, Opening, SealedStream};
use landbridge_kerberos::tgs_exchange::TgsExchange;
use uuid::{Uuid, uuid};

/// What is read of each attribute.
const WANTED: [&str; 8] = [
    "lDAPDisplayName",
    "attributeID",
    "msDS-IntId",
    "attributeSyntax",
    "isSingleValued",
    "isDefunct",
    "systemFlags",
    "attributeSecurityGUID",
];
/// String(Unicode), the one syntax that is read (MS-ADTS 3.1.1.2.2.2).
const UNICODE: &str = "2.5.5.12";
/// FLAG_ATTR_NOT_REPLICATED and FLAG_ATTR_IS_CONSTRUCTED (MS-ADTS 2.2.10): no DC sends such an attribute.
const NOT_SENT: i64 = 0x1 | 0x4;
/// The property set Personal Information (MS-ADTS 3.1.1.2.3.3): people write its attributes in their own account.
const PERSONAL_INFORMATION: Uuid = uuid!("77b5b886-944a-11d1-aebd-0000f80367c1");

/// An attribute as the forest's schema has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InSchema {
    /// The attribute, with its id.
    pub further: Further,
    /// Whether people write it in their own account.
    pub own: bool,
    /// Whether `[scope]` or `alternate_login` names it.
    pub is_configured: bool,
}

/// What the schema says of the attributes that are requested and that not every schema has.
#[derive(Debug, Default)]
pub struct Found {
    /// Those that can be requested, by name.
    pub attributes: Vec<InSchema>,
    /// Those that the configuration does not name and whose values cannot be read, with the reason; it completes a
    /// sentence that begins with the attribute's name and `, which`.
    pub unusable: Vec<(&'static str, String)>,
    /// Why the schema could not be read. The configuration names none of its attributes then.
    pub unread: Option<PullError>,
}

impl Found {
    /// The ids as text, for the mirror.
    pub fn to_text(&self) -> String {
        let line = |InSchema { further, .. }: &InSchema| {
            let id = further.id();
            let number = id.int_id().map_or_else(|| "-".to_owned(), |number| number.to_string());
            format!("{} {number} {}", further.attribute().name(), id.oid())
        };
        self.attributes.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// The ids of `attributes` in a text of [`Found::to_text`]. What is no such text has none.
pub fn from_text(text: &str, attributes: &[Attribute]) -> Vec<InSchema> {
    let line = |line: &str| {
        let mut words = line.split(' ');
        let (name, number, oid) = (words.next()?, words.next()?, words.next()?);
        let attribute = *attributes.iter().find(|attribute| attribute.name() == name)?;
        let id = SchemaId::parse((number != "-").then_some(number), oid)?;
        let further = Further::of_this_schema(attribute, id);
        Some(InSchema { further, own: false, is_configured: false })
    };
    text.lines().filter_map(line).collect()
}

/// Reads the ids of the attributes that `directory` requests and that not every schema has. `login` is the one that is a
/// further sign-in name.
///
/// # Errors
/// The account is refused. Of an attribute that the configuration names: the DC does not answer by LDAP or refuses; the
/// schema lacks it, or has it in a form that cannot be used.
pub fn read(directory: &Directory, login: Option<Attribute>) -> Result<Found, PullError> {
    // 1. Which attributes.
    let mut configured: Vec<Attribute> = directory.further.clone();
    configured.retain(|attribute| Further::of_every_schema(*attribute).is_none());
    let mut wanted = [&configured[..], &directory.extensions].concat();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(Found::default());
    }
    // 2. The proof of the account, as for replication. Its errors are the same as there.
    let mut sockets = Sockets::new(directory.controller.clone(), OPENING);
    let ticket = ticket(directory, &sockets)?;
    // 3. The schema.
    let names: Vec<&str> = wanted.iter().map(|attribute| attribute.name()).collect();
    let entries = sockets
        .connect(ldap::PORT)
        .map_err(Failure::from)
        .and_then(|()| LdapConnection::bind(&mut sockets, ticket))
        .and_then(|mut connection| connection.attributes(&names));
    let entries = match entries {
        Ok(entries) => entries,
        Err(why) => {
            let why = match why {
                Failure::Sockets(why) => why,
                Failure::Directory(why) => sockets.refused(why),
            };
            if configured.is_empty() {
                return Ok(Found { unread: Some(why), ..Found::default() });
            }
            let names: Vec<&str> = configured.iter().map(|attribute| attribute.name()).collect();
            return Err(PullError::SchemaUnread { attributes: names.join(", "), why: Box::new(why) });
        }
    };
    // 4. What it says of each.
    let mut found = Found::default();
    for attribute in wanted {
        let is_configured = configured.contains(&attribute);
        if !is_configured && !entries.iter().any(|entry| is_entry_of(entry, attribute)) {
            continue;
        }
        match identify(&entries, attribute, login) {
            Ok(one) => found.attributes.push(InSchema { is_configured, ..one }),
            Err(PullError::UnusableAttribute { attribute, why }) if !is_configured => {
                found.unusable.push((attribute, why));
            }
            Err(why) => return Err(why),
        }
    }
    Ok(found)
}

/// Whether an entry of the schema is that of an attribute, and in use.
fn is_entry_of(entry: &Attributes, attribute: Attribute) -> bool {
    let name = text(entry, "lDAPDisplayName");
    name.is_some_and(|name| name.eq_ignore_ascii_case(attribute.name()))
        && text(entry, "isDefunct") != Some("TRUE")
}

/// An attribute among the entries of the schema that were found.
///
/// # Errors
/// It is not there, or cannot be used.
pub fn identify(
    entries: &[Attributes],
    attribute: Attribute,
    login: Option<Attribute>,
) -> Result<InSchema, PullError> {
    let unusable = |why: String| PullError::UnusableAttribute { attribute: attribute.name(), why };
    let mut found = entries.iter().filter(|entry| is_entry_of(entry, attribute));
    let entry = match (found.next(), found.next()) {
        (Some(entry), None) => entry,
        (None, _) => {
            return Err(unusable("the schema of this forest lacks, so nobody has a value of it".to_owned()));
        }
        (Some(_), Some(_)) => return Err(unusable("the schema of this forest has twice".to_owned())),
    };
    let id = SchemaId::parse(text(entry, "msDS-IntId"), text(entry, "attributeID").unwrap_or_default());
    let id = id.ok_or_else(|| unusable("has no usable id in the schema of this forest".to_owned()))?;
    let syntax = text(entry, "attributeSyntax").unwrap_or_default();
    if syntax != UNICODE {
        let why = format!(
            "has the syntax {syntax} in the schema of this forest, where phs reads {UNICODE} (a text)"
        );
        return Err(unusable(why));
    }
    if text(entry, "isSingleValued") != Some("TRUE") {
        return Err(unusable("may have several values in the schema of this forest".to_owned()));
    }
    let flags: i64 = text(entry, "systemFlags").and_then(|flags| flags.parse().ok()).unwrap_or(0);
    if flags & NOT_SENT != 0 {
        return Err(unusable("is not replicated, by the schema of this forest".to_owned()));
    }
    let set: Option<[u8; 16]> =
        entry.get("attributesecurityguid").and_then(|values| values.first()?.as_slice().try_into().ok());
    let own = set.is_some_and(|set| Uuid::from_bytes_le(set) == PERSONAL_INFORMATION);
    if own && login == Some(attribute) {
        let why = "people write in their own account, so a person could sign in under another one's name";
        return Err(unusable(why.to_owned()));
    }
    Ok(InSchema { further: Further::of_this_schema(attribute, id), own, is_configured: true })
}

/// The first value of an attribute of an entry, if it is a text.
fn text<'a>(entry: &'a Attributes, name: &str) -> Option<&'a str> {
    std::str::from_utf8(entry.get(&name.to_ascii_lowercase())?.first()?).ok()
}

/// A ticket for the DC. The service name has the domain in it: a member computer cannot have such a one.
fn ticket(directory: &Directory, sockets: &Sockets) -> Result<Ticket, PullError> {
    let refused = |error: landbridge_kerberos::Error| sockets.refused(error.into());
    let names = ["ldap", &directory.controller.name, &directory.domain];
    let service = Principal::service(&names, &directory.domain).map_err(refused)?;
    let (mut exchange, mut request) =
        AsExchange::begin(&directory.client, &mut SystemRandom).map_err(refused)?;
    let granting = loop {
        let reply = sockets.kdc(&request)?;
        match exchange.answer(&reply, pull::now(), &mut SystemRandom).map_err(refused)? {
            Next::Send(next) => request = next,
            Next::Done(ticket) => break ticket,
        }
    };
    let (exchange, request) = TgsExchange::begin(&granting, service, pull::now(), &mut SystemRandom);
    exchange.answer(&sockets.kdc(&request)?, pull::now()).map_err(refused)
}

/// What fails on a connection: its socket, or what the DC answers.
enum Failure {
    Sockets(PullError),
    Directory(Error),
}

impl From<PullError> for Failure {
    fn from(error: PullError) -> Self {
        Self::Sockets(error)
    }
}

impl From<landbridge_kerberos::Error> for Failure {
    fn from(error: landbridge_kerberos::Error) -> Self {
        Self::Directory(error.into())
    }
}

impl From<LdapError> for Failure {
    fn from(error: LdapError) -> Self {
        let operation = "the reading of the schema by LDAP";
        Self::Directory(match error {
            LdapError::Refused { code } => Error::Refused { operation, code: code.into() },
            LdapError::Unreadable(_) => Error::Protocol(error.to_string()),
        })
    }
}

/// A connection on which everything is sealed.
struct LdapConnection<'a> {
    sockets: &'a mut Sockets,
    sealed: SealedStream,
    id: u8,
}

impl<'a> LdapConnection<'a> {
    /// Binds by SASL on the connection that is there.
    fn bind(sockets: &'a mut Sockets, ticket: Ticket) -> Result<Self, Failure> {
        let mut step = |id: u8, credentials: &[u8]| {
            sockets.send(&ldap::bind(id, MECHANISM, credentials))?;
            let mut answer = Vec::new();
            loop {
                match ldap::missing(&answer, MAX_BIND_ANSWER)? {
                    0 => return Ok::<_, Failure>(ldap::bind_answer(id, &answer)?),
                    count => answer.extend(sockets.receive(count)?),
                }
            }
        };
        // 1. The account's proof, and the DC's.
        let (opening, token) = Opening::begin(ticket, pull::now(), &mut SystemRandom);
        let proof = step(1, &token)?;
        let negotiation = opening.answer(&proof.credentials, pull::now())?;
        // 2. Nothing, and the DC's offer of protection.
        let offer = step(2, &[])?;
        if proof.done || offer.done {
            return Err(LdapError::Unreadable("the bind ends too early").into());
        }
        let (sealed, choice) = negotiation.answer(&offer.credentials)?;
        // 3. The choice to seal.
        if !step(3, &choice)?.done {
            return Err(LdapError::Unreadable("the bind does not end").into());
        }
        Ok(Self { sockets, sealed, id: 3 })
    }

    /// The entries of the schema for attributes with these names.
    fn attributes(&mut self, names: &[&str]) -> Result<Vec<Attributes>, Failure> {
        const SCHEMA: &str = "schemaNamingContext";
        let root = self.search("", Depth::Base, &any(), &[SCHEMA])?;
        let place = root.first().and_then(|root| text(root, SCHEMA));
        let place = place.ok_or(LdapError::Unreadable("the DC does not name its schema"))?;
        self.search(place, Depth::OneLevel, &one_of("lDAPDisplayName", names), &WANTED)
    }

    fn search(
        &mut self,
        base: &str,
        depth: Depth,
        filter: &[u8],
        wanted: &[&str],
    ) -> Result<Vec<Attributes>, Failure> {
        self.id += 1;
        let token = self.sealed.seal(&search(self.id, base, depth, filter, wanted), &mut SystemRandom);
        let length = u32::try_from(token.len()).unwrap_or(u32::MAX).to_be_bytes();
        self.sockets.send(&[&length[..], &token].concat())?;
        let mut answer = ldap::Answer::to(self.id, MAX_TOKEN.into(), MAX_ENTRIES);
        loop {
            // A token has its length in front, four bytes (RFC 4422 3.7).
            let length = self.sockets.receive(4)?;
            let length = length.first_chunk().map_or(u32::MAX, |length| u32::from_be_bytes(*length));
            let length = u16::try_from(length).map_err(|_| LdapError::Unreadable("it is too long"))?;
            let token = self.sockets.receive(length.into())?;
            if let Some(entries) = answer.add(&self.sealed.open(&token)?)? {
                return Ok(entries);
            }
        }
    }
}

#[cfg(test)]
mod tests;
