//! Answers as bytes (RFC 4511 4.1.9 and what follows), each a whole LDAPMessage.
//! Neighbours: [`super::controls`] has the controls, `message` the requests.

use super::controls::ResponseControl;
use rasn::types::{OctetString, SetOf};
use rasn_ldap::{
    BindResponse, CompareResponse, ExtendedResponse, LdapMessage, LdapResult, LdapString, PartialAttribute,
    ProtocolOp, SearchResultDone, SearchResultEntry,
};

/// The OID of the notice of disconnection (RFC 4511 4.4.1).
const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";

/// Limit on the bytes of a diagnostic text. A longer one is cut.
const MAX_DIAGNOSTIC: usize = 1024;

/// Why an answer has no bytes: the codec refused a value of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an LDAP answer cannot be written")]
pub struct NotWritten;

/// The result codes of this server, by their names in RFC 4511 4.1.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResultCode {
    /// 0: the operation succeeded.
    Success,
    /// 1: the operation does not fit what happened before, such as StartTLS twice.
    OperationsError,
    /// 2: the request is malformed, or its operation or version is unknown.
    ProtocolError,
    /// 3: the time limit ended the search.
    TimeLimitExceeded,
    /// 4: more entries fit than the limit.
    SizeLimitExceeded,
    /// 5: Compare: no value is equal.
    CompareFalse,
    /// 6: Compare: a value is equal.
    CompareTrue,
    /// 7: a bind by another method than a password.
    AuthMethodNotSupported,
    /// 11: a limit of the administrator ended the operation.
    AdminLimitExceeded,
    /// 12: a critical control is unknown or unfit.
    UnavailableCriticalExtension,
    /// 13: the operation needs TLS.
    ConfidentialityRequired,
    /// 16: Compare: the entry lacks the attribute.
    NoSuchAttribute,
    /// 17: the attribute is unknown.
    UndefinedAttributeType,
    /// 18: the attribute has no rule for this comparison.
    InappropriateMatching,
    /// 19: the directory's rules refuse the new value.
    ConstraintViolation,
    /// 21: a value does not fit its syntax.
    InvalidAttributeSyntax,
    /// 32: there is no such entry.
    NoSuchObject,
    /// 34: the text is no distinguished name.
    InvalidDnSyntax,
    /// 48: a bind without a password, where one is needed.
    InappropriateAuthentication,
    /// 49: the name or the password is wrong, or the account may not sign in.
    InvalidCredentials,
    /// 50: the client may not do this.
    InsufficientAccessRights,
    /// 51: the server is busy; another one may answer.
    Busy,
    /// 52: the server cannot answer now; another one may.
    Unavailable,
    /// 53: the server does not do this.
    UnwillingToPerform,
    /// 80: an error of the server.
    Other,
}

impl ResultCode {
    fn written(self) -> rasn_ldap::ResultCode {
        use rasn_ldap::ResultCode as Written;
        match self {
            Self::Success => Written::Success,
            Self::OperationsError => Written::OperationsError,
            Self::ProtocolError => Written::ProtocolError,
            Self::TimeLimitExceeded => Written::TimeLimitExceeded,
            Self::SizeLimitExceeded => Written::SizeLimitExceeded,
            Self::CompareFalse => Written::CompareFalse,
            Self::CompareTrue => Written::CompareTrue,
            Self::AuthMethodNotSupported => Written::AuthMethodNotSupported,
            Self::AdminLimitExceeded => Written::AdminLimitExceeded,
            Self::UnavailableCriticalExtension => Written::UnavailableCriticalExtension,
            Self::ConfidentialityRequired => Written::ConfidentialityRequired,
            Self::NoSuchAttribute => Written::NoSuchAttribute,
            Self::UndefinedAttributeType => Written::UndefinedAttributeType,
            Self::InappropriateMatching => Written::InappropriateMatching,
            Self::ConstraintViolation => Written::ConstraintViolation,
            Self::InvalidAttributeSyntax => Written::InvalidAttributeSyntax,
            Self::NoSuchObject => Written::NoSuchObject,
            Self::InvalidDnSyntax => Written::InvalidDnSyntax,
            Self::InappropriateAuthentication => Written::InappropriateAuthentication,
            Self::InvalidCredentials => Written::InvalidCredentials,
            Self::InsufficientAccessRights => Written::InsufficientAccessRights,
            Self::Busy => Written::Busy,
            Self::Unavailable => Written::Unavailable,
            Self::UnwillingToPerform => Written::UnwillingToPerform,
            Self::Other => Written::Other,
        }
    }
}

/// The kinds of operation, by which an answer is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the operations of RFC 4511 by their names")]
pub enum Operation {
    Bind,
    Unbind,
    Search,
    Compare,
    Extended,
    Abandon,
    Modify,
    Add,
    Delete,
    ModifyDn,
}

/// The outcome of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The code.
    pub code: ResultCode,
    /// For `noSuchObject`: the nearest entry above that exists. Else empty.
    pub matched: String,
    /// Words for the administrator of the client. Cut after 1,024 bytes.
    pub diagnostic: String,
}

