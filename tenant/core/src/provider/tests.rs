//! Sessions, grants and claims, by their sentences: over a database, with the time as an argument.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod claims;
mod clients;
mod codes;
mod device_requests;
mod grants;
mod introspection;
mod logout_notices;
mod pushed_requests;
mod round_trips;
mod sessions;

use super::access_token::Subject;
use super::sessions::Standing;
use super::*;
use crate::applications::Application;
use crate::numbers::Numbers;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_crypto::bearer::BearerSecret;
use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::model::AppGroup;
use landbridge_tenant_store::tables::{app_groups, app_oidc, apps, grants as grant_rows, web_sessions};
use landbridge_tenant_store::{RawValue, facts};
use landbridge_wire::upload::{AttributeValue, Presence, Record};
use serde_json::{Map, Value};
use uuid::Uuid;
use zeroize::Zeroizing;

const CALLBACK: &str = "https://wiki.example.com/callback";
/// A verifier and its challenge (RFC 7636 appendix B).
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Lives that are told apart: an idle hour, a session of a day, and half an hour for a refresh token.
const LIVES: Lives = Lives { idle: 3600, session: 86_400, refresh: 1800, key: 90 * 86_400 };

/// A tenant with `user1` and `user2`, and the handle over it.
struct Bench {
    tenant: Tenant,
    provider: Provider,
}

impl Bench {
    fn new() -> Self {
        Self::with(LIVES)
    }

    fn with(lives: Lives) -> Self {
        Self::of(Tenant::new(), lives)
    }

    /// The same with its database on a server, whatever engine the other tests use.
    fn on_server() -> Self {
        Self::of(Tenant::at(tempfile::tempdir().unwrap(), postgres::database(), false), LIVES)
    }

    fn of(tenant: Tenant, lives: Lives) -> Self {
        tenant.sends(vec![user(1, "right1"), user(2, "right2")]);
        let issuer = Issuer::new(tenant.store.clone(), Arc::new(Numbers::default()));
        let provider = Provider::new(tenant.store.clone(), issuer, lives);
        Self { tenant, provider }
    }

    /// A client to which everybody is assigned.
    fn client(&self, name: &str) -> Arc<Client> {
        self.changed_client(name, true, |_| ())
    }

    /// A client with other settings.
    fn changed_client(
        &self,
        name: &str,
        everybody: bool,
        change: impl FnOnce(&mut OidcClient),
    ) -> Arc<Client> {
        let mut oidc = OidcClient {
            kind: OidcKind::Confidential,
            pkce: true,
            algorithm: SigningAlgorithm::Es256,
            subject: SubjectKind::ObjectGuid,
            client_credentials: false,
            introspects_others: false,
            pushed_requests_only: false,
            device_codes: false,
            keys: Vec::new(),
            redirect_uris: vec![RedirectUri::parse(CALLBACK).unwrap()],
            signed_out_uris: Vec::new(),
            back_channel: None,
            groups: Some(Vec::new()),
            roles: Vec::new(),
        };
        change(&mut oidc);
        let app = Application {
            id: Uuid::new_v4(),
            name: name.to_owned(),
            domains: None,
            everybody,
            networks: Vec::new(),
            rate_per_minute: 60,
            created_at: NOW,
            revoked_at: None,
        };
        self.tenant.store.write("test", |writing| apps::insert(writing, &app).map(drop)).unwrap();
        self.set(app.id, &oidc);
        self.provider.client(name).unwrap().unwrap()
    }

    /// Stores settings of a client, as an administrator changes them.
    fn set(&self, app: Uuid, oidc: &OidcClient) {
        let salt = *Uuid::new_v4().as_bytes();
        let salt: [u8; 32] = [salt, salt].concat().try_into().unwrap();
        self.tenant.store.write("test", |writing| app_oidc::set(writing, app, Some(oidc), &salt)).unwrap();
    }

    /// The group `group<n>`, as a setting names it.
    fn named_group(&self, n: u128) -> AppGroup {
        AppGroup {
            domain: self.tenant.domain,
            domain_name: "corp.example.com".to_owned(),
            group: object(n),
            name: format!("CORP\\group{n}"),
        }
    }

    fn assign(&self, client: &Client, n: u128) {
        let group = self.named_group(n);
        self.tenant.store.write("test", |writing| app_groups::add(writing, client.app.id, &group)).unwrap();
    }

