//! DCE/RPC over TCP (C706, MS-RPCE), as a client, authenticated and sealed.
//! Knows nothing of DRS: interfaces are UUIDs, stubs are bytes.
//!
//! In the order of a connection: `line` · `ndr` · `pdu` · `epm` · `keytab` · `krb_error` · `security` · `association`.

pub mod keytab;
pub mod line;
pub mod security;
