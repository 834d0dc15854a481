//! Every error has its words; no word of a library is among them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use rustls::pki_types::ServerName;
use rustls::{InconsistentKeys, InvalidMessage, PeerMisbehaved};
use std::sync::Arc;

const SERVERS: [Server; 2] = [Server::DomainController, Server::Tenant];

fn facts() -> CertificateFacts {
    CertificateFacts {
        subject: "CN=dc1".to_owned(),
        issuer: "CN=corp CA".to_owned(),
        names: vec!["dc1.corp.example.com".to_owned()],
        key: "RSA key of 2048 bits".to_owned(),
        has_short_key: false,
        signature: "SHA-256 and RSA".to_owned(),
        has_weak_signature: false,
        begins: 0,
        ends: 4_000_000_000,
    }
}

fn refused(why: CertificateError, shown: Vec<CertificateFacts>) -> Error {
    let refused = RefusedCertificate { why, shown };
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused))))
}

/// A word as Rust writes the names of types and variants: `UnknownIssuer`.
fn is_rust_name(word: &str) -> bool {
    let known = ["ChaCha20-Poly1305", "CNGHashAlgorithm", "AlternateSignatureAlgorithm"];
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let turns =
        word.as_bytes().windows(2).any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
    turns && !known.iter().any(|known| word.contains(known))
}

fn assert_words(explained: &Explained, what: &str) {
    for text in [&explained.why, &explained.todo] {
        assert!(text.len() > 10, "{what}: {text}");
        assert!(!text.split_whitespace().any(is_rust_name), "{what}: {text}");
        assert!(!text.contains(['{', '}', '\n']) && !text.contains("os error"), "{what}: {text}");
    }
}

#[test]
fn every_alert_has_words_of_its_own_kind() {
    for server in SERVERS {
        for code in 0..=u8::MAX {
            let alert = AlertDescription::from(code);
            assert_words(&explain(&Error::AlertReceived(alert), server), &format!("{alert:?}"));
        }
    }
    let dc = |alert| explain(&Error::AlertReceived(alert), Server::DomainController).to_string();
    for (alert, word) in [
        (AlertDescription::HandshakeFailure, "no CBC"),
        (AlertDescription::InsufficientSecurity, "2012 R2"),
        (AlertDescription::ProtocolVersion, "neither TLS 1.2 nor TLS 1.3"),
        (AlertDescription::CertificateRequired, "client certificate"),
        (AlertDescription::UnknownCA, "client certificate"),
        (AlertDescription::InternalError, "Schannel"),
        (AlertDescription::DecodeError, "on the way"),
    ] {
        assert!(dc(alert).contains(word), "{alert:?}: {}", dc(alert));
    }
    let tenant = explain(&Error::AlertReceived(AlertDescription::CertificateExpired), Server::Tenant);
    assert!(tenant.why.contains("certificate of this agent"), "{tenant}");
}

#[test]
fn every_error_of_rustls_has_words() {
    let errors = [
        Error::InappropriateMessage { expect_types: vec![], got_type: rustls::ContentType::Alert },
        Error::InvalidMessage(InvalidMessage::InvalidContentType),
        Error::NoCertificatesPresented,
        Error::UnsupportedNameType,
        Error::DecryptError,
        Error::EncryptError,
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
        Error::PeerIncompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig),
        Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite),
        Error::InvalidCertificate(CertificateError::UnknownIssuer),
        Error::General("SecretLibraryWord".to_owned()),
        Error::FailedToGetCurrentTime,
        Error::FailedToGetRandomBytes,
        Error::HandshakeNotComplete,
        Error::PeerSentOversizedRecord,
        Error::NoApplicationProtocol,
        Error::BadMaxFragmentSize,
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch),
        Error::Other(OtherError(Arc::new(std::io::Error::other("SecretLibraryWord")))),
    ];
    for error in errors {
        for server in SERVERS {
            let explained = explain(&error, server);
            assert_words(&explained, &format!("{error:?}"));
            // An error that a connection carries has the same words.
            assert_eq!(of_connection(&std::io::Error::other(error.clone()), server), explained);
        }
    }
}

