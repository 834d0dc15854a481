//! The pages that people see in a browser: sign-in, errors, sign-out, and a person's own page.
//!
//! This crate is without IO: values go in, HTML text comes out. A page works without script and loads nothing from
//! another host. The caller sends [`headers::HEADERS`] and [`headers::content_security_policy`] with each page, and
//! serves the files of [`assets`] and the stylesheet of [`branding::Branding`].
//!
//! Whatever comes from outside is a [`display_text::DisplayText`], a [`link::Link`] or a [`link::Path`], and the
//! templates in `templates` escape it. Every text is a row of `texts.rs`, in English and German.
//!
//! `cargo run -p landbridge-door-pages --example gallery FOLDER` writes every page with samples into a folder.
//!
//! # Files
//!
//! - `lib.rs`: this list
//! - `language.rs`: the languages, and the choice by `Accept-Language`
//! - `texts.rs`: every text of the pages, in both languages
//! - `display_text.rs`: a name from outside, without characters that disturb the text around it
//! - `link.rs`: links, paths and origins, checked
//! - `colour.rs`: colours and their contrast
//! - `assets.rs`: the stylesheet and the script, and their paths
//! - `headers.rs`: the headers of every page
//! - `logo.rs`: the logo of an installation
//! - `branding.rs`: name, colour and logo of an installation
//! - `frame.rs`: what all pages have around their content
//! - `sentence.rs`: a text with a value in it
//! - `sign_in.rs`: the sign-in page
//! - `change_password.rs`: the page on which a person changes the password
//! - `device_code.rs`: the pages on which a person lets a device sign in
//! - `no_access.rs`: the page for a person who cannot use an application
//! - `request_error.rs`: the page for a request of an application that is wrong
//! - `sign_out.rs`: the question before the sign-out, and the page after it
//! - `account.rs`: a person's own page
//! - `form_post.rs`: the page that posts an answer to an application
//! - `continue_to.rs`: the page that leads back to a program on the person's machine

pub mod account;
pub mod assets;
pub mod branding;
pub mod change_password;
pub mod colour;
pub mod continue_to;
pub mod device_code;
pub mod display_text;
pub mod form_post;
pub mod frame;
pub mod headers;
pub mod language;
pub mod link;
pub mod logo;
pub mod no_access;
pub mod request_error;
mod sentence;
pub mod sign_in;
pub mod sign_out;
mod texts;
