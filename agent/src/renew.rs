//! When an identity's certificate is to be renewed (pure: time and chance are arguments), and doing it.
//! Neighbours: `identity` swaps the result in; whoever has the clock asks `due`.

use crate::backoff;
use crate::enroll::{Means, check};
use crate::error::AgentError;
use crate::http::Client;
use crate::identity::{Draft, Identity};
use crate::process_key::ProcessKey;
use crate::tls;
use landbridge_wire::enroll::{RenewRequest, RenewResponse};
use rustls::pki_types::CertificateDer;
use std::path::Path;
use std::sync::Arc;
use tracing::{info, instrument};

/// How long after its end the tenant still renews a certificate: 30 days, in seconds.
pub const GRACE: i64 = 30 * 24 * 3600;

/// What is to be done about a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing before this time: seconds since 1970.
    NotBefore(i64),
    /// Renew; less than two thirds of its life are left.
    Now,
    /// Renew; less than a sixth of its life is left, so renewals have been failing: raise the alarm.
    Alarm,
    /// Renew; it ended so many seconds ago, and only renewal takes it still.
    Ended(i64),
    /// Too late: it ended so many seconds ago, over [`GRACE`]. Enrol again.
    Over(i64),
}

/// What is to be done at `now`. `chance` in 0..1 spreads agents that were enrolled together: it brings
/// the renewal forward by up to a twelfth of the certificate's life.
pub fn due(not_before: i64, not_after: i64, now: i64, chance: f64) -> Due {
    let life = not_after.saturating_sub(not_before).max(0);
    let left = not_after.saturating_sub(now);
    if left <= -GRACE {
        return Due::Over(left.saturating_neg());
    }
    if left <= 0 {
        return Due::Ended(left.saturating_neg());
    }
    if left <= life / 6 {
        return Due::Alarm;
    }
    let chance = if chance.is_finite() { chance.clamp(0.0, 1.0) } else { 0.0 };
    let early =
        (std::time::Duration::from_secs(u64::try_from(life / 12).unwrap_or(0)).mul_f64(chance)).as_secs();
    let at = not_before.saturating_add(life / 3).saturating_sub(i64::try_from(early).unwrap_or(0));
    if now >= at { Due::Now } else { Due::NotBefore(at) }
}

/// Renews if it is time, and gives back the identity to go on with. A renewal that fails while the
/// certificate still holds is a warning, not an error.
#[instrument(skip_all, fields(agent = %identity.agent))]
pub async fn renew_if_due(
    state_directory: &Path,
    identity: Identity,
    means: &Means,
    process: &Arc<ProcessKey>,
    now: i64,
) -> Result<Identity, AgentError> {
    match due(identity.not_before, identity.not_after, now, backoff::chance()) {
        Due::NotBefore(_) => Ok(identity),
        Due::Now => match renew(state_directory, &identity, means, process).await {
            Ok(next) => Ok(next),
            Err(why) => {
                tracing::warn!(%why, "the certificate could not be renewed; it still holds");
                Ok(identity)
            }
        },
        Due::Alarm => match renew(state_directory, &identity, means, process).await {
            Ok(next) => Ok(next),
            Err(why) => {
                let hours_left = identity.not_after.saturating_sub(now) / 3600;
                tracing::error!(%why, hours_left, "the certificate is about to end and could not be renewed");
                Ok(identity)
            }
        },
        Due::Ended(_) => renew(state_directory, &identity, means, process).await,
        Due::Over(seconds) => Err(AgentError::CertificateOver { days: seconds / 86_400 }),
    }
}

/// Renews now: new keys, a new certificate, swapped in together. The tenant renews only for a process that proves its
/// key.
pub async fn renew(
    state_directory: &Path,
    identity: &Identity,
    means: &Means,
    process: &Arc<ProcessKey>,
) -> Result<Identity, AgentError> {
    let tenant = Client::through(&identity.url, tls::enrolled(identity)?, means.proxy.clone())?;
    let mut tenant = tenant.proving(process.clone(), identity.agent);
    let draft = Draft::new(state_directory, means.second)?;
    let answer: RenewResponse =
        tenant.post("/v1/renew", &RenewRequest { csr: draft.csr(), envelope: draft.second() }).await?;
    let certificate = CertificateDer::from(answer.certificate.as_bytes().to_vec());
    let roots: Vec<_> =
        answer.roots.as_slice().iter().map(|r| CertificateDer::from(r.as_bytes().to_vec())).collect();
    check(&draft, &identity.names(), &certificate, &roots)?;
    let next = draft.install(identity.names(), certificate, roots)?;
    info!(not_after = next.not_after, "the certificate was renewed");
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: i64 = 1_000_000;
    const DAY: i64 = 86_400;

    fn at(share: f64, chance: f64) -> Due {
        due(BEGIN, BEGIN + DAY, BEGIN + (share * 86_400.0) as i64, chance)
    }

    #[test]
    fn a_certificate_is_renewed_with_two_thirds_of_its_life_left() {
        assert_eq!(at(0.30, 0.0), Due::NotBefore(BEGIN + DAY / 3));
        assert_eq!(at(0.34, 0.0), Due::Now);
        assert_eq!(at(0.80, 0.0), Due::Now);
    }

    #[test]
    fn chance_brings_a_renewal_forward_and_never_back() {
        assert_eq!(at(0.24, 1.0), Due::NotBefore(BEGIN + DAY / 4));
        assert_eq!(at(0.26, 1.0), Due::Now);
        assert_eq!(at(0.0, f64::NAN), Due::NotBefore(BEGIN + DAY / 3));
    }

    #[test]
    fn the_alarm_is_raised_at_one_sixth() {
        assert_eq!(at(0.84, 0.0), Due::Alarm);
        assert_eq!(at(1.0, 0.0), Due::Ended(0));
    }

    #[test]
    fn an_ended_certificate_is_renewed_for_thirty_days() {
        assert_eq!(due(BEGIN, BEGIN + DAY, BEGIN + 30 * DAY, 0.0), Due::Ended(29 * DAY));
        assert_eq!(due(BEGIN, BEGIN + DAY, BEGIN + 31 * DAY, 0.0), Due::Over(30 * DAY));
    }

    #[test]
    fn odd_times_do_no_harm() {
        for (begin, end, now) in
            [(5, 1, 3), (i64::MIN, i64::MAX, 0), (0, 0, i64::MIN), (0, i64::MIN, i64::MAX)]
        {
            let _ = due(begin, end, now, 0.5);
        }
    }
}
