//! The configuration file, read whole and checked before anything starts.
//! Secrets are named by file and never stand in it. Errors name file, line and column.
//! Neighbours: `main` reads it, `pull` is given its directory.

use crate::cycle::guard::Guard;
use crate::daemon::schedule::Rules;
use crate::read::described;
use crate::read::pull::{Client, Controller, Credential, Directory, Keytab, Principal};
use crate::scope::Scope;
pub use landbridge_agent::config::ConfigError;
use landbridge_agent::config::{self, Log, parsed};
use landbridge_agent::discover;
use landbridge_agent::key::{self, FileError};
use landbridge_agent::proxy::ProxyConfig;
use landbridge_crypto::salted_digest::Profile;
use landbridge_crypto::secret::Password;
use landbridge_drsr::drs::attribute::Attribute;
use landbridge_drsr::drs::sid::Sid;
use landbridge_wire::distinguished_name::DistinguishedName;
use landbridge_wire::names::is_domain_name;
use serde::{Deserialize, Deserializer, de};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const MAX_KEYTAB: usize = landbridge_kerberos::limits::MAX_KEYTAB;

/// The whole configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where identity and state database are kept; 0700.
    pub state_directory: PathBuf,
    /// What is read, and as whom.
    pub directory: DirectoryConfig,
    /// The way to the tenant.
    #[serde(default)]
    pub tenant: ProxyConfig,
    /// How passwords are carried.
    #[serde(default)]
    pub passwords: Passwords,
    /// What is done about privileged accounts.
    #[serde(default)]
    pub privileged: Privileged,
    /// Who belongs in the cloud.
    #[serde(default)]
    pub scope: Scope,
    /// How many may leave the scope.
    #[serde(default)]
    pub removals: Guard,
    /// Read, compute and compare, and send nothing.
    #[serde(default)]
    pub staging: bool,
    /// When the daemon does what.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// Where it is scraped.
    #[serde(default)]
    pub metrics: Metrics,
    /// What the program says of itself.
    #[serde(default)]
    pub log: Log,
}

/// `[directory]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawDirectory")]
pub struct DirectoryConfig {
    /// DNS name of the domain, lower case.
    pub domain: String,
    /// sAMAccountName of the delegated account.
    pub account: String,
    /// The account as Kerberos names it.
    pub principal: Principal,
    /// What it proves itself with.
    pub secret: SecretFile,
    /// The most objects in one page: 1 to 1000.
    pub page_objects: u32,
    /// The DCs, the preferred one first; none: DNS names them.
    pub controllers: Vec<Controller>,
    /// The AD site whose DCs are preferred where DNS names them.
    pub site: Option<String>,
    /// Further DNS suffixes of DCs that DNS names: a disjoint namespace. Lower case.
    pub suffixes: Vec<String>,
    /// The attribute that is a further sign-in name.
    pub alternate_login: Option<Attribute>,
    /// Whether photos of people are carried.
    pub photos: bool,
}

/// A file with the delegated account's secret; 0600.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretFile {
    /// Its Kerberos keys.
    Keytab(PathBuf),
    /// Its password: the first line.
    Password(PathBuf),
}

/// `[passwords]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Passwords {
    /// What a digest costs.
    #[serde(deserialize_with = "parsed")]
    pub profile: Profile,
}

/// `[privileged]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Privileged {
    /// SIDs of privileged accounts that are synchronised all the same.
    #[serde(deserialize_with = "all_parsed")]
    pub include: Vec<Sid>,
    /// SIDs of further accounts and groups that are never synchronised, nor their members.
    #[serde(deserialize_with = "all_parsed")]
    pub also: Vec<Sid>,
}

/// `[schedule]`, for `run`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "RawSchedule")]
pub struct ScheduleConfig {
    /// A cycle begins at least this often: 5 s to a day.
    pub poll: Duration,
    /// Least time between the beginnings of two cycles that changes at the DC begin: at most `poll`. 0: half a second.
    pub least: Duration,
    /// All is compared this often, in hours; 0: only when it must be.
    pub full_compare_hours: u32,
    /// Whether a DC is asked by LDAP, twice a second, if anything has changed.
    pub watch: bool,
}

