//! What the fake answers to each call: DRSBind, DRSUnbind, DRSCrackNames, DRSGetNCChanges.

use super::objects::{FakeObject, SITE};
use super::reply::{self, Sent};
use super::{Behaviour, Call, Shared, Trouble, lock};
use landbridge_drsr::drs::cursor::COOKIE;
use landbridge_drsr::drs::dsname::RawName;
use landbridge_drsr::drs::sid::Sid;
use landbridge_drsr::rpc::ndr::{Malformed, Reader, Writer};
use uuid::Uuid;

/// What goes back for a call.
pub(super) enum Answer {
    Stub(Vec<u8>),
    Fault(u32),
    Shutdown,
    Nothing,
}

/// What one connection has agreed on.
#[derive(Debug, Default)]
pub(super) struct Session {
    epoch: u32,
    /// The client reads replies of version 9.
    reads_v9: bool,
}

/// Operations of DRSUAPI.
const BIND: u16 = 0;
const UNBIND: u16 = 1;
const CHANGES: u16 = 3;
const NAMES: u16 = 12;

/// `dwFlags` of a DC of 2016 (MS-DRSR 5.39).
const FLAGS: u32 = 0x3fff_ff7f;
/// `dwFlagsExt` of one with the recycle bin, which knows replies of version 9.
const MORE_FLAGS: u32 = 0x0000_0107;
/// Of `dwFlagsExt`: DRS_EXT_GETCHGREPLY_V9, DRS_EXT_PAM
const REPLY_V9: u32 = 0x0000_0100;
const ENDING_LINKS: u32 = 0x0000_0200;
/// Where the pages of objects begin, if a page of links comes before them.
const AFTER_LINKS: usize = 1 << 20;

/// ERROR_DS_DRA_BAD_DN, _ACCESS_DENIED, ERROR_DS_DIFFERENT_REPL_EPOCHS
const BAD_DN: u32 = 8439;
const ACCESS_DENIED: u32 = 8453;
const OTHER_EPOCH: u32 = 8593;
/// RPC_X_BAD_STUB_DATA
const BAD_STUB: u32 = 0x6f7;
/// EXOP_ERR_SUCCESS
const SUCCESS: u32 = 1;
/// DRS_SPECIAL_SECRET_PROCESSING
const WITHHOLD_SECRETS: u32 = 0x0040_0000;

pub(super) fn answer(
    shared: &Shared,
    session: &mut Session,
    key: &[u8],
    operation: u16,
    stub: &[u8],
) -> Answer {
    let behaviour = lock(&shared.behaviour).clone();
    let read = |answer: Result<Answer, Malformed>| answer.unwrap_or(Answer::Fault(BAD_STUB));
    match operation {
        BIND => return read(bind(shared, session, &behaviour, stub)),
        UNBIND => {
            lock(&shared.calls).push(Call::Unbind);
            return Answer::Stub(vec![0; 24]);
        }
        _ => {}
    }
    let trouble = lock(&shared.troubles).pop_front();
    let outcome = match operation {
        NAMES => read(names(shared, &behaviour, stub)),
        CHANGES => read(changes(shared, session, &behaviour, key, stub)),
        _ => return Answer::Fault(0x6d1),
    };
    match trouble {
        Some(Trouble::Shutdown) => Answer::Shutdown,
        Some(Trouble::Swallowed) => Answer::Nothing,
        Some(Trouble::Fault(status)) => Answer::Fault(status),
        Some(Trouble::Code(code)) => Answer::Stub(reply::refused(code)),
        None if session.epoch != behaviour.epoch => Answer::Fault(OTHER_EPOCH),
        None => outcome,
    }
}

