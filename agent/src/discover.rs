//! Which domain controllers a domain has, as DNS names them (RFC 2782): those of an AD site first
//! (`_ldap._tcp.<site>._sites.dc._msdcs.<domain>`), then all of the domain (`_ldap._tcp.dc._msdcs.<domain>`).
//! DNS is not authenticated. A forged answer names a server that cannot prove that it is a domain controller.
//! Neighbours: `read::discover` of phs and `directory::discover` of the pta-agent call it when no controller is named
//! in their configuration.

use aws_lc_rs::digest::{SHA256, digest};
use hickory_resolver::TokioResolver;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData};
use landbridge_host::system_error;
use std::time::Duration;

/// Limit on one query, during which a sign-in may wait. It is enough for two pairs of DNS servers, one after the other.
const PATIENCE: Duration = Duration::from_millis(3500);
/// Limit on the answer of one pair of DNS servers.
const SERVER: Duration = Duration::from_millis(1500);
/// Limit on the domain controllers that are taken from DNS.
pub const MOST: usize = 32;
/// Limit on the names of one kind that a note lists.
const NAMED: usize = 3;
/// The weight that stands for 0, which RFC 2782 gives a very small chance beside others.
const LEAST_WEIGHT: f64 = 0.01;

/// Why DNS names no domain controller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoverError {
    /// This machine has no usable list of DNS servers.
    #[error("this machine's DNS configuration (/etc/resolv.conf) cannot be used: {0}")]
    Unusable(String),
    /// No server answers, or the one that answers fails; it may pass.
    #[error("DNS does not say what {name} is: {why}")]
    Silent {
        /// The name that was asked for.
        name: String,
        /// What went wrong, in words.
        why: String,
    },
    /// DNS answers, and names none.
    #[error("{}", no_controller_in_words(name, others))]
    NoController {
        /// The name that was asked for.
        name: String,
        /// The names outside the domain, at most three.
        others: String,
    },
}

fn no_controller_in_words(name: &str, others: &str) -> String {
    let what = format!("DNS names no domain controller inside the domain (SRV {name})");
    if others.is_empty() {
        return format!("{what}: does this machine use the domain's DNS servers?");
    }
    format!(
        "{what}: it names {others}, with another DNS suffix. If they are the domain's, write that suffix into [directory] \
         suffixes"
    )
}

impl DiscoverError {
    /// Whether the same question may be answered a little later without anybody having acted.
    pub fn passes_by_itself(&self) -> bool {
        match self {
            Self::Silent { .. } => true,
            Self::Unusable(_) | Self::NoController { .. } => false,
        }
    }
}

/// What is searched for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// DNS name of the domain.
    pub domain: &'a str,
    /// The AD site whose domain controllers come first.
    pub site: Option<&'a str>,
    /// Further DNS suffixes of the domain's controllers: a disjoint namespace.
    pub suffixes: &'a [String],
    /// Decides the order of records of one priority, by their weights: the same seed gives the same order.
    pub seed: &'a [u8],
}

/// What DNS names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// Full DNS names in lower case, 1 to 32, in the order in which they are to be tried.
    pub names: Vec<String>,
    /// What the administrator should know of it, as sentences.
    pub notes: Vec<String>,
}

/// One SRV record.
#[derive(Debug, Clone)]
struct Record {
    priority: u16,
    weight: u16,
    target: String,
}

/// The domain controllers that DNS names: those of the site first, then the others; by priority, then by the weighted
/// chance of RFC 2782, which the seed decides. A name outside the domain and its suffixes is not taken. Every note is
/// logged as a warning too.
pub async fn controllers(search: Search<'_>) -> Result<Discovered, DiscoverError> {
    let domain = search.domain.trim_end_matches('.').to_ascii_lowercase();
    // 1. The resolver, with a limit for each server below the one for the query.
    let unusable = |why: &NetError| DiscoverError::Unusable(words(why));
    let mut builder = TokioResolver::builder_tokio().map_err(|why| unusable(&why))?;
    let options = builder.options_mut();
    options.timeout = options.timeout.min(SERVER);
    let resolver = builder.build().map_err(|why| unusable(&why))?;
    // 2. Both queries, at the same time.
    let all = format!("_ldap._tcp.dc._msdcs.{domain}");
    let of_site =
        search.site.map(|site| format!("_ldap._tcp.{}._sites.dc._msdcs.{domain}", site.to_ascii_lowercase()));
    let site = async {
        match &of_site {
            Some(name) => Some(records(&resolver, name).await),
            None => None,
        }
    };
    let (all, site) = tokio::join!(records(&resolver, &all), site);
    // 3. Their names, in order.
    let found = put_together(search, &domain, all, site)?;
    for note in &found.notes {
        tracing::warn!("{note}");
    }
    Ok(found)
}

/// The records of one name.
async fn records(resolver: &TokioResolver, name: &str) -> Result<Vec<Record>, DiscoverError> {
    let silent = |why: String| DiscoverError::Silent { name: name.to_owned(), why };
    let none_named = || DiscoverError::NoController { name: name.to_owned(), others: String::new() };
    // As ASCII: as a text for people the name would be checked as one of the web, which has no `_` inside a label.
    let asked = Name::from_ascii(format!("{name}.")).map_err(|_| silent("it is no DNS name".to_owned()))?;
    let answer = match tokio::time::timeout(PATIENCE, resolver.srv_lookup(asked)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(why)) if why.is_no_records_found() => return Err(none_named()),
        Ok(Err(why)) => return Err(silent(words(&why))),
        Err(_) => return Err(silent(words(&NetError::Timeout))),
    };
    let mut found = Vec::new();
    for record in answer.answers() {
        let RData::SRV(srv) = &record.data else { continue };
        let target = srv.target.to_utf8().trim_end_matches('.').to_ascii_lowercase();
        // A target of `.` says that the service is not offered (RFC 2782).
        if !target.is_empty() {
            found.push(Record { priority: srv.priority, weight: srv.weight, target });
        }
    }
    if found.is_empty() { Err(none_named()) } else { Ok(found) }
}

