//! One account or one group as text for a person: first what decides a sign-in, then what the object is.
//! `--json` prints everything, with the stamp of each attribute; this prints what an administrator looks for.
//! Before it: [`super::ask`], which receives the answer of the running tenant.

use super::apps::day;
use super::table::aligned;
use landbridge_host::clock_text::utc;
use landbridge_tenant_core::administration::request::{AgentRow, AppRow, LdapSettings, SecretRow};
use landbridge_tenant_core::directory::describe::{
    Described, DigestDescribed, FurtherValue, LockoutDescribed, Named, PolicyDescribed, ReservedBy,
};
use landbridge_tenant_core::directory::groups::{GroupDescribed, Member};
use landbridge_wire::described::{DescribedName, Syntax};
use landbridge_wire::printable::one_line;
use uuid::Uuid;

/// Columns before a value. Its further lines start below its first one.
const INDENT: usize = 18;
/// Seconds from the epoch of AD's stamps (1601) to 1970.
const EPOCH_OF_STAMPS: i64 = 11_644_473_600;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// An account, at `now` in seconds since 1970.
pub(super) fn account(known: &Described, now: i64) -> String {
    let mut card = Card::titled(
        &[&known.display_name, &known.user_principal_name, &known.sam_account_name],
        known.object,
    );
    // 1. What decides a sign-in.
    card.line("State", &state(known, now));
    card.line("Sign-in", &known.signin_policy);
    card.lines("Digest", digest(known.digest.as_ref(), now));
    card.text("Lockouts", &lockouts(&known.lockouts, now));
    card.line("Known sources", &known.known_sources.to_string());
    card.lines(
        "Groups",
        match &known.groups {
            None => vec!["more than can be looked through".to_owned()],
            Some(groups) => names(groups, "no groups"),
        },
    );
    card.lines("Password policy", policy(&known.password_policy));
    // 2. What the account is.
    card.lines("Signs in as", or_in_words(known.names.clone(), "no name: it cannot sign in"));
    card.lines("Refused names", known.refused_names.clone());
    if !known.reserved.is_empty() {
        let line = |one: &ReservedBy| {
            let ReservedBy { name, object, domain } = one;
            format!("{name} is also the name of an account that is not carried: {object} of {domain}")
        };
        card.lines("Not by", known.reserved.iter().map(line).collect());
    }
    card.known("sAMAccountName", known.sam_account_name.as_deref());
    card.line("objectGUID", &known.object.to_string());
    card.line("SID", known.sid.as_deref().unwrap_or("not known"));
    card.line("Domain", &known.domain);
    let source = known.source.map_or_else(|| "no phs".to_owned(), |phs| format!("phs {phs}"));
    card.line("Written by", &source);
    card.line("Changed", &ago(known.changed_at, now));
    // 3. Attributes that have a value.
    for (name, value) in [
        ("Alternate login", &known.alternate_login),
        ("Given name", &known.given_name),
        ("Surname", &known.surname),
        ("Mail", &known.mail),
        ("Department", &known.department),
        ("Title", &known.title),
        ("Telephone", &known.telephone_number),
        ("Mobile", &known.mobile),
        ("Description", &known.description),
    ] {
        card.known(name, value.as_deref());
    }
    let further = |(name, value): (&String, &FurtherValue)| match value {
        FurtherValue::Text(text) => format!("{name}: {text}"),
        FurtherValue::Integer(number) => match DescribedName::named(name).map(|name| name.row().syntax) {
            Some(Syntax::Time) => format!("{name}: {}", utc(number.saturating_sub(EPOCH_OF_STAMPS))),
            Some(Syntax::Octets) => format!("{name}: {number} bytes"),
            Some(Syntax::Integer | Syntax::Text | Syntax::Ascii) | None => format!("{name}: {number}"),
        },
    };
    card.lines("Further", known.described.iter().map(further).collect());
    if !known.proxy_addresses.is_empty() {
        card.lines("Mail addresses", known.proxy_addresses.clone());
    }
    card.known("Manager", known.manager.as_ref().map(|manager| manager.name.as_str()));
    card.text
}

