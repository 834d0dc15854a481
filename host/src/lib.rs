//! What each program needs of the machine it runs on.
//!
//! # Files
//!
//! - `lib.rs`: this list, and what can be wrong with a file
//! - `secret_file.rs`: files that hold secrets: opened, checked, read and created; systemd credentials
//! - `key_file.rs`: the tenant's key files, and the sentences for one that is refused
//! - `log.rs`: the log on standard error, and which libraries are silent in it
//! - `dumps.rs`: no core dumps, no debuggers
//! - `signals.rs`: SIGTERM and SIGINT, which stop a daemon, and SIGHUP
//! - `server_certificate.rs`: a TLS client's verifier with a rule of the caller's own
//! - `certificate.rs`: what a certificate is, in words
//! - `tls_error.rs`: what an error of TLS means, in words, and what to do about it
//! - `system_error.rs`: what an error of the operating system means, in words
//! - `text_file.rs`: files of text as editors write them: UTF-8, UTF-16, byte order marks
//! - `certificate_file.rs`: certificates in the forms in which CAs and Windows export them
//! - `clock_text.rs`: points in time as text

pub mod certificate;
pub mod certificate_file;
pub mod clock_text;
pub mod dumps;
pub mod key_file;
pub mod log;
pub mod secret_file;
pub mod server_certificate;
pub mod signals;
pub mod system_error;
pub mod text_file;
pub mod tls_error;

use std::path::{Path, PathBuf};

/// A local file cannot be used. The administrator of the machine must act.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file or directory is not as it must be.
    #[error("{}: {what}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// What to do about it; may be empty.
        todo: String,
    },
    /// A file that holds a key can be read by others.
    #[error("{}: others can read this key file (mode {mode:04o})", path.display())]
    LooseKey {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl FileError {
    /// What is wrong with a file, and the step that mends it.
    pub fn new(path: &Path, what: impl std::fmt::Display, todo: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_owned(), what: what.to_string(), todo: todo.into() }
    }

    /// What the person at the terminal does about it; none: the error says it all.
    pub fn todo(&self) -> Option<String> {
        match self {
            Self::Unusable { todo, .. } => (!todo.is_empty()).then(|| todo.clone()),
            Self::LooseKey { path, .. } => Some(format!(
                "if nobody else has read it: chmod 0600 {}; else make a new key",
                path.display()
            )),
        }
    }
}
