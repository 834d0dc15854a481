//! The person's own page: assigned applications, sessions with a way to end them, and the last sign-ins.
//! Neighbours: [`super::sign_in`] shows the sign-in page to a browser without a session.

use super::cookies::{self, FORM, SESSION, cookie};
use super::device::device_name;
use super::door::{Asked, Checked, OidcDoor, page_of, see_other};
use super::metadata::path;
use super::parameters::Parameters;
use super::sign_in::Destination;
use hyper::StatusCode;
use hyper::header::SET_COOKIE;
use landbridge_door_listen::body::Answer;
use landbridge_door_pages::account::{
    Account, AssignedApplication, Moment, Outcome, RecentSignIn, SESSION_FIELD, Session,
};
use landbridge_door_pages::frame::CSRF_FIELD;
use landbridge_door_pages::headers::Scripts;
use landbridge_door_pages::language::Language;
use landbridge_door_pages::link::{Link, Path};
use landbridge_door_pages::request_error::RequestFault;
use landbridge_door_pages::sign_in::Notice;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::passwords::Offer;
use landbridge_tenant_core::provider::WebSession;
use landbridge_tenant_core::provider::own_page::OwnPage;
use time::OffsetDateTime;
use uuid::Uuid;

/// What a proof of the page's forms is for.
const FORM_PURPOSE: &str = "own page";

impl OidcDoor {
    /// The page, or the sign-in page. Blocks.
    pub(crate) fn own_page(&self, asked: &Asked, notice: Option<&str>) -> Checked<Answer> {
        let now = unix_now();
        let Some(session) = self.session(asked, now)? else {
            let has_ended = cookie(&asked.headers, SESSION).is_some();
            let notice = has_ended.then_some(Notice::SessionEnded);
            return Ok(self.sign_in_page(asked, &Destination::OwnPage, None, notice, StatusCode::OK));
        };
        let noted = self.provider.note_use(&session, now);
        let Ok(Some(content)) = noted.and_then(|()| self.provider.own_page(&session, now)) else {
            return Ok(self.failure(asked));
        };
        let Some(value) = self.form_cookie(asked) else { return Ok(self.failure(asked)) };
        let offer = self.passwords.offer(session.object, false);
        let can_change = offer.is_ok_and(|offer| offer == Offer::Possible);
        let Some(page) = self.account(asked, &session, content, value) else {
            return Ok(self.failure(asked));
        };
        let page = Account {
            change_password: path::CHANGE_PASSWORD.parse().ok().filter(|_| can_change),
            notice: notice.and_then(|notice| self.password_notice(asked, notice)),
            expires_in: self.expires_in(session.object, now),
            ..page
        };
        let mut answer = page_of(StatusCode::OK, page.html(&self.frame(asked)), Scripts::None, None);
        answer.headers_mut().extend(cookies::set(FORM, value).map(|value| (SET_COOKIE, value)));
        Ok(answer)
    }

    /// Whole days until the password of this account expires. None: it does not, or when is not known. Blocks.
    fn expires_in(&self, object: Uuid, now: i64) -> Option<u32> {
        let seconds = self.passwords.expires_at(object).ok()??.saturating_sub(now);
        u32::try_from(seconds / 86_400).ok()
    }

    /// The forms that end sessions: one that is named, or all but this one. Blocks.
    pub(crate) fn end_sessions(&self, asked: &Asked, form: &Parameters) -> Checked<Answer> {
        // 1. The form is one that this browser was given, and the session is open.
        if !self.forms.is_ours(&asked.headers, FORM_PURPOSE, form.get(CSRF_FIELD)) {
            return Ok(self.wrong(asked, StatusCode::FORBIDDEN, RequestFault::ForgedForm, ""));
        }
        let now = unix_now();
        let Some(session) = self.session(asked, now)? else { return Ok(see_other(path::OWN_PAGE)) };
        // 2. The session of this request ends as by the sign-out.
        let ended = if asked.path == path::END_SESSION {
            let named = form.get(SESSION_FIELD).and_then(|text| Uuid::try_parse(text).ok());
            let Some(named) = named else {
                let (status, fault) = (StatusCode::BAD_REQUEST, RequestFault::Malformed);
                return Ok(self.wrong(asked, status, fault, "the form names no session"));
            };
            Some(named)
        } else {
            None
        };
        let is_this = ended == Some(session.id);
        Ok(match self.provider.end_own(&session, ended, now) {
            Ok(_) if is_this => self.signed_out(asked),
            Ok(_) => see_other(path::OWN_PAGE),
            Err(_) => self.failure(asked),
        })
    }

