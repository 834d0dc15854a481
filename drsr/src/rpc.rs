//! DCE/RPC over TCP (C706, MS-RPCE), as a client, authenticated and sealed.
//! Knows nothing of DRS: interfaces are UUIDs, stubs are bytes.
//!
//! In the order of a connection: `machine` · `ndr` · `pdu` · `association` · `epm` · `security`.

pub mod association;
pub mod epm;
pub mod machine;
pub mod ndr;
pub mod pdu;
pub mod security;
