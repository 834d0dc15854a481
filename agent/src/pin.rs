//! Pins: SHA-256 of a certificate, to recognise it. A one-time token carries the pin of the tenant's CA.

/// SHA-256 of a certificate's DER.
pub type Pin = [u8; 32];

/// Reads the pin that a token carries.
pub fn parse_pin(hex: &str) -> Option<Pin> {
    let mut pin = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in pin.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(pin)
}

/// Reads a pin that a person wrote into a configuration: 64 hexadecimal digits of either case, with the separators of
/// `openssl x509 -fingerprint -sha256`, `certutil -dump` and Windows' dialogues. The error says what it is instead.
pub fn parse_configured(text: &str) -> Result<Pin, &'static str> {
    // The name of the hash in front, as OpenSSL prints it; and the mark that Windows' dialogue puts in front of what is
    // copied from it, which is invisible.
    let text =
        text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{feff}'));
    let lower = text.to_ascii_lowercase();
    let digits = ["sha256 fingerprint=", "sha256:", "sha-256:"]
        .into_iter()
        .find_map(|before| lower.strip_prefix(before))
        .unwrap_or(&lower);
    let digits: String = digits.chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | '-')).collect();
    match parse_pin(&digits) {
        Some(pin) => Ok(pin),
        None if digits.len() == 40 && digits.bytes().all(|c| c.is_ascii_hexdigit()) => Err(
            "this is a SHA-1 thumbprint, as Windows' dialogues show it; a pin is SHA-256: `certutil -hashfile FILE.cer \
             SHA256` of the certificate exported as DER, or `openssl x509 -in FILE -noout -fingerprint -sha256`",
        ),
        None => Err("a pin is 64 hexadecimal digits: SHA-256 of the certificate as DER"),
    }
}

/// The pin of a certificate.
pub fn pin_of(certificate: &[u8]) -> Pin {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    let mut pin = [0; 32];
    pin.copy_from_slice(digest.as_ref());
    pin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_64_hex_digits() {
        assert_eq!(parse_pin(&"0f".repeat(32)), Some([0x0f; 32]));
        for text in ["", "0f", &"0g".repeat(32), &"0f".repeat(33), &"é".repeat(32), &"+f".repeat(32)] {
            assert!(parse_pin(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_configured_pin_is_read_as_windows_and_openssl_print_it() {
        let pairs = |separator: &str| vec!["aB"; 32].join(separator);
        for text in [
            "ab".repeat(32),
            "AB".repeat(32),
            pairs(":"),
            pairs(" "),
            pairs("-"),
            format!("\u{200e}{}", pairs(" ")),
            format!("  {}\r\n", pairs(":")),
            format!("SHA256 Fingerprint={}", pairs(":")),
            format!("sha256 Fingerprint={}", pairs(":")),
            format!("SHA256:{}", "ab".repeat(32)),
        ] {
            assert_eq!(parse_configured(&text), Ok([0xab; 32]), "{text}");
        }
        assert!(parse_configured(&vec!["ab"; 20].join(" ")).is_err_and(|why| why.contains("SHA-1")));
        for text in ["", "abc", &"zz".repeat(32), &"ab".repeat(33)] {
            assert!(parse_configured(text).is_err_and(|why| why.contains("64 hexadecimal")), "{text}");
        }
    }
}