#[test]
fn every_refusal_of_a_certificate_names_the_certificate_and_what_to_do() {
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1));
    let name = || ServerName::try_from("dc2.corp.example.com").unwrap();
    let webpki = |error: webpki::Error| CertificateError::Other(OtherError(Arc::new(error)));
    let reasons = [
        (CertificateError::BadEncoding, "cannot be read"),
        (CertificateError::Expired, "has ended"),
        (CertificateError::ExpiredContext { time, not_after: time }, "has ended"),
        (CertificateError::NotValidYet, "not valid yet"),
        (CertificateError::NotValidYetContext { time, not_before: time }, "not valid yet"),
        (CertificateError::Revoked, "revoked"),
        (CertificateError::UnhandledCriticalExtension, "critical extension"),
        (CertificateError::UnknownIssuer, "issued by"),
        (CertificateError::UnknownRevocationStatus, "whether"),
        (CertificateError::ExpiredRevocationList, "whether"),
        (CertificateError::BadSignature, "does not verify"),
        (
            CertificateError::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: vec![],
                supported_algorithms: vec![],
            },
            "is signed with an algorithm",
        ),
        (
            CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: vec![],
                public_key_algorithm_id: vec![],
            },
            "is signed with an algorithm",
        ),
        (CertificateError::NotValidForName, "is not for"),
        (
            CertificateError::NotValidForNameContext { expected: name(), presented: vec![] },
            "is not for dc2.corp.example.com",
        ),
        (CertificateError::InvalidPurpose, "server authentication"),
        (CertificateError::InvalidOcspResponse, "whether"),
        (CertificateError::ApplicationVerificationFailure, "refused"),
        (webpki(webpki::Error::CaUsedAsEndEntity), "not a server's"),
        (webpki(webpki::Error::EndEntityUsedAsCa), "not a CA's"),
        (webpki(webpki::Error::NameConstraintViolation), "was not allowed"),
        (webpki(webpki::Error::UnsupportedCertVersion), "old version"),
        (webpki(webpki::Error::MaximumPathDepthExceeded), "too long"),
        (webpki(webpki::Error::EmptyEkuExtension), "malformed"),
        (
            CertificateError::Other(OtherError(Arc::new(std::io::Error::other("SecretLibraryWord")))),
            "refused",
        ),
    ];
    for (why, word) in reasons {
        for server in SERVERS {
            let what = format!("{why:?}");
            let explained = explain(&refused(why.clone(), vec![facts()]), server);
            assert_words(&explained, &what);
            assert!(explained.why.contains(word) || server == Server::Tenant, "{what}: {explained}");
            let named = explained.why.contains("CN=dc1") || matches!(why, CertificateError::BadEncoding);
            assert!(named, "{what}: {explained}");
            // A certificate that nothing can be read of has words as well.
            assert_words(&explain(&refused(why.clone(), vec![]), server), &what);
        }
    }
}

#[test]
fn the_certificate_at_fault_is_named_also_where_it_is_not_the_servers_own() {
    let above = |change: fn(&mut CertificateFacts)| {
        let mut above = CertificateFacts { subject: "CN=corp CA".to_owned(), ..facts() };
        change(&mut above);
        vec![facts(), above]
    };
    let unsupported = || CertificateError::UnsupportedSignatureAlgorithmContext {
        signature_algorithm_id: vec![],
        supported_algorithms: vec![],
    };
    type Change = fn(&mut CertificateFacts);
    let cases: [(CertificateError, Change, &str); 4] = [
        (CertificateError::Expired, |above| above.ends = 1, "has ended"),
        (CertificateError::NotValidYet, |above| above.begins = 4_000_000_000, "not valid yet"),
        (unsupported(), |above| above.has_weak_signature = true, "is signed with"),
        (CertificateError::BadSignature, |above| above.has_short_key = true, "too short"),
    ];
    for (why, change, word) in cases {
        let explained = explain(&refused(why, above(change)), Server::DomainController);
        assert!(
            explained.why.contains("certificate \"CN=corp CA\"") && explained.why.contains(word),
            "{explained}"
        );
    }
}

#[test]
fn a_certificate_signed_by_itself_and_one_without_a_name_have_words_of_their_own() {
    let own = CertificateFacts { issuer: "CN=dc1".to_owned(), ..facts() };
    let explained = explain(&refused(CertificateError::UnknownIssuer, vec![own]), Server::DomainController);
    assert!(explained.why.contains("signed by itself") && explained.todo.contains("pins"), "{explained}");
    let nameless = CertificateFacts { names: vec![], ..facts() };
    let explained =
        explain(&refused(CertificateError::NotValidForName, vec![nameless]), Server::DomainController);
    assert!(explained.why.contains("no subject alternative name"), "{explained}");
}

#[test]
fn a_connection_that_ends_under_tls_is_told_from_one_that_is_refused() {
    let at = |errno: i32, server| of_connection(&std::io::Error::from_raw_os_error(errno), server);
    for server in SERVERS {
        for errno in [104, 32, 110, 111, 113] {
            assert_words(&at(errno, server), &errno.to_string());
        }
    }
    assert!(at(104, Server::DomainController).todo.contains("certificate for LDAPS"));
    assert!(at(111, Server::Tenant).why.contains("refused"));
}
