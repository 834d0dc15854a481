//! A message of the administration socket as one line.
//! Neighbours: [`crate::call`] sends requests so, [`crate::listen`] responses.

use landbridge_tenant_core::administration::request::MAX_REQUEST;
use serde::Serialize;
use zeroize::Zeroizing;

/// A message as one line in memory that is wiped. A message that holds a secret fits into the buffer, which then does
/// not move and leaves no copy.
///
/// # Errors
/// The message cannot be written as JSON: a defect.
pub(crate) fn to_line<M: Serialize>(message: &M) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_REQUEST + 1));
    serde_json::to_writer(&mut *line, message)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse, Confidential};

    #[test]
    fn a_secret_crosses_in_one_buffer_and_reads_back_with_every_escape() {
        let text = "\u{1}\"\\é😀".repeat(300);
        let request = AdminRequest::SignIn {
            user: "u".into(),
            password: Confidential::new(text.clone()),
            source: "s".into(),
        };
        let line = to_line(&request).unwrap();
        assert_eq!(line.capacity(), MAX_REQUEST + 1, "the buffer has not moved");
        let read: AdminRequest = serde_json::from_slice(&line).unwrap();
        let AdminRequest::SignIn { password, .. } = read else { panic!("{read:?}") };
        password.lend(|read| assert_eq!(read, text));
        let line = to_line(&AdminResponse::Token(Confidential::new(text.clone()))).unwrap();
        assert_eq!(line.capacity(), MAX_REQUEST + 1);
        let AdminResponse::Token(token) = serde_json::from_slice(&line).unwrap() else { panic!() };
        token.lend(|read| assert_eq!(read, text));
    }
}
