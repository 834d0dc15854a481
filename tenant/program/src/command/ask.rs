//! The commands that send a request to the running tenant, and the text that they print.
//! The request travels over [`landbridge_door_operator::call`].

use super::table::aligned;
use super::{
    Agents, Canary, Command, Domains, Groups, Keys, Sessions, SignIn, Suffix, Token, Users, apps, card,
    issuer,
};
use crate::config::Config;
use crate::error::TenantError;
use landbridge_door_operator::call::send_request;
use landbridge_host::clock_text::utc;
use landbridge_host::text_file;
use landbridge_tenant_core::administration::request::{
    AdminRequest, AdminResponse, AgentRow, AmbiguousRow, BlockedRow, Confidential, DomainRow, MAX_MOVED,
    MoveRow, NO_SUCH_ACCOUNT, SuffixRow,
};
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::directory::Description;
use landbridge_tenant_core::directory::groups::{GroupDescribed, GroupRow};
use landbridge_wire::printable::{self, one_line};
use serde::Serialize;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Limit on the bytes of a password on stdin. A longer one is refused by the tenant as well.
const MAX_PASSWORD: u64 = 1024;

/// Limit on the bytes of an answer to a question. `yes` needs four.
const MAX_ANSWER: u64 = 64;

/// Sends the request of a command and prints the response.
pub fn run(config: &Config, command: &Command) -> Result<(), TenantError> {
    let (question, json) = match command {
        Command::Init(_)
        | Command::Serve
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Migrate(_)
        | Command::Nodes(_) => {
            return Err(TenantError::Defect("not a question".to_owned()));
        }
        Command::Domains(Domains::Add { name, netbios, sid, allow_privileged }) => {
            let (name, netbios, sid) = (name.clone(), netbios.clone(), sid.clone());
            (AdminRequest::DomainsAdd { name, netbios, sid, allow_privileged: *allow_privileged }, false)
        }
        Command::Domains(Domains::List(listing)) => (AdminRequest::DomainsList, listing.json),
        Command::Domains(Domains::Remove { name, yes }) => {
            let question = "Remove the domain, and erase all of this? [y/N]";
            let request = |accounts| AdminRequest::DomainsRemove { name: name.clone(), accounts };
            return agreed(config, request, question, "look at `domains list`", *yes);
        }
        Command::Domains(Domains::Policy { name, min_iterations: Some(iterations), yes, .. }) => {
            let iterations = *iterations;
            let request = |accounts| AdminRequest::MinIterations { name: name.clone(), iterations, accounts };
            let first = "raise `[passwords] profile` of phs, and wait until its `status` names no passwords that are left";
            return agreed(config, request, "Refuse such digests from now on? [y/N]", first, *yes);
        }
        Command::Domains(Domains::Policy {
            name,
            policy,
            group,
            remove,
            place,
            approve_agents,
            change_passwords,
            ..
        }) => {
            let (name, policy, place) = (name.clone(), *policy, *place);
            let (approve_agents, change_passwords) = (*approve_agents, *change_passwords);
            match group.clone() {
                None => {
                    (AdminRequest::DomainsPolicy { name, policy, approve_agents, change_passwords }, false)
                }
                Some(_) if policy.is_none() && !remove => {
                    return Err(TenantError::Usage("give a policy for the group, or --remove".to_owned()));
                }
                Some(group) => (AdminRequest::GroupPolicy { name, group, policy, place }, false),
            }
        }
        Command::Domains(Domains::Canary(canary)) => (
            match canary.clone() {
                Canary::Add { name, user } => AdminRequest::CanaryAdd { name, user },
                Canary::Remove { name, user } => AdminRequest::CanaryRemove { name, user },
                Canary::List { name } => AdminRequest::CanaryList { name },
            },
            false,
        ),
        Command::Domains(Domains::Suffix(Suffix::Add { name, suffix, shared })) => {
            let (name, suffix, shared) = (name.clone(), suffix.clone(), *shared);
            (AdminRequest::SuffixAdd { name, suffix, shared }, false)
        }
        Command::Domains(Domains::Suffix(Suffix::Remove { name, suffix, yes })) => {
            let request = |accounts| AdminRequest::SuffixRemove {
                name: name.clone(),
                suffix: suffix.clone(),
                accounts,
            };
            return agreed(config, request, "Remove it? [y/N]", "look at `domains suffix list`", *yes);
        }
        Command::Domains(Domains::Suffix(Suffix::List { name, json })) => {
            (AdminRequest::SuffixList { name: name.clone() }, *json)
        }
        Command::Domains(Domains::MoveObjects { from, to, objects, yes }) => {
            return move_objects(config, from, to, objects, *yes);
        }
        Command::Token(Token::Create { role, domain, minutes }) => (
            AdminRequest::TokenCreate { role: (*role).into(), domain: domain.clone(), minutes: *minutes },
            false,
        ),
        Command::Agents(Agents::List(listing)) => (AdminRequest::AgentsList, listing.json),
        Command::Agents(Agents::Approve { agent, yes }) => (approval(config, *agent, *yes)?, false),
        Command::Agents(Agents::Revoke { agent }) => (AdminRequest::AgentsRevoke { agent: *agent }, false),
        Command::Apps(command) => apps::request(command)?,
        Command::Users(Users::Show { name, json }) => (AdminRequest::UsersShow { name: name.clone() }, *json),
        Command::Users(Users::Ambiguous(listing)) => (AdminRequest::UsersAmbiguous, listing.json),
        Command::Users(Users::Block { name }) => (AdminRequest::UsersBlock { name: name.clone() }, false),
        Command::Users(Users::Unblock { name }) => (AdminRequest::UsersUnblock { name: name.clone() }, false),
        Command::Users(Users::Blocked(listing)) => (AdminRequest::UsersBlocked, listing.json),
        Command::Groups(Groups::List(listing)) => (AdminRequest::GroupsList, listing.json),
        Command::Groups(Groups::Show { name, json }) => {
            (AdminRequest::GroupsShow { name: name.clone() }, *json)
        }
        Command::Users(Users::Purge { name }) => (AdminRequest::UsersPurge { name: name.clone() }, false),
        Command::Sessions(command @ Sessions::End { all: true, yes, .. }) => {
            let request = |consent| command.request(consent).0;
            return agreed(config, request, "End all of them? [y/N]", "look at `sessions list`", *yes);
        }
        Command::Keys(command @ Keys::Revoke { yes, .. }) => {
            let request = |consent| command.request(consent).0;
            return agreed(config, request, "Revoke it? [y/N]", "look at `keys list`", *yes);
        }
        Command::Sessions(command) => command.request(None),
        Command::Keys(command) => command.request(None),
        Command::SignIn(sign_in) => {
            let (user, source) = (sign_in.user.clone(), sign_in.source.clone());
            (AdminRequest::SignIn { user, password: password(sign_in)?, source }, false)
        }
    };
    show(send_request(&config.admin_socket(), &question)?, json)
}

