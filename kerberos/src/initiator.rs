//! The AP exchange as its initiator (RFC 4120 3.2, RFC 4121 4.1, MS-KILE 3.4.5.1): the ticket is shown to the service,
//! the service proves that it could open it, and a third leg answers that, as DCE/RPC wants it.
//! Before it: [`super::tgs_exchange`]. After it: [`super::wrap`].

use crate::asn1::{self, ApRep, Checksum, EncApRepPart, EncryptedData};
use crate::cipher::Cipher;
use crate::enctype::Enctype;
use crate::error::Error;
use crate::kdc::{self, Ticket};
use crate::key::{Key, Usage};
use crate::limits::MAX_MESSAGE;
use crate::random::{self, Random};
use crate::refusal::Read;
use crate::tgs_exchange::{Shown, ap_request};
use crate::wrap::Context;
use std::time::Duration;
use zeroize::Zeroizing;

/// AP-REP and EncAPRepPart
const AP_REP: u32 = 15;
const ENC_AP_REP_PART: u32 = 27;
/// `mutual-required`
const MUTUAL_REQUIRED: [u8; 4] = [0x20, 0, 0, 0];
/// The checksum of GSS-API in an authenticator (RFC 4121 4.1.1): no sum, but flags.
const GSS_CHECKSUM: i32 = 0x8003;
/// `GSS_C_MUTUAL_FLAG | REPLAY | SEQUENCE | CONF | INTEG`
pub(crate) const PROTECTED: u32 = 0x02 | 0x04 | 0x08 | 0x10 | 0x20;
/// `GSS_C_DCE_STYLE`
const DCE_STYLE: u32 = 0x1000;
/// The length of the channel binding in that checksum. All zeros: plain TCP has no channel to bind.
const BINDING: u32 = 16;

/// One AP exchange whose first leg was made.
pub struct Initiator {
    ticket: Ticket,
    /// The time in the authenticator, to the microsecond.
    made: Duration,
    sequence: u32,
}

/// What the service proved, opened.
pub(crate) struct Proven {
    /// The key that it chose, if it chose one.
    pub(crate) subkey: Option<Key>,
    /// The number of its next message, if it named one.
    pub(crate) sequence: Option<u32>,
}

impl Initiator {
    /// Makes the first leg, an AP-REQ. `now` is since 1970-01-01 UTC.
    pub fn begin(ticket: Ticket, now: Duration, random: &mut dyn Random) -> (Self, Vec<u8>) {
        let sequence = random::number(random);
        let subkey = new_key(ticket.session.enctype(), random);
        let token = gss_first_leg(&ticket, now, PROTECTED | DCE_STYLE, &subkey, sequence, random);
        (Self { ticket, made: now, sequence }, token)
    }

    /// Takes the second leg, an AP-REP, and gives the context and the third leg.
    ///
    /// # Errors
    /// The service refuses, or its answer cannot be trusted.
    pub fn answer(
        self,
        token: &[u8],
        now: Duration,
        random: &mut dyn Random,
    ) -> Result<(Context, Vec<u8>), Error> {
        // 1. The service has opened the ticket, and chose a key and a number.
        let proven = proven(&self.ticket, token, self.made, now)?;
        let (Some(subkey), Some(sequence)) = (proven.subkey, proven.sequence) else {
            return Err(Error::Protocol("the service chose no key, or no sequence number"));
        };
        // 2. The third leg repeats the time, and the service's number.
        let part = EncApRepPart {
            ctime: asn1::time(self.made),
            cusec: self.made.subsec_micros(),
            subkey: None,
            seq_number: Some(i64::from(sequence)),
        };
        let sealed = asn1::encode(ENC_AP_REP_PART, &part);
        let sealed = Cipher::new(&self.ticket.session, Usage::ApReply).seal(random::bytes(random), &sealed);
        let reply = ApRep {
            pvno: asn1::VERSION,
            msg_type: asn1::message_type(AP_REP),
            enc_part: EncryptedData {
                etype: self.ticket.session.enctype().number(),
                kvno: None,
                cipher: kdc::octets(&sealed),
            },
        };
        Ok((Context::new(subkey, self.sequence, sequence), asn1::encode(AP_REP, &reply)))
    }
}

