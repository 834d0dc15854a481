//! A KDC, a service and a service for passwords in memory, for tests only: honest, or with one lie.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::wildcard_enum_match_arm, reason = "each place tells one lie, and is honest otherwise")]
#![cfg_attr(not(test), allow(dead_code, reason = "the lies are for the tests of this crate"))]

use crate::as_exchange::{AsExchange, Next};
use crate::asn1::{
    self, ApRep, ApReq, Authenticator, EncApRepPart, EncKdcRepPart, EncKrbPrivPart, EncryptedData,
    EncryptionKey, EtypeInfo2Entry, HostAddress, KdcRep, KdcReq, KrbError, KrbPriv, LastReqEntry, PaData,
    PaEncTsEnc, PrincipalName, Text,
};
use crate::cipher::Cipher;
use crate::client::{Client, Credential};
use crate::enctype::Enctype;
use crate::error::Error;
use crate::initiator::Initiator;
use crate::kdc::{Ticket, flags, octets};
use crate::key::{Key, Usage};
use crate::keytab::Keytab;
use crate::password_change::{Outcome, PasswordChange};
use crate::principal::Principal;
use crate::random::Random;
use crate::tgs_exchange::TgsExchange;
use crate::wrap::Context;
use der::Decode as _;
use der::asn1::AnyRef;
use landbridge_crypto::secret::Password;
use std::time::Duration;

pub mod sasl;

/// 2026-11-28 and a bit.
pub(crate) const NOW: Duration = Duration::new(1_795_824_000, 123_456_000);
pub(crate) const DOMAIN: &str = "corp.example.com";
const REALM: &str = "CORP.EXAMPLE.COM";
const ACCOUNT: &str = "svc-Jörg";
pub(crate) const PASSWORD: &str = "Passwört";
const SALT: &str = "CORP.EXAMPLE.COMsvc-before-it-was-renamed";
/// What a ticket holds.
const TICKET: &str = "sealed for the service";
const HOUR: Duration = Duration::from_secs(3_600);
/// The sequence number of the service's first message.
pub(crate) const SERVICE_SEQUENCE: u32 = 900;

/// What one of them says that is not so. `None` for all honest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Lie {
    #[default]
    None,
    OtherSalt,
    FewIterations,
    ManyIterations,
    OnlyRc4,
    NoTypes,
    NoTimestamp,
    AgainAndAgain,
    OtherKey,
    OtherNonce,
    OtherService,
    OtherRealmOfService,
    Referral,
    OtherClient,
    OtherRealm,
    Rc4Session,
    ShortSession,
    EndedLongAgo,
    StartsTomorrow,
    OtherVersion,
    OtherMessageType,
    OtherTag,
    OtherTime,
    NoSubkey,
    Rc4Subkey,
    NoSequence,
    OtherUsage,
}

/// Bytes that differ from call to call and not from run to run.
#[derive(Debug)]
pub struct Counting(pub u8);

impl Random for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(5).wrapping_add(3);
            *byte = self.0;
        }
    }
}

/// The other side of every exchange.
pub(crate) struct Memory {
    pub(crate) enctype: Enctype,
    pub(crate) lie: Lie,
    /// The account's key is one of a keytab, and not derived from its password.
    pub(crate) kept: bool,
    /// The other side's clock.
    pub(crate) now: Duration,
}

impl Memory {
    pub(crate) fn honest(enctype: Enctype) -> Self {
        Self { enctype, lie: Lie::None, kept: false, now: NOW }
    }

    fn key(&self, seed: u8) -> Key {
        Key::new(self.enctype, &vec![seed; self.enctype.key_length()]).unwrap()
    }

    fn session(&self) -> Key {
        self.key(0x51)
    }

    fn account_key(&self) -> Key {
        if self.kept {
            return self.key(0x22);
        }
        let password = if self.lie == Lie::OtherKey { "another" } else { PASSWORD };
        Key::of_password(&Password::new(password.to_owned()), self.enctype, SALT.as_bytes(), None).unwrap()
    }

