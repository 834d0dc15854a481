//! `[directory]` and `[defence]` of the configuration.

use landbridge_agent::discover;
use landbridge_wire::names::is_domain_name;
use serde::{Deserialize, Deserializer, de};
use std::net::IpAddr;
use std::path::PathBuf;

/// The port of LDAP over TLS.
const LDAPS: u16 = 636;

/// `[directory]`: the domain, its domain controllers, and which of their certificates are trusted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryConfig {
    /// DNS name of the domain.
    #[serde(deserialize_with = "domain_name")]
    pub domain: String,
    /// The AD site whose domain controllers are preferred where DNS names them.
    #[serde(default, deserialize_with = "site")]
    pub site: Option<String>,
    /// Further DNS suffixes of domain controllers that DNS names: a disjoint namespace. Lower case.
    #[serde(default, deserialize_with = "suffixes")]
    pub suffixes: Vec<String>,
    /// File with the certificates of the CAs that issued the domain controllers' certificates: PEM, DER or PKCS #7.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of domain controllers' own certificates, as DER: 64 hexadecimal digits each.
    #[serde(default, deserialize_with = "pins")]
    pub pins: Vec<[u8; 32]>,
    /// How many connections are kept to each domain controller: 1 to 64.
    #[serde(default = "connections", deserialize_with = "up_to_64")]
    pub connections: u16,
    /// Whether this agent changes passwords. It then needs the domain controllers' ports 88 and 464.
    #[serde(default)]
    pub change_passwords: bool,
    /// The domain controllers, the preferred one first. If empty, they are found by DNS.
    #[serde(default)]
    pub controllers: Vec<ControllerConfig>,
}

/// A domain controller.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControllerConfig {
    /// Its DNS name, which its certificate must name.
    pub name: String,
    /// Its IP address. None: DNS resolves its name.
    pub address: Option<IpAddr>,
    /// Its port for LDAP over TLS.
    #[serde(default = "port")]
    pub port: u16,
}

/// `[defence]`: limits on the failed binds that a tenant can cause through this agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DefenceConfig {
    /// How many pta-agents the domain has: 1 to 64. They share AD's `lockoutThreshold`.
    #[serde(deserialize_with = "agents")]
    pub agents: u32,
    /// Failed binds for an account within AD's window: 1 to 1000. None: by the domain's policy.
    #[serde(deserialize_with = "failed_binds")]
    pub failed_binds: Option<u32>,
    /// Failed binds for all accounts together in a minute: 1 to 100,000.
    #[serde(deserialize_with = "failed_binds_per_minute")]
    pub failed_binds_per_minute: u32,
}

impl Default for DefenceConfig {
    /// Ten failed binds a second are more than people mistype at the start of a day, and a tenant needs half an hour to
    /// try one password with 20,000 accounts.
    fn default() -> Self {
        Self { agents: 2, failed_binds: None, failed_binds_per_minute: 600 }
    }
}

fn domain_name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    let wrong = || de::Error::custom("`domain` must be the DNS name of the domain, as corp.example.com");
    if is_domain_name(&name) { Ok(name) } else { Err(wrong()) }
}

fn agents<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let number = u32::deserialize(from)?;
    if (1..=64).contains(&number) { Ok(number) } else { Err(de::Error::custom("`agents` must be 1 to 64")) }
}

fn failed_binds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    let number = u32::deserialize(from)?;
    let fits = (1..=1000).contains(&number);
    if fits { Ok(Some(number)) } else { Err(de::Error::custom("`failed_binds` must be 1 to 1000")) }
}

fn failed_binds_per_minute<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let number = u32::deserialize(from)?;
    let fits = (1..=100_000).contains(&number);
    if fits { Ok(number) } else { Err(de::Error::custom("`failed_binds_per_minute` must be 1 to 100000")) }
}

fn connections() -> u16 {
    8
}

fn port() -> u16 {
    LDAPS
}

fn up_to_64<'de, D: Deserializer<'de>>(from: D) -> Result<u16, D::Error> {
    let number = u16::deserialize(from)?;
    if (1..=64).contains(&number) { Ok(number) } else { Err(de::Error::custom("must be 1 to 64")) }
}

fn pins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<[u8; 32]>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts
        .iter()
        .map(|text| landbridge_agent::pin::parse_configured(text).map_err(de::Error::custom))
        .collect()
}

fn site<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    discover::parse_site(&String::deserialize(from)?).map(Some).map_err(de::Error::custom)
}

fn suffixes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| discover::parse_suffix(text).map_err(de::Error::custom)).collect()
}
