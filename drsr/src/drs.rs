//! Directory replication (MS-DRSR): what is asked, what is answered, what an answer means.
//! Knows nothing of PDUs, authentication or connections: stubs in, stubs out.
//!
//! In the order of a session: `cursor` · `bind` · `name` · `further` · `request` · `reply` · `dsname` · `sid` ·
//! `prefix_table` · `attribute` · `page` · `change` · `refusal`.

pub mod attribute;
pub mod bind;
pub mod change;
pub mod cursor;
pub mod dsname;
pub mod further;
#[cfg(test)]
pub(crate) mod made;
pub mod name;
pub mod page;
pub mod prefix_table;
pub(crate) mod refusal;
pub mod reply;
pub mod request;
pub mod sid;
