//! Reads and writes the files that hold keys: 0600, owned by us, created once and never overwritten.
//! Not here: what stands in them (`authority`, `crypto::seal`).

use crate::FileError;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The most bytes that a key file may have.
const MAX_KEY_FILE: u64 = 16 * 1024;

/// Where a key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In a file of ours.
    File(PathBuf),
    /// In a systemd credential: `credential:NAME`, a file below `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

impl KeySource {
    /// Reads the form that the configuration has: a path, or `credential:NAME`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("credential:") {
            Some(name) if name.is_empty() || name.contains('/') || name.starts_with('.') => {
                Err(format!("`{text}` does not name a systemd credential"))
            }
            Some(name) => Ok(Self::Credential(name.to_owned())),
            None if Path::new(text).is_absolute() => Ok(Self::File(PathBuf::from(text))),
            None => Err(format!("`{text}` is not an absolute path")),
        }
    }

    /// Reads the key's text. Refuses a file that others can read or that is not ours.
    pub fn read(&self) -> Result<Zeroizing<String>, FileError> {
        self.read_of(own_uid())
    }

    /// The same for a file that may be this user's as well: root copies the keys of the user that serves.
    pub fn read_of(&self, owner: u32) -> Result<Zeroizing<String>, FileError> {
        match self {
            Self::File(path) => read(path, Some(owner), false),
            Self::Credential(name) => {
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    FileError::new(
                        Path::new(name),
                        "this systemd credential is not there: CREDENTIALS_DIRECTORY is not set",
                        format!("start the service with LoadCredential={name}:… in its unit"),
                    )
                })?;
                // systemd guards the directory itself, and may open the file to its own group.
                read(&Path::new(&directory).join(name), None, true)
            }
        }
    }

    /// The same, through symbolic links: what renews certificates keeps the newest behind one.
    pub fn read_through_links(&self) -> Result<Zeroizing<String>, FileError> {
        match self {
            Self::File(path) => read(path, Some(own_uid()), true),
            Self::Credential(_) => self.read(),
        }
    }
}

impl KeySource {
    /// What is wrong with this key, and the step that mends it.
    pub fn unusable(&self, what: &dyn std::fmt::Display, todo: &str) -> FileError {
        match self {
            Self::File(path) => FileError::new(path, what, todo),
            Self::Credential(name) => FileError::new(Path::new(&format!("credential:{name}")), what, todo),
        }
    }
}

/// The user that runs this program.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// With an owner, the file's mode and owner are looked at: it must be that user's, ours or root's.
fn read(path: &Path, owner: Option<u32>, through_links: bool) -> Result<Zeroizing<String>, FileError> {
    let unusable = |e: std::io::Error| {
        FileError::new(path, format_args!("cannot read this key file: {e}"), "run as the user that owns it")
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = if through_links { flags.difference(OFlags::NOFOLLOW) } else { flags };
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|e| unusable(e.into()))?);
    let facts = file.metadata().map_err(unusable)?;
    if !facts.is_file() {
        return Err(FileError::new(path, "not a regular file", "name the key file itself"));
    }
    if let Some(owner) = owner {
        let mode = facts.mode() & 0o7777;
        if mode & 0o177 != 0 {
            return Err(FileError::LooseKey { path: path.to_owned(), mode });
        }
        let own = own_uid();
        if ![owner, own, 0].contains(&facts.uid()) {
            return Err(FileError::new(
                path,
                format_args!("this key file belongs to uid {}, not to us (uid {own})", facts.uid()),
                format!("chown it to uid {own}"),
            ));
        }
    }
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(MAX_KEY_FILE).unwrap_or(0) + 1));
    file.take(MAX_KEY_FILE + 1).read_to_string(&mut text).map_err(unusable)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_KEY_FILE {
        return Err(FileError::new(path, "too long for a key file", "name the key file itself"));
    }
    Ok(text)
}

/// Creates a file that only we can read, writes it and waits for the disk. Never overwrites.
pub fn create(path: &Path, content: &[u8]) -> Result<(), FileError> {
    create_with_mode(path, content, 0o600)
}

/// Creates a file with these permission bits, writes it and waits for the disk. Never overwrites.
/// What was begun is removed when it fails.
pub fn create_with_mode(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::from_raw_mode(mode)).map_err(|e| {
        let todo =
            if e == rustix::io::Errno::EXIST { "it is never overwritten: move it away first" } else { "" };
        FileError::new(path, format_args!("cannot create: {}", std::io::Error::from(e)), todo)
    })?;
    let mut file = File::from(file);
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written.map_err(|e| {
        let _ = std::fs::remove_file(path);
        FileError::new(path, format_args!("cannot write: {e}"), "make room on the disk")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::key_file::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused_with_its_mode() {
        let folder = folder();
        let path = folder.path().join("ca.key");
        create(&path, b"key").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(KeySource::File(path.clone()).read().unwrap().as_str(), "key");
        for mode in [0o640, 0o604, 0o660, 0o700, 0o644] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = KeySource::File(path.clone()).read().unwrap_err();
            assert!(matches!(error, FileError::LooseKey { mode: m, .. } if m == mode), "{error}");
            assert!(error.to_string().contains(&format!("{mode:04o}")), "{error}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        KeySource::File(path).read().unwrap();
    }

    #[test]
    fn a_key_file_is_never_overwritten_nor_followed_through_a_link() {
        let folder = folder();
        let path = folder.path().join("ca.key");
        create(&path, b"first").unwrap();
        assert!(create(&path, b"second").is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(KeySource::File(link).read().is_err());
        assert!(KeySource::File(folder.path().to_owned()).read().is_err());
    }

    #[test]
    fn an_overlong_key_file_is_refused() {
        let folder = folder();
        let path = folder.path().join("ca.key");
        create(&path, &[b'a'; 20_000]).unwrap();
        assert!(KeySource::File(path).read().unwrap_err().to_string().contains("too long"));
    }

    #[test]
    fn a_credential_cannot_leave_its_directory() {
        assert!(KeySource::parse("credential:../etc/shadow").is_err());
        assert!(KeySource::parse("credential:").is_err());
        assert!(KeySource::parse("relative/key").is_err());
        assert_eq!(KeySource::parse("credential:ca").unwrap(), KeySource::Credential("ca".to_owned()));
    }
}
