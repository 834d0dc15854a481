//! Certificates in the forms in which CAs, Windows and OpenSSL export them: PEM and DER, one or several, and PKCS #7
//! (`.p7b`) in both. A file of another kind is named.
//! Neighbours: the pta-agent reads the domain's CAs so, the tenant the certificate for applications.

use crate::certificate::CertificateFacts;
use crate::text_file;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;

/// Limit on the certificates of a file. Windows' list of public CAs has a few hundred.
const MAX_CERTIFICATES: usize = 500;
/// signedData (RFC 5652, section 5.1): 1.2.840.113549.1.7.2.
const SIGNED_DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// `[0]`, constructed.
const TAGGED_0: u8 = 0xa0;

/// Why a file gives no certificates. The words say what it is, and what to export instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCertificates {
    /// Nothing is in it.
    #[error("it is empty, and holds no certificate")]
    Empty,
    /// It is none of the forms.
    #[error("it holds no certificate, neither in PEM (Base-64) nor in DER nor as PKCS #7")]
    Nothing,
    /// A certificate in it cannot be read.
    #[error("a certificate in it cannot be read: export it again")]
    Damaged,
    /// PKCS #12.
    #[error(
        "it is a PFX file (PKCS #12), which holds a private key: export the certificate alone, as Base-64 X.509"
    )]
    Pfx,
    /// Microsoft's serialized store.
    #[error("it is a serialized certificate store (SST): export the certificate alone, as Base-64 X.509")]
    SerializedStore,
    /// A private key and no certificate.
    #[error("it holds a private key and no certificate: name the certificate, and keep the key from here")]
    PrivateKey,
    /// A certificate request.
    #[error("it is a certificate request: name the certificate that the CA made of it")]
    Request,
    /// More than 500 certificates.
    #[error("it holds more than {MAX_CERTIFICATES} certificates")]
    TooMany,
}

/// All certificates of a file, as DER, at least one.
pub fn certificates(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, NotCertificates> {
    if file.iter().all(u8::is_ascii_whitespace) {
        return Err(NotCertificates::Empty);
    }
    if file.starts_with(b"\0\0\0\0CERT") {
        return Err(NotCertificates::SerializedStore);
    }
    let text = match text_file::decode(file) {
        Ok(text) => text.to_string(),
        // Comments around PEM may be in any encoding.
        Err(_) => String::from_utf8_lossy(file).into_owned(),
    };
    let found = if text.contains("-----BEGIN ") || file.first() != Some(&SEQUENCE) {
        of_text(&text)?
    } else {
        of_der(file)?
    };
    match found.len() {
        0 => Err(NotCertificates::Nothing),
        1..=MAX_CERTIFICATES => Ok(found),
        _ => Err(NotCertificates::TooMany),
    }
}

/// PEM (RFC 7468), or Base-64 without its marks.
fn of_text(text: &str) -> Result<Vec<CertificateDer<'static>>, NotCertificates> {
    let mut found = Vec::new();
    // What stands in the file besides, for the error when there is no certificate.
    let mut besides = None;
    let mut block: Option<(&str, String)> = None;
    let mut has_marks = false;
    for line in text.lines().map(str::trim) {
        if let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) {
            has_marks = true;
            block = Some((label, String::new()));
        } else if line.starts_with("-----END ") {
            let Some((label, body)) = block.take() else { return Err(NotCertificates::Damaged) };
            match label {
                "CERTIFICATE" | "X509 CERTIFICATE" | "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => {
                    let der = STANDARD.decode(body).map_err(|_| NotCertificates::Damaged)?;
                    found.extend(of_der(&der)?);
                }
                // OpenSSL appends what it trusts the certificate for.
                "TRUSTED CERTIFICATE" => {
                    let der = STANDARD.decode(body).map_err(|_| NotCertificates::Damaged)?;
                    let (certificate, _) = split(&der).ok_or(NotCertificates::Damaged)?;
                    found.extend(of_der(certificate.whole)?);
                }
                "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => besides = Some(NotCertificates::Request),
                label if label.ends_with("PRIVATE KEY") => besides = Some(NotCertificates::PrivateKey),
                _ => {}
            }
        } else if let Some((_, body)) = &mut block {
            body.push_str(line);
        }
        if found.len() > MAX_CERTIFICATES {
            return Err(NotCertificates::TooMany);
        }
    }
    if block.is_some() {
        return Err(NotCertificates::Damaged);
    }
    if !has_marks {
        let bare: String = text.split_whitespace().collect();
        return of_der(&STANDARD.decode(bare).map_err(|_| NotCertificates::Nothing)?);
    }
    match besides {
        Some(besides) if found.is_empty() => Err(besides),
        Some(_) | None => Ok(found),
    }
}

