//! Binds: who is signed in on a connection, and which rights remain when an account or an application changes.
//!
//! An application binds as `cn=NAME,ou=applications` with its credential. A person binds by a distinguished name, or by
//! any name that signs in; each such bind is a decision of [`SignIns`]. The application of a person's sign-in is the
//! one that has proved itself on the connection. If none has, it is the one that the address of the connection belongs
//! to.
//! Neighbours: [`super::connection`] passes binds here, [`super::search`] reads with the rights of the [`Reader`].

use super::controls::{PasswordPolicyError, ResponseControl};
use super::door::LdapDoor;
use super::message::{Bind, Credentials};
use super::response::{Outcome, ResultCode};
use super::search::Reader;
use super::tree::{Tree, no_photo};
use landbridge_crypto::secret::Password;
use landbridge_tenant_core::applications::{NotAuthenticated, SecretProof};
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::directory::Kind;
use landbridge_tenant_core::directory::image::Image;
use landbridge_tenant_core::directory::image::application::LdapApplication;
use landbridge_tenant_core::directory::image::index::{Lookup, looked_up};
use landbridge_tenant_core::directory::image::seen::{AccountMark, SeenObject};
use landbridge_tenant_core::sign_ins::{Attempt, Caller, Disclosable, Source, Unavailable, Verdict};
use landbridge_wire::distinguished_name::DistinguishedName;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// The outcome of a bind or of a change of password, and the error for the control of the password policy.
pub(crate) type Answered = (Outcome, Option<PasswordPolicyError>);

/// Who is signed in on a connection.
#[derive(Debug, Clone)]
pub(crate) enum Bound {
    /// The connection is anonymous.
    Anonymous,
    /// The application of the session.
    Application,
    /// A person.
    Person {
        /// objectGUID of the account.
        object: Uuid,
        /// The state of the account at the bind. The rights end when the account has another one.
        mark: AccountMark,
    },
}

/// What a connection has proved.
#[derive(Debug)]
pub(crate) struct Session {
    /// The address of the connection.
    pub(crate) from: IpAddr,
    pub(crate) bound: Bound,
    /// The credential by which an application has bound on this connection. None: none has.
    proof: Option<SecretProof>,
    /// The application of the last successful bind: its own, or the one of the person's sign-in.
    application: Option<Uuid>,
}

/// The message if the application of a person's bind is not known.
pub(crate) const NO_APPLICATION: &str = "no application is known for this connection: bind as an application first, or \
                                         give one the networks that its people and servers connect from";

/// Seconds before the expiry of a password within which a bind returns a warning: 14 days. Passwords of most domains
/// expire after 42 days or more, and clients that show every warning would otherwise show one all year.
const WARNING: u32 = 14 * 86_400;

/// The message if a connection has lost its rights, or never had any.
const NOT_BOUND: &str = "nobody is signed in on this connection, or not any more: bind first";

impl Session {
    pub(crate) fn new(from: IpAddr) -> Self {
        Self { from, bound: Bound::Anonymous, proof: None, application: None }
    }

    /// A text that differs for every account and application, for data that is bound to the reader.
    pub(crate) fn identity(&self) -> String {
        let application = self.application.unwrap_or_default();
        match &self.bound {
            Bound::Anonymous => String::new(),
            Bound::Application => format!("application {application}"),
            Bound::Person { object, .. } => format!("person {object} of {application}"),
        }
    }

    /// The reader, if the connection still has its rights. The rights end with the application and its secret; those of
    /// a person also end when the account is disabled, blocked, expired or no longer assigned, or its password changes.
    pub(crate) fn reader(&self, image: &Image) -> Result<Reader, Outcome> {
        let refused = || Outcome::new(ResultCode::InsufficientAccessRights, NOT_BOUND);
        let app = self.application.and_then(|id| image.application(id)).ok_or_else(refused)?.clone();
        let now = unix_now();
        match &self.bound {
            Bound::Anonymous => Err(refused()),
            Bound::Application => {
                let proof = self.proof.as_ref().ok_or_else(refused)?;
                if app.has_rights(proof, self.from, now) {
                    Ok(Reader { app, person: None })
                } else {
                    Err(refused())
                }
            }
            Bound::Person { object, mark } => {
                let seen = image.seen_by(&app);
                let holds = |found: &SeenObject<'_>| found.is_enabled(now) && mark.holds(&found.mark());
                seen.by_id(*object).filter(holds).map(drop).ok_or_else(refused)?;
                Ok(Reader { app, person: Some(*object) })
            }
        }
    }

