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
}