/// `[metrics]`, for `run`.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "RawMetrics")]
pub struct Metrics {
    /// Where `/metrics` and `/healthz` are served; none: nowhere.
    pub listen: Option<SocketAddr>,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        let (poll, least) = (Duration::from_secs(120), Duration::ZERO);
        Self { poll, least, full_compare_hours: 168, watch: true }
    }
}

impl ScheduleConfig {
    /// As [`schedule`](crate::daemon::schedule) takes it.
    pub fn rules(&self) -> Rules {
        let hours = u64::from(self.full_compare_hours);
        let full = (hours > 0).then(|| Duration::from_secs(hours * 3600));
        Rules { poll: self.poll, least: self.least, full }
    }
}

impl Config {
    /// Reads and checks a configuration file; opens none of the files that it names.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let config: Self = config::load(path)?;
        match config.why_unfit() {
            None => Ok(config),
            Some(why) => {
                // It is about two sections. The line is that of the one to mend.
                let text = std::fs::read_to_string(path).unwrap_or_default();
                let line = text.lines().position(|line| line.trim_start().starts_with("[scope]"));
                let line = line.map_or(1, |before| before + 1);
                Err(ConfigError::Wrong { path: path.to_owned(), line, column: 1, why })
            }
        }
    }

    /// Why the scope does not fit the domain.
    fn why_unfit(&self) -> Option<String> {
        let domain = &self.directory.domain;
        let head = DistinguishedName::of_domain(domain);
        let outside = self.scope.entry_outside(domain)?;
        Some(format!(
            "[scope] names {outside}, which is not in the domain {domain} ({head}): name what is in this domain. \
             Another domain needs a phs of its own"
        ))
    }
}

impl DirectoryConfig {
    /// Reads the account's secret and puts it together with one of the DCs. With a scope it is asked for what that
    /// goes by.
    pub fn open(&self, controller: &Controller, scope: Option<&Scope>) -> Result<Directory, ConfigError> {
        let further = |scope: &Scope| {
            let mut all: Vec<Attribute> = scope.attributes().chain(self.alternate_login).collect();
            for attribute in described::attributes(self.photos) {
                if !all.contains(&attribute) {
                    all.push(attribute);
                }
            }
            all
        };
        let further = scope.map(further).unwrap_or_default();
        let extensions = scope.into_iter().flat_map(|_| described::extensions());
        Ok(Directory {
            domain: self.domain.clone(),
            controller: controller.clone(),
            account: self.account.clone(),
            client: Arc::new(Client {
                account: self.principal.clone(),
                credential: self.secret.read()?,
                workstation: workstation(),
            }),
            page_objects: self.page_objects,
            extensions: extensions.filter(|attribute| !further.contains(attribute)).collect(),
            further,
            ids: Vec::new(),
            ancestors: scope.is_some_and(Scope::goes_by_place),
        })
    }
}

impl SecretFile {
    /// The file's path.
    pub fn path(&self) -> &Path {
        match self {
            Self::Keytab(path) | Self::Password(path) => path,
        }
    }

