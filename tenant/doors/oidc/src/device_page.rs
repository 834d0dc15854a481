//! The page on which a person types the code of a device, and the forms that allow or refuse it.
//!
//! A code in the query is ignored, and a GET allows nothing. The forms of the answer carry the code with a proof for it and for
//! the session, so an answer comes from the page that has named the application.
//! Neighbours: [`super::sign_in`] shows the sign-in page to a browser without a session.

use super::cookies::{self, FORM, SESSION, cookie};
use super::door::{Asked, Checked, OidcDoor, page_of};
use super::metadata::path;
use super::own_page::moment;
use super::parameters::Parameters;
use super::sign_in::Destination;
use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER, SET_COOKIE};
use landbridge_door_listen::body::Answer;
use landbridge_door_pages::device_code::{
    CODE_FIELD, DeviceAnswered, DeviceCode, DeviceNotice, DeviceQuestion,
};
use landbridge_door_pages::display_text::DisplayText;
use landbridge_door_pages::frame::{CSRF_FIELD, REQUEST_FIELD};
use landbridge_door_pages::headers::Scripts;
use landbridge_door_pages::link::Path;
use landbridge_door_pages::no_access::{NoAccess, NoAccessReason};
use landbridge_door_pages::request_error::RequestFault;
use landbridge_door_pages::sign_in::Notice;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::provider::WebSession;
use landbridge_tenant_core::provider::device_requests::{self, NoDevice};
use landbridge_tenant_core::provider::user_code::UserCode;

/// What a proof of the form for the code is for.
const FORM_PURPOSE: &str = "device code";

/// What a proof of the forms for the answer is for.
fn answer_purpose(is_allowed: bool, session: &WebSession, code: &UserCode) -> String {
    let answer = if is_allowed { "allow" } else { "refuse" };
    format!("{answer} device {} in {}", code.to_text().as_str(), session.id)
}

impl OidcDoor {
    /// The page, or the sign-in page. Blocks.
    pub(crate) fn device_page(&self, asked: &Asked) -> Checked<Answer> {
        Ok(match self.session(asked, unix_now())? {
            Some(session) => self.device_code_page(asked, &session, None, StatusCode::OK),
            None => self.sign_in_for_device(asked),
        })
    }

    /// The form with the code that the person has typed. Blocks.
    pub(crate) fn device_typed(&self, asked: &Asked, form: &Parameters) -> Checked<Answer> {
        if !self.forms.is_ours(&asked.headers, FORM_PURPOSE, form.get(CSRF_FIELD)) {
            return Ok(self.wrong(asked, StatusCode::FORBIDDEN, RequestFault::ForgedForm, ""));
        }
        let now = unix_now();
        let Some(session) = self.session(asked, now)? else { return Ok(self.sign_in_for_device(asked)) };
        if self.applications.charge_own_page(asked.arrived).is_err() {
            return Ok(self.device_too_often(asked, &session));
        }
        let typed = form.get(CODE_FIELD).unwrap_or_default();
        Ok(match self.provider.device_question(&session, typed, asked.from, now) {
            Ok(question) => self.device_question_page(asked, &session, question),
            Err(why) => self.no_device(asked, &session, why),
        })
    }

    /// The forms that allow or refuse a device. Blocks.
    pub(crate) fn answer_device(&self, asked: &Asked, form: &Parameters) -> Checked<Answer> {
        // 1. The form is one that this browser was given in this session for this code.
        let now = unix_now();
        let Some(session) = self.session(asked, now)? else { return Ok(self.sign_in_for_device(asked)) };
        let is_allowed = asked.path == path::ALLOW_DEVICE;
        let code = form.get(REQUEST_FIELD).and_then(UserCode::parse).filter(|code| {
            let purpose = answer_purpose(is_allowed, &session, code);
            self.forms.is_ours(&asked.headers, &purpose, form.get(CSRF_FIELD))
        });
        let Some(code) = code else {
            return Ok(self.wrong(asked, StatusCode::FORBIDDEN, RequestFault::ForgedForm, ""));
        };
        if self.applications.charge_own_page(asked.arrived).is_err() {
            return Ok(self.device_too_often(asked, &session));
        }
        // 2. The answer.
        Ok(match self.provider.answer_device(&session, (&code, is_allowed), asked.from, now) {
            Ok(client) => {
                let page = DeviceAnswered { application: client.app.name.as_str().into(), is_allowed };
                page_of(StatusCode::OK, page.html(&self.frame(asked)), Scripts::None, None)
            }
            Err(why) => self.no_device(asked, &session, why),
        })
    }

