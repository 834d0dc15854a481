//! Reads and writes the names in an agent's certificate.
//! Neighbours: the listener proves the certificate's chain; [`super::admission`] decides what the agent may do.

use landbridge_tenant_rules::model::role_from;
use landbridge_wire::enroll::Role;
use uuid::Uuid;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;

/// The names in an agent's certificate: a URI among its subject alternative names,
/// `landbridge://<tenant id>/<role>/<domain dns name>/<domain sid>/<agent id>`. The URI of a pta-agent ends with
/// `/<envelope key, 64 hex digits>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentName {
    /// The tenant that issued it.
    pub tenant: Uuid,
    /// The role of the agent.
    pub role: Role,
    /// DNS name of the domain that it serves, lower case.
    pub domain: String,
    /// SID of that domain, as text.
    pub domain_sid: String,
    /// The agent's id.
    pub agent: Uuid,
    /// The key that passwords are sealed to. A pta-agent has one, a phs has none.
    pub envelope: Option<[u8; 32]>,
}

const SCHEME: &str = "landbridge://";

impl AgentName {
    /// The URI.
    pub fn uri(&self) -> String {
        let Self { tenant, role, domain, domain_sid, agent, envelope } = self;
        let key = envelope.map_or(String::new(), |key| format!("/{}", landbridge_crypto::hex::lower(&key)));
        format!("{SCHEME}{tenant}/{role}/{domain}/{domain_sid}/{agent}{key}")
    }

    /// Reads a URI that [`Self::uri`] wrote, and refuses every other spelling.
    pub fn parse(uri: &str) -> Option<Self> {
        let mut parts = uri.strip_prefix(SCHEME)?.split('/');
        let name = Self {
            tenant: Uuid::try_parse(parts.next()?).ok()?,
            role: role_from(parts.next()?)?,
            domain: parts.next()?.to_owned(),
            domain_sid: parts.next()?.to_owned(),
            agent: Uuid::try_parse(parts.next()?).ok()?,
            envelope: match parts.next() {
                Some(key) => Some(key_from(key)?),
                None => None,
            },
        };
        let whole = parts.next().is_none() && name.envelope.is_some() == (name.role == Role::Pta);
        (whole && name.uri() == uri).then_some(name)
    }
}

fn key_from(hex: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    let digits = hex.as_bytes().chunks(2);
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

/// The client certificate of a connection, after its chain was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The names in it.
    pub name: AgentName,
    /// Its serial number, without leading zeros.
    pub serial: Vec<u8>,
    /// Its last second, since 1970.
    pub not_after: i64,
}

impl Shown {
    /// Reads a certificate of this tenant's CA; none: it contains no agent's names.
    pub fn read(certificate: &[u8]) -> Option<Self> {
        let (rest, certificate) = x509_parser::certificate::X509Certificate::from_der(certificate).ok()?;
        let mut uris = Vec::new();
        for extension in certificate.extensions() {
            if let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() {
                for name in &names.general_names {
                    if let GeneralName::URI(uri) = name {
                        uris.push(*uri);
                    }
                }
            }
        }
        let [uri] = uris.as_slice() else { return None };
        let serial = certificate.tbs_certificate.raw_serial();
        let zeros = serial.iter().take_while(|byte| **byte == 0).count();
        let serial = serial.get(zeros..).unwrap_or_default().to_vec();
        let not_after = certificate.validity().not_after.timestamp();
        rest.is_empty().then_some(Self { name: AgentName::parse(uri)?, serial, not_after })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::agents::certificate_names::*;

    fn name() -> AgentName {
        AgentName {
            tenant: Uuid::from_u128(1),
            role: Role::Phs,
            domain: "corp.example.com".to_owned(),
            domain_sid: "S-1-5-21-1-2-3".to_owned(),
            agent: Uuid::from_u128(2),
            envelope: None,
        }
    }

    #[test]
    fn a_pta_agents_name_has_its_envelope_key_and_no_other_agents_has() {
        let pta = AgentName { role: Role::Pta, envelope: Some([0xa7; 32]), ..name() };
        assert!(pta.uri().ends_with(&"a7".repeat(32)));
        assert_eq!(AgentName::parse(&pta.uri()), Some(pta.clone()));
        for wrong in [
            AgentName { envelope: None, ..pta.clone() }.uri(),
            AgentName { role: Role::Phs, ..pta.clone() }.uri(),
            pta.uri().replace("a7a7", "A7a7"),
            format!("{}00", pta.uri()),
            format!("{}/", pta.uri()),
        ] {
            assert_eq!(AgentName::parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_name_comes_back_from_its_uri() {
        assert_eq!(AgentName::parse(&name().uri()), Some(name()));
    }

    #[test]
    fn a_uri_with_more_or_less_is_refused() {
        let uri = name().uri();
        for wrong in [
            format!("{uri}/more"),
            uri.replace("landbridge", "https"),
            uri.replace("phs", "PHS"),
            uri.replace("phs", "root"),
            uri.to_uppercase(),
            uri.rsplit_once('/').unwrap().0.to_owned(),
            String::new(),
        ] {
            assert_eq!(AgentName::parse(&wrong), None, "{wrong}");
        }
    }
}
