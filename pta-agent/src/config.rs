//! The configuration, checked whole. Secrets are named by file and never stand in it.

use crate::directory::{DefenceConfig, DirectoryConfig};
use landbridge_agent::config::{self, ConfigError, Log};
use landbridge_agent::proxy::ProxyConfig;
use serde::{Deserialize, Deserializer, de};
use std::path::{Path, PathBuf};

/// The whole configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where identity and status are kept; 0700.
    pub state_directory: PathBuf,
    /// What is asked, and how it is known.
    pub directory: DirectoryConfig,
    /// What a tenant may do to the accounts of the domain.
    #[serde(default)]
    pub defence: DefenceConfig,
    /// The way to the tenant.
    #[serde(default)]
    pub tenant: TenantConfig,
    /// What the program says of itself.
    #[serde(default)]
    pub log: Log,
}

/// `[tenant]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantConfig {
    /// Connections that are held to the one node where only one exists: 1 to 8.
    #[serde(deserialize_with = "up_to_8")]
    pub connections: usize,
    proxy: Option<String>,
    proxy_user: Option<String>,
    proxy_password_file: Option<PathBuf>,
}

impl Default for TenantConfig {
    fn default() -> Self {
        Self { connections: 2, proxy: None, proxy_user: None, proxy_password_file: None }
    }
}

impl TenantConfig {
    /// The proxy on the way.
    pub fn proxy(&self) -> ProxyConfig {
        let Self { proxy, proxy_user, proxy_password_file, .. } = self;
        ProxyConfig {
            proxy: proxy.clone(),
            proxy_user: proxy_user.clone(),
            proxy_password_file: proxy_password_file.clone(),
        }
    }
}

impl Config {
    /// Reads and checks a configuration file; opens none of the files that it names.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        config::load(path)
    }
}

fn up_to_8<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let number = usize::deserialize(from)?;
    if (1..=8).contains(&number) {
        Ok(number)
    } else {
        Err(de::Error::custom("`connections` must be 1 to 8"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LEAST: &str =
        "state_directory = \"/s\"\n[directory]\ndomain = \"corp.example.com\"\nca_file = \"/ca\"\n";

    fn parse(text: &str) -> Result<Config, String> {
        config::parse(Path::new("pta-agent.toml"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn little_has_to_be_said() {
        let config = parse(LEAST).unwrap();
        assert_eq!((config.tenant.connections, config.directory.connections), (2, 8));
        assert!(config.directory.controllers.is_empty());
        assert_eq!(
            config.defence,
            DefenceConfig { agents: 2, failed_binds: None, failed_binds_per_minute: 600 }
        );
        let named =
            parse(&format!("{LEAST}[[directory.controllers]]\nname = \"dc1.corp.example.com\"\n")).unwrap();
        assert_eq!(named.directory.controllers.first().unwrap().port, 636);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, line, word) in [
            (format!("{LEAST}verify = false\n"), ":5:", "verify"),
            (LEAST.replace("corp.example.com", "AT&T"), ":3:", "the DNS name of the domain"),
            (format!("{LEAST}connections = 65\n"), ":5:", "1 to 64"),
            (format!("{LEAST}pins = [\"abc\"]\n"), ":5:", "64 hexadecimal"),
            (format!("{LEAST}pins = [\"{}\"]\n", "ab ".repeat(20)), ":5:", "SHA-1"),
            (format!("{LEAST}site = \"a.b\"\n"), ":5:", "AD site"),
            (format!("{LEAST}suffixes = [\"net\"]\n"), ":5:", "DNS names"),
            (format!("{LEAST}[tenant]\nconnections = 0\n"), ":6:", "1 to 8"),
            (format!("{LEAST}[defence]\nagents = 0\n"), ":6:", "1 to 64"),
            (format!("{LEAST}[defence]\nfailed_binds = 0\n"), ":6:", "1 to 1000"),
            (format!("{LEAST}[defence]\nfailed_binds_per_minute = 0\n"), ":6:", "1 to 100000"),
            (format!("{LEAST}[tenant]\nproxy_password = \"x\"\n"), ":6:", "proxy_password"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(line) && error.contains(word), "{error}");
        }
    }
}