    /// The KDC's answer.
    pub(crate) fn kdc(&self, request: &[u8]) -> Vec<u8> {
        if let Some(request) = asn1::decode::<KdcReq<'_>>(10, request) {
            return self.as_reply(&request);
        }
        let request: KdcReq<'_> = asn1::decode(12, request).unwrap();
        // The ticket is for the one that it was given to, and the authenticator is bound to this body.
        let proof: ApReq<'_> =
            asn1::decode(14, request.padata.as_ref().unwrap()[0].padata_value.as_bytes()).unwrap();
        let opened = Cipher::new(&self.session(), Usage::TgsAuthenticator)
            .open(proof.authenticator.cipher.as_bytes())
            .unwrap();
        let authenticator: Authenticator<'_> = asn1::decode(2, &opened).unwrap();
        let body = asn1::plain(&request.req_body);
        let (number, sum) = crate::cipher::checksum(&self.session(), Usage::TgsBodyChecksum, &body);
        let bound = authenticator.cksum.unwrap();
        assert_eq!((bound.cksumtype, bound.checksum.as_bytes()), (number, &sum[..]));
        self.reply(13, 26, &request, authenticator.cname, &self.session(), Usage::TgsReply)
    }

    fn as_reply(&self, request: &KdcReq<'_>) -> Vec<u8> {
        let body = &request.req_body;
        let wanted: Vec<Enctype> =
            body.etype.iter().filter_map(|&number| Enctype::of_number(number)).collect();
        assert_eq!(wanted.len(), body.etype.len(), "RC4 or DES was asked for");
        let stamp = request.padata.iter().flatten().find(|data| data.padata_type == 2);
        if stamp.is_none() || self.lie == Lie::AgainAndAgain {
            return self.asks_for_proof();
        }
        let sealed = EncryptedData::from_der(stamp.unwrap().padata_value.as_bytes()).unwrap();
        let Ok(opened) = Cipher::new(&self.account_key(), Usage::Timestamp).open(sealed.cipher.as_bytes())
        else {
            if self.lie == Lie::OtherKey {
                return self.reply(
                    11,
                    25,
                    request,
                    body.cname.clone().unwrap(),
                    &self.account_key(),
                    Usage::AsReply,
                );
            }
            return self.error(24, None);
        };
        let stamp = PaEncTsEnc::from_der(&opened).unwrap();
        let at = stamp.patimestamp.to_unix_duration();
        if at.abs_diff(Duration::from_secs(self.now.as_secs())) > Duration::from_secs(300) {
            return self.error(37, None);
        }
        let usage = if self.lie == Lie::OtherUsage { Usage::TgsReply } else { Usage::AsReply };
        let tag = if self.lie == Lie::OtherTag { 27 } else { 25 };
        self.reply(11, tag, request, body.cname.clone().unwrap(), &self.account_key(), usage)
    }

    fn asks_for_proof(&self) -> Vec<u8> {
        let iterations = match self.lie {
            Lie::FewIterations => Some(4_095u32),
            Lie::ManyIterations => Some(u32::MAX),
            _ => None,
        };
        let parameters = iterations.map(u32::to_be_bytes);
        let entry = EtypeInfo2Entry {
            etype: if self.lie == Lie::OnlyRc4 { 23 } else { self.enctype.number() },
            salt: Some(Text(if self.lie == Lie::OtherSalt { "other" } else { SALT })),
            s2kparams: parameters.as_ref().map(|bytes| octets(bytes)),
        };
        let rc4 = EtypeInfo2Entry { etype: 23, salt: None, s2kparams: None };
        let info = asn1::plain(&vec![rc4, entry]);
        let data = |kind, value| PaData { padata_type: kind, padata_value: octets(value) };
        let mut hints = vec![data(19, &info[..]), data(2, &[]), data(138, &[])];
        match self.lie {
            Lie::NoTypes => drop(hints.remove(0)),
            Lie::NoTimestamp => drop(hints.remove(1)),
            _ => {}
        }
        self.error(25, Some(&asn1::plain(&hints)))
    }

    /// A reply of this type, whose sealed part has this tag.
    fn reply(
        &self,
        message: u32,
        tag: u32,
        request: &KdcReq<'_>,
        client: PrincipalName<'_>,
        key: &Key,
        usage: Usage,
    ) -> Vec<u8> {
        let body = &request.req_body;
        let name = |components: &[&'static str]| PrincipalName {
            name_type: 2,
            name_string: components.iter().map(|&component| Text(component)).collect(),
        };
        let session = self.session();
        let short = [1; 8];
        let part = session.lend(|bytes| {
            let (keytype, keyvalue) = match self.lie {
                Lie::Rc4Session => (23, &[1; 16][..]),
                Lie::ShortSession => (session.enctype().number(), &short[..]),
                _ => (session.enctype().number(), bytes),
            };
            let (from, ends) = match self.lie {
                Lie::EndedLongAgo => (self.now - 2 * HOUR, self.now - HOUR),
                Lie::StartsTomorrow => (self.now + 24 * HOUR, self.now + 48 * HOUR),
                _ => (self.now, self.now + 10 * HOUR),
            };
            let part = EncKdcRepPart {
                key: EncryptionKey { keytype, keyvalue: octets(keyvalue) },
                last_req: vec![LastReqEntry { lr_type: 0, lr_value: asn1::time(self.now) }],
                nonce: i64::from(body.nonce) + i64::from(self.lie == Lie::OtherNonce),
                key_expiration: None,
                flags: flags(&[0, 0x40, 0, 0]),
                authtime: asn1::time(self.now),
                starttime: Some(asn1::time(from)),
                endtime: asn1::time(ends),
                renew_till: None,
                srealm: if self.lie == Lie::OtherRealmOfService {
                    Text("EVIL.EXAMPLE.COM")
                } else {
                    body.realm
                },
                sname: match self.lie {
                    Lie::OtherService => name(&["ldap", "member.corp.example.com"]),
                    Lie::Referral => name(&["krbtgt", "EVIL.EXAMPLE.COM"]),
                    _ => body.sname.clone().unwrap(),
                },
                caddr: None,
                encrypted_pa_data: None,
            };
            asn1::encode(tag, &part)
        });
        let sealed = Cipher::new(key, usage).seal([3; 16], &part);
        // A ticket is opaque to the client; any element will do.
        let ticket = asn1::encode(1, &Text(TICKET));
        let reply = KdcRep {
            pvno: if self.lie == Lie::OtherVersion { 4 } else { 5 },
            msg_type: i32::try_from(message).unwrap() + i32::from(self.lie == Lie::OtherMessageType),
            padata: None,
            crealm: if self.lie == Lie::OtherRealm { Text("EVIL.EXAMPLE.COM") } else { Text(REALM) },
            cname: if self.lie == Lie::OtherClient { name(&["administrator"]) } else { client },
            ticket: AnyRef::from_der(&ticket).unwrap(),
            enc_part: EncryptedData {
                etype: key.enctype().number(),
                kvno: Some(-3),
                cipher: octets(&sealed),
            },
        };
        asn1::encode(message, &reply)
    }

    /// The service's second leg.
    pub(crate) fn service(&self, token: &[u8]) -> Vec<u8> {
        let opened = self.authenticator(token);
        let authenticator: Authenticator<'_> = asn1::decode(2, &opened).unwrap();
        self.proof(&authenticator)
    }

    /// The authenticator in a first leg, opened.
    fn authenticator(&self, token: &[u8]) -> Vec<u8> {
        let request: ApReq<'_> = asn1::decode(14, token).unwrap();
        let sealed = request.authenticator.cipher.as_bytes();
        Cipher::new(&self.session(), Usage::ApAuthenticator).open(sealed).unwrap().to_vec()
    }

    /// The number of the initiator's first message.
    pub(crate) fn sequence(&self, token: &[u8]) -> u32 {
        let opened = self.authenticator(token);
        let authenticator: Authenticator<'_> = asn1::decode(2, &opened).unwrap();
        authenticator.seq_number.unwrap()
    }

    fn proof(&self, authenticator: &Authenticator<'_>) -> Vec<u8> {
        let session = self.session();
        let sealed = self.subkey().lend(|bytes| {
            let (keytype, keyvalue) =
                if self.lie == Lie::Rc4Subkey { (23, &[1; 16][..]) } else { (self.enctype.number(), bytes) };
            let part = EncApRepPart {
                ctime: if self.lie == Lie::OtherTime {
                    asn1::time(self.now - HOUR)
                } else {
                    authenticator.ctime
                },
                cusec: authenticator.cusec,
                subkey: (self.lie != Lie::NoSubkey)
                    .then(|| EncryptionKey { keytype, keyvalue: octets(keyvalue) }),
                seq_number: (self.lie != Lie::NoSequence).then_some(i64::from(SERVICE_SEQUENCE)),
            };
            let key = if self.lie == Lie::OtherKey { self.key(0x77) } else { self.session() };
            Cipher::new(&key, Usage::ApReply).seal([4; 16], &asn1::encode(27, &part))
        });
        let enc_part =
            EncryptedData { etype: session.enctype().number(), kvno: None, cipher: octets(&sealed) };
        asn1::encode(15, &ApRep { pvno: 5, msg_type: 15, enc_part })
    }

    /// The key that the service chooses.
    pub(crate) fn subkey(&self) -> Key {
        self.key(0x33)
    }

    /// Whether the third leg is what the service wants: its time and the service's number, under the session's key.
    pub(crate) fn takes_third_leg(&self, token: &[u8]) -> bool {
        let reply: ApRep<'_> = asn1::decode(15, token).unwrap();
        let opened =
            Cipher::new(&self.session(), Usage::ApReply).open(reply.enc_part.cipher.as_bytes()).unwrap();
        let part: EncApRepPart<'_> = asn1::decode(27, &opened).unwrap();
        part.seq_number == Some(i64::from(SERVICE_SEQUENCE))
            && part.subkey.is_none()
            && part.ctime == asn1::time(NOW)
    }

    /// The reply of the service for passwords, with this result, and the new password that it was sent.
    pub(crate) fn passwords(&self, message: &[u8], result: &[u8]) -> (Vec<u8>, String) {
        let proof_length = usize::from(u16::from_be_bytes([message[4], message[5]]));
        let (proof, private) = message[6..].split_at(proof_length);
        let request: ApReq<'_> = asn1::decode(14, proof).unwrap();
        let opened = Cipher::new(&self.session(), Usage::ApAuthenticator)
            .open(request.authenticator.cipher.as_bytes())
            .unwrap();
        let authenticator: Authenticator<'_> = asn1::decode(2, &opened).unwrap();
        let key = Key::new(self.enctype, authenticator.subkey.unwrap().keyvalue.as_bytes()).unwrap();
        let private: KrbPriv<'_> = asn1::decode(21, private).unwrap();
        let opened = Cipher::new(&key, Usage::Private).open(private.enc_part.cipher.as_bytes()).unwrap();
        let part: EncKrbPrivPart<'_> = asn1::decode(28, &opened).unwrap();
        let new = String::from_utf8(part.user_data.as_bytes().to_vec()).unwrap();

        let proof = self.proof(&authenticator);
        let part = EncKrbPrivPart {
            user_data: octets(result),
            timestamp: None,
            usec: None,
            seq_number: Some(i64::from(SERVICE_SEQUENCE)),
            s_address: HostAddress { addr_type: 2, address: octets(&[127, 0, 0, 1]) },
            r_address: None,
        };
        let sealed = Cipher::new(&self.subkey(), Usage::Private).seal([5; 16], &asn1::encode(28, &part));
        let enc_part = EncryptedData { etype: self.enctype.number(), kvno: None, cipher: octets(&sealed) };
        let private = asn1::encode(21, &KrbPriv { pvno: 5, msg_type: 21, enc_part });
        let mut reply = Vec::new();
        for field in [6 + proof.len() + private.len(), 1, proof.len()] {
            reply.extend(u16::try_from(field).unwrap().to_be_bytes());
        }
        reply.extend(proof);
        reply.extend(private);
        (reply, new)
    }

    /// A KRB-ERROR.
    fn error(&self, code: i32, data: Option<&[u8]>) -> Vec<u8> {
        let name =
            asn1::plain(&PrincipalName { name_type: 2, name_string: vec![Text("krbtgt"), Text(REALM)] });
        let realm = asn1::plain(&Text(REALM));
        let error = KrbError {
            pvno: 5,
            msg_type: 30,
            ctime: None,
            cusec: None,
            stime: asn1::time(self.now),
            susec: 5,
            error_code: code,
            crealm: None,
            cname: None,
            realm: AnyRef::from_der(&realm).unwrap(),
            sname: AnyRef::from_der(&name).unwrap(),
            e_text: None,
            e_data: data.map(octets),
        };
        asn1::encode(30, &error)
    }
}

