//! What keeps a lab from being made, and who must act.

use std::path::PathBuf;

/// What went wrong in the lab itself. What a program under test reports is no error of the lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A program of the operating system is not there.
    #[error("{program} is not installed: run tests/install (as root); the lab needs a real Samba domain")]
    Missing {
        /// Its path.
        program: &'static str,
    },
    /// A program of this workspace was not built.
    #[error("{path} is not built: run `cargo build --bins` first, as `make` does")]
    NotBuilt {
        /// Where it should be.
        path: PathBuf,
    },
    /// The lab needs root: a KDC listens on port 88, and files of the lab lie over the machine's.
    #[error(
        "the lab runs a domain controller on ports below 1024, and programs in mount namespaces: run it as root"
    )]
    NotRoot,
    /// Root is not enough: the lab runs in a container that keeps CAP_SYS_ADMIN from it, or a file is missing.
    #[error("files of the lab cannot lie over the machine's (in a container, add CAP_SYS_ADMIN): {said}")]
    NoNamespace {
        /// The output of `unshare` or `mount`.
        said: String,
    },
    /// A step of the lab failed.
    #[error("{step} failed: {said}")]
    Step {
        /// Which.
        step: String,
        /// The end of its output.
        said: String,
    },
    /// A condition was not true in time.
    #[error("{what}: not within {seconds} s; {said}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// The end of the program's output.
        said: String,
    },
    /// No address of the lab's is free.
    #[error(
        "none of {count} addresses for labs is free: other labs hold them, or a program listens on port {port} or \
             another port of the lab's on every address of this machine (`ss -ltnup` shows which)"
    )]
    NoAddress {
        /// How many there are.
        count: u16,
        /// The port of the claim.
        port: u16,
    },
    /// A file or a socket of the lab's own.
    #[error("{what}: {source}")]
    Io {
        /// Which, and what was to be done with it.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
}

impl LabError {
    /// A program of ours did not do what it must, and this is what it said.
    pub fn said(step: &str, finished: &impl std::fmt::Display) -> Self {
        failed(step, finished)
    }
}

/// Names what was to be done when an `io::Error` has come.
pub(crate) trait Doing<T> {
    /// `what`: the file or socket and the deed.
    fn doing(self, what: impl Into<String>) -> Result<T, LabError>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, what: impl Into<String>) -> Result<T, LabError> {
        self.map_err(|source| LabError::Io { what: what.into(), source })
    }
}

/// A step failed, and this is what it said.
pub(crate) fn failed(step: impl Into<String>, said: impl std::fmt::Display) -> LabError {
    LabError::Step { step: step.into(), said: last_of(&said.to_string()) }
}

/// The end of a long text.
pub(crate) fn last_of(text: &str) -> String {
    let text = text.trim();
    let start = text.len().saturating_sub(2000);
    text.char_indices()
        .find(|(at, _)| *at >= start)
        .map_or("", |(at, _)| text.get(at..).unwrap_or(""))
        .to_owned()
}
