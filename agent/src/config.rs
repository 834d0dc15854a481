//! A configuration file, read whole and checked before anything starts; errors name file, line and column.
//! What both agents have in common: how a file is read, and `[log]`.

use crate::key::FileError;
use landbridge_host::log::Format;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, de};
use std::path::{Path, PathBuf};
use std::str::FromStr;

const MAX_FILE: usize = 1024 * 1024;

/// The operator of this machine must mend the file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's word.
        why: std::io::Error,
    },
    /// Its text is wrong.
    #[error("{}:{line}:{column}: {why}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong.
        why: String,
    },
    /// A file that it names cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Reads and checks a configuration file; opens none of the files that it names.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let unreadable = |why| ConfigError::Unreadable { path: path.to_owned(), why };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > u64::try_from(MAX_FILE).unwrap_or(u64::MAX) {
        return Err(unreadable(std::io::Error::other("longer than any configuration")));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse(path, &text)
}

/// Checks a text; `path` is where it is from, for the errors.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        ConfigError::Wrong { path: path.to_owned(), line, column, why: error.message().to_owned() }
    })
}

/// `[log]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// For a person or for a program.
    pub format: Format,
    /// The least important level that is written.
    #[serde(deserialize_with = "parsed")]
    pub level: tracing::Level,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: Format::Human, level: tracing::Level::INFO }
    }
}

/// Reads what is written as text.
pub fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: std::fmt::Display>>(from: D) -> Result<T, D::Error> {
    String::deserialize(from)?.parse().map_err(de::Error::custom)
}
