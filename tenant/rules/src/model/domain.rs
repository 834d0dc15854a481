//! An Active Directory domain that the tenant serves: names, SID, policies, and the state of its synchronisation.

use landbridge_crypto::salted_digest::ITERATIONS;
use landbridge_wire::names::is_domain_name;
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
    /// Whether its people may change their passwords here.
    pub change_passwords: ChangePolicy,
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

/// Whether the people of a domain may change their passwords at the tenant, by way of a pta-agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangePolicy {
    /// No.
    #[default]
    Off,
    /// At any time.
    On,
    /// Only a password that has expired or must be changed.
    WhenRequired,
}

impl ChangePolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Off, Self::On, Self::WhenRequired];

    /// Reads the text that is stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == text)
    }

    /// The text that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::WhenRequired => "when-required",
        }
    }

    /// Whether a person may change a password. `required`: it has expired or must be changed.
    pub fn allows(self, required: bool) -> bool {
        match self {
            Self::Off => false,
            Self::On => true,
            Self::WhenRequired => required,
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
    /// What it demands of a new password. AD enforces it; here it is shown to people.
    pub new_passwords: NewPasswords,
}

/// What a policy demands of a new password. None: the value has not arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NewPasswords {
    /// minPwdAge: how long a password is kept before it may be changed; a negative count of 100 ns.
    pub minimum_age: Option<i64>,
    /// minPwdLength: the fewest characters.
    pub minimum_length: Option<i64>,
    /// pwdHistoryLength: how many former passwords are not accepted.
    pub history: Option<i64>,
    /// Whether it must be complex (DOMAIN_PASSWORD_COMPLEX, MS-SAMR 2.2.1.15).
    pub complex: Option<bool>,
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
    #[error(
        "the DNS name must be labels of 1 to 63 letters (a to z), digits, `-` and `_`, joined by dots, and have at most 253 \
         characters"
    )]
    DnsName,
    /// Not a NetBIOS name.
    #[error(
        "the NetBIOS name must have 1 to 15 characters, no blank, none of \" * / : < > ? \\ |, and no dot at its beginning"
    )]
    NetbiosName,
    /// Not a domain's SID.
    #[error(
        "the SID of a domain reads S-1-5-21-… with three numbers after the 21; that of an account has four"
    )]
    Sid,
    /// With these iterations no digest could be stored.
    #[error("the least number of iterations must be 1 to 2,000,000")]
    Iterations,
    /// A domain has that name or SID already.
    #[error("there is a domain with that DNS name, NetBIOS name or SID already")]
    Taken,
    /// Another domain declares the DNS name or the NetBIOS name as a UPN suffix, so its accounts may have names there.
    #[error("another domain declares that name as a UPN suffix")]
    Suffix,
}

impl DomainRefused {
    /// What the operator can do.
    pub fn todo(self) -> &'static str {
        match self {
            Self::DnsName | Self::NetbiosName => {
                "in PowerShell `Get-ADDomain` prints both names, as DNSRoot and NetBIOSName; on a Samba DC `samba-tool domain \
                 info 127.0.0.1` does"
            }
            Self::Sid => {
                "`landbridge-phs check` prints it before phs is enrolled; so do `(Get-ADDomain).DomainSID.Value` in PowerShell \
                 and `net getdomainsid` on a Samba DC"
            }
            Self::Iterations => "choose another number",
            Self::Taken => {
                "see `landbridge-tenant domains list`; `landbridge-tenant domains remove` takes a domain away"
            }
            Self::Suffix => {
                "see whose it is with `landbridge-tenant domains suffix list`, take it away with `landbridge-tenant domains \
                 suffix remove`, add this domain, and share the suffix if both need it"
            }
        }
    }
}

impl NewDomain<'_> {
    /// Checks the names (`dns_name` in lower case, `netbios_name` in upper case), the SID and the iterations.
    pub fn check(&self, dns_name: &str, netbios_name: &str) -> Result<(), DomainRefused> {
        if !is_domain_name(dns_name) {
            return Err(DomainRefused::DnsName);
        }
        // What AD refuses (Microsoft's naming conventions, and NAMETYPE_DOMAIN of MS-SRVS 2.2.2.8); it takes all else.
        let refused = |c: char| c.is_control() || " \"*/:<>?\\|".contains(c);
        let short = (1..=15).contains(&netbios_name.chars().count());
        if !short || netbios_name.starts_with('.') || netbios_name.chars().any(refused) {
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
