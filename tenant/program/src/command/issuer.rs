//! The commands for sessions of people and for keys that sign tokens: their flags, requests and tables.
//! Neighbours: `ask.rs` sends the requests.

use super::listing::Listing;
use super::table::aligned;
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

impl Sessions {
    /// The request, with the number of sessions that may end, and whether its answer is printed as JSON.
    pub(super) fn request(&self, consent: Option<u64>) -> (AdminRequest, bool) {
        match self {
            Self::List { user, json } => (AdminRequest::SessionsList { user: user.clone() }, *json),
            Self::End { session: Some(session), .. } => {
                (AdminRequest::SessionsEnd { session: *session }, false)
            }
            Self::End { user: Some(user), .. } => (AdminRequest::SessionsEndOf { user: user.clone() }, false),
            Self::End { .. } => (AdminRequest::SessionsEndAll { sessions: consent }, false),
        }
    }
}

impl Keys {
    /// The request, with the number of grants that may end, and whether its answer is printed as JSON.
    pub(super) fn request(&self, consent: Option<u64>) -> (AdminRequest, bool) {
        match self {
            Self::List(listing) => (AdminRequest::KeysList, listing.json),
            Self::Rotate => (AdminRequest::KeysRotate, false),
            Self::Revoke { kid, .. } => {
                (AdminRequest::KeysRevoke { kid: kid.clone(), grants: consent }, false)
            }
        }
    }
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
