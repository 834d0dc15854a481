//! Every page with values as they occur, and with values that try to break it.

use landbridge_door_pages::account::{
    Account, AssignedApplication, Moment, Outcome, PasswordNotice, RecentSignIn, Session,
};
use landbridge_door_pages::branding::Branding;
use landbridge_door_pages::change_password::{ChangeNotice, ChangePassword, Rules};
use landbridge_door_pages::continue_to::ContinueTo;
use landbridge_door_pages::device_code::{DeviceAnswered, DeviceCode, DeviceNotice, DeviceQuestion};
use landbridge_door_pages::form_post::FormPost;
use landbridge_door_pages::frame::Frame;
use landbridge_door_pages::language::Language;
use landbridge_door_pages::logo::Logo;
use landbridge_door_pages::no_access::{NoAccess, NoAccessReason};
use landbridge_door_pages::request_error::{RequestError, RequestFault};
use landbridge_door_pages::sign_in::{KnownName, Notice, SignIn};
use landbridge_door_pages::sign_out::{SignOut, SignedOut};
use std::error::Error;

/// What a sample is made of failed to parse.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A logo of an installation.
const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 40"><path d="M4 30c10-22 26-22 36 0" fill="none" stroke="#b3541e" stroke-width="5" stroke-linecap="round"/><text x="52" y="27" font-family="sans-serif" font-size="20" font-weight="600" fill="#b3541e">Nordhafen</text></svg>"##;

/// A name that is markup, changes the direction of text, and is too long.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>\"'&\u{202E}gnp.exe\u{2066}Donaudampfschifffahrtsgesellschaftskapitänsmützenfabrik_\
     without_a_space_that_would_let_it_break_und_noch_viel_mehr_und_noch_viel_mehr_und_noch_viel_mehr_und_noch_viel\
     _mehr_und_noch_viel_mehr_und_noch_viel_mehr_und_noch_viel_mehr_und_noch_viel_mehr";

/// Names of brandings, and the brandings.
pub(crate) fn brandings() -> Result<Vec<(&'static str, Branding)>> {
    let help = Some("https://help.corp.example/sign-in".parse()?);
    let plain = Branding { name: "Landbridge".into(), help, ..Branding::default() };
    let logo = Branding {
        name: "Nordhafen".into(),
        colour: Some("#b3541e".parse()?),
        logo: Some(Logo::new(LOGO.as_bytes().to_vec())?),
        ..plain.clone()
    };
    let yellow =
        Branding { name: "Gelbe Werke AG".into(), colour: Some("#ffd400".parse()?), ..plain.clone() };
    let hostile = Branding { name: HOSTILE.into(), colour: Some("#000000".parse()?), help: None, logo: None };
    Ok(vec![("plain", plain), ("logo", logo), ("yellow", yellow), ("hostile", hostile)])
}