/// The account, with its password.
pub(crate) fn client(password: &str) -> Client {
    Client {
        account: Principal::account(ACCOUNT, DOMAIN).unwrap(),
        credential: Credential::Password(Password::new(password.to_owned())),
        workstation: Some("PHS1".to_owned()),
    }
}

/// The AS exchange with this other side, at this time.
pub(crate) fn first_ticket(memory: &Memory, client: &Client, now: Duration) -> Result<Ticket, Error> {
    drive(memory, AsExchange::begin(client, &mut Counting(1))?, now)
}

/// An exchange that was begun, to its end.
pub(crate) fn drive(
    memory: &Memory,
    (mut exchange, mut request): (AsExchange<'_>, Vec<u8>),
    now: Duration,
) -> Result<Ticket, Error> {
    for _ in 0..2 {
        match exchange.answer(&memory.kdc(&request), now, &mut Counting(2))? {
            Next::Send(next) => request = next,
            Next::Done(ticket) => return Ok(*ticket),
        }
    }
    panic!("more than two requests")
}

/// A ticket for the service of a DC.
pub(crate) fn service_ticket(memory: &Memory, granting: &Ticket) -> Result<Ticket, Error> {
    let service = Principal::service(&["ldap", "dc1.corp.example.com", DOMAIN], DOMAIN).unwrap();
    let (exchange, request) = TgsExchange::begin(granting, service, NOW, &mut Counting(3));
    exchange.answer(&memory.kdc(&request), NOW)
}

/// The first leg towards the service.
pub(crate) fn first_leg(ticket: Ticket) -> (Initiator, Vec<u8>) {
    Initiator::begin(ticket, NOW, &mut Counting(4))
}

/// A key of the account from a keytab, so that no password must be derived.
fn keytab_client(memory: &Memory) -> Client {
    let keytab = Keytab::parse(&keytab_file(memory, ACCOUNT)).unwrap();
    Client { credential: Credential::Keytab(keytab), ..client("unused") }
}

/// The content of a keytab with the account's key, under this name.
pub(crate) fn keytab_file(memory: &Memory, account: &str) -> Vec<u8> {
    let counted = |text: &[u8]| [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text].concat();
    let key = memory.account_key().lend(<[u8]>::to_vec);
    let enctype = u16::try_from(memory.enctype.number()).unwrap().to_be_bytes();
    let record = [
        &1u16.to_be_bytes()[..],
        &counted(REALM.as_bytes()),
        &counted(account.as_bytes()),
        &[0, 0, 0, 1, 0, 0, 0, 0, 1],
        &enctype,
        &counted(&key),
    ]
    .concat();
    [&[5, 2][..], &u32::try_from(record.len()).unwrap().to_be_bytes(), &record].concat()
}

/// Bytes that are given to the client as a message, or as the sealed part of one that is sealed with the right key.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// Whether they are to be sealed.
    pub as_part: bool,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// What came of bytes that were given as a reply of the KDC to an account with a keytab. Fixed time and randomness.
///
/// # Errors
/// What the client says of them.
pub fn after_as_reply(given: Given<'_>) -> Result<Option<Ticket>, Error> {
    let memory = &MEMORY;
    let client = keytab_client(memory);
    let (mut exchange, request) = AsExchange::begin(&client, &mut Counting(1))?;
    let Next::Send(request) = exchange.answer(&memory.kdc(&request), NOW, &mut Counting(2))? else {
        panic!()
    };
    let reply = match given.as_part {
        false => given.bytes.to_vec(),
        true => reply_with(11, &memory.kdc(&request), &memory.account_key(), Usage::AsReply, given.bytes),
    };
    match exchange.answer(&reply, NOW, &mut Counting(3))? {
        Next::Send(_) => Ok(None),
        Next::Done(ticket) => Ok(Some(*ticket)),
    }
}

/// The same for a reply to a request for a service ticket.
///
/// # Errors
/// What the client says of them.
pub fn after_tgs_reply(given: Given<'_>) -> Result<Ticket, Error> {
    let memory = &MEMORY;
    let granting = first_ticket(memory, &keytab_client(memory), NOW)?;
    let service = Principal::service(&["ldap", "dc1.corp.example.com", DOMAIN], DOMAIN)?;
    let (exchange, request) = TgsExchange::begin(&granting, service, NOW, &mut Counting(3));
    let reply = match given.as_part {
        false => given.bytes.to_vec(),
        true => reply_with(13, &memory.kdc(&request), &memory.session(), Usage::TgsReply, given.bytes),
    };
    exchange.answer(&reply, NOW)
}

/// The same for a service's answer to the first leg.
///
/// # Errors
/// What the client says of them.
pub fn after_ap_reply(given: Given<'_>) -> Result<Context, Error> {
    let (initiator, _) = first_leg(fixed_ticket()?);
    let reply = if given.as_part { ap_reply_with(given.bytes) } else { given.bytes.to_vec() };
    initiator.answer(&reply, NOW, &mut Counting(5)).map(|(context, _)| context)
}

/// The same for the answer of the service for passwords: `as_part` seals the bytes as those of the KRB-PRIV.
///
/// # Errors
/// What the client says of them.
pub fn after_private(given: Given<'_>) -> Result<Outcome, Error> {
    let memory = &MEMORY;
    let ticket = fixed_ticket()?;
    let new = Password::new("another password".to_owned());
    let (change, message) = PasswordChange::begin(&ticket, &new, NOW, &mut Counting(6))?;
    if !given.as_part {
        return change.answer(given.bytes, NOW);
    }
    let (honest, _) = memory.passwords(&message, &[0, 0]);
    let proof = usize::from(u16::from_be_bytes([honest[4], honest[5]]));
    let sealed = Cipher::new(&memory.subkey(), Usage::Private).seal([5; 16], given.bytes);
    let enc_part = EncryptedData { etype: memory.enctype.number(), kvno: None, cipher: octets(&sealed) };
    let private = asn1::encode(21, &KrbPriv { pvno: 5, msg_type: 21, enc_part });
    let mut reply = u16::try_from((6 + proof + private.len()).min(0xffff)).unwrap().to_be_bytes().to_vec();
    reply.extend(&honest[2..6 + proof]);
    reply.extend(private);
    change.answer(&reply, NOW)
}

/// The four replies of an honest other side, in the order of the functions above: seeds for what alters them.
///
/// # Errors
/// None: the other side is honest.
pub fn honest_messages() -> Result<[Vec<u8>; 4], Error> {
    let memory = &MEMORY;
    let client = keytab_client(memory);
    let (mut exchange, request) = AsExchange::begin(&client, &mut Counting(1))?;
    let Next::Send(request) = exchange.answer(&memory.kdc(&request), NOW, &mut Counting(2))? else {
        panic!()
    };
    let as_reply = memory.kdc(&request);
    let granting = first_ticket(memory, &client, NOW)?;
    let service = Principal::service(&["ldap", "dc1.corp.example.com", DOMAIN], DOMAIN)?;
    let (_, request) = TgsExchange::begin(&granting, service, NOW, &mut Counting(3));
    let (_, token) = first_leg(fixed_ticket()?);
    let ticket = fixed_ticket()?;
    let new = Password::new("another password".to_owned());
    let (_, message) = PasswordChange::begin(&ticket, &new, NOW, &mut Counting(6))?;
    Ok([as_reply, memory.kdc(&request), memory.service(&token), memory.passwords(&message, &[0, 0]).0])
}

/// What is sealed in each of [`honest_messages`].
///
/// # Errors
/// None: the other side is honest.
pub fn honest_parts() -> Result<[Vec<u8>; 4], Error> {
    let [as_reply, tgs_reply, ap_reply, passwords] = honest_messages()?;
    let opened = |key: &Key, usage, sealed: &EncryptedData<'_>| {
        Cipher::new(key, usage).open(sealed.cipher.as_bytes()).unwrap().to_vec()
    };
    let of_kdc = |message, reply: &[u8], key: &Key, usage| {
        let reply: KdcRep<'_> = asn1::decode(message, reply).unwrap();
        opened(key, usage, &reply.enc_part)
    };
    let proof = usize::from(u16::from_be_bytes([passwords[4], passwords[5]]));
    let private: KrbPriv<'_> = asn1::decode(21, &passwords[6 + proof..]).unwrap();
    let service: ApRep<'_> = asn1::decode(15, &ap_reply).unwrap();
    Ok([
        of_kdc(11, &as_reply, &MEMORY.account_key(), Usage::AsReply),
        of_kdc(13, &tgs_reply, &MEMORY.session(), Usage::TgsReply),
        opened(&MEMORY.session(), Usage::ApReply, &service.enc_part),
        opened(&MEMORY.subkey(), Usage::Private, &private.enc_part),
    ])
}

