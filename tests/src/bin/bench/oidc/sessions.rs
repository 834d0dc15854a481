//! Sessions of people in the tenant's database, each with a grant as an application with refresh tokens has it: written while
//! the tenant does not serve.

use super::load::Cookies;
use crate::population::{Objects, PWD_LAST_SET, open_store};
use landbridge_crypto::bearer::BearerSecret;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_store::tables::apps;
use landbridge_tenant_store::tables::grants::{self, Grant};
use landbridge_tenant_store::tables::web_sessions::{self, WebSession};
use landbridge_tests::lab::{LabError, RunningTenant};
use std::ops::Range;
use uuid::Uuid;

/// The session's cookie.
const COOKIE: &str = "__Host-landbridge";
/// Sessions in one transaction.
const PORTION: usize = 1_000;
/// Seconds until a session and its grant end.
const LIFE: i64 = 86_400;
/// What a browser says of itself, as long as it usually is.
const DEVICE: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

/// Begins a session for each of these people, with a grant of the application. Returns the cookies, and the size of the
/// database afterwards, in MiB.
pub(super) fn write(
    tenant: &RunningTenant,
    objects: &Objects,
    people: Range<u32>,
    app: &str,
) -> Result<(Vec<Cookies>, f64), LabError> {
    let failed = |why: &dyn std::fmt::Display| LabError::said("writing sessions", &why.to_string());
    let store = open_store(tenant)?;
    let app = store.read(|reading| apps::named(reading, app)).map_err(|why| failed(&why))?;
    let app = app.ok_or_else(|| failed(&"there is no application"))?.id;
    let now = unix_now();
    let mut cookies = Vec::new();
    let people: Vec<u32> = people.collect();
    for some in people.chunks(PORTION) {
        let made: Vec<(Uuid, BearerSecret)> =
            some.iter().map(|person| (objects.person_object(*person), BearerSecret::generate())).collect();
        let written = store.write("bench", |writing| {
            for (object, secret) in &made {
                let session = WebSession {
                    id: Uuid::new_v4(),
                    object: *object,
                    password_set: Some(PWD_LAST_SET),
                    made_at: now,
                    seen_at: now,
                    ends_at: now + LIFE,
                    device: DEVICE.to_owned(),
                    address: "192.0.2.1".to_owned(),
                    awaits_until: None,
                };
                web_sessions::insert(writing, &session, &secret.hash())?;
                let grant = Grant {
                    id: Uuid::new_v4(),
                    app,
                    object: *object,
                    session: session.id,
                    scopes: "openid profile email offline_access".to_owned(),
                    nonce: Some("once".to_owned()),
                    signed_in_at: now,
                    hash: BearerSecret::generate().hash(),
                    ends_at: now + LIFE,
                };
                grants::insert(writing, &grant)?;
            }
            Ok(())
        });
        written.map_err(|why| failed(&why))?;
        let cookie = |secret: &BearerSecret| Cookies::of(format!("{COOKIE}={}", *secret.to_text()));
        cookies.extend(made.iter().map(|(_, secret)| cookie(secret)));
    }
    store.checkpoint().map_err(|why| failed(&why))?;
    let size = std::fs::metadata(tenant.database()).map_err(|why| failed(&why))?.len();
    Ok((cookies, size as f64 / f64::from(1 << 20)))
}
