//! What an error of TLS means, in words: what is wrong, with which certificate, and what to do about it. The one table
//! for all programs; no text of a library leaves it.
//! Neighbours: [`super::server_certificate`] keeps the certificates that a refusal is about.

use crate::certificate::CertificateFacts;
use crate::clock_text::utc;
use crate::server_certificate::RefusedCertificate;
use crate::system_error;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, OtherError, PeerIncompatible};
use std::io::ErrorKind;

/// The server that TLS was to reach. It decides who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// A domain controller, by LDAPS.
    DomainController,
    /// The tenant, at its address for agents.
    Tenant,
}

/// An error in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// What is wrong.
    pub why: String,
    /// What to do about it.
    pub todo: String,
}

impl std::fmt::Display for Explained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}. To do: {}", self.why, self.todo)
    }
}

impl Explained {
    fn new(why: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { why: why.into(), todo: todo.into() }
    }
}

/// An error of a connection on which TLS was set up: of TLS, or of the connection under it.
pub fn of_session(error: &std::io::Error, server: Server) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(tls) => explain(tls, server).to_string(),
        None => system_error::words(error),
    }
}

/// An error of a connection on which TLS was being set up: of TLS itself, or of the connection under it.
pub fn of_connection(error: &std::io::Error, server: Server) -> Explained {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        return explain(tls, server);
    }
    let closed = matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
    );
    match (closed, error.kind() == ErrorKind::TimedOut, server) {
        (true, _, Server::DomainController) => Explained::new(
            "the other end closed the connection before TLS was set up",
            "look whether this domain controller has a certificate for LDAPS (a Windows one without it does this), and \
             whether this is its port for LDAPS, 636",
        ),
        (true, _, Server::Tenant) => Explained::new(
            "the other end closed the connection before TLS was set up",
            "look whether this is the tenant's address for agents, and for a device on the way that cuts TLS",
        ),
        (false, true, Server::DomainController) => Explained::new(
            "no answer to TLS in time",
            "look at the load of this domain controller, and whether this is its port for LDAPS, 636",
        ),
        (false, true, Server::Tenant) => Explained::new(
            "no answer to TLS in time",
            "look whether this is the tenant's address for agents, and at its load",
        ),
        (false, false, _) => Explained::new(
            system_error::words(error),
            "look at the network and the firewalls between here and there",
        ),
    }
}

/// An error of TLS in words. Every variant of rustls has its own, or those of its kind.
pub fn explain(error: &Error, server: Server) -> Explained {
    let device = "look for a device on the way that reads or changes TLS, and exclude this host from it";
    let ours = "this is a defect: please report it";
    match error {
        Error::InvalidCertificate(_) => match RefusedCertificate::of(error) {
            Some(refused) => certificate(&refused.why, &refused.shown, server),
            None => Explained::new(
                "its certificate is refused",
                "look at the certificate with `openssl s_client`",
            ),
        },
        Error::AlertReceived(alert) => of_alert(*alert, server),
        Error::PeerIncompatible(what) => incompatible(what, server),
        Error::InvalidMessage(_) | Error::PeerSentOversizedRecord => Explained::new(
            "what answers there does not speak TLS",
            match server {
                Server::DomainController => {
                    "name the port for LDAPS: 636; at 389 a domain controller speaks LDAP without TLS"
                }
                Server::Tenant => {
                    "name the tenant's address and port for agents; no plain HTTP server is one"
                }
            },
        ),
        Error::NoCertificatesPresented => {
            Explained::new("it shows no certificate", "give it a certificate for its DNS name")
        }
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_)
        | Error::DecryptError
        | Error::InvalidEncryptedClientHello(_)
        | Error::NoApplicationProtocol => {
            Explained::new("it breaks the rules of TLS, or its messages are changed on the way", device)
        }
        Error::InvalidCertRevocationList(_) => Explained::new(
            "a list of revoked certificates cannot be used",
            "look at the CA's revocation list",
        ),
        Error::FailedToGetCurrentTime => {
            Explained::new("this machine does not know the time", "set the clock of this machine")
        }
        Error::FailedToGetRandomBytes => {
            Explained::new("this machine gives no random numbers", "look at the log of this machine's kernel")
        }
        Error::UnsupportedNameType => Explained::new(
            "its configured name cannot be in a certificate",
            "write a DNS name of letters, digits, hyphens and dots, or an IP address",
        ),
        Error::EncryptError
        | Error::HandshakeNotComplete
        | Error::BadMaxFragmentSize
        | Error::InconsistentKeys(_)
        | Error::General(_)
        | Error::Other(_) => Explained::new("TLS failed inside this program", ours),
        _ => Explained::new("TLS failed in a way that this program does not know", ours),
    }
}

