//! Sentences about signin.
