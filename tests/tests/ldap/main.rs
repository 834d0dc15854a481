//! LDAP clients as their users install and configure them, against a real tenant that serves a real domain: by digest and
//! by agents.
//! Not here: the protocol's bounds and what a hostile client does, which the tenant's own tests hold (`edge`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

mod apache;
mod clients;
mod differential;
mod dovecot;
mod freeradius;
mod ldapts;
mod openldap;
mod php;
mod python;
mod silence;
mod sssd;
mod stage;