/// What a domain controller must offer, and which one does not.
const MODERN_CONTROLLER: &str = "let it offer TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM, as Windows Server 2016 and later do. 2012 R2 and older do \
     so with an ECDSA certificate only: give it one on P-256, or name a newer domain controller";

fn incompatible(what: &PeerIncompatible, server: Server) -> Explained {
    let old = matches!(
        what,
        PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
    );
    match (server, old) {
        (Server::DomainController, true) => {
            Explained::new("it offers neither TLS 1.2 nor TLS 1.3", MODERN_CONTROLLER)
        }
        (Server::DomainController, false) => {
            Explained::new("it offers nothing of TLS that this program accepts", MODERN_CONTROLLER)
        }
        (Server::Tenant, true) => Explained::new(
            "what answers there does not offer TLS 1.3, as every tenant does",
            "look for a device on the way that ends TLS, and exclude this host from it",
        ),
        (Server::Tenant, false) => Explained::new(
            "what answers there offers nothing of TLS that this program accepts, as every tenant does",
            "look for a device on the way that ends TLS, and exclude this host from it",
        ),
    }
}

const UNKNOWN_ALERT: &str = "it gave up TLS for a reason that this program does not know";

/// An alert (RFC 8446, section 6): why the other end gave up.
fn of_alert(alert: AlertDescription, server: Server) -> Explained {
    let device = "look for a device on the way that reads or changes TLS, and exclude this host from it";
    let log = match server {
        Server::DomainController => "look into its log (on Windows: System, source Schannel)",
        Server::Tenant => "look into the tenant's log",
    };
    match alert {
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => match server {
            Server::DomainController => Explained::new(
                "it has no cipher suite in common with this program, which accepts TLS 1.3, and of TLS 1.2 ECDHE with AES-GCM \
                 or ChaCha20-Poly1305 (no CBC); or it demands a client certificate, and this program has none",
                MODERN_CONTROLLER,
            ),
            Server::Tenant => Explained::new("it has no cipher suite in common with this program", device),
        },
        AlertDescription::ProtocolVersion | AlertDescription::InappropriateFallback => {
            incompatible(&PeerIncompatible::ServerDoesNotSupportTls12Or13, server)
        }
        AlertDescription::CertificateRequired
        | AlertDescription::NoCertificate
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateUnobtainable
        | AlertDescription::BadCertificateHashValue
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => match server {
            Server::DomainController => Explained::new(
                "it demands a client certificate, and this program has none",
                "let it accept LDAPS without client certificates, as domain controllers do by default",
            ),
            Server::Tenant => Explained::new(
                "it refuses the certificate of this agent",
                "compare the clocks of both machines, and ask the tenant's administrator; `enroll --replace` gets a new one",
            ),
        },
        AlertDescription::UnrecognisedName => Explained::new(
            "it does not answer for the name that it was asked under",
            "name it as its certificate does",
        ),
        AlertDescription::InternalError => Explained::new("it reports an error of its own", log),
        AlertDescription::CloseNotify | AlertDescription::UserCanceled => {
            Explained::new("it ended TLS before it was set up", log)
        }
        AlertDescription::UnexpectedMessage
        | AlertDescription::BadRecordMac
        | AlertDescription::DecryptionFailed
        | AlertDescription::RecordOverflow
        | AlertDescription::DecompressionFailure
        | AlertDescription::IllegalParameter
        | AlertDescription::DecodeError
        | AlertDescription::DecryptError => {
            Explained::new("it cannot read what this program sent: something changes it on the way", device)
        }
        AlertDescription::ExportRestriction
        | AlertDescription::NoRenegotiation
        | AlertDescription::MissingExtension
        | AlertDescription::UnsupportedExtension
        | AlertDescription::BadCertificateStatusResponse
        | AlertDescription::UnknownPSKIdentity
        | AlertDescription::NoApplicationProtocol
        | AlertDescription::EncryptedClientHelloRequired => {
            Explained::new("it demands something of TLS that this program does not have", log)
        }
        AlertDescription::Unknown(_) => Explained::new(UNKNOWN_ALERT, log),
        _ => Explained::new(UNKNOWN_ALERT, log),
    }
}

