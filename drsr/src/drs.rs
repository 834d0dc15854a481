//! Directory replication (MS-DRSR): what is asked, what is answered, what an answer means.
//! Knows nothing of PDUs, authentication or connections: stubs in, stubs out.
//!
//! In the order of a session: `cursor` · `bind` · `request` · `reply` · `prefix_table` · `attribute` · `change`.

pub mod attribute;
pub mod change;
pub mod cursor;
pub mod request;
