//! Sentences about directory.
