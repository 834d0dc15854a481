//! `check --report`: a file for the project's developers about a directory that they do not have: what each DC says of
//! itself, the findings of `check`, and counts of what the first page of objects holds. No secret is requested for it.
//! Names that are known here are replaced by placeholders, and findings that list people are left out.
//! Neighbours: `check` has made the findings; `read::pull` and `read::watch` have the sockets.

use super::Finding;
use crate::config::Config;
use crate::error::PhsError;
use crate::read::discover;
use crate::read::pull::{Connection, Controller, From, Reading};
use crate::read::watch;
use landbridge_agent::Identity;
use landbridge_drsr::drs::attribute::{Attribute, Value};
use landbridge_drsr::drs::bind::Bound;
use landbridge_drsr::drs::change::{Page, Progress};
use landbridge_host::system_error;
use landbridge_wire::printable;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Attributes of the rootDSE that say which version a DC is and what it can do (MS-ADTS 3.1.1.3.2).
const ROOT: [&str; 10] = [
    "vendorName",
    "vendorVersion",
    "domainFunctionality",
    "forestFunctionality",
    "domainControllerFunctionality",
    "supportedCapabilities",
    "supportedControl",
    "supportedLDAPVersion",
    "supportedSASLMechanisms",
    "isSynchronized",
];
/// Findings whose text lists people, groups or OUs, or names of DNS that no DC has.
const ABOUT_PEOPLE: [&str; 7] =
    ["dns note", "held back", "identity", "include", "passwords", "scope", "to mend"];
/// Limit on DCs in the report.
const MOST: usize = 32;

/// The content of the file.
#[derive(Debug, Serialize)]
pub struct Report {
    about: &'static str,
    version: &'static str,
    /// Kernel, release and processor.
    system: String,
    /// Seconds since 1970-01-01 UTC.
    taken_at: i64,
    findings: Vec<ReportedFinding>,
    controllers: Vec<Seen>,
}

#[derive(Debug, Serialize)]
struct ReportedFinding {
    what: &'static str,
    ok: bool,
    warn: bool,
    detail: String,
}

/// One DC.
#[derive(Debug, Serialize)]
struct Seen {
    controller: String,
    /// The rootDSE, read without a bind; or why it could not be read.
    root_dse: Result<BTreeMap<String, Vec<String>>, String>,
    /// The DC's answer to the replication bind; or why there is none.
    bound: Result<Bind, String>,
    /// The port of directory replication.
    port: Option<u16>,
    /// The first page of objects, passwords withheld by the DC; or why there is none.
    first_page: Option<Result<Objects, String>>,
}

/// What a DC answers to the replication bind: DRS_EXTENSIONS_INT (MS-DRSR 5.39). A field that it does not have is 0.
#[derive(Debug, Serialize)]
struct Bind {
    /// From the beginning of the session on.
    milliseconds: u128,
    /// `cb`: how many bytes of the structure it has.
    length: usize,
    /// `dwFlags`, in hexadecimal.
    flags: String,
    /// `dwFlagsExt`, in hexadecimal.
    more_flags: String,
    /// `dwReplEpoch`
    epoch: u32,
    /// Whether it names its site.
    has_site: bool,
}

/// Counts of one page.
#[derive(Debug, Serialize)]
struct Objects {
    milliseconds: u128,
    objects: usize,
    links: usize,
    /// What the DC says of the number of objects in the domain.
    in_domain: Option<u32>,
    more_to_come: bool,
    /// For each attribute: how many objects have it, and the most characters or bytes of a value.
    attributes: BTreeMap<&'static str, (usize, usize)>,
    /// For each attribute and reason, how many objects, attributes or links cannot be read.
    unreadable: BTreeMap<String, usize>,
}