    /// The authorization identity (RFC 4532): `dn:` and a distinguished name, or empty on an anonymous connection.
    pub(crate) fn who_am_i(&self, image: &Image) -> String {
        let Ok(reader) = self.reader(image) else { return String::new() };
        match reader.person {
            None => format!("dn:{}", application_name(&reader.app.application.name)),
            Some(person) => {
                let seen = image.seen_by(&reader.app);
                let tree = Tree::new(image, &reader.app, &seen, &no_photo);
                let name = seen.by_id(person).and_then(|object| tree.name_of(&object));
                name.map_or_else(String::new, |name| format!("dn:{name}"))
            }
        }
    }

    /// The application whose people sign in on this connection.
    pub(crate) fn application(&self, image: &Image) -> Option<Arc<LdapApplication>> {
        let proved = self.proof.as_ref().and_then(|proof| {
            let app = image.application(proof.application)?;
            app.has_rights(proof, self.from, unix_now()).then_some(app)
        });
        proved.or_else(|| image.application_at(self.from)).cloned()
    }
}

/// The password that is checked in place of octets that are not UTF-8. No account has it, so the attempt counts as one
/// with a wrong password.
pub(crate) fn impossible_password() -> Password {
    Password::new("\u{fffd}".repeat(8))
}

/// The distinguished name of an application.
fn application_name(name: &str) -> String {
    format!("cn={name},ou=applications")
}

/// The NAME in `cn=NAME,ou=applications`, with or without the distinguished name of a domain after it. None: the
/// distinguished name is not that of an application.
fn named_application(name: &DistinguishedName) -> Option<&str> {
    let above = name.parent()?;
    let (kind, value) = above.first()?;
    let (own, named) = name.first()?;
    let is_application = kind == "OU" && value.eq_ignore_ascii_case("applications");
    (is_application && matches!(own, "CN" | "UID")).then_some(named)
}

impl LdapDoor {
    /// Decides a bind. The connection is anonymous until the bind has succeeded (RFC 4513 4).
    pub(crate) async fn bind(&self, session: &mut Session, bind: Bind, arrived: Instant) -> Answered {
        session.bound = Bound::Anonymous;
        let refuse = |code, words: &str| (Outcome::new(code, words), None);
        // 1. What is no sign-in.
        if bind.version != 3 {
            return refuse(ResultCode::ProtocolError, "only version 3 of LDAP is spoken here");
        }
        let password = match bind.credentials {
            Credentials::Simple(password) => password,
            Credentials::NotText => impossible_password(),
            Credentials::Sasl(_) | Credentials::Other => {
                let words = "only simple binds, with name and password";
                return refuse(ResultCode::AuthMethodNotSupported, words);
            }
        };
        if password.lend(str::is_empty) {
            if bind.name.is_empty() {
                return refuse(ResultCode::Success, "");
            }
            // RFC 4513 5.1.2: a client that forgets to send the password would mistake success for a sign-in.
            return refuse(ResultCode::UnwillingToPerform, "a bind with a name needs a password");
        }
        // 2. An application.
        let parsed = DistinguishedName::parse(&bind.name).ok();
        if let Some(name) = parsed.as_ref().and_then(named_application) {
            return (self.bind_application(session, name.to_owned(), password).await, None);
        }
        // 3. A person.
        self.bind_person(session, &bind.name, parsed.as_ref(), password, arrived).await
    }

