//! The agents' secret files: 0600, or refused, so that no other user of the machine reads them. The checks are those of
//! `landbridge_host::secret_file`; the sentences for a refusal are here.
//! Neighbours: `identity` keeps the agent's key so; `phs::config` reads keytabs and password files so.

use landbridge_host::secret_file::{self, Access, Links, Refusal};
use landbridge_host::{system_error, text_file};
use rustix::fs::Mode;
use std::fs::File;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Limit on the bytes of a password file: a password of 256 characters in UTF-16, and some lines after it.
const MAX_PASSWORD_FILE: usize = 4096;
/// Limit on the bytes of a password in UTF-8: AD accepts 256 characters, at most 4 bytes each.
const MAX_PASSWORD: usize = 1024;

/// A local file or directory that cannot be used; the operator of this machine must act.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system said no.
    #[error("{}: cannot {what}: {}", path.display(), system_error::sentence(why))]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's word.
        why: std::io::Error,
    },
    /// Others than the owner may use it.
    #[error("{}: mode {mode:04o} lets others in: it holds a secret, run `chmod {wanted:04o} {}`", path.display(), path.display())]
    Loose {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        wanted: u32,
    },
    /// Another user owns it.
    #[error("{}: belongs to uid {owner}, not to root or to the uid {own} that runs this program: run `chown {own} {}`", path.display(), path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who we are.
        own: u32,
    },
    /// It is not what it should be.
    #[error("{}: is not {wanted}", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// "a regular file" or "a directory".
        wanted: &'static str,
    },
    /// It is longer than any such secret.
    #[error("{}: longer than {max} bytes, so it is not what is expected here", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The bound.
        max: usize,
    },
    /// Its content is not what it should be.
    #[error("{}: {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong; never what it holds.
        why: String,
    },
}

impl FileError {
    /// What the system said when it was to do something with a file.
    pub fn io<'a>(path: &'a Path, what: &'static str) -> impl Fn(std::io::Error) -> Self + 'a {
        move |why| Self::Io { path: path.to_owned(), what, why }
    }
}

/// Reads a secret of at most `max` bytes from a file that only its owner may use, or from a systemd credential:
/// `credential:NAME`.
pub fn read_secret(path: &Path, max: usize) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let read = secret_file::read(open_secret(path)?, max);
    read.map_err(|refusal| refused(path, refusal, "a regular file", 0o600))
}

/// Reads a password: the first line of a text file that only its owner may use, or of a systemd credential. The file may
/// be UTF-8 or UTF-16, with or without a byte order mark, as Windows saves it.
pub fn read_password(path: &Path) -> Result<Zeroizing<String>, FileError> {
    let content = |why: String| FileError::Content { path: path.to_owned(), why };
    let bytes = read_secret(path, MAX_PASSWORD_FILE)?;
    // The file format 0x0502; a password cannot begin so.
    if bytes.starts_with(&[5, 2]) {
        return Err(content("it is a keytab, not a password: name it with `keytab`".to_owned()));
    }
    let line = text_file::first_line(&bytes).map_err(|why| content(why.to_string()))?;
    if line.is_empty() {
        return Err(content("the first line, the password, is empty".to_owned()));
    }
    if line.len() > MAX_PASSWORD {
        return Err(content(format!("the first line, the password, is longer than {MAX_PASSWORD} bytes")));
    }
    Ok(line)
}

/// Checks that a secret file is there, regular, and its owner's alone, without reading it.
pub fn check_secret(path: &Path) -> Result<(), FileError> {
    open_secret(path).map(drop)
}

fn open_secret(path: &Path) -> Result<File, FileError> {
    let file = match path.to_str().and_then(secret_file::credential_name) {
        None => secret_file::open(path, Links::Followed, Access::Owned { also: None, forbidden: 0o077 }),
        Some((name, plain)) => {
            let content = |why: &str| FileError::Content { path: path.to_owned(), why: why.to_owned() };
            if !plain {
                return Err(content("does not name a systemd credential"));
            }
            let at = secret_file::credential_path(name).ok_or_else(|| {
                content("this systemd credential is not there: CREDENTIALS_DIRECTORY is not set")
            })?;
            secret_file::open(&at, Links::Followed, Access::Credential)
        }
    };
    file.map_err(|refusal| refused(path, refusal, "a regular file", 0o600))
}

/// Writes a secret to a new file, 0600 from its first moment, and waits until the disk has it.
pub fn write_secret(path: &Path, secret: &[u8]) -> Result<(), FileError> {
    let created = secret_file::create(path, secret, 0o600);
    created.map_err(|(what, why)| FileError::Io { path: path.to_owned(), what, why })
}

