//! The answer of IDL_DRSGetNCChanges: DRS_MSG_GETCHGREPLY_V6 or V9 (MS-DRSR 4.1.10.2.12, 4.1.10.2.14), taken apart
//! without saying what it means. Nothing is copied, nothing recurses, and no count is believed. The two versions differ
//! in the links alone: those of V9 may have an end.
//! Every arm of the union is named; those that are never asked for end in `Unsupported`.
//! Before it: `request`, and the DC. After it: `page`.

use crate::drs::cursor::{COOKIE, MAX_VECTOR, VectorEntry};
use crate::drs::dsname::RawName;
use crate::drs::prefix_table::PrefixTable;
use crate::error::Error;
use crate::rpc::ndr::{Malformed, Reader};
use uuid::Uuid;

/// The most objects that are read from one reply, whatever was asked for.
pub const MAX_OBJECTS: usize = 10_000;

/// A reply in parts.
#[derive(Debug)]
pub struct Reply<'a> {
    /// `uuidDsaObjSrc`
    pub dsa: Uuid,
    /// `uuidInvocIdSrc`
    pub invocation_id: Uuid,
    /// `usnvecTo`
    pub cookie: [u8; COOKIE],
    /// `pUpToDateVecSrc`, on the last page.
    pub vector: Option<Vec<VectorEntry>>,
    /// `PrefixTableSrc`
    pub prefixes: PrefixTable<'a>,
    /// `ulExtendedRet`
    pub extended: u32,
    /// `pObjects`, in the DC's order.
    pub objects: Vec<RawObject<'a>>,
    /// `fMoreData`
    pub more: bool,
    /// `cNumNcSizeObjects`; 0 when it was not asked for or is not known.
    pub objects_in_domain: u32,
    /// `rgValues`
    pub links: Vec<RawLink<'a>>,
    /// `dwDRSError`
    pub drs_error: u32,
}

/// REPLENTINFLIST (MS-DRSR 5.166)
#[derive(Debug)]
pub struct RawObject<'a> {
    /// `pName`
    pub name: Option<RawName<'a>>,
    /// `fIsNCPrefix`
    pub domain_head: bool,
    /// `pParentGuid`
    pub parent: Option<Uuid>,
    /// `AttrBlock`
    pub attributes: Vec<RawAttribute<'a>>,
    /// `pMetaDataExt`: one for each attribute.
    pub metadata: Vec<RawStamp>,
}

/// ATTR (MS-DRSR 5.9)
#[derive(Debug)]
pub struct RawAttribute<'a> {
    /// `attrTyp`, to be read through the reply's prefix table.
    pub attid: u32,
    /// `AttrVal`; none when the attribute was removed.
    pub values: Vec<&'a [u8]>,
}

/// PROPERTY_META_DATA_EXT (MS-DRSR 5.162)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawStamp {
    /// `dwVersion`
    pub version: u32,
    /// `timeChanged`
    pub time: u64,
    /// `uuidDsaOriginating`
    pub invocation_id: Uuid,
}

/// REPLVALINF_V1 or REPLVALINF_V3 (MS-DRSR 5.167, 5.168)
#[derive(Debug)]
pub struct RawLink<'a> {
    /// `pObject`
    pub object: Option<RawName<'a>>,
    /// `attrTyp`
    pub attid: u32,
    /// `Aval`
    pub value: &'a [u8],
    /// `fIsPresent`
    pub present: bool,
    /// `timeCreated`
    pub created: u64,
    /// `MetaData`
    pub stamp: RawStamp,
    /// `timeExpired`, in seconds since 1601-01-01; 0: the value does not end by itself.
    pub expires: u64,
}

/// Reads a stub. The DC's refusals are [`Error::Refused`] with its code.
pub fn decode(stub: &[u8]) -> Result<Reply<'_>, Error> {
    let mut reader = Reader::new(stub);
    let version = reader.u32()?;
    if reader.u32()? != version {
        return Err(reader.malformed("a union of two minds").into());
    }
    // A refusal comes with an empty arm, and not always with the one that was asked for.
    let code = stub.last_chunk::<4>().map_or(0, |code| u32::from_le_bytes(*code));
    let links = match version {
        6 => LinkForm::V1,
        9 => LinkForm::V3,
        1 | 2 | 7 if code != 0 && stub.len() < 512 => return Err(refused(code)),
        1 => return Err(Error::Unsupported("a change reply of version 1")),
        2 => return Err(Error::Unsupported("a compressed change reply of version 2")),
        7 => return Err(Error::Unsupported("a compressed change reply of version 7")),
        _ => return Err(reader.malformed("a change reply of an unknown version").into()),
    };
    let (reply, code) = native(&mut reader, links)?;
    if code != 0 {
        return Err(refused(code));
    }
    Ok(reply)
}

