//! The applications' credentials and rates.
//! Before it: the applications' door. After it: [`crate::sign_ins`]. The rows of applications are in the store.

mod rates;

pub use rates::Rates;

use crate::clock::unix_now;
use crate::events::{Event, Events, Origin};
use crate::numbers::Numbers;
use landbridge_crypto::bearer::{BearerSecret, same};
pub use landbridge_tenant_rules::model::{AppSecret, Application};
use landbridge_tenant_store::tables::{app_ldap, app_secrets, apps};
use landbridge_tenant_store::{Reading, Store, StoreError, Writing};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Sign-ins a minute of an application that was created without `--rate`: 100 a second. An application that needs
/// more is created with a greater rate.
pub const DEFAULT_RATE: u32 = 6_000;
/// Limit on the rate of an application, in sign-ins a minute. It is far more than one tenant verifies, so it only
/// catches a mistyped number.
pub const MAX_RATE: u32 = 1_000_000;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Start of every credential: its kind and its version.
const PREFIX: &str = "lba1.";

/// The handle on the applications. It finds the application of a credential and charges its rate.
#[derive(Debug, Clone)]
pub struct Applications {
    store: Arc<Store>,
    rates: Arc<Rates>,
    numbers: Arc<Numbers>,
    events: Arc<Events>,
}

/// Why a request is not accepted as one of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAuthenticated {
    /// No application has this credential, or it was revoked.
    Unknown,
    /// The application is over its rate. It may try again after this time.
    OverRate(Duration),
    /// The database fails.
    Storage,
}

impl Applications {
    pub(crate) fn new(
        store: Arc<Store>,
        rates: Arc<Rates>,
        numbers: Arc<Numbers>,
        events: Arc<Events>,
    ) -> Self {
        Self { store, rates, numbers, events }
    }

    /// Returns the application of this credential and charges its rate with one sign-in. `from` is the network address
    /// of the request: an application that may send from certain networks only is not recognised elsewhere. Blocks.
    pub fn authenticate(
        &self,
        credential: &Credential,
        from: IpAddr,
        now: Instant,
    ) -> Result<Application, NotAuthenticated> {
        let application =
            self.recognise(credential, from, |reading, at| credential.application(reading, at))?;
        self.charge(&application, now)?;
        Ok(application)
    }

