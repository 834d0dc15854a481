//! The change of a password with the old one (RFC 3244, MS-KILE 3.1.5.12). It needs no other account and no right, and
//! works if the old password has expired or must be changed.
//! Before it: [`super::as_exchange`] gets a ticket for `kadmin/changepw`. The messages go to port 464 by TCP.

use crate::as_exchange::AsExchange;
use crate::asn1::{self, EncKrbPrivPart, EncryptedData, HostAddress, KrbPriv};
use crate::cipher::Cipher;
use crate::client::Client;
use crate::error::Error;
use crate::initiator;
use crate::kdc::{self, Ticket};
use crate::key::{Key, Usage};
use crate::limits::MAX_MESSAGE;
use crate::principal::Principal;
use crate::random::{self, Random};
use crate::refusal::Read;
use landbridge_crypto::secret::Password;
use std::time::Duration;
use zeroize::Zeroizing;

/// The TCP port of the service.
pub const PORT: u16 = 464;
/// KRB-PRIV and EncKrbPrivPart
const KRB_PRIV: u32 = 21;
const ENC_KRB_PRIV_PART: u32 = 28;
/// The version of the protocol in which the sealed text is the new password alone.
const CHANGE: u16 = 1;
/// Lengths of the message and of the AP-REQ or AP-REP in it, and the version.
const HEAD: usize = 2 + 2 + 2;
/// The policy figures that Windows sends in place of a text (MS-KILE 3.1.5.12).
const FIGURES: usize = 30;
/// Limit on the characters of the service's own text that are kept.
const MAX_TEXT: usize = 1_000;

/// The answer of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The new password is in force.
    Changed,
    /// The service refused the change. The refusal is authenticated.
    Refused {
        /// The result code: 1 to 7 (RFC 3244 2).
        code: u16,
        /// The code in words.
        meaning: &'static str,
        /// The reason that the service sends for the person.
        reason: Reason,
    },
}

/// A service's reason to refuse a new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The service sent none.
    None,
    /// A text in the service's own words. Samba and MIT send one.
    Text(String),
    /// The domain's policy in figures. Windows sends them.
    Policy {
        /// The fewest characters.
        minimum_length: u32,
        /// How many former passwords are refused.
        history: u32,
        /// Whether the password must be complex (DOMAIN_PASSWORD_COMPLEX).
        complex: bool,
        /// How long a password must be kept before it may be changed.
        minimum_age: Duration,
    },
}

/// Begins the AS exchange for the ticket of the service for passwords. It also succeeds with a password that has
/// expired.
///
/// # Errors
/// The old password is empty.
pub fn begin_ticket<'a>(
    client: &'a Client,
    random: &mut dyn Random,
) -> Result<(AsExchange<'a>, Vec<u8>), Error> {
    let service = Principal::service(&["kadmin", "changepw"], client.account.realm())?;
    AsExchange::begin_for(client, service, random)
}

/// One change whose request was made. It reads the reply.
pub struct PasswordChange<'a> {
    ticket: &'a Ticket,
    made: Duration,
    subkey: Key,
    sequence: u32,
}

impl<'a> PasswordChange<'a> {
    /// Makes the request. The caller sends it to [`PORT`] by TCP, after its length (4 bytes, big-endian).
    ///
    /// # Errors
    /// The new password is too long for the message.
    pub fn begin(
        ticket: &'a Ticket,
        new: &Password,
        now: Duration,
        random: &mut dyn Random,
    ) -> Result<(Self, Vec<u8>), Error> {
        // 1. The ticket, with a key for this message alone.
        let enctype = ticket.session.enctype();
        let subkey = initiator::new_key(enctype, random);
        let change = Self { ticket, made: now, subkey, sequence: random::number(random) };
        let request = initiator::first_leg(ticket, now, None, &change.subkey, change.sequence, random);
        // 2. The new password under that key. Services ignore the address; the field must be there.
        let sealed = new.lend(|text| {
            let part = EncKrbPrivPart {
                user_data: kdc::octets(text.as_bytes()),
                timestamp: None,
                usec: None,
                seq_number: Some(i64::from(change.sequence)),
                s_address: HostAddress { addr_type: 2, address: kdc::octets(&[127, 0, 0, 1]) },
                r_address: None,
            };
            let part = Zeroizing::new(asn1::encode(ENC_KRB_PRIV_PART, &part));
            Cipher::new(&change.subkey, Usage::Private).seal(random::bytes(random), &part)
        });
        let private = KrbPriv {
            pvno: asn1::VERSION,
            msg_type: asn1::message_type(KRB_PRIV),
            enc_part: EncryptedData { etype: enctype.number(), kvno: None, cipher: kdc::octets(&sealed) },
        };
        // 3. Both in one message.
        let private = asn1::encode(KRB_PRIV, &private);
        let too_long = |_| Error::Credential {
            account: ticket.client.to_string(),
            why: "its new password is too long".to_owned(),
        };
        let length = u16::try_from(HEAD + request.len() + private.len()).map_err(too_long)?;
        let request_length = u16::try_from(request.len()).map_err(too_long)?;
        let mut message = Vec::with_capacity(usize::from(length));
        for field in [length, CHANGE, request_length] {
            message.extend(field.to_be_bytes());
        }
        message.extend(request);
        message.extend(private);
        Ok((change, message))
    }

