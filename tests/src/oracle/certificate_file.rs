//! What may stand in a file of certificates or of text that an administrator names: a certificate that is read stands in
//! it, is the same in every form, and a text is the same however Windows saves it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landbridge_host::certificate::CertificateFacts;
use landbridge_host::certificate_file::certificates;
use landbridge_host::text_file;

/// Limit on the certificates of a file, as the documentation says it.
const MAX_CERTIFICATES: usize = 500;

/// Takes the file.
pub fn certificate_file(data: &[u8]) {
    text(data);
    let found = match certificates(data) {
        Ok(found) => found,
        Err(error) => return assert!(error.to_string().len() < 200, "an error that grows with its cause"),
    };
    assert!((1..=MAX_CERTIFICATES).contains(&found.len()), "{} certificates", found.len());
    let held: usize = found.iter().map(|certificate| certificate.len()).sum();
    assert!(held <= data.len(), "{held} bytes of certificates in a file of {}", data.len());
    assert!(found.iter().all(|certificate| CertificateFacts::of(certificate).is_some()), "no certificate");
    // One after the other as DER, and in PEM, they are the same.
    let der: Vec<u8> = found.iter().flat_map(|one| one.iter().copied()).collect();
    assert_eq!(certificates(&der).as_ref(), Ok(&found), "DER");
    let pem: String = found
        .iter()
        .map(|one| {
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(one))
        })
        .collect();
    assert_eq!(certificates(pem.as_bytes()), Ok(found), "PEM");
}

fn text(data: &[u8]) {
    let text = match text_file::decode(data) {
        Ok(text) => text,
        Err(error) => return assert!(error.to_string().len() < 200, "an error that grows with its cause"),
    };
    assert!(!text.contains('\0'));
    let marked = format!("\u{feff}{}", *text);
    let units = || marked.encode_utf16();
    for saved in [
        marked.as_bytes().to_vec(),
        units().flat_map(u16::to_le_bytes).collect(),
        units().flat_map(u16::to_be_bytes).collect(),
    ] {
        assert!(text_file::decode(&saved).as_ref() == Ok(&text), "another text in another form");
    }
    let Ok(first) = text_file::first_line(data) else { panic!("a text without a first line") };
    assert!(text.starts_with(first.as_str()) && !first.contains('\n'));
}