    /// Returns the proof of the application with this name, if the text is a credential of it and it reads the directory
    /// by LDAP. Charges nothing. Blocks.
    pub fn authenticate_reader(
        &self,
        name: &str,
        text: &str,
        from: IpAddr,
    ) -> Result<SecretProof, NotAuthenticated> {
        let credential = Credential::parse(text).ok_or(NotAuthenticated::Unknown)?;
        let found = |reading: &Reading<'_>, at| {
            let found = credential.application(reading, at)?;
            Ok(found.filter(|(application, _)| application.name == name))
        };
        let application = self.recognise(&credential, from, found)?;
        let access = self.store.read(|reading| app_ldap::of(reading, application.id));
        match access.map_err(|error| self.failed(&error))? {
            Some(_) => Ok(SecretProof { application: application.id, hash: credential.hash() }),
            None => Err(NotAuthenticated::Unknown),
        }
    }

    /// Whether the text is a credential of this application. Charges nothing. Blocks.
    pub fn authenticate_client(
        &self,
        application: &Application,
        text: &str,
        from: IpAddr,
    ) -> Result<(), NotAuthenticated> {
        let credential = Credential::parse(text).ok_or(NotAuthenticated::Unknown)?;
        let is_it = credential.app == application.id;
        let found = |reading: &Reading<'_>, at| {
            let secret = credential.sent_secret(reading, at)?;
            Ok(secret.filter(|_| is_it).map(|secret| (application.clone(), secret)))
        };
        self.recognise(&credential, from, found).map(drop)
    }

    /// Charges the rate of an application with one sign-in. Blocks.
    pub fn charge(&self, application: &Application, now: Instant) -> Result<(), NotAuthenticated> {
        self.charge_rate(application.id, application.rate_per_minute, now)
    }

    /// Charges the rate of the person's own page, which is that of an application without one of its own. Blocks.
    pub fn charge_own_page(&self, now: Instant) -> Result<(), NotAuthenticated> {
        self.charge_rate(Uuid::nil(), DEFAULT_RATE, now)
    }

    fn charge_rate(&self, app: Uuid, per_minute: u32, now: Instant) -> Result<(), NotAuthenticated> {
        let charged = self.rates.charge(app, per_minute, now).map_err(|error| self.failed(&error))?;
        charged.map_err(NotAuthenticated::OverRate)
    }

    fn recognise(
        &self,
        credential: &Credential,
        from: IpAddr,
        found: impl FnOnce(&Reading<'_>, i64) -> Result<Option<(Application, AppSecret)>, StoreError>,
    ) -> Result<Application, NotAuthenticated> {
        let at = unix_now();
        // 1. The application, if one of its secrets was sent.
        let found = self.store.read(|reading| found(reading, at));
        let found = found.map_err(|error| self.failed(&error))?;
        // 2. Whether it may send from there. If not, the answer is the one to a wrong secret.
        let (application, secret) = match found {
            Some((application, secret)) if application.is_near(from) => (application, secret),
            other => {
                let outside = other.is_some_and(|(application, _)| !application.is_near(from));
                self.note_refused(
                    credential,
                    from,
                    if outside { "from outside its networks" } else { "" },
                    at,
                );
                return Err(NotAuthenticated::Unknown);
            }
        };
        // 3. The day on which the secret was last used: one write a day.
        let today = at - at.rem_euclid(DAY);
        if secret.used_at.is_none_or(|used| used < today) {
            let note =
                |writing: &Writing<'_>| app_secrets::note_use(writing, application.id, secret.number, today);
            // On a full disk people sign in all the same, as far as the sign-in itself needs no write.
            if let Err(error) = self.store.write_short("application-used", note) {
                tracing::warn!(%error, "the last use of an application's secret could not be stored");
            }
        }
        Ok(application)
    }

    fn failed(&self, error: &StoreError) -> NotAuthenticated {
        tracing::error!(%error, "the database failed");
        self.numbers.metrics.storage_errors.inc();
        NotAuthenticated::Storage
    }

    /// Writes down that a credential was refused. Its id names an application, or is what a stranger made up.
    fn note_refused(&self, credential: &Credential, from: IpAddr, detail: &str, now: i64) {
        let named = self.store.read(|reading| apps::find(reading, credential.app)).ok().flatten();
        let subject = match named {
            Some(app) if app.revoked_at.is_some() => format!("app {}, which is revoked", app.name),
            Some(app) => format!("app {}", app.name),
            None => "no application".to_owned(),
        };
        self.events.note(Event::CredentialRefused, Origin::Stranger(from), &subject, detail, now);
    }

    /// Writes down that an assertion by which this application was to prove itself was refused, and why.
    pub fn note_refused_assertion(&self, application: &Application, from: IpAddr, why: &str) {
        let subject = format!("app {}", application.name);
        self.events.note(Event::CredentialRefused, Origin::Stranger(from), &subject, why, unix_now());
    }

    /// Counts a request that was refused before the password was verified.
    pub fn count_turned_away(&self, why: &str) {
        self.numbers.metrics.signins_not_asked.get_or_create(&vec![("why", why.to_owned())]).inc();
    }

    /// Counts a request by LDAP with the names of its operation and of its result.
    pub fn count_ldap(&self, operation: &str, result: &str) {
        let labels = vec![("operation", operation.to_owned()), ("result", result.to_owned())];
        self.numbers.metrics.ldap_requests.get_or_create(&labels).inc();
    }

    /// Records the duration of a sign-in, from the request's head to its answer.
    pub fn observe_duration(&self, took: Duration) {
        self.numbers.metrics.signin_seconds.observe(took.as_secs_f64());
    }
}