    /// Reads the reply.
    ///
    /// # Errors
    /// The reply is a KRB-ERROR, which is not authenticated, or it is not a valid reply to this request.
    pub fn answer(self, reply: &[u8], now: Duration) -> Result<Outcome, Error> {
        if reply.len() > MAX_MESSAGE {
            return Err(Error::Protocol("it is too long"));
        }
        // 1. A KRB-ERROR, alone or in the frame of a reply.
        let refused =
            |bytes| Some(Error::refused(Read::parse(bytes)?, now, &self.ticket.client, &self.ticket.service));
        if let Some(error) = refused(reply) {
            return Err(error);
        }
        let malformed = Error::Protocol("the reply to a change of password is malformed");
        let (head, rest) = reply.split_first_chunk::<HEAD>().ok_or(malformed.clone())?;
        let [a, b, c, d, e, f] = *head;
        let [length, version, proof] = [[a, b], [c, d], [e, f]].map(u16::from_be_bytes);
        if usize::from(length) != reply.len() || version != CHANGE {
            return Err(malformed);
        }
        let (proof, private) = rest.split_at_checked(usize::from(proof)).ok_or(malformed.clone())?;
        if proof.is_empty() {
            return Err(refused(private).unwrap_or(malformed));
        }
        // 2. The service has opened the ticket and the authenticator.
        let proven = initiator::proven(self.ticket, proof, self.made, now)?;
        // 3. The answer is sealed with the key that the service chose, or if it chose none, with that of the request.
        let key = proven.subkey.as_ref().unwrap_or(&self.subkey);
        let private: KrbPriv<'_> = asn1::decode(KRB_PRIV, private).ok_or(malformed.clone())?;
        if private.pvno != asn1::VERSION
            || private.msg_type != asn1::message_type(KRB_PRIV)
            || private.enc_part.etype != key.enctype().number()
        {
            return Err(malformed);
        }
        let unverified = |_| Error::Unverified {
            what: "reply to the change of the password",
            account: self.ticket.service.to_string(),
        };
        let opened =
            Cipher::new(key, Usage::Private).open(private.enc_part.cipher.as_bytes()).map_err(unverified)?;
        let part: EncKrbPrivPart<'_> = asn1::decode(ENC_KRB_PRIV_PART, &opened).ok_or(malformed.clone())?;
        if part
            .seq_number
            .is_some_and(|number| proven.sequence.is_some_and(|named| number != i64::from(named)))
        {
            return Err(Error::Protocol("the reply to a change of password is out of sequence"));
        }
        // 4. The result.
        let (code, text) = part.user_data.as_bytes().split_first_chunk::<2>().ok_or(malformed)?;
        Ok(outcome(u16::from_be_bytes(*code), text))
    }
}

/// Reads a result code and the bytes after it.
fn outcome(code: u16, text: &[u8]) -> Outcome {
    let meaning = match code {
        0 => return Outcome::Changed,
        1 => "the request was malformed",
        2 => "the service failed",
        3 => "the ticket was refused",
        4 => "the new password was refused",
        5 => "the account may not change its password",
        6 => "the service does not speak this version of the protocol",
        7 => "the ticket was not got with the password itself",
        _ => "the service refused, with an unknown code",
    };
    Outcome::Refused { code, meaning, reason: figures(text).unwrap_or_else(|| words(text)) }
}

fn words(text: &[u8]) -> Reason {
    let text: String =
        String::from_utf8_lossy(text).chars().filter(|one| !one.is_control()).take(MAX_TEXT).collect();
    if text.is_empty() { Reason::None } else { Reason::Text(text) }
}

/// The policy as Windows sends it: two zero bytes, then big-endian figures, times in units of 100 ns.
fn figures(bytes: &[u8]) -> Option<Reason> {
    let bytes: &[u8; FIGURES] = bytes.try_into().ok()?;
    let (zero, rest) = bytes.split_first_chunk::<2>()?;
    let (minimum_length, rest) = rest.split_first_chunk::<4>()?;
    let (history, rest) = rest.split_first_chunk::<4>()?;
    let (properties, rest) = rest.split_first_chunk::<4>()?;
    let (_expires, rest) = rest.split_first_chunk::<8>()?;
    let minimum_age = rest.first_chunk::<8>()?;
    (*zero == [0, 0]).then(|| Reason::Policy {
        minimum_length: u32::from_be_bytes(*minimum_length),
        history: u32::from_be_bytes(*history),
        complex: u32::from_be_bytes(*properties) & 1 != 0,
        minimum_age: Duration::from_nanos(u64::from_be_bytes(*minimum_age).saturating_mul(100)),
    })
}

#[cfg(test)]
mod tests;