pub(crate) const MEMORY: Memory =
    Memory { enctype: Enctype::Aes256Sha1, lie: Lie::None, kept: true, now: NOW };

/// The ticket that the honest KDC gives for the service, without the two exchanges: they would be most of the work of a
/// fuzz target.
fn fixed_ticket() -> Result<Ticket, Error> {
    Ok(Ticket {
        client: Principal::account(ACCOUNT, DOMAIN)?,
        service: Principal::service(&["ldap", "dc1.corp.example.com", DOMAIN], DOMAIN)?,
        ends: Duration::from_secs(NOW.as_secs()) + 10 * HOUR,
        session: MEMORY.session(),
        bytes: asn1::encode(1, &Text(TICKET)),
    })
}

/// This reply with another sealed part.
fn reply_with(message: u32, reply: &[u8], key: &Key, usage: Usage, part: &[u8]) -> Vec<u8> {
    let mut reply: KdcRep<'_> = asn1::decode(message, reply).unwrap();
    let sealed = Cipher::new(key, usage).seal([3; 16], part);
    reply.enc_part.cipher = octets(&sealed);
    asn1::encode(message, &reply)
}

fn ap_reply_with(part: &[u8]) -> Vec<u8> {
    let sealed = Cipher::new(&MEMORY.session(), Usage::ApReply).seal([4; 16], part);
    let enc_part = EncryptedData { etype: MEMORY.enctype.number(), kvno: None, cipher: octets(&sealed) };
    asn1::encode(15, &ApRep { pvno: 5, msg_type: 15, enc_part })
}

#[cfg(test)]
mod tests;
