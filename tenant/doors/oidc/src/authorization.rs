//! An authorization request (OpenID Connect Core 3.1.2.1), checked against the client's registration. Pure.
//!
//! What is wrong before client and redirect URI are known is shown to the person. Everything else goes back to the client.
//! Neighbours: [`super::parameters`] reads it; the door answers it.

use super::parameters::Parameters;
use landbridge_door_pages::request_error::RequestFault;
use landbridge_tenant_core::provider::claims::SCOPES;
use landbridge_tenant_core::provider::code::MAX_NONCE;
use landbridge_tenant_core::provider::{OidcClient, OidcKind};
use url::Url;

/// Limit on the bytes of a state, which comes back.
const MAX_STATE: usize = 2048;

/// How the answer goes back (OAuth 2.0 Multiple Response Types; Form Post).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    Query,
    /// In a form that the browser posts there.
    FormPost,
}

/// What the client wants to happen on the page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Nothing may be shown: sign in silently, or not.
    pub none: bool,
    /// The password must be typed again.
    pub login: bool,
}

/// A request that is sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Where the answer goes, and how.
    pub back: Back,
    /// The scopes that are known here, with a blank between.
    pub scopes: String,
    /// `nonce`
    pub nonce: Option<String>,
    /// `code_challenge`, of the method S256.
    pub challenge: Option<String>,
    /// `prompt`
    pub prompt: Prompt,
    /// `max_age`: seconds since the password was typed.
    pub max_age: Option<i64>,
    /// `login_hint`: the name to fill in.
    pub login_hint: Option<String>,
    /// `id_token_hint`: the person whom the client means. The door reads it.
    pub meant: Meant,
}

/// The person whom a client means (OpenID Connect Core 3.1.2.2: no other one's code is returned).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Meant {
    /// Any person: the one who is signed in, or signs in.
    #[default]
    Anyone,
    /// The one with this `sub`.
    Person(String),
    /// A person who is not known here any more: the hint is none of ours for this client, or its key is deleted.
    Unknown,
}

/// Where an answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// A redirect URI of the client.
    pub redirect_uri: String,
    /// How.
    pub mode: ResponseMode,
    /// `state`, which comes back.
    pub state: Option<String>,
    /// The application's name, for a page on the way. The door knows it.
    pub application: Option<String>,
}

impl Back {
    /// The parameters of an answer: these, the state, and the issuer (RFC 9207).
    pub fn parameters<'a>(
        &'a self,
        values: &[(&'a str, &'a str)],
        issuer: &'a str,
    ) -> Vec<(&'a str, &'a str)> {
        let mut all = values.to_vec();
        all.extend(self.state.as_deref().map(|state| ("state", state)));
        all.push(("iss", issuer));
        all
    }

    /// The redirect URI with parameters in its query. None: it is none.
    pub fn with_query(&self, parameters: &[(&str, &str)]) -> Option<String> {
        let mut url = Url::parse(&self.redirect_uri).ok()?;
        url.query_pairs_mut().extend_pairs(parameters);
        Some(url.into())
    }
}

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// The person reads it: it is not known where it came from.
    Here(RequestFault, &'static str),
    /// The client reads it (RFC 6749 4.1.2.1): a code, and words.
    There(Back, &'static str, &'static str),
}

/// Checks a request of a client with this registration.
pub fn check(client: &OidcClient, request: &Parameters) -> Result<Authorization, Wrong> {
    // 1. Where the answer goes.
    let Some(redirect_uri) = request.get("redirect_uri") else {
        return Err(Wrong::Here(RequestFault::Malformed, "redirect_uri is missing"));
    };
    if !client.redirect_uris.iter().any(|registered| registered.fits(redirect_uri)) {
        return Err(Wrong::Here(RequestFault::WrongReturn, "redirect_uri is not registered"));
    }
    let state = request.get("state").map(str::to_owned);
    let mode = match request.get("response_mode") {
        None | Some("query") => ResponseMode::Query,
        Some("form_post") => ResponseMode::FormPost,
        Some(_) => return Err(Wrong::Here(RequestFault::Malformed, "response_mode is unknown")),
    };
    let back = Back { redirect_uri: redirect_uri.to_owned(), mode, state, application: None };
    let there = |code, words| Err(Wrong::There(back.clone(), code, words));
    if back.state.as_ref().is_some_and(|state| state.len() > MAX_STATE) {
        return Err(Wrong::Here(RequestFault::Malformed, "state is too long"));
    }
    // 2. What is not done here.
    for (name, code) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ] {
        if request.get(name).is_some() {
            return there(code, "this parameter is not supported");
        }
    }
    match request.get("response_type") {
        Some("code") => {}
        Some(_) => return there("unsupported_response_type", "response_type must be code"),
        None => return there("invalid_request", "response_type is missing"),
    }
    // 3. Scopes. Unknown ones are ignored (OpenID Connect Core 3.1.2.1).
    let Some(scopes) = known_scopes(request.get("scope").unwrap_or_default()) else {
        return there("invalid_scope", "scope must have openid");
    };
    // 4. PKCE.
    let challenge = request.get("code_challenge");
    match (challenge, request.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) if is_challenge(challenge) => {}
        (Some(_), _) => return there("invalid_request", "code_challenge must be of the method S256"),
        (None, Some(_)) => return there("invalid_request", "code_challenge is missing"),
        (None, None) if client.pkce || client.kind == OidcKind::Public => {
            return there("invalid_request", "code_challenge is missing: this client must use PKCE");
        }
        (None, None) => {}
    }
    // 5. The rest.
    let nonce = request.get("nonce");
    if nonce.is_some_and(|nonce| nonce.len() > MAX_NONCE) {
        return there("invalid_request", "nonce is too long");
    }
    let mut prompt = Prompt::default();
    let mut prompts = 0;
    for one in request.get("prompt").unwrap_or_default().split(' ').filter(|one| !one.is_empty()) {
        prompts += 1;
        match one {
            "none" => prompt.none = true,
            "login" | "select_account" => prompt.login = true,
            "consent" => {}
            _ => return there("invalid_request", "prompt is unknown"),
        }
    }
    if prompt.none && prompts > 1 {
        return there("invalid_request", "prompt cannot be none and something else");
    }
    let max_age = match request.get("max_age").map(str::parse::<u32>) {
        None => None,
        Some(Ok(seconds)) => Some(i64::from(seconds)),
        Some(Err(_)) => return there("invalid_request", "max_age is no number of seconds"),
    };
    Ok(Authorization {
        scopes,
        nonce: nonce.map(str::to_owned),
        challenge: challenge.map(str::to_owned),
        prompt,
        max_age,
        meant: Meant::default(),
        login_hint: request.get("login_hint").filter(|hint| hint.len() <= 256).map(str::to_owned),
        back,
    })
}

/// Those of the wanted scopes that are known here, with a blank between. None: `openid` is not among them.
pub fn known_scopes(wanted: &str) -> Option<String> {
    let is_wanted = |known: &&str| wanted.split(' ').any(|one| one == *known);
    let scopes: Vec<&str> = SCOPES.into_iter().filter(is_wanted).collect();
    scopes.contains(&"openid").then(|| scopes.join(" "))
}

/// Whether a text is base64url of 32 bytes (RFC 7636 4.2).
fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