/// Opens an AP-REP, and checks that it answers the authenticator of this time.
pub(crate) fn proven(ticket: &Ticket, token: &[u8], made: Duration, now: Duration) -> Result<Proven, Error> {
    if token.len() > MAX_MESSAGE {
        return Err(Error::Protocol("it is too long"));
    }
    // 1. An AP-REP, or a refusal.
    let Some(reply) = asn1::decode::<ApRep<'_>>(AP_REP, token) else {
        let refused = Read::parse(token).ok_or(Error::Protocol("the service's token is malformed"))?;
        return Err(Error::refused(refused, now, &ticket.client, &ticket.service));
    };
    let session = &ticket.session;
    if reply.pvno != asn1::VERSION
        || reply.msg_type != asn1::message_type(AP_REP)
        || reply.enc_part.etype != session.enctype().number()
    {
        return Err(Error::Protocol("the service's token has a wrong version or type"));
    }
    // 2. Only who could open the ticket has its session's key.
    let opened =
        Cipher::new(session, Usage::ApReply).open(reply.enc_part.cipher.as_bytes()).map_err(|_| {
            Error::Unverified { what: "proof of the service", account: ticket.service.to_string() }
        })?;
    let part: EncApRepPart<'_> = asn1::decode(ENC_AP_REP_PART, &opened)
        .ok_or(Error::Protocol("the sealed part of the service's token is malformed"))?;
    if part.ctime != asn1::time(made) || part.cusec != made.subsec_micros() {
        return Err(Error::Protocol("the service's token answers another request"));
    }
    // 3. What it chose.
    let subkey = match part.subkey {
        None => None,
        Some(key) => Some(
            Enctype::of_number(key.keytype)
                .and_then(|enctype| Key::new(enctype, key.keyvalue.as_bytes()))
                .ok_or(Error::Protocol("the service chose a key that is not AES"))?,
        ),
    };
    let sequence = match part.seq_number {
        None => None,
        // Some write the upper half of the numbers as negative.
        Some(number) => Some(
            u32::try_from(number)
                .or_else(|_| i32::try_from(number).map(i32::cast_unsigned))
                .map_err(|_| Error::Protocol("the service's sequence number is out of range"))?,
        ),
    };
    Ok(Proven { subkey, sequence })
}

/// The AP-REQ of an exchange under GSS-API with these flags.
pub(crate) fn gss_first_leg(
    ticket: &Ticket,
    now: Duration,
    flags: u32,
    subkey: &Key,
    sequence: u32,
    random: &mut dyn Random,
) -> Vec<u8> {
    let sum = [&BINDING.to_le_bytes()[..], &[0; 16], &flags.to_le_bytes()].concat();
    let checksum = Checksum { cksumtype: GSS_CHECKSUM, checksum: kdc::octets(&sum) };
    first_leg(ticket, now, Some(checksum), subkey, sequence, random)
}

/// The AP-REQ of an exchange in which the service is to prove itself too.
pub(crate) fn first_leg(
    ticket: &Ticket,
    now: Duration,
    checksum: Option<Checksum<'_>>,
    subkey: &Key,
    sequence: u32,
    random: &mut dyn Random,
) -> Vec<u8> {
    let shown = Shown {
        checksum,
        subkey: Some(subkey),
        sequence: Some(sequence),
        options: MUTUAL_REQUIRED,
        usage: Usage::ApAuthenticator,
    };
    ap_request(ticket, now, shown, random)
}

/// A random key of this type.
pub(crate) fn new_key(enctype: Enctype, random: &mut dyn Random) -> Key {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(&mut *bytes);
    Key::new(enctype, bytes.get(..enctype.key_length()).unwrap_or_default()).expect("of its length")
}
