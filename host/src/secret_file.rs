//! Files that hold secrets: opened and checked, read into memory that is wiped, created for their owner alone.
//! Not here: what the files hold, and the sentences for a refusal, which each caller has of its own (`key_file` for the
//! tenant, the agents' `key`).

use rustix::fs::{FileType, Mode, OFlags};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Why a file is not accepted as one that holds a secret.
#[derive(Debug)]
pub enum Refusal {
    /// The operating system refused this step: `open`, `open the directory`, `look at` or `read`.
    System(&'static str, io::Error),
    /// It is not a regular file, or not a directory where one is expected.
    Kind,
    /// The user with this uid owns it.
    Owner(u32),
    /// Other users have access to it: its permission bits.
    Loose(u32),
    /// It is longer than this limit.
    TooLong(usize),
}

/// Whose file is accepted.
#[derive(Debug, Clone, Copy)]
pub enum Access {
    /// A file of root, of this program's user or of the user `also`, with none of the permission bits `forbidden`.
    Owned {
        /// One more owner that is accepted.
        also: Option<u32>,
        /// Bits that must not be set.
        forbidden: u32,
    },
    /// A systemd credential, of any owner and mode. systemd guards its directory, and may open the file itself to a
    /// group.
    Credential,
}

/// Symbolic links in the last part of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// The file behind the link is opened.
    Followed,
    /// A link is refused.
    Refused,
}

/// The uid that this program acts as.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Opens a regular file to read it. Does not wait for the writer of a pipe in its place.
pub fn open(path: &Path, links: Links, access: Access) -> Result<File, Refusal> {
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    flags.set(OFlags::NOFOLLOW, links == Links::Refused);
    let file = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(file.map_err(|why| Refusal::System("open", why.into()))?);
    check(&file, FileType::RegularFile, access)?;
    Ok(file)
}

/// Opens a directory, which its owner alone may enter.
pub fn open_directory(path: &Path) -> Result<File, Refusal> {
    let directory = File::open(path).map_err(|why| Refusal::System("open the directory", why))?;
    check(&directory, FileType::Directory, Access::Owned { also: None, forbidden: 0o077 })?;
    Ok(directory)
}

/// Checks the kind, the owner and the mode of an open file or directory.
fn check(file: &File, kind: FileType, access: Access) -> Result<(), Refusal> {
    let facts = file.metadata().map_err(|why| Refusal::System("look at", why))?;
    if FileType::from_raw_mode(facts.mode()) != kind {
        return Err(Refusal::Kind);
    }
    let Access::Owned { also, forbidden } = access else { return Ok(()) };
    // The owner first: with a file of another user, chmod does not help.
    let owner = facts.uid();
    if ![0, own_uid()].contains(&owner) && also != Some(owner) {
        return Err(Refusal::Owner(owner));
    }
    let mode = facts.mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(Refusal::Loose(mode));
    }
    Ok(())
}

/// Reads a file to its end; refuses one of more than `max` bytes.
pub fn read(file: File, max: usize) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    // Sized once, so that growing leaves no copy of the secret behind.
    let mut secret = Zeroizing::new(Vec::with_capacity(max + 1));
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut secret).map_err(|why| Refusal::System("read", why))?;
    if secret.len() > max {
        return Err(Refusal::TooLong(max));
    }
    Ok(secret)
}

/// Creates a file with these permission bits, writes it and waits until the disk has it. Never overwrites, and removes
/// what it created when it fails. The error has the step that failed: `create` or `write`.
pub fn create(path: &Path, content: &[u8], mode: u32) -> Result<(), (&'static str, io::Error)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags, Mode::from_raw_mode(mode));
    let mut file = File::from(file.map_err(|why| ("create", why.into()))?);
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written.map_err(|why| {
        // A file that is cut short is worse than none.
        let _ = std::fs::remove_file(path);
        ("write", why)
    })
}

/// The NAME of `credential:NAME`, and whether it is a plain file name. None: the text names no credential.
pub fn credential_name(text: &str) -> Option<(&str, bool)> {
    let name = text.strip_prefix("credential:")?;
    Some((name, !name.is_empty() && !name.contains('/') && ![".", ".."].contains(&name)))
}

/// Where systemd put a credential. None: this process was started without credentials.
pub fn credential_path(name: &str) -> Option<PathBuf> {
    Some(Path::new(&std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const OWNED: Access = Access::Owned { also: None, forbidden: 0o077 };

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_refused_without_waiting_for_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        for access in [OWNED, Access::Credential] {
            assert!(matches!(open(&pipe, Links::Followed, access), Err(Refusal::Kind)));
        }
    }

    #[test]
    fn a_link_is_followed_only_where_the_caller_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("key"), folder.path().join("link"));
        create(&file, b"seven", 0o600).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(matches!(open(&link, Links::Refused, OWNED), Err(Refusal::System("open", _))));
        let followed = open(&link, Links::Followed, OWNED).unwrap();
        assert_eq!(read(followed, 5).unwrap().as_slice(), b"seven");
    }
}