fn show(answer: AdminResponse, json: bool) -> Result<(), TenantError> {
    match answer {
        AdminResponse::Done(what) => print(&format!("{what}\n")),
        AdminResponse::Domains(rows) => list(&rows, json, &domains(&rows)),
        AdminResponse::Agents(rows) => list(&rows, json, &agents(&rows)),
        AdminResponse::Apps(rows) => list(&rows, json, &apps::table(&rows)),
        AdminResponse::App(row) if json => list(&row, true, ""),
        AdminResponse::App(row) => print(&card::app(&row)),
        AdminResponse::AppSettings(settings) => print(&apps::as_toml(&settings)?),
        AdminResponse::Token(token) => {
            hint("give this token to `enroll` on the agent's machine; it works once, and expires soon");
            token.lend(|text| print(&format!("{text}\n")))
        }
        AdminResponse::Credential(credential) => {
            hint("the application sends this as `Authorization: Bearer …`; it cannot be shown again");
            credential.lend(|text| print(&format!("{text}\n")))
        }
        AdminResponse::Suffixes(rows) => list(&rows, json, &suffixes(&rows)),
        AdminResponse::Moves(rows) => list(&rows, json, &moves(&rows)),
        AdminResponse::Users(known) => users(&known, json),
        AdminResponse::Ambiguous(rows) => list(&rows, json, &ambiguous(&rows)),
        AdminResponse::Blocked(rows) => list(&rows, json, &blocked(&rows)),
        AdminResponse::Groups(rows) => list(&rows, json, &groups(&rows)),
        AdminResponse::Group(known) => group(&known, json),
        AdminResponse::Sessions(rows) => list(&rows, json, &issuer::session_table(&rows)),
        AdminResponse::Keys(rows) => list(&rows, json, &issuer::key_table(&rows)),
        AdminResponse::Accepted(person) => {
            let name = person.user.or(person.sam).unwrap_or_default();
            print(&format!("accepted: {} ({}, {})\n", one_line(&name), person.object, person.domain))
        }
        AdminResponse::SignInRefused { disclosed, why } => {
            let note =
                disclosed.map_or_else(String::new, |reason| format!(" (an application receives: {reason})"));
            print(&format!("refused: {why}{note}\n"))?;
            Err(TenantError::SignInRefused)
        }
        // `send_request` returns these as errors.
        AdminResponse::Unavailable(what)
        | AdminResponse::StorageFailed(what)
        | AdminResponse::Defect(what) => Err(TenantError::Defect(what)),
        // The number has grown since it was confirmed.
        AdminResponse::Confirm { what, .. } => {
            Err(TenantError::Refused { what, todo: "run the command again".to_owned() })
        }
        AdminResponse::Refused { what, todo } => Err(TenantError::Refused { what, todo }),
    }
}

