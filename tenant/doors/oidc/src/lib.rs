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
//! - `cookies.rs`: the cookies of session, form, browser, remembered name and refused tries
//! - `door.rs`: the door, its paths and its answers
//! - `pushed_requests.rs`: authorization requests that a client pushes
//! - `authorize.rs`: authorization requests
//! - `sign_in.rs`: the sign-in page and its form
//! - `change_password.rs`: the page on which a person changes the password, and its form
//! - `client_authentication.rs`: who a client says that it is
//! - `proven_client.rs`: the client that a request comes from, proven
//! - `device_requests.rs`: codes for devices without a browser
//! - `client_endpoints.rs`: the endpoints that clients call without a browser
//! - `token.rs`: codes and refresh tokens for tokens
//! - `introspection.rs`: what a token is worth at this moment, and its end by its client
//! - `userinfo.rs`: who somebody is, for an access token
//! - `sign_out.rs`: the end of a session, by the application's or the person's wish
//! - `back_channel.rs`: notices of ended sessions to applications
//! - `own_page.rs`: the person's own page, and its forms
//! - `device_page.rs`: the page on which a person types the code of a device, and its forms
//! - `device.rs`: the name of a browser for people

pub mod authorization;
mod authorize;
pub mod back_channel;
mod change_password;
pub mod client_authentication;
mod client_endpoints;
pub mod cookies;
mod device;
mod device_page;
mod device_requests;
pub mod door;
mod introspection;
pub mod metadata;
mod own_page;
pub mod parameters;
mod proven_client;
mod pushed_requests;
mod sign_in;
mod sign_out;
mod token;
mod userinfo;