/// An agent that waits for approval, for a person who compares it with what its machine shows.
pub(super) fn agent(row: &AgentRow) -> String {
    let mut card = Card { text: format!("agent {}\n\n", row.id) };
    card.line("State", &row.state);
    card.line("Role", &row.role);
    card.line("Domain", &row.domain);
    card.line("Host", &format!("{} (as the agent says)", row.host));
    card.line("Software", &format!("{} (as the agent says)", row.software));
    let from = row.enrolled_from.as_deref().unwrap_or("an address that is not known");
    card.line("Enrolled", &format!("{}, from {from}", utc(row.enrolled_at)));
    card.line(
        "Key",
        row.key.as_deref().unwrap_or("not known: enrolled at version 0.1, and not renewed since"),
    );
    card.text
}

/// An application.
pub(super) fn app(row: &AppRow) -> String {
    let mut card = Card { text: format!("{}\n\n", one_line(&row.name)) };
    let state = row.revoked_at.map_or_else(|| "active".to_owned(), |at| format!("revoked {}", utc(at)));
    card.line("State", &state);
    card.lines("Domains", row.domains.clone().unwrap_or_else(|| vec!["every".to_owned()]));
    let assigned = match &row.groups {
        None => vec!["everybody of its domains".to_owned()],
        Some(groups) => {
            let name = |name: &Option<String>| name.clone().unwrap_or_default();
            let of = groups.iter().map(|group| match group.object {
                Some(object) => format!("members of {} ({object})", name(&group.name)),
                None => format!("members of {}", name(&group.name)),
            });
            or_in_words(of.collect(), "nobody")
        }
    };
    card.lines("Assigned", assigned);
    card.lines("Networks", or_in_words(row.networks.clone(), "everywhere"));
    card.line("Per minute", &row.rate.to_string());
    if let Some(ldap) = &row.ldap {
        card.lines("LDAP", access(&row.name, ldap));
    }
    let secret = |secret: &SecretRow| {
        let SecretRow { number, created_at, ends_at, used_at } = secret;
        let used = used_at.map_or_else(|| "never used".to_owned(), |at| format!("last used {}", day(at)));
        let ends = ends_at.map_or_else(|| "no end".to_owned(), |at| format!("ends {}", utc(at)));
        format!("{number}: made {}, {ends}, {used}", utc(*created_at))
    };
    let secrets = row.secrets.iter().map(secret).collect();
    card.lines("Secrets", or_in_words(secrets, "none: it signs nobody in"));
    card.line("Created", &utc(row.created_at));
    card.line("Id", &row.id.to_string());
    card.text
}

/// How an application reads the directory by LDAP.
fn access(name: &str, ldap: &LdapSettings) -> Vec<String> {
    let LdapSettings {
        view,
        tree,
        member_of,
        people_connect,
        all_groups,
        groups,
        all_attributes,
        attributes,
    } = ldap;
    let named = |all: bool, usual: &str, what: &str, further: Vec<String>| match (all, further.is_empty()) {
        (true, _) => format!("all {what}"),
        (false, true) => format!("{usual} {what}"),
        (false, false) => format!("{usual} {what}, {}", further.join(", ")),
    };
    let names = groups.iter().filter_map(|group| group.name.clone()).collect();
    let mut lines = vec![
        format!("binds as cn={name},ou=applications"),
        format!("view {view}, tree {tree}, memberOf {member_of}"),
        format!("sees {}", named(*all_groups, "assigned", "groups", names)),
        format!("sees {}", named(*all_attributes, "usual", "attributes", attributes.clone())),
    ];
    if *people_connect {
        lines.push("its people connect themselves".to_owned());
    }
    lines
}

