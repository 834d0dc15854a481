//! The commands for sessions of people and for keys that sign tokens: their flags, requests and tables.
//! Neighbours: `ask.rs` sends the requests.

use super::Listing;
use super::ask::agreed;
use super::table::aligned;
use crate::config::Config;
use crate::error::TenantError;
use clap::{ArgGroup, Subcommand};
use landbridge_host::clock_text::utc;
use landbridge_tenant_core::administration::request::{AdminRequest, KeyRow, SessionRow};
use uuid::Uuid;

/// `sessions`.
#[derive(Debug, Subcommand)]
pub enum Sessions {
    /// List the sessions that have not ended, the last used first.
    List {
        /// Only those of this account: user@domain, DOMAIN\user, a bare sAMAccountName, a SID or an objectGUID.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Everything that is known, as JSON.
        #[arg(long)]
        json: bool,
    },
    /// End sessions, and all that was granted in them: refresh tokens, and access tokens here.
    ///
    /// Applications that keep sessions of their own end these when they next ask for tokens.
    #[command(group = ArgGroup::new("which").required(true))]
    End {
        /// The session, by its id in `sessions list`.
        #[arg(group = "which")]
        session: Option<Uuid>,
        /// All sessions of this account.
        #[arg(long, value_name = "NAME", group = "which")]
        user: Option<String>,
        /// All sessions of all accounts. Asks.
        #[arg(long, group = "which")]
        all: bool,
        /// Do not ask about --all: for scripts.
        #[arg(long, requires = "all", conflicts_with_all = ["session", "user"])]
        yes: bool,
    },
}

/// `keys`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// List the keys: which signs, which comes next, and which are published because what they signed may be in use.
    List(Listing),
    /// Let the next key of each algorithm sign from now on. Those before them stay published for a day.
    ///
    /// Keys rotate by themselves after `[oidc] key_days`. Applications need not know.
    Rotate,
    /// Delete a key that was stolen or may have been, and end what it signed. Says what ends, and asks.
    Revoke {
        /// The key, by its name in `keys list`.
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// Do not ask: for scripts.
        #[arg(long)]
        yes: bool,
    },
}

/// The request of a command about sessions, and whether its answer is printed as JSON. None: it was sent and answered.
pub(super) fn sessions(
    config: &Config,
    command: &Sessions,
) -> Result<Option<(AdminRequest, bool)>, TenantError> {
    Ok(Some(match command {
        Sessions::List { user, json } => (AdminRequest::SessionsList { user: user.clone() }, *json),
        Sessions::End { session: Some(session), .. } => {
            (AdminRequest::SessionsEnd { session: *session }, false)
        }
        Sessions::End { user: Some(user), .. } => (AdminRequest::SessionsEndOf { user: user.clone() }, false),
        Sessions::End { yes, .. } => {
            let request = |sessions| AdminRequest::SessionsEndAll { sessions };
            agreed(config, request, "End all of them? [y/N]", "look at `sessions list`", *yes)?;
            return Ok(None);
        }
    }))
}

/// The same of a command about keys.
pub(super) fn keys(config: &Config, command: &Keys) -> Result<Option<(AdminRequest, bool)>, TenantError> {
    Ok(Some(match command {
        Keys::List(listing) => (AdminRequest::KeysList, listing.json),
        Keys::Rotate => (AdminRequest::KeysRotate, false),
        Keys::Revoke { kid, yes } => {
            let request = |grants| AdminRequest::KeysRevoke { kid: kid.clone(), grants };
            agreed(config, request, "Revoke it? [y/N]", "look at `keys list`", *yes)?;
            return Ok(None);
        }
    }))
}

pub(super) fn session_table(rows: &[SessionRow]) -> String {
    let cells = |row: &SessionRow| {
        let name = row.name.clone().unwrap_or_else(|| "-".to_owned());
        let applications = match row.applications.is_empty() {
            true => "-".to_owned(),
            false => row.applications.join(", "),
        };
        let (made, seen, ends) = (utc(row.made_at), utc(row.seen_at), utc(row.ends_at));
        let device = row.device.chars().take(40).collect();
        vec![row.id.to_string(), name, row.address.clone(), made, seen, ends, applications, device]
    };
    let heads = ["ID", "NAME", "ADDRESS", "SIGNED IN", "USED", "ENDS", "APPLICATIONS", "BROWSER"];
    aligned(&heads, &rows.iter().map(cells).collect::<Vec<_>>())
}

pub(super) fn key_table(rows: &[KeyRow]) -> String {
    let or_dash = |at: Option<i64>| at.map_or_else(|| "-".to_owned(), utc);
    let cells = |row: &KeyRow| {
        let (made, signs, until) = (utc(row.made_at), or_dash(row.signs_at), or_dash(row.published_until));
        vec![row.kid.clone(), row.algorithm.clone(), row.state.clone(), made, signs, until]
    };
    let heads = ["KEY", "ALGORITHM", "STATE", "MADE", "SIGNS SINCE", "PUBLISHED UNTIL"];
    aligned(&heads, &rows.iter().map(cells).collect::<Vec<_>>())
}
