//! The sign-in page and its form: on the way to an application, to the person's own page, or to the page for devices.
//! Neighbours: [`super::authorize`] and [`super::own_page`] show it to a browser without a session.

use super::authorization::Authorization;
use super::cookies::{self, DEVICE, FORM, NAME, SESSION, TRIES, cookie};
use super::door::{Asked, Checked, OidcDoor, blocking, page_of, see_other};
use super::metadata::path;
use super::parameters::Parameters;
use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER, SET_COOKIE, USER_AGENT};
use landbridge_crypto::secret::Password;
use landbridge_door_listen::body::Answer;
use landbridge_door_pages::change_password::ChangeNotice;
use landbridge_door_pages::frame::{CSRF_FIELD, REQUEST_FIELD};
use landbridge_door_pages::headers::Scripts;
use landbridge_door_pages::link::{Link, Path};
use landbridge_door_pages::request_error::RequestFault;
use landbridge_door_pages::sign_in::{KnownName, NAME_FIELD, Notice, PASSWORD_FIELD, SignIn};
use landbridge_tenant_core::applications::NotAuthenticated;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::passwords::Offer;
use landbridge_tenant_core::provider::{Client, NamedAccount, NewSession};
use landbridge_tenant_core::sign_ins::{
    Attempt, Caller, Disclosable, MAX_PASSWORD, Source, Unavailable, Verdict, Why,
};
use std::sync::Arc;
use uuid::Uuid;

/// What a proof of the sign-in form is for.
const FORM_PURPOSE: &str = "sign-in";
/// Limit on the characters of a browser's description of itself that are kept.
const MAX_DEVICE: usize = 256;
/// Limit on the bytes of a name.
pub(super) const MAX_NAME: usize = 1024;
/// Refused tries of one browser within ten minutes after which the page speaks of too many tries. As many lock an account by
/// default.
pub(crate) const TRIES_UNTIL_NOTICE: u32 = 10;
/// Who asks for the sign-ins of the person's own page, in the audit log.
const OWN_PAGE: &str = "own page";
/// The same for the page on which the code of a device is typed.
const DEVICE_PAGE: &str = "device page";
/// What the form carries in place of a request on the way to that page.
pub(crate) const DEVICE_REQUEST: &str = "device";

/// Where a person goes after the sign-in.
pub(crate) enum Destination {
    /// To an application: the client, its request, and the request as text.
    Application(Box<(Arc<Client>, Authorization, String)>),
    /// To the person's own page.
    OwnPage,
    /// To the page on which the code of a device is typed.
    Device,
}

impl Destination {
    /// The application.
    pub(crate) fn client(&self) -> Option<&Client> {
        match self {
            Self::Application(parts) => Some(&parts.0),
            Self::OwnPage | Self::Device => None,
        }
    }

    /// Who asks for the sign-in, in the audit log.
    pub(crate) fn actor(&self) -> String {
        match self {
            Self::Application(parts) => format!("app {}", parts.0.app.name),
            Self::OwnPage => OWN_PAGE.to_owned(),
            Self::Device => DEVICE_PAGE.to_owned(),
        }
    }

    /// The caller of the sign-in.
    pub(crate) fn caller(&self, source: Source, asked: &Asked) -> Caller {
        let app = self.client().map(|client| &client.app);
        Caller {
            door: "oidc",
            actor: self.actor(),
            source,
            address: Some(asked.from),
            application: app.map(|app| app.id),
            domains: app.and_then(|app| app.domain_rows()),
        }
    }
}

/// The form, without the password.
struct Form {
    to: Destination,
    /// The name as it was typed.
    typed: String,
    named: NamedAccount,
    /// When it was read, in seconds since 1970.
    now: i64,
}

/// A person who is let in.
pub(crate) struct LetIn {
    /// The name as it was typed.
    pub(crate) typed: String,
    /// What was read of it before the password was decided upon.
    pub(crate) named: NamedAccount,
    /// The account: objectGUID.
    pub(crate) object: Uuid,
    /// The new pwdLastSet, if the password was just changed.
    pub(crate) changed: Option<i64>,
}

type Decided = Result<Verdict, NotAuthenticated>;

impl OidcDoor {
    /// The form of the sign-in page. None: a thread failed.
    pub(crate) async fn sign_in(self: &Arc<Self>, asked: &Arc<Asked>, form: Parameters) -> Option<Answer> {
        // 1. The form.
        let (door, of) = (self.clone(), asked.clone());
        let (form, attempt) = match blocking(move || door.read_form(&of, form)).await? {
            Ok(read) => read,
            Err(answer) => return Some(*answer),
        };
        // 2. The password.
        let caller = form.to.caller(form.named.source.clone(), asked);
        let admit = self.admission(&form.to, asked);
        let verdict = self.sign_ins.sign_in(attempt, move || admit().map(|()| caller)).await;
        // 3. What it means.
        let (door, of) = (self.clone(), asked.clone());
        blocking(move || door.conclude(&of, form, verdict)).await
    }