    /// The content for the page. None: a path of ours is none, which is a defect.
    fn account(
        &self,
        asked: &Asked,
        own: &WebSession,
        content: OwnPage,
        form_cookie: &str,
    ) -> Option<Account> {
        let moment = |at| moment(asked.language, at);
        let path = |text: &str| text.parse::<Path>().ok();
        let application = |app: landbridge_tenant_core::provider::own_page::AssignedApplication| {
            // The front door of a web application is where its redirect URI is. A program on loopback has none.
            let uri = app.redirect_uri.as_deref().filter(|uri| uri.starts_with("https://"));
            let link = uri.and_then(|uri| uri.parse::<Link>().ok());
            AssignedApplication {
                name: app.name.into(),
                link: link.and_then(|link| format!("{}/", link.origin()).parse().ok()),
            }
        };
        let session = |open: landbridge_tenant_core::provider::OpenSession| {
            let session = open.session;
            Session {
                handle: session.id.to_string(),
                device: device_name(&session.device, asked.language).into(),
                place: session.address.into(),
                since: moment(session.made_at),
                last_used: moment(session.seen_at),
                is_this: session.id == own.id,
            }
        };
        let sign_in = |sign_in: landbridge_tenant_core::provider::own_page::RecentSignIn| RecentSignIn {
            at: moment(sign_in.at),
            place: sign_in.from.into(),
            application: sign_in.application.map(Into::into),
            outcome: outcome(&sign_in.outcome),
        };
        Some(Account {
            person: content.person.into(),
            sign_in_name: content.name.into(),
            csrf: self.forms.proof(form_cookie, FORM_PURPOSE),
            sign_out: path(path::SIGN_OUT)?,
            end_session: path(path::END_SESSION)?,
            end_other_sessions: path(path::END_OTHER_SESSIONS)?,
            change_password: None,
            notice: None,
            expires_in: None,
            applications: content.applications.into_iter().map(application).collect(),
            sessions: content.sessions.into_iter().map(session).collect(),
            sign_ins: content.sign_ins.into_iter().map(sign_in).collect(),
        })
    }
}

/// An outcome by its name in the audit log.
fn outcome(name: &str) -> Outcome {
    match name {
        "accepted" => Outcome::SignedIn,
        "wrong-password" | "digest-differs" | "refused-before" => Outcome::WrongPassword,
        "locked-out" | "unknown-sources-locked" | "locked" => Outcome::TooManyTries,
        "password-expired" | "must-change-password" => Outcome::PasswordExpired,
        "disabled" | "account-expired" | "blocked" => Outcome::Account,
        "not-assigned" => Outcome::NotAssigned,
        "no-room-in-directory" | "digest-unreadable" => Outcome::CannotCheck,
        _ => Outcome::Refused,
    }
}

/// A time for the page. It is in UTC: without a script a server does not know the zone of a browser.
pub(crate) fn moment(language: Language, at: i64) -> Moment {
    let at = OffsetDateTime::from_unix_timestamp(at).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second) = at.to_hms();
    let text = match language {
        Language::English => format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC"),
        Language::German => format!("{day:02}.{month:02}.{year}, {hour:02}:{minute:02} UTC"),
    };
    let datetime = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    Moment { text: text.into(), datetime }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_for_people_and_for_programs() {
        let german = moment(Language::German, 1_795_996_805);
        assert_eq!(
            (german.text.as_str(), german.datetime.as_str()),
            ("30.11.2026, 00:00 UTC", "2026-11-30T00:00:05Z")
        );
        assert_eq!(moment(Language::English, 0).text.as_str(), "1970-01-01 00:00 UTC");
    }
}
