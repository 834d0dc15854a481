//! People change their own passwords (RFC 3062).
//!
//! Every request needs the old password. [`Passwords`] signs in with it first, so a change is bounded, delayed and
//! audited as a bind is, and a wrong old password has the answer of a bind. If a person is signed in on the connection,
//! the request changes that person's password, and may have any name of that person that signs in. On an anonymous
//! connection the request names the person: clients send this form after a bind that was refused because the password
//! has expired. An application cannot change a password.
//!
//! After a change the connection of the person keeps its rights, and the person's other connections lose theirs. An
//! anonymous connection stays anonymous.
//! Neighbours: [`super::password_modify`] decodes the request, [`super::bind`] knows who is signed in.

use super::bind::{
    Answered, Bound, NO_APPLICATION, Session, account, caller, impossible_password, not_signed_in,
    sign_in_name,
};
use super::controls::PasswordPolicyError;
use super::door::LdapDoor;
use super::message::Limits;
use super::password_modify::{self, PasswordModify, SentPassword};
use super::response::{Outcome, ResultCode};
use super::tree::{Tree, no_photo};
use landbridge_crypto::secret::Password;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::directory::image::Image;
use landbridge_tenant_core::directory::image::application::LdapApplication;
use landbridge_tenant_core::passwords::{Change, Changed, NewRefused};
use landbridge_tenant_core::sign_ins::{Attempt, NoAnswer};
use landbridge_wire::distinguished_name::DistinguishedName;
use landbridge_wire::printable::one_line;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::spawn_blocking;
use uuid::Uuid;

/// Limit on a new password, in UTF-16 units. Active Directory has the same one.
const MAX_NEW_PASSWORD: usize = 256;

/// The person whose password a request changes.
struct Subject {
    /// The application of the connection.
    app: Arc<LdapApplication>,
    /// The name that signs the person in.
    user: String,
    /// Whether the person is signed in on the connection.
    signed_in: bool,
    /// A name in the request that the directory in memory does not know, and the objectGUID of the person who is signed
    /// in. The database decides whether it is a name of that account. None: there is nothing left to decide.
    claimed: Option<(String, Uuid)>,
}

fn answer(code: ResultCode, words: impl Into<String>) -> Answered {
    (Outcome::new(code, words), None)
}

fn answer_with(code: ResultCode, words: impl Into<String>, error: PasswordPolicyError) -> Answered {
    (Outcome::new(code, words), Some(error))
}

impl LdapDoor {
    /// Changes a person's own password. `value` is the `requestValue` of the extended request.
    pub(crate) async fn change_password(
        &self,
        session: &mut Session,
        value: Option<&[u8]>,
        arrived: Instant,
    ) -> Answered {
        // 1. The request, and the person whose password it changes.
        let request = match password_modify::decode(value, &Limits::DEFAULT) {
            Ok(request) => request,
            Err((code, words)) => return answer(code, words),
        };
        let PasswordModify { user, old, new } = request;
        if self.follow().await.is_err() {
            return answer(ResultCode::Unavailable, "the tenant's database fails");
        }
        let found = self.directory.image(|image| subject(image, session, user.as_deref()));
        let Subject { app, user, signed_in, claimed } = match found {
            Some(Ok(subject)) => subject,
            Some(Err(refused)) => return refused,
            None => return answer(ResultCode::Unavailable, "the tenant's database fails"),
        };
        if let Some((name, object)) = claimed {
            let passwords = self.passwords.clone();
            match spawn_blocking(move || passwords.is_name_of(&name, object)).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return of_another(),
                Ok(Err(_)) | Err(_) => return answer(ResultCode::Unavailable, "the tenant's database fails"),
            }
        }
        // 2. The passwords.
        let (old, new) = match both(old, new) {
            Ok(both) => both,
            Err(refused) => return refused,
        };
        // 3. The change.
        let attempt = Attempt { user, password: Arc::new(old), now: unix_now(), arrived };
        let caller = caller(&app, session.from);
        let change = Change { attempt, new: Arc::new(new), caller, session: None };
        let (applications, application) = (self.applications.clone(), app.application.clone());
        let changed = self.passwords.change(change, move || applications.charge(&application, arrived)).await;
        // 4. The result, and the rights of the connection.
        match changed {
            Ok(Changed::Done { object, password_set, .. }) => {
                if signed_in {
                    // Without pwdLastSet of the new password a later change would not end the rights.
                    let mark = self.mark_of(&app, object).await.zip(password_set);
                    session.bound = match mark.map(|(mark, at)| mark.expecting(at)) {
                        Some(mark) => Bound::Person { object, mark },
                        None => Bound::Anonymous,
                    };
                }
                answer(ResultCode::Success, "")
            }
            Ok(changed) => not_changed(changed),
            Err(why) => not_signed_in(&Err(why)),
        }
    }
}

