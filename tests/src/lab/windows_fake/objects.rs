//! What the domain of the fake holds: its head, the groups that every domain has, Guest, the account that reads, and
//! whatever a test adds.

use landbridge_drsr::drs::dsname;
use landbridge_drsr::drs::sid::Sid;
use landbridge_drsr::rpc::ndr::Writer;
use uuid::Uuid;

/// The objectGUID of the fake's site.
pub const SITE: Uuid = Uuid::from_u128(0x517e_0000_0000_0000_0000_0000_0000_0001);
/// The distinguished name of the domain's head.
pub const BASE: &str = "DC=corp,DC=example,DC=com";

/// Attids in the table of requests and replies.
pub const OBJECT_CLASS: u32 = 0x0000_0000;
/// `member`
pub const MEMBER: u32 = 0x0000_001f;
/// `displayName`
pub const DISPLAY_NAME: u32 = 0x0002_000d;
/// `nTSecurityDescriptor`
pub const SECURITY_DESCRIPTOR: u32 = 0x0002_0119;
/// `name`
pub const NAME: u32 = 0x0009_0001;
/// `userAccountControl`
pub const USER_ACCOUNT_CONTROL: u32 = 0x0009_0008;
/// `unicodePwd`
pub const UNICODE_PWD: u32 = 0x0009_005a;
/// `pwdLastSet`
pub const PWD_LAST_SET: u32 = 0x0009_0060;
/// `primaryGroupID`
pub const PRIMARY_GROUP_ID: u32 = 0x0009_0062;
/// `sAMAccountName`
pub const SAM_ACCOUNT_NAME: u32 = 0x0009_00dd;
/// `userPrincipalName`
pub const USER_PRINCIPAL_NAME: u32 = 0x0009_0290;

/// Classes, by the prefixes of the replies: `top`, `person`, `organizationalPerson`, `user`; `group`; `domainDNS`.
const TOP: u32 = 0x0001_0000;
const USER: [u32; 4] = [TOP, 0x0001_0006, 0x0001_0007, 0x000a_0009];
const GROUP: [u32; 2] = [TOP, 0x000a_0008];
const DOMAIN_DNS: [u32; 2] = [TOP, 0x000a_0043];

/// An object.
#[derive(Debug, Clone)]
pub struct FakeObject {
    /// objectGUID
    pub guid: Uuid,
    /// objectSid
    pub sid: Option<Sid>,
    /// Distinguished name.
    pub dn: String,
    /// DNS name of its domain, as DRSCrackNames says it.
    pub domain: String,
    /// Its attributes.
    pub attributes: Vec<FakeAttribute>,
    /// Links from it.
    pub links: Vec<FakeLink>,
    /// Its NT hash, if it has a password.
    pub nt_hash: Option<[u8; 16]>,
}

/// An attribute, under whatever attid.
#[derive(Debug, Clone)]
pub struct FakeAttribute {
    /// `attrTyp`
    pub attid: u32,
    /// Its values, as they stand on the wire.
    pub values: Vec<Vec<u8>>,
    /// It is sent although a request did not name it.
    pub unasked: bool,
}

/// A link with metadata of its own.
#[derive(Debug, Clone)]
pub struct FakeLink {
    /// `attrTyp`
    pub attid: u32,
    /// objectGUID of the target.
    pub to: Uuid,
    /// `fIsPresent`
    pub present: bool,
    /// `timeExpired`: seconds since 1601, 0 for none. A reply of version 6 has no place for it.
    pub expires: u64,
}

/// The SID of the fake's domain.
pub fn domain() -> Sid {
    sid("S-1-5-21-1000-2000-3000")
}

/// The objectGUID of the object of this name in the fake's domain: a SID, or a sAMAccountName.
pub fn guid(name: &str) -> Uuid {
    // Any function of the name will do: a GUID names one object.
    let sum = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    Uuid::from_u64_pair(sum, 0x8000_0000_0000_0000 | u64::try_from(name.len()).unwrap_or(0))
}

fn sid(text: &str) -> Sid {
    text.parse().expect("a SID")
}

