//! From a one-time token to an identity: all of it, or nothing.
//!
//! The key is made here and never leaves the machine. Whatever can fail without the tenant (a stored
//! identity, a full disk, loose modes) fails before the token is spent.
//! Neighbours: `tls` checks the token's pin, `identity` keeps the result.

use crate::error::AgentError;
use crate::http::Client;
use crate::identity::{Draft, Identity, MakeSecondKey, Names};
use crate::nodes;
use crate::pin;
use crate::proxy::Proxy;
use crate::tls;
use landbridge_wire::bounded::Text;
use landbridge_wire::enroll::{EnrollRequest, EnrollResponse, Role, Token};
use landbridge_wire::nodes::texts;
use rustls::pki_types::CertificateDer;
use std::path::Path;
use tracing::{info, instrument};
use zeroize::Zeroizing;

/// What an agent needs on its way to an identity, besides a token.
#[derive(Debug, Clone, Default)]
pub struct Means {
    /// The proxy that the tenant is reached through.
    pub proxy: Option<Proxy>,
    /// What makes the second key of an agent that has one.
    pub second: Option<MakeSecondKey>,
}

/// What enrolling led to.
#[derive(Debug)]
pub struct Enrolled {
    /// The identity, stored.
    pub identity: Identity,
    /// Whether it may work already; else the tenant's administrator approves it first.
    pub approved: bool,
}

/// Enrols with the text of a token. `software` is the program and its version, for the tenant's list.
/// An identity that is there is kept and refused, unless `replace` gives it up.
#[instrument(skip_all, fields(%role))]
pub async fn enroll(
    state_directory: &Path,
    token: Zeroizing<String>,
    role: Role,
    software: &str,
    replace: bool,
    means: &Means,
) -> Result<Enrolled, AgentError> {
    let Token { url, ca_sha256, secret } = Token::parse(&token)?;
    drop(token);
    let pin = pin::parse_pin(ca_sha256.as_str()).ok_or(landbridge_wire::enroll::NotAToken)?;
    let mut tenant = Client::through(url.as_str(), tls::pinned(pin)?, means.proxy.clone())?;
    if !replace {
        match Identity::load(state_directory) {
            Err(AgentError::NotEnrolled(_)) => {}
            Ok(present) => {
                let directory = state_directory.to_owned();
                return Err(AgentError::AlreadyEnrolled { directory, agent: present.agent });
            }
            Err(other) => return Err(other),
        }
    }
    let draft = Draft::new(state_directory, means.second)?;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let request = EnrollRequest {
        secret,
        role,
        csr: draft.csr(),
        envelope: draft.second(),
        software: Text::cut(software),
        host: Text::cut(&host),
    };
    let answer: EnrollResponse = tenant.post("/v1/enroll", &request).await?;
    drop(request);
    let certificate = CertificateDer::from(answer.certificate.as_bytes().to_vec());
    let root = CertificateDer::from(answer.root.as_bytes().to_vec());
    if pin::pin_of(&root) != pin {
        return Err(AgentError::Unfit("its root is not the one that the token names"));
    }
    let names = Names {
        agent: answer.agent,
        tenant: answer.tenant,
        role,
        domain: answer.domain.as_str().to_owned(),
        domain_sid: answer.domain_sid.as_str().to_owned(),
        url: url.as_str().to_owned(),
    };
    check(&draft, &names, &certificate, std::slice::from_ref(&root))?;
    let identity = draft.install(names, certificate, vec![root])?;
    nodes::learn(state_directory, identity.agent, texts(&answer.nodes));
    info!(agent = %identity.agent, domain = identity.domain, approved = answer.approved, "enrolled");
    Ok(Enrolled { identity, approved: answer.approved })
}

/// Whether a certificate is for our key, names what it should and comes from the tenant's CA.
pub(crate) fn check(
    draft: &Draft,
    names: &Names,
    certificate: &CertificateDer<'static>,
    roots: &[CertificateDer<'static>],
) -> Result<(), AgentError> {
    if !draft.is_key_of(certificate) {
        return Err(AgentError::Unfit("its certificate is for another key"));
    }
    let mut wanted = format!(
        "landbridge://{}/{}/{}/{}/{}",
        names.tenant, names.role, names.domain, names.domain_sid, names.agent
    );
    if let Some(second) = draft.second() {
        use std::fmt::Write as _;
        wanted.push('/');
        for byte in second.as_bytes() {
            let _ = write!(wanted, "{byte:02x}");
        }
    }
    if !names_in(certificate).contains(&wanted) {
        return Err(AgentError::Unfit("its certificate names another agent"));
    }
    let unfit = |_| AgentError::Unfit("its certificate does not come from its root");
    let anchors: Vec<_> =
        roots.iter().map(webpki::anchor_from_trusted_cert).collect::<Result<_, _>>().map_err(unfit)?;
    webpki::EndEntityCert::try_from(certificate)
        .and_then(|leaf| {
            leaf.verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &anchors,
                &[],
                begin(certificate),
                webpki::KeyUsage::client_auth(),
                None,
                None,
            )
            .map(|_| ())
        })
        .map_err(unfit)
}

/// The URIs that a certificate names.
fn names_in(certificate: &[u8]) -> Vec<String> {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return Vec::new() };
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return Vec::new() };
    let uris = names.value.general_names.iter().filter_map(|name| {
        if let x509_parser::extensions::GeneralName::URI(uri) = name { Some((*uri).to_owned()) } else { None }
    });
    uris.collect()
}

/// A time at which the certificate holds: what is asked is who made it; our clock may be a little behind.
fn begin(certificate: &[u8]) -> rustls::pki_types::UnixTime {
    let seconds = x509_parser::parse_x509_certificate(certificate)
        .map_or(0, |(_, parsed)| parsed.validity.not_before.timestamp());
    let seconds = u64::try_from(seconds).unwrap_or(0).saturating_add(60);
    rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::identity::tests::{enrolled, private};
    use landbridge_wire::enroll::TokenSecret;

    fn token(url: &str) -> Zeroizing<String> {
        let token = Token {
            url: Text::new(url).unwrap(),
            ca_sha256: Text::new("00".repeat(32)).unwrap(),
            secret: TokenSecret::new("c2VjcmV0".to_owned()),
        };
        token.to_text()
    }

    #[tokio::test]
    async fn a_present_identity_is_refused_before_the_token_is_spent() {
        let directory = private();
        enrolled(directory.path());
        let error = enroll(
            directory.path(),
            token("https://127.0.0.1:1"),
            Role::Phs,
            "test",
            false,
            &Means::default(),
        )
        .await
        .unwrap_err();
        assert!(matches!(error, AgentError::AlreadyEnrolled { .. }), "{error}");
    }

    #[tokio::test]
    async fn an_enrolment_that_fails_leaves_nothing_and_repeats_no_secret() {
        let directory = private();
        // Bound and not listening: the port is no other program's, and refuses connections.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let free = socket.local_addr().unwrap();
        let url = format!("https://{free}");
        let error = enroll(directory.path(), token(&url), Role::Phs, "test", false, &Means::default())
            .await
            .unwrap_err();
        assert!(matches!(error, AgentError::Unreachable { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("c2VjcmV0"));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_is_no_token_is_refused_without_repeating_it() {
        let directory = private();
        let text = Zeroizing::new("lbt1.hunter2".to_owned());
        let error =
            enroll(directory.path(), text, Role::Phs, "test", false, &Means::default()).await.unwrap_err();
        assert!(matches!(error, AgentError::Token(_)) && !error.to_string().contains("hunter2"), "{error}");
    }
}
