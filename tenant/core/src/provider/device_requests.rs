//! Devices without a browser (RFC 8628): a device gets two codes, a person types one of them at the page and allows the
//! device to sign in, and the device redeems the other one for tokens of a grant in the person's session.
//!
//! The device's code names its request and has a secret of its own, as all codes here. The request's id becomes that of the
//! grant, so a code that is redeemed again is known as such, and ends the grant.
//! Neighbours: `grants` goes on with the grant; `user_code` has the code that people type.

use super::grants::{GrantWithClaims, MAY_NOT_GO_ON, NewRow, new_id, parse, text};
use super::sessions::{Standing, actor_of, end_one, note_use_in};
use super::user_code::UserCode;
use super::{Client, Ending, Granted, NoGrant, Provider};
use crate::sign_ins::Source;
use landbridge_crypto::bearer::{BearerSecret, same};
use landbridge_tenant_store::tables::device_guesses::{MOST_OF_ACCOUNT, MOST_OF_ADDRESS};
use landbridge_tenant_store::tables::device_requests::{self, DeviceAnswer, DeviceRequest};
use landbridge_tenant_store::tables::web_sessions::{self, WebSession};
use landbridge_tenant_store::tables::{audit, device_guesses, grants};
use landbridge_tenant_store::{Reading, StoreError, Writing};
use std::net::IpAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Seconds within which a person answers a request and the device redeems its code.
pub const DEVICE: i64 = 600;
/// Seconds that a device waits at first until it asks for its tokens again. It is also what is added when it asks too early.
pub const INTERVAL: i64 = 5;
/// Limit on these seconds. A device that asks too early at this limit costs no write any more.
const MAX_INTERVAL: i64 = 60;

/// The codes of a request.
#[derive(Debug)]
pub struct DeviceCodes {
    /// What the device redeems.
    pub device: Zeroizing<String>,
    /// What the person types.
    pub user: UserCode,
}

/// A request that waits for the person's answer.
#[derive(Debug)]
pub struct DeviceQuestion {
    /// The client.
    pub client: Arc<Client>,
    /// The code, as it is carried to the answer.
    pub code: UserCode,
    /// The address that the request came from.
    pub address: String,
    /// When it came, in seconds since 1970.
    pub made_at: i64,
}

/// Why a code that was typed leads to no request, or a request is not answered.
#[derive(Debug, thiserror::Error)]
pub enum NoDevice {
    /// No request with this code waits.
    #[error("no request with this code waits")]
    Wrong,
    /// Too many wrong codes were typed.
    #[error("too many wrong codes were typed")]
    TooMany,
    /// The session has ended.
    #[error("the session has ended")]
    SessionEnded,
    /// This application is not assigned to the person.
    #[error("the application is not assigned to the person")]
    NotAssigned(Arc<Client>),
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a device gets no tokens.
#[derive(Debug, thiserror::Error)]
pub enum NoDeviceGrant {
    /// The person has not answered yet.
    #[error("the person has not answered yet")]
    Pending,
    /// The device asks too early. It must wait longer from now on.
    #[error("the device asks too early")]
    SlowDown,
    /// The time of the request is over.
    #[error("the time of the request is over")]
    Expired,
    /// The person has refused.
    #[error("the person has refused")]
    Refused,
    /// The code is not good, or the person may not go on.
    #[error(transparent)]
    NoGrant(#[from] NoGrant),
}

impl Provider {
    /// Stores a request of a client for a device, which came from this address. None: too many wait. Blocks.
    pub fn request_device(
        &self,
        client: &Client,
        scopes: &str,
        from: IpAddr,
        now: i64,
    ) -> Result<Option<DeviceCodes>, StoreError> {
        let (secret, user) = (BearerSecret::generate(), UserCode::generate());
        let request = DeviceRequest {
            id: new_id(now),
            hash: secret.hash(),
            app: client.app.id,
            scopes: scopes.to_owned(),
            address: from.to_canonical().to_string(),
            made_at: now,
            ends_at: now.saturating_add(DEVICE),
            polled_at: None,
            wait_seconds: INTERVAL,
            answer: None,
        };
        let hashes = self.user_hashes(&user);
        let user_hash = hashes.first().ok_or(StoreError::Foreign { what: "seal key" })?;
        let stored = self.store.write_short("device-request", |writing| {
            device_requests::insert(writing, &request, user_hash, now)
        })?;
        Ok(stored.then(|| DeviceCodes { device: text(request.id, &secret), user }))
    }