/// What an application proved itself with. It holds no secret.
#[derive(Debug, Clone)]
pub struct SecretProof {
    /// Its id.
    pub application: Uuid,
    pub(crate) hash: [u8; 32],
}

/// The credential of an application: `lba1.<id>.<secret>`.
#[derive(Debug)]
pub struct Credential {
    app: Uuid,
    secret: BearerSecret,
}

impl Credential {
    /// Generates a credential for this application.
    pub fn generate(app: Uuid) -> Self {
        Self { app, secret: BearerSecret::generate() }
    }

    /// Its text. Wiped when dropped.
    pub fn to_text(&self) -> Zeroizing<String> {
        let (id, secret) = (self.app.to_string(), self.secret.to_text());
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + id.len() + 1 + secret.len()));
        text.push_str(PREFIX);
        text.push_str(&id);
        text.push('.');
        text.push_str(&secret);
        text
    }

    /// Reads what [`Self::to_text`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('.')?;
        let app = Uuid::try_parse(id).ok().filter(|app| app.to_string() == id)?;
        Some(Self { app, secret: BearerSecret::parse(secret)? })
    }

    /// The hash that is stored instead of the secret.
    pub fn hash(&self) -> [u8; 32] {
        self.secret.hash()
    }

    /// The application of this credential, and its secret that was sent; none: the id is unknown, the secret is wrong or
    /// has ended, or the application is revoked. An unknown id and a wrong secret take the same time, except for reads of
    /// rows. `now` is in seconds since 1970.
    pub fn application(
        &self,
        reading: &Reading<'_>,
        now: i64,
    ) -> Result<Option<(Application, AppSecret)>, StoreError> {
        reading.ask_ahead(&[&|| apps::find(reading, self.app).map(drop), &|| {
            app_secrets::of(reading, self.app).map(drop)
        }])?;
        let app = apps::find(reading, self.app)?.filter(|app| app.revoked_at.is_none());
        Ok(app.zip(self.sent_secret(reading, now)?))
    }

    /// The secret of this credential, if it is one that the application with this id has, and has not ended.
    fn sent_secret(&self, reading: &Reading<'_>, now: i64) -> Result<Option<AppSecret>, StoreError> {
        let secrets = app_secrets::of(reading, self.app)?;
        let shown = self.hash();
        let mut sent = None;
        // As many comparisons for every id.
        for place in 0..usize::from(app_secrets::MOST) {
            let secret = secrets.get(place);
            let fits = same(&shown, secret.map_or(&[0; 32], |secret| &secret.hash));
            if fits && secret.is_some_and(|secret| secret.is_good(now)) {
                sent = secret;
            }
        }
        Ok(sent.cloned())
    }
}

/// Whether an application or a node may have this name: 1 to 64 letters, digits, `-`, `_` and `.`.
pub fn is_valid_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=64).contains(&text.len()) && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::applications::*;

    #[test]
    fn a_credential_comes_back_from_its_text_and_from_no_other() {
        let credential = Credential::generate(Uuid::from_u128(5));
        let text = credential.to_text();
        assert_eq!(Credential::parse(&text).unwrap().hash(), credential.hash());
        for wrong in [
            text.to_uppercase(),
            text.replace("lba1", "lbt1"),
            format!("{}A", text.as_str()),
            text[..text.len() - 1].to_owned(),
            text.replace('-', ""),
            "lba1.".to_owned(),
            String::new(),
        ] {
            assert!(Credential::parse(&wrong).is_none(), "{wrong}");
        }
        assert_eq!(
            format!("{credential:?}"),
            format!("Credential {{ app: {}, secret: BearerSecret(..) }}", Uuid::from_u128(5))
        );
    }

    #[test]
    fn a_name_is_short_and_plain() {
        assert!(is_valid_name("mail-gateway_2.test"));
        for bad in ["", "a b", "a\n", "é", &"a".repeat(65)] {
            assert!(!is_valid_name(bad), "{bad}");
        }
    }
}
