//! Checks each DC, all at the same time: its name, its ports, its clock, whether it replicates, whether it accepts the
//! account. Neighbours: `read::pull` and `read::watch` have the sockets; `check` collects the findings.

use crate::config::Config;
use crate::error::PhsError;
use crate::read::pull::{self, Connection, Controller, ObjectId, PullError};
use crate::read::root_dse::Attributes;
use crate::read::schema;
use crate::read::watch;
use landbridge_drsr::Error;
use landbridge_drsr::drs::attribute::Attribute;
use landbridge_drsr::drs::sid::Sid;
use landbridge_host::system_error;
use time::PrimitiveDateTime;
use time::macros::format_description;

/// LDAP_CAP_ACTIVE_DIRECTORY_PARTIAL_SECRETS_OID (MS-ADTS 3.1.1.3.4.3.6): a read-only DC.
const READ_ONLY: &str = "1.2.840.113556.1.4.1920";
const WANTED: [&str; 4] = ["currentTime", "supportedCapabilities", "domainFunctionality", "isSynchronized"];
/// The difference of clocks that Kerberos accepts, in seconds.
const SKEW: i64 = 300;
/// A difference of clocks that is reported, in seconds: the time servers should be checked.
const NOTABLE: i64 = 60;

/// One finding, before it is known whether it fails the preflight.
pub(super) struct Look {
    pub(super) what: &'static str,
    pub(super) outcome: Result<String, Wrong>,
}

/// What is wrong.
pub(super) enum Wrong {
    Error(PhsError),
    Unfit(String),
}

/// The findings of one DC.
pub(super) struct Looked {
    pub(super) looks: Vec<Look>,
    /// A connection, if the DC accepts the account and replicates.
    pub(super) connection: Option<Connection>,
    /// `domainFunctionality`
    pub(super) level: Option<u8>,
}

/// Checks all DCs. `now` returns seconds since 1970.
pub(super) fn look(
    config: &Config,
    domain: Option<&Sid>,
    controllers: &[Controller],
    now: fn() -> i64,
) -> Vec<Looked> {
    std::thread::scope(|threads| {
        let looking: Vec<_> =
            controllers.iter().map(|one| threads.spawn(move || look_at(config, domain, one, now))).collect();
        looking.into_iter().filter_map(|one| one.join().ok()).collect()
    })
}

fn look_at(config: &Config, domain: Option<&Sid>, controller: &Controller, now: fn() -> i64) -> Looked {
    let (config, scope) = (&config.directory, &config.scope);
    let mut looked = Looked { looks: Vec::new(), connection: None, level: None };
    let name = &controller.name;
    let mut add = |what, outcome| looked.looks.push(Look { what, outcome });
    let address = match pull::reach(controller) {
        Ok(address) => address,
        Err(why) => {
            add("controller", Err(Wrong::Error(why.into())));
            return looked;
        }
    };
    match watch::root_dse(controller, &WANTED) {
        Ok(root) => {
            let clock = clock(name, &root, now());
            let wrong = clock.is_err();
            add("clock", clock);
            if wrong {
                return looked;
            }
            if let Some(why) = unfit(&root) {
                add("controller", Err(Wrong::Unfit(format!("{name} {why}: name another one"))));
                return looked;
            }
            looked.level = root.get("domainfunctionality").and_then(|level| level.first()?.parse().ok());
        }
        // A cycle needs LDAP for extension attributes alone, and the line `attributes` says so.
        Err(why) => {
            let poll = "changes there wait for the timer, and its clock is not looked at";
            let todo = "open the port, or set `watch = false` in [schedule]";
            let why = system_error::words(&why);
            add("watch", Ok(format!("{name}, port 389: {why}: {poll}; {todo}")));
        }
    }
    let mut add = |what, outcome| looked.looks.push(Look { what, outcome });
    let opened = config.open(controller, None).map_err(PhsError::from).and_then(|mut directory| {
        directory.further.push(Attribute::SecurityDescriptor);
        Ok(Connection::open(&directory)?)
    });
    let mut connection = match opened {
        Ok(connection) => connection,
        Err(why) => {
            add(step(&why), Err(Wrong::Error(why)));
            return looked;
        }
    };
    add("authentication", Ok(format!("{name} accepts {}", config.account)));
    // A DC refuses replication with the first read, not with the bind.
    if let Some(domain) = domain
        && let Err(why) = connection.object(ObjectId::Sid(domain.clone()), false)
    {
        let is =
            |wanted: fn(&Error) -> bool| matches!(&why, PullError::Directory { error, .. } if wanted(error));
        let (what, why) = if is(|error| matches!(error, Error::UnknownObject { .. })) {
            ("domain", PhsError::OtherSid { sid: domain.to_string() })
        } else if is(|error| matches!(error, Error::Unfit { .. })) {
            ("controller", why.into())
        } else {
            ("replication", why.into())
        };
        add(what, Err(Wrong::Error(why)));
        return looked;
    }
    // The ids of extension attributes are read at the DC whose pages are read, so each must show its schema.
    let of_scope = config.open(controller, Some(scope)).map_err(PhsError::from);
    let read = of_scope.and_then(|directory| Ok(schema::read(&directory, config.alternate_login)?));
    if let Err(why @ PhsError::Pull(PullError::SchemaUnread { .. })) = read {
        add("attributes", Err(Wrong::Error(why)));
    }
    let port = connection.port().unwrap_or_default();
    let mapper = if controller.port.is_none() { ", 135" } else { "" };
    add("controller", Ok(format!("{name} answers at {address}, ports 88{mapper} and {port}")));
    looked.connection = Some(connection);
    looked
}

