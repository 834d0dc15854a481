//! Who is at the other end of the administration socket: the kernel's word for the process, its login, and the names in
//! `/etc/passwd`.
//! After it: [`super::listen`].

use landbridge_tenant_core::administration::operator::{Operator, User};
use std::io::Read as _;
use tokio::net::UnixStream;

/// Limit on the bytes of `/etc/passwd` that are read. It has room for about 10,000 users.
const MAX_PASSWD: u64 = 1024 * 1024;
/// What `/proc/<pid>/loginuid` says of a process that nobody logged in for.
const UNSET: u32 = u32::MAX;

/// The process that connected. Blocks for two small files. A process that has ended since has no login, unless another
/// one has its id already; the client waits for its answer, so that does not happen to an honest one.
pub(crate) fn operator(stream: &UnixStream) -> std::io::Result<Operator> {
    let process = stream.peer_cred()?;
    let login = process.pid().and_then(login_of).map(user);
    Ok(Operator { user: user(process.uid()), login })
}

fn login_of(pid: i32) -> Option<u32> {
    let text = start_of(&format!("/proc/{pid}/loginuid"), 16)?;
    text.trim().parse().ok().filter(|uid| *uid != UNSET)
}

fn user(uid: u32) -> User {
    User { uid, name: start_of("/etc/passwd", MAX_PASSWD).and_then(|passwd| name_in(&passwd, uid)) }
}

/// The name of the first line with this uid (passwd(5): `name:password:uid:…`).
fn name_in(passwd: &str, uid: u32) -> Option<String> {
    let named = |line: &str| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    };
    passwd.lines().find_map(named)
}

fn start_of(path: &str, most: u64) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(most).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_the_first_line_with_the_uid() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:/bin/sh\nbroken\nalice:x:1000:1000::/:/bin/sh\n";
        assert_eq!(name_in(passwd, 0).as_deref(), Some("root"));
        assert_eq!(name_in(passwd, 1000).as_deref(), Some("alice"));
        assert_eq!(name_in(passwd, 1001), None);
    }
}
