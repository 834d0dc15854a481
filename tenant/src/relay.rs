//! Which agent answers a sign-in (pure).