fn bind(
    shared: &Shared,
    session: &mut Session,
    behaviour: &Behaviour,
    stub: &[u8],
) -> Result<Answer, Malformed> {
    let mut reader = Reader::new(stub);
    reader.pointer()?;
    reader.uuid()?;
    reader.pointer()?;
    let length = reader.count(1)?;
    reader.u32()?;
    let extensions = reader.raw(length)?;
    let epoch = extensions.get(24..28).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
    session.epoch = epoch;
    let offered =
        extensions.get(28..32).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
    session.reads_v9 = offered & REPLY_V9 != 0;
    lock(&shared.calls).push(Call::Bind(epoch));

    let mut extensions = Writer::new();
    extensions.u32(FLAGS);
    extensions.uuid(SITE);
    extensions.u32(4711); // process
    extensions.u32(behaviour.named_epoch.unwrap_or(behaviour.epoch));
    extensions.u32(if behaviour.ending_links { MORE_FLAGS | ENDING_LINKS } else { MORE_FLAGS });
    extensions.raw(&[0xcf; 16]); // configuration
    extensions.u32(u32::MAX); // capabilities
    let extensions = extensions.into_bytes();
    let extensions = &extensions[..behaviour.extensions];
    let mut reply = Writer::new();
    reply.pointer(true);
    reply.count(extensions.len());
    reply.count(extensions.len());
    reply.raw(extensions);
    reply.align(4);
    reply.raw(&[7; 20]);
    reply.u32(0);
    Ok(Answer::Stub(reply.into_bytes()))
}

fn names(shared: &Shared, behaviour: &Behaviour, stub: &[u8]) -> Result<Answer, Malformed> {
    let mut reader = Reader::new(stub);
    reader.raw(20)?; // handle
    for _ in 0..5 {
        reader.u32()?; // version, switch, code page, locale, flags
    }
    let (form, _desired, count) = (reader.u32()?, reader.u32()?, reader.u32()?);
    reader.pointer()?;
    let count = reader.same_count(count, 4)?;
    (0..count).try_for_each(|_| reader.pointer().map(drop))?;
    let mut asked = Vec::new();
    for _ in 0..count {
        reader.u32()?;
        reader.u32()?;
        let units = reader.count(2)?;
        let units = reader.raw(2 * units)?.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        asked.push(String::from_utf16_lossy(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>()));
        reader.align(4);
    }
    let objects = lock(&shared.objects);
    let mut reply = Writer::new();
    for number in [1, 1] {
        reply.u32(number);
    }
    reply.pointer(true);
    reply.count(asked.len());
    reply.pointer(true);
    reply.count(asked.len());
    let mut texts = Vec::new();
    for name in &asked {
        lock(&shared.calls).push(Call::Name(form, name.clone()));
        let several = behaviour.several_built_in && name.starts_with("S-1-5-32-");
        let found = objects.iter().find(|object| is_called(object, form, name)).filter(|_| !several);
        reply.u32(match (several, found) {
            (true, _) => 3,
            (false, Some(_)) => 0,
            (false, None) => 2,
        });
        reply.pointer(found.is_some());
        reply.pointer(found.is_some());
        texts.extend(
            found.into_iter().flat_map(|object| [object.domain.clone(), format!("{{{}}}", object.guid)]),
        );
    }
    for text in texts {
        let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        reply.count(units.len());
        reply.u32(0);
        reply.count(units.len());
        units.iter().for_each(|unit| reply.u16(*unit));
        reply.align(4);
    }
    reply.u32(0);
    Ok(Answer::Stub(reply.into_bytes()))
}

/// Whether this is the object's name, in this form (DS_NAME_FORMAT).
fn is_called(object: &FakeObject, form: u32, name: &str) -> bool {
    match form {
        1 => object.dn.eq_ignore_ascii_case(name),
        6 => name == format!("{{{}}}", object.guid),
        8 => name
            .strip_suffix("@corp.example.com")
            .is_some_and(|sam| object.dn.starts_with(&format!("CN={sam},CN=Users,"))),
        11 => object.sid.as_ref().is_some_and(|sid| sid.to_string() == name),
        _ => false,
    }
}

/// What a GetNCChanges of version 8 asks for.
struct Asked {
    destination: Uuid,
    from: usize,
    secrets: bool,
    max_objects: usize,
    extended: u32,
    guid: Uuid,
    sid: Option<Sid>,
    dn: String,
    attids: Vec<u32>,
}

