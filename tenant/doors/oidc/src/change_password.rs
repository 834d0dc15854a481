//! The page on which a person changes the password, and its form. It is reached from the person's own page, and on the
//! way to an application with a password that has expired or must be changed.
//! Neighbours: [`super::sign_in`] shows it when a password must be changed; [`super::own_page`] leads to it.

use super::cookies::{self, DEVICE, FORM, cookie};
use super::door::{Asked, Checked, OidcDoor, blocking, page_of, see_other};
use super::metadata::path;
use super::parameters::{NOTICE, Parameters};
use super::sign_in::{DEVICE_REQUEST, Destination, LetIn, MAX_NAME};
use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER, SET_COOKIE};
use landbridge_crypto::secret::Password;
use landbridge_door_listen::body::Answer;
use landbridge_door_pages::account::PasswordNotice;
use landbridge_door_pages::change_password::{
    ChangeNotice, ChangePassword, NAME_FIELD, NEW_FIELD, OLD_FIELD, REPEATED_FIELD, RULES_FIELD, Rules,
};
use landbridge_door_pages::frame::CSRF_FIELD;
use landbridge_door_pages::headers::Scripts;
use landbridge_door_pages::link::{Link, Path};
use landbridge_door_pages::request_error::RequestFault;
use landbridge_door_pages::sign_in::Notice;
use landbridge_tenant_core::applications::NotAuthenticated;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::passwords::{Change, Changed, NewRefused, Offer, PasswordRules};
use landbridge_tenant_core::provider::{NamedAccount, WebSession};
use landbridge_tenant_core::sign_ins::{
    Attempt, Disclosable, MAX_PASSWORD, NoAnswer, Unavailable, Verdict, Why,
};
use std::sync::Arc;
use uuid::Uuid;

/// The purpose of the form's proof, so that the proof of another form does not count here.
const FORM_PURPOSE: &str = "change password";
/// The values of [`NOTICE`].
const CHANGED: &str = "changed";
const OFF: &str = "off";
/// Limit on a new password, in UTF-16 units. Active Directory has the same one.
const MAX_NEW_PASSWORD: usize = 256;

/// The form, without the passwords.
struct ChangeForm {
    /// Where the person goes after the change.
    to: Destination,
    /// The name in the form: as it was typed, or that of the session.
    typed: String,
    /// The rules that the page showed.
    rules: Rules,
    named: NamedAccount,
    /// The session of the person, if the form came from the own page.
    session: Option<WebSession>,
    /// The time at which the form was read, in seconds since 1970.
    now: i64,
}

impl OidcDoor {
    /// The page for a person with a session. Without a session the answer is a redirect to the sign-in. Blocks.
    pub(crate) fn change_password_page_of_session(&self, asked: &Asked) -> Checked<Answer> {
        let Some(session) = self.session(asked, unix_now())? else { return Ok(see_other(path::OWN_PAGE)) };
        let Ok(Some(name)) = self.provider.sign_in_name(&session) else { return Ok(self.failure(asked)) };
        Ok(match self.passwords.offer(session.object, false) {
            Ok(Offer::Possible) => {
                let shown = (None, self.rules_of(session.object));
                self.change_password_page(asked, &Destination::OwnPage, &name, shown, StatusCode::OK)
            }
            Ok(Offer::Off | Offer::NoAgent) => self.to_own_page(asked, OFF),
            Err(_) => self.failure(asked),
        })
    }

    /// The rules of AD for a new password of this account. Only the person of the account may see them. Blocks.
    pub(crate) fn rules_of(&self, object: Uuid) -> Rules {
        self.passwords.rules(object).map(|rules| shown(&rules)).unwrap_or_default()
    }

