//! What the tests, the demo and the benchmarks share. Nothing here is shipped.

pub mod lab;
pub mod oracle;
