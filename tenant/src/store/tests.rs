//! The database, by its sentences.