/// Joins the answers for the domain and for the site.
fn put_together(
    search: Search<'_>,
    domain: &str,
    all: Result<Vec<Record>, DiscoverError>,
    site: Option<Result<Vec<Record>, DiscoverError>>,
) -> Result<Discovered, DiscoverError> {
    let mut notes = Vec::new();
    let mut outside: Vec<String> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let suffixes: Vec<String> = std::iter::once(domain)
        .chain(search.suffixes.iter().map(String::as_str))
        .map(|suffix| format!(".{}", suffix.trim_matches('.').to_ascii_lowercase()))
        .collect();
    let mut add = |records: Vec<Record>| {
        for name in in_order(records, search.seed) {
            if !suffixes.iter().any(|suffix| name.ends_with(suffix)) {
                if !outside.contains(&name) {
                    outside.push(name);
                }
            } else if !names.contains(&name) {
                names.push(name);
            }
        }
    };
    // 1. The site's own first. Without them the domain's serve as well.
    match site {
        Some(Ok(records)) => add(records),
        Some(Err(why)) => {
            let site = search.site.unwrap_or_default();
            notes.push(format!(
                "the domain controllers of the site {site} are not preferred: {why}. Is [directory] site its name in AD Sites \
                 and Services?"
            ));
        }
        None => {}
    }
    // 2. All of the domain.
    let failed = match all {
        Ok(records) => {
            add(records);
            None
        }
        Err(why) => Some(why),
    };
    // 3. What was left out, and why.
    let listed = |of: &[String]| {
        let more = of.len().saturating_sub(NAMED);
        let named = of.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{named} and {more} more") } else { named }
    };
    if names.is_empty() {
        return Err(failed.unwrap_or_else(|| DiscoverError::NoController {
            name: format!("_ldap._tcp.dc._msdcs.{domain}"),
            others: listed(&outside),
        }));
    }
    if let Some(why) = failed {
        notes.push(format!("only the domain controllers of the site are known: {why}"));
    }
    if !outside.is_empty() {
        notes.push(format!(
            "DNS names {}, outside the domain {domain}: not used. If they are its domain controllers, write their DNS \
             suffix into [directory] suffixes",
            listed(&outside)
        ));
    }
    if names.len() > MOST {
        notes.push(format!(
            "DNS names {} domain controllers: the first {MOST} are used. Write [directory] site, or name those that this \
             machine should use in [[directory.controllers]]",
            names.len()
        ));
        names.truncate(MOST);
    }
    Ok(Discovered { names, notes })
}

/// The targets by priority, and within one priority by the weighted chance of RFC 2782: a target is before all others with
/// the probability of its share of the weights.
fn in_order(mut records: Vec<Record>, seed: &[u8]) -> Vec<String> {
    // The smallest of exponential variables, whose rates are the weights, is each one with its share of the weights.
    let wait =
        |record: &Record| -chance(seed, &record.target).ln() / f64::from(record.weight).max(LEAST_WEIGHT);
    records.sort_by(|one, other| {
        let by_priority = one.priority.cmp(&other.priority);
        by_priority
            .then_with(|| wait(one).total_cmp(&wait(other)))
            .then_with(|| one.target.cmp(&other.target))
    });
    let mut names: Vec<String> = Vec::new();
    for Record { target, .. } in records {
        if !names.contains(&target) {
            names.push(target);
        }
    }
    names
}

/// A number between 0 and 1, both excluded, that seed and name decide.
fn chance(seed: &[u8], name: &str) -> f64 {
    let hash = digest(&SHA256, &[seed, &[0], name.as_bytes()].concat());
    let bits = hash.as_ref().first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    (f64::from(bits) + 0.5) / (f64::from(u32::MAX) + 1.0)
}

/// What a resolver reports, in words.
fn words(error: &NetError) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are answers that cannot be read")]
    match error {
        NetError::Timeout => "no DNS server of this machine answers in time".to_owned(),
        NetError::NoConnections | NetError::Busy => "no DNS server of this machine can be reached".to_owned(),
        NetError::Io(why) => system_error::words(why),
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => {
            "the DNS server refuses to answer this machine (REFUSED)".to_owned()
        }
        NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)) => {
            "the DNS server fails (SERVFAIL): it may not reach the domain's own".to_owned()
        }
        NetError::Dns(DnsError::ResponseCode(code)) => {
            format!("the DNS server answers with the code {}", u16::from(*code))
        }
        _ => "the DNS server's answer cannot be read".to_owned(),
    }
}

/// Checks `[directory] site`: the name of an AD site, which is one label of a DNS name.
pub fn parse_site(text: &str) -> Result<String, &'static str> {
    let fits = |c: char| !(c.is_control() || c.is_whitespace() || matches!(c, '.' | ',' | '\\' | '/'));
    if text.is_empty() || text.len() > 63 || !text.chars().all(fits) {
        return Err("`site` is the name of an AD site: 1 to 63 characters without dots and blanks");
    }
    Ok(text.to_owned())
}

/// Checks an entry of `[directory] suffixes`: a DNS name.
pub fn parse_suffix(text: &str) -> Result<String, String> {
    let name = text.trim_matches('.').to_ascii_lowercase();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.contains('.') || name.len() > 253 || name.contains("..") || !name.chars().all(fits) {
        return Err(format!(
            "`suffixes` are DNS names such as ad.example.net: `{}`",
            text.chars().filter(|c| !c.is_control()).take(100).collect::<String>()
        ));
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
