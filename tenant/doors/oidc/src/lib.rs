//! The door for OpenID Connect: an issuer with a sign-in page of its own.
//!
//! Applications send people here; the page asks for the password, [`SignIns`](landbridge_tenant_core::sign_ins::SignIns)
//! decides, and the application receives a code and for it tokens. Who has a session is not asked again.
//!
//! # Files
//!
//! - `lib.rs`: this list
//! - `parameters.rs`: the parameters of a request, each once
//! - `authorization.rs`: an authorization request, checked against the client's registration
//! - `metadata.rs`: what the issuer says of itself (discovery)
//! - `cookies.rs`: the session's cookie, and the one that a form belongs to
//! - `door.rs`: the door, its paths and its answers
//! - `authorize.rs`: authorization requests, and the form of the sign-in page
//! - `client_authentication.rs`: who a client says that it is
//! - `token.rs`: codes and refresh tokens for tokens
//! - `userinfo.rs`: who somebody is, for an access token
//! - `sign_out.rs`: the end of a session, by the application's or the person's wish

pub mod authorization;
mod authorize;
pub mod client_authentication;
pub mod cookies;
pub mod door;
pub mod metadata;
pub mod parameters;
mod sign_out;
mod token;
mod userinfo;
