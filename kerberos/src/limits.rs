//! Bounds on what the other end may ask for or send, with their reasons.

use std::time::Duration;

/// Fewest PBKDF2 iterations that a KDC may name. RFC 3962 has 4,096 as the default, and a KDC's answer is not
/// authenticated before the key is used: a smaller number makes it cheaper to guess the password from the request.
pub const MIN_ITERATIONS: u32 = 4_096;
/// Most PBKDF2 iterations that a KDC may name: about a tenth of a second of one core, because an answer that is not
/// authenticated names them. AD has 4,096, and RFC 8009 has 32,768 as the default.
pub const MAX_ITERATIONS: u32 = 1 << 17;
/// Most bytes of a salt: a realm and a name are some dozens.
pub const MAX_SALT: usize = 4_096;
/// Most bytes of a message. Tickets with large PACs are tens of kilobytes.
pub const MAX_MESSAGE: usize = 1 << 20;
/// Most bytes of a keytab: hundreds of entries, where one is used.
pub const MAX_KEYTAB: usize = 256 * 1024;
/// How far the clocks may be apart (RFC 4120 8.2 recommends it; every KDC of Active Directory has it).
pub const MAX_SKEW: Duration = Duration::from_secs(300);
