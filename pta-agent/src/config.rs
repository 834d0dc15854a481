//! The configuration, checked whole.
