//! What strangers may send and show: the text of a token, an enrolment with its certificate request, a
//! certificate, the name in it.

use super::wire_frames::with_head;
use landbridge_tenant_core::agents::authority::{AGENT_LIFE, Authority, RequestedKey};
use landbridge_tenant_core::agents::certificate_names::{AgentName, Shown};
use landbridge_wire::enroll::{EnrollRequest, Role, Token};
use landbridge_wire::frame;
use std::sync::LazyLock;
use uuid::Uuid;

/// The first byte says what the rest is: 0 a token's text, 1 the payload of an enrolment, 2 a certificate, 3 the
/// name in one, else a certificate request.
pub fn enrolment(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    match which {
        0 => token(rest),
        1 => {
            if let Ok(message) = frame::decode::<EnrollRequest>(&with_head(rest)) {
                assert!(message.secret.lend(str::len) <= 64, "a secret over its bound");
                assert!(format!("{message:?}").contains("TokenSecret(..)"));
                certificate_request(message.csr.as_bytes());
            }
        }
        2 => {
            if let Some(shown) = Shown::read(rest) {
                name(shown.name.uri().as_bytes());
            }
        }
        3 => name(rest),
        _ => certificate_request(rest),
    }
}

fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(token) = Token::parse(text) else { return };
    assert!(text.trim().len() <= 2048 && text.trim().starts_with("lbt1."));
    let written = token.to_text();
    let read = Token::parse(&written).expect("what was written can be read");
    assert_eq!((&read.url, &read.ca_sha256), (&token.url, &token.ca_sha256));
    assert!(read.secret.lend(|a| token.secret.lend(|b| a == b)), "the secret changed");
    assert!(format!("{token:?}").contains("TokenSecret(..)"));
}

/// A name has one text, and nothing in it reaches past its own part.
fn name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(name) = AgentName::parse(text) else { return };
    assert_eq!(name.uri(), text, "a name has two texts");
    assert!(!name.domain.contains('/') && !name.domain_sid.contains('/'));
}

const NOW: i64 = 1_800_000_000;

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let host = url::Host::Domain("tenant.example.com".to_owned());
    let root = Authority::create(Uuid::from_u128(1), &host, NOW).expect("a root can be made");
    Authority::load(Uuid::from_u128(1), &root.key, &root.certificate).expect("and be loaded")
});

/// Whatever a request asks for, the certificate says what the tenant says, and no more.
fn certificate_request(der: &[u8]) {
    let Ok(key) = RequestedKey::of(der) else { return };
    let name = AgentName {
        tenant: Uuid::from_u128(1),
        role: Role::Pta,
        domain: "corp.example.com".to_owned(),
        domain_sid: "S-1-5-21-1-2-3".to_owned(),
        agent: Uuid::from_u128(2),
        envelope: Some([7; 32]),
    };
    let issued = AUTHORITY.agent_certificate(&key, &name, NOW).expect("a good request gets its certificate");
    let shown = Shown::read(&issued.certificate).expect("what was made can be read");
    assert_eq!((&shown.name, shown.not_after), (&name, issued.not_after));
    assert!(shown.not_after <= NOW + AGENT_LIFE, "it lives too long");
}