/// The prerequisite that an error of a session is about.
fn step(why: &PhsError) -> &'static str {
    let PhsError::Pull(why) = why else { return "credential" };
    let unfit = |error: &Error| {
        matches!(
            error,
            Error::Unfit { .. } | Error::NotAController | Error::MapperClosed | Error::Busy { .. }
        )
    };
    match why {
        PullError::ClockSkew { .. } => "clock",
        PullError::Directory { error, .. } if !unfit(error) => "authentication",
        PullError::SchemaUnread { .. } | PullError::UnusableAttribute { .. } => "attributes",
        PullError::Directory { .. }
        | PullError::Distrusted { .. }
        | PullError::Unconfirmed { .. }
        | PullError::UnknownController { .. }
        | PullError::Undiscovered(_)
        | PullError::Unreachable { .. }
        | PullError::Silent { .. }
        | PullError::Lost { .. }
        | PullError::Closed { .. }
        | PullError::Over { .. } => "controller",
    }
}

fn unfit(root: &Attributes) -> Option<&'static str> {
    let has = |name: &str, value: &str| {
        root.get(name).is_some_and(|values| values.iter().any(|one| one.eq_ignore_ascii_case(value)))
    };
    if has("supportedcapabilities", READ_ONLY) {
        return Some("is a read-only domain controller and holds no passwords to replicate");
    }
    has("issynchronized", "FALSE").then_some("has not finished its first replication")
}

fn clock(name: &str, root: &Attributes, now: i64) -> Result<String, Wrong> {
    let format = format_description!("[year][month][day][hour][minute][second].0Z");
    let text = root.get("currenttime").and_then(|values| values.first()).map_or("", String::as_str);
    let Ok(there) = PrimitiveDateTime::parse(text, format) else {
        return Ok(format!("{name} does not tell its clock"));
    };
    let ahead = there.assume_utc().unix_timestamp().saturating_sub(now);
    let said = match ahead {
        0 => format!("{name} agrees with this machine"),
        _ => format!(
            "{name} is {} s {} this machine",
            ahead.unsigned_abs(),
            if ahead < 0 { "behind" } else { "ahead of" }
        ),
    };
    let todo = format!("{said}: synchronise both; Kerberos bears {SKEW} s");
    if ahead.abs() > SKEW {
        Err(Wrong::Unfit(todo))
    } else if ahead.abs() > NOTABLE {
        Ok(todo)
    } else {
        Ok(said)
    }
}

/// The name of a functional level (MS-ADTS 6.1.4.2).
pub(super) fn level(number: u8) -> String {
    let name = match number {
        0 => "2000",
        1 => "2003 interim",
        2 => "2003",
        3 => "2008",
        4 => "2008 R2",
        5 => "2012",
        6 => "2012 R2",
        7 => "2016",
        10 => "2025",
        _ => "newer",
    };
    format!("{name} ({number})")
}

/// The functional level from which on accounts have AES keys for Kerberos: 2008.
pub(super) const AES: u8 = 3;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn root(name: &str, value: &str) -> Attributes {
        [(name.to_owned(), vec![value.to_owned()])].into()
    }

    #[test]
    fn a_clock_is_named_with_its_size_and_fails_beyond_what_kerberos_bears() {
        let at =
            |seconds: i64| clock("dc1", &root("currenttime", "20261126144500.0Z"), 1_795_704_300 - seconds);
        assert!(at(0).is_ok_and(|said| said.contains("agrees")));
        assert!(at(3).is_ok_and(|said| said == "dc1 is 3 s ahead of this machine"));
        assert!(at(-299).is_ok_and(|said| said.contains("299 s behind") && said.contains("synchronise")));
        let Err(Wrong::Unfit(said)) = at(7200) else { panic!("two hours") };
        assert!(said.contains("7200 s ahead"), "{said}");
        assert!(clock("dc1", &root("currenttime", "yesterday"), 0).is_ok());
    }

    #[test]
    fn a_read_only_dc_and_one_that_is_not_whole_are_unfit() {
        assert!(unfit(&root("supportedcapabilities", READ_ONLY)).unwrap().contains("read-only"));
        assert!(unfit(&root("issynchronized", "FALSE")).is_some());
        assert!(unfit(&root("issynchronized", "TRUE")).is_none());
    }
}