/// A group with its members.
pub(super) fn group(known: &GroupDescribed) -> String {
    let row = &known.group;
    let mut card = Card::titled(&[&Some(row.name.clone()), &known.display_name], row.object);
    card.line("Sign-in", row.signin.map_or("as the domain's policy says", |policy| policy.as_str()));
    card.line("Accounts", &format!("{}, also through other groups", known.accounts));
    card.lines("In groups", names(&known.groups, "no groups"));
    card.lines(
        "Password policy",
        names(&known.password_settings, "no password settings object applies to it"),
    );
    card.line("Type", &row.kind);
    card.line("objectGUID", &row.object.to_string());
    card.line("SID", row.sid.as_deref().unwrap_or("not known"));
    card.line("Domain", &known.domain);
    card.known("Mail", known.mail.as_deref());
    card.known("Description", known.description.as_deref());
    card.line("Members", &if row.members == 0 { "no members".to_owned() } else { row.members.to_string() });
    if !known.direct.is_empty() {
        card.text.push('\n');
        card.text.push_str(&members(&known.direct));
        let more = row.members.saturating_sub(known.direct.len());
        if more > 0 {
            card.text.push_str(&format!("and {more} more\n"));
        }
    }
    card.text
}

/// Lines of a name and a value each, the values below each other.
struct Card {
    text: String,
}

impl Card {
    /// The title: the names that are known, each once; the objectGUID when none is.
    fn titled(names: &[&Option<String>], object: Uuid) -> Self {
        let mut known: Vec<String> = names.iter().filter_map(|name| name.as_deref()).map(one_line).collect();
        known.dedup();
        let title = if known.is_empty() { object.to_string() } else { known.join("  ") };
        Self { text: format!("{title}\n\n") }
    }

    fn line(&mut self, name: &str, value: &str) {
        self.text.push_str(&format!("{name:<INDENT$}{}\n", one_line(value)));
    }

    /// A line when there is a value.
    fn known(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(name, value);
        }
    }

    fn lines(&mut self, name: &str, values: Vec<String>) {
        for (at, value) in values.iter().enumerate() {
            self.line(if at == 0 { name } else { "" }, value);
        }
    }

    /// Lines that are formatted already.
    fn text(&mut self, name: &str, text: &str) {
        self.lines(name, text.lines().map(str::to_owned).collect());
    }
}

fn or_in_words(values: Vec<String>, none: &str) -> Vec<String> {
    if values.is_empty() { vec![none.to_owned()] } else { values }
}

fn names(of: &[Named], none: &str) -> Vec<String> {
    or_in_words(of.iter().map(|one| one.name.clone()).collect(), none)
}

fn state(known: &Described, now: i64) -> String {
    let mut state = match known.state.as_str() {
        "usable" => "usable: the right password signs in".to_owned(),
        other => other.to_owned(),
    };
    if let Some(blocked) = known.blocked_at {
        state.push_str(&format!(" {}: `users unblock` ends it", ago(blocked, now)));
    }
    if known.protected_user {
        state.push_str(", member of Protected Users");
    }
    if let Some(removed) = known.removed_at {
        state.push_str(&format!("; gone {}", ago(removed, now)));
    }
    state
}

fn digest(digest: Option<&DigestDescribed>, now: i64) -> Vec<String> {
    let Some(digest) = digest else { return vec!["no digest".to_owned()] };
    let written = i64::try_from(digest.stamp.time).unwrap_or(i64::MAX).saturating_sub(EPOCH_OF_STAMPS);
    vec![
        format!("password set {}", ago(written, now)),
        format!("received {}", ago(digest.set_at, now)),
        match digest.iterations {
            Some(iterations) => format!("{iterations} iterations"),
            None => "cannot be opened".to_owned(),
        },
    ]
}

fn lockouts(counters: &[LockoutDescribed], now: i64) -> String {
    if counters.is_empty() {
        return "not locked, no wrong password is counted".to_owned();
    }
    let cells = |one: &LockoutDescribed| {
        let source = one.source.clone().unwrap_or_else(|| "unknown sources".to_owned());
        let locked = match one.locked_until - now {
            left if left > 0 => format!("for {}, until {}", duration(left), utc(one.locked_until)),
            _ => "no".to_owned(),
        };
        vec![source, one.failures.to_string(), one.locks.to_string(), locked]
    };
    let rows: Vec<_> = counters.iter().map(cells).collect();
    aligned(&["FROM", "WRONG PASSWORDS", "LOCKS IN A ROW", "LOCKED"], &rows)
}

