//! What the exchanges with a KDC share: the body of a request, the ticket, and the checks on the sealed part of a reply.
//! After it: [`super::as_exchange`] and [`super::tgs_exchange`].

use crate::asn1::{self, EncKdcRepPart, EncryptedData, KdcRep, KdcReqBody};
use crate::cipher::Cipher;
use crate::enctype::Enctype;
use crate::error::Error;
use crate::key::{Key, Usage};
use crate::limits::MAX_SKEW;
use crate::principal::Principal;
use der::asn1::OctetStringRef;
use std::fmt;
use std::time::Duration;

/// 2037-09-13 02:48:05 UTC: what clients of Active Directory ask for when a ticket is to last as long as may be.
const AS_LONG_AS_MAY_BE: Duration = Duration::from_secs(2_136_422_885);

/// EncASRepPart and EncTGSRepPart
const ENC_AS_REP_PART: u32 = 25;
const ENC_TGS_REP_PART: u32 = 26;

/// A ticket, with the key that it is worth something with.
pub struct Ticket {
    /// The account, as the KDC names it.
    pub client: Principal,
    /// The service that it is for.
    pub service: Principal,
    /// When it ends, since 1970-01-01 UTC.
    pub ends: Duration,
    pub(crate) session: Key,
    /// As it came: it is sealed for the service.
    pub(crate) bytes: Vec<u8>,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("client", &self.client)
            .field("service", &self.service)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl Ticket {
    /// The type of the session's key.
    pub fn enctype(&self) -> Enctype {
        self.session.enctype()
    }
}

/// What a reply must fit.
pub(crate) struct Expected<'a> {
    pub(crate) what: &'static str,
    /// The number of the message's type, in it and around it.
    pub(crate) message: u32,
    pub(crate) client: &'a Principal,
    /// The KDC may name the account otherwise than it was asked.
    pub(crate) may_rename: bool,
    pub(crate) service: &'a Principal,
    pub(crate) nonce: u32,
}

/// The body of a request for a ticket.
pub(crate) fn request_body<'a>(
    options: &'a [u8; 4],
    client: Option<&'a Principal>,
    service: &'a Principal,
    nonce: u32,
    enctypes: &[Enctype],
) -> KdcReqBody<'a> {
    KdcReqBody {
        kdc_options: flags(options),
        cname: client.map(Principal::name),
        realm: asn1::Text(service.realm()),
        sname: Some(service.name()),
        till: asn1::time(AS_LONG_AS_MAY_BE),
        nonce,
        etype: enctypes.iter().map(|enctype| enctype.number()).collect(),
        addresses: None,
    }
}

/// A BIT STRING of 32 bits.
pub(crate) fn flags(bytes: &[u8; 4]) -> der::asn1::BitStringRef<'_> {
    der::asn1::BitStringRef::from_bytes(bytes).expect("32 bits")
}

/// Bytes as an OCTET STRING.
///
/// # Panics
/// If they are over 256 MiB, which no caller has.
pub(crate) fn octets(bytes: &[u8]) -> &OctetStringRef {
    OctetStringRef::new(bytes).expect("messages are small")
}

/// The bytes of EncryptedData.
pub(crate) fn encrypted(key: &Key, cipher: &[u8]) -> Vec<u8> {
    asn1::plain(&EncryptedData { etype: key.enctype().number(), kvno: None, cipher: octets(cipher) })
}

/// Opens the sealed part of a reply with this key, and checks every field: what it answers, for whom, and when.
pub(crate) fn ticket(
    reply: &KdcRep<'_>,
    expected: &Expected<'_>,
    key: &Key,
    usage: Usage,
    now: Duration,
) -> Result<Ticket, Error> {
    // 1. What is not sealed.
    let message = asn1::message_type(expected.message);
    if reply.pvno != asn1::VERSION || reply.msg_type != message {
        return Err(Error::Protocol("its version or type is wrong"));
    }
    let client = Principal::read(&reply.cname, reply.crealm);
    let renamed = expected.may_rename && client.realm() == expected.client.realm();
    if !(renamed || client.matches(expected.client)) {
        return Err(Error::Protocol("it is for another account"));
    }
    if reply.enc_part.etype != key.enctype().number() {
        return Err(Error::Protocol("it is sealed with a key of another type"));
    }
    // 2. What is sealed. An AS-REP may carry the other tag too (RFC 4120 5.4.2).
    let opened = Cipher::new(key, usage)
        .open(reply.enc_part.cipher.as_bytes())
        .map_err(|_| Error::Unverified { what: expected.what, account: expected.client.to_string() })?;
    let part: EncKdcRepPart<'_> = asn1::decode(ENC_AS_REP_PART, &opened)
        .or_else(|| asn1::decode(ENC_TGS_REP_PART, &opened))
        .ok_or(Error::Protocol("its sealed part is malformed"))?;
    // 3. It answers this request, for this service.
    if part.nonce != i64::from(expected.nonce) {
        return Err(Error::Protocol("it answers another request"));
    }
    let service = Principal::read(&part.sname, part.srealm);
    if !service.matches(expected.service) {
        return match service.components() {
            [kind, realm] if kind == "krbtgt" => {
                Err(Error::Referral { realm: realm.escape_debug().to_string() })
            }
            _ => Err(Error::Protocol("its ticket is for another service")),
        };
    }
    // 4. Its times are those of now.
    let (from, ends) =
        (part.starttime.unwrap_or(part.authtime).to_unix_duration(), part.endtime.to_unix_duration());
    if from > now + MAX_SKEW {
        return Err(Error::ClockSkew { ours: now, theirs: from });
    }
    if ends <= now.saturating_sub(MAX_SKEW) {
        return Err(Error::Protocol("its ticket has ended already"));
    }
    // 5. The key of the session.
    let session = Enctype::of_number(part.key.keytype)
        .and_then(|enctype| Key::new(enctype, part.key.keyvalue.as_bytes()))
        .ok_or_else(|| Error::NoCommonKey {
            account: expected.service.to_string(),
            why: format!(
                "the KDC chose a session key of the type {}; allow AES for the service \
                 (msDS-SupportedEncryptionTypes, 24)",
                type_name(part.key.keytype)
            ),
        })?;
    Ok(Ticket { client, service, ends, session, bytes: asn1::plain(&reply.ticket) })
}

/// The name of an encryption type, also of one that is never used.
pub(crate) fn type_name(number: i32) -> String {
    match number {
        1 => "des-cbc-crc".to_owned(),
        3 => "des-cbc-md5".to_owned(),
        16 => "des3-cbc-sha1".to_owned(),
        23 => "rc4-hmac".to_owned(),
        24 => "rc4-hmac-exp".to_owned(),
        other => Enctype::of_number(other).map_or_else(|| other.to_string(), |enctype| enctype.to_string()),
    }
}
