//! The change of a password by the page beside MIT's `kpasswd`, of the same people at the same domain controller, and the
//! time until the tenant has the digest of the new password.

use super::http::Connection;
use super::load::Cookies;
use super::page::hidden;
use crate::report::Comparison;
use crate::sync::joined;
use landbridge_crypto::salted_digest::Profile;
use landbridge_tests::lab::program::{Running, wait_until};
use landbridge_tests::lab::{
    Domain, LabError, Person, Phs, Population, PtaAgent, PtaSettings, RunningTenant, person, trusting, view,
};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::runtime::Runtime;
use url::form_urlencoded;
use uuid::Uuid;

/// People, each of whom changes the password twice: once in each way.
const ROUNDS: u32 = 20;
const SIDES: [&str; 2] = ["MIT's kpasswd", "the page, through an agent"];

/// All of it.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let world = World::make()?;
    let mut changes = Comparison::new("A change of password", "s", "", &SIDES);
    let mut arrivals = Comparison::new(
        "From the change on the page to the digest at the tenant",
        "s",
        "p50 at most 0.5 s",
        &["the digest of the new password"],
    );
    for round in 0..ROUNDS {
        let who = person(round);
        let by_kpasswd = format!("By-kpasswd-{round}");
        let by_page = format!("By-the-page-{round}");
        let (first, second);
        // In turns: who comes first finds the caches of the other one.
        if round % 2 == 0 {
            let (object, before) = world.digest(&who)?;
            first = world.by_kpasswd(&who, &who.password, &by_kpasswd)?;
            // The page accepts the new password only when phs has brought its digest.
            world.await_digest(object, &before)?;
            second = world.by_page(&who, &by_kpasswd, &by_page)?;
        } else {
            second = world.by_page(&who, &who.password, &by_page)?;
            first = world.by_kpasswd(&who, &by_page, &by_kpasswd)?;
        }
        changes.round(&[first, second.0]);
        arrivals.round(&[second.1]);
        eprintln!("    change: round {} of {ROUNDS}", round + 1);
    }
    changes.note =
        "The page: one form on an open connection, the old password by digest, HPKE, a bind, Kerberos' change, a \
                    bind with the new password. kpasswd: its own start, Kerberos' change."
            .to_owned();
    Ok(vec![changes, arrivals])
}

struct World {
    runtime: Runtime,
    domain: Domain,
    tenant: RunningTenant,
    address: SocketAddr,
    ca: std::path::PathBuf,
    _phs: (Phs, Running),
    _agent: PtaAgent,
}

impl World {
    fn make() -> Result<Self, LabError> {
        let runtime = Runtime::new().map_err(|why| LabError::said("a runtime", &why))?;
        let domain = Domain::start(Population::of(1_000))?;
        domain.set_policy(serde_json::json!({ "minPwdAge": "0" }))?;
        let (tenant, phs) = joined(&domain, Profile::Entra)?;
        let (issuer, ca) = tenant.serve_oidc()?;
        let ip = issuer.trim_start_matches("https://").parse();
        let ip = ip.map_err(|why| LabError::said("the issuer's address", &why))?;
        phs.once(&[])?.expect_code(0);
        let settings = PtaSettings {
            directory: "change_passwords = true".to_owned(),
            level: "warn",
            ..PtaSettings::for_domain(&domain)
        };
        let agent = PtaAgent::start(&settings, &tenant)?;
        tenant.wait_for_connections(2, 30)?;
        let policy = ["domains", "policy", domain.name(), "--change-passwords", "on"];
        tenant.run(&policy, None)?.expect_code(0);
        let daemon = phs.run_daemon()?;
        let address = SocketAddr::new(ip, 443);
        Ok(Self { runtime, domain, tenant, address, ca, _phs: (phs, daemon), _agent: agent })
    }

    /// Seconds of a change by `kpasswd`.
    fn by_kpasswd(&self, who: &Person, old: &str, new: &str) -> Result<f64, LabError> {
        let mut command = view::command("/usr/bin/kpasswd")?;
        command.env("KRB5_CONFIG", self.domain.folder().join("krb5.conf"));
        command.arg(format!("{}@{}", who.sam, self.domain.name().to_uppercase()));
        let input = format!("{old}\n{new}\n{new}\n");
        let began = Instant::now();
        let folder = self.domain.folder().join("output");
        let done = Running::start(command, Some(input.as_bytes()), &folder)?.finish(30)?;
        let took = began.elapsed().as_secs_f64();
        if done.code == Some(0) { Ok(took) } else { Err(LabError::said("kpasswd", &done)) }
    }

    /// Seconds of a change by the page, from the form to its answer, and until the digest of the new password is there.
    fn by_page(&self, who: &Person, old: &str, new: &str) -> Result<(f64, f64), LabError> {
        let (object, before) = self.digest(who)?;
        let changing = self.change(who, old, new);
        let (took, changed) = self.runtime.block_on(changing)?;
        self.await_digest(object, &before)?;
        Ok((took, changed.elapsed().as_secs_f64()))
    }

    async fn change(&self, who: &Person, old: &str, new: &str) -> Result<(f64, Instant), LabError> {
        let form = |pairs: &[(&str, &str)]| {
            form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
        };
        // 1. A session of the person's own page.
        let mut connection = Connection::open(self.address, &trusting(&self.ca)?).await?;
        let mut cookies = Cookies::default();
        let page = connection.get("/", "").await?.expect("the page", 200)?;
        cookies.store(&page);
        let csrf = hidden(&String::from_utf8_lossy(&page.body), "csrf");
        let sent = form(&[("csrf", &csrf), ("name", &who.upn), ("password", old)]);
        let answer = connection.post("/sign-in", &cookies.header(), &sent).await?.expect("a sign-in", 303)?;
        cookies.store(&answer);
        // 2. The form, and the change.
        let page = connection.get("/change-password", &cookies.header()).await?.expect("the form", 200)?;
        cookies.store(&page);
        let text = String::from_utf8_lossy(&page.body).into_owned();
        let csrf = hidden(&text, "csrf");
        let sent = form(&[
            ("csrf", &csrf),
            ("name", &who.upn),
            ("password", old),
            ("new-password", new),
            ("new-password-again", new),
        ]);
        let began = Instant::now();
        connection.post("/change-password", &cookies.header(), &sent).await?.expect("a change", 303)?;
        Ok((began.elapsed().as_secs_f64(), Instant::now()))
    }

    /// This person's objectGUID, and the stamp of the digest that the tenant has now.
    fn digest(&self, who: &Person) -> Result<(Uuid, Option<Vec<u8>>), LabError> {
        let object = self.domain.identity(&who.sam)?.guid;
        Ok((object, self.tenant.digest_stamp(object)?))
    }

    /// Waits until the tenant has another digest of this account than the one with the stamp `before`.
    fn await_digest(&self, object: Uuid, before: &Option<Vec<u8>>) -> Result<(), LabError> {
        let held = || self.tenant.digest_stamp(object).is_ok_and(|stamp| stamp.is_some() && stamp != *before);
        wait_until("a digest of the new password", 30, held, String::new)
    }
}
