//! What must hold for any bytes at all, one function a parser. The fuzz targets are one line into these;
//! `tests/offline.rs` replays their corpora and every crash that was ever found.
//! An oracle panics when something does not hold, and only then.

mod certificate_file;
mod client_assertion;
mod digest_text;
mod distinguished_name;
pub(crate) mod drs_secret;
mod enrolment;
mod kerberos;
mod krb_error;
mod ldap_answer;
mod ldap_request;
mod ndr_reply;
mod oidc_code;
mod oidc_cookie;
mod oidc_form;
mod oidc_request;
mod password_modify;
mod pdu;
mod prefix_table;
mod proxy_answer;
mod proxy_header;
mod redirect_uri;
mod usn_answer;
mod wire_frames;

pub use certificate_file::certificate_file;
pub use client_assertion::client_assertion;
pub use digest_text::digest_text;
pub use distinguished_name::distinguished_name;
pub use drs_secret::drs_secret;
pub use enrolment::enrolment;
pub use kerberos::{ap_rep, as_rep, keytab, krb_priv, sasl_token, tgs_rep};
pub use krb_error::krb_error;
pub use ldap_answer::ldap_answer;
pub use ldap_request::ldap_request;
pub use ndr_reply::ndr_reply;
pub use oidc_code::oidc_code;
pub use oidc_cookie::oidc_cookie;
pub use oidc_form::oidc_form;
pub use oidc_request::oidc_request;
pub use password_modify::password_modify;
pub use pdu::pdu;
pub use prefix_table::prefix_table;
pub use proxy_answer::proxy_answer;
pub use proxy_header::proxy_header;
pub use redirect_uri::redirect_uri;
pub use usn_answer::usn_answer;
pub use wire_frames::wire_frames;

/// An oracle.
pub type Oracle = fn(&[u8]);

/// Every oracle by the name of its fuzz target, which is also the name of its corpus.
pub const ALL: &[(&str, Oracle)] = &[
    ("ap_rep", ap_rep),
    ("as_rep", as_rep),
    ("certificate_file", certificate_file),
    ("client_assertion", client_assertion),
    ("digest_text", digest_text),
    ("distinguished_name", distinguished_name),
    ("drs_secret", drs_secret),
    ("enrolment", enrolment),
    ("keytab", keytab),
    ("krb_error", krb_error),
    ("krb_priv", krb_priv),
    ("ldap_answer", ldap_answer),
    ("ldap_request", ldap_request),
    ("ndr_reply", ndr_reply),
    ("oidc_code", oidc_code),
    ("oidc_cookie", oidc_cookie),
    ("oidc_form", oidc_form),
    ("oidc_request", oidc_request),
    ("password_modify", password_modify),
    ("pdu", pdu),
    ("prefix_table", prefix_table),
    ("proxy_answer", proxy_answer),
    ("proxy_header", proxy_header),
    ("redirect_uri", redirect_uri),
    ("sasl_token", sasl_token),
    ("tgs_rep", tgs_rep),
    ("usn_answer", usn_answer),
    ("wire_frames", wire_frames),
];