/// Names of pages, and their HTML.
pub(crate) fn pages(frame: &Frame<'_>) -> Result<Vec<(String, String)>> {
    let mut pages = Vec::new();
    let mut add = |name: &str, html: String| pages.push((name.to_owned(), html));

    // 0. Back to a program.
    let target = "com.example.app:/callback?code=c29kZQ&state=x".parse()?;
    add("continue-to", ContinueTo { target, application: "Notes".into() }.html(frame));

    // 1. Sign-in.
    let sign_in = |name, notice| -> Result<SignIn> {
        Ok(SignIn {
            application: Some("Wiki".into()),
            action: "/sign-in".parse()?,
            csrf: "dG9rZW4".to_owned(),
            request: "cmVxdWVzdA".to_owned(),
            name,
            notice,
        })
    };
    add("sign-in", sign_in(KnownName::Empty, None)?.html(frame));
    add("sign-in-own", SignIn { application: None, ..sign_in(KnownName::Empty, None)? }.html(frame));
    for notice in Notice::ALL {
        let name = KnownName::Typed("anna.beck@corp.example".into());
        add(&format!("sign-in-{notice:?}"), sign_in(name, Some(notice))?.html(frame));
    }
    let another = "/sign-in?another=1".parse()?;
    let fixed = KnownName::Fixed { name: "anna.beck@corp.example".into(), another };
    add("sign-in-fixed", sign_in(fixed, None)?.html(frame));
    let hostile = sign_in(KnownName::Typed(HOSTILE.into()), Some(Notice::WrongPassword))?;
    let hostile = SignIn { application: Some(HOSTILE.into()), csrf: HOSTILE.to_owned(), ..hostile };
    add("sign-in-hostile", hostile.html(frame));

    // Change of password.
    let rules = Rules { minimum_length: 12, history: 24, complex: true, minimum_age: 24 };
    let change = |notice| -> Result<ChangePassword> {
        Ok(ChangePassword {
            action: "/change-password".parse()?,
            cancel: "/".parse()?,
            csrf: "dG9rZW4".to_owned(),
            request: Some("cmVxdWVzdA".to_owned()),
            name: "anna.beck@corp.example".into(),
            rules,
            notice,
        })
    };
    add("change-password", change(None)?.html(frame));
    for notice in ChangeNotice::all() {
        let kind = format!("{notice:?}");
        let kind = kind.split('(').next().unwrap_or_default();
        add(&format!("change-password-{kind}"), change(Some(notice.clone()))?.html(frame));
    }
    let hostile = change(Some(ChangeNotice::Refused(HOSTILE.into())))?;
    let hostile = ChangePassword {
        csrf: HOSTILE.to_owned(),
        request: Some(HOSTILE.to_owned()),
        name: HOSTILE.into(),
        rules: Rules::default(),
        ..hostile
    };
    add("change-password-hostile", hostile.html(frame));

    // A device without a browser.
    let code = |notice| -> Result<DeviceCode> {
        let name = Some("anna.beck@corp.example".into());
        Ok(DeviceCode { action: "/device".parse()?, csrf: "dG9rZW4".to_owned(), name, notice })
    };
    add("device-code", code(None)?.html(frame));
    for notice in DeviceNotice::ALL {
        add(&format!("device-code-{notice:?}"), code(Some(notice))?.html(frame));
    }
    let hostile = DeviceCode {
        csrf: HOSTILE.to_owned(),
        name: Some(HOSTILE.into()),
        ..code(Some(DeviceNotice::Wrong))?
    };
    add("device-code-hostile", hostile.html(frame));
    let question = DeviceQuestion {
        application: "Besprechungsraum".into(),
        code: "WDJB-MJHT".into(),
        address: "2001:db8:85a3:8d3:1319:8a2e:370:7348".into(),
        at: Moment { text: "2026-11-29 09:14 UTC".into(), datetime: "2026-11-29T09:14:00Z".to_owned() },
        name: Some("anna.beck@corp.example".into()),
        allow: ("/allow-device".parse()?, "dG9rZW4".to_owned()),
        refuse: ("/refuse-device".parse()?, "dG9rZW5z".to_owned()),
    };
    add("device-question", question.html(frame));
    let hostile = DeviceQuestion {
        application: HOSTILE.into(),
        code: HOSTILE.into(),
        address: HOSTILE.into(),
        at: Moment { text: HOSTILE.into(), datetime: HOSTILE.to_owned() },
        name: Some(HOSTILE.into()),
        ..question
    };
    add("device-question-hostile", hostile.html(frame));
    for is_allowed in [true, false] {
        let page = DeviceAnswered { application: "Besprechungsraum".into(), is_allowed };
        add(if is_allowed { "device-allowed" } else { "device-refused" }, page.html(frame));
        let page = DeviceAnswered { application: HOSTILE.into(), is_allowed };
        add(&format!("device-answered-{is_allowed}-hostile"), page.html(frame));
    }

    // 2. No access.
    for reason in [NoAccessReason::NotAssigned, NoAccessReason::Account, NoAccessReason::Application] {
        let page = NoAccess {
            application: Some("Personalverwaltung".into()),
            name: Some("anna.beck@corp.example".into()),
            reason,
            another: Some("/sign-in?another=1".parse()?),
            back: Some("https://people.corp.example/".parse()?),
        };
        add(&format!("no-access-{reason:?}"), page.html(frame));
    }
    let reason = NoAccessReason::NotAssigned;
    let bare = NoAccess { application: None, name: None, reason, another: None, back: None };
    add("no-access-bare", bare.html(frame));
    let back = Some("https://people.corp.example/".parse()?);
    let hostile = NoAccess { application: Some(HOSTILE.into()), name: Some(HOSTILE.into()), back, ..bare };
    add("no-access-hostile", hostile.html(frame));

    // 3. Wrong requests.
    for fault in RequestFault::ALL {
        let page = RequestError {
            fault,
            application: Some("wiki".into()),
            detail: Some("redirect_uri: https://wiki.corp.example/callback2".into()),
            reference: Some("7f3a-19c2-e5d0".into()),
        };
        add(&format!("error-{fault:?}"), page.html(frame));
    }
    let (application, detail) = (Some(HOSTILE.into()), Some(HOSTILE.into()));
    let hostile =
        RequestError { fault: RequestFault::Malformed, application, detail, reference: Some(HOSTILE.into()) };
    add("error-hostile", hostile.html(frame));

    // 4. Sign-out.
    let question = SignOut {
        action: "/sign-out".parse()?,
        csrf: "dG9rZW4".to_owned(),
        request: Some("cmVxdWVzdA".to_owned()),
        name: Some("anna.beck@corp.example".into()),
        stay: "/account".parse()?,
    };
    add("sign-out", question.html(frame));
    let signed_out = SignedOut {
        application: Some("Wiki".into()),
        back: Some("https://wiki.corp.example/".parse()?),
        sign_in: Some("/account".parse()?),
    };
    add("signed-out", signed_out.html(frame));
    add("signed-out-bare", SignedOut { application: None, back: None, sign_in: None }.html(frame));

    // 5. The own page.
    add("account", account(frame.language)?.html(frame));
    for notice in [PasswordNotice::Changed, PasswordNotice::Off] {
        let page = Account { notice: Some(notice), change_password: None, ..account(frame.language)? };
        add(&format!("account-password-{notice:?}"), page.html(frame));
    }
    let empty = Account {
        applications: Vec::new(),
        sessions: Vec::new(),
        sign_ins: Vec::new(),
        ..account(frame.language)?
    };
    add("account-empty", empty.html(frame));
    add("account-hostile", hostile_account()?.html(frame));

    // 6. The answer to an application.
    let form_post = FormPost {
        target: "https://wiki.corp.example/callback?tenant=a&b=c".parse()?,
        application: Some("Wiki".into()),
        parameters: vec![
            ("code".to_owned(), "c29tZSBjb2Rl".to_owned()),
            ("state".to_owned(), HOSTILE.to_owned()),
        ],
    };
    add("form-post", form_post.html(frame));
    Ok(pages)
}