/// A refused certificate. `shown` is the chain, the server's own certificate first.
fn certificate(why: &CertificateError, shown: &[CertificateFacts], server: Server) -> Explained {
    let leaf = shown.first();
    let described = |facts: Option<&CertificateFacts>| {
        facts.map_or_else(|| "its certificate".to_owned(), |facts| format!("its {facts},"))
    };
    let own = described(leaf);
    let issue = match server {
        Server::DomainController => "on AD CS the template Kerberos Authentication has what is needed",
        Server::Tenant => "look for a device on the way that reads TLS, and exclude this host from it",
    };
    let issuer = leaf.map_or("its issuer", |leaf| leaf.issuer.as_str());
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            let now = now();
            let old = described(shown.iter().find(|facts| facts.ends < now).or(leaf));
            Explained::new(
                format!("{old} has ended"),
                format!("renew it. If it is valid, set the clock of this machine: it shows {}", utc(now)),
            )
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            let now = now();
            let young = described(shown.iter().find(|facts| facts.begins > now).or(leaf));
            Explained::new(
                format!("{young} is not valid yet"),
                format!("compare the clocks: this machine's shows {}", utc(now)),
            )
        }
        CertificateError::UnknownIssuer => unknown_issuer(&own, leaf, server),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let expected = if let CertificateError::NotValidForNameContext { expected, .. } = why {
                expected.to_str().into_owned()
            } else {
                "its configured name".to_owned()
            };
            let todo = match server {
                Server::DomainController => {
                    "name it in [[directory.controllers]] as its certificate does, or give it"
                }
                Server::Tenant => "use the tenant's address as its certificate has it, or give it",
            };
            let todo =
                format!("{todo} a certificate with the DNS name {expected} as a subject alternative name");
            match leaf.is_some_and(|leaf| leaf.names.is_empty()) {
                true => Explained::new(
                    format!("{own} has no subject alternative name, and a common name does not count"),
                    format!("{todo}; {issue}"),
                ),
                false => Explained::new(format!("{own} is not for {expected}"), todo),
            }
        }
        CertificateError::BadSignature if leaf.is_some_and(|leaf| leaf.has_short_key) => short_key(&own),
        CertificateError::BadSignature => match shown.iter().find(|facts| facts.has_short_key) {
            Some(short) => short_key(&described(Some(short))),
            None => Explained::new(
                format!(
                    "the signature of {own} does not verify: its issuer is another CA of the same name, or has an RSA key under 2048 \
                     bits"
                ),
                format!(
                    "use the present certificate of \"{issuer}\"; a CA needs an RSA key of 2048 bits or more"
                ),
            ),
        },
        #[expect(deprecated, reason = "rustls still returns it where it has no context")]
        CertificateError::UnsupportedSignatureAlgorithm
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            if let Some(short) = shown.iter().find(|facts| facts.has_short_key) {
                return short_key(&described(Some(short)));
            }
            let weak = described(shown.iter().find(|facts| facts.has_weak_signature).or(leaf));
            Explained::new(
                format!("{weak} is signed with an algorithm, or by a key, that is not accepted"),
                "issue it again, signed with SHA-256 or better by a key that is RSA of 2048 bits or more, or ECDSA. On AD CS: \
                 `certutil -setreg ca\\csp\\CNGHashAlgorithm SHA256`, and AlternateSignatureAlgorithm 0",
            )
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => Explained::new(
            format!("{own} is not for server authentication"),
            format!("issue one whose extended key usage has server authentication; {issue}"),
        ),
        CertificateError::BadEncoding => {
            Explained::new("its certificate cannot be read", format!("issue it again; {issue}"))
        }
        CertificateError::UnhandledCriticalExtension => Explained::new(
            format!("{own} has a critical extension that this program does not know"),
            format!("issue it without that extension; {issue}"),
        ),
        CertificateError::Revoked => Explained::new(format!("{own} is revoked"), "issue a new one"),
        CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. }
        | CertificateError::InvalidOcspResponse => Explained::new(
            format!("it is not known whether {own} is revoked"),
            "look at the CA's revocation list and its OCSP responder",
        ),
        CertificateError::ApplicationVerificationFailure => {
            Explained::new(format!("{own} is refused by this program"), issue)
        }
        CertificateError::Other(OtherError(inner)) => match inner.downcast_ref::<webpki::Error>() {
            Some(inner) => chain(inner, &own, issue),
            None => Explained::new(format!("{own} is refused"), issue),
        },
        _ => Explained::new(format!("{own} is refused for a reason that this program does not know"), issue),
    }
}

