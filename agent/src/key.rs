//! Files that hold secrets: made 0600 and refused when looser, so that nobody else on the machine reads
//! them. What is in them is for the caller to know.
//! Neighbours: `identity` keeps the agent's key so; `phs::config` reads keytabs and password files so.

use rustix::fs::{FileType, Mode, OFlags};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A local file or directory that cannot be used; the operator of this machine must act.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system said no.
    #[error("{}: cannot {what}: {why}", path.display())]
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
    let file = open_secret(path)?;
    // Sized once, so that no copy of the secret is left behind by growing.
    let mut secret = Zeroizing::new(Vec::with_capacity(max + 1));
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut secret).map_err(FileError::io(path, "read"))?;
    if secret.len() > max {
        return Err(FileError::TooLong { path: path.to_owned(), max });
    }
    Ok(secret)
}

/// Checks that a secret file is there, regular, and its owner's alone, without reading it.
pub fn check_secret(path: &Path) -> Result<(), FileError> {
    open_secret(path).map(drop)
}

fn open_secret(path: &Path) -> Result<File, FileError> {
    let Some(name) = path.to_str().and_then(|text| text.strip_prefix("credential:")) else {
        let file = File::open(path).map_err(FileError::io(path, "open"))?;
        check(path, &file, FileType::RegularFile, 0o600)?;
        return Ok(file);
    };
    let content = |why: &str| FileError::Content { path: path.to_owned(), why: why.to_owned() };
    if name.is_empty() || name.contains('/') || name == ".." {
        return Err(content("does not name a systemd credential"));
    }
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY");
    let directory = directory
        .ok_or_else(|| content("this systemd credential is not there: CREDENTIALS_DIRECTORY is not set"))?;
    // systemd keeps others out of the directory; the file's own mode shows its access list, not its owner's wish.
    File::open(Path::new(&directory).join(name)).map_err(FileError::io(path, "open"))
}

/// Writes a secret to a new file, 0600 from its first moment, and waits until the disk has it.
pub fn write_secret(path: &Path, secret: &[u8]) -> Result<(), FileError> {
    write_new(path, secret, Mode::RUSR | Mode::WUSR)
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
    let directory = File::open(path).map_err(FileError::io(path, "open the directory"))?;
    check(path, &directory, FileType::Directory, 0o700)
}

/// Waits until the disk has the names in a directory.
pub(crate) fn sync_directory(path: &Path) -> Result<(), FileError> {
    File::open(path).and_then(|d| d.sync_all()).map_err(FileError::io(path, "write the directory"))
}

fn write_new(path: &Path, content: &[u8], mode: Mode) -> Result<(), FileError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags, mode).map_err(|why| FileError::Io {
        path: path.to_owned(),
        what: "create",
        why: why.into(),
    })?;
    let mut file = File::from(file);
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if let Err(why) = written {
        // A file that is cut short is worse than none.
        let _ = std::fs::remove_file(path);
        return Err(FileError::Io { path: path.to_owned(), what: "write", why });
    }
    Ok(())
}

fn check(path: &Path, file: impl AsFd, kind: FileType, wanted: u32) -> Result<(), FileError> {
    let stat = rustix::fs::fstat(file).map_err(|why| FileError::Io {
        path: path.to_owned(),
        what: "look at",
        why: why.into(),
    })?;
    if FileType::from_raw_mode(stat.st_mode) != kind {
        let wanted = if kind == FileType::Directory { "a directory" } else { "a regular file" };
        return Err(FileError::Kind { path: path.to_owned(), wanted });
    }
    let own = rustix::process::geteuid().as_raw();
    if stat.st_uid != own && stat.st_uid != 0 {
        return Err(FileError::Owner { path: path.to_owned(), owner: stat.st_uid, own });
    }
    let mode = stat.st_mode & 0o7777;
    if mode & 0o077 != 0 {
        return Err(FileError::Loose { path: path.to_owned(), mode, wanted });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
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
        let path = directory.path().join("long");
        write_secret(&path, &[7; 10]).unwrap();
        assert!(matches!(read_secret(&path, 9), Err(FileError::TooLong { max: 9, .. })));
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
