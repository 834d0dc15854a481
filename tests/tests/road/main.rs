//! The whole of road one, end to end: a real domain, the real phs, the real tenant.
//! One binary, so that domains are shared where tests do not disturb each other.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

mod assigned;
mod backup;
mod bad_input;
mod balanced;
mod continuous;
mod copied;
mod directory_refusals;
mod everyone;
mod kdcs;
mod kills;
mod life;
mod lockout;
mod memory;
mod names;
mod never_carried;
mod nodes;
mod objects;
mod odd_names;
mod odd_objects;
mod other_controller;
mod other_domains;
mod own_attributes;
mod preflight;
mod profile;
mod reserved_names;
mod restored;
mod scope_entries;
mod scoped;
mod silence;
mod soak;
mod stage;
mod tenant_refusals;
mod tree;
mod upgrade;
