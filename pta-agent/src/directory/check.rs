//! The preflight of the directory: for every domain controller whether it can be used, and what to do if not. It does
//! not affect an account, since its bind is for a SID that no account has. [`super::check_account`] checks whether a
//! right password is accepted.

use super::controller::{Shared, Unusable};
use super::discover::Controllers;
use super::kerberos_port::{self, KDC};
use super::requested::AccountSid;
use super::verdict::BindAnswer;
use landbridge_crypto::secret::Password;
use landbridge_kerberos::password_change;
use landbridge_wire::signin::DirectoryVerdict;
use serde::Serialize;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// One prerequisite.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Name of the prerequisite.
    pub what: String,
    /// Whether the prerequisite holds.
    pub good: bool,
    /// The finding, in words.
    pub found: String,
    /// The remedy, if the prerequisite does not hold.
    pub todo: Option<String>,
}

impl Finding {
    /// A prerequisite that holds.
    pub fn good(what: &str, found: impl Into<String>) -> Self {
        Self { what: what.to_owned(), good: true, found: found.into(), todo: None }
    }

    /// A prerequisite that does not hold.
    pub fn bad(what: &str, found: impl Into<String>, todo: &str) -> Self {
        Self { what: what.to_owned(), good: false, found: found.into(), todo: Some(todo.to_owned()) }
    }
}

/// A domain controller that passed.
#[derive(Debug)]
pub struct Usable(pub(super) Shared);

/// The result of the preflight.
#[derive(Debug)]
pub struct Checked {
    /// Every prerequisite.
    pub findings: Vec<Finding>,
    /// The first domain controller that passed. None: none did.
    pub first: Option<Usable>,
}

/// Limit on reading a rootDSE.
const LOOK: Duration = Duration::from_secs(3);

/// Checks all domain controllers. `head` is the DN of the domain's head, `domain_sid` its SID, if it is known.
/// `kerberos`: check the ports for changes of password as well.
pub(super) async fn check(
    head: &str,
    domain_sid: Option<&str>,
    controllers: &Controllers,
    kerberos: bool,
) -> Checked {
    let (mut findings, mut first) = (Vec::new(), None);
    // Positions in `findings` of the domain controllers that cannot be reached.
    let mut unreachable = Vec::new();
    let all = controllers.all().await;
    if let Some(why) = controllers.trouble() {
        let todo =
            "name the domain controllers in [[directory.controllers]], or mend the DNS of this machine";
        findings.push(Finding::bad("DNS", why, todo));
    }
    for note in controllers.notes() {
        findings.push(Finding::good("DNS", note));
    }
    if all.is_empty() {
        findings.push(Finding::bad(
            "domain controllers",
            "none is known",
            "name one in [[directory.controllers]]",
        ));
    }
    // All are dialled at the same time, because each silent one delays the result by some seconds.
    let dial = |controller: &Shared| {
        let controller = controller.clone();
        tokio::spawn(async move { controller.connection().await })
    };
    let dialling: Vec<_> = all.iter().map(dial).collect();
    for (controller, dialled) in all.iter().zip(dialling) {
        let what = format!("domain controller {}", controller.name());
        let mut connection = match dialled.await.unwrap_or(Err(Unusable::Stopping)) {
            Ok(connection) => connection,
            Err(why) => {
                findings.push(Finding::bad(&what, why.to_string(), &why.todo()));
                unreachable.push(findings.len() - 1);
                continue;
            }
        };
        let root = match connection.root(Instant::now() + LOOK).await {
            Ok(Some(root)) => root,
            Ok(None) => {
                let found = "no rootDSE: this is no domain controller";
                findings.push(Finding::bad(&what, found, "name a domain controller"));
                continue;
            }
            // With TLS 1.3 a server refuses a client without a certificate only now.
            Err(why) => {
                let todo = "look whether this is a domain controller, and into its log";
                findings.push(Finding::bad(&what, format!("no rootDSE: {why}"), todo));
                continue;
            }
        };
        let context = root.get("defaultNamingContext").and_then(|v| v.first()).map_or("", String::as_str);
        if !context.eq_ignore_ascii_case(head) {
            let todo = "name a domain controller of the domain that this agent was enrolled for";
            findings.push(Finding::bad(&what, format!("it serves {context}"), todo));
            continue;
        }
        if kerberos {
            findings.push(kerberos_ports(&what, controller).await);
        }
        let random = Password::new(format!("{}{}", Uuid::new_v4(), Uuid::new_v4()));
        let nobody = AccountSid::nobody(domain_sid);
        let tried = connection.bind(nobody.as_str(), &random, Instant::now() + Duration::from_secs(5));
        findings.push(match tried.await.map(|(answer, _)| answer) {
            Ok(BindAnswer::Verdict(DirectoryVerdict::Wrong) | BindAnswer::UnknownName) => {
                first.get_or_insert_with(|| Usable(controller.clone()));
                Finding::good(&what, "TLS is verified, and a bind for nobody is refused as it must be")
            }
            Ok(BindAnswer::Verdict(DirectoryVerdict::Valid)) => Finding::bad(
                &what,
                "it says yes to a password that is nobody's",
                "this is no domain controller of yours",
            ),
            Ok(other) => {
                let found = format!("a bind for nobody is not refused as it must be: {}", other.in_words());
                Finding::bad(&what, found, "look into its log")
            }
            Err(_) => {
                let why = controller.health().why.unwrap_or_default();
                Finding::bad(&what, format!("a bind was not answered: {why}"), "look into its log")
            }
        });
    }
    // Every domain controller in the configuration must serve. Of those that DNS names one is enough.
    for at in unreachable.into_iter().filter(|_| controllers.are_found() && first.is_some()) {
        if let Some(finding) = findings.get_mut(at) {
            let found = format!("{}: others are used", finding.found);
            *finding = Finding { good: true, found, ..finding.clone() };
        }
    }
    Checked { findings, first }
}

/// Whether the ports of the KDC and of its service for passwords can be reached.
async fn kerberos_ports(what: &str, controller: &Shared) -> Finding {
    let what = format!("{what}, change of passwords");
    let mut closed = Vec::new();
    for port in [KDC, password_change::PORT] {
        if let Err(none) = kerberos_port::connect(controller.config(), port, Instant::now() + LOOK).await {
            closed.push(none.why);
        }
    }
    if closed.is_empty() {
        return Finding::good(&what, "its ports 88 and 464 can be reached");
    }
    let todo = "let this machine reach ports 88 and 464 (tcp) of each domain controller, or leave out \
                `change_passwords`: then people do not change their passwords on the sign-in page";
    Finding::bad(&what, closed.join("; "), todo)
}