fn policy(policy: &PolicyDescribed) -> Vec<String> {
    let age = match policy.max_pwd_age.as_str() {
        "without end" => "passwords do not expire".to_owned(),
        "not known" => "when passwords expire is not known".to_owned(),
        age => format!("passwords expire after {age}"),
    };
    let lock = match policy.lockout_threshold {
        None => "when AD locks is not known".to_owned(),
        Some(0) => "AD does not lock".to_owned(),
        Some(threshold) => format!(
            "AD locks after {threshold} wrong passwords; it counts them for {}, and locks for {}",
            policy.lockout_observation_window, policy.lockout_duration
        ),
    };
    vec![policy.of.clone(), age, lock]
}

fn members(of: &[Member]) -> String {
    let cells = |member: &Member| {
        let (kind, presence) = (member.kind.clone(), member.presence.clone());
        vec![member.name.clone(), kind, presence, member.object.to_string()]
    };
    aligned(&["MEMBER", "KIND", "PRESENCE", "OBJECT"], &of.iter().map(cells).collect::<Vec<_>>())
}

/// A moment of the past: how long ago, and in UTC. One that lies ahead, by a clock that is off, in UTC alone.
fn ago(then: i64, now: i64) -> String {
    let time = utc(then);
    if then > now { time } else { format!("{} ago ({time})", duration(now - then)) }
}