    /// The request whose code a person with this session has typed, if the person may answer it. A wrong code is counted for
    /// the account and the address. Blocks.
    pub fn device_question(
        &self,
        session: &WebSession,
        typed: &str,
        from: IpAddr,
        now: i64,
    ) -> Result<DeviceQuestion, NoDevice> {
        // 1. The code. Limit, search and count are one transaction, so that codes which come at once are counted as well.
        let code = UserCode::parse(typed);
        let hashes = code.as_ref().map(|code| self.user_hashes(code)).unwrap_or_default();
        let address = Source::Address(from.to_canonical()).place().unwrap_or_default();
        let account = actor_of(session.object);
        let sources = [(account.as_str(), MOST_OF_ACCOUNT), (address.as_str(), MOST_OF_ADDRESS)];
        let found = self.store.write_short("device-code-typed", |writing| {
            if device_guesses::is_full(writing, sources, now)? {
                return Ok(Err(NoDevice::TooMany));
            }
            let found = device_requests::waiting(writing, &hashes, now)?;
            if found.is_none() {
                let of_account = device_guesses::count(writing, sources, now)?;
                if of_account == MOST_OF_ACCOUNT {
                    let (action, subject) = ("device-guesses-limited", session.object.to_string());
                    let detail = format!("{of_account} wrong codes by session {}, from {from}", session.id);
                    audit::append(writing, now, &account, action, &subject, &detail)?;
                }
            }
            Ok(found.ok_or(NoDevice::Wrong))
        })?;
        let (request, code) = (found?, code.ok_or(NoDevice::Wrong)?);
        // 2. Its client, and whether the person may go on there.
        let client = self.store.read(|reading| self.client_of(reading, &request))?.ok_or(NoDevice::Wrong)?;
        match self.store.read(|reading| self.standing_in(reading, session, Some(&client), now))? {
            Standing::Good(_) => {}
            Standing::Over => return Err(NoDevice::SessionEnded),
            Standing::NotAssigned => {
                self.store.write_short("device-not-assigned", |writing| {
                    note_not_assigned(writing, session, &client, from, now)
                })?;
                return Err(NoDevice::NotAssigned(client));
            }
        }
        Ok(DeviceQuestion { client, code, address: request.address, made_at: request.made_at })
    }

    /// Stores the answer of a person with this session, from this address, to the request with this code. Returns the client.
    /// Blocks.
    pub fn answer_device(
        &self,
        session: &WebSession,
        (code, is_allowed): (&UserCode, bool),
        from: IpAddr,
        now: i64,
    ) -> Result<Arc<Client>, NoDevice> {
        let hashes = self.user_hashes(code);
        let client = self.store.read(|reading| {
            let request = device_requests::waiting(reading, &hashes, now)?;
            request.map_or(Ok(None), |request| self.client_of(reading, &request))
        })?;
        let client = client.ok_or(NoDevice::Wrong)?;
        let answered = self.store.write_short("device-answer", |writing| {
            // 1. The session, its person and the request, as they are now.
            let Some(session) = web_sessions::named(writing, session.id)? else {
                return Ok(Err(NoDevice::SessionEnded));
            };
            match self.standing_in(writing, &session, Some(&client), now)? {
                Standing::Good(_) => {}
                Standing::NotAssigned => {
                    note_not_assigned(writing, &session, &client, from, now)?;
                    return Ok(Err(NoDevice::NotAssigned(client.clone())));
                }
                Standing::Over => {
                    end_one(writing, &session, ("tenant", Ending::Account), now)?;
                    return Ok(Err(NoDevice::SessionEnded));
                }
            }
            let request = device_requests::waiting(writing, &hashes, now)?;
            let Some(request) = request.filter(|request| request.app == client.app.id) else {
                return Ok(Err(NoDevice::Wrong));
            };
            // 2. The answer. One that allows is a sign-in for which the session stood.
            note_use_in(writing, &session, now)?;
            let answer = if is_allowed {
                DeviceAnswer::Allowed { object: session.object, session: session.id }
            } else {
                DeviceAnswer::Refused
            };
            device_requests::answer(writing, request.id, answer)?;
            let (subject, from) = (session.object.to_string(), from.to_canonical());
            let app = format!("app {}", client.app.name);
            if is_allowed {
                let detail = format!("accepted by session {}, from {from}", session.id);
                audit::append(writing, now, &app, "signin-by-session", &subject, &detail)?;
            }
            let action = if is_allowed { "device-allowed" } else { "device-refused" };
            let detail = format!("{app}, for a device at {}, from {from}", request.address);
            audit::append(writing, now, &actor_of(session.object), action, &subject, &detail)?;
            Ok(Ok(()))
        })?;
        answered.map(|()| client)
    }

