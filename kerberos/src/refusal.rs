//! A KRB-ERROR in words (RFC 4120 5.9 and 7.5.9, MS-KILE 2.2.1): what the code means, what the directory adds to it,
//! and who must act.

use crate::asn1::{self, KerbErrorData, KrbError};
use crate::responsible::Responsible;
use der::Decode as _;
use der::asn1::AnyRef;
use std::fmt;
use std::time::Duration;

/// KRB-ERROR
const APPLICATION: u32 = 30;
/// KERB_ERR_TYPE_EXTENDED: the data begins with an NTSTATUS, in little-endian order (MS-KILE 2.2.1).
const EXTENDED: i32 = 3;
/// Most characters of a KDC's own text that are repeated.
const MAX_TEXT: usize = 200;

/// KDC_ERR_PREAUTH_REQUIRED
pub(crate) const PREAUTH_REQUIRED: i32 = 25;
/// KRB_AP_ERR_SKEW
pub(crate) const SKEW: i32 = 37;

/// A KRB-ERROR, which nothing authenticates: another machine can send one in the KDC's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error code (RFC 4120 7.5.9).
    pub code: i32,
    /// What Active Directory adds: an NTSTATUS (MS-ERREF 2.3).
    pub status: Option<u32>,
    /// The KDC's own text, cut, and without characters that a terminal obeys.
    pub text: String,
    /// The KDC's time, since 1970-01-01 UTC.
    pub time: Duration,
    /// The account that was to be authenticated.
    pub account: String,
    /// The service that a ticket was requested for.
    pub service: String,
}

/// A KRB-ERROR as it was read, before it is known what it answers.
pub(crate) struct Read<'a> {
    pub(crate) code: i32,
    pub(crate) time: Duration,
    /// METHOD-DATA where pre-authentication is asked for, KERB-ERROR-DATA in most others.
    pub(crate) data: Option<&'a [u8]>,
    text: String,
}

impl<'a> Read<'a> {
    /// None where the bytes are not a KRB-ERROR.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let error: KrbError<'_> = asn1::decode(APPLICATION, bytes)?;
        let time =
            error.stime.to_unix_duration() + Duration::from_micros(error.susec.try_into().unwrap_or(0));
        Some(Self {
            code: error.error_code,
            time,
            data: error.e_data.map(|data| data.as_bytes()),
            text: error.e_text.map(printable).unwrap_or_default(),
        })
    }

    pub(crate) fn refusal(self, account: &str, service: &str) -> Box<Refusal> {
        Box::new(Refusal {
            code: self.code,
            status: self.data.and_then(status),
            text: self.text,
            time: self.time,
            account: account.to_owned(),
            service: service.to_owned(),
        })
    }
}

/// The NTSTATUS in the data of an error: Windows sends KERB-ERROR-DATA, Samba the same as one of METHOD-DATA.
fn status(data: &[u8]) -> Option<u32> {
    let alone = || KerbErrorData::from_der(data).ok().map(|data| vec![data]);
    let listed = || Vec::<KerbErrorData<'_>>::from_der(data).ok();
    let extended = alone().or_else(listed)?.into_iter().find(|data| data.data_type == EXTENDED)?.data_value?;
    // The status, a reserved number, and flags.
    extended
        .as_bytes()
        .first_chunk()
        .filter(|_| extended.as_bytes().len() == 12)
        .copied()
        .map(u32::from_le_bytes)
}

/// The content of a string, which need not be UTF-8.
fn printable(text: AnyRef<'_>) -> String {
    String::from_utf8_lossy(text.value()).chars().filter(|one| !one.is_control()).take(MAX_TEXT).collect()
}

impl Refusal {
    /// Who must act.
    pub fn who(&self) -> Responsible {
        self.meaning().0
    }

