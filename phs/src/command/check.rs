//! The preflight: every prerequisite in order, and what to do about each that fails. Changes nothing.
//! Neighbours: `show` prints the findings; `controllers` checks each DC, `account` the excess rights of the account.
//! The modules that are used here are those that do the work in `cycle`.

mod account;
mod controllers;
mod held_back;
pub mod report;

use crate::config::{Config, ConfigError, DirectoryConfig};
use crate::cycle::send::UploadApi;
use crate::cycle::warnings::{self, NO_HASH};
use crate::daemon::status::Status;
use crate::error::PhsError;
use crate::mirror::{self, Bounds, FlawCounts, Mirror, StateError};
use crate::qualify::privileged::protected_groups;
use crate::qualify::{holders, unfit_entry};
use crate::read::discover;
use crate::read::pull::{Connection, ObjectId, PullError};
use crate::read::schema::{Found, InSchema};
use crate::read::session::{Session, Singles};
use crate::scope::Scope;
use controllers::{Look, Wrong};
use held_back::HeldBack;
use landbridge_agent::error::must_act;
use landbridge_agent::node_choice::in_order;
use landbridge_agent::renew::{self, Due};
use landbridge_agent::{Identity, nodes, status};
use landbridge_drsr::drs::change::SealedNtHash;
use landbridge_drsr::drs::sid::Sid;
use landbridge_wire::bounded::Text;
use landbridge_wire::upload::Hello;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use uuid::Uuid;

/// Least free space, in MiB: the mirror of a million objects, and its journal while it is written.
const ENOUGH: u64 = 512;

/// Limit on flaws, and on accounts without an NT hash, that are named; all are counted.
const NAMED: usize = 100;

/// One prerequisite.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What was checked.
    pub what: &'static str,
    /// Whether the prerequisite holds.
    pub ok: bool,
    /// It holds, and an administrator should look at it.
    pub warn: bool,
    /// What was found; if it does not hold, also what to do.
    pub detail: String,
    /// If it does not hold, the exit status of `once`.
    #[serde(skip)]
    pub exit_code: u8,
}

/// Connects to a node of the tenant with an identity.
pub type ConnectTenant<'a> = dyn FnMut(&Identity, &str) -> Result<Box<dyn UploadApi>, PhsError> + 'a;

/// Checks everything that a cycle needs, and that the account has no excess rights. `now` returns seconds since 1970.
pub fn check(
    file: &Path,
    config: &Config,
    instance: Uuid,
    now: fn() -> i64,
    connect: &mut ConnectTenant<'_>,
) -> Vec<Finding> {
    let mut findings = Findings::default();
    findings.local(file, config);
    let identity = findings.identity(config, now());
    findings.proxy(config);
    let domain: Option<Sid> = identity.as_ref().and_then(|identity| identity.domain_sid.parse().ok());
    if let Some(connection) = findings.controllers(config, domain.as_ref(), now) {
        findings.directory(config, connection, domain.as_ref());
    }
    if let Some(identity) = &identity {
        findings.tenant(config, identity, (instance, now()), connect);
    }
    findings.0
}

