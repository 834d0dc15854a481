//! The preflight: every prerequisite in order, and for each that fails what to do. Changes nothing.
//! Neighbours: `main` prints the lines; the same parts do the work in `cycle`.

use crate::config::{Config, ConfigError};
use crate::directory::{Session, Singles};
use crate::error::PhsError;
use crate::mirror::{self, Mirror};
use crate::pull::{self, ObjectId};
use crate::send::Tenant;
use crate::watch::look_once;
use landbridge_agent::Identity;
use landbridge_agent::renew::{self, Due};
use landbridge_drsr::drs::change::Sid;
use landbridge_wire::bounded::Text;
use landbridge_wire::upload::Hello;
use uuid::Uuid;

/// One prerequisite.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What was looked at.
    pub what: &'static str,
    /// Whether it is as it must be.
    pub ok: bool,
    /// What was found; if it fails, with what to do.
    pub detail: String,
    /// If it fails, the exit status that `once` would end with.
    #[serde(skip)]
    pub exit_code: u8,
}

/// How the tenant is asked, once an identity is there.
pub type Asking<'a> = dyn FnMut(&Identity) -> Result<Box<dyn Tenant>, PhsError> + 'a;

/// Looks at everything that a cycle needs. `now` is in seconds since 1970.
pub fn check(config: &Config, instance: Uuid, now: i64, asking: &mut Asking<'_>) -> Vec<Finding> {
    let mut findings = Findings::default();
    findings.local(config);
    let identity = findings.identity(config, now);
    findings.controllers(config);
    findings.watch(config);
    let domain: Option<Sid> = identity.as_ref().and_then(|identity| identity.domain_sid.parse().ok());
    findings.directory(config, identity.as_ref(), domain.as_ref());
    if let Some(identity) = &identity {
        findings.tenant(identity, instance, asking);
    }
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, what: &'static str, detail: impl Into<String>) {
        self.0.push(Finding { what, ok: true, detail: detail.into(), exit_code: 0 });
    }

    fn fail(&mut self, what: &'static str, error: impl Into<PhsError>) {
        let error = error.into();
        let detail = format!("{error} ({})", error.who());
        self.0.push(Finding { what, ok: false, detail, exit_code: error.exit_code() });
    }

    fn unfit(&mut self, what: &'static str, detail: String, exit_code: u8) {
        self.0.push(Finding { what, ok: false, detail, exit_code });
    }

    fn local(&mut self, config: &Config) {
        let secret = &config.directory.secret;
        match secret.read() {
            Ok(_) => self.ok("credential", secret.path().display().to_string()),
            Err(error) => self.fail("credential", error),
        }
        let state = &config.state_directory;
        if !state.exists() {
            return self.unfit("state", format!("{}: not there yet: `enroll` makes it", state.display()), 3);
        }
        if let Err(error) = landbridge_agent::key::check_private_directory(state) {
            return self.fail("state", ConfigError::from(error));
        }
        match Mirror::scratch(state) {
            Ok(mirror) => match (mirror.saved(), mirror.quarantined()) {
                (Ok(saved), Ok(quarantined)) => {
                    let position = if saved.is_some() { "a cursor is stored" } else { "no cursor yet" };
                    let path = state.join(mirror::FILE);
                    let number = quarantined.len();
                    self.ok(
                        "state",
                        format!("{}: {position}, {number} objects in quarantine", path.display()),
                    );
                    for (guid, why) in quarantined.iter().take(10) {
                        self.ok("quarantine", format!("{guid}: {why}"));
                    }
                }
                (Err(error), _) | (_, Err(error)) => self.fail("state", error),
            },
            Err(error) => self.fail("state", error),
        }
    }

    fn identity(&mut self, config: &Config, now: i64) -> Option<Identity> {
        let identity = match Identity::load(&config.state_directory) {
            Ok(identity) => identity,
            Err(error) => {
                self.fail("identity", error);
                return None;
            }
        };
        self.ok("identity", format!("agent {} of {} at {}", identity.agent, identity.domain, identity.url));
        if !identity.domain.eq_ignore_ascii_case(&config.directory.domain) {
            let (enrolled, configured) = (identity.domain.clone(), config.directory.domain.clone());
            self.fail("domain", PhsError::OtherDomain { enrolled, configured });
        }
        let hours = identity.not_after.saturating_sub(now) / 3600;
        match renew::due(identity.not_before, identity.not_after, now, 0.0) {
            Due::NotBefore(_) | Due::Now => self.ok("certificate", format!("{hours} hours left")),
            Due::Alarm => {
                let detail = format!("{hours} hours left: renewals fail; `once` logs why");
                self.unfit("certificate", detail, 6);
            }
            Due::Ended(_) => self.ok("certificate", "over; the next `once` renews it"),
            Due::Over(seconds) => {
                self.fail(
                    "certificate",
                    landbridge_agent::AgentError::CertificateOver { days: seconds / 86_400 },
                );
            }
        }
        Some(identity)
    }

    fn controllers(&mut self, config: &Config) {
        for controller in &config.directory.controllers {
            match pull::reach(controller) {
                Ok(address) => self.ok("controller", format!("{} answers at {address}", controller.name)),
                Err(error) => self.fail("controller", error),
            }
        }
    }

    /// Not needed by a cycle, so nothing fails by it.
    fn watch(&mut self, config: &Config) {
        let poll = config.schedule.poll.as_secs();
        if !config.schedule.watch {
            return self.ok("watch", format!("off: `run` looks every {poll} s"));
        }
        for controller in &config.directory.controllers {
            let name = &controller.name;
            match look_once(controller) {
                Ok(()) => self.ok("watch", format!("{name} tells by LDAP that something changed")),
                Err(why) => {
                    let todo = "open the port, or set `watch = false` in [schedule]";
                    self.ok("watch", format!("{name}, port 389: {why}: `run` looks every {poll} s; {todo}"));
                }
            }
        }
    }

    fn directory(&mut self, config: &Config, identity: Option<&Identity>, domain: Option<&Sid>) {
        let mut alone = match Session::open(&config.directory, &[]) {
            Ok(alone) => alone,
            Err(error) => return self.fail("authentication", error),
        };
        let account = &config.directory.account;
        self.ok("authentication", format!("{} accepts {account}", alone.controller().name));
        let (Some(_), Some(domain)) = (identity, domain) else {
            return self.unfit(
                "replication",
                "not tried: the domain's SID comes with the identity".to_owned(),
                3,
            );
        };
        match alone.holds(domain) {
            Ok(true) => self.ok("domain", format!("{} has the SID {domain}", config.directory.domain)),
            Ok(false) => return self.fail("domain", PhsError::OtherSid { sid: domain.to_string() }),
            Err(error) => return self.fail("replication", error),
        }
        // Guest is in every domain and nobody's: whether its secret may be read stands for all.
        match alone.object(ObjectId::Sid(domain.with_rid(501)), true) {
            Ok(_) => self.ok("replication", "the account may read changes and secrets"),
            Err(error) => self.fail("replication", error),
        }
        for sid in &config.privileged.include {
            match alone.object(ObjectId::Sid(sid.clone()), false) {
                Ok(Some(_)) => self.ok("include", format!("{sid} is in the directory")),
                Ok(None) => {
                    let detail = format!("{sid}: no such account: take it out of [privileged].include");
                    self.unfit("include", detail, 3);
                }
                Err(error) => return self.fail("include", error),
            }
        }
    }

    fn tenant(&mut self, identity: &Identity, instance: Uuid, asking: &mut Asking<'_>) {
        let hello = Hello { instance, domain_sid: Text::cut(&identity.domain_sid) };
        match asking(identity).and_then(|mut tenant| tenant.hello(&hello)) {
            Ok(_) => self.ok("tenant", format!("{} takes uploads from this agent", identity.url)),
            Err(error) => self.fail("tenant", error),
        }
    }
}