fn short_key(certificate: &str) -> Explained {
    Explained::new(
        format!("{certificate} has an RSA key that is too short"),
        "issue it again with an RSA key of 2048 bits or more, or an ECDSA key on P-256",
    )
}

fn unknown_issuer(own: &str, leaf: Option<&CertificateFacts>, server: Server) -> Explained {
    match (server, leaf) {
        (Server::Tenant, _) => Explained::new(
            format!("{own} was not issued by the tenant"),
            "look for a device on the way that reads TLS, and exclude this host from it; or this is another tenant",
        ),
        (Server::DomainController, Some(leaf)) if leaf.is_self_issued() => Explained::new(
            format!("{own} is signed by itself, and is not pinned"),
            "let the domain's CA issue one, or compare its SHA-256 at the domain controller and write it into [directory] pins",
        ),
        (Server::DomainController, leaf) => {
            let issuer = leaf.map_or("that issued it", |leaf| leaf.issuer.as_str());
            Explained::new(
                format!("{own} was issued by no CA of [directory] ca_file, and is not pinned"),
                format!(
                    "put the certificate of the CA \"{issuer}\" into ca_file, or, if that one is below another CA, let the domain \
                     controller send it or put it there too"
                ),
            )
        }
    }
}

/// What webpki finds in a chain and rustls has no variant for.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other variants are encodings that cannot be read")]
fn chain(error: &webpki::Error, own: &str, issue: &str) -> Explained {
    match error {
        webpki::Error::CaUsedAsEndEntity => Explained::new(
            format!("{own} is a CA's certificate, and not a server's"),
            format!("give the server a certificate of its own; {issue}"),
        ),
        webpki::Error::EndEntityUsedAsCa => Explained::new(
            format!("{own} was issued by a certificate that is not a CA's"),
            format!("let a CA issue it; {issue}"),
        ),
        webpki::Error::PathLenConstraintViolated
        | webpki::Error::NameConstraintViolation
        | webpki::Error::InvalidNetworkMaskConstraint
        | webpki::Error::MalformedNameConstraint => Explained::new(
            format!("a CA above {own} was not allowed to issue it (path length or name constraint)"),
            "let another CA issue it, or correct the constraints of that CA",
        ),
        webpki::Error::UnsupportedCertVersion => Explained::new(
            format!("{own} is of an old version of X.509"),
            format!("issue one of version 3; {issue}"),
        ),
        webpki::Error::UnsupportedCriticalExtension => Explained::new(
            format!("{own} or a CA above it has a critical extension that this program does not know"),
            "issue it without that extension",
        ),
        webpki::Error::MaximumPathDepthExceeded
        | webpki::Error::MaximumPathBuildCallsExceeded
        | webpki::Error::MaximumSignatureChecksExceeded
        | webpki::Error::MaximumNameConstraintComparisonsExceeded => Explained::new(
            format!("the chain of {own} is too long or too entangled to be verified"),
            "leave one certificate of each CA in ca_file and in what the server sends",
        ),
        _ => Explained::new(
            format!("{own} or a CA's above it is malformed"),
            format!("issue it again; {issue}"),
        ),
    }
}

fn now() -> i64 {
    i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
