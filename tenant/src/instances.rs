//! One identity, one process (pure).