    /// The answer to the form. None: a thread failed.
    pub(crate) async fn change_password(
        self: &Arc<Self>,
        asked: &Arc<Asked>,
        form: Parameters,
    ) -> Option<Answer> {
        // 1. The form.
        let (door, of) = (self.clone(), asked.clone());
        let (form, attempt, new) = match blocking(move || door.read_change(&of, form)).await? {
            Ok(read) => read,
            Err(answer) => return Some(*answer),
        };
        // 2. The change.
        let caller = form.to.caller(form.named.source.clone(), asked);
        let session = form.session.as_ref().map(|session| session.id);
        let change = Change { attempt, new, caller, session };
        let changed = self.passwords.change(change, self.admission(&form.to, asked)).await;
        // 3. The answer.
        let (door, of) = (self.clone(), asked.clone());
        blocking(move || door.conclude_change(&of, form, changed)).await
    }

    /// Reads the form and the account that it names. The error is the answer. Blocks.
    fn read_change(
        &self,
        asked: &Asked,
        mut form: Parameters,
    ) -> Checked<(ChangeForm, Attempt, Arc<Password>)> {
        // 1. The form is one that this browser was given, and its request is sound.
        if !self.forms.is_ours(&asked.headers, FORM_PURPOSE, form.get(CSRF_FIELD)) {
            return Err(Box::new(self.wrong(asked, StatusCode::FORBIDDEN, RequestFault::ForgedForm, "")));
        }
        let to = self.destination(asked, &form)?;
        let now = unix_now();
        let typed = form.get(NAME_FIELD).unwrap_or_default().trim().to_owned();
        // 2. From the own page the session of the same person continues after the change. On the way to an application a
        //    new session begins, as by a sign-in.
        let session = match self.session(asked, now)?.filter(|_| matches!(to, Destination::OwnPage)) {
            Some(session)
                if self.provider.sign_in_name(&session).is_ok_and(|name| name.as_ref() == Some(&typed)) =>
            {
                Some(session)
            }
            Some(_) | None => None,
        };
        // 3. The passwords.
        let rules = form.get(RULES_FIELD).and_then(Rules::parse).unwrap_or_default();
        let [old, new, repeated] = [OLD_FIELD, NEW_FIELD, REPEATED_FIELD]
            .map(|field| Password::new(form.extract(field).unwrap_or_default()));
        let again = |notice, status| {
            Err(Box::new(self.change_password_page(asked, &to, &typed, (Some(notice), rules), status)))
        };
        let user = self.full_name(&typed);
        let is_one = |text: &str| !text.is_empty() && text.len() <= MAX_PASSWORD;
        if user.is_empty() || user.len() > MAX_NAME || !old.lend(is_one) {
            return again(ChangeNotice::WrongPassword, StatusCode::FORBIDDEN);
        }
        if let Some(notice) = wrong_new_password(&old, &new, &repeated) {
            return again(notice, StatusCode::UNPROCESSABLE_ENTITY);
        }
        // 4. The account, before the decision about the old password.
        let device = cookie(&asked.headers, DEVICE);
        let Ok(named) = self.provider.named_account(&user, device, asked.from, now) else {
            return again(ChangeNotice::CannotChange, StatusCode::SERVICE_UNAVAILABLE);
        };
        let attempt = Attempt { user, password: Arc::new(old), now, arrived: asked.arrived };
        Ok((ChangeForm { to, typed, rules, named, session, now }, attempt, Arc::new(new)))
    }

