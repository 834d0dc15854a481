//! The TGS exchange (RFC 4120 3.3): a ticket-granting ticket gets a ticket for a service.
//! Before it: [`super::as_exchange`]. After it: [`super::initiator`].

use crate::asn1::{
    self, ApReq, Authenticator, Checksum, EncryptedData, EncryptionKey, KdcRep, KdcReq, PaData,
};
use crate::cipher::{Cipher, checksum};
use crate::enctype::Enctype;
use crate::error::Error;
use crate::kdc::{self, Expected, Ticket};
use crate::key::{Key, Usage};
use crate::limits::MAX_MESSAGE;
use crate::principal::Principal;
use crate::random::{self, Random};
use crate::refusal::Read;
use der::Decode as _;
use der::asn1::AnyRef;
use std::time::Duration;
use zeroize::Zeroizing;

/// TGS-REQ and TGS-REP
const TGS_REQ: u32 = 12;
const TGS_REP: u32 = 13;
/// AP-REQ and Authenticator
const AP_REQ: u32 = 14;
const AUTHENTICATOR: u32 = 2;
/// PA-TGS-REQ
const PA_TGS_REQ: i32 = 1;

/// One TGS exchange: one request, one reply.
pub struct TgsExchange<'a> {
    granting: &'a Ticket,
    service: Principal,
    nonce: u32,
}

impl<'a> TgsExchange<'a> {
    /// Begins an exchange for a ticket for this service, and gives the request. `now` is since 1970-01-01 UTC.
    pub fn begin(
        granting: &'a Ticket,
        service: Principal,
        now: Duration,
        random: &mut dyn Random,
    ) -> (Self, Vec<u8>) {
        let exchange = Self { granting, service, nonce: random::number(random) };
        // 1. The body, and the checksum that binds the authenticator to it.
        let body = kdc::request_body(&[0; 4], None, &exchange.service, exchange.nonce, &Enctype::ALL);
        let (cksumtype, sum) = checksum(&granting.session, Usage::TgsBodyChecksum, &asn1::plain(&body));
        // 2. The ticket, with an authenticator under the session's key.
        let shown = Shown {
            checksum: Some(Checksum { cksumtype, checksum: kdc::octets(&sum) }),
            subkey: None,
            sequence: None,
            options: [0; 4],
            usage: Usage::TgsAuthenticator,
        };
        let proof = ap_request(granting, now, shown, random);
        // 3. The request.
        let padata = vec![PaData { padata_type: PA_TGS_REQ, padata_value: kdc::octets(&proof) }];
        let request = KdcReq {
            pvno: asn1::VERSION,
            msg_type: asn1::message_type(TGS_REQ),
            padata: Some(padata),
            req_body: body,
        };
        let request = asn1::encode(TGS_REQ, &request);
        (exchange, request)
    }

    /// Takes the KDC's reply.
    ///
    /// # Errors
    /// The KDC refuses, or its reply cannot be trusted.
    pub fn answer(self, reply: &[u8], now: Duration) -> Result<Ticket, Error> {
        if reply.len() > MAX_MESSAGE {
            return Err(Error::Protocol("it is too long"));
        }
        if let Some(reply) = asn1::decode::<KdcRep<'_>>(TGS_REP, reply) {
            let expected = Expected {
                what: "service ticket of the KDC",
                message: TGS_REP,
                client: &self.granting.client,
                may_rename: false,
                service: &self.service,
                nonce: self.nonce,
            };
            return kdc::ticket(&reply, &expected, &self.granting.session, Usage::TgsReply, now);
        }
        let refused = Read::parse(reply).ok_or(Error::Protocol("it is neither a ticket nor a refusal"))?;
        Err(Error::refused(refused, now, &self.granting.client, &self.service))
    }
}

/// What an AP-REQ shows beside the ticket.
pub(crate) struct Shown<'a> {
    pub(crate) checksum: Option<Checksum<'a>>,
    /// A key for what follows.
    pub(crate) subkey: Option<&'a Key>,
    /// The number of the first message that follows.
    pub(crate) sequence: Option<u32>,
    pub(crate) options: [u8; 4],
    pub(crate) usage: Usage,
}

/// An AP-REQ: the ticket, and an authenticator of this time under its session key.
pub(crate) fn ap_request(
    ticket: &Ticket,
    now: Duration,
    shown: Shown<'_>,
    random: &mut dyn Random,
) -> Vec<u8> {
    let Shown { checksum, subkey, sequence, options, usage } = shown;
    let authenticator = |subkey: Option<EncryptionKey<'_>>| {
        let authenticator = Authenticator {
            authenticator_vno: asn1::VERSION,
            crealm: asn1::Text(ticket.client.realm()),
            cname: ticket.client.name(),
            cksum: checksum,
            cusec: now.subsec_micros(),
            ctime: asn1::time(now),
            subkey,
            seq_number: sequence,
        };
        Zeroizing::new(asn1::encode(AUTHENTICATOR, &authenticator))
    };
    let authenticator = match subkey {
        None => authenticator(None),
        Some(key) => key.lend(|bytes| {
            authenticator(Some(EncryptionKey {
                keytype: key.enctype().number(),
                keyvalue: kdc::octets(bytes),
            }))
        }),
    };
    let sealed = Cipher::new(&ticket.session, usage).seal(random::bytes(random), &authenticator);
    let request = ApReq {
        pvno: asn1::VERSION,
        msg_type: asn1::message_type(AP_REQ),
        ap_options: kdc::flags(&options),
        ticket: AnyRef::from_der(&ticket.bytes).expect("it was read from a reply"),
        authenticator: EncryptedData {
            etype: ticket.session.enctype().number(),
            kvno: None,
            cipher: kdc::octets(&sealed),
        },
    };
    asn1::encode(AP_REQ, &request)
}