impl Outcome {
    /// An outcome with words.
    pub fn new(code: ResultCode, diagnostic: impl Into<String>) -> Self {
        Self { code, matched: String::new(), diagnostic: diagnostic.into() }
    }
}

/// One attribute of an entry that is returned: its name with options, and its values; none if the client wants types
/// only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedAttribute {
    /// The name, as the client reads it.
    pub name: String,
    /// The values in LDAP's encoding.
    pub values: Vec<Vec<u8>>,
}

/// An entry of a search's answer. The codec sorts the values of each attribute; their order means nothing (RFC 4511
/// 4.1.7).
pub fn entry(id: u32, dn: &str, attributes: Vec<ReturnedAttribute>) -> Result<Vec<u8>, NotWritten> {
    let attribute = |attribute: ReturnedAttribute| {
        let values: Vec<OctetString> = attribute.values.into_iter().map(OctetString::from).collect();
        PartialAttribute::new(LdapString(attribute.name), SetOf::from_vec(values))
    };
    let attributes = attributes.into_iter().map(attribute).collect();
    let entry = SearchResultEntry::new(LdapString::from(dn), attributes);
    message(id, ProtocolOp::SearchResEntry(entry), &[])
}

/// The last message for a request: its outcome. None: the operation has no answer (Unbind and Abandon).
pub fn outcome(
    id: u32,
    operation: Operation,
    outcome: &Outcome,
    controls: &[ResponseControl],
) -> Result<Option<Vec<u8>>, NotWritten> {
    let result = || {
        LdapResult::new(
            outcome.code.written(),
            LdapString::from(outcome.matched.as_str()),
            LdapString::from(cut(&outcome.diagnostic)),
        )
    };
    let written = match operation {
        Operation::Unbind | Operation::Abandon => return Ok(None),
        Operation::Bind => {
            let LdapResult { result_code, matched_dn, diagnostic_message, .. } = result();
            ProtocolOp::BindResponse(BindResponse::new(
                result_code,
                matched_dn,
                diagnostic_message,
                None,
                None,
            ))
        }
        Operation::Search => ProtocolOp::SearchResDone(SearchResultDone(result())),
        Operation::Compare => ProtocolOp::CompareResponse(CompareResponse(result())),
        Operation::Extended => ProtocolOp::ExtendedResp(extended_response(result(), None, None)),
        Operation::Modify => ProtocolOp::ModifyResponse(rasn_ldap::ModifyResponse(result())),
        Operation::Add => ProtocolOp::AddResponse(rasn_ldap::AddResponse(result())),
        Operation::Delete => ProtocolOp::DelResponse(rasn_ldap::DelResponse(result())),
        Operation::ModifyDn => ProtocolOp::ModDnResponse(rasn_ldap::ModifyDnResponse(result())),
    };
    message(id, written, controls).map(Some)
}

/// The answer to a request; none: it has none, or cannot be written.
pub(crate) fn answer(
    id: u32,
    operation: Operation,
    result: &Outcome,
    controls: &[ResponseControl],
) -> Option<Vec<u8>> {
    outcome(id, operation, result, controls).ok().flatten()
}

/// The answer to an extended request: its outcome, the OID that RFC 4511 4.12 or the operation's own document wants, and
/// a value.
pub fn extended(
    id: u32,
    outcome: &Outcome,
    name: Option<&str>,
    value: Option<&[u8]>,
) -> Result<Vec<u8>, NotWritten> {
    let result = LdapResult::new(
        outcome.code.written(),
        LdapString::from(outcome.matched.as_str()),
        LdapString::from(cut(&outcome.diagnostic)),
    );
    message(id, ProtocolOp::ExtendedResp(extended_response(result, name, value)), &[])
}

/// The notice of disconnection (RFC 4511 4.4.1), which is sent before the server closes a connection by itself.
pub fn notice_of_disconnection(code: ResultCode, diagnostic: &str) -> Result<Vec<u8>, NotWritten> {
    extended(0, &Outcome::new(code, diagnostic), Some(NOTICE_OF_DISCONNECTION), None)
}

fn extended_response(result: LdapResult, name: Option<&str>, value: Option<&[u8]>) -> ExtendedResponse {
    ExtendedResponse {
        result_code: result.result_code,
        matched_dn: result.matched_dn,
        diagnostic_message: result.diagnostic_message,
        referral: None,
        response_name: name.map(|name| OctetString::from(name.as_bytes())),
        response_value: value.map(OctetString::from),
    }
}

fn message(id: u32, operation: ProtocolOp, controls: &[ResponseControl]) -> Result<Vec<u8>, NotWritten> {
    let mut message = LdapMessage::new(id, operation);
    if !controls.is_empty() {
        let written = controls.iter().map(ResponseControl::to_control).collect::<Option<Vec<_>>>();
        message.controls = Some(written.ok_or(NotWritten)?);
    }
    rasn::ber::encode(&message).map_err(|_| NotWritten)
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_DIAGNOSTIC)).unwrap_or_default()
}