/// The SID of the domain with this DNS name, as a DC has it; none: the DC sends no head of the domain.
fn sid_of_head(connection: &mut Connection, domain: &str) -> Result<Option<Sid>, PhsError> {
    let labels: Vec<String> = domain.split('.').map(|label| format!("DC={label}")).collect();
    let head = connection.object(ObjectId::Dn(labels.join(",")), false)?;
    Ok(head.changes.into_iter().find_map(|change| change.object.sid))
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, what: &'static str, detail: impl Into<String>) {
        self.0.push(Finding { what, ok: true, warn: false, detail: detail.into(), exit_code: 0 });
    }

    fn warn(&mut self, what: &'static str, detail: impl Into<String>) {
        self.0.push(Finding { what, ok: true, warn: true, detail: detail.into(), exit_code: 0 });
    }

    fn fail(&mut self, what: &'static str, error: impl Into<PhsError>) {
        let error = error.into();
        let detail = format!("{error} ({})", must_act(error.who()));
        self.0.push(Finding { what, ok: false, warn: false, detail, exit_code: error.exit_code() });
    }

    fn unfit(&mut self, what: &'static str, detail: String, exit_code: u8) {
        self.0.push(Finding { what, ok: false, warn: false, detail, exit_code });
    }

    fn local(&mut self, file: &Path, config: &Config) {
        match std::fs::metadata(file).map(|about| about.mode()) {
            // Anybody who can write this file chooses which machine receives a ticket, and where digests are sent.
            Ok(mode) if mode & 0o022 != 0 => {
                let todo = format!("run `chmod go-w {}`", file.display());
                let mode = mode & 0o7777;
                let detail = format!("{}: mode {mode:04o} lets others write it: {todo}", file.display());
                self.unfit("configuration", detail, 3);
            }
            Ok(_) | Err(_) => self.ok("configuration", file.display().to_string()),
        }
        let secret = &config.directory.secret;
        match secret.read() {
            Ok(_) => self.ok("credential", secret.path().display().to_string()),
            Err(error) => self.fail("credential", error),
        }
        let state = &config.state_directory;
        if !state.exists() {
            return self.unfit("state", format!("{}: not there yet: `enroll` makes it", state.display()), 3);
        }
        if let Err(error) = landbridge_agent::key::check_private_directory(state) {
            return self.fail("state", ConfigError::from(error));
        }
        self.disk(state);
        match Mirror::scratch(state).and_then(|mirror| {
            let position = if mirror.saved()?.is_some() { "a cursor is stored" } else { "no cursor yet" };
            self.ok("state", format!("{}: {position}", state.join(mirror::FILE).display()));
            self.list_flaws(&mirror)
        }) {
            Ok(()) => {}
            Err(error) => self.fail("state", error),
        }
    }

    /// What the last cycle could not read or carry, and whose NT hash the directory lacks.
    fn list_flaws(&mut self, mirror: &Mirror) -> Result<(), StateError> {
        let FlawCounts { quarantined, left_out } = mirror.count_flaws()?;
        let flaws = mirror.flaws(NAMED)?;
        if !flaws.is_empty() {
            let number =
                format!("{quarantined} objects in quarantine, {left_out} attributes or links left out");
            let all = usize::try_from(quarantined + left_out).is_ok_and(|all| all <= flaws.len());
            let more = if all { "" } else { "; here are the first, `check --objects` names all" };
            self.warn("to mend", format!("{number}{more}"));
        }
        for flaw in flaws {
            self.warn("to mend", flaw.to_string());
        }
        let without = mirror.count_without_hash()?;
        if without > 0 {
            let names = mirror.without_hash(NAMED)?;
            let more = if usize::try_from(without) == Ok(names.len()) { "" } else { " and others" };
            let names = names.join(", ");
            self.warn("passwords", format!("{without} enabled accounts have {NO_HASH}: {names}{more}"));
        }
        Ok(())
    }

    fn disk(&mut self, state: &Path) {
        // If the file system does not report its space, the first write will show it.
        let Ok(disk) = rustix::fs::statvfs(state) else { return };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize) >> 20;
        if free < ENOUGH {
            let detail = format!("{free} MiB free at {}: make room for {ENOUGH}", state.display());
            return self.unfit("disk", detail, 8);
        }
        self.ok("disk", format!("{free} MiB free at {}", state.display()));
    }

    fn proxy(&mut self, config: &Config) {
        match (config.tenant.open(), &config.tenant.proxy) {
            (Ok(_), Some(proxy)) => self.ok("proxy", format!("the tenant is asked through {proxy}")),
            (Ok(_), None) => self.ok("proxy", "none: the tenant is asked directly"),
            (Err(error), _) => self.fail("proxy", error),
        }
    }

    fn identity(&mut self, config: &Config, now: i64) -> Option<Identity> {
        let identity = match Identity::load(&config.state_directory) {
            Ok(identity) => identity,
            Err(error) => {
                self.fail("identity", error);
                return None;
            }
        };
        self.ok("identity", format!("agent {} of {} at {}", identity.agent, identity.domain, identity.url));
        if !identity.domain.eq_ignore_ascii_case(&config.directory.domain) {
            let (enrolled, configured) = (identity.domain.clone(), config.directory.domain.clone());
            self.fail("domain", PhsError::OtherDomain { enrolled, configured });
        }
        let hours = identity.not_after.saturating_sub(now) / 3600;
        match renew::due(identity.not_before, identity.not_after, now, 0.0) {
            Due::NotBefore(_) | Due::Now => self.ok("certificate", format!("{hours} hours left")),
            Due::Alarm => {
                let detail = format!("{hours} hours left: renewals fail; `once` logs why");
                self.unfit("certificate", detail, 6);
            }
            Due::Ended(_) => self.ok("certificate", "over; the next `once` renews it"),
            Due::Over(seconds) => {
                self.fail(
                    "certificate",
                    landbridge_agent::AgentError::CertificateOver { days: seconds / 86_400 },
                );
            }
        }
        Some(identity)
    }

    fn controllers(&mut self, config: &Config, domain: Option<&Sid>, now: fn() -> i64) -> Option<Connection> {
        if !config.schedule.watch {
            let poll = config.schedule.poll.as_secs();
            self.ok("watch", format!("off: `run` looks every {poll} s"));
        }
        let directory = &config.directory;
        let discover::Found { controllers: known, notes } = match discover::controllers(directory) {
            Ok(found) => found,
            Err(error) => {
                self.fail("dns", error);
                return None;
            }
        };
        let by_dns = directory.controllers.is_empty();
        if by_dns {
            let names: Vec<&str> = known.iter().map(|one| one.name.as_str()).collect();
            let then =
                "after the first cycle only those are used that the directory has as domain controllers";
            self.ok("dns", format!("names {}; {then}", names.join(", ")));
            for note in notes {
                self.ok("dns note", note);
            }
        }
        let mut looked = controllers::look(config, domain, &known, now);
        // Every DC that the configuration names must serve; of those that DNS names one is enough.
        let spare = by_dns && looked.iter().any(|one| one.connection.is_some());
        for Look { what, outcome } in looked.iter_mut().flat_map(|one| one.looks.drain(..)) {
            match outcome {
                Ok(detail) => self.ok(what, detail),
                Err(Wrong::Error(error)) if spare => self.ok(what, format!("{error}; others are used")),
                Err(Wrong::Unfit(why)) if spare => self.ok(what, format!("{why}; others are used")),
                Err(Wrong::Error(error)) => self.fail(what, error),
                Err(Wrong::Unfit(why)) => self.unfit(what, why, 4),
            }
        }
        match looked.iter().find_map(|one| one.level) {
            Some(level) if level < controllers::AES => {
                let wanted = controllers::level(controllers::AES);
                let found = controllers::level(level);
                let todo = format!("Kerberos with AES needs {wanted}: raise it");
                self.unfit("level", format!("the domain's functional level is {found}: {todo}"), 4);
            }
            Some(level) => {
                self.ok("level", format!("the domain's functional level is {}", controllers::level(level)));
            }
            None => {}
        }
        looked.into_iter().find_map(|one| one.connection)
    }

    fn directory(&mut self, config: &Config, mut connection: Connection, domain: Option<&Sid>) {
        let found;
        let domain = match domain {
            Some(domain) => domain,
            // Before the enrolment the directory says which SID the tenant is to be given.
            None => match sid_of_head(&mut connection, &config.directory.domain) {
                Ok(Some(sid)) => {
                    let name = &config.directory.domain;
                    self.ok(
                        "domain",
                        format!("the tenant adds this domain with `landbridge-tenant domains add --name {name} --netbios … --sid {sid}`"),
                    );
                    found = sid;
                    &found
                }
                Ok(None) => {
                    let why =
                        "the DC does not show the head of the domain: is [directory] domain its DNS name?";
                    return self.unfit("replication", why.to_owned(), 4);
                }
                Err(error) => return self.fail("replication", error),
            },
        };
        let opened = match Session::open(&config.directory, &config.scope, domain, &[], &[], None, "") {
            Err(PhsError::Pull(
                error @ (PullError::UnusableAttribute { .. } | PullError::SchemaUnread { .. }),
            )) => {
                // That no DC shows its schema stands there for each of them.
                if !self.0.iter().any(|finding| finding.what == "attributes" && !finding.ok) {
                    self.fail("attributes", error);
                }
                // What else there is to find does not depend on the attributes that are configured.
                let plain = DirectoryConfig { alternate_login: None, ..config.directory.clone() };
                Session::open(&plain, &Scope::default(), domain, &[], &[], None, "")
            }
            other => other,
        };
        let mut session = match opened {
            Ok(session) => session,
            Err(error) => return self.fail("replication", error),
        };
        self.attributes(session.in_schema());
        self.ok("domain", format!("{} has the SID {domain}", config.directory.domain));
        // Guest exists in every domain and belongs to no person. If its secret may be read, so may all.
        match session.object(ObjectId::Sid(domain.with_rid(501)), true) {
            Ok(Some(_)) => self.ok("replication", "the account may read changes and secrets"),
            Ok(None) => {
                let detail =
                    format!("{domain}-501, Guest, is not there: whether secrets may be read is unknown");
                return self.unfit("replication", detail, 4);
            }
            Err(error) => return self.fail("replication", error),
        }
        let account = &config.directory.account;
        match account::excess(&mut connection, &mut session, account, domain) {
            Ok(excess) if excess.is_empty() => {
                let looked_at = "privileged groups, flags, adminCount, primary group, the domain's head";
                self.ok(
                    "account",
                    format!("{account} holds the two rights and no more (looked at: {looked_at})"),
                );
            }
            Ok(excess) => {
                for what in excess {
                    self.unfit("account", format!("{account} has more than the two rights: {what}"), 4);
                }
            }
            Err(error) => self.fail("account", error),
        }
        let state = &config.state_directory;
        let mirror = match state.exists().then(|| Mirror::scratch(state)).transpose() {
            Ok(mirror) => mirror,
            Err(error) => return self.fail("state", error),
        };
        match held_back::held_back(&mut session, mirror.as_ref(), domain, &config.privileged.also) {
            Ok(lines) => {
                for HeldBack { line, everybody } in lines {
                    if everybody {
                        let todo = "take that right away in the directory";
                        self.unfit("held back", format!("{line}: {todo}"), 4);
                    } else {
                        self.ok("held back", line);
                    }
                }
            }
            Err(error) => self.fail("held back", error),
        }
        for sid in &config.privileged.include {
            match session.object(ObjectId::Sid(sid.clone()), false) {
                Ok(Some(_)) => self.ok("include", format!("{sid} is in the directory")),
                Ok(None) => {
                    let detail = format!("{sid}: no such account: take it out of [privileged].include");
                    self.unfit("include", detail, 3);
                }
                Err(error) => return self.fail("include", error),
            }
        }
        if let Err(error) = self.scope(config, &mut session, domain, mirror.as_ref()) {
            self.fail("scope", error);
        }
        if let Err(error) = self.hashes(config, &mut session) {
            self.fail("passwords", error);
        }
    }

    /// What the forest's schema has of the attributes that not every forest has.
    fn attributes(&mut self, in_schema: &Found) {
        let (configured, others): (Vec<_>, Vec<_>) =
            in_schema.attributes.iter().partition(|one| one.is_configured);
        for InSchema { further, own, .. } in configured {
            let own = if *own { ": people write it in their own account" } else { "" };
            self.ok("attributes", format!("the forest's schema has {further}{own}"));
        }
        for (attribute, why) in &in_schema.unusable {
            self.warn("attributes", format!("{attribute}, which {why}, is not carried"));
        }
        match (&in_schema.unread, others.as_slice()) {
            (Some(why), _) => {
                let todo = "open port 389, or extension attributes are carried as the schema had them when it was last read";
                self.warn("attributes", format!("the forest's schema cannot be read by LDAP: {why}: {todo}"));
            }
            (None, []) => {}
            (None, others) => {
                let names: Vec<&str> = others.iter().map(|one| one.further.attribute().name()).collect();
                self.ok("attributes", format!("the forest's schema has {}", names.join(", ")));
            }
        }
    }

    /// Compares what the entries of the scope name today with what they named when a cycle resolved them, and looks for
    /// what leaves everybody out.
    fn scope(
        &mut self,
        config: &Config,
        session: &mut Session,
        domain: &Sid,
        mirror: Option<&Mirror>,
    ) -> Result<(), PhsError> {
        let scope = &config.scope;
        for term in scope.own_terms() {
            let name = term.attribute.name();
            self.ok(
                "scope",
                format!("{term}: people write {name} in their own account, so they leave or enter the scope as they like"),
            );
        }
        for why in warnings::stars(scope) {
            self.warn("scope", why);
        }
        for (list, dn) in scope.named_entries() {
            let known = mirror.map(|mirror| mirror.entry(dn)).transpose()?.flatten();
            let page = session.object(ObjectId::Dn(dn.to_owned()), false)?;
            let found = page.as_ref().and_then(|page| page.changes.first());
            if let Some(why) = found.and_then(|found| unfit_entry(list, found)) {
                self.fail("scope", PhsError::WrongEntry { list: list.key(), dn: dn.to_owned(), why });
                continue;
            }
            match (found.map(|found| found.object.guid), known) {
                (Some(found), Some(known)) if found != known => self.unfit(
                    "scope",
                    format!(
                        "{dn}: another object by now; the one that it was ({known}) counts: write that one's present name"
                    ),
                    3,
                ),
                (Some(_), _) => self.ok("scope", format!("{dn} is in the directory")),
                (None, Some(known)) => self.ok(
                    "scope",
                    format!("{dn}: renamed, moved or deleted; {known} counts all the same: write its present name"),
                ),
                (None, None) => {
                    self.fail("scope", PhsError::NoSuchEntry { list: list.key(), dn: dn.to_owned() });
                }
            }
            let members = page.iter().flat_map(|page| &page.links).filter(|link| link.present);
            if list.is_of_groups() && found.is_some() && members.count() == 0 {
                let rid = found.and_then(|found| found.object.sid.as_ref()).map_or(0, Sid::rid);
                let primary = mirror.map(|mirror| mirror.people_of_primary_group(rid)).transpose()?;
                if primary.is_none_or(|people| people.is_empty()) {
                    let key = list.key();
                    self.warn(
                        "scope",
                        format!("{dn} of `{key}` has no members, but those whose primary group it is"),
                    );
                }
            }
        }
        if let Some(mirror) = mirror {
            self.people(config, domain, mirror)?;
        }
        Ok(())
    }

    /// What leaves people out, by what the last cycle knew. Nothing is known before the first one.
    fn people(&mut self, config: &Config, domain: &Sid, mirror: &Mirror) -> Result<(), PhsError> {
        let scope = &config.scope;
        if mirror.saved()?.is_none() || !scope.entries().all(|dn| matches!(mirror.entry(dn), Ok(Some(_)))) {
            return Ok(());
        }
        let protected = protected_groups(domain);
        let holders: Vec<Sid> = mirror.holders()?.into_iter().map(|(sid, _)| sid).collect();
        mirror.resolve(&Bounds {
            domain,
            protected: &protected,
            holders: &holders,
            account: holders::account(mirror, &config.directory.account)?,
            include: &config.privileged.include,
            scope,
        })?;
        let census = mirror.census(scope.terms().count())?;
        if let Some(why) = warnings::why_nobody(&census, scope) {
            self.warn("scope", why);
        }
        for (term, number) in scope.terms().zip(&census.matched) {
            if *number == 0 {
                self.warn(
                    "scope",
                    format!("{term}: none of {} accounts of people has this value", census.people),
                );
            }
        }
        Ok(())
    }

    /// Whether the DC stores NT hashes. Its own account has a password, so phs's account without a hash says that it
    /// stores none.
    fn hashes(&mut self, config: &Config, session: &mut Session) -> Result<(), PhsError> {
        let account = &config.directory.account;
        let page = session.account(account)?;
        let Some(guid) = page.and_then(|page| page.changes.first().map(|change| change.object.guid)) else {
            return Ok(());
        };
        let page = session.object(ObjectId::Guid(guid), true)?;
        let change = page.as_ref().and_then(|page| page.changes.first());
        if change.is_some_and(|change| change.nt_hash.as_ref().is_none_or(SealedNtHash::is_absent)) {
            self.warn("passwords", format!("{account} has {NO_HASH}"));
        }
        Ok(())
    }

    /// Whether the tenant takes uploads, at each of its nodes. One node that does is enough for a cycle.
    fn tenant(
        &mut self,
        config: &Config,
        identity: &Identity,
        (instance, now): (Uuid, i64),
        connect: &mut ConnectTenant<'_>,
    ) {
        // 1. A hello to each node.
        let hello = Hello { instance, domain_sid: Text::cut(&identity.domain_sid) };
        let stored = nodes::load(&config.state_directory, identity);
        let nodes = if stored.is_empty() { in_order(&identity.url, &[]) } else { stored };
        let mut answers = Vec::new();
        for node in nodes {
            let answer = connect(identity, &node).and_then(|mut tenant| tenant.hello(&hello));
            answers.push((node, answer));
        }
        // 2. The node that the running daemon sends its requests to.
        let running: Option<Status> = status::read(&config.state_directory);
        let running = running.filter(|status| status.is_alive(now));
        let in_use = running.and_then(|status| status.nodes.into_iter().next());
        // 3. A node that fails beside one that works is a warning.
        let one_works = answers.iter().any(|(_, answer)| answer.is_ok());
        for (node, answer) in answers {
            match answer {
                Ok(_) if in_use.as_ref() == Some(&node) => {
                    self.ok("tenant", format!("{node} takes uploads from this agent, and is in use"));
                }
                Ok(_) => self.ok("tenant", format!("{node} takes uploads from this agent")),
                Err(error) if one_works => {
                    let must = must_act(error.who());
                    self.warn("tenant", format!("{error} ({must}); another node takes uploads"));
                }
                Err(error) => self.fail("tenant", error),
            }
        }
    }
}
