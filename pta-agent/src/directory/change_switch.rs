//! Whether this process changes passwords. The configuration switches changes on. The process switches them off for the
//! rest of its life after a change at the tenant's request had the wrong account's password changed.
//! Neighbours: [`super::change_password`] stops, `status` shows why.

use super::requested::RequestedAccount;
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// Why this process stopped changing passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesStopped {
    /// Seconds since 1970 when it stopped.
    pub at: i64,
    /// objectGUID of the account whose password the tenant requested to change.
    pub object: Uuid,
    /// The sAMAccountName that the tenant sent, which is another account's.
    pub name: String,
    /// Whether the password of the account with this name was changed. Otherwise that account may have got bad passwords.
    pub changed: bool,
}

/// What an administrator does after a stop.
pub const AFTER_STOP: &str = "find out why the tenant requested this, then start the agent again";

impl ChangesStopped {
    /// The reason and its age, for the log and `status`. `now` is in seconds since 1970.
    pub fn in_words(&self, now: i64) -> String {
        let Self { at, object, name, changed } = self;
        let what = if *changed { "whose password was changed" } else { "which may have got a bad password" };
        format!(
            "stopped {} s ago: for the account {object} the tenant sent the name {name:?}, {what}. The account of that name \
             is another one or a protected one, so the tenant lies or is wrong about names. This process changes no \
             further password",
            now.saturating_sub(*at)
        )
    }
}

/// Whether this process changes passwords.
#[derive(Debug)]
pub struct ChangeSwitch {
    configured: bool,
    stopped: OnceLock<ChangesStopped>,
    /// Passwords that were tried for a name that only the tenant knows, without an answer.
    unanswered: AtomicU32,
}

impl ChangeSwitch {
    /// `configured`: `[directory] change_passwords`.
    pub(super) fn new(configured: bool) -> Self {
        Self { configured, stopped: OnceLock::new(), unanswered: AtomicU32::new(0) }
    }

    /// Whether the configuration switches changes on.
    pub fn is_configured(&self) -> bool {
        self.configured
    }

    /// Whether passwords are changed now.
    pub fn is_on(&self) -> bool {
        self.configured && self.stopped().is_none()
    }

    /// Why and when this process stopped changing passwords. None: it did not.
    pub fn stopped(&self) -> Option<&ChangesStopped> {
        self.stopped.get()
    }

    /// A password was tried for a name that only the tenant knows, and no answer came. A tenant that lies about names can
    /// choose a time that is too short for the answer, so the second time stops changes.
    pub(super) fn note_unanswered(&self, requested: &RequestedAccount, name: &str, now: Duration) {
        if self.unanswered.fetch_add(1, Ordering::AcqRel) > 0 {
            self.stop(requested, (name, false), now);
        }
    }

    /// Stops changes until the process ends: the tenant sent a name that is not that of an ordinary account with the SID
    /// that it sent, and the account with the name had its password changed, or got a bad password. `now` is the time since
    /// 1970. The first reason is kept.
    pub(super) fn stop(&self, requested: &RequestedAccount, (name, changed): (&str, bool), now: Duration) {
        let at = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let stopped = ChangesStopped { at, object: requested.object, name: name.to_owned(), changed };
        tracing::error!("changes of password are {}. To do: {AFTER_STOP}", stopped.in_words(at));
        let _ = self.stopped.set(stopped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_to_stop_is_kept_and_nothing_switches_changes_on_again() {
        let account = |object| RequestedAccount { object: Uuid::from_u128(object), sid: None };
        let switch = ChangeSwitch::new(true);
        assert!(switch.is_on() && switch.stopped().is_none());
        switch.stop(&account(1), ("anna", false), Duration::from_secs(70));
        switch.stop(&account(2), ("bernd", true), Duration::from_secs(80));
        assert!(switch.is_configured() && !switch.is_on());
        let first =
            ChangesStopped { at: 70, object: Uuid::from_u128(1), name: "anna".to_owned(), changed: false };
        assert_eq!(switch.stopped(), Some(&first));
        assert!(!ChangeSwitch::new(false).is_on());
        // A second password without an answer is one too many.
        let switch = ChangeSwitch::new(true);
        switch.note_unanswered(&account(1), "anna", Duration::from_secs(70));
        assert!(switch.is_on());
        switch.note_unanswered(&account(2), "bernd", Duration::from_secs(80));
        assert!(!switch.is_on());
    }
}