    async fn bind_application(&self, session: &mut Session, name: String, password: Password) -> Outcome {
        let (applications, from) = (self.applications.clone(), session.from);
        let proving = tokio::task::spawn_blocking(move || {
            password.lend(|text| applications.authenticate_reader(&name, text, from))
        });
        match proving.await {
            Ok(Ok(proof)) => {
                session.application = Some(proof.application);
                session.proof = Some(proof);
                session.bound = Bound::Application;
                Outcome::new(ResultCode::Success, "")
            }
            Ok(Err(NotAuthenticated::Unknown)) => {
                (session.application, session.proof) = (None, None);
                let words = "no application has this name and secret, reads by LDAP and may connect from this address";
                Outcome::new(ResultCode::InvalidCredentials, words)
            }
            Ok(Err(NotAuthenticated::OverRate(_))) => Outcome::new(ResultCode::Busy, "over the rate"),
            Ok(Err(NotAuthenticated::Storage)) | Err(_) => {
                Outcome::new(ResultCode::Unavailable, "the tenant's database fails")
            }
        }
    }

    async fn bind_person(
        &self,
        session: &mut Session,
        name: &str,
        parsed: Option<&DistinguishedName>,
        password: Password,
        arrived: Instant,
    ) -> Answered {
        let refuse = |code, words: &str| (Outcome::new(code, words), None);
        // 1. The application, and the state of the account before the decision: a change during it ends the rights.
        if self.follow().await.is_err() {
            return refuse(ResultCode::Unavailable, "the tenant's database fails");
        }
        let found = self.directory.image(|image| {
            let app = session.application(image)?;
            let (user, mark) = account(image, &app, name, parsed);
            Some((app, user, mark))
        });
        let Some((app, user, account)) = found.flatten() else {
            return refuse(ResultCode::UnwillingToPerform, NO_APPLICATION);
        };
        // 2. The decision.
        let (applications, application, by) =
            (self.applications.clone(), app.application.clone(), caller(&app, session.from));
        let attempt = Attempt { user, password: Arc::new(password), now: unix_now(), arrived };
        let decided = self.sign_ins.sign_in(attempt, move || {
            applications.charge(&application, arrived)?;
            Ok::<_, NotAuthenticated>(by)
        });
        // 3. What it means for the connection.
        let decided = decided.await;
        let Ok(Verdict::Accepted(person)) = &decided else { return not_signed_in(&decided) };
        // The name may have led to another account than the one that signed in. Its mark would end the rights at once.
        let mark = match account {
            Some((object, mark)) if object == person.object => Some(mark),
            Some(_) | None => self.mark_of(&app, person.object).await,
        };
        session.application = Some(app.application.id);
        if session.proof.as_ref().is_some_and(|proof| proof.application != app.application.id) {
            session.proof = None;
        }
        if let Some(mark) = mark {
            session.bound = Bound::Person { object: person.object, mark };
        }
        (Outcome::new(ResultCode::Success, ""), None)
    }

    /// Seconds until the password of the person who is signed in expires. None if no person is signed in, if the
    /// password does not expire within [`WARNING`] seconds, and if the database fails: a bind does not fail for a
    /// missing warning.
    pub(crate) async fn expires_in(&self, session: &Session) -> Option<u32> {
        let Bound::Person { object, .. } = session.bound else { return None };
        let passwords = self.passwords.clone();
        let ends = tokio::task::spawn_blocking(move || passwords.expires_at(object)).await.ok()?.ok()??;
        u32::try_from(ends.saturating_sub(unix_now())).ok().filter(|left| *left <= WARNING)
    }

    pub(crate) async fn mark_of(&self, app: &Arc<LdapApplication>, object: Uuid) -> Option<AccountMark> {
        self.follow().await.ok()?;
        self.directory.image(|image| image.seen_by(app).by_id(object).map(|found| found.mark())).flatten()
    }
}