/// A duration in its largest whole unit.
fn duration(seconds: i64) -> String {
    let units = [(DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")];
    let Some((unit, name)) = units.into_iter().find(|(unit, _)| seconds >= *unit) else {
        return "less than a minute".to_owned();
    };
    let count = seconds / unit;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use landbridge_tenant_core::directory::groups::GroupRow;
    use landbridge_tenant_rules::model::SigninPolicy;
    use landbridge_wire::upload::Stamp;
    use std::collections::BTreeMap;

    /// 2026-11-28 12:00:00 UTC.
    const NOW: i64 = 1_795_867_200;

    fn named(name: &str) -> Named {
        Named { name: name.to_owned(), object: Uuid::nil() }
    }

    /// Somebody who does not exist.
    fn made_up() -> Described {
        let text = |value: &str| Some(value.to_owned());
        let stamp = Stamp {
            version: 3,
            time: u64::try_from(NOW - 3 * DAY + EPOCH_OF_STAMPS).unwrap(),
            invocation_id: Uuid::nil(),
        };
        Described {
            object: Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
            domain: "corp.example.com".to_owned(),
            source: Some(Uuid::from_u128(7)),
            sid: text("S-1-5-21-1-2-3-1105"),
            kind: "account".to_owned(),
            presence: "present".to_owned(),
            removed_at: None,
            blocked_at: None,
            state: "usable".to_owned(),
            protected_user: false,
            sam_account_name: text("zoe"),
            user_principal_name: text("zoe@corp.example.com"),
            display_name: text("Zoë Köhler"),
            alternate_login: None,
            refused_names: vec!["zoe@old.example (its suffix is of lab.example.net)".to_owned()],
            given_name: text("Zoë"),
            surname: text("Köhler"),
            mail: text("zoe@example.com"),
            proxy_addresses: vec!["SMTP:zoe@example.com".to_owned(), "smtp:z@example.com".to_owned()],
            department: None,
            title: None,
            telephone_number: None,
            mobile: None,
            description: None,
            described: [
                ("company".to_owned(), FurtherValue::Text("Köhler & Sons".to_owned())),
                ("thumbnailPhoto".to_owned(), FurtherValue::Integer(6_144)),
                ("uidNumber".to_owned(), FurtherValue::Integer(10_007)),
                ("whenCreated".to_owned(), FurtherValue::Integer(EPOCH_OF_STAMPS + 86_400)),
            ]
            .into(),
            manager: Some(named("CORP\\boss")),
            groups: Some(vec![named("CORP\\Domain Users"), named("CORP\\Pilot")]),
            signin_policy: "phs, by CORP\\Pilot".to_owned(),
            password_policy: PolicyDescribed {
                of: "the domain".to_owned(),
                max_pwd_age: "42 d".to_owned(),
                lockout_threshold: Some(10),
                lockout_observation_window: "30 min".to_owned(),
                lockout_duration: "30 min".to_owned(),
            },
            names: vec!["corp\\zoe".to_owned(), "zoe@corp.example.com".to_owned()],
            reserved: vec![ReservedBy {
                name: "zoe@corp.example.com".to_owned(),
                object: Uuid::from_u128(9),
                domain: "lab.example.net".to_owned(),
            }],
            stamps: vec![("display_name".to_owned(), stamp)],
            digest: Some(DigestDescribed { stamp, set_at: NOW - 3 * DAY + 40, iterations: Some(600_000) }),
            lockouts: vec![
                LockoutDescribed { source: None, failures: 3, locks: 0, locked_until: 0 },
                LockoutDescribed {
                    source: text("198.51.100.7, app mail"),
                    failures: 10,
                    locks: 1,
                    locked_until: NOW + 12 * MINUTE,
                },
            ],
            known_sources: 2,
            changed_at: NOW - 2 * HOUR,
        }
    }

    #[test]
    fn an_account_is_shown_for_a_person_and_without_json() {
        let expected = "\
Zoë Köhler  zoe@corp.example.com  zoe

State             usable: the right password signs in
Sign-in           phs, by CORP\\Pilot
Digest            password set 3 days ago (2026-11-25 12:00:00Z)
                  received 2 days ago (2026-11-25 12:00:40Z)
                  600000 iterations
Lockouts          FROM                    WRONG PASSWORDS  LOCKS IN A ROW  LOCKED
                  unknown sources         3                0               no
                  198.51.100.7, app mail  10               1               for 12 minutes, until 2026-11-28 12:12:00Z
Known sources     2
Groups            CORP\\Domain Users
                  CORP\\Pilot
Password policy   the domain
                  passwords expire after 42 d
                  AD locks after 10 wrong passwords; it counts them for 30 min, and locks for 30 min
Signs in as       corp\\zoe
                  zoe@corp.example.com
Refused names     zoe@old.example (its suffix is of lab.example.net)
Not by            zoe@corp.example.com is also the name of an account that is not carried: \
00000000-0000-0000-0000-000000000009 of lab.example.net
sAMAccountName    zoe
objectGUID        01234567-89ab-cdef-0123-456789abcdef
SID               S-1-5-21-1-2-3-1105
Domain            corp.example.com
Written by        phs 00000000-0000-0000-0000-000000000007
Changed           2 hours ago (2026-11-28 10:00:00Z)
Given name        Zoë
Surname           Köhler
Mail              zoe@example.com
Further           company: Köhler & Sons
                  thumbnailPhoto: 6144 bytes
                  uidNumber: 10007
                  whenCreated: 1970-01-02 00:00:00Z
Mail addresses    SMTP:zoe@example.com
                  smtp:z@example.com
Manager           CORP\\boss
";
        assert_eq!(account(&made_up(), NOW), expected);
    }

    #[test]
    fn no_text_of_the_directory_adds_a_line_or_turns_one_round() {
        let evil = |text: &str| format!("{text}\n\u{202e}State             usable\u{1b}[2J\u{2028}");
        let plain = account(&made_up(), NOW);
        let mut spoiled = made_up();
        for text in [&mut spoiled.display_name, &mut spoiled.mail, &mut spoiled.sid, &mut spoiled.given_name]
        {
            *text = text.as_deref().map(evil);
        }
        spoiled.described.insert("company".to_owned(), FurtherValue::Text(evil("Köhler & Sons")));
        spoiled.names = spoiled.names.iter().map(|name| evil(name)).collect();
        spoiled.refused_names = spoiled.refused_names.iter().map(|name| evil(name)).collect();
        for one in &mut spoiled.reserved {
            one.name = evil(&one.name);
        }
        spoiled.signin_policy = evil(&spoiled.signin_policy);
        spoiled.manager = Some(named(&evil("CORP\\boss")));
        spoiled.groups = Some(vec![named(&evil("CORP\\Domain Users")), named(&evil("CORP\\Pilot"))]);
        for lockout in &mut spoiled.lockouts {
            lockout.source = lockout.source.as_deref().map(evil);
        }
        let shown = account(&spoiled, NOW);
        assert_eq!(shown.lines().count(), plain.lines().count(), "{shown}");
        assert!(!shown.chars().any(|c| c != '\n' && landbridge_wire::printable::is_harmful(c)), "{shown}");
    }

    #[test]
    fn what_is_empty_is_said_in_words() {
        let none = Described {
            display_name: None,
            user_principal_name: None,
            sam_account_name: None,
            state: "blocked by an administrator".to_owned(),
            blocked_at: Some(NOW - 2 * HOUR),
            removed_at: Some(NOW - DAY),
            sid: None,
            source: None,
            digest: None,
            lockouts: Vec::new(),
            known_sources: 0,
            groups: Some(Vec::new()),
            names: Vec::new(),
            refused_names: Vec::new(),
            reserved: Vec::new(),
            given_name: None,
            surname: None,
            mail: None,
            described: BTreeMap::new(),
            proxy_addresses: Vec::new(),
            manager: None,
            signin_policy: "phs".to_owned(),
            ..made_up()
        };
        let expected = "\
01234567-89ab-cdef-0123-456789abcdef

State             blocked by an administrator 2 hours ago (2026-11-28 10:00:00Z): `users unblock` ends it; gone 1 day ago (2026-11-27 12:00:00Z)
Sign-in           phs
Digest            no digest
Lockouts          not locked, no wrong password is counted
Known sources     0
Groups            no groups
Password policy   the domain
                  passwords expire after 42 d
                  AD locks after 10 wrong passwords; it counts them for 30 min, and locks for 30 min
Signs in as       no name: it cannot sign in
objectGUID        01234567-89ab-cdef-0123-456789abcdef
SID               not known
Domain            corp.example.com
Written by        no phs
Changed           2 hours ago (2026-11-28 10:00:00Z)
";
        assert_eq!(account(&none, NOW), expected);
    }

    #[test]
    fn a_group_is_shown_with_its_members_or_that_it_has_none() {
        let row = GroupRow {
            object: Uuid::from_u128(9),
            name: "CORP\\Pilot".to_owned(),
            sid: Some("S-1-5-21-1-2-3-1201".to_owned()),
            kind: "global security".to_owned(),
            members: 3,
            signin: Some(SigninPolicy::Phs),
        };
        let member = |name: &str, kind: &str| Member {
            object: Uuid::nil(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            presence: "present".to_owned(),
        };
        let mut pilot = GroupDescribed {
            group: row,
            domain: "corp.example.com".to_owned(),
            display_name: None,
            description: Some("First in\u{1b}[2J".to_owned()),
            mail: None,
            direct: vec![member("CORP\\zoe", "account"), member("CORP\\Team", "group")],
            accounts: 12,
            groups: Vec::new(),
            password_settings: Vec::new(),
        };
        let expected = "\
CORP\\Pilot

Sign-in           phs
Accounts          12, also through other groups
In groups         no groups
Password policy   no password settings object applies to it
Type              global security
objectGUID        00000000-0000-0000-0000-000000000009
SID               S-1-5-21-1-2-3-1201
Domain            corp.example.com
Description       First in\u{fffd}[2J
Members           3

MEMBER     KIND     PRESENCE  OBJECT
CORP\\zoe   account  present   00000000-0000-0000-0000-000000000000
CORP\\Team  group    present   00000000-0000-0000-0000-000000000000
and 1 more
";
        assert_eq!(group(&pilot), expected);
        pilot.direct.clear();
        pilot.group.members = 0;
        assert!(group(&pilot).ends_with("Members           no members\n"));
    }

    #[test]
    fn a_duration_is_named_by_its_largest_unit() {
        for (seconds, words) in [
            (0, "less than a minute"),
            (59, "less than a minute"),
            (60, "1 minute"),
            (3_599, "59 minutes"),
            (7_200, "2 hours"),
            (86_400, "1 day"),
            (400 * DAY, "400 days"),
        ] {
            assert_eq!(duration(seconds), words);
        }
        assert_eq!(ago(NOW + 60, NOW), "2026-11-28 12:01:00Z");
    }
}
