//! Hexadecimal digits of secrets: no table, no branch on a nibble when writing.

/// The digit of a nibble, `0-9` and then from `ten` on (`b'a'` or `b'A'`).
pub(crate) fn digit(nibble: u8, ten: u8) -> u8 {
    let nibble = nibble & 15;
    // 1 when the nibble is over 9: the subtraction borrows into the top bit.
    let letter = 9_u8.wrapping_sub(nibble) >> 7;
    b'0' + nibble + letter * (ten - b'0' - 10)
}

/// Appends the lower-case digits of `bytes`; the caller has reserved the room, so nothing moves.
pub(crate) fn push_lower(bytes: &[u8], to: &mut String) {
    for byte in bytes {
        to.push(char::from(digit(byte >> 4, b'a')));
        to.push(char::from(digit(*byte, b'a')));
    }
}

/// The lower-case digits of `bytes`, as a text of its own: for what is no secret.
pub fn lower(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    push_lower(bytes, &mut text);
    text
}

/// Reads lower-case digits into `to`. `false`: something else stands there, or not exactly `to.len()` bytes of it.
pub fn read_lower(text: &str, to: &mut [u8]) -> bool {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != to.len() {
        return false;
    }
    let mut good = true;
    for ([high, low], to) in pairs.iter().zip(to) {
        match (nibble(*high), nibble(*low)) {
            (Some(high), Some(low)) => *to = high << 4 | low,
            _ => good = false,
        }
    }
    good
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut text = String::new();
        push_lower(&bytes, &mut text);
        assert_eq!(text, bytes.iter().map(|b| format!("{b:02x}")).collect::<String>());
        let mut back = [0; 256];
        assert!(read_lower(&text, &mut back));
        assert_eq!(back.as_slice(), bytes);
    }

    #[test]
    fn upper_digits_are_written_and_not_read() {
        let upper: String = (0..16).map(|n| char::from(digit(n, b'A'))).collect();
        assert_eq!(upper, "0123456789ABCDEF");
        assert!(!read_lower("AB", &mut [0; 1]));
        assert!(!read_lower("+1", &mut [0; 1]));
        assert!(!read_lower("abc", &mut [0; 1]));
        assert!(!read_lower("abcd", &mut [0; 1]));
    }
}
