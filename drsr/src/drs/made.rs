//! Writes replies of IDL_DRSCrackNames and IDL_DRSGetNCChanges, for tests only: what MS-DRSR allows and Samba does not send, such as links
//! from before 2003, links that end, links before their objects, and pages without an object.
//! Never recorded from a Windows DC.

use crate::drs::cursor::COOKIE;
use crate::drs::dsname;
use crate::drs::prefix_table::RequestTable;
use crate::drs::reply::write_attributes;
use crate::rpc::ndr::Writer;
use uuid::Uuid;

/// `member`, `manager` and `msDS-PSOAppliesTo` in the prefix table of these replies.
pub(crate) const MEMBER: u32 = 0x0000_001f;
pub(crate) const MANAGER: u32 = 0x0015_000a;
pub(crate) const APPLIES_TO: u32 = 0x0009_07e4;
/// `msDS-AssignedAuthNPolicy`
pub(crate) const POLICY: u32 = 0x0009_08ed;
/// `userAccountControl`
pub(crate) const CONTROL: u32 = 0x0009_0008;

/// The database that all stamps name.
pub(crate) const DATABASE: Uuid = Uuid::from_u128(77);

/// A reply.
#[derive(Default)]
pub(crate) struct MadeReply {
    /// DRS_MSG_GETCHGREPLY_V9 in place of V6.
    pub(crate) v9: bool,
    pub(crate) objects: Vec<MadeObject>,
    pub(crate) links: Vec<MadeLink>,
    /// Another page follows.
    pub(crate) more: bool,
    /// The answer to a single object.
    pub(crate) alone: bool,
}

/// An object, by a number that its GUID is made of.
pub(crate) struct MadeObject {
    pub(crate) id: u128,
    /// attid, version of its stamp, values.
    pub(crate) attributes: Vec<(u32, u32, Vec<Vec<u8>>)>,
}

/// A link in `rgValues`.
#[derive(Clone, Copy)]
pub(crate) struct MadeLink {
    pub(crate) attid: u32,
    pub(crate) from: u128,
    pub(crate) to: u128,
    pub(crate) present: bool,
    pub(crate) created: u64,
    pub(crate) version: u32,
    /// DSTIME; 0: none.
    pub(crate) expires: u64,
}

/// A DSNAME as a value.
pub(crate) fn name(id: u128) -> Vec<u8> {
    let mut writer = Writer::new();
    dsname::write(&mut writer, Uuid::from_u128(id), None, &format!("CN={id}"));
    writer.into_bytes().split_off(4)
}

impl MadeReply {
    /// The stub.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let last = !self.more && !self.alone;
        let table = RequestTable::of(&[]);
        let mut stub = Writer::new();
        let version = if self.v9 { 9 } else { 6 };
        stub.u32(version);
        stub.u32(version);
        stub.align(8);
        stub.uuid(Uuid::from_u128(1));
        stub.uuid(DATABASE);
        stub.pointer(false); // pNC
        stub.align(8);
        stub.raw(&[0; COOKIE]); // usnvecFrom
        stub.raw(&[3; COOKIE]); // usnvecTo
        stub.pointer(last); // pUpToDateVecSrc
        stub.count(table.count());
        stub.pointer(true);
        stub.u32(u32::from(self.alone)); // ulExtendedRet
        stub.count(self.objects.len());
        stub.u32(0); // cNumBytes
        stub.pointer(!self.objects.is_empty());
        stub.u32(u32::from(self.more));
        stub.u32(0); // cNumNcSizeObjects
        stub.u32(0); // cNumNcSizeValues
        stub.count(self.links.len());
        stub.pointer(!self.links.is_empty());
        stub.u32(0); // dwDRSError

        if last {
            stub.count(1);
            stub.align(8);
            stub.u32(2);
            stub.u32(0);
            stub.u32(1);
            stub.u32(0);
            stub.align(8);
            stub.uuid(DATABASE);
            stub.u64(9);
            stub.u64(0);
        }
        table.write(&mut stub);
        self.write_objects(&mut stub);
        self.write_links(&mut stub);
        stub.u32(0); // the return value
        stub.into_bytes()
    }

    /// The fixed parts of all, and then what they point to, from the last one back to the first.
    fn write_objects(&self, stub: &mut Writer) {
        for (at, object) in self.objects.iter().enumerate() {
            stub.pointer(at + 1 < self.objects.len());
            stub.pointer(true); // pName
            stub.u32(0); // ulFlags
            stub.count(object.attributes.len());
            stub.pointer(!object.attributes.is_empty());
            stub.u32(0); // fIsNCPrefix
            stub.pointer(false); // pParentGuid
            stub.pointer(true); // pMetaDataExt
        }
        for object in self.objects.iter().rev() {
            dsname::write(stub, Uuid::from_u128(object.id), None, &format!("CN={}", object.id));
            let block = object.attributes.iter().map(|(attid, _, values)| (*attid, values.as_slice()));
            write_attributes(stub, &block.collect::<Vec<_>>());
            stub.count(object.attributes.len());
            stub.align(8);
            stub.count(object.attributes.len());
            for (_, version, _) in &object.attributes {
                write_stamp(stub, *version);
            }
        }
    }

    fn write_links(&self, stub: &mut Writer) {
        if !self.links.is_empty() {
            stub.count(self.links.len());
        }
        for link in &self.links {
            stub.align(8);
            stub.pointer(true); // pObject
            stub.u32(link.attid);
            stub.count(name(link.to).len());
            stub.pointer(true); // pVal
            stub.u32(u32::from(link.present));
            stub.u64(link.created);
            write_stamp(stub, link.version);
            if self.v9 {
                stub.raw(&[0; 12]);
                stub.u64(link.expires);
            }
        }
        for link in &self.links {
            dsname::write(stub, Uuid::from_u128(link.from), None, &format!("CN={}", link.from));
            let value = name(link.to);
            stub.count(value.len());
            stub.raw(&value);
        }
    }
}

fn write_stamp(stub: &mut Writer, version: u32) {
    stub.align(8);
    stub.u32(version);
    stub.u64(1_000 + u64::from(version));
    stub.uuid(DATABASE);
    stub.u64(0); // usnProperty
}

/// A reply of IDL_DRSCrackNames about one name: its status, domain and name in the form that was asked for.
pub(crate) fn name_reply(status: u32, domain: Option<&str>, name: Option<&str>) -> Vec<u8> {
    let mut stub = Writer::new();
    stub.u32(1);
    stub.u32(1);
    stub.pointer(true);
    stub.u32(1);
    stub.pointer(true);
    stub.u32(1);
    stub.u32(status);
    stub.pointer(domain.is_some());
    stub.pointer(name.is_some());
    for text in [domain, name].into_iter().flatten() {
        let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        stub.count(units.len());
        stub.u32(0);
        stub.count(units.len());
        units.iter().for_each(|unit| stub.u16(*unit));
        stub.align(4);
    }
    stub.u32(0);
    stub.into_bytes()
}