    /// The answer to a form after the change was tried. Blocks.
    fn conclude_change(
        &self,
        asked: &Asked,
        form: ChangeForm,
        changed: Result<Changed, NotAuthenticated>,
    ) -> Answer {
        let ChangeForm { to, typed, rules, named, session, now } = form;
        let again =
            |notice, status| self.change_password_page(asked, &to, &typed, (Some(notice), rules), status);
        let sign_in = |notice, status| self.sign_in_page(asked, &to, Some(&typed), Some(notice), status);
        match changed {
            // 1. The password was changed: the session continues, or a new one begins.
            Ok(Changed::Done { password_set: None, .. }) => sign_in(Notice::PasswordChanged, StatusCode::OK),
            Ok(Changed::Done { session_goes_on: true, .. }) => self.to_own_page(asked, CHANGED),
            Ok(Changed::Done { object, password_set, .. }) => {
                let person = LetIn { typed: typed.clone(), named, object, changed: password_set };
                self.let_in(asked, &to, person, now)
            }
            // 2. It was not changed, and the person can correct the form.
            Ok(Changed::Refused(why)) => self.new_password_refused(asked, &to, (&typed, rules), &why),
            Ok(Changed::NotSignedIn(verdict)) => {
                self.old_password_refused(asked, &to, (&typed, rules), &verdict)
            }
            // 3. It cannot be changed here. The pages name who can help.
            Ok(Changed::Off | Changed::NoAnswer(NoAnswer::NoAgent)) if session.is_some() => {
                self.to_own_page(asked, OFF)
            }
            Ok(Changed::Off | Changed::NoAnswer(NoAnswer::NoAgent)) => {
                sign_in(Notice::PasswordExpired, StatusCode::FORBIDDEN)
            }
            Ok(Changed::NoAnswer(_)) => again(ChangeNotice::CannotChange, StatusCode::SERVICE_UNAVAILABLE),
            Ok(Changed::NotKnown) => sign_in(Notice::ChangeNotKnown, StatusCode::SERVICE_UNAVAILABLE),
            Err(NotAuthenticated::OverRate(_)) => {
                let mut answer = again(ChangeNotice::CannotChange, StatusCode::SERVICE_UNAVAILABLE);
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                answer
            }
            Err(NotAuthenticated::Storage | NotAuthenticated::Unknown) => {
                again(ChangeNotice::CannotChange, StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    /// The answer if the old password was not accepted.
    fn old_password_refused(
        &self,
        asked: &Asked,
        to: &Destination,
        (typed, rules): (&str, Rules),
        verdict: &Verdict,
    ) -> Answer {
        let again =
            |notice, status| self.change_password_page(asked, to, typed, (Some(notice), rules), status);
        match verdict {
            Verdict::Refused { why: Why::NotAssigned, .. } if let Destination::Application(parts) = to => {
                self.no_access(asked, &parts.0, &parts.2)
            }
            Verdict::Refused { disclosed: Some(Disclosable::AccountExpired), .. } => {
                self.sign_in_page(asked, to, Some(typed), Some(Notice::AccountExpired), StatusCode::FORBIDDEN)
            }
            Verdict::Refused { .. } | Verdict::Accepted(_) => {
                // As on the sign-in page, the notice depends on the number of wrong tries of this browser.
                let tries = cookies::wrong_tries(&asked.headers);
                let notice = if tries >= super::sign_in::TRIES_UNTIL_NOTICE {
                    ChangeNotice::TooManyTries
                } else {
                    ChangeNotice::WrongPassword
                };
                let mut answer = again(notice, StatusCode::FORBIDDEN);
                let counted = cookies::count_wrong_try(tries);
                answer.headers_mut().extend(counted.map(|value| (SET_COOKIE, value)));
                answer
            }
            Verdict::Unavailable(why) => {
                let mut answer = again(ChangeNotice::CannotChange, StatusCode::SERVICE_UNAVAILABLE);
                if *why == Unavailable::Overloaded {
                    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                }
                answer
            }
        }
    }

    /// The answer if the directory refuses the new password: the page with the reason.
    fn new_password_refused(
        &self,
        asked: &Asked,
        to: &Destination,
        (typed, mut rules): (&str, Rules),
        why: &NewRefused,
    ) -> Answer {
        let notice = match why {
            NewRefused::TooShort { minimum } => ChangeNotice::TooShort(*minimum),
            NewRefused::InHistory { remembered } => ChangeNotice::InHistory(*remembered),
            NewRefused::NotComplex => ChangeNotice::NotComplex,
            NewRefused::NotPermitted => ChangeNotice::NotPermitted,
            NewRefused::Rules(of_directory) => {
                rules = shown(of_directory);
                ChangeNotice::AgainstRules
            }
            NewRefused::Other(words) => ChangeNotice::Refused(words.as_str().into()),
        };
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        self.change_password_page(asked, to, typed, (Some(notice), rules), status)
    }

    /// A redirect to the person's own page, which shows this notice in this browser alone.
    fn to_own_page(&self, asked: &Asked, notice: &str) -> Answer {
        let Some(cookie) = self.form_cookie(asked) else { return self.failure(asked) };
        let proof = self.forms.proof(cookie, &format!("notice {notice}"));
        let mut answer = see_other(&format!("{}?{NOTICE}={notice}.{proof}", path::OWN_PAGE));
        answer.headers_mut().extend(cookies::set(FORM, cookie).map(|value| (SET_COOKIE, value)));
        answer
    }

    /// The notice of the own page that the parameter [`NOTICE`] names. None: none, or this browser was not sent here with
    /// it.
    pub(crate) fn password_notice(&self, asked: &Asked, text: &str) -> Option<PasswordNotice> {
        let (notice, proof) = text.split_once('.')?;
        if !self.forms.is_ours(&asked.headers, &format!("notice {notice}"), Some(proof)) {
            return None;
        }
        match notice {
            CHANGED => Some(PasswordNotice::Changed),
            OFF => Some(PasswordNotice::Off),
            _ => None,
        }
    }

    /// The page with the form.
    pub(crate) fn change_password_page(
        &self,
        asked: &Asked,
        to: &Destination,
        name: &str,
        (notice, rules): (Option<ChangeNotice>, Rules),
        status: StatusCode,
    ) -> Answer {
        let (request, target, cancel) = match to {
            Destination::OwnPage => (None, None, path::OWN_PAGE.parse::<Path>()),
            Destination::Device => (Some(DEVICE_REQUEST.to_owned()), None, path::DEVICE.parse()),
            Destination::Application(parts) => {
                let (_, request, text) = parts.as_ref();
                // Browsers apply `form-action` to the redirects that follow a form as well.
                let target = request.back.redirect_uri.parse::<Link>().ok();
                (Some(text.clone()), target, format!("{}?{text}", path::AUTHORIZE).parse())
            }
        };
        let (Ok(action), Ok(cancel), Some(value)) =
            (path::CHANGE_PASSWORD.parse::<Path>(), cancel, self.form_cookie(asked))
        else {
            return self.failure(asked);
        };
        let csrf = self.forms.proof(value, FORM_PURPOSE);
        let page = ChangePassword { action, cancel, csrf, request, name: name.into(), rules, notice };
        let target = target.as_ref().map(Link::origin);
        let mut answer = page_of(status, page.html(&self.frame(asked)), Scripts::None, target);
        answer.headers_mut().extend(cookies::set(FORM, value).map(|value| (SET_COOKIE, value)));
        answer
    }
}

/// The fault of a new password that is known without AD. None: it has none.
fn wrong_new_password(old: &Password, new: &Password, repeated: &Password) -> Option<ChangeNotice> {
    let is_same = |one: &Password, other: &Password| one.lend(|one| other.lend(|other| one == other));
    let units = new.lend(|text| text.encode_utf16().count());
    if units == 0 {
        Some(ChangeNotice::TooShort(1))
    } else if units > MAX_NEW_PASSWORD {
        Some(ChangeNotice::TooLong)
    } else if !is_same(new, repeated) {
        Some(ChangeNotice::Different)
    } else if is_same(old, new) {
        Some(ChangeNotice::Same)
    } else {
        None
    }
}

/// A directory's rules in the units of the page.
fn shown(rules: &PasswordRules) -> Rules {
    let PasswordRules { minimum_length, history, complex, minimum_age } = *rules;
    let hours = u32::try_from(minimum_age.div_ceil(3600)).unwrap_or(u32::MAX);
    Rules { minimum_length, history, complex, minimum_age: hours }
}
