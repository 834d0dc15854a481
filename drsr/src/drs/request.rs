//! What can be asked of a bound session, and the stub that asks it: IDL_DRSGetNCChanges with
//! DRS_MSG_GETCHGREQ_V8 (MS-DRSR 4.1.10.2.7).
//! Before it: `bind`. After it: the DC, and then `reply`.

use crate::drs::bind::Handle;
use crate::drs::cursor::{COOKIE, Cursor, VectorEntry};
use crate::drs::dsname;
use crate::drs::further::Further;
use crate::drs::prefix_table::{Known, RequestTable, WANTED};
use crate::drs::sid::Sid;
use crate::rpc::ndr::Writer;
use uuid::Uuid;

/// The operation's number.
pub const GET_CHANGES: u16 = 3;

/// An order to a bound session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// A page of changes.
    Changes {
        /// From where.
        from: Start,
        /// Which attributes.
        what: Attributes,
    },
    /// One object alone, whole (EXOP_REPL_OBJ), with its links. On a session that pages through changes
    /// this makes the DC start again: use a second one.
    Object {
        /// Which.
        which: ObjectId,
        /// With password attributes, or with these withheld by the DC.
        secrets: bool,
    },
    /// One account alone, found by its sAMAccountName, whole and without secrets.
    Account(String),
    /// Unbind and finish.
    Finish,
}

/// From where a page of changes starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Everything.
    Beginning,
    /// What changed since this cursor. With another DC than the cursor's, its vector alone is used.
    Cursor(Cursor),
    /// The page after the last one of this session.
    NextPage,
}

/// How a single object is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectId {
    /// By objectGUID.
    Guid(Uuid),
    /// By objectSid.
    Sid(Sid),
    /// By distinguished name.
    Dn(String),
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Guid(guid) => guid.fmt(f),
            Self::Sid(sid) => sid.fmt(f),
            Self::Dn(dn) => dn.fmt(f),
        }
    }
}

/// DRS_OPTIONS (MS-DRSR 5.41)
const WRITABLE: u32 = 0x0000_0010;
const INIT_SYNC: u32 = 0x0000_0020;
const GET_ANCESTORS: u32 = 0x0000_0800;
const GET_NC_SIZE: u32 = 0x0000_1000;
const SPECIAL_SECRET_PROCESSING: u32 = 0x0040_0000;

/// EXOP_REPL_OBJ (MS-DRSR 4.1.10.2.22)
const REPLICATE_OBJECT: u32 = 6;

/// A hint that Windows honours and Samba does not: memory is bounded by the objects and the answer's size.
const MAX_BYTES: u32 = 8 << 20;

/// What one request asks for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// What is read.
    pub what: What<'a>,
    /// `uuidDsaObjDest`: for whom. A strict DC reads a single object only for an object that it knows: its site will do.
    pub destination: Uuid,
    /// Whose cookie this is; nil with none.
    pub invocation_id: Uuid,
    /// `usnvecFrom`, as the DC gave it.
    pub cookie: [u8; COOKIE],
    /// What is known of every database.
    pub vector: &'a [VectorEntry],
    /// The most objects in the reply.
    pub max_objects: u32,
    /// Which attributes.
    pub attributes: Attributes,
    /// And which beside them.
    pub further: &'a [Further],
}

/// Which attributes are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attributes {
    /// All that are used, passwords included.
    WithSecrets,
    /// All that are used, passwords withheld by the DC.
    WithoutSecrets,
    /// Linked attributes alone: links, and hardly an object.
    OnlyLinks,
}

impl Attributes {
    /// With the passwords or without.
    pub fn of(secrets: bool) -> Self {
        if secrets { Self::WithSecrets } else { Self::WithoutSecrets }
    }
}

/// A domain's changes, or one object.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// All of it.
    Domain {
        /// Its distinguished name.
        dn: &'a str,
        /// Containers come before what is in them, which costs the DC a search for each object.
        ancestors: bool,
    },
    /// Alone.
    Object(&'a ObjectId),
}