    /// Reads it; refuses a file that others may use.
    pub fn read(&self) -> Result<Credential, ConfigError> {
        let content = |path: &Path, why: String| FileError::Content { path: path.to_owned(), why };
        match self {
            Self::Keytab(path) => {
                let bytes = key::read_secret(path, MAX_KEYTAB)?;
                let keytab = Keytab::parse(&bytes).map_err(|error| content(path, error.to_string()))?;
                Ok(Credential::Keytab(keytab))
            }
            Self::Password(path) => {
                let password = key::read_password(path)?;
                Ok(Credential::Password(Password::new(password.to_string())))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDirectory {
    domain: String,
    account: String,
    keytab: Option<PathBuf>,
    password_file: Option<PathBuf>,
    authentication: Option<String>,
    #[serde(default = "page_objects", deserialize_with = "page_size")]
    page_objects: u32,
    #[serde(default)]
    controllers: Vec<RawController>,
    #[serde(default, deserialize_with = "site")]
    site: Option<String>,
    #[serde(default, deserialize_with = "suffixes")]
    suffixes: Vec<String>,
    #[serde(default, deserialize_with = "attribute")]
    alternate_login: Option<Attribute>,
    #[serde(default)]
    photos: bool,
}

/// The NetBIOS name of this machine, which a KDC compares with the account's `userWorkstations`: the first label of
/// the host's name in capitals, at most 15 bytes.
fn workstation() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    let label = name.split('.').next().unwrap_or_default().to_uppercase();
    (!label.is_empty() && label.is_ascii()).then(|| label.chars().take(15).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawController {
    name: String,
    address: Option<IpAddr>,
    port: Option<NonZeroU16>,
}

fn page_objects() -> u32 {
    250
}

impl TryFrom<RawDirectory> for DirectoryConfig {
    type Error = String;

    fn try_from(raw: RawDirectory) -> Result<Self, String> {
        let secret = match (raw.keytab, raw.password_file) {
            (Some(path), None) => SecretFile::Keytab(path),
            (None, Some(path)) => SecretFile::Password(path),
            (Some(_), Some(_)) => return Err("`keytab` and `password_file` exclude each other".to_owned()),
            (None, None) => return Err("`keytab` or `password_file` is missing".to_owned()),
        };
        match raw.authentication.as_deref() {
            None | Some("kerberos") => {}
            Some("ntlm") => {
                return Err("`authentication = \"ntlm\"` is no longer supported, because NTLM does not prove which \
                            server answers. Remove the line: the account signs in by Kerberos, at port 88 of the \
                            same domain controller, with the same keytab or password"
                    .to_owned());
            }
            Some(_) => return Err("`authentication` can be \"kerberos\" only: remove the line".to_owned()),
        }
        if raw.controllers.len() > 32 {
            return Err("name at most 32 controllers".to_owned());
        }
        if !is_domain_name(&raw.domain) {
            return Err("`domain` must be the DNS name of the domain, as corp.example.com".to_owned());
        }
        if raw.account.is_empty() || raw.account.contains(['@', '\\', '/']) {
            return Err("`account` must be a sAMAccountName without domain".to_owned());
        }
        if let Some(short) = raw.controllers.iter().find(|c| !c.name.contains('.')) {
            return Err(format!("the controller `{}` must be a full DNS name", short.name));
        }
        let controller = |RawController { name, address, port }: RawController| Controller {
            name,
            address,
            port: port.map(NonZeroU16::get),
        };
        let controllers = raw.controllers.into_iter().map(controller).collect();
        Ok(Self {
            principal: Principal::account(&raw.account, &raw.domain).map_err(|error| error.to_string())?,
            domain: raw.domain.to_lowercase(),
            account: raw.account,
            secret,
            page_objects: raw.page_objects,
            controllers,
            site: raw.site,
            suffixes: raw.suffixes,
            alternate_login: raw.alternate_login,
            photos: raw.photos,
        })
    }
}

fn site<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    discover::parse_site(&String::deserialize(from)?).map(Some).map_err(de::Error::custom)
}

fn suffixes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| discover::parse_suffix(text).map_err(de::Error::custom)).collect()
}

fn attribute<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Attribute>, D::Error> {
    crate::scope::login_attribute(&String::deserialize(from)?).map(Some).map_err(de::Error::custom)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSchedule {
    #[serde(rename = "poll_seconds", deserialize_with = "poll")]
    poll: Duration,
    #[serde(rename = "least_seconds", deserialize_with = "least")]
    least: Duration,
    #[serde(deserialize_with = "hours")]
    full_compare_hours: u32,
    watch: bool,
}

impl Default for RawSchedule {
    fn default() -> Self {
        let ScheduleConfig { poll, least, full_compare_hours, watch } = ScheduleConfig::default();
        Self { poll, least, full_compare_hours, watch }
    }
}

impl TryFrom<RawSchedule> for ScheduleConfig {
    type Error = String;

    fn try_from(raw: RawSchedule) -> Result<Self, String> {
        let RawSchedule { poll, least, full_compare_hours, watch } = raw;
        if least > poll {
            return Err(format!(
                "`least_seconds` must be at most `poll_seconds`, which is {}: a cycle begins that often in any case",
                poll.as_secs()
            ));
        }
        Ok(Self { poll, least, full_compare_hours, watch })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMetrics {
    listen: Option<SocketAddr>,
    #[serde(default)]
    beyond_loopback: bool,
}

impl TryFrom<RawMetrics> for Metrics {
    type Error = String;

    fn try_from(raw: RawMetrics) -> Result<Self, String> {
        match raw.listen {
            Some(listen) if !listen.ip().is_loopback() && !raw.beyond_loopback => Err(format!(
                "`listen` must be a loopback address: {} is plain HTTP for everybody who reaches it; \
                 `beyond_loopback = true` says that this is wanted",
                listen.ip()
            )),
            listen => Ok(Self { listen }),
        }
    }
}

fn page_size<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within(from, "page_objects", 1..=1000)
}

fn poll<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    within(from, "poll_seconds", 5..=86_400).map(|seconds| Duration::from_secs(seconds.into()))
}

fn least<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    within(from, "least_seconds", 0..=86_400).map(|seconds| Duration::from_secs(seconds.into()))
}

fn hours<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within(from, "full_compare_hours", 0..=8760)
}

/// Checked here and not with the rest of the section, so that the error names its own line.
fn within<'de, D: Deserializer<'de>>(
    from: D,
    key: &str,
    range: RangeInclusive<u32>,
) -> Result<u32, D::Error> {
    let number = u32::deserialize(from)?;
    if range.contains(&number) {
        Ok(number)
    } else {
        Err(de::Error::custom(format!("`{key}` must be {} to {}", range.start(), range.end())))
    }
}

fn all_parsed<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Sid>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| text.parse().map_err(|e| de::Error::custom(format!("`{text}`: {e}")))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const GOOD: &str = r#"state_directory = "/var/lib/landbridge-phs"
[directory]
domain = "Corp.example.com"
account = "svc-landbridge"
keytab = "/etc/landbridge/phs.keytab"
[[directory.controllers]]
name = "dc1.corp.example.com"
address = "127.0.1.10"
[privileged]
include = ["S-1-5-21-1-2-3-1105"]
"#;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        config::parse::<Config>(Path::new("/etc/phs.toml"), text)
    }

    fn refusal(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let config = parse(GOOD).unwrap();
        assert_eq!(config.directory.domain, "corp.example.com");
        assert_eq!(config.directory.page_objects, 250);
        assert_eq!(config.passwords.profile, Profile::Strong);
        assert_eq!(config.privileged.include.len(), 1);
        assert_eq!(config.log.level, tracing::Level::INFO);
        let week = Duration::from_secs(7 * 86_400);
        let (poll, least) = (Duration::from_secs(120), Duration::ZERO);
        assert_eq!(config.schedule.rules(), Rules { poll, least, full: Some(week) });
        assert!(config.schedule.watch);
        let text = "full_compare_hours = 0\npoll_seconds = 5\nleast_seconds = 5";
        let never = parse(&format!("{GOOD}[schedule]\n{text}\n")).unwrap();
        let five = Duration::from_secs(5);
        assert_eq!(never.schedule.rules(), Rules { poll: five, least: five, full: None });
    }

    #[test]
    fn the_port_of_a_dc_may_be_pinned_and_is_a_port() {
        let with = |port: &str| GOOD.replace("[privileged]", &format!("port = {port}\n[privileged]"));
        assert_eq!(parse(GOOD).unwrap().directory.controllers[0].port, None);
        for port in [1, 5000, 65_535] {
            let config = parse(&with(&port.to_string())).unwrap();
            assert_eq!(config.directory.controllers[0].port, Some(port));
        }
        for wrong in ["0", "65536", "-1", "\"5000\""] {
            assert!(
                refusal(&with(wrong)).starts_with("/etc/phs.toml:9:"),
                "{wrong}: {}",
                refusal(&with(wrong))
            );
        }
    }

    #[test]
    fn a_dc_is_asked_for_what_the_scope_goes_by_and_what_is_carried_and_for_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        key::write_secret(&password, b"of no account\n").unwrap();
        let text = GOOD.replace("keytab = \"/etc/landbridge/phs.keytab\"", "PASSWORD");
        let text = text.replace("PASSWORD", &format!("password_file = {:?}", password.to_str().unwrap()));
        let photos =
            parse(&text.replace("[directory]", "[directory]\nphotos = true")).unwrap().directory.photos;
        assert!(photos);
        let opened = |scope: &str| {
            let config = parse(&format!("{text}[scope]\n{scope}\n")).unwrap();
            assert!(!config.directory.photos, "only on demand");
            let controller = &config.directory.controllers[0];
            let directory = config.directory.open(controller, Some(&config.scope)).unwrap();
            let alone = config.directory.open(controller, None).unwrap();
            assert!(!alone.ancestors && alone.further.is_empty() && alone.extensions.is_empty());
            let known = directory.further.iter().chain(&directory.extensions);
            assert!(
                described::extensions().all(|one| known.clone().filter(|known| **known == one).count() == 1)
            );
            (directory.ancestors, directory.further)
        };
        let described: Vec<Attribute> = described::attributes(false).collect();
        assert_eq!(opened(""), (false, described.clone()));
        assert_eq!(opened("include = [\"OU=People,DC=corp,DC=example,DC=com\"]"), (true, described.clone()));
        assert_eq!(opened("exclude = [\"OU=Out,DC=corp,DC=example,DC=com\"]"), (true, described.clone()));
        // Each once, though a filter names one of them.
        let (ancestors, mut further) = opened("without = [\"company=Other\"]");
        assert_eq!((ancestors, further.len()), (false, described.len()));
        further.retain(|attribute| !described.contains(attribute));
        assert_eq!(further, []);
        // One that the filter names must be there.
        let (_, mut further) = opened("without = [\"extensionAttribute7=Other\"]");
        further.retain(|attribute| !described.contains(attribute));
        assert_eq!(further, [Attribute::Extension(7)]);
    }

    #[test]
    fn a_scope_in_another_domain_is_refused_with_its_line_and_both_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("phs.toml");
        let load = |scope: &str| {
            std::fs::write(&path, format!("{GOOD}[scope]\n{scope}\n")).unwrap();
            Config::load(&path).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(load("include = [\"OU=A, DC=CORP , dc=example,DC=com\"]"), Ok(()));
        for scope in [
            "include = [\"OU=A,DC=other,DC=example,DC=com\"]",
            "exclude = [\"DC=example,DC=com\"]",
            "password_groups = [\"CN=A,DC=xcorp,DC=example,DC=com\"]",
        ] {
            let refused = load(scope).unwrap_err();
            assert!(
                refused.contains("phs.toml:11:") && refused.contains("DC=corp,DC=example,DC=com"),
                "{refused}"
            );
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_column() {
        let text = GOOD.replace("account =", "acount =");
        let text = refusal(&text);
        assert!(text.starts_with("/etc/phs.toml:4:1: ") && text.contains("acount"), "{text}");
        let text = refusal(&format!("{GOOD}[passwords]\nprofil = \"strong\"\n"));
        assert!(text.starts_with("/etc/phs.toml:12:1: "), "{text}");
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_line() {
        let text = refusal(&format!("{GOOD}[passwords]\nprofile = \"medium\"\n"));
        assert!(text.starts_with("/etc/phs.toml:12:") && text.contains("strong"), "{text}");
        let text = refusal(&GOOD.replace("S-1-5-21-1-2-3-1105", "CORP\\\\carol"));
        assert!(text.starts_with("/etc/phs.toml:10:") && text.contains("SID"), "{text}");
        let text = refusal(&GOOD.replace("127.0.1.10", "127.0.1"));
        assert!(text.starts_with("/etc/phs.toml:8:"), "{text}");
        let text = refusal(&GOOD.replace("[directory]", "[directory]\npage_objects = \"many\""));
        assert!(text.starts_with("/etc/phs.toml:3:"), "{text}");
        let text = refusal(&format!("{GOOD}[schedule]\npoll_seconds = 4\n"));
        assert!(text.starts_with("/etc/phs.toml:12:") && text.contains("5 to 86400"), "{text}");
        let text = refusal(&format!("{GOOD}[schedule]\nleast_seconds = 90000\n"));
        assert!(text.starts_with("/etc/phs.toml:12:") && text.contains("0 to 86400"), "{text}");
        let text = refusal(&format!("{GOOD}[schedule]\npoll_seconds = 60\nleast_seconds = 61\n"));
        assert!(text.starts_with("/etc/phs.toml:11:") && text.contains("at most `poll_seconds`"), "{text}");
        let text = refusal(&format!("{GOOD}[schedule]\nleast = 5\n"));
        assert!(text.starts_with("/etc/phs.toml:12:1: ") && text.contains("least"), "{text}");
        let text = refusal("state_directory = ");
        assert!(text.starts_with("/etc/phs.toml:1:"), "{text}");
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (from, to, why) in [
            ("keytab =", "password_file = \"/p\"\nkeytab =", "exclude each other"),
            ("keytab = \"/etc/landbridge/phs.keytab\"", "", "is missing"),
            ("account =", "authentication = \"ntlm\"\naccount =", "Remove the line"),
            ("account =", "authentication = \"basic\"\naccount =", "remove the line"),
            ("account =", "page_objects = 0\naccount =", "1 to 1000"),
            ("dc1.corp.example.com", "dc1", "full DNS name"),
            ("Corp.example.com", "corp.example.com.", "the DNS name of the domain"),
            ("Corp.example.com", "AT&T", "the DNS name of the domain"),
            ("Corp.example.com", "bücher.example", "the DNS name of the domain"),
            ("account =", "site = \"a.b\"\naccount =", "AD site"),
            ("account =", "suffixes = [\"net\"]\naccount =", "DNS names"),
            ("svc-landbridge", "CORP\\\\svc", "without domain"),
        ] {
            let text = refusal(&GOOD.replace(from, to));
            assert!(text.contains(why), "{why}: {text}");
        }
    }

    #[test]
    fn a_domain_is_called_as_active_directory_lets_it_be_called() {
        for name in ["my_corp.example.com", "_x.example.com", "single", "1st.2nd.3", "xn--bcher-kva.example"]
        {
            let config = parse(&GOOD.replace("Corp.example.com", name)).unwrap();
            assert_eq!(config.directory.domain, name);
            assert_eq!(config.directory.principal.realm(), name.to_uppercase());
        }
    }

    #[test]
    fn without_controllers_dns_is_asked_and_metrics_stay_on_this_machine_unless_it_is_wished() {
        let named = "[[directory.controllers]]\nname = \"dc1.corp.example.com\"\naddress = \"127.0.1.10\"\n";
        assert!(parse(&GOOD.replace(named, "")).unwrap().directory.controllers.is_empty());
        let listen = |more: &str| parse(&format!("{GOOD}[metrics]\n{more}\n"));
        assert_eq!(parse(GOOD).unwrap().metrics.listen, None);
        assert!(listen("listen = \"127.0.0.1:9465\"").unwrap().metrics.listen.is_some());
        assert!(listen("listen = \"[::1]:9465\"").unwrap().metrics.listen.is_some());
        let text = listen("listen = \"0.0.0.0:9465\"").unwrap_err().to_string();
        assert!(text.contains("/etc/phs.toml:11:") && text.contains("beyond_loopback"), "{text}");
        assert!(
            listen("listen = \"192.0.2.1:9465\"\nbeyond_loopback = true").unwrap().metrics.listen.is_some()
        );
    }

    #[test]
    fn a_password_is_the_first_line_of_a_file_that_nobody_else_reads() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        key::write_secret(&path, "pässword\nnote\n".as_bytes()).unwrap();
        let secret = SecretFile::Password(path.clone());
        let Credential::Password(password) = secret.read().unwrap() else { panic!("a password") };
        assert!(password.lend(|text| text == "pässword"));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(&path, mode).unwrap();
        let text = secret.read().unwrap_err().to_string();
        assert!(text.contains("0644") && !text.contains("pässword"), "{text}");
    }
}