/// Certificates one after the other, or one PKCS #7.
fn of_der(der: &[u8]) -> Result<Vec<CertificateDer<'static>>, NotCertificates> {
    if let Some(inside) = signed_data(der) {
        return inside.into_iter().map(certificate).collect();
    }
    let mut rest = der;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (next, after) = split(rest).ok_or(NotCertificates::Damaged)?;
        if let Some(other) = other_kind(&next) {
            return Err(other);
        }
        found.push(certificate(next.whole)?);
        if found.len() > MAX_CERTIFICATES {
            return Err(NotCertificates::TooMany);
        }
        rest = after;
    }
    Ok(found)
}

fn certificate(der: &[u8]) -> Result<CertificateDer<'static>, NotCertificates> {
    // The parser behind `CertificateFacts` takes tags of another class for a sequence.
    match tagged(der, SEQUENCE).and_then(|_| CertificateFacts::of(der)) {
        Some(_) => Ok(CertificateDer::from(der.to_vec())),
        None => Err(NotCertificates::Damaged),
    }
}

/// What a sequence is that begins with a number: PFX with 3, private keys with 0 or 1.
fn other_kind(element: &Element<'_>) -> Option<NotCertificates> {
    let (first, _) = split(element.content)?;
    match (first.tag, first.content) {
        (INTEGER, [3]) => Some(NotCertificates::Pfx),
        (INTEGER, [0 | 1]) => Some(NotCertificates::PrivateKey),
        _ => None,
    }
}

/// The certificates of a signedData (RFC 5652, section 5.1). None: it is something else.
fn signed_data(der: &[u8]) -> Option<Vec<&[u8]>> {
    let (content_info, _) = tagged(der, SEQUENCE)?;
    let (kind, after) = tagged(content_info.content, OBJECT_IDENTIFIER)?;
    if kind.content != SIGNED_DATA {
        return None;
    }
    let (explicit, _) = tagged(after, TAGGED_0)?;
    let (signed, _) = tagged(explicit.content, SEQUENCE)?;
    // version, digestAlgorithms, encapContentInfo, then the certificates.
    let mut rest = signed.content;
    for tag in [INTEGER, SET, SEQUENCE] {
        rest = tagged(rest, tag)?.1;
    }
    let (certificates, _) = tagged(rest, TAGGED_0)?;
    let mut found = Vec::new();
    let mut rest = certificates.content;
    while let Some((next, after)) = split(rest).filter(|_| found.len() <= MAX_CERTIFICATES) {
        found.push(next.whole);
        rest = after;
    }
    Some(found)
}

/// One element of DER.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    /// Tag, length and content.
    whole: &'a [u8],
}

/// The first element if it has this tag, and the bytes behind it.
fn tagged(bytes: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    split(bytes).filter(|(element, _)| element.tag == tag)
}

/// The first element, and the bytes behind it. None: it is not DER, or cut short.
fn split(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, after) = bytes.split_first()?;
    let (&first, after) = after.split_first()?;
    let (length, after) = match first {
        0..=0x7f => (usize::from(first), after),
        0x81..=0x84 => {
            let (digits, after) = after.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0_usize, |length, digit| (length << 8) | usize::from(*digit)), after)
        }
        _ => return None,
    };
    let (content, rest) = after.split_at_checked(length)?;
    let whole = bytes.get(..bytes.len() - rest.len())?;
    Some((Element { tag, content, whole }, rest))
}

#[cfg(test)]
mod tests;