    /// Who must act, and what happened, with what to do.
    fn meaning(&self) -> (Responsible, String) {
        use Responsible::{DirectoryOperator, Nobody, Operator, OtherEnd};
        let Self { account, service, .. } = self;
        if let Some(text) = self.status.and_then(status_text) {
            return (DirectoryOperator, format!("the account {account} {text}"));
        }
        let said = |who, text: &str| (who, text.to_owned());
        match self.code {
            1 => (
                DirectoryOperator,
                format!("the account {account} has expired: set a later date in the directory"),
            ),
            2 => (DirectoryOperator, format!("the service {service} has expired in the directory")),
            3 => said(OtherEnd, "the KDC does not speak version 5 of Kerberos"),
            4 | 5 => said(DirectoryOperator, "the KDC has lost an older key: set the password once more"),
            6 => (
                Operator,
                format!("the directory has no account {account}: is its name, and the domain, right?"),
            ),
            7 => (
                Operator,
                format!(
                    "the directory has no service {service}: is the full name of the domain controller right?"
                ),
            ),
            8 => {
                said(DirectoryOperator, "a name stands more than once in the directory: remove the duplicate")
            }
            9 => said(DirectoryOperator, "the account or the service has no key: set its password"),
            10 => said(DirectoryOperator, "the KDC refuses to postdate a ticket, which was not asked for"),
            11 => said(
                DirectoryOperator,
                "the KDC gives tickets of no length: mend the domain's Kerberos policy",
            ),
            12 => (
                DirectoryOperator,
                format!(
                    "a policy forbids {account} to sign in from here or now: its workstations, logon hours, \
                     authentication policy silo, or a domain that requires armoring"
                ),
            ),
            13 => {
                said(DirectoryOperator, "the KDC cannot do what a ticket was asked with (KDC_ERR_BADOPTION)")
            }
            14 => (
                DirectoryOperator,
                format!(
                    "the KDC has no AES key in common with this client for {account} or {service}: set the password \
                     of the account once more, and allow AES for it (msDS-SupportedEncryptionTypes, 24)"
                ),
            ),
            15 => said(DirectoryOperator, "the KDC does not know the type of a checksum"),
            16 => said(
                DirectoryOperator,
                "the KDC does not take pre-authentication by timestamp: the account may need a smart card",
            ),
            17 | 19..=22 => said(DirectoryOperator, "the KDC refuses the ticket that was shown to it"),
            18 => (
                DirectoryOperator,
                format!("the account {account} is disabled, locked, expired or outside its logon hours"),
            ),
            23 => (DirectoryOperator, format!("the password of {account} has expired: set a new one")),
            24 => (Operator, format!("wrong password, or an outdated keytab, for {account}: set it again")),
            25 => said(OtherEnd, "the KDC asks for pre-authentication again and again"),
            26 => said(OtherEnd, "the KDC that was asked is not the one that the ticket is for"),
            27 => (DirectoryOperator, format!("the service {service} only takes tickets from user to user")),
            28 => said(DirectoryOperator, "the KDC refuses the path between realms"),
            29 => (
                DirectoryOperator,
                format!(
                    "the KDC cannot serve {account} now; a read-only domain controller answers so when it holds no \
                     password of it: use another one"
                ),
            ),
            31 => (
                Operator,
                format!("what was sealed for {account} did not open: wrong password or an outdated keytab"),
            ),
            32 => said(Nobody, "the ticket has expired: another is requested"),
            33 => said(Operator, "the ticket is not valid yet: compare the clocks"),
            34 => said(Nobody, "the other end has seen this request already: another is made"),
            35 | 36 | 38..=40 | 42 | 43 | 48 | 49 => {
                said(OtherEnd, "the other end refuses the request as malformed or not its own")
            }
            37 => said(Operator, "the clocks are too far apart"),
            41 => said(
                DirectoryOperator,
                "the service could not open the ticket: its key was changed, or two hosts share one name",
            ),
            44 | 45 => {
                (DirectoryOperator, format!("the service {service} lacks the key that the ticket is for"))
            }
            46 | 47 => said(OtherEnd, "the mutual authentication failed"),
            50 => said(OtherEnd, "the other end refuses the type of a checksum"),
            52 => said(OtherEnd, "the KDC asks for TCP, over which it was asked"),
            60 => said(
                DirectoryOperator,
                "the KDC failed, and gives no reason (KRB_ERR_GENERIC): see its own log",
            ),
            61 => said(DirectoryOperator, "the KDC refuses a field as too long"),
            62..=67 | 70..=77 => said(DirectoryOperator, "the KDC asks for a certificate or smart card"),
            68 => (Operator, format!("the KDC does not serve the domain of {account}: is its name right?")),
            69 => said(DirectoryOperator, "the service only takes tickets from user to user"),
            90 | 91 | 93 => {
                said(DirectoryOperator, "the KDC requires armoring (FAST), which this client has not")
            }
            _ => (DirectoryOperator, format!("the KDC refused {account}")),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (Kerberos error {}", self.meaning().1, self.code)?;
        if let Some(status) = self.status {
            write!(f, ", status {status:#010x}")?;
        }
        if !self.text.is_empty() {
            write!(f, ", \u{201c}{}\u{201d}", self.text)?;
        }
        f.write_str(")")
    }
}

/// What follows "the account …", for the reasons of a refusal that Active Directory has words for.
fn status_text(status: u32) -> Option<&'static str> {
    Some(match status {
        0xc000_0064 => "does not exist",
        0xc000_006f => "may not sign in at this hour: mend its logon hours",
        0xc000_0070 => "may not sign in from this machine: add this machine's name to its workstations",
        0xc000_0071 => "has a password that expired: set a new one",
        0xc000_0072 => "is disabled: enable it",
        0xc000_0193 => "has expired: set a later date",
        0xc000_0224 => "must change its password: set one that need not be changed",
        0xc000_0234 => "is locked out: unlock it, and see who tries wrong passwords",
        0xc000_0413 => "is kept out by an authentication policy silo",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