impl Asked {
    fn read(stub: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(stub);
        reader.raw(20)?; // handle
        if (reader.u32()?, reader.u32()?) != (8, 8) {
            return Err(reader.malformed("a request of another version"));
        }
        reader.align(8);
        let destination = reader.uuid()?;
        reader.uuid()?; // invocation id
        reader.pointer()?;
        reader.align(8);
        let cookie = reader.raw(COOKIE)?;
        let from = u64::from_le_bytes(cookie[..8].try_into().unwrap_or_default());
        let has_vector = reader.pointer()?;
        let flags = reader.u32()?;
        let max_objects = reader.u32()?;
        reader.u32()?; // bytes
        let extended = reader.u32()?;
        reader.u64()?; // FSMO
        let (has_attributes, _more, _prefixes, _table) =
            (reader.pointer()?, reader.pointer()?, reader.u32()?, reader.pointer()?);
        let name = RawName::read(&mut reader)?;
        if has_vector {
            let count = reader.count(24)?;
            reader.align(8);
            reader.raw(16 + 24 * count)?;
        }
        let mut attids = Vec::new();
        if has_attributes {
            let count = reader.count(4)?;
            reader.raw(12)?;
            for _ in 0..count {
                // Windows searches the set as one that is sorted, so it misses what stands out of order.
                let attid = reader.u32()?;
                if attids.last().is_none_or(|last| *last < attid) {
                    attids.push(attid);
                }
            }
        }
        let units = name.text.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        Ok(Self {
            destination,
            from: usize::try_from(from).unwrap_or(usize::MAX),
            secrets: flags & WITHHOLD_SECRETS == 0,
            max_objects: usize::try_from(max_objects).unwrap_or(1),
            extended,
            guid: name.guid,
            sid: Sid::from_bytes(name.sid),
            dn: String::from_utf16_lossy(&units.collect::<Vec<_>>()),
            attids,
        })
    }

    /// Whether the request names this object.
    fn names(&self, object: &FakeObject, behaviour: &Behaviour) -> bool {
        if !self.guid.is_nil() {
            return object.guid == self.guid;
        }
        match &self.sid {
            Some(sid) => !behaviour.refuses_sids && object.sid.as_ref() == Some(sid),
            None => object.dn.eq_ignore_ascii_case(&self.dn),
        }
    }
}

fn changes(
    shared: &Shared,
    session: &Session,
    behaviour: &Behaviour,
    key: &[u8],
    stub: &[u8],
) -> Result<Answer, Malformed> {
    let asked = Asked::read(stub)?;
    let objects = lock(&shared.objects);
    let single = asked.extended != 0;
    let call = if single { Call::Object(asked.guid, asked.secrets) } else { Call::Changes };
    lock(&shared.calls).push(call);
    let key = asked.secrets.then_some(key);
    let sent = |objects, extended, next, more| Sent {
        objects,
        links_of: objects,
        attids: &asked.attids,
        key,
        extended,
        next,
        more,
        v9: session.reads_v9,
    };

    let named = objects.iter().find(|object| asked.names(object, behaviour));
    let Some(named) = named.filter(|object| !behaviour.denied.contains(&object.guid)) else {
        return Ok(Answer::Stub(reply::refused(BAD_DN)));
    };
    if behaviour.missing_right {
        return Ok(Answer::Stub(reply::refused(ACCESS_DENIED)));
    }
    if !single && behaviour.links_first {
        // A cookie of the end of a cycle says how many objects there were; this one is far beyond.
        let Some(from) = asked.from.checked_sub(AFTER_LINKS) else {
            let all = Sent { links_of: &objects, ..sent(&[], 0, AFTER_LINKS, true) };
            return Ok(Answer::Stub(reply::write(&objects, &all)));
        };
        let end = objects.len().min(from.saturating_add(asked.max_objects.max(1)));
        let page = objects.get(from.min(end)..end).unwrap_or_default();
        let page = Sent { links_of: &[], ..sent(page, 0, AFTER_LINKS + end, end < objects.len()) };
        return Ok(Answer::Stub(reply::write(&objects, &page)));
    }
    if !single {
        let end = objects.len().min(asked.from.saturating_add(asked.max_objects.max(1)));
        let page = objects.get(asked.from.min(end)..end).unwrap_or_default();
        let more = end < objects.len();
        return Ok(Answer::Stub(reply::write(&objects, &sent(page, 0, end, more))));
    }
    if let Some(code) = behaviour.unknown_caller.filter(|_| asked.destination != SITE) {
        return Ok(Answer::Stub(reply::write(&objects, &sent(&[], code, 0, false))));
    }
    let one = std::slice::from_ref(named);
    let one = if behaviour.blank.contains(&named.guid) { &[] } else { one };
    Ok(Answer::Stub(reply::write(&objects, &sent(one, SUCCESS, 0, false))))
}
