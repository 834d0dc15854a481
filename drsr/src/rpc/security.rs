//! Proves who we are to a DC, and then seals requests and opens answers: `sspi`, with the checks that it
//! leaves out. The package is named, never negotiated, so nothing falls back to NTLM.
//! Talks to the KDC through `machine`; knows nothing of PDUs but which bytes are signed and which are sealed.

use crate::error::Error;
use crate::rpc::keytab::{KeyCipher, Keytab};
use crate::rpc::krb_error::{KrbError, PREAUTH_REQUIRED};
use crate::rpc::machine::CallerIo;
use crate::rpc::wrap::{self, Unwrap};
use landbridge_crypto::secret::Password;
use picky_krb::crypto::CipherSuite;
use sspi::generator::{GeneratorInitSecurityContext, GeneratorState, NetworkRequest};
use sspi::{
    AuthIdentity, BufferType, ClientRequestFlags, CredentialUse, Credentials, CredentialsBuffers,
    DataRepresentation, EncryptionFlags, InitializeSecurityContextResult, Kerberos, KerberosConfig,
    KeytabIdentity, Ntlm, SecurityBuffer, SecurityBufferFlags, SecurityBufferRef, SecurityStatus, Sspi,
    SspiImpl, Username,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use zeroize::Zeroizing;

/// What the delegated account proves itself with.
#[derive(Debug)]
pub enum Credential {
    /// Long-term keys from a keytab.
    Keytab(Keytab),
    /// Its password.
    Password(Password),
}

/// How the delegated account proves itself. Never negotiated: what is named is used, or it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authentication {
    /// Kerberos, with AES.
    #[default]
    Kerberos,
    /// NTLM: only when configured, and only with a password.
    Ntlm,
}

/// Who proves itself to whom.
#[derive(Debug, Clone)]
pub(crate) struct Parties {
    pub(crate) account: String,
    pub(crate) domain: String,
    /// `ldap/<full name of the DC>`
    pub(crate) service: String,
}

/// What `sspi` says of this machine to the DC.
const WORKSTATION: &str = "LANDBRIDGE";
/// Where the KDC is said to be: requests are taken out before anybody resolves it.
const KDC: &str = "tcp://kdc.invalid:88";

/// One security context.
pub(crate) struct Security {
    parties: Parties,
    package: Package,
    unwrap: Option<Unwrap>,
    /// A keytab that lacks the key of the cipher that the KDC prefers.
    only_aes128: bool,
}

enum Package {
    Kerberos(Box<Kerberos>, Option<CredentialsBuffers>),
    Ntlm(Box<Ntlm>, Option<sspi::AuthIdentityBuffers>),
    /// A context without a KDC, with this key: requests are not sealed, answers are.
    #[cfg(test)]
    Pretended([u8; 32]),
}

/// A leg of the authentication.
pub(crate) struct Leg {
    pub(crate) token: Vec<u8>,
    pub(crate) done: bool,
}

impl Security {
    /// Takes the credential; nothing is sent yet.
    pub(crate) fn new(parties: Parties, how: Authentication, credential: &Credential) -> Result<Self, Error> {
        let package = match how {
            Authentication::Kerberos => Package::kerberos(&parties, credential)?,
            Authentication::Ntlm => Package::ntlm(&parties, credential)?,
        };
        let only_aes128 = match credential {
            Credential::Keytab(keytab) => keytab
                .newest(&parties.account, &parties.domain)
                .is_some_and(|key| key.cipher == KeyCipher::Aes128),
            Credential::Password(_) => false,
        };
        Ok(Self { parties, package, unwrap: None, only_aes128 })
    }

    /// A context for tests of who uses it.
    #[cfg(test)]
    pub(crate) fn pretend(key: [u8; 32]) -> Self {
        let parties = Parties { account: String::new(), domain: String::new(), service: String::new() };
        let unwrap = Unwrap::new(&key);
        Self { parties, package: Package::Pretended(key), unwrap, only_aes128: false }
    }