fn refused(code: u32) -> Error {
    Error::Refused { operation: "the replication request", code }
}

/// How links are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LinkForm {
    /// REPLVALINF_V1
    V1,
    /// REPLVALINF_V3: with an end.
    V3,
}

fn native<'a>(reader: &mut Reader<'a>, form: LinkForm) -> Result<(Reply<'a>, u32), Malformed> {
    reader.align(8);
    let dsa = reader.uuid()?;
    let invocation_id = reader.uuid()?;
    let has_name = reader.pointer()?;
    reader.align(8);
    reader.raw(COOKIE)?; // usnvecFrom
    let early = reader.malformed("an early end");
    let cookie = *reader.raw(COOKIE)?.first_chunk::<COOKIE>().ok_or(early)?;
    let has_vector = reader.pointer()?;
    let prefix_count = reader.u32()?;
    let has_prefixes = reader.pointer()?;
    let extended = reader.u32()?;
    let object_count = reader.u32()?;
    reader.u32()?; // cNumBytes
    let has_objects = reader.pointer()?;
    let more = reader.u32()? != 0;
    let objects_in_domain = reader.u32()?;
    reader.u32()?; // cNumNcSizeValues
    let link_count = reader.u32()?;
    let has_links = reader.pointer()?;
    let drs_error = reader.u32()?;

    if has_name {
        RawName::read(reader)?;
    }
    let vector = if has_vector { Some(read_vector(reader)?) } else { None };
    let prefixes =
        if has_prefixes { PrefixTable::read(reader, prefix_count)? } else { PrefixTable::default() };
    let objects = if has_objects { read_objects(reader)? } else { Vec::new() };
    if u32::try_from(objects.len()) != Ok(object_count) {
        return Err(reader.malformed("another number of objects than was announced"));
    }
    let links = if has_links { read_links(reader, link_count, form)? } else { Vec::new() };
    let code = reader.u32()?;
    reader.end()?;
    let reply = Reply {
        dsa,
        invocation_id,
        cookie,
        vector,
        prefixes,
        extended,
        objects,
        more,
        objects_in_domain,
        links,
        drs_error,
    };
    Ok((reply, code))
}

/// UPTODATE_VECTOR_V1_EXT or V2_EXT (MS-DRSR 5.204, 5.205)
fn read_vector(reader: &mut Reader<'_>) -> Result<Vec<VectorEntry>, Malformed> {
    let count = reader.count(24)?;
    reader.align(8);
    let version = reader.u32()?;
    reader.u32()?;
    let repeated = reader.u32()?;
    reader.u32()?;
    if count > MAX_VECTOR || u32::try_from(count) != Ok(repeated) || !(1..=2).contains(&version) {
        return Err(reader.malformed("an up-to-dateness vector that cannot be"));
    }
    (0..count)
        .map(|_| {
            reader.align(8);
            let entry = VectorEntry { invocation_id: reader.uuid()?, usn: reader.u64()? };
            if version == 2 {
                reader.u64()?; // timeLastSyncSuccess
            }
            Ok(entry)
        })
        .collect()
}

struct FixedPart {
    has_name: bool,
    attribute_count: u32,
    has_attributes: bool,
    domain_head: bool,
    has_parent: bool,
    has_metadata: bool,
}

/// `pNextEntInf` is the first member, so NDR puts the fixed parts of all entries first, and then what they
/// point to, from the last entry back to the first.
fn read_objects<'a>(reader: &mut Reader<'a>) -> Result<Vec<RawObject<'a>>, Malformed> {
    let mut fixed = Vec::new();
    loop {
        if fixed.len() == MAX_OBJECTS {
            return Err(reader.malformed("too many objects"));
        }
        let has_next = reader.pointer()?;
        let has_name = reader.pointer()?;
        reader.u32()?; // ulFlags
        fixed.push(FixedPart {
            has_name,
            attribute_count: reader.u32()?,
            has_attributes: reader.pointer()?,
            domain_head: reader.u32()? != 0,
            has_parent: reader.pointer()?,
            has_metadata: reader.pointer()?,
        });
        if !has_next {
            break;
        }
    }
    let mut objects =
        fixed.iter().rev().map(|fixed| read_object(reader, fixed)).collect::<Result<Vec<_>, _>>()?;
    objects.reverse();
    Ok(objects)
}