/// Reads the DCs again, for what the findings do not say. `now`: seconds since 1970.
pub fn report(config: &Config, findings: &[Finding], now: i64) -> Report {
    let found = discover::controllers(&config.directory).map(|found| found.controllers).unwrap_or_default();
    let controllers: Vec<Controller> = found.into_iter().take(MOST).collect();
    let names = Names::of(config, &controllers);
    let reported = |finding: &Finding| {
        let about_people = ABOUT_PEOPLE.contains(&finding.what);
        let detail = if about_people { "(left out: names)".to_owned() } else { names.hide(&finding.detail) };
        ReportedFinding { what: finding.what, ok: finding.ok, warn: finding.warn, detail }
    };
    let system = rustix::system::uname();
    let system = [system.sysname(), system.release(), system.machine()].map(|part| part.to_string_lossy());
    Report {
        about: "Written by landbridge-phs check --report. It holds no password, hash or key. Read it before you send it.",
        version: env!("CARGO_PKG_VERSION"),
        system: system.join(" "),
        taken_at: now,
        findings: findings.iter().map(reported).collect(),
        controllers: controllers.iter().map(|one| seen(config, one, &names)).collect(),
    }
}

fn seen(config: &Config, controller: &Controller, names: &Names) -> Seen {
    let root = watch::root_dse(controller, &ROOT).map_err(|why| names.hide(&system_error::words(&why)));
    let root = root.map(|root| {
        let values = |values: Vec<String>| values.iter().map(|value| names.hide(value)).collect();
        root.into_iter().map(|(name, found)| (name, values(found))).collect()
    });
    let began = Instant::now();
    let opened = config.directory.open(controller, None).map_err(PhsError::from);
    let opened = opened.and_then(|directory| Ok(Connection::open(&directory)?));
    let milliseconds = began.elapsed().as_millis();
    let hidden = |why: &PhsError| names.hide(&why.to_string());
    let (bound, port, first_page) = match opened {
        Ok(mut connection) => {
            let bound = connection.bound().ok_or_else(|| "no answer".to_owned());
            let bind = bound.map(|bound| Bind::of(bound, milliseconds));
            let began = Instant::now();
            let page = connection.page(From::Beginning, Reading::WithoutSecrets).map_err(PhsError::from);
            let page = page.map(|page| Objects::of(&page, began)).map_err(|why| hidden(&why));
            (bind, connection.port(), Some(page))
        }
        Err(why) => (Err(hidden(&why)), None, None),
    };
    Seen { controller: names.hide(&controller.name), root_dse: root, bound, port, first_page }
}

impl Bind {
    fn of(bound: &Bound, milliseconds: u128) -> Self {
        let Bound { handle: _, flags, site, epoch, more_flags, length } = *bound;
        let (flags, more_flags) = (format!("0x{flags:08x}"), format!("0x{more_flags:08x}"));
        Self { milliseconds, length, flags, more_flags, epoch, has_site: !site.is_nil() }
    }
}

impl Objects {
    fn of(page: &Page, began: Instant) -> Self {
        let mut attributes = BTreeMap::<&'static str, (usize, usize)>::new();
        for one in page.changes.iter().flat_map(|change| &change.attributes) {
            let (objects, longest) = attributes.entry(one.attribute.name()).or_default();
            *objects += 1;
            *longest = one.value.as_ref().map_or(0, length).max(*longest);
        }
        let mut unreadable = BTreeMap::<String, usize>::new();
        let whole = page.quarantined.iter().map(|odd| (odd.attribute, odd.why.as_str()));
        let parts = page.changes.iter().flat_map(|change| &change.unreadable);
        for (attribute, why) in whole.chain(parts.map(|odd| (Some(odd.attribute), odd.why))) {
            let reason = format!("{} {why}", attribute.map_or("", Attribute::name)).trim_start().to_owned();
            *unreadable.entry(reason).or_default() += 1;
        }
        Self {
            milliseconds: began.elapsed().as_millis(),
            objects: page.changes.len(),
            links: page.links.len(),
            in_domain: page.objects_in_domain,
            more_to_come: matches!(page.progress, Progress::More),
            attributes,
            unreadable,
        }
    }
}

/// The length of a value: characters of a text, bytes of octets, the number of several values; of a number none.
fn length(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.chars().count(),
        Value::Texts(texts) => texts.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Classes(classes) => classes.len(),
        Value::Integer(_) | Value::LargeInteger(_) | Value::Boolean(_) | Value::Sid(_) | Value::Name(_) => 0,
    }
}

/// What is replaced: a name in lower case, and its placeholder. The longest come first, since one may be in another.
struct Names(Vec<(String, String)>);

