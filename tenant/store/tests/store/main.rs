//! The database through the doors of its crate: making, opening, upgrading, copying, erasing. All of it runs on SQLite, and on
//! PostgreSQL too but for what is in a module `sqlite` or `upgrade`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod assignment;
mod attributes;
mod database;
mod erase;
mod known_sources;
mod policies;
mod postgres;
mod reserved_names;
mod tree;
mod upgrade;