    /// The package's number in PDUs (MS-RPCE 2.2.1.1.7).
    pub(crate) fn kind(&self) -> u8 {
        match self.package {
            Package::Kerberos(..) => 16,
            Package::Ntlm(..) => 10,
            #[cfg(test)]
            Package::Pretended(_) => 16,
        }
    }

    /// The bytes of a token beside sealed data.
    pub(crate) fn token_length(&self) -> usize {
        match self.package {
            Package::Kerberos(..) => wrap::TOKEN,
            Package::Ntlm(..) => 16,
            #[cfg(test)]
            Package::Pretended(_) => wrap::TOKEN,
        }
    }

    /// The next leg, after the server's last token; the first has none.
    pub(crate) async fn step(&mut self, io: &CallerIo, token: &[u8]) -> Result<Leg, Error> {
        let parties = &self.parties;
        let leg = match &mut self.package {
            Package::Kerberos(context, handle) => step(&mut **context, handle, parties, io, token).await,
            Package::Ntlm(context, handle) => step(&mut **context, handle, parties, io, token).await,
            #[cfg(test)]
            Package::Pretended(_) => Ok(Leg { token: vec![1; 16], done: !token.is_empty() }),
        };
        let leg = leg.map_err(|error| {
            if self.only_aes128 && matches!(error, Error::Authentication(_)) {
                parties.unusable(
                    "its newest key in the keytab is for AES128 alone: export the one for AES256 as well",
                )
            } else {
                error
            }
        })?;
        if leg.done && matches!(self.package, Package::Kerberos(..)) {
            let unwrap = Unwrap::new(&self.session_key()?);
            self.unwrap =
                Some(unwrap.ok_or(Error::Authentication("the DC chose a key that is not AES".to_owned()))?);
        }
        Ok(leg)
    }

    /// What the secrets in replies are sealed under, besides the packets' own protection.
    pub(crate) fn session_key(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let keys = match &self.package {
            Package::Kerberos(context, _) => context.query_context_session_key(),
            Package::Ntlm(context, _) => context.query_context_session_key(),
            #[cfg(test)]
            Package::Pretended(key) => return Ok(Zeroizing::new(key.to_vec())),
        };
        keys.map(|keys| Zeroizing::new(keys.session_key.as_ref().to_vec())).map_err(|error| failed(&error))
    }

    /// Seals `body` in place and gives the token; `before` and `after` are signed.
    pub(crate) fn seal(&mut self, before: &[u8], body: &mut [u8], after: &[u8]) -> Result<Vec<u8>, Error> {
        let mut token = vec![0; self.token_length()];
        let (mut before, mut after) = (before.to_vec(), after.to_vec());
        let mut message = buffers(&mut before, body, &mut after, &mut token);
        let sealed = match &mut self.package {
            Package::Kerberos(context, _) => context.encrypt_message(EncryptionFlags::empty(), &mut message),
            Package::Ntlm(context, _) => context.encrypt_message(EncryptionFlags::empty(), &mut message),
            #[cfg(test)]
            Package::Pretended(_) => return Ok(token),
        };
        sealed.map_err(|error| failed(&error))?;
        let written = message.last().map_or(0, SecurityBufferRef::buf_len);
        if written == token.len() { Ok(token) } else { Err(Error::OutOfOrder("a token of another length")) }
    }

