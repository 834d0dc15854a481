//! The tenant's key files: where a key is, and what its operator does about one that is refused.
//! Not here: how such a file is checked and read (`secret_file`), and what the keys are.

use crate::FileError;
use crate::secret_file::{self, Access, Links, Refusal};
use crate::text_file;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

pub use crate::secret_file::own_uid;

/// Limit on the bytes of a key file. A key or a chain of certificates in PEM has a few thousand.
const MAX_KEY_FILE: usize = 16 * 1024;

/// The first byte of DER: a key or a PFX file, where text is expected.
const DER: u8 = 0x30;

/// Permission bits that a key file must not have: all of group and others, and execution by its owner.
const FORBIDDEN: u32 = 0o177;

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
        match secret_file::credential_name(text) {
            Some((_, false)) => Err(format!("`{text}` does not name a systemd credential")),
            Some((name, true)) => Ok(Self::Credential(name.to_owned())),
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
            Self::File(path) => {
                read(path, Links::Refused, Access::Owned { also: Some(owner), forbidden: FORBIDDEN })
            }
            Self::Credential(name) => {
                let path = secret_file::credential_path(name).ok_or_else(|| {
                    FileError::new(
                        Path::new(name),
                        "this systemd credential is not there: CREDENTIALS_DIRECTORY is not set",
                        format!("start the service with LoadCredential={name}:… in its unit"),
                    )
                })?;
                read(&path, Links::Followed, Access::Credential)
            }
        }
    }

    /// The same, through symbolic links: what renews certificates keeps the newest behind one.
    pub fn read_through_links(&self) -> Result<Zeroizing<String>, FileError> {
        match self {
            Self::File(path) => {
                read(path, Links::Followed, Access::Owned { also: None, forbidden: FORBIDDEN })
            }
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

/// Reads a key file as text.
fn read(path: &Path, links: Links, access: Access) -> Result<Zeroizing<String>, FileError> {
    let bytes = secret_file::open(path, links, access).and_then(|file| secret_file::read(file, MAX_KEY_FILE));
    let bytes = bytes.map_err(|refusal| refused(path, refusal))?;
    text_file::decode(&bytes).map_err(|why| {
        let todo = if bytes.first() == Some(&DER) {
            "export the key in PEM, without a password; a PFX file (PKCS #12) is not read"
        } else {
            "write the key file again, as plain text"
        };
        FileError::new(path, format_args!("not a key file: {why}"), todo)
    })
}

fn refused(path: &Path, refusal: Refusal) -> FileError {
    match refusal {
        Refusal::System(_, why) => FileError::new(
            path,
            format_args!("cannot read this key file: {why}"),
            "run as the user that owns it",
        ),
        Refusal::Kind => FileError::new(path, "not a regular file", "name the key file itself"),
        Refusal::Owner(owner) => {
            let own = own_uid();
            FileError::new(
                path,
                format_args!("this key file belongs to uid {owner}, not to us (uid {own})"),
                format!("chown it to uid {own}"),
            )
        }
        Refusal::Loose(mode) => FileError::LooseKey { path: path.to_owned(), mode },
        Refusal::TooLong(_) => FileError::new(path, "too long for a key file", "name the key file itself"),
    }
}

/// Creates a file that only we can read, writes it and waits for the disk. Never overwrites.
pub fn create(path: &Path, content: &[u8]) -> Result<(), FileError> {
    create_with_mode(path, content, 0o600)
}

/// Creates a file with these permission bits, writes it and waits for the disk. Never overwrites.
pub fn create_with_mode(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    secret_file::create(path, content, mode).map_err(|(step, why)| {
        let todo = if why.kind() == std::io::ErrorKind::AlreadyExists {
            "it is never overwritten: move it away first"
        } else if step == "write" {
            "make room on the disk"
        } else {
            "run this as a user who may write there, in a directory that exists"
        };
        FileError::new(path, format_args!("cannot {step}: {why}"), todo)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::key_file::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

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
    fn a_key_file_is_the_same_however_windows_saves_it_and_another_kind_is_named() {
        let folder = folder();
        let path = folder.path().join("ca.key");
        let read = |content: &[u8]| {
            let _ = std::fs::remove_file(&path);
            create(&path, content).unwrap();
            KeySource::File(path.clone()).read()
        };
        let wide: Vec<u8> = "\u{feff}key\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for content in [&b"key\r\n"[..], b"\xef\xbb\xbfkey\r\n", &wide] {
            assert_eq!(read(content).unwrap().trim(), "key");
        }
        let pfx = read(b"0\x82\x01\x00\x02\x01\x03 secret \xff").unwrap_err();
        assert!(pfx.todo().is_some_and(|todo| todo.contains("PFX")), "{pfx}");
        let ansi = read(b"secret \xe4").unwrap_err();
        assert!(
            ansi.to_string().contains("save it as UTF-8") && !ansi.to_string().contains("secret"),
            "{ansi}"
        );
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
        assert!(KeySource::parse("credential:..").is_err());
        assert!(KeySource::parse("relative/key").is_err());
        assert_eq!(KeySource::parse("credential:ca").unwrap(), KeySource::Credential("ca".to_owned()));
    }
}
