//! Opens envelopes: the only user of the private envelope key.
//! Before it on the road: `session`. After it: `directory::bind`, or `directory::change_password`.

use crate::directory::RequestedAccount;
use crate::error::PtaError;
use landbridge_agent::Identity;
use landbridge_agent::identity::SecondKey;
use landbridge_crypto::envelope::change::AboutChange;
use landbridge_crypto::envelope::{About, Envelope, EnvelopeError, EnvelopeKey, VerdictKey};
use landbridge_crypto::secret::Password;
use landbridge_wire::bounded::Text;
use landbridge_wire::change::ChangeRequest;
use landbridge_wire::signin::SignInRequest;
use uuid::Uuid;

/// Opens envelopes that were sealed to the key of one certificate. `Debug` shows no key.
#[derive(Debug)]
pub struct Unsealer {
    key: EnvelopeKey,
    agent: Uuid,
    tenant: Uuid,
    domain_sid: String,
    serial: Vec<u8>,
}

impl Unsealer {
    /// An unsealer with the key of this identity.
    pub fn new(identity: &Identity) -> Result<Self, PtaError> {
        let key = identity.lend_second_key(EnvelopeKey::from_bytes).ok_or(PtaError::NotPta)?;
        Ok(Self {
            key: key.map_err(|_| PtaError::NotPta)?,
            agent: identity.agent,
            tenant: identity.tenant,
            domain_sid: identity.domain_sid.clone(),
            serial: identity.serial.clone(),
        })
    }

    /// The account that a sign-in names. None: its SID is malformed, or of another domain than this identity is for.
    pub fn account(&self, sign_in: &SignInRequest) -> Option<RequestedAccount> {
        let sid = sign_in.sid.as_ref().map(Text::as_str);
        RequestedAccount::new(sign_in.object, sid, &self.domain_sid)
    }

    /// The account that a change of password names. None: as for a sign-in.
    pub fn account_of_change(&self, change: &ChangeRequest) -> Option<RequestedAccount> {
        RequestedAccount::new(change.object, Some(change.sid.as_str()), &self.domain_sid)
    }

    /// Opens a sign-in that arrived over this connection. One that was sealed for another connection does not open.
    pub fn open(
        &self,
        connection: Uuid,
        sign_in: &SignInRequest,
    ) -> Result<(Password, VerdictKey), EnvelopeError> {
        let sid = sign_in.sid.as_ref().map(Text::as_str);
        let about = self.about((connection, sign_in.request, sign_in.due), (sign_in.object, sid));
        let encapsulated =
            sign_in.encapsulated.as_bytes().try_into().map_err(|_| EnvelopeError::DoesNotOpen)?;
        self.key.open(&about, &Envelope { encapsulated, sealed: sign_in.sealed.as_bytes().to_vec() })
    }

    /// Opens a change of password that arrived over this connection: the old password, the new one, and the key of the
    /// answer.
    pub fn open_change(
        &self,
        connection: Uuid,
        change: &ChangeRequest,
    ) -> Result<([Password; 2], VerdictKey), EnvelopeError> {
        let sid = Some(change.sid.as_str());
        let delivery = self.about((connection, change.request, change.due), (change.object, sid));
        let about = AboutChange { delivery, account: change.account.as_str() };
        let encapsulated =
            change.encapsulated.as_bytes().try_into().map_err(|_| EnvelopeError::DoesNotOpen)?;
        self.key.open_change(&about, &Envelope { encapsulated, sealed: change.sealed.as_bytes().to_vec() })
    }

    /// What an envelope to this agent is about.
    fn about<'a>(
        &'a self,
        (connection, request, due): (Uuid, Uuid, u64),
        (object, sid): (Uuid, Option<&'a str>),
    ) -> About<'a> {
        About {
            request: request.into_bytes(),
            connection: connection.into_bytes(),
            agent: self.agent.into_bytes(),
            serial: &self.serial,
            tenant: self.tenant.into_bytes(),
            domain_sid: &self.domain_sid,
            object: object.into_bytes(),
            sid,
            due,
        }
    }
}

/// A new envelope key, for an enrolment or a renewal.
pub fn make_key() -> SecondKey {
    let key = EnvelopeKey::generate();
    SecondKey { public: key.public().to_bytes(), secret: key.lend(|bytes| bytes.to_vec().into()) }
}
