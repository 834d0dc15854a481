//! What the issuer says of itself (OpenID Connect Discovery 3; RFC 8414; RFC 9207).

use landbridge_tenant_core::provider::claims::SCOPES;
use serde_json::{Value, json};

/// The paths below the issuer.
pub mod path {
    /// Discovery.
    pub const DISCOVERY: &str = "/.well-known/openid-configuration";
    /// The JWK set.
    pub const JWKS: &str = "/jwks";
    /// Authorization requests.
    pub const AUTHORIZE: &str = "/authorize";
    /// Where the form of the sign-in page goes.
    pub const SIGN_IN: &str = "/sign-in";
    /// Codes and refresh tokens for tokens.
    pub const TOKEN: &str = "/token";
    /// What a token is worth.
    pub const INTROSPECT: &str = "/introspect";
    /// Authorization requests that clients push.
    pub const PUSH: &str = "/par";
    /// Codes for devices without a browser.
    pub const DEVICE_AUTHORIZATION: &str = "/device_authorization";
    /// The end of a token.
    pub const REVOKE: &str = "/revoke";
    /// Those that clients call without a browser, with a form that proves the client.
    pub const OF_CLIENTS: [&str; 5] = [TOKEN, INTROSPECT, REVOKE, PUSH, DEVICE_AUTHORIZATION];
    /// Who somebody is.
    pub const USERINFO: &str = "/userinfo";
    /// The end of a session.
    pub const SIGN_OUT: &str = "/sign-out";
    /// The person's own page.
    pub const OWN_PAGE: &str = "/";
    /// Where the form goes that ends one session of one's own.
    pub const END_SESSION: &str = "/end-session";
    /// Where the form goes that ends all others of one's own.
    pub const END_OTHER_SESSIONS: &str = "/end-other-sessions";
    /// The page on which a person changes the password, and where its form goes.
    pub const CHANGE_PASSWORD: &str = "/change-password";
    /// The page on which a person types the code of a device, and where its form goes.
    pub const DEVICE: &str = "/device";
    /// Where the form goes that lets a device sign in.
    pub const ALLOW_DEVICE: &str = "/allow-device";
    /// Where the form goes that refuses a device.
    pub const REFUSE_DEVICE: &str = "/refuse-device";
    /// The sign-in page without the name that the browser remembers.
    pub const NOT_YOU: &str = "/not-you";
}

/// `grant_type` of the code of a device (RFC 8628 3.4).
pub const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// `acr` of every sign-in: a password over TLS (SAML Authentication Context 3.4.4, which other providers use as well).
pub const PASSWORD_OVER_TLS: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";

/// The document. `issuer` has no slash at the end.
pub fn document(issuer: &str) -> Value {
    let at = |path: &str| format!("{issuer}{path}");
    json!({
        "issuer": issuer,
        "authorization_endpoint": at(path::AUTHORIZE),
        "token_endpoint": at(path::TOKEN),
        "pushed_authorization_request_endpoint": at(path::PUSH),
        "device_authorization_endpoint": at(path::DEVICE_AUTHORIZATION),
        "require_pushed_authorization_requests": false,
        "introspection_endpoint": at(path::INTROSPECT),
        "revocation_endpoint": at(path::REVOKE),
        "userinfo_endpoint": at(path::USERINFO),
        "jwks_uri": at(path::JWKS),
        "end_session_endpoint": at(path::SIGN_OUT),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "scopes_supported": SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", DEVICE_GRANT],
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "introspection_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "sid", "acr", "amr", "domain", "domain_sid", "name",
            "given_name", "family_name", "preferred_username", "upn", "email", "email_verified", "groups",
            "groups_over_limit", "roles",
        ],
        "acr_values_supported": [PASSWORD_OVER_TLS],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
        "ui_locales_supported": ["en", "de"],
    })
}