/// Makes a directory that only its owner may enter; one that is there already must be so.
pub fn private_directory(path: &Path) -> Result<(), FileError> {
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => check_private_directory(path),
        Err(why) => {
            Err(FileError::Io { path: path.to_owned(), what: "create the directory", why: why.into() })
        }
    }
}

/// Checks that a directory is there and its owner's alone.
pub fn check_private_directory(path: &Path) -> Result<(), FileError> {
    let directory = secret_file::open_directory(path);
    directory.map(drop).map_err(|refusal| refused(path, refusal, "a directory", 0o700))
}

/// Waits until the disk has the names in a directory.
pub(crate) fn sync_directory(path: &Path) -> Result<(), FileError> {
    File::open(path).and_then(|d| d.sync_all()).map_err(FileError::io(path, "write the directory"))
}

/// A refusal with its file, what the file should be, and the mode that it should have.
fn refused(path: &Path, refusal: Refusal, kind: &'static str, mode: u32) -> FileError {
    let path = path.to_owned();
    match refusal {
        Refusal::System(what, why) => FileError::Io { path, what, why },
        Refusal::Kind => FileError::Kind { path, wanted: kind },
        Refusal::Owner(owner) => FileError::Owner { path, owner, own: secret_file::own_uid() },
        Refusal::Loose(found) => FileError::Loose { path, mode: found, wanted: mode },
        Refusal::TooLong(max) => FileError::TooLong { path, max },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::tests::as_windows_saves;
    use rustix::fs::FileType;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_secret_is_written_for_its_owner_alone_and_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        write_secret(&path, b"seven").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(read_secret(&path, 5).unwrap().as_slice(), b"seven");
    }

    #[test]
    fn a_looser_file_is_refused_by_name_and_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("phs.keytab");
        for mode in [0o640, 0o604, 0o660, 0o610, 0o644] {
            std::fs::write(&path, b"x").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let text = read_secret(&path, 9).unwrap_err().to_string();
            assert!(text.contains("phs.keytab") && text.contains(&format!("{mode:04o}")), "{text}");
            assert!(text.contains("chmod 0600"), "{text}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read_secret(&path, 9).is_ok());
    }

    #[test]
    fn a_file_that_is_there_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        write_secret(&path, b"first").unwrap();
        assert!(matches!(write_secret(&path, b"second"), Err(FileError::Io { .. })));
        assert_eq!(read_secret(&path, 9).unwrap().as_slice(), b"first");
    }

    #[test]
    fn a_directory_or_an_overlong_file_is_no_secret() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(read_secret(directory.path(), 9), Err(FileError::Kind { .. })));
        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(matches!(read_secret(&pipe, 9), Err(FileError::Kind { .. })));
        let path = directory.path().join("long");
        write_secret(&path, &[7; 10]).unwrap();
        assert!(matches!(read_secret(&path, 9), Err(FileError::TooLong { max: 9, .. })));
    }

    #[test]
    fn a_password_is_the_first_line_however_windows_saves_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        let read = |content: &[u8]| {
            let _ = std::fs::remove_file(&path);
            write_secret(&path, content).unwrap();
            read_password(&path)
        };
        for saved in as_windows_saves("pässword\r\nnote\r\n\r\n") {
            assert_eq!(read(&saved).unwrap().as_str(), "pässword");
        }
        assert_eq!(read("x".repeat(1024).as_bytes()).unwrap().len(), 1024);
        for (saved, why) in [
            (&b""[..], "empty"),
            (b"\r\nhunter2\r\n", "empty"),
            (b"\xef\xbb\xbf", "empty"),
            (b"h\0u\0n\0t\0e\0r\x002\0", "without a byte order mark"),
            (b"hunter2\xe4", "not UTF-8"),
            (b"\x05\x02\0\0\0hunter2", "is a keytab"),
            ("x".repeat(1025).as_bytes(), "longer than 1024"),
            ("x".repeat(5000).as_bytes(), "longer than 4096"),
        ] {
            let text = read(saved).unwrap_err().to_string();
            assert!(text.contains(why) && text.contains("password") && !text.contains("hunter"), "{text}");
        }
    }

    #[test]
    fn a_loose_directory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        private_directory(&path).unwrap();
        private_directory(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(private_directory(&path), Err(FileError::Loose { mode: 0o755, .. })));
    }
}