impl Names {
    fn of(config: &Config, controllers: &[Controller]) -> Self {
        let directory = &config.directory;
        let head: Vec<String> = directory.domain.split('.').map(|label| format!("dc={label}")).collect();
        let mut names = vec![
            (directory.domain.clone(), "<domain>".to_owned()),
            (head.join(","), "<domain head>".to_owned()),
            (directory.account.clone(), "<account>".to_owned()),
        ];
        for (number, controller) in (1..).zip(controllers) {
            names.push((controller.name.clone(), format!("<dc {number}>")));
        }
        if let Ok(identity) = Identity::load(&config.state_directory) {
            names.push((identity.domain_sid, "<domain SID>".to_owned()));
            if let Some(host) = identity.url.strip_prefix("https://") {
                names.push((host.to_owned(), "<tenant>".to_owned()));
            }
        }
        // In the configuration with `http://` before it, in errors without.
        let proxy =
            config.tenant.proxy.iter().map(|proxy| proxy.trim_start_matches("http://").trim_end_matches('/'));
        names.extend(proxy.map(|proxy| (proxy.to_owned(), "<proxy>".to_owned())));
        names.extend(directory.site.clone().map(|site| (site, "<site>".to_owned())));
        names.extend(directory.suffixes.iter().map(|suffix| (suffix.clone(), "<suffix>".to_owned())));
        names.retain(|(name, _)| !name.is_empty());
        names.iter_mut().for_each(|(name, _)| *name = name.to_ascii_lowercase());
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self(names)
    }

    /// The text with each name, in whatever case, and each IP address replaced; in a form that is harmless to print.
    fn hide(&self, text: &str) -> String {
        let mut hidden = printable::one_line(text);
        for (name, placeholder) in &self.0 {
            // ASCII lower case keeps every index.
            let mut from = 0;
            while let Some(at) =
                hidden.to_ascii_lowercase().get(from..).and_then(|rest| rest.find(name.as_str()))
            {
                hidden.replace_range(from + at..from + at + name.len(), placeholder);
                from += at + placeholder.len();
            }
        }
        let is_part = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
        let mut shown = String::with_capacity(hidden.len());
        for word in hidden.split_inclusive(|c: char| !is_part(c)) {
            let address = word.trim_end_matches(|c: char| !is_part(c)).trim_end_matches(['.', ':']);
            let ip = match address.parse::<SocketAddr>() {
                Ok(with_port) => Some(with_port.ip().to_string()),
                Err(_) => address.parse::<IpAddr>().ok().map(|_| address.to_owned()),
            };
            match ip {
                Some(ip) => shown.push_str(&word.replacen(&ip, "<address>", 1)),
                None => shown.push_str(word),
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_replaced_in_every_spelling_and_the_rest_stays() {
        let mut names = Names(vec![
            ("dc1.corp.example.com".to_owned(), "<dc 1>".to_owned()),
            ("dc=corp,dc=example,dc=com".to_owned(), "<domain head>".to_owned()),
            ("corp.example.com".to_owned(), "<domain>".to_owned()),
            ("svc-landbridge".to_owned(), "<account>".to_owned()),
        ]);
        for (text, hidden) in [
            ("DC1.corp.EXAMPLE.com answers at 127.0.1.10, ports 88", "<dc 1> answers at <address>, ports 88"),
            ("it is in CN=Users,DC=corp,DC=Example,DC=com.", "it is in CN=Users,<domain head>."),
            ("svc-landbridge@CORP.EXAMPLE.COM: code 8453", "<account>@<domain>: code 8453"),
            ("fe80::1 and [2001:db8::2]:636: refused", "<address> and [<address>]:636: refused"),
            ("127.0.1.10:135: the connection is refused", "<address>:135: the connection is refused"),
            ("127.0.1.10:135, 127.0.1.11:135: x", "<address>:135, <address>:135: x"),
            ("1.2.840.113556.1.4.1920", "1.2.840.113556.1.4.1920"),
            ("corp.example.comcorp.example.com", "<domain><domain>"),
        ] {
            assert_eq!(names.hide(text), hidden);
        }
        // A placeholder that contains the name does not loop.
        names.0.push(("o".to_owned(), "<oo>".to_owned()));
        assert_eq!(names.hide("o o"), "<oo> <oo>");
    }
}