fn domains(rows: &[DomainRow]) -> String {
    let cells = |row: &DomainRow| {
        let writer = row.writer.map_or_else(|| "-".to_owned(), |writer| writer.to_string());
        let yes = |it| if it { "yes" } else { "no" }.to_owned();
        let accounts = row.accounts.to_string();
        let (name, netbios, sid) = (row.name.clone(), row.netbios.clone(), row.sid.clone());
        let signin = match row.group_policies {
            0 => row.signin.as_str().to_owned(),
            1 => format!("{}, 1 group", row.signin.as_str()),
            n => format!("{}, {n} groups", row.signin.as_str()),
        };
        let refused = match (row.refused_names, row.refused_objects) {
            (0, 0) => "-".to_owned(),
            (names, objects) => format!("{names} names, {objects} objects"),
        };
        let (synchronized, privileged) = (yes(row.synchronized), yes(row.allow_privileged));
        vec![name, netbios, sid, signin, accounts, synchronized, privileged, refused, writer]
    };
    let heads =
        ["NAME", "NETBIOS", "SID", "SIGN-IN", "ACCOUNTS", "SYNCHRONIZED", "PRIVILEGED", "REFUSED", "WRITER"];
    aligned(&heads, &rows.iter().map(cells).collect::<Vec<_>>())
}

fn agents(rows: &[AgentRow]) -> String {
    let cells = |row: &AgentRow| {
        let (id, role, domain, state) =
            (row.id.to_string(), row.role.clone(), row.domain.clone(), row.state.clone());
        let (host, software) = (row.host.clone(), row.software.clone());
        let connections = row.connections.to_string();
        let (from, key) = (or_dash(row.enrolled_from.as_deref()), or_dash(row.key.as_deref()));
        let (until, seen) = (utc(row.not_after), utc(row.seen_at));
        let process = if row.proved_at.is_some() { "proved" } else { "-" }.to_owned();
        vec![id, role, domain, state, connections, host, from, key, software, until, seen, process]
    };
    let heads = [
        "ID",
        "ROLE",
        "DOMAIN",
        "STATE",
        "CONNECTIONS",
        "HOST",
        "ENROLLED FROM",
        "KEY",
        "SOFTWARE",
        "CERTIFICATE UNTIL",
        "SEEN",
        "PROCESS",
    ];
    aligned(&heads, &rows.iter().map(cells).collect::<Vec<_>>())
}

/// The request that approves an agent, after a person has compared what is shown.
fn approval(config: &Config, agent: Uuid, yes: bool) -> Result<AdminRequest, TenantError> {
    // 1. Show what the tenant knows of the agent. It refuses one that is not there, and knows one that needs nothing.
    let AdminResponse::Agents(rows) = send_request(&config.admin_socket(), &AdminRequest::AgentsList)? else {
        return Err(TenantError::Defect("the tenant answered something else".to_owned()));
    };
    let row = rows.into_iter().find(|row| row.id == agent);
    let Some(row) = row.filter(|row| row.state == "pending" || row.state == "quarantined") else {
        return Ok(AdminRequest::AgentsApprove { agent, key: None });
    };
    hint(&card::agent(&row));
    // 2. Ask.
    if !yes {
        let question = "Approve it only if the agent's own output, `enroll` or `status`, shows the same key. Approve? [y/N]";
        confirm(question, "compare the key")?;
    }
    Ok(AdminRequest::AgentsApprove { agent, key: row.key })
}

