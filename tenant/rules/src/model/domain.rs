//! An Active Directory domain that the tenant serves: names, SID, policies, and the state of its synchronisation.

use landbridge_crypto::salted_digest::ITERATIONS;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Least iterations of a digest in a new domain, unless its operator chooses others: those of `entra`, the weaker
/// profile.
pub const MIN_ITERATIONS: u32 = 1000;

/// A domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Number of its row.
    pub id: i64,
    /// Its DNS name, lower case.
    pub dns_name: String,
    /// Its NetBIOS name, upper case.
    pub netbios_name: String,
    /// Its SID, as text.
    pub sid: String,
    /// Whether digests of privileged accounts are stored.
    pub allow_privileged: bool,
    /// Digests with fewer iterations are refused.
    pub min_iterations: u32,
    /// How its accounts sign in.
    pub signin: SigninPolicy,
    /// Whether a new pta-agent waits for an administrator's approval.
    pub approve_agents: bool,
    /// Since when the names of its accounts that are not carried sign nobody in: seconds since 1970. None: its phs has
    /// not sent all of them.
    pub reserved_since: Option<i64>,
    /// Password and lockout policy of the domain head.
    pub policy: Policy,
    /// The cursor of its last complete cycle.
    pub acknowledged: Option<String>,
    /// The cursor of the complete cycle before.
    pub acknowledged_before: Option<String>,
    /// Agent id of the one phs that may write.
    pub writer: Option<Uuid>,
    /// When it was added: seconds since 1970.
    pub added_at: i64,
}

impl Domain {
    /// Whether a cycle of its phs was ever complete. Before that, group memberships are unknown: links arrive last.
    pub fn is_known(&self) -> bool {
        self.acknowledged.is_some() || self.acknowledged_before.is_some()
    }
}

/// How the accounts of a domain or of a group sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SigninPolicy {
    /// By the digest that the tenant holds.
    Phs,
    /// By an agent, which sends the password to a domain controller.
    Pta,
    /// By an agent, or by the digest while no agent can answer.
    PtaThenPhs,
    /// Every sign-in is refused. For a rollout in stages, in which groups have policies of their own.
    Refuse,
}

impl SigninPolicy {
    /// Every policy.
    pub const ALL: [Self; 4] = [Self::Phs, Self::Pta, Self::PtaThenPhs, Self::Refuse];

    /// Reads the text that is stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == text)
    }

    /// Whether sign-ins go to agents.
    pub fn asks_agents(self) -> bool {
        match self {
            Self::Pta | Self::PtaThenPhs => true,
            Self::Phs | Self::Refuse => false,
        }
    }

    /// The text that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Phs => "phs",
            Self::Pta => "pta",
            Self::PtaThenPhs => "pta-then-phs",
            Self::Refuse => "refuse",
        }
    }
}

/// A password and lockout policy. None: the value has not arrived. Intervals are negative counts of 100 ns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// maxPwdAge.
    pub max_pwd_age: Option<i64>,
    /// lockoutDuration.
    pub lockout_duration: Option<i64>,
    /// lockOutObservationWindow.
    pub lockout_observation_window: Option<i64>,
    /// lockoutThreshold.
    pub lockout_threshold: Option<i64>,
}

/// A domain to add.
#[derive(Debug, Clone, Copy)]
pub struct NewDomain<'a> {
    /// Its DNS name, in upper or lower case.
    pub dns_name: &'a str,
    /// Its NetBIOS name, in upper or lower case.
    pub netbios_name: &'a str,
    /// Its SID, `S-1-5-21-…` with three numbers.
    pub sid: &'a str,
    /// Whether digests of privileged accounts are stored.
    pub allow_privileged: bool,
    /// Digests with fewer iterations are refused.
    pub min_iterations: u32,
}

/// Why a domain was not added. The operator acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DomainRefused {
    /// Not a DNS name.
    #[error("the DNS name must be letters, digits, hyphens and dots, at most 253 of them")]
    DnsName,
    /// Not a NetBIOS name.
    #[error("the NetBIOS name must be 1 to 15 letters, digits, hyphens or underscores")]
    NetbiosName,
    /// Not a domain's SID.
    #[error(
        "the SID must read S-1-5-21-… with three numbers after the 21, as `samba-tool domain info` or `Get-ADDomain` shows it"
    )]
    Sid,
    /// With these iterations no digest could be stored.
    #[error("the least number of iterations must be 1 to 10,000,000")]
    Iterations,
    /// A domain has that name or SID already.
    #[error("there is a domain with that DNS name, NetBIOS name or SID already")]
    Taken,
    /// Another domain declares the DNS name or the NetBIOS name as a UPN suffix, so its accounts may have names there.
    #[error(
        "another domain declares that name as a UPN suffix: take it away with `domains suffix remove`, add this domain, and \
         share the suffix if both need it"
    )]
    Suffix,
}

impl NewDomain<'_> {
    /// Checks the names (`dns_name` in lower case, `netbios_name` in upper case), the SID and the iterations.
    pub fn check(&self, dns_name: &str, netbios_name: &str) -> Result<(), DomainRefused> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let labels_hold = dns_name.split('.').all(|l| !l.is_empty() && l.len() <= 63 && l.chars().all(plain));
        if dns_name.len() > 253 || !labels_hold {
            return Err(DomainRefused::DnsName);
        }
        let short = (1..=15).contains(&netbios_name.len());
        if !short || !netbios_name.chars().all(|c| plain(c) || c == '_') {
            return Err(DomainRefused::NetbiosName);
        }
        let numbers: Vec<&str> = match self.sid.strip_prefix("S-1-5-21-") {
            Some(rest) => rest.split('-').collect(),
            None => return Err(DomainRefused::Sid),
        };
        if numbers.len() != 3 || !numbers.iter().all(|n| sub_authority(n).is_some()) {
            return Err(DomainRefused::Sid);
        }
        if !ITERATIONS.contains(&self.min_iterations) {
            return Err(DomainRefused::Iterations);
        }
        Ok(())
    }
}

/// Reads a number of a SID in its only valid form: digits, no sign, no leading zero.
pub fn sub_authority(text: &str) -> Option<u32> {
    let spelled = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if spelled { text.parse().ok() } else { None }
}
