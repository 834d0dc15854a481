//! Where nonces, confounders and subkeys come from: an argument of every exchange, so that a recorded exchange can be
//! replayed.

/// A source of random bytes.
pub trait Random {
    /// Fills the buffer.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// The operating system's, without a generator in between: the first bytes of one cost a process 30 ms, more than a whole
/// connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    /// # Panics
    /// If the operating system has no randomness to give: nothing safe can be done then.
    fn fill(&mut self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system gives random bytes");
    }
}

/// This many random bytes.
pub(crate) fn bytes<const N: usize>(random: &mut dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

/// A number below 2^31: some implementations write the others as negative.
pub(crate) fn number(random: &mut dyn Random) -> u32 {
    u32::from_be_bytes(bytes(random)) >> 1
}
