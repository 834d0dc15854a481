//! The TGS exchange (RFC 4120 3.3): a ticket-granting ticket gets a ticket for a service.
//! Before it: [`super::as_exchange`]. After it: [`super::initiator`].

use crate::asn1::{self, ApReq, Authenticator, Checksum, EncryptedData, KdcRep, KdcReq, PaData};
use crate::cipher::{Cipher, checksum};
use crate::enctype::Enctype;
use crate::error::Error;
use crate::kdc::{self, Expected, Ticket};
use crate::key::Usage;
use crate::limits::MAX_MESSAGE;
use crate::principal::Principal;
use crate::random::{self, Random};
use crate::refusal::{self, Read};
use der::Decode as _;
use der::asn1::AnyRef;
use std::time::Duration;

/// TGS-REQ and TGS-REP
const TGS_REQ: u32 = 12;
const TGS_REP: u32 = 13;
/// AP-REQ and Authenticator
pub(crate) const AP_REQ: u32 = 14;
pub(crate) const AUTHENTICATOR: u32 = 2;
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
        // 2. The authenticator, sealed with the session's key.
        let authenticator = Authenticator {
            authenticator_vno: asn1::VERSION,
            crealm: asn1::Text(granting.client.realm()),
            cname: granting.client.name(),
            cksum: Some(Checksum { cksumtype, checksum: kdc::octets(&sum) }),
            cusec: now.subsec_micros(),
            ctime: asn1::time(now),
            subkey: None,
            seq_number: None,
        };
        let proof = ap_request(granting, &authenticator, [0; 4], Usage::TgsAuthenticator, random);
        // 3. The request.
        let padata = vec![PaData { padata_type: PA_TGS_REQ, padata_value: kdc::octets(&proof) }];
        let request = KdcReq {
            pvno: asn1::VERSION,
            msg_type: i32::try_from(TGS_REQ).unwrap_or_default(),
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
            return Err(Error::protocol("it is too long"));
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
        let refused = Read::parse(reply).ok_or(Error::protocol("it is neither a ticket nor a refusal"))?;
        if refused.code == refusal::SKEW {
            return Err(Error::ClockSkew { ours: now, theirs: refused.time });
        }
        Err(Error::Refused(refused.refusal(&self.granting.client.to_string(), &self.service.to_string())))
    }
}

/// An AP-REQ: the ticket, and an authenticator under its session key.
pub(crate) fn ap_request(
    ticket: &Ticket,
    authenticator: &Authenticator<'_>,
    options: [u8; 4],
    usage: Usage,
    random: &mut dyn Random,
) -> Vec<u8> {
    let sealed = zeroize::Zeroizing::new(asn1::encode(AUTHENTICATOR, authenticator));
    let sealed = Cipher::new(&ticket.session, usage).seal(random::bytes(random), &sealed);
    let request = ApReq {
        pvno: asn1::VERSION,
        msg_type: i32::try_from(AP_REQ).unwrap_or_default(),
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
