//! What the running agent says of itself.
