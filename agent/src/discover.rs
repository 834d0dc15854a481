//! Which domain controllers a domain has, as DNS names them (RFC 2782; `_ldap._tcp.dc._msdcs.<domain>`).
//! DNS is not authenticated. A forged answer names a server that cannot prove that it is a domain controller.
//! Neighbours: `read::discover` of phs and `directory::discover` of the pta-agent call it when no controller is named
//! in their configuration.

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{Name, RData};
use std::time::Duration;

/// DNS answers within this.
const PATIENCE: Duration = Duration::from_secs(3);
/// More domain controllers are not taken from DNS.
const MOST: usize = 32;

/// Why DNS tells none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoverError {
    /// What this machine says of its DNS.
    #[error("this machine's DNS configuration cannot be used: {0}")]
    Unusable(String),
    /// No server, or one that fails; it may pass.
    #[error("DNS does not say what {name} is: {why}")]
    Silent {
        /// What was asked.
        name: String,
        /// What went wrong.
        why: String,
    },
    /// DNS answers, and names none.
    #[error("DNS names no domain controller inside the domain (SRV {name})")]
    Nobody {
        /// What was asked.
        name: String,
    },
}

impl DiscoverError {
    /// Whether the same question may be answered a little later without anybody having acted.
    pub fn passes_by_itself(&self) -> bool {
        match self {
            Self::Silent { .. } => true,
            Self::Unusable(_) | Self::Nobody { .. } => false,
        }
    }
}

/// Their full DNS names in lower case, at most 32, in the order in which they are to be asked: by priority, then by
/// weight, the heaviest first. A name outside the domain is not taken.
pub async fn controllers(domain: &str) -> Result<Vec<String>, DiscoverError> {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    let name = format!("_ldap._tcp.dc._msdcs.{domain}");
    let silent = |why: String| DiscoverError::Silent { name: name.clone(), why };
    let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
    let resolver = resolver.map_err(|why| DiscoverError::Unusable(why.to_string()))?;
    // As ASCII: as a text for people the name would be checked as one of the web, which has no `_` inside a label.
    let asked = Name::from_ascii(format!("{name}.")).map_err(|why| silent(why.to_string()))?;
    let asking = resolver.srv_lookup(asked);
    let answer = match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(why)) if why.is_no_records_found() => return Err(DiscoverError::Nobody { name }),
        Ok(Err(why)) => return Err(silent(why.to_string())),
        Err(_) => return Err(silent(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    let mut found: Vec<(u16, u16, String)> = Vec::new();
    for record in answer.answers() {
        let RData::SRV(srv) = &record.data else { continue };
        let target = srv.target.to_utf8().trim_end_matches('.').to_ascii_lowercase();
        if target.ends_with(&format!(".{domain}")) {
            found.push((srv.priority, u16::MAX - srv.weight, target));
        } else {
            tracing::warn!(target, domain, "DNS names a domain controller outside the domain");
        }
    }
    let found = in_order(found);
    if found.is_empty() { Err(DiscoverError::Nobody { name }) } else { Ok(found) }
}

fn in_order(mut found: Vec<(u16, u16, String)>) -> Vec<String> {
    found.sort();
    found.dedup();
    found.into_iter().take(MOST).map(|(_, _, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_priority_comes_first_then_the_heaviest_and_there_is_an_end() {
        let record = |priority, weight: u16, name: &str| (priority, u16::MAX - weight, name.to_owned());
        let found = vec![record(1, 9, "c"), record(0, 1, "b"), record(0, 100, "a"), record(0, 1, "b")];
        assert_eq!(in_order(found), ["a", "b", "c"]);
        let many = (0..1000).map(|n| record(0, 0, &n.to_string())).collect();
        assert_eq!(in_order(many).len(), MOST);
    }
}
