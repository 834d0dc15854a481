//! Sentences about account_state.