    /// The answer where the rate of the person's own pages is used up.
    fn device_too_often(&self, asked: &Asked, session: &WebSession) -> Answer {
        let notice = Some(DeviceNotice::TooManyTries);
        let mut answer = self.device_code_page(asked, session, notice, StatusCode::SERVICE_UNAVAILABLE);
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        answer
    }

    /// The answer to a code that leads to no request, or to a request that cannot be answered.
    fn no_device(&self, asked: &Asked, session: &WebSession, why: NoDevice) -> Answer {
        match why {
            NoDevice::Wrong => {
                self.device_code_page(asked, session, Some(DeviceNotice::Wrong), StatusCode::FORBIDDEN)
            }
            NoDevice::TooMany => {
                let notice = Some(DeviceNotice::TooManyTries);
                self.device_code_page(asked, session, notice, StatusCode::TOO_MANY_REQUESTS)
            }
            NoDevice::SessionEnded => self.sign_in_for_device(asked),
            NoDevice::NotAssigned(client) => {
                let page = NoAccess {
                    application: Some(client.app.name.as_str().into()),
                    name: self.name_of(session),
                    reason: NoAccessReason::NotAssigned,
                    another: None,
                    back: None,
                };
                page_of(StatusCode::FORBIDDEN, page.html(&self.frame(asked)), Scripts::None, None)
            }
            NoDevice::Store(_) => self.failure(asked),
        }
    }

    /// The sign-in page on the way to this page.
    fn sign_in_for_device(&self, asked: &Asked) -> Answer {
        let has_ended = cookie(&asked.headers, SESSION).is_some();
        let notice = has_ended.then_some(Notice::SessionEnded);
        self.sign_in_page(asked, &Destination::Device, None, notice, StatusCode::OK)
    }

    fn name_of(&self, session: &WebSession) -> Option<DisplayText> {
        self.provider.sign_in_name(session).ok().flatten().map(Into::into)
    }

    /// The page on which the code is typed.
    fn device_code_page(
        &self,
        asked: &Asked,
        session: &WebSession,
        notice: Option<DeviceNotice>,
        status: StatusCode,
    ) -> Answer {
        let (Ok(action), Some(value)) = (path::DEVICE.parse::<Path>(), self.form_cookie(asked)) else {
            return self.failure(asked);
        };
        let csrf = self.forms.proof(value, FORM_PURPOSE);
        let page = DeviceCode { action, csrf, name: self.name_of(session), notice };
        let mut answer = page_of(status, page.html(&self.frame(asked)), Scripts::None, None);
        answer.headers_mut().extend(cookies::set(FORM, value).map(|value| (SET_COOKIE, value)));
        answer
    }

    /// The question whether the device may sign in.
    fn device_question_page(
        &self,
        asked: &Asked,
        session: &WebSession,
        question: device_requests::DeviceQuestion,
    ) -> Answer {
        let paths = (path::ALLOW_DEVICE.parse::<Path>(), path::REFUSE_DEVICE.parse::<Path>());
        let (Ok(allow), Ok(refuse), Some(value)) = (paths.0, paths.1, self.form_cookie(asked)) else {
            return self.failure(asked);
        };
        let proof =
            |is_allowed| self.forms.proof(value, &answer_purpose(is_allowed, session, &question.code));
        let page = DeviceQuestion {
            application: question.client.app.name.as_str().into(),
            code: question.code.to_text().as_str().into(),
            address: question.address.into(),
            at: moment(asked.language, question.made_at),
            name: self.name_of(session),
            allow: (allow, proof(true)),
            refuse: (refuse, proof(false)),
        };
        let mut answer = page_of(StatusCode::OK, page.html(&self.frame(asked)), Scripts::None, None);
        answer.headers_mut().extend(cookies::set(FORM, value).map(|value| (SET_COOKIE, value)));
        answer
    }
}
