//! Writes DRS_MSG_GETCHGREPLY_V6 and V9 (MS-DRSR 4.1.10.2.12, 4.1.10.2.14), the mirror image of what `drsr` reads.

use super::objects::{BASE, FakeLink, FakeObject, UNICODE_PWD, name_value};
use crate::oracle::drs_secret::seal;
use landbridge_drsr::drs::dsname;
use landbridge_drsr::drs::reply::write_attributes;
use landbridge_drsr::rpc::ndr::Writer;
use uuid::Uuid;

/// The objectGUID of the DC, and its invocation id.
const DSA: Uuid = Uuid::from_u128(0xd5a);
const INVOCATION: Uuid = Uuid::from_u128(0x1d);
/// When everything was written: seconds since 1601.
const WRITTEN: u64 = 13_400_000_000;
/// The prefixes of attids, and last the entry with the schema's version, whose index is that of the first.
const PREFIXES: [(u32, &[u8]); 8] = [
    (0, &[0x55, 0x04]),
    (1, &[0x55, 0x06]),
    (2, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0x02]),
    (3, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0x03]),
    (9, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0x04]),
    (10, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0x05]),
    (21, &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01]),
    (0, &[0xff, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
];

/// What a reply holds.
pub(super) struct Sent<'a> {
    pub(super) objects: &'a [FakeObject],
    /// Objects whose links are sent.
    pub(super) links_of: &'a [FakeObject],
    /// The attributes that were asked for.
    pub(super) attids: &'a [u32],
    /// Secrets are sealed under this key; without one they are withheld.
    pub(super) key: Option<&'a [u8]>,
    /// `ulExtendedRet`
    pub(super) extended: u32,
    /// Where the next page starts.
    pub(super) next: usize,
    /// `fMoreData`
    pub(super) more: bool,
    /// The reply is of version 9, where links may have an end.
    pub(super) v9: bool,
}

/// An attribute as it is sent.
struct Attribute {
    attid: u32,
    values: Vec<Vec<u8>>,
}

/// A refusal with this return value.
pub(super) fn refused(code: u32) -> Vec<u8> {
    let sent = Sent {
        objects: &[],
        links_of: &[],
        attids: &[],
        key: None,
        extended: 0,
        next: 0,
        more: true,
        v9: false,
    };
    let mut stub = write(&[], &sent);
    stub.truncate(stub.len() - 4);
    stub.extend(code.to_le_bytes());
    stub
}

/// The stub; `domain` has the targets of the links.
pub(super) fn write(domain: &[FakeObject], sent: &Sent<'_>) -> Vec<u8> {
    let find = |guid: Uuid| domain.iter().find(|object| object.guid == guid);
    let links: Vec<(&FakeObject, &FakeLink, Vec<u8>)> = sent
        .links_of
        .iter()
        .flat_map(|object| object.links.iter().map(move |link| (object, link)))
        .filter(|(_, link)| sent.attids.contains(&link.attid))
        .filter_map(|(object, link)| Some((object, link, name_value(find(link.to)?))))
        .collect();

    // 1. What does not vary.
    let mut stub = Writer::new();
    let version = if sent.v9 { 9 } else { 6 };
    stub.u32(version);
    stub.u32(version);
    stub.align(8);
    stub.uuid(DSA);
    stub.uuid(INVOCATION);
    stub.pointer(false); // naming context
    stub.align(8);
    stub.raw(&[0; 24]); // from
    stub.u64(u64::try_from(sent.next).unwrap_or(0));
    stub.raw(&[0; 16]);
    let has_vector = !sent.more && sent.extended == 0;
    stub.pointer(has_vector);
    stub.count(PREFIXES.len());
    stub.pointer(true);
    stub.u32(sent.extended);
    stub.count(sent.objects.len());
    stub.u32(0); // bytes
    stub.pointer(!sent.objects.is_empty());
    stub.u32(sent.more.into());
    stub.u32(0); // objects in the domain
    stub.u32(0); // links in the domain
    stub.count(links.len());
    stub.pointer(!links.is_empty());
    stub.u32(0); // dwDRSError

    // 2. What is pointed to, in the order of the pointers.
    if has_vector {
        stub.count(1);
        stub.align(8);
        stub.u32(2);
        stub.u32(0);
        stub.count(1);
        stub.u32(0);
        stub.uuid(INVOCATION);
        stub.u64(u64::try_from(sent.next).unwrap_or(0));
        stub.u64(WRITTEN);
    }
    stub.count(PREFIXES.len());
    for (index, prefix) in PREFIXES {
        stub.u32(index);
        stub.count(prefix.len());
        stub.pointer(true);
    }
    for (_, prefix) in PREFIXES {
        stub.count(prefix.len());
        stub.raw(prefix);
    }
    write_objects(&mut stub, sent);
    write_links(&mut stub, &links, sent.v9);
    stub.u32(0); // return value
    stub.into_bytes()
}