    /// Opens `body`. What was altered, repeated, left out or not sealed is refused.
    pub(crate) fn open(
        &mut self,
        before: &[u8],
        body: &[u8],
        after: &[u8],
        token: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        if token.len() != self.token_length() {
            return Err(Error::Protocol("a security token is of the wrong length".to_owned()));
        }
        if let Some(unwrap) = &mut self.unwrap {
            let opened = unwrap.open(before, body, after, token);
            return opened.map_err(|untrusted| Error::Protocol(format!("a security token {}", untrusted.0)));
        }
        match &mut self.package {
            Package::Kerberos(..) => Err(Error::OutOfOrder("opened before authenticated")),
            #[cfg(test)]
            Package::Pretended(_) => Err(Error::OutOfOrder("opened before authenticated")),
            Package::Ntlm(context, _) => {
                let mut opened = Zeroizing::new(body.to_vec());
                let (mut before, mut after, mut token) = (before.to_vec(), after.to_vec(), token.to_vec());
                let mut message = buffers(&mut before, &mut opened, &mut after, &mut token);
                guarded(|| context.decrypt_message(&mut message))?
                    .map_err(|_| Error::Protocol("a security token does not verify".to_owned()))?;
                Ok(opened)
            }
        }
    }
}

impl Package {
    fn kerberos(parties: &Parties, credential: &Credential) -> Result<Self, Error> {
        let username = Username::new_down_level_logon_name(&parties.account, &parties.domain)
            .map_err(|_| parties.unusable("its name holds a character that cannot be"))?;
        let credentials = match credential {
            Credential::Keytab(keytab) => {
                let key = keytab.newest(&parties.account, &parties.domain).ok_or_else(|| {
                    let held = keytab.principals().join(", ");
                    parties.unusable(&format!(
                        "the keytab holds no AES key for it in {}, only for {held}",
                        parties.domain
                    ))
                })?;
                let key_enctype = match key.cipher {
                    KeyCipher::Aes128 => CipherSuite::Aes128CtsHmacSha196,
                    KeyCipher::Aes256 => CipherSuite::Aes256CtsHmacSha196,
                };
                let key = key.bytes.to_vec().into();
                Credentials::Keytab(KeytabIdentity { principal: username, key, key_enctype })
            }
            Credential::Password(password) => {
                Credentials::AuthIdentity(parties.identity(username, password)?)
            }
        };
        let config = KerberosConfig::new_with_kdc_url(KDC, WORKSTATION.to_owned());
        let mut context = Kerberos::new_client_from_config(config).map_err(|error| failed(&error))?;
        let handle = context
            .acquire_credentials_handle()
            .with_credential_use(CredentialUse::Outbound)
            .with_auth_data(&credentials)
            .execute(&mut context)
            .map_err(|error| failed(&error))?
            .credentials_handle;
        Ok(Self::Kerberos(Box::new(context), handle))
    }

    fn ntlm(parties: &Parties, credential: &Credential) -> Result<Self, Error> {
        let Credential::Password(password) = credential else {
            return Err(parties.unusable("NTLM needs a password, a keytab does not do"));
        };
        let username = Username::new_upn(&parties.account, &parties.domain)
            .map_err(|_| parties.unusable("its name holds a character that cannot be"))?;
        let identity = parties.identity(username, password)?;
        let mut context = Ntlm::with_config(sspi::ntlm::NtlmConfig::new(WORKSTATION.to_owned()));
        let handle = context
            .acquire_credentials_handle()
            .with_credential_use(CredentialUse::Outbound)
            .with_auth_data(&identity)
            .execute(&mut context)
            .map_err(|error| failed(&error))?
            .credentials_handle;
        Ok(Self::Ntlm(Box::new(context), handle))
    }
}

impl Parties {
    fn unusable(&self, why: &str) -> Error {
        Error::Credential { account: self.account.clone(), why: why.to_owned() }
    }

    fn identity(&self, username: Username, password: &Password) -> Result<AuthIdentity, Error> {
        if password.is_empty() {
            return Err(self.unusable("its password is empty"));
        }
        Ok(AuthIdentity { username, password: password.lend(str::to_owned).into() })
    }
}