/// Asks a person on the terminal. Any answer but `y` or `yes` is an error, and so is a missing terminal: a script first
/// does what `before_yes` says, and then uses `--yes`.
fn confirm(question: &str, before_yes: &str) -> Result<(), TenantError> {
    if !std::io::stdin().is_terminal() {
        return Err(TenantError::Usage(format!("there is no terminal to ask: {before_yes}, and use --yes")));
    }
    hint(question);
    let mut answer = String::new();
    let read = std::io::stdin().lock().take(MAX_ANSWER).read_line(&mut answer);
    if read.is_err() || !matches!(answer.trim(), "y" | "Y" | "yes") {
        let (what, todo) = ("not confirmed: nothing has changed", "answer y to go on");
        return Err(TenantError::Refused { what: what.to_owned(), todo: todo.to_owned() });
    }
    Ok(())
}

/// Sends a request that may need an administrator's consent: first without a number of accounts, and, after a person
/// has seen what it would do, with the number that the tenant returned.
fn agreed(
    config: &Config,
    request: impl Fn(Option<u64>) -> AdminRequest,
    question: &str,
    before_yes: &str,
    yes: bool,
) -> Result<(), TenantError> {
    let socket = config.admin_socket();
    let mut answer = send_request(&socket, &request(None))?;
    if let AdminResponse::Confirm { what, accounts } = answer {
        hint(&what);
        if !yes {
            confirm(question, before_yes)?;
        }
        answer = send_request(&socket, &request(Some(accounts)))?;
    }
    show(answer, false)
}

/// Lists the objects of `from` that `to` uploaded, asks, and moves them. `objects`: these alone.
fn move_objects(
    config: &Config,
    from: &str,
    to: &str,
    objects: &[Uuid],
    yes: bool,
) -> Result<(), TenantError> {
    // 1. List them.
    let socket = config.admin_socket();
    let request = AdminRequest::MovesList { from: from.to_owned(), to: to.to_owned() };
    let AdminResponse::Moves(mut rows) = send_request(&socket, &request)? else {
        return Err(TenantError::Defect("the tenant answered something else".to_owned()));
    };
    rows.retain(|row| objects.is_empty() || objects.contains(&row.object));
    print(&moves(&rows))?;
    // 2. Those that can move, or those that were named: the tenant says why one of these cannot.
    let movable = rows.iter().filter(|row| row.movable).map(|row| row.object);
    let moved = if objects.is_empty() { movable.collect() } else { objects.to_vec() };
    if moved.is_empty() {
        let what = format!("{from} has no object that moved to {to}");
        let todo = "an object is listed when the phs of its new domain has uploaded it, and moves when that of its old domain \
                    has uploaded its deletion";
        return Err(TenantError::Refused { what, todo: todo.to_owned() });
    }
    // 3. Ask, and move them in portions.
    if !yes {
        let question =
            format!("Did AD move these {} objects from {from} to {to}? Move them? [y/N]", moved.len());
        confirm(&question, "look at the list")?;
    }
    for portion in moved.chunks(MAX_MOVED) {
        let (from, to, objects) = (from.to_owned(), to.to_owned(), portion.to_vec());
        show(send_request(&socket, &AdminRequest::MoveObjects { from, to, objects })?, false)?;
    }
    Ok(())
}

fn suffixes(rows: &[SuffixRow]) -> String {
    let cells = |row: &SuffixRow| {
        let others = row.others.join(", ");
        let state = match (row.declared, row.others.is_empty()) {
            (true, true) if row.suffix == row.domain => "its own name".to_owned(),
            (true, true) => "declared".to_owned(),
            (true, false) => format!("shared with {others}"),
            (false, true) => "refused: no domain declares it".to_owned(),
            (false, false) => format!("refused: of {others}"),
        };
        vec![row.domain.clone(), row.suffix.clone(), state, row.accounts.to_string()]
    };
    aligned(&["DOMAIN", "SUFFIX", "STATE", "ACCOUNTS"], &rows.iter().map(cells).collect::<Vec<_>>())
}

fn moves(rows: &[MoveRow]) -> String {
    let cells = |row: &MoveRow| {
        let state = if row.movable { &row.presence } else { &format!("{}: cannot move", row.presence) };
        let (name, first, last) = (or_dash(row.name.as_deref()), utc(row.first_at), utc(row.last_at));
        vec![row.object.to_string(), name, state.clone(), first, last]
    };
    let heads = ["OBJECT", "NAME", "IN ITS DOMAIN", "FIRST REFUSED", "LAST REFUSED"];
    aligned(&heads, &rows.iter().map(cells).collect::<Vec<_>>())
}

