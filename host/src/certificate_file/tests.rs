//! The forms in which certificates are exported, and the files that are taken for certificates.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use rcgen::{CertificateParams, KeyPair};

fn made(name: &str) -> (CertificateDer<'static>, String, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
    (made.der().clone(), made.pem(), key)
}

/// An element of DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], content].concat()
}

/// A signedData without signers, as `.p7b` files are.
fn p7b(certificates: &[&[u8]]) -> Vec<u8> {
    let data = element(
        SEQUENCE,
        &element(OBJECT_IDENTIFIER, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01]),
    );
    let parts = [
        element(INTEGER, &[1]),
        element(SET, &[]),
        data,
        element(TAGGED_0, &certificates.concat()),
        element(SET, &[]),
    ];
    let signed = element(SEQUENCE, &parts.concat());
    let info = [element(OBJECT_IDENTIFIER, &SIGNED_DATA), element(TAGGED_0, &signed)].concat();
    element(SEQUENCE, &info)
}

fn armoured(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn utf_16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn one_certificate_is_taken_in_every_form() {
    let (der, pem, key) = made("ca.example.com");
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("DER", der.to_vec()),
        ("PEM", pem.clone().into_bytes()),
        ("PEM of Windows", pem.replace('\n', "\r\n").into_bytes()),
        ("PEM with a byte order mark", format!("\u{feff}{pem}").into_bytes()),
        ("PEM in UTF-16", utf_16(&pem.replace('\n', "\r\n"))),
        (
            "PEM with blanks around its lines",
            pem.lines().map(|line| format!("  {line} \n")).collect::<String>().into(),
        ),
        ("PEM between comments", [b"0 s:CN = K\xf6ln\n", pem.as_bytes(), b"end\n"].concat()),
        ("PEM with its key", format!("{}{pem}", key.serialize_pem()).into_bytes()),
        (
            "OpenSSL's trusted form",
            armoured("TRUSTED CERTIFICATE", &[&der[..], &element(SEQUENCE, &[])].concat()).into(),
        ),
        ("the old label", armoured("X509 CERTIFICATE", &der).into()),
        ("Base-64 without marks", STANDARD.encode(&der).into_bytes()),
        ("PKCS #7, DER", p7b(&[&der])),
        ("PKCS #7, PEM", armoured("PKCS7", &p7b(&[&der])).into()),
        ("PKCS #7 as certutil encodes it", armoured("CERTIFICATE", &p7b(&[&der])).into()),
    ];
    for (form, file) in forms {
        assert_eq!(certificates(&file).unwrap(), std::slice::from_ref(&der), "{form}");
    }
}

#[test]
fn several_certificates_in_one_file_are_all_taken() {
    let ((one, one_pem, _), (other, other_pem, _)) = (made("one.example.com"), made("other.example.com"));
    for file in [
        format!("{one_pem}{other_pem}").into_bytes(),
        format!("{one_pem}\r\n\r\n{other_pem}").into_bytes(),
        [&one[..], &other[..]].concat(),
        p7b(&[&one, &other]),
    ] {
        assert_eq!(certificates(&file).unwrap(), [one.clone(), other.clone()]);
    }
}

#[test]
fn a_file_of_another_kind_is_named() {
    let (der, pem, key) = made("ca.example.com");
    let pfx = element(SEQUENCE, &[element(INTEGER, &[3]), element(SEQUENCE, &[])].concat());
    let cut = pem.replace("-----END CERTIFICATE-----", "");
    for (file, why) in [
        (b"".to_vec(), NotCertificates::Empty),
        (b" \r\n".to_vec(), NotCertificates::Empty),
        (b"no certificate".to_vec(), NotCertificates::Nothing),
        (utf_16("no certificate"), NotCertificates::Nothing),
        (b"\0\0\0\0CERT and more".to_vec(), NotCertificates::SerializedStore),
        (pfx, NotCertificates::Pfx),
        (key.serialize_der(), NotCertificates::PrivateKey),
        (key.serialize_pem().into_bytes(), NotCertificates::PrivateKey),
        (armoured("ENCRYPTED PRIVATE KEY", b"x").into(), NotCertificates::PrivateKey),
        (armoured("NEW CERTIFICATE REQUEST", b"x").into(), NotCertificates::Request),
        (armoured("X509 CRL", b"x").into(), NotCertificates::Nothing),
        (p7b(&[]), NotCertificates::Nothing),
        (der[..der.len() - 1].to_vec(), NotCertificates::Damaged),
        (p7b(&[&[&[0xb0], &der[1..]].concat()]), NotCertificates::Damaged),
        (cut.into_bytes(), NotCertificates::Damaged),
        (armoured("CERTIFICATE", &der[..40]).into(), NotCertificates::Damaged),
        (b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_vec(), NotCertificates::Damaged),
        (pem.repeat(MAX_CERTIFICATES + 1).into_bytes(), NotCertificates::TooMany),
        (p7b(&[]).repeat(2), NotCertificates::Nothing),
    ] {
        let shown = String::from_utf8_lossy(&file[..file.len().min(60)]).into_owned();
        assert_eq!(certificates(&file).unwrap_err(), why, "{shown}");
    }
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    let (der, _, _) = made("ca.example.com");
    let file = p7b(&[&der]);
    for at in 0..file.len() {
        for to in [0x00, 0x30, 0x7f, 0x80, 0x84, 0xff] {
            let mut changed = file.clone();
            changed[at] = to;
            let _ = certificates(&changed);
            let _ = certificates(&changed[..at]);
        }
    }
}
