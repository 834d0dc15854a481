//! The AS exchange (RFC 4120 3.1): an account proves itself to the KDC with an encrypted timestamp and gets its first
//! ticket, for the ticket-granting service or for the change of its password.
//! After it: [`super::tgs_exchange`], or [`super::password_change`].

use crate::asn1::{self, EtypeInfo2Entry, HostAddress, KdcRep, KdcReq, PaData, PaEncTsEnc, PaPacRequest};
use crate::cipher::Cipher;
use crate::client::{Client, Credential};
use crate::enctype::Enctype;
use crate::error::Error;
use crate::kdc::{self, Expected, Ticket};
use crate::key::{Key, Usage};
use crate::limits::MAX_MESSAGE;
use crate::principal::Principal;
use crate::random::{self, Random};
use crate::refusal::{self, Read};
use der::Decode as _;
use std::time::Duration;

/// AS-REQ and AS-REP
const AS_REQ: u32 = 10;
const AS_REP: u32 = 11;

// Types of pre-authentication data (RFC 4120 7.5.2, RFC 6113, MS-KILE 3.1.1.4).
const PA_ENC_TIMESTAMP: i32 = 2;
const PA_ETYPE_INFO2: i32 = 19;
const PA_PAC_REQUEST: i32 = 128;
const PA_FX_COOKIE: i32 = 133;

/// The NetBIOS form of a host address (RFC 4120 7.5.3): 16 bytes, filled up with spaces.
const NETBIOS: i32 = 20;
/// `canonicalize`: the KDC may look the name up and answer with another one (RFC 6806 3).
const CANONICALIZE: [u8; 4] = [0, 1, 0, 0];
/// Most entries of a list that a KDC sends before it is authenticated. There are some ten types of each.
const MAX_ENTRIES: usize = 64;

/// The next thing for the caller to do.
#[derive(Debug)]
pub enum Next {
    /// Send this to the KDC by TCP, with its length in front (4 bytes, big-endian), and give its reply to `answer`.
    Send(Vec<u8>),
    /// The exchange is over.
    Done(Box<Ticket>),
}

/// One AS exchange. The first request has no proof: the KDC's refusal names the salt. The second one has it.
pub struct AsExchange<'a> {
    client: &'a Client,
    service: Principal,
    enctypes: Vec<Enctype>,
    nonce: u32,
    /// The key that the second request was made with.
    proof: Option<Proof<'a>>,
}

/// A key of the account: from the keytab, or made of the password.
enum Proof<'a> {
    Kept(&'a Key),
    Made(Key),
}

impl Proof<'_> {
    fn key(&self) -> &Key {
        match self {
            Proof::Kept(key) => key,
            Proof::Made(key) => key,
        }
    }
}

impl<'a> AsExchange<'a> {
    /// Begins an exchange for a ticket-granting ticket.
    ///
    /// # Errors
    /// The credential is of no use: an empty password, or a keytab without an AES key of the account.
    pub fn begin(client: &'a Client, random: &mut dyn Random) -> Result<(Self, Vec<u8>), Error> {
        Self::begin_for(client, Principal::ticket_granting(client.account.realm()), random)
    }