    /// Charges the rate of the application, or that of the pages of Landbridge itself. What it returns blocks.
    pub(crate) fn admission(
        &self,
        to: &Destination,
        asked: &Asked,
    ) -> impl FnOnce() -> Result<(), NotAuthenticated> + Send + 'static {
        let app = to.client().map(|client| client.app.clone());
        let (applications, arrived) = (self.applications.clone(), asked.arrived);
        move || match &app {
            Some(app) => applications.charge(app, arrived),
            None => applications.charge_own_page(arrived),
        }
    }

    /// Reads the form, and what is known of the name. The error is the answer. Blocks.
    fn read_form(&self, asked: &Asked, mut form: Parameters) -> Checked<(Form, Attempt)> {
        // 1. The form is one that this browser was given, and its request is sound.
        if !self.forms.is_ours(&asked.headers, FORM_PURPOSE, form.get(CSRF_FIELD)) {
            return Err(Box::new(self.wrong(asked, StatusCode::FORBIDDEN, RequestFault::ForgedForm, "")));
        }
        let to = self.destination(asked, &form)?;
        // 2. Name and password.
        let typed = form.get(NAME_FIELD).unwrap_or_default().trim().to_owned();
        let user = self.full_name(&typed);
        let password = Password::new(form.extract(PASSWORD_FIELD).unwrap_or_default());
        let fits = password.lend(|text| !text.is_empty() && text.len() <= MAX_PASSWORD);
        let again =
            |notice, status| Box::new(self.sign_in_page(asked, &to, Some(&typed), Some(notice), status));
        if user.is_empty() || user.len() > MAX_NAME || !fits {
            return Err(again(Notice::WrongPassword, StatusCode::FORBIDDEN));
        }
        // 3. The account, before the password is decided upon.
        let now = unix_now();
        let device = cookie(&asked.headers, DEVICE);
        let Ok(named) = self.provider.named_account(&user, device, asked.from, now) else {
            return Err(again(Notice::CannotCheck, StatusCode::SERVICE_UNAVAILABLE));
        };
        let attempt = Attempt { user, password: Arc::new(password), now, arrived: asked.arrived };
        Ok((Form { to, typed, named, now }, attempt))
    }

    /// Where the person of a form goes afterwards. The error is the answer. Blocks.
    pub(crate) fn destination(&self, asked: &Asked, form: &Parameters) -> Checked<Destination> {
        let Some(text) = form.get(REQUEST_FIELD).map(str::to_owned) else { return Ok(Destination::OwnPage) };
        if text == DEVICE_REQUEST {
            return Ok(Destination::Device);
        }
        let parameters = self.sound(asked, Parameters::parse(text.as_bytes()))?;
        let (client, request) = self.checked(asked, &parameters)?;
        Ok(Destination::Application(Box::new((client, request, text))))
    }

    /// A name as it is looked up: a bare one is of the domain that is configured for such names.
    pub(crate) fn full_name(&self, typed: &str) -> String {
        match &self.domain {
            Some(domain) if !typed.is_empty() && !typed.contains(['@', '\\']) => format!("{typed}@{domain}"),
            Some(_) | None => typed.to_owned(),
        }
    }

    /// The answer to a form whose password was decided upon. Blocks.
    fn conclude(&self, asked: &Asked, form: Form, verdict: Decided) -> Answer {
        let Form { to, typed, named, now } = form;
        let again = |notice, status| self.sign_in_page(asked, &to, Some(&typed), Some(notice), status);
        // 1. Who is not let in.
        let person = match (verdict, &to) {
            (Ok(Verdict::Accepted(person)), _) => person,
            (Ok(Verdict::Refused { why: Why::NotAssigned, .. }), Destination::Application(parts)) => {
                return self.no_access(asked, &parts.0, &parts.2);
            }
            (Ok(Verdict::Refused { disclosed, object, .. }), _) => {
                // A password that must be changed is changed here, if that can be.
                let must_change =
                    matches!(disclosed, Some(Disclosable::MustChangePassword | Disclosable::PasswordExpired));
                if let Some(object) = object.filter(|_| must_change)
                    && self.passwords.offer(object, true).is_ok_and(|offer| offer == Offer::Possible)
                {
                    let shown = (Some(ChangeNotice::Required), self.rules_of(object));
                    return self.change_password_page(asked, &to, &typed, shown, StatusCode::FORBIDDEN);
                }
                // Whether an account is locked may say that it is there, so the notice goes by the tries of this browser.
                let tries = cookies::wrong_tries(&asked.headers);
                let notice = match disclosed {
                    None if tries >= TRIES_UNTIL_NOTICE => Notice::TooManyTries,
                    None => Notice::WrongPassword,
                    Some(Disclosable::MustChangePassword | Disclosable::PasswordExpired) => {
                        Notice::PasswordExpired
                    }
                    Some(Disclosable::AccountExpired) => Notice::AccountExpired,
                };
                let mut answer = again(notice, StatusCode::FORBIDDEN);
                let counted = cookies::count_wrong_try(tries).filter(|_| disclosed.is_none());
                answer.headers_mut().extend(counted.map(|value| (SET_COOKIE, value)));
                return answer;
            }
            (Ok(Verdict::Unavailable(Unavailable::Overloaded)) | Err(NotAuthenticated::OverRate(_)), _) => {
                let mut answer = again(Notice::CannotCheck, StatusCode::SERVICE_UNAVAILABLE);
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                return answer;
            }
            (Ok(Verdict::Unavailable(_)) | Err(NotAuthenticated::Storage | NotAuthenticated::Unknown), _) => {
                return again(Notice::CannotCheck, StatusCode::SERVICE_UNAVAILABLE);
            }
        };
        self.let_in(asked, &to, LetIn { typed, named, object: person.object, changed: None }, now)
    }

    /// The answer to a person who is let in: a session, and the way on. Blocks.
    pub(crate) fn let_in(&self, asked: &Asked, to: &Destination, person: LetIn, now: i64) -> Answer {
        let LetIn { typed, named, object, changed } = person;
        let again = |notice, status| self.sign_in_page(asked, to, Some(&typed), Some(notice), status);
        // 1. A session, and a browser that is known from now on.
        let browser = asked.headers.get(USER_AGENT).and_then(|text| text.to_str().ok()).unwrap_or_default();
        let new = NewSession {
            actor: to.actor(),
            object,
            named,
            device: browser.chars().take(MAX_DEVICE).collect(),
            address: asked.from,
            changed,
        };
        let Ok(begun) = self.provider.begin(new, cookie(&asked.headers, SESSION), now) else {
            return again(Notice::CannotCheck, StatusCode::SERVICE_UNAVAILABLE);
        };
        // 2. The answer to the request.
        let answer = match to {
            Destination::Application(parts) => {
                let (client, request, text) = parts.as_ref();
                self.finish(asked, (client, request, text), (&begun.session, None), now)
            }
            Destination::OwnPage => Some(see_other(path::OWN_PAGE)),
            Destination::Device => Some(see_other(path::DEVICE)),
        };
        // The account was disabled or got another password meanwhile.
        let Some(mut answer) = answer else { return again(Notice::SessionEnded, StatusCode::FORBIDDEN) };
        let headers = answer.headers_mut();
        for cookie in [
            cookies::set(SESSION, &begun.cookie),
            cookies::set_for_long(DEVICE, &begun.device),
            cookies::remember_name(&typed),
            cookies::clear(TRIES),
        ] {
            headers.extend(cookie.map(|value| (SET_COOKIE, value)));
        }
        answer
    }

    /// The sign-in page without the name that the browser remembers: it forgets the name, and goes back to the request.
    pub(crate) fn not_you(&self, asked: &Asked) -> Answer {
        let to = match asked.query.as_str() {
            "" => path::OWN_PAGE.to_owned(),
            DEVICE_REQUEST => path::DEVICE.to_owned(),
            query => format!("{}?{query}", path::AUTHORIZE),
        };
        let mut answer = see_other(&to);
        answer.headers_mut().extend(cookies::clear(NAME).map(|value| (SET_COOKIE, value)));
        answer
    }

    /// The sign-in page. `typed` is the name of the try before.
    pub(crate) fn sign_in_page(
        &self,
        asked: &Asked,
        to: &Destination,
        typed: Option<&str>,
        notice: Option<Notice>,
        status: StatusCode,
    ) -> Answer {
        // 1. What is known of the name: typed, meant by the application, or remembered.
        let (application, text, hint, target) = match to {
            Destination::OwnPage => (None, "", None, None),
            Destination::Device => (None, DEVICE_REQUEST, None, None),
            Destination::Application(parts) => {
                let (client, request, text) = parts.as_ref();
                let name = Some(client.app.name.as_str().into());
                // Browsers apply `form-action` to the redirects behind the form.
                let target = request.back.redirect_uri.parse::<Link>().ok();
                (name, text.as_str(), request.login_hint.as_deref(), target)
            }
        };
        let not_you = match text {
            "" => path::NOT_YOU.parse::<Path>(),
            text => format!("{}?{text}", path::NOT_YOU).parse(),
        };
        let name = match (typed.or(hint), cookies::remembered_name(&asked.headers), not_you) {
            (Some(name), _, _) => KnownName::Typed(name.into()),
            (None, Some(name), Ok(another)) => KnownName::Fixed { name: name.into(), another },
            // The link would be too long: the name can be changed.
            (None, Some(name), Err(_)) => KnownName::Typed(name.into()),
            (None, None, _) => KnownName::Empty,
        };
        // 2. The page.
        let (Ok(action), Some(value)) =
            (path::SIGN_IN.parse::<Path>(), self.form_cookie(asked).map(str::to_owned))
        else {
            return self.failure(asked);
        };
        let page = SignIn {
            application,
            action,
            csrf: self.forms.proof(&value, FORM_PURPOSE),
            request: text.to_owned(),
            name,
            notice,
        };
        let target = target.as_ref().map(Link::origin);
        let mut answer = page_of(status, page.html(&self.frame(asked)), Scripts::None, target);
        answer.headers_mut().extend(cookies::set(FORM, &value).map(|value| (SET_COOKIE, value)));
        answer
    }
}
