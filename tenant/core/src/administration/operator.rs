//! Who sent a request over the administration socket, as the audit log names them.
//! Before it: the operator's door asks the kernel. After it: [`super::Administration::act`].

/// A user of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Its name in `/etc/passwd`, if it has one there.
    pub name: Option<String>,
}

/// The process that sent a request. Shown as `uid 0 (root), login uid 1000 (alice)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The user that the process runs as.
    pub user: User,
    /// The user that logged in, whom `sudo` and `su` do not change; none: a service, or the kernel does not say.
    pub login: Option<User>,
}

impl Operator {
    /// The operator of a process of this user, of which no more is known.
    pub fn of_uid(uid: u32) -> Self {
        Self { user: User { uid, name: None }, login: None }
    }
}

impl std::fmt::Display for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "uid {}", self.uid)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " ({name})"))
    }
}

impl std::fmt::Display for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.user.fmt(f)?;
        self.login.as_ref().map_or(Ok(()), |login| write!(f, ", login {login}"))
    }
}