/// The name that is passed to [`SignIns`] for the name in a request. If exactly one account of the application's
/// domains has that name, also the account and its mark.
pub(crate) fn account(
    image: &Image,
    app: &LdapApplication,
    name: &str,
    parsed: Option<&DistinguishedName>,
) -> (String, Option<(Uuid, AccountMark)>) {
    let seen = image.whole();
    let tree = Tree::new(image, app, &seen, &no_photo);
    // 1. A distinguished name, or a name without a domain: the one account that has it.
    let found = match parsed {
        Some(parsed) => tree.find(parsed).and_then(|node| node.object().copied()),
        None if name.contains(['@', '\\']) => None,
        None => {
            let text = looked_up(name);
            let served =
                |object: &SeenObject<'_>| object.kind() == Kind::Account && tree.head_of(object).is_some();
            let mut all = seen.find(Lookup::Text("sAMAccountName", &text)).filter(served);
            let first = all.next();
            first.filter(|_| all.next().is_none())
        }
    };
    let Some(object) = found.filter(|object| object.kind() == Kind::Account) else {
        return (name.to_owned(), None);
    };
    // 2. The name that signs it in.
    match sign_in_name(&tree, &object) {
        Some(known) => (known, Some((object.id(), object.mark()))),
        None => (name.to_owned(), None),
    }
}

/// The name `DOMAIN\\account` by which an account signs in. None: it has no sAMAccountName, or the application does not
/// serve its domain.
pub(crate) fn sign_in_name(tree: &Tree<'_>, object: &SeenObject<'_>) -> Option<String> {
    let domain = &tree.head_of(object)?.netbios_name;
    object.text("sAMAccountName").map(|sam| format!("{domain}\\{sam}"))
}

/// The caller of a sign-in over a connection from this address to this application.
pub(crate) fn caller(app: &LdapApplication, from: IpAddr) -> Caller {
    let application = &app.application;
    Caller {
        door: "ldap",
        actor: format!("app {}", application.name),
        source: if app.access.people_connect { Source::Address(from) } else { Source::Application },
        address: Some(from),
        application: Some(application.id),
        domains: application.domain_rows(),
    }
}

/// The answer to a sign-in that was refused or could not be decided.
pub(crate) fn not_signed_in(decided: &Result<Verdict, NotAuthenticated>) -> Answered {
    let refuse = |code, words: &str| (Outcome::new(code, words), None);
    match decided {
        Ok(Verdict::Refused { disclosed, .. }) => refused(*disclosed),
        Ok(Verdict::Unavailable(Unavailable::Overloaded)) | Err(NotAuthenticated::OverRate(_)) => {
            refuse(ResultCode::Busy, "too many sign-ins at the same time: try again, or another server")
        }
        Ok(Verdict::Unavailable(_) | Verdict::Accepted(_))
        | Err(NotAuthenticated::Storage | NotAuthenticated::Unknown) => {
            refuse(ResultCode::Unavailable, "the sign-in cannot be decided now: try another server")
        }
    }
}

/// The answer to a refused sign-in. Clients of AD read the number behind `data`. It is sent only after the right
/// password of an account that is assigned.
fn refused(disclosed: Option<Disclosable>) -> Answered {
    let (words, policy) = match disclosed {
        None => ("the name or the password is wrong, or the account may not sign in", None),
        Some(Disclosable::MustChangePassword) => (
            "AcceptSecurityContext error, data 773: the password must be changed first",
            // Not changeAfterReset: the draft has it for binds that succeed, and SSSD ignores it in a refusal.
            Some(PasswordPolicyError::PasswordExpired),
        ),
        Some(Disclosable::PasswordExpired) => (
            "AcceptSecurityContext error, data 532: the password has expired",
            Some(PasswordPolicyError::PasswordExpired),
        ),
        Some(Disclosable::AccountExpired) => (
            "AcceptSecurityContext error, data 701: the account has expired",
            Some(PasswordPolicyError::AccountLocked),
        ),
    };
    (Outcome::new(ResultCode::InvalidCredentials, words), policy)
}

/// The control of the password policy, if the request had it.
pub(crate) fn policy_control(
    wanted: bool,
    expires_in: Option<u32>,
    error: Option<PasswordPolicyError>,
) -> Vec<ResponseControl> {
    let control = ResponseControl::PasswordPolicy { expires_in, error };
    if wanted { vec![control] } else { Vec::new() }
}