/// A text as it stands on the wire.
pub fn text(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A name of an object as a value: a DSNAME without NDR (MS-DRSR 5.50). Links of before 2003 stand so inside an object.
pub fn name_value(object: &FakeObject) -> Vec<u8> {
    let mut value = Writer::new();
    dsname::write(&mut value, object.guid, object.sid.as_ref(), &object.dn);
    // Without the count that NDR puts before it.
    value.into_bytes().split_off(4)
}

impl FakeObject {
    /// An object without attributes.
    pub fn new(guid: Uuid, sid: Option<Sid>, dn: &str) -> Self {
        let (attributes, links) = (Vec::new(), Vec::new());
        Self {
            guid,
            sid,
            dn: dn.to_owned(),
            domain: "corp.example.com".to_owned(),
            attributes,
            links,
            nt_hash: None,
        }
    }

    /// With this attribute, whose value is one.
    #[must_use]
    pub fn with(mut self, attid: u32, value: Vec<u8>) -> Self {
        self.attributes.push(FakeAttribute { attid, values: vec![value], unasked: false });
        self
    }

    fn of_classes(mut self, classes: &[u32]) -> Self {
        let values = classes.iter().map(|class| class.to_le_bytes().to_vec()).collect();
        self.attributes.push(FakeAttribute { attid: OBJECT_CLASS, values, unasked: false });
        self
    }

    /// A group with this SID and these members.
    pub fn group(text_sid: &str, name: &str, members: &[Uuid]) -> Self {
        let container = if text_sid.starts_with("S-1-5-32-") { "CN=Builtin" } else { "CN=Users" };
        let dn = format!("CN={name},{container},{BASE}");
        let mut group = Self::new(guid(text_sid), Some(sid(text_sid)), &dn)
            .of_classes(&GROUP)
            .with(NAME, text(name))
            .with(SAM_ACCOUNT_NAME, text(name));
        let link = |to: &Uuid| FakeLink { attid: MEMBER, to: *to, present: true, expires: 0 };
        group.links = members.iter().map(link).collect();
        group
    }

    /// An account of a person, in CN=Users, with this RID.
    pub fn person(rid: u32, sam: &str) -> Self {
        let dn = format!("CN={sam},CN=Users,{BASE}");
        Self::new(guid(sam), Some(domain().with_rid(rid)), &dn)
            .of_classes(&USER)
            .with(NAME, text(sam))
            .with(SAM_ACCOUNT_NAME, text(sam))
            .with(USER_PRINCIPAL_NAME, text(&format!("{sam}@corp.example.com")))
            // A normal account whose password does not expire.
            .with(USER_ACCOUNT_CONTROL, 0x1_0200_u32.to_le_bytes().to_vec())
            .with(PRIMARY_GROUP_ID, 513_u32.to_le_bytes().to_vec())
            .with(PWD_LAST_SET, 134_000_000_000_000_000_i64.to_le_bytes().to_vec())
    }
}

/// The least that a domain holds: its head, the protected groups of every domain without members, Guest, and the
/// account that reads.
pub fn least(reader: &str) -> Vec<FakeObject> {
    // A self-relative descriptor with an empty list of rights (MS-DTYP 2.4.6).
    let descriptor = [&[1, 0, 4, 0x80][..], &[0; 12], &[20, 0, 0, 0], &[2, 0, 8, 0, 0, 0, 0, 0]].concat();
    let head = FakeObject::new(guid(&domain().to_string()), Some(domain()), BASE)
        .of_classes(&DOMAIN_DNS)
        .with(NAME, text("corp"))
        .with(SECURITY_DESCRIPTOR, descriptor);
    let own = [(512, "Domain Admins"), (516, "Domain Controllers")];
    let built_in = [
        (544, "Administrators"),
        (548, "Account Operators"),
        (549, "Server Operators"),
        (550, "Print Operators"),
        (551, "Backup Operators"),
        (552, "Replicator"),
    ];
    let own = own.map(|(rid, name)| FakeObject::group(&domain().with_rid(rid).to_string(), name, &[]));
    let built_in = built_in.map(|(rid, name)| FakeObject::group(&format!("S-1-5-32-{rid}"), name, &[]));
    let people = [FakeObject::person(501, "Guest"), FakeObject::person(1100, reader)];
    std::iter::once(head).chain(own).chain(built_in).chain(people).collect()
}