    /// Begins an exchange for a ticket for this service.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub(crate) fn begin_for(
        client: &'a Client,
        service: Principal,
        random: &mut dyn Random,
    ) -> Result<(Self, Vec<u8>), Error> {
        let unusable = |why: String| Error::Credential { account: client.account.to_string(), why };
        let enctypes = match &client.credential {
            Credential::Password(password) if password.is_empty() => {
                return Err(unusable("its password is empty".to_owned()));
            }
            Credential::Password(_) => Enctype::ALL.to_vec(),
            Credential::Keytab(keytab) => {
                let held: Vec<Enctype> = Enctype::ALL
                    .into_iter()
                    .filter(|&enctype| keytab.newest(&client.account, enctype).is_some())
                    .collect();
                if held.is_empty() {
                    let others = keytab.principals().join(", ");
                    return Err(unusable(format!("the keytab has no AES key of it, only of {others}")));
                }
                held
            }
        };
        let exchange = Self { client, service, enctypes, nonce: random::number(random), proof: None };
        let request = exchange.request(&[]);
        Ok((exchange, request))
    }

    /// Takes the KDC's reply to the last request. `now` is since 1970-01-01 UTC.
    ///
    /// # Errors
    /// The KDC refuses, or its reply cannot be trusted.
    pub fn answer(&mut self, reply: &[u8], now: Duration, random: &mut dyn Random) -> Result<Next, Error> {
        if reply.len() > MAX_MESSAGE {
            return Err(Error::Protocol("it is too long"));
        }
        if let Some(reply) = asn1::decode::<KdcRep<'_>>(AS_REP, reply) {
            return self.accepted(&reply, now).map(|ticket| Next::Done(Box::new(ticket)));
        }
        let refused = Read::parse(reply).ok_or(Error::Protocol("it is neither a ticket nor a refusal"))?;
        match (refused.code, &self.proof) {
            (refusal::PREAUTH_REQUIRED, None) => self.prove(refused.data, now, random).map(Next::Send),
            _ => Err(Error::refused(refused, now, &self.client.account, &self.service)),
        }
    }

    /// The second request, with a timestamp that is sealed with the account's key.
    fn prove(
        &mut self,
        data: Option<&[u8]>,
        now: Duration,
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, Error> {
        // 1. What the KDC asks for.
        let hints = data
            .and_then(|data| Vec::<PaData<'_>>::from_der(data).ok())
            .filter(|hints| hints.len() <= MAX_ENTRIES)
            .ok_or(Error::Protocol("it asks for pre-authentication and does not say for which"))?;
        let hint = |kind| {
            hints.iter().find(|hint| hint.padata_type == kind).map(|hint| hint.padata_value.as_bytes())
        };
        if hint(PA_ENC_TIMESTAMP).is_none() {
            return Err(Error::NoCommonKey {
                account: self.client.account.to_string(),
                why: "the KDC does not accept a timestamp under a key of the account. Either it has no AES key of it: \
                      set its password once more, and allow AES for it (msDS-SupportedEncryptionTypes, 24). Or it \
                      requires a smart card or armoring"
                    .to_owned(),
            });
        }
        // 2. The key, with the salt that the KDC names.
        let proof = self.key(hint(PA_ETYPE_INFO2), None)?;
        // 3. The timestamp under it.
        let stamp = PaEncTsEnc { patimestamp: asn1::time(now), pausec: Some(now.subsec_micros()) };
        let sealed =
            Cipher::new(proof.key(), Usage::Timestamp).seal(random::bytes(random), &asn1::plain(&stamp));
        let sealed = kdc::encrypted(proof.key(), &sealed);
        self.proof = Some(proof);
        self.nonce = random::number(random);
        let mut data = vec![(PA_ENC_TIMESTAMP, &sealed[..])];
        data.extend(hint(PA_FX_COOKIE).map(|cookie| (PA_FX_COOKIE, cookie)));
        Ok(self.request(&data))
    }

    /// The key of the account of the first type that both the KDC's list and this client have, or of this type.
    fn key(&self, info: Option<&[u8]>, enctype: Option<i32>) -> Result<Proof<'a>, Error> {
        let entries = match info {
            Some(info) => Vec::<EtypeInfo2Entry<'_>>::from_der(info)
                .ok()
                .filter(|entries| entries.len() <= MAX_ENTRIES)
                .ok_or(Error::Protocol("its list of encryption types is malformed"))?,
            None => Vec::new(),
        };
        let chosen = entries
            .iter()
            .filter(|entry| enctype.is_none_or(|wanted| wanted == entry.etype))
            .find_map(|entry| {
                let enctype = Enctype::of_number(entry.etype)?;
                self.enctypes.contains(&enctype).then_some((enctype, entry))
            });
        match (&self.client.credential, chosen) {
            (Credential::Password(password), Some((enctype, entry))) => {
                // No salt in the entry means the default one (RFC 4120 4).
                let default =
                    format!("{}{}", self.client.account.realm(), self.client.account.components().concat());
                let salt = entry.salt.map_or(&default[..], |salt| salt.0);
                let parameters = entry.s2kparams.map(|parameters| parameters.as_bytes());
                Key::of_password(password, enctype, salt.as_bytes(), parameters).map(Proof::Made)
            }
            (Credential::Keytab(keytab), Some((enctype, _))) => keytab
                .newest(&self.client.account, enctype)
                .map(Proof::Kept)
                .ok_or(Error::Protocol("it names a type that was not asked for")),
            (_, None) => {
                let offered: Vec<String> = entries.iter().map(|entry| kdc::type_name(entry.etype)).collect();
                let offered = if offered.is_empty() { "no type".to_owned() } else { offered.join(", ") };
                let held: Vec<&str> = self.enctypes.iter().map(|enctype| enctype.name()).collect();
                Err(Error::NoCommonKey {
                    account: self.client.account.to_string(),
                    why: format!(
                        "the KDC offers {offered}, this client has {}. Set the password of the account once more, \
                         allow AES for it (msDS-SupportedEncryptionTypes, 24), and export its keytab again",
                        held.join(", ")
                    ),
                })
            }
        }
    }

    fn accepted(&self, reply: &KdcRep<'_>, now: Duration) -> Result<Ticket, Error> {
        // The key that the request was made with. Without pre-authentication, or where the KDC took another type, the
        // reply says which.
        let made;
        let key = match &self.proof {
            Some(proof) if proof.key().enctype().number() == reply.enc_part.etype => proof.key(),
            _ => {
                let info = reply.padata.iter().flatten().find(|data| data.padata_type == PA_ETYPE_INFO2);
                made = self.key(info.map(|info| info.padata_value.as_bytes()), Some(reply.enc_part.etype))?;
                made.key()
            }
        };
        let expected = Expected {
            what: "ticket of the KDC",
            message: AS_REP,
            client: &self.client.account,
            may_rename: self.client.account.is_enterprise(),
            service: &self.service,
            nonce: self.nonce,
        };
        kdc::ticket(reply, &expected, key, Usage::AsReply, now)
    }

    fn request(&self, data: &[(i32, &[u8])]) -> Vec<u8> {
        let options = if self.client.account.is_enterprise() { CANONICALIZE } else { [0; 4] };
        let mut body = kdc::request_body(
            &options,
            Some(&self.client.account),
            &self.service,
            self.nonce,
            &self.enctypes,
        );
        let address = self.client.workstation.as_ref().map(|name| format!("{name:<16}"));
        body.addresses = address
            .as_ref()
            .map(|name| vec![HostAddress { addr_type: NETBIOS, address: kdc::octets(name.as_bytes()) }]);
        let pac = asn1::plain(&PaPacRequest { include_pac: true });
        let padata = data
            .iter()
            .chain([&(PA_PAC_REQUEST, &pac[..])])
            .map(|(kind, value)| PaData { padata_type: *kind, padata_value: kdc::octets(value) })
            .collect();
        let request = KdcReq {
            pvno: asn1::VERSION,
            msg_type: asn1::message_type(AS_REQ),
            padata: Some(padata),
            req_body: body,
        };
        asn1::encode(AS_REQ, &request)
    }
}