/// The person whose password a request with this name changes on this connection. The error is the answer.
fn subject(image: &Image, session: &Session, name: Option<&str>) -> Result<Subject, Answered> {
    let parsed = name.and_then(|name| DistinguishedName::parse(name).ok());
    // 1. An application is signed in.
    if matches!(session.bound, Bound::Application) {
        let words = "an application changes no passwords: people change their own, with the old one, on a connection \
                     on which they have signed in or nobody has";
        let error = PasswordPolicyError::PasswordModNotAllowed;
        return Err(answer_with(ResultCode::InsufficientAccessRights, words, error));
    }
    match (session.reader(image), name) {
        // 2. A person is signed in, and may be named.
        (Ok(reader), name) => {
            let object = reader.person.ok_or_else(of_another)?;
            let app = reader.app;
            let seen = image.whole();
            let tree = Tree::new(image, &app, &seen, &no_photo);
            let user = seen.by_id(object).and_then(|object| sign_in_name(&tree, &object));
            let Some(user) = user else {
                let words = "the account has no name that signs in";
                return Err(answer(ResultCode::UnwillingToPerform, words));
            };
            let claimed = match name {
                None => None,
                Some(name) => match account(image, &app, name, parsed.as_ref()).1 {
                    Some((named, _)) if named == object => None,
                    Some(_) => return Err(of_another()),
                    None => Some((name.to_owned(), object)),
                },
            };
            drop(tree);
            Ok(Subject { app, user, signed_in: true, claimed })
        }
        // 3. The connection is anonymous.
        (Err(refused), None) => Err((refused, None)),
        (Err(_), Some(name)) => {
            let Some(app) = session.application(image) else {
                return Err(answer(ResultCode::UnwillingToPerform, NO_APPLICATION));
            };
            let (user, _) = account(image, &app, name, parsed.as_ref());
            Ok(Subject { app, user, signed_in: false, claimed: None })
        }
    }
}

fn of_another() -> Answered {
    let words =
        "the password is not that of the person who is signed in: people change their own passwords alone";
    answer_with(ResultCode::InsufficientAccessRights, words, PasswordPolicyError::PasswordModNotAllowed)
}

/// The old and the new password, if both were sent and the new one is text within the limit. The error is the answer.
fn both(old: Option<SentPassword>, new: Option<SentPassword>) -> Result<(Password, Password), Answered> {
    let old = match old {
        Some(SentPassword::Text(old)) => old,
        Some(SentPassword::NotText) => impossible_password(),
        None => {
            let words = "a change of password needs the old password as well";
            let error = PasswordPolicyError::MustSupplyOldPassword;
            return Err(answer_with(ResultCode::UnwillingToPerform, words, error));
        }
    };
    let unfit = |words| {
        let error = PasswordPolicyError::InsufficientPasswordQuality;
        Err(answer_with(ResultCode::ConstraintViolation, words, error))
    };
    match new {
        Some(SentPassword::Text(new)) if new.lend(|text| text.encode_utf16().count()) <= MAX_NEW_PASSWORD => {
            Ok((old, new))
        }
        Some(SentPassword::Text(_)) => unfit("the new password is longer than 256 characters"),
        Some(SentPassword::NotText) => unfit("the new password is no text in UTF-8"),
        None => {
            let words = "no password is made up here: send the new one";
            Err(answer(ResultCode::UnwillingToPerform, words))
        }
    }
}

/// The answer if the password was not changed, and if it is not known whether it was.
fn not_changed(changed: Changed) -> Answered {
    use PasswordPolicyError as Policy;
    let ask = "change it on a computer of the domain, or ask its administrator";
    match changed {
        Changed::Done { .. } => answer(ResultCode::Success, ""),
        Changed::NotSignedIn(verdict) => not_signed_in(&Ok(verdict)),
        Changed::Off => {
            let words = format!("this password is not changed here by the policy of the domain: {ask}");
            answer_with(ResultCode::UnwillingToPerform, words, Policy::PasswordModNotAllowed)
        }
        Changed::NoAnswer(NoAnswer::NoAgent) => {
            let words = format!("no agent of the domain changes passwords now: {ask}");
            answer_with(ResultCode::UnwillingToPerform, words, Policy::PasswordModNotAllowed)
        }
        Changed::NoAnswer(NoAnswer::Busy) => answer(
            ResultCode::Busy,
            "the password was not changed: all agents of the domain are busy; try again",
        ),
        Changed::NoAnswer(why) => {
            answer(ResultCode::Unavailable, format!("the password was not changed: {why}; try again later"))
        }
        Changed::NotKnown => {
            let words = "it is not known whether the password was changed: sign in with the new one, and if that is \
                         refused after a minute, with the old one";
            answer(ResultCode::Other, words)
        }
        Changed::Refused(why) => {
            let (error, words) = reason(&why);
            answer_with(ResultCode::ConstraintViolation, words, error)
        }
    }
}

/// The directory's reason to refuse a new password: the error for the control, and the message.
fn reason(why: &NewRefused) -> (PasswordPolicyError, String) {
    use PasswordPolicyError as Policy;
    match why {
        NewRefused::TooShort { minimum } => {
            (Policy::PasswordTooShort, format!("the new password is too short: it needs {minimum} characters"))
        }
        NewRefused::InHistory { remembered } => (
            Policy::PasswordInHistory,
            format!("the new password is one of the last {remembered} passwords of the account"),
        ),
        NewRefused::NotComplex => (
            Policy::InsufficientPasswordQuality,
            "the new password is too simple: it needs three of capital letters, small letters, digits and signs, and \
             must not have the name in it"
                .to_owned(),
        ),
        NewRefused::NotPermitted => (
            Policy::PasswordTooYoung,
            "the directory does not let this account change its password, or not so soon after the last change"
                .to_owned(),
        ),
        NewRefused::Rules(rules) => {
            let mut all = Vec::new();
            if rules.minimum_length > 0 {
                all.push(format!("at least {} characters", rules.minimum_length));
            }
            if rules.complex {
                all.push("three of capital letters, small letters, digits and signs, without the name".to_owned());
            }
            if rules.history > 0 {
                all.push(format!("none of the last {} passwords", rules.history));
            }
            if rules.minimum_age > 0 {
                let hours = rules.minimum_age.div_ceil(3600);
                all.push(format!("not within {hours} hours of the last change"));
            }
            let words = format!("the new password breaks a rule of the directory: {}", all.join("; "));
            (Policy::InsufficientPasswordQuality, words)
        }
        NewRefused::Other(words) => {
            let words = format!("the directory refuses the new password: {}", one_line(words.as_str()));
            (Policy::InsufficientPasswordQuality, words)
        }
    }
}