impl Request<'_> {
    /// The stub.
    pub fn encode(&self, handle: Handle) -> Vec<u8> {
        let mut flags = INIT_SYNC | WRITABLE;
        if self.attributes != Attributes::WithSecrets {
            flags |= SPECIAL_SECRET_PROCESSING;
        }
        let extended = match self.what {
            What::Domain { ancestors, .. } => {
                flags |= GET_NC_SIZE | if ancestors { GET_ANCESTORS } else { 0 };
                0
            }
            What::Object(_) => REPLICATE_OBJECT,
        };

        let mut stub = Writer::new();
        stub.raw(&handle.0);
        stub.u32(8); // version
        stub.u32(8); // union switch
        stub.align(8);
        stub.uuid(self.destination);
        stub.uuid(self.invocation_id);
        stub.pointer(true); // naming context
        stub.align(8);
        stub.raw(&self.cookie);
        stub.pointer(!self.vector.is_empty());
        stub.u32(flags);
        stub.u32(self.max_objects);
        stub.u32(MAX_BYTES);
        stub.u32(extended);
        stub.u64(0); // FSMO
        stub.pointer(true); // partial attribute set
        stub.pointer(false); // and more of it
        let table = RequestTable::of(self.further);
        stub.count(table.count());
        stub.pointer(true);

        match self.what {
            What::Domain { dn, .. } => dsname::write(&mut stub, Uuid::nil(), None, dn),
            What::Object(ObjectId::Guid(guid)) => dsname::write(&mut stub, *guid, None, ""),
            What::Object(ObjectId::Sid(sid)) => dsname::write(&mut stub, Uuid::nil(), Some(sid), ""),
            What::Object(ObjectId::Dn(dn)) => dsname::write(&mut stub, Uuid::nil(), None, dn),
        }
        self.write_vector(&mut stub);
        self.write_attributes(&mut stub, &table);
        table.write(&mut stub);
        stub.into_bytes()
    }

    /// UPTODATE_VECTOR_V1_EXT (MS-DRSR 5.204)
    fn write_vector(&self, stub: &mut Writer) {
        if self.vector.is_empty() {
            return;
        }
        stub.count(self.vector.len());
        stub.align(8);
        stub.u32(1); // version
        stub.u32(0);
        stub.count(self.vector.len());
        stub.u32(0);
        for entry in self.vector {
            stub.uuid(entry.invocation_id);
            stub.u64(entry.usn);
        }
    }

    /// PARTIAL_ATTR_VECTOR_V1_EXT (MS-DRSR 5.146)
    fn write_attributes(&self, stub: &mut Writer, table: &RequestTable<'_>) {
        let all = self.attributes != Attributes::OnlyLinks;
        let wanted = WANTED.iter().filter(|(known, _, _)| all || matches!(known, Known::Linked(_)));
        let further = self.further.iter().filter(|_| all).flat_map(|one| table.attids(one));
        let mut attids: Vec<u32> = wanted.map(|(_, attid, _)| *attid).chain(further).collect();
        attids.sort_unstable();
        attids.dedup();
        stub.count(attids.len());
        stub.u32(1); // version
        stub.u32(0);
        stub.count(attids.len());
        attids.iter().for_each(|attid| stub.u32(*attid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attids_are_sent_in_their_order_and_each_once_with_those_that_ad_chose_at_the_end() {
        use crate::drs::attribute::{Attribute, COMPANY};
        use crate::drs::further::SchemaId;
        let numbered = |id| Further::of_this_schema(Attribute::Extension(1), id);
        let mut further: Vec<Further> =
            Further::of_every_schema(Attribute::Described(&COMPANY)).into_iter().collect();
        let ids = [(Some("-1707123711"), 3), (Some("-2147483647"), 4), (None, 5)];
        let ids = ids.map(|(int_id, last)| SchemaId::parse(int_id, &format!("1.3.6.1.4.1.99999.7.{last}")));
        further.extend(ids.into_iter().flatten().map(numbered));
        further.extend(further.clone());
        let mut request = Request {
            destination: Uuid::nil(),
            what: What::Domain { dn: "DC=corp", ancestors: false },
            invocation_id: Uuid::nil(),
            cookie: [0; COOKIE],
            vector: &[],
            max_objects: 1,
            attributes: Attributes::WithSecrets,
            further: &further,
        };
        let sent = |request: &Request<'_>| -> Vec<u32> {
            let mut stub = Writer::new();
            request.write_attributes(&mut stub, &RequestTable::of(request.further));
            stub.into_bytes().as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).skip(4).collect()
        };
        let attids = sent(&request);
        assert!(attids.is_sorted_by(|one, next| one < next), "{attids:x?}");
        assert_eq!(attids.len(), WANTED.len() + 6);
        let last = [0x0065_0003, 0x0065_0004, 0x0065_0005, 0x8000_0001, 0x9a3f_5c01];
        assert!(attids.ends_with(&last), "{attids:x?}");
        assert!(attids.contains(&0x0002_0092));
        request.attributes = Attributes::OnlyLinks;
        assert!(sent(&request).iter().all(|attid| *attid < 0x8000_0000));
    }

    #[test]
    fn containers_come_first_only_where_that_is_asked_for() {
        let flags = |ancestors| {
            let request = Request {
                what: What::Domain { dn: "DC=corp", ancestors },
                destination: Uuid::nil(),
                invocation_id: Uuid::nil(),
                cookie: [0; COOKIE],
                vector: &[],
                max_objects: 1,
                attributes: Attributes::WithoutSecrets,
                further: &[],
            };
            let stub = request.encode(Handle([0; 20]));
            // Handle, version, union, two GUIDs, a pointer, the cookie and another pointer stand before.
            let at = 20 + 4 + 4 + 4 + 16 + 16 + 8 + COOKIE + 4;
            stub.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes)
        };
        let always = INIT_SYNC | WRITABLE | SPECIAL_SECRET_PROCESSING | GET_NC_SIZE;
        assert_eq!(flags(false), Some(always));
        assert_eq!(flags(true), Some(always | GET_ANCESTORS));
    }
}