    /// Redeems the code of a device for tokens, if the person has allowed it. Blocks.
    pub fn redeem_device_code(
        &self,
        client: &Client,
        code: &str,
        now: i64,
    ) -> Result<Granted, NoDeviceGrant> {
        let (id, secret) = parse(code).ok_or(NoGrant::NotGood)?;
        let (hash, next) = (secret.hash(), BearerSecret::generate());
        // Anybody may bring a code, and a device asks as often as it likes: what is none, or far too early, costs no write.
        let seen = self.store.read(|reading| {
            let request = device_requests::find(reading, id)?;
            Ok((request.is_none() && grants::find(reading, id)?.is_none(), request))
        });
        match seen.map_err(NoGrant::from)? {
            (true, _) => return Err(NoGrant::NotGood.into()),
            (_, Some(request)) if is_early(&request, now) && request.wait_seconds >= MAX_INTERVAL => {
                let is_its_own = request.app == client.app.id && same(&request.hash, &hash);
                return Err(if is_its_own { NoDeviceGrant::SlowDown } else { NoGrant::NotGood.into() });
            }
            _ => {}
        }
        let redeemed = self.store.write_short("device-poll", |writing| {
            // 1. The request.
            let Some(request) = device_requests::find(writing, id)? else { return Ok(None) };
            if request.app != client.app.id || !same(&request.hash, &hash) {
                return Ok(Some(Err(NoGrant::NotGood.into())));
            }
            if request.ends_at <= now {
                return Ok(Some(Err(NoDeviceGrant::Expired)));
            }
            // 2. The seconds since the last time that was not too early. A device whose answer was lost catches up with it.
            if is_early(&request, now) {
                if request.wait_seconds < MAX_INTERVAL {
                    device_requests::note_wait(writing, id, request.wait_seconds + INTERVAL)?;
                }
                return Ok(Some(Err(NoDeviceGrant::SlowDown)));
            }
            // 3. The answer.
            match request.answer {
                None => {
                    device_requests::note_poll(writing, id, now)?;
                    Ok(Some(Err(NoDeviceGrant::Pending)))
                }
                Some(DeviceAnswer::Refused) => Ok(Some(Err(NoDeviceGrant::Refused))),
                Some(answer @ DeviceAnswer::Allowed { .. }) => {
                    device_requests::end(writing, id)?;
                    self.grant_to_device(writing, client, (&request, answer), &next.hash(), now).map(Some)
                }
            }
        });
        match redeemed.map_err(NoGrant::from)? {
            Some(redeemed) => {
                let (grant, claims) = redeemed?;
                Ok(self.granted((grant, claims), &next, now))
            }
            // 4. It was redeemed before, so its grant ends: there may be a copy in other hands.
            None => Ok(self.next(client, code, now, |_| false)?),
        }
    }

    /// Makes the grant that a person has allowed, if the person may still go on.
    fn grant_to_device(
        &self,
        writing: &Writing<'_>,
        client: &Client,
        (request, answer): (&DeviceRequest, DeviceAnswer),
        hash: &[u8; 32],
        now: i64,
    ) -> Result<Result<GrantWithClaims, NoDeviceGrant>, StoreError> {
        let DeviceAnswer::Allowed { object, session } = answer else {
            return Ok(Err(NoDeviceGrant::Refused));
        };
        let found = self.session_with_claims(writing, client, (session, &request.scopes), now)?;
        let Some((session, claims)) = found else {
            let actor = format!("app {}", client.app.name);
            audit::append(writing, now, &actor, "grant-ended", &object.to_string(), MAY_NOT_GO_ON)?;
            return Ok(Err(NoGrant::Over.into()));
        };
        let grant = NewRow { id: request.id, scopes: request.scopes.clone(), nonce: None, hash: *hash };
        let grant = self.begin_grant(writing, client, grant, &session, now)?;
        Ok(Ok((grant.ok_or(StoreError::Conflict)?, claims)))
    }

    /// The client of a request, if it is not revoked and its devices may sign in.
    fn client_of(
        &self,
        reading: &Reading<'_>,
        request: &DeviceRequest,
    ) -> Result<Option<Arc<Client>>, StoreError> {
        Ok(self.clients.with_id(reading, request.app)?.filter(|client| client.oidc.device_codes))
    }

    fn user_hashes(&self, code: &UserCode) -> Vec<[u8; 32]> {
        self.store.seal_keys().hashes("user code", &[code.octets()])
    }
}

/// Whether a device that asks now has not waited long enough.
fn is_early(request: &DeviceRequest, now: i64) -> bool {
    request.ends_at > now && request.polled_at.is_some_and(|at| now.saturating_sub(at) < request.wait_seconds)
}

/// Writes into the audit log that a person with a session may not go on at an application.
fn note_not_assigned(
    writing: &Writing<'_>,
    session: &WebSession,
    client: &Client,
    from: IpAddr,
    now: i64,
) -> Result<(), StoreError> {
    let actor = format!("app {}", client.app.name);
    let detail = format!("not-assigned, by session {}, from {}", session.id, from.to_canonical());
    audit::append(writing, now, &actor, "signin-refused", &session.object.to_string(), &detail)
}
