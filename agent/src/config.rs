//! A configuration file, read whole and checked before anything starts; errors name file, line and column.
//! What both agents have in common: how a file is read, and `[log]`.

use crate::key::FileError;
use landbridge_host::log::Format;
use landbridge_host::{system_error, text_file};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, de};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Limit on the bytes of a configuration file: a thousand times the usual one.
const MAX_FILE: u64 = 1024 * 1024;

/// The operator of this machine must mend the file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {}", path.display(), system_error::sentence(why))]
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
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE {
        return Err(unreadable(std::io::Error::other("longer than any configuration")));
    }
    let text = text_file::decode(&bytes).map_err(|why| unreadable(std::io::Error::other(why)))?;
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

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A text file in the forms in which programs of Windows save it.
    pub(crate) fn as_windows_saves(text: &str) -> [Vec<u8>; 4] {
        let wide = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
        };
        [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            wide(u16::to_le_bytes),
            wide(u16::to_be_bytes),
        ]
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        name: String,
    }

    #[test]
    fn a_configuration_is_the_same_however_windows_saves_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        let text = "# Größe\r\nname = \"dc1\"\r\n";
        for saved in as_windows_saves(text) {
            std::fs::write(&path, saved).unwrap();
            assert_eq!(load::<Config>(&path).unwrap().name, "dc1");
        }
        // Lines and columns are those of the text, without its mark.
        std::fs::write(&path, "\u{feff}nam = 1\r\n").unwrap();
        let text = load::<Config>(&path).unwrap_err().to_string();
        assert!(text.contains("agent.toml:1:1: "), "{text}");
        for (saved, word) in [(&b"name = \"\xe4\""[..], "save it as UTF-8"), (b"n\0=\x001\0", "UTF-16")] {
            std::fs::write(&path, saved).unwrap();
            let text = load::<Config>(&path).unwrap_err().to_string();
            assert!(text.contains(word), "{text}");
        }
        std::fs::write(&path, " ".repeat(1024 * 1024 + 1)).unwrap();
        assert!(load::<Config>(&path).unwrap_err().to_string().contains("longer than any configuration"));
    }
}