    /// A session of `user<n>` that begins at `now`, and the text of its cookie.
    fn session(&self, n: u128, now: i64) -> (WebSession, Zeroizing<String>) {
        let begun = self.provider.begin(self.new_session(n), None, now).unwrap();
        (begun.session, begun.cookie)
    }

    /// Whether the session of a cookie goes on. It is used.
    fn uses(&self, cookie: &str, now: i64) -> bool {
        let found = self.provider.session(cookie, now).unwrap();
        found.is_some_and(|session| self.provider.note_use(&session, now).is_ok())
    }

    fn new_session(&self, n: u128) -> NewSession {
        let (address, name) = ("192.0.2.7".parse().unwrap(), format!("USER{n}@corp.example.com"));
        let named = self.provider.named_account(&name, None, address, NOW).unwrap();
        let (actor, device) = ("app wiki".to_owned(), "a browser".to_owned());
        NewSession { actor, object: object(n), named, device, address, changed: None }
    }

    /// A code with these scopes.
    fn code(&self, session: &WebSession, client: &Client, scopes: &str, now: i64) -> Zeroizing<String> {
        self.provider.make_code(session, client, new_grant(scopes), now).unwrap()
    }

    /// Whether the person of a session may go on at a client.
    fn standing(&self, session: &WebSession, client: &Client) -> Standing {
        let store = &self.tenant.store;
        store.read(|reading| self.provider.standing_in(reading, session, Some(client), NOW)).unwrap()
    }

    /// Userinfo with an access token of a grant.
    fn userinfo(&self, grant: Uuid, now: i64) -> Result<Map<String, Value>, NoGrant> {
        let token = access_token::write(self.tenant.store.seal_keys(), Subject::Grant(grant), now + TOKEN);
        self.provider.userinfo(&token, now)
    }

    fn redeem(&self, client: &Client, code: &str, now: i64) -> Result<Granted, NoGrant> {
        self.provider.redeem(client, code, CALLBACK, Some(VERIFIER), now)
    }

    /// The first refresh token of a new grant of `user1`.
    fn refresh_token(&self, client: &Client, now: i64) -> (WebSession, Granted, Zeroizing<String>) {
        let (session, _) = self.session(1, now);
        let code = self.code(&session, client, "openid offline_access", now);
        let mut granted = self.redeem(client, &code, now).unwrap();
        let token = granted.refresh.take().unwrap();
        (session, granted, token)
    }

    fn has_grant(&self, id: Uuid) -> bool {
        self.tenant.store.read(|reading| grant_rows::find(reading, id)).unwrap().is_some()
    }

    fn has_session(&self, id: Uuid) -> bool {
        self.tenant.store.read(|reading| web_sessions::named(reading, id)).unwrap().is_some()
    }

    /// The audit entries of an action, each as `actor: detail`.
    fn audited(&self, action: &str) -> Vec<String> {
        let sql = "SELECT actor || ': ' || detail FROM audit WHERE action = ?1 ORDER BY id";
        let action = [RawValue::Text(action.to_owned())];
        let rows = self.tenant.store.read(|reading| reading.raw_rows(sql, &action)).unwrap();
        let text = |row: Vec<RawValue>| match row.into_iter().next() {
            Some(RawValue::Text(text)) => text,
            other => panic!("{other:?}"),
        };
        rows.into_iter().map(text).collect()
    }

    /// The id of the grant that a code or a refresh token names.
    fn named(text: &str) -> Uuid {
        match text.split_once('.') {
            Some((id, _)) => Uuid::parse_str(id).unwrap(),
            None => Uuid::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()[..16]).unwrap(),
        }
    }
}

/// What a person allows, with these scopes.
fn new_grant(scopes: &str) -> NewGrant {
    NewGrant {
        scopes: scopes.to_owned(),
        nonce: Some("a nonce".to_owned()),
        redirect_uri: CALLBACK.to_owned(),
        challenge: Some(CHALLENGE.to_owned()),
        by_session_from: None,
    }
}

fn is_not_good<T>(outcome: Result<T, NoGrant>) -> bool {
    matches!(outcome, Err(NoGrant::NotGood))
}

fn is_over<T>(outcome: Result<T, NoGrant>) -> bool {
    matches!(outcome, Err(NoGrant::Over))
}