fn account(language: Language) -> Result<Account> {
    let texts = |english: &'static str, german: &'static str| match language {
        Language::English => english,
        Language::German => german,
    };
    let moment = |english, german| Moment {
        text: texts(english, german).into(),
        datetime: "2026-11-29T09:14:00Z".to_owned(),
    };
    let session = |device: &str, place: &str, since: Moment, last_used: Moment, is_this| Session {
        handle: "aGFuZGxl".to_owned(),
        device: device.into(),
        place: place.into(),
        since,
        last_used,
        is_this,
    };
    let application = |name: &str, link: Option<&str>| -> Result<AssignedApplication> {
        Ok(AssignedApplication { name: name.into(), link: link.map(str::parse).transpose()? })
    };
    let sign_ins = Outcome::ALL.into_iter().cycle().take(25).enumerate();
    let names = ["Wiki", "Nextcloud", "GitLab"];
    Ok(Account {
        person: "Anna Beck".into(),
        sign_in_name: "anna.beck@corp.example".into(),
        csrf: "dG9rZW4".to_owned(),
        sign_out: "/sign-out".parse()?,
        end_session: "/account/end-session".parse()?,
        end_other_sessions: "/account/end-other-sessions".parse()?,
        change_password: Some("/change-password".parse()?),
        notice: None,
        expires_in: Some(17),
        applications: vec![
            application("Wiki", Some("https://wiki.corp.example/"))?,
            application("Nextcloud", Some("https://cloud.corp.example/"))?,
            application("GitLab", Some("https://git.corp.example/"))?,
            application("Zeiterfassung und Urlaubsplanung", Some("https://time.corp.example/"))?,
            application("VPN", None)?,
        ],
        sessions: vec![
            session(
                texts("Firefox on Windows", "Firefox unter Windows"),
                "Hamburg",
                moment("today at 08:02", "heute um 08:02"),
                moment("2 minutes ago", "vor 2 Minuten"),
                true,
            ),
            session(
                texts("Safari on iPhone", "Safari auf iPhone"),
                "Hamburg",
                moment("on 17 November", "am 17. November"),
                moment("yesterday at 21:40", "gestern um 21:40"),
                false,
            ),
            session(
                texts("Chrome on Linux", "Chrome unter Linux"),
                "203.0.113.77",
                moment("on 2 November", "am 2. November"),
                moment("on 20 November", "am 20. November"),
                false,
            ),
        ],
        sign_ins: sign_ins
            .map(|(at, outcome)| RecentSignIn {
                at: moment("28 November 2026, 09:14", "28. November 2026, 09:14"),
                place: "Hamburg".into(),
                application: names.get(at % 4).map(|name| (*name).into()),
                outcome,
            })
            .collect(),
    })
}

fn hostile_account() -> Result<Account> {
    let plain = account(Language::English)?;
    let moment = || Moment { text: HOSTILE.into(), datetime: HOSTILE.to_owned() };
    let application = AssignedApplication {
        name: HOSTILE.into(),
        link: Some("https://wiki.corp.example/?a=b&c=d".parse()?),
    };
    let session = Session {
        handle: HOSTILE.to_owned(),
        device: HOSTILE.into(),
        place: HOSTILE.into(),
        since: moment(),
        last_used: moment(),
        is_this: true,
    };
    let sign_in = RecentSignIn {
        at: moment(),
        place: HOSTILE.into(),
        application: Some(HOSTILE.into()),
        outcome: Outcome::CannotCheck,
    };
    Ok(Account {
        person: HOSTILE.into(),
        sign_in_name: HOSTILE.into(),
        csrf: HOSTILE.to_owned(),
        applications: vec![application.clone(), AssignedApplication { link: None, ..application }],
        sessions: vec![session.clone(), Session { is_this: false, ..session }],
        sign_ins: vec![sign_in],
        ..plain
    })
}
