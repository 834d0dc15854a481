//! The text of a code, as it is after it was opened: what is read is within its limits, and is written as the same octets.
//! Only this server can seal one; the next version of it may write another text.

use landbridge_tenant_core::provider::claims::SCOPES;
use landbridge_tenant_core::provider::code::Code;
use uuid::Uuid;

/// The octets before what has a length.
const FIXED: usize = 2 + 16 + 8 + 16 + 8 + 32;

/// The data is the text.
pub fn oidc_code(data: &[u8]) {
    let id = Uuid::from_u128(7);
    let Some(code) = Code::parse(id, data) else { return };
    assert_eq!(code.to_octets().as_ref().map(|octets| octets.as_slice()), Some(data));
    assert_eq!((code.id, data.first()), (id, Some(&1)));
    assert!(data.len() <= FIXED + 1 + 43 + 1 + 16 + 1 + 512, "{} octets", data.len());
    assert!(code.challenge.as_ref().is_none_or(|challenge| (1..=43).contains(&challenge.len())));
    assert!(code.nonce.as_ref().is_none_or(|nonce| nonce.len() <= 512));
    assert!(code.scopes.split(' ').all(|scope| SCOPES.contains(&scope) || scope.is_empty()));
}
