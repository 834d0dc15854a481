//! Reserves binds in AD's budget before an agent is asked, where several nodes serve one database: two nodes could both
//! see the last of the budget. The reservation is made in the account's row, in one transaction with reading it.
//! Neighbours: [`super::SignIn`] decides when an agent is asked; the crate `core` reserves, and gives back with the
//! answer what was not sent.

use super::facts::Facts;
use super::{has_stand_in, step::Question};
use crate::lockout::{AdBudget, Spent, Standing};

/// Seconds after which a question to an agent has ended: 10 that an agent may take, and 5 until its answer is written. A
/// reservation that is not given back by then is charged, because its node may have died.
pub const QUESTION_SECONDS: i64 = 15;
/// Binds that a sign-in reserves: one, and one for a second delivery after the first was lost.
const BINDS_OF_SIGN_IN: u32 = 2;

/// What is reserved for one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// The budget of the account.
    pub budget: AdBudget,
    /// The standing of the source that caused the question.
    pub standing: Standing,
    /// Number of binds.
    pub binds: u32,
    /// The end of the question, in seconds since 1970.
    pub until: i64,
}

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Any password.
    AnyPassword,
    /// A password that the tenant takes for right: the digest's, or the old one of a change. It may use the bind that is
    /// kept for the digest's password.
    LikelyPassword,
}

/// Whether binds can be reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserving {
    /// None need be: the domain's policy locks no account, or no other node serves the database.
    NotNeeded,
    /// These.
    Possible(Reservation),
    /// Nothing is left.
    NoRoom {
        /// A question of another node is under way, whose answer may give something back.
        is_asked: bool,
    },
}

/// What a sign-in with these facts reserves, when `spent` is what the account's row has now. `now` is in seconds since
/// 1970.
pub fn reserving(facts: &Facts, spent: Option<&Spent>, about: About, now: i64) -> Reserving {
    let budget = facts.domain.as_ref().map_or(AdBudget::Unknown, |domain| domain.budget);
    let AdBudget::Bounded { .. } = budget else { return Reserving::NotNeeded };
    let standing = facts.source.standing;
    let room = budget.room(spent, standing, has_stand_in(facts, now), now);
    let binds = match about {
        About::AnyPassword => room.min(BINDS_OF_SIGN_IN),
        About::LikelyPassword => u32::from(room > 0 || budget.allows_digests_password(spent, now)),
    };
    if binds == 0 {
        return Reserving::NoRoom { is_asked: spent.is_some_and(|spent| spent.is_asked_about(now)) };
    }
    let until = now.saturating_add(QUESTION_SECONDS);
    Reserving::Possible(Reservation { budget, standing, binds, until })
}

impl Question {
    /// The same question with no more binds than are reserved.
    #[must_use]
    pub fn within(self, reserved: Option<&Reservation>) -> Self {
        Self { binds: reserved.map_or(self.binds, |reserved| reserved.binds), ..self }
    }
}
