//! The only user of the private envelope key.