/// The fixed parts of all objects, and then what they point to, from the last one back to the first.
fn write_objects(stub: &mut Writer, sent: &Sent<'_>) {
    let blocks: Vec<Vec<Attribute>> = sent.objects.iter().map(|object| attributes(object, sent)).collect();
    for (at, (object, block)) in sent.objects.iter().zip(&blocks).enumerate() {
        stub.pointer(at + 1 < blocks.len());
        stub.pointer(true); // name
        stub.u32(0); // flags
        stub.count(block.len());
        stub.pointer(!block.is_empty());
        stub.u32((object.dn == BASE).into());
        stub.pointer(false); // parent
        stub.pointer(true); // metadata
    }
    for (object, block) in sent.objects.iter().zip(&blocks).rev() {
        stub.align(4);
        dsname::write(stub, object.guid, object.sid.as_ref(), &object.dn);
        let pairs = block.iter().map(|Attribute { attid, values }| (*attid, values.as_slice()));
        write_attributes(stub, &pairs.collect::<Vec<_>>());
        stub.count(block.len());
        stub.align(8);
        stub.count(block.len());
        block.iter().for_each(|_| write_stamp(stub));
    }
}

/// The attributes of an object that a request gets.
fn attributes(object: &FakeObject, sent: &Sent<'_>) -> Vec<Attribute> {
    let asked = object.attributes.iter().filter(|one| one.unasked || sent.attids.contains(&one.attid));
    let mut block: Vec<Attribute> =
        asked.map(|one| Attribute { attid: one.attid, values: one.values.clone() }).collect();
    if let Some(hash) = object.nt_hash.filter(|_| sent.attids.contains(&UNICODE_PWD)) {
        let rid = object.sid.as_ref().map_or(0, landbridge_drsr::drs::sid::Sid::rid);
        let sealed = sent.key.map(|key| seal(key, [0x5a; 16], rid, hash));
        block.push(Attribute { attid: UNICODE_PWD, values: sealed.into_iter().collect() });
    }
    block
}

fn write_links(stub: &mut Writer, links: &[(&FakeObject, &FakeLink, Vec<u8>)], v9: bool) {
    if links.is_empty() {
        return;
    }
    stub.count(links.len());
    for (_, link, value) in links {
        stub.align(8);
        stub.pointer(true);
        stub.u32(link.attid);
        stub.count(value.len());
        stub.pointer(true);
        stub.u32(link.present.into());
        stub.u64(WRITTEN); // created
        write_stamp(stub);
        if v9 {
            stub.raw(&[0; 12]);
            stub.u64(link.expires);
        }
    }
    for (object, _, value) in links {
        dsname::write(stub, object.guid, object.sid.as_ref(), &object.dn);
        stub.count(value.len());
        stub.raw(value);
    }
}

/// PROPERTY_META_DATA_EXT
fn write_stamp(stub: &mut Writer) {
    stub.align(8);
    stub.u32(1); // version
    stub.u64(WRITTEN);
    stub.uuid(INVOCATION);
    stub.u64(1); // USN
}
