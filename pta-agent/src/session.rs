//! One connection's conversation (pure).
