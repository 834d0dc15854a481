//! The agents' connections.
