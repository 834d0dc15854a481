//! Binds: who is signed in on a connection, and what is left of it when something changes.
//!
//! An application binds as `cn=NAME,ou=applications` with its credential. A person binds by a distinguished name, or by any
//! name that signs in; that is a decision of [`SignIns`] each time. The application of a person's sign-in is the one that
//! has proved itself on the connection, or else the one that the address belongs to.
//! Neighbours: [`super::connection`] passes binds here, [`super::search`] reads as whoever is bound.

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

/// An outcome, and what the control of the password policy says beside it.
pub(crate) type Answered = (Outcome, Option<PasswordPolicyError>);

/// Who is signed in on a connection.
#[derive(Debug, Clone)]
pub(crate) enum Bound {
    Nobody,
    Application,
    /// A person, and what the rights stand on.
    Person {
        object: Uuid,
        mark: AccountMark,
    },
}

/// What a connection has proved.
#[derive(Debug)]
pub(crate) struct Session {
    /// The address of the connection.
    pub(crate) from: IpAddr,
    pub(crate) bound: Bound,
    /// The application of the connection: it has proved itself here, or the address is its own.
    proof: Option<SecretProof>,
    application: Option<Uuid>,
}

/// The words when a person's application is not known.
pub(crate) const NO_APPLICATION: &str = "no application is known for this connection: bind as an application first, or \
                                         give one the networks that its people and servers connect from";

/// Seconds before its expiry from which clients are warned of a password that expires: 14 days. Most domains have passwords
/// of 42 days or more, and clients that show each warning would show it all year.
const WARNING: u32 = 14 * 86_400;

/// The words when a connection has lost its rights, or never had any.
const NOT_BOUND: &str = "nobody is signed in on this connection, or not any more: bind first";

impl Session {
    pub(crate) fn new(from: IpAddr) -> Self {
        Self { from, bound: Bound::Nobody, proof: None, application: None }
    }

    /// The account by a name that no other account has, for what is bound to it.
    pub(crate) fn identity(&self) -> String {
        let application = self.application.unwrap_or_default();
        match &self.bound {
            Bound::Nobody => String::new(),
            Bound::Application => format!("application {application}"),
            Bound::Person { object, .. } => format!("person {object} of {application}"),
        }
    }

    /// Who reads, if the rights still hold. They end with the application or its secret, when the account is disabled,
    /// blocked, expired, or not assigned any more, and when its password changes.
    pub(crate) fn reader(&self, image: &Image) -> Result<Reader, Outcome> {
        let refused = || Outcome::new(ResultCode::InsufficientAccessRights, NOT_BOUND);
        let app = self.application.and_then(|id| image.application(id)).ok_or_else(refused)?.clone();
        let now = unix_now();
        match &self.bound {
            Bound::Nobody => Err(refused()),
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

    /// The name of who is signed in (RFC 4532): empty, or `dn:` and a distinguished name.
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

/// The password for octets that are no text. No account has it. The attempt counts, as with any wrong one.
pub(crate) fn impossible_password() -> Password {
    Password::new("\u{fffd}".repeat(8))
}

/// The distinguished name of an application.
fn application_name(name: &str) -> String {
    format!("cn={name},ou=applications")
}

/// The name of the application that a distinguished name is of: `cn=NAME,ou=applications`, with or without the name of a
/// domain behind it.
fn named_application(name: &DistinguishedName) -> Option<&str> {
    let above = name.parent()?;
    let (kind, value) = above.first()?;
    let (own, named) = name.first()?;
    let is_application = kind == "OU" && value.eq_ignore_ascii_case("applications");
    (is_application && matches!(own, "CN" | "UID")).then_some(named)
}

impl LdapDoor {
    /// Signs in. Before the answer nobody is signed in on the connection.
    pub(crate) async fn bind(&self, session: &mut Session, bind: Bind, arrived: Instant) -> Answered {
        session.bound = Bound::Nobody;
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
            // RFC 4513 5.1.2: clients that forget the password would take it for a sign-in.
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
        // 1. The application, and the account as it is before the decision: what changes during it ends the rights.
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
        // The mark of another account than the name led to would end the rights at once.
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

    /// Seconds until the password of the person who has signed in expires. None: nobody has, it does not soon, or the database
    /// fails, for which no sign-in fails.
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

/// The name by which an account signs in, and the account with its mark if the directory has it.
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

/// The name by which an account of a domain that the application serves signs in. None: it has none.
pub(crate) fn sign_in_name(tree: &Tree<'_>, object: &SeenObject<'_>) -> Option<String> {
    let domain = &tree.head_of(object)?.netbios_name;
    object.text("sAMAccountName").map(|sam| format!("{domain}\\{sam}"))
}

/// Who signs in a person of an application over a connection from this address.
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

/// The answer where a person's sign-in was not accepted.
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

/// The answer to a refused sign-in. Clients of AD read the number behind `data`. Without the right password, and for who is
/// not assigned, there is none.
fn refused(disclosed: Option<Disclosable>) -> Answered {
    let (words, policy) = match disclosed {
        None => ("the name or the password is wrong, or the account may not sign in", None),
        Some(Disclosable::MustChangePassword) => (
            "AcceptSecurityContext error, data 773: the password must be changed first",
            // Not changeAfterReset: that goes with a bind that succeeds, and SSSD ignores it beside a refusal.
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

/// The control of the password policy, for a client that wants it.
pub(crate) fn policy_control(
    wanted: bool,
    expires_in: Option<u32>,
    error: Option<PasswordPolicyError>,
) -> Vec<ResponseControl> {
    let control = ResponseControl::PasswordPolicy { expires_in, error };
    if wanted { vec![control] } else { Vec::new() }
}