async fn step<S: SspiImpl + Sspi + Send>(
    context: &mut S,
    handle: &mut S::CredentialsHandle,
    parties: &Parties,
    io: &CallerIo,
    token: &[u8],
) -> Result<Leg, Error>
where
    S::CredentialsHandle: Send,
{
    let flags = ClientRequestFlags::MUTUAL_AUTH
        | ClientRequestFlags::REPLAY_DETECT
        | ClientRequestFlags::SEQUENCE_DETECT
        | ClientRequestFlags::CONFIDENTIALITY
        | ClientRequestFlags::INTEGRITY
        | ClientRequestFlags::USE_DCE_STYLE;
    let mut input = [SecurityBuffer::new(token.to_vec(), BufferType::Token)];
    let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
    let outcome = {
        let mut builder = context
            .initialize_security_context()
            .with_credentials_handle(handle)
            .with_context_requirements(flags)
            .with_target_data_representation(DataRepresentation::Native)
            .with_target_name(&parties.service)
            .with_input(&mut input)
            .with_output(&mut output);
        let generator =
            context.initialize_security_context_impl(&mut builder).map_err(|error| failed(&error))?;
        drive(generator, parties, io).await?
    };
    let done = match outcome.status {
        SecurityStatus::Ok => true,
        SecurityStatus::ContinueNeeded => false,
        SecurityStatus::CompleteNeeded | SecurityStatus::CompleteAndContinue => {
            context.complete_auth_token(&mut output).map_err(|error| failed(&error))?;
            outcome.status == SecurityStatus::CompleteNeeded
        }
        SecurityStatus::LocalLogon
        | SecurityStatus::ContextExpired
        | SecurityStatus::IncompleteCredentials
        | SecurityStatus::Renegotiate
        | SecurityStatus::NoLsaContext => {
            return Err(Error::Authentication(format!("unexpected status {:?}", outcome.status)));
        }
    };
    let [output] = output;
    Ok(Leg { token: output.buffer, done })
}

/// Passes the KDC's requests on, and reads its errors before `sspi` turns them into text.
async fn drive(
    mut generator: GeneratorInitSecurityContext<'_>,
    parties: &Parties,
    io: &CallerIo,
) -> Result<InitializeSecurityContextResult, Error> {
    let mut state = guarded(|| generator.start())?;
    loop {
        let request: NetworkRequest = match state {
            GeneratorState::Suspended(request) => request,
            GeneratorState::Completed(outcome) => return outcome.map_err(|error| failed(&error)),
        };
        // A referral to another realm would go elsewhere: the account and the DC are of one domain.
        if !KDC.ends_with(request.url.authority()) {
            return Err(Error::UnknownService { service: parties.service.clone() });
        }
        let reply = io.kdc(request.data).await?;
        if let Some(error) = KrbError::parse(&reply).filter(|error| error.code != PREAUTH_REQUIRED) {
            return Err(error.into_error(&parties.account, &parties.service, &parties.domain));
        }
        state = guarded(|| generator.resume(Ok(reply)))?;
    }
}

/// `sspi` reads what the DC and the KDC send; a panic in there must not take the program along.
fn guarded<T>(parse: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(parse))
        .map_err(|_| Error::Authentication("a token that cannot be read".to_owned()))
}

/// Only the kind: the texts of `sspi` repeat what they were given.
fn failed(error: &sspi::Error) -> Error {
    Error::Authentication(format!("{:?}", error.error_type))
}

fn buffers<'a>(
    before: &'a mut [u8],
    body: &'a mut [u8],
    after: &'a mut [u8],
    token: &'a mut [u8],
) -> [SecurityBufferRef<'a>; 4] {
    let signed = SecurityBufferFlags::SECBUFFER_READONLY_WITH_CHECKSUM;
    [
        SecurityBufferRef::data_buf(before).with_flags(signed),
        SecurityBufferRef::data_buf(body),
        SecurityBufferRef::data_buf(after).with_flags(signed),
        SecurityBufferRef::token_buf(token),
    ]
}

#[cfg(test)]
mod tests;