fn users(known: &Description, json: bool) -> Result<(), TenantError> {
    if json {
        return list(known, true, "");
    }
    if known.accounts.is_empty() {
        return Err(TenantError::Refused {
            what: "there is no such account".to_owned(),
            todo: NO_SUCH_ACCOUNT.to_owned(),
        });
    }
    let mut text = String::new();
    if known.ambiguous {
        text.push_str("More than one account signs in with this name, so none does:\n\n");
    }
    let cards: Vec<String> = known.accounts.iter().map(|one| card::account(one, unix_now())).collect();
    text.push_str(&cards.join("\n"));
    print(&text)
}

fn ambiguous(rows: &[AmbiguousRow]) -> String {
    let cells = |row: &AmbiguousRow| {
        let holders: Vec<String> =
            row.holders.iter().map(|one| format!("{} ({})", one.name, one.object)).collect();
        vec![row.name.clone(), row.count.to_string(), holders.join(", ")]
    };
    aligned(&["NAME", "ACCOUNTS", "WHOSE"], &rows.iter().map(cells).collect::<Vec<_>>())
}

fn blocked(rows: &[BlockedRow]) -> String {
    let cells = |row: &BlockedRow| {
        let name = or_dash(row.name.as_deref());
        vec![row.object.to_string(), name, row.domain.clone(), utc(row.blocked_at)]
    };
    aligned(&["OBJECT", "NAME", "DOMAIN", "BLOCKED"], &rows.iter().map(cells).collect::<Vec<_>>())
}

fn groups(rows: &[GroupRow]) -> String {
    let cells = |row: &GroupRow| {
        let signin = row.signin.map_or("-", |policy| policy.as_str()).to_owned();
        let sid = row.sid.clone().unwrap_or_else(|| "-".to_owned());
        let (name, kind, members) = (row.name.clone(), row.kind.clone(), row.members.to_string());
        vec![name, kind, members, signin, sid, row.object.to_string()]
    };
    let heads = ["NAME", "TYPE", "MEMBERS", "SIGN-IN", "SID", "OBJECT"];
    aligned(&heads, &rows.iter().map(cells).collect::<Vec<_>>())
}

fn group(known: &[GroupDescribed], json: bool) -> Result<(), TenantError> {
    if json {
        return list(known, true, "");
    }
    if known.is_empty() {
        let todo = "a name is DOMAIN\\name, a bare sAMAccountName, a SID or an objectGUID; see `landbridge-tenant groups list`";
        return Err(TenantError::Refused {
            what: "there is no such group".to_owned(),
            todo: todo.to_owned(),
        });
    }
    print(&known.iter().map(card::group).collect::<Vec<_>>().join("\n"))
}

fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

fn list<T: Serialize + ?Sized>(rows: &T, json: bool, table: &str) -> Result<(), TenantError> {
    if !json {
        return print(table);
    }
    let text = serde_json::to_string_pretty(rows);
    let text = text.map_err(|e| TenantError::Defect(format!("the answer is no JSON: {e}")))?;
    print(&format!("{}\n", printable::json(&text)))
}

/// Prints lines to stdout, without anything that a terminal would obey. A closed pipe is no error: the reader wants no
/// more.
pub(super) fn print(text: &str) -> Result<(), TenantError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(printable::lines(text).as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(TenantError::file(
            std::path::Path::new("stdout"),
            e,
            "free space where the output is written",
        )),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn hint(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable::lines(text));
}

fn password(sign_in: &SignIn) -> Result<Confidential, TenantError> {
    let unreadable = |e: std::io::Error| TenantError::Usage(format!("the password cannot be read: {e}"));
    if !sign_in.password_stdin {
        if !std::io::stdin().is_terminal() {
            return Err(TenantError::Usage(
                "there is no terminal to ask for the password: use --password-stdin".to_owned(),
            ));
        }
        return rpassword::prompt_password("Password: ").map(Confidential::new).map_err(unreadable);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_PASSWORD).unwrap_or(0) + 2));
    std::io::stdin().lock().take(MAX_PASSWORD + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let line = text_file::first_line(&bytes)
        .map_err(|why| TenantError::Usage(format!("the password on standard input: {why}")))?;
    if u64::try_from(line.len()).unwrap_or(u64::MAX) > MAX_PASSWORD {
        return Err(TenantError::Usage(format!("a password has at most {MAX_PASSWORD} bytes")));
    }
    Ok(Confidential::new(line.to_string()))
}
