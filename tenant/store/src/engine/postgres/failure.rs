//! Errors of PostgreSQL: which end a transaction, which end the connection, and what an operator can do.
//! Neighbours: [`super::Session`] and [`super::database`] return them.

use crate::StoreError;
use crate::error::ServerTrouble;
use tokio_postgres::error::SqlState;

/// Why a request failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another transaction won: this one runs again.
    Conflict,
    /// The server, its disk or the connection is at fault.
    Server(ServerTrouble),
    /// A statement is wrong. The code of the error, which holds no value.
    Defect(String),
}

/// The connection was lost.
pub(super) fn lost() -> Failure {
    Failure::Server(ServerTrouble::Lost)
}

impl Failure {
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(code) = error.code() else {
            // An error of the server has a code. Others are of the connection, or of a value and its column.
            let of_value = error.to_string().contains("parameter");
            return if of_value && !error.is_closed() {
                Self::Defect("a parameter of another type".to_owned())
            } else {
                lost()
            };
        };
        match code.code().get(..2).unwrap_or_default() {
            // A row of the same key was inserted meanwhile: the next run finds it.
            _ if *code == SqlState::UNIQUE_VIOLATION => Self::Conflict,
            "40" => Self::Conflict,
            "08" | "57" if *code != SqlState::QUERY_CANCELED => lost(),
            "57" => Self::Server(ServerTrouble::Slow),
            "55" if *code == SqlState::LOCK_NOT_AVAILABLE => Self::Server(ServerTrouble::Slow),
            "28" => Self::Server(ServerTrouble::Refused),
            "3D" => Self::Server(ServerTrouble::NoDatabase),
            "42" if *code == SqlState::INSUFFICIENT_PRIVILEGE => Self::Server(ServerTrouble::Forbidden),
            "25" if *code == SqlState::READ_ONLY_SQL_TRANSACTION => Self::Server(ServerTrouble::ReadOnly),
            // The tables were changed by an upgrade: a statement that was prepared before is not valid any more.
            "0A" => lost(),
            "53" if *code == SqlState::DISK_FULL => Self::Server(ServerTrouble::Full),
            "53" => Self::Server(ServerTrouble::Overloaded),
            "58" | "XX" => Self::Server(ServerTrouble::Damaged(code.code().to_owned())),
            _ => Self::Defect(format!("PostgreSQL code {}", code.code())),
        }
    }

    /// Whether the connection is not used again.
    pub(super) fn ends_session(&self) -> bool {
        matches!(
            self,
            Self::Server(ServerTrouble::Lost | ServerTrouble::ReadOnly | ServerTrouble::Damaged(_))
        )
    }

    /// What is at fault; none: this transaction, or a statement.
    pub(super) fn trouble(self) -> Option<ServerTrouble> {
        if let Self::Server(trouble) = self { Some(trouble) } else { None }
    }

    pub(super) fn error(&self, server: &str) -> StoreError {
        match self {
            Self::Conflict => StoreError::Conflict,
            Self::Server(trouble) => {
                StoreError::Server { server: server.to_owned(), trouble: trouble.clone() }
            }
            Self::Defect(what) => StoreError::Defect(what.clone()),
        }
    }
}
