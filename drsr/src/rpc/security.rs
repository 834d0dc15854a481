//! Proves the delegated account to a DC and the DC to this machine, by Kerberos with mutual authentication; then seals
//! requests and opens answers. The service name has the domain in it, `ldap/<host>/<domain>`: a member computer may
//! write `ldap/<host>` into its own account, but not that.
//! Talks to the KDC through `machine`; knows nothing of PDUs but which bytes are signed and which are sealed.

use crate::error::Error;
use crate::rpc::machine::CallerIo;
use landbridge_kerberos::as_exchange::{AsExchange, Next};
use landbridge_kerberos::client::Client;
use landbridge_kerberos::initiator::Initiator;
use landbridge_kerberos::kdc::Ticket;
use landbridge_kerberos::principal::Principal;
use landbridge_kerberos::random::SystemRandom;
use landbridge_kerberos::tgs_exchange::TgsExchange;
use landbridge_kerberos::wrap::Context;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The number of the security provider in PDUs: RPC_C_AUTHN_GSS_KERBEROS (MS-RPCE 2.2.1.1.7).
pub(crate) const KERBEROS: u8 = 16;

/// Legs of a context that tests pretend.
#[cfg(test)]
const PRETENDED: &[u8] = &[1; 16];

/// One security context: first who is to prove itself to whom, then what protects the association.
pub(crate) enum Security {
    /// Nothing is sent yet.
    New { client: Arc<Client>, service: Principal },
    /// The first leg is made.
    Begun(Box<Initiator>),
    /// Authenticated.
    Ready(Box<Context>),
    /// A leg failed.
    Failed,
    /// A context of a test, without a KDC: requests are not sealed, answers are. `legs` are still to come.
    #[cfg(test)]
    Pretended { legs: u8, context: Box<Context> },
}

/// A leg of the authentication.
pub(crate) struct Leg {
    pub(crate) token: Vec<u8>,
    pub(crate) done: bool,
}

impl Security {
    /// For this DC of the client's domain.
    pub(crate) fn new(client: Arc<Client>, controller: &str, domain: &str) -> Result<Self, Error> {
        let service = Principal::service(&["ldap", controller, domain], domain)?;
        Ok(Self::New { client, service })
    }

    /// The next leg, after the server's last token; the first has none.
    pub(crate) async fn step(&mut self, io: &CallerIo, token: &[u8]) -> Result<Leg, Error> {
        match std::mem::replace(self, Self::Failed) {
            Self::New { client, service } => {
                let ticket = ticket(io, &client, service).await?;
                let (initiator, token) = Initiator::begin(ticket, io.now(), &mut SystemRandom);
                *self = Self::Begun(Box::new(initiator));
                Ok(Leg { token, done: false })
            }
            Self::Begun(initiator) => {
                let (context, token) = initiator.answer(token, io.now(), &mut SystemRandom)?;
                *self = Self::Ready(Box::new(context));
                Ok(Leg { token, done: true })
            }
            Self::Ready(_) | Self::Failed => Err(Error::OutOfOrder("a leg too many")),
            #[cfg(test)]
            Self::Pretended { legs, context } => {
                *self = Self::Pretended { legs: legs - 1, context };
                Ok(Leg { token: PRETENDED.to_vec(), done: legs == 1 })
            }
        }
    }

    /// The bytes of a token beside sealed data.
    pub(crate) fn token_length(&self) -> Result<usize, Error> {
        self.context().map(Context::token_length)
    }

    /// What the secrets in replies are sealed under, besides the packets' own protection.
    pub(crate) fn session_key(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        Ok(self.context()?.session_key().lend(|key| Zeroizing::new(key.to_vec())))
    }

    /// Seals `body` in place and gives the token; `before` and `after` are signed.
    pub(crate) fn seal(&mut self, before: &[u8], body: &mut [u8], after: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Self::Ready(context) => Ok(context.seal(before, body, after, &mut SystemRandom)),
            Self::New { .. } | Self::Begun(_) | Self::Failed => Err(NOT_READY),
            #[cfg(test)]
            Self::Pretended { context, .. } => Ok(vec![0; context.token_length()]),
        }
    }

    /// Opens `body`. What was altered, repeated, left out or not sealed is refused.
    pub(crate) fn open(
        &mut self,
        before: &[u8],
        body: &[u8],
        after: &[u8],
        token: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let context = match self {
            Self::Ready(context) => context,
            Self::New { .. } | Self::Begun(_) | Self::Failed => return Err(NOT_READY),
            #[cfg(test)]
            Self::Pretended { context, .. } => context,
        };
        context.open(before, body, after, token).map_err(|untrusted| Error::Protocol(untrusted.to_string()))
    }

    fn context(&self) -> Result<&Context, Error> {
        match self {
            Self::Ready(context) => Ok(context),
            Self::New { .. } | Self::Begun(_) | Self::Failed => Err(NOT_READY),
            #[cfg(test)]
            Self::Pretended { context, .. } => Ok(context),
        }
    }
}

const NOT_READY: Error = Error::OutOfOrder("used before it was authenticated");

/// A ticket for the service, by way of one for the ticket-granting service. Neither is kept: a connection lasts for
/// hours, and the KDC answers in milliseconds.
async fn ticket(io: &CallerIo, client: &Client, service: Principal) -> Result<Ticket, Error> {
    let (mut exchange, mut request) = AsExchange::begin(client, &mut SystemRandom)?;
    let granting = loop {
        let reply = io.kdc(request).await?;
        match exchange.answer(&reply, io.now(), &mut SystemRandom)? {
            Next::Send(next) => request = next,
            Next::Done(ticket) => break ticket,
        }
    };
    let (exchange, request) = TgsExchange::begin(&granting, service, io.now(), &mut SystemRandom);
    let reply = io.kdc(request).await?;
    Ok(exchange.answer(&reply, io.now())?)
}

#[cfg(test)]
impl Security {
    /// A context for tests of who uses it: the acceptor seals with this key, from number 1 on.
    pub(crate) fn pretend(key: [u8; 32]) -> Self {
        let key = landbridge_kerberos::key::Key::new(landbridge_kerberos::enctype::Enctype::Aes256Sha1, &key);
        let context = Context::pretended(key.expect("32 bytes"), 1, 1);
        Self::Pretended { legs: 2, context: Box::new(context) }
    }
}