fn read_object<'a>(reader: &mut Reader<'a>, fixed: &FixedPart) -> Result<RawObject<'a>, Malformed> {
    let name = if fixed.has_name { Some(RawName::read(reader)?) } else { None };
    let attributes =
        if fixed.has_attributes { read_attributes(reader, fixed.attribute_count)? } else { Vec::new() };
    let parent = if fixed.has_parent { Some(reader.uuid()?) } else { None };
    let metadata = if fixed.has_metadata { read_metadata(reader)? } else { Vec::new() };
    Ok(RawObject { name, domain_head: fixed.domain_head, parent, attributes, metadata })
}

/// ATTRBLOCK (MS-DRSR 5.10)
fn read_attributes<'a>(reader: &mut Reader<'a>, announced: u32) -> Result<Vec<RawAttribute<'a>>, Malformed> {
    let count = reader.same_count(announced, 4 /* attrTyp */ + 4 /* valCount */ + 4 /* pointer */)?;
    let heads = (0..count)
        .map(|_| Ok((reader.u32()?, reader.u32()?, reader.pointer()?)))
        .collect::<Result<Vec<_>, Malformed>>()?;
    heads
        .into_iter()
        .map(|(attid, announced, present)| {
            let values = if present { read_values(reader, announced)? } else { Vec::new() };
            Ok(RawAttribute { attid, values })
        })
        .collect()
}

/// Writes what `read_attributes` reads, from pairs of attid and values. Nothing is written of no attributes: the pointer
/// to them is null then.
#[cfg(any(test, feature = "other-side-for-tests"))]
pub fn write_attributes(stub: &mut crate::rpc::ndr::Writer, attributes: &[(u32, &[Vec<u8>])]) {
    if attributes.is_empty() {
        return;
    }
    stub.count(attributes.len());
    for (attid, values) in attributes {
        stub.u32(*attid);
        stub.count(values.len());
        stub.pointer(!values.is_empty());
    }
    for (_, values) in attributes.iter().filter(|(_, values)| !values.is_empty()) {
        stub.count(values.len());
        for value in *values {
            stub.count(value.len());
            stub.pointer(true);
        }
        for value in *values {
            stub.count(value.len());
            stub.raw(value);
        }
    }
}

fn read_values<'a>(reader: &mut Reader<'a>, announced: u32) -> Result<Vec<&'a [u8]>, Malformed> {
    let count = reader.same_count(announced, 4 /* valLen */ + 4 /* pointer */)?;
    let heads =
        (0..count).map(|_| Ok((reader.u32()?, reader.pointer()?))).collect::<Result<Vec<_>, Malformed>>()?;
    heads.into_iter().map(|(length, present)| read_value(reader, length, present)).collect()
}

fn read_value<'a>(reader: &mut Reader<'a>, length: u32, present: bool) -> Result<&'a [u8], Malformed> {
    if !present {
        return Ok(&[]);
    }
    let length = reader.same_count(length, 1)?;
    reader.raw(length)
}

/// PROPERTY_META_DATA_EXT_VECTOR (MS-DRSR 5.163)
fn read_metadata(reader: &mut Reader<'_>) -> Result<Vec<RawStamp>, Malformed> {
    let count = reader.count(40)?;
    reader.align(8);
    reader.u32()?; // cNumProps, the same again
    (0..count)
        .map(|_| {
            reader.align(8);
            read_stamp(reader)
        })
        .collect()
}

fn read_stamp(reader: &mut Reader<'_>) -> Result<RawStamp, Malformed> {
    let stamp = RawStamp { version: reader.u32()?, time: reader.u64()?, invocation_id: reader.uuid()? };
    reader.u64()?; // usnProperty
    Ok(stamp)
}

fn read_links<'a>(
    reader: &mut Reader<'a>,
    announced: u32,
    form: LinkForm,
) -> Result<Vec<RawLink<'a>>, Malformed> {
    let count = reader.same_count(announced, 64)?;
    let heads = (0..count)
        .map(|_| {
            reader.align(8);
            let has_object = reader.pointer()?;
            let attid = reader.u32()?;
            let length = reader.u32()?;
            let has_value = reader.pointer()?;
            let present = reader.u32()? != 0;
            let created = reader.u64()?;
            let stamp = read_stamp(reader)?;
            let expires = match form {
                LinkForm::V1 => 0,
                LinkForm::V3 => {
                    reader.raw(3 * 4)?; // unused1, unused2, unused3
                    reader.u64()?
                }
            };
            Ok((has_object, attid, length, has_value, present, created, stamp, expires))
        })
        .collect::<Result<Vec<_>, Malformed>>()?;
    heads
        .into_iter()
        .map(|(has_object, attid, length, has_value, present, created, stamp, expires)| {
            let object = if has_object { Some(RawName::read(reader)?) } else { None };
            let value = read_value(reader, length, has_value)?;
            Ok(RawLink { object, attid, value, present, created, stamp, expires })
        })
        .collect()
}
