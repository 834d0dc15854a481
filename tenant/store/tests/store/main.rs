//! The database through the doors of its crate: making, opening, upgrading, copying, erasing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod assignment;
mod attributes;
mod database;
mod erase;
mod known_sources;
mod policies;
mod reserved_names;
mod tree;
mod upgrade;
