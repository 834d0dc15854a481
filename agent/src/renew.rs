//! When an identity's certificate is to be renewed (pure: time and chance are arguments), and doing it.
//! A node of the tenant that cannot be reached is followed by the next one.
//! Neighbours: `identity` swaps the result in; the caller has the clock, and acts on the nodes that are learned.

use crate::backoff;
use crate::enroll::{Means, check};
use crate::error::AgentError;
use crate::http::Client;
use crate::identity::{Draft, Identity};
use crate::process_key::ProcessKey;
use crate::tls;
use landbridge_wire::enroll::{RenewRequest, RenewResponse};
use landbridge_wire::nodes::texts;
use rustls::pki_types::CertificateDer;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{info, instrument};

/// How long after its end the tenant still renews a certificate: 30 days, in seconds.
pub const GRACE: i64 = 30 * 24 * 3600;

/// Limit on the time in which a renewal turns to a further node. The request to the last one has its own limits.
const RENEWING: Duration = Duration::from_secs(60);

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
    let early = (Duration::from_secs(u64::try_from(life / 12).unwrap_or(0)).mul_f64(chance)).as_secs();
    let at = not_before.saturating_add(life / 3).saturating_sub(i64::try_from(early).unwrap_or(0));
    if now >= at { Due::Now } else { Due::NotBefore(at) }
}

/// An identity to go on with, and what the tenant sent with it.
#[derive(Debug)]
pub struct Renewed {
    /// The identity.
    pub identity: Identity,
    /// The URLs of the tenant's nodes. Empty: the tenant sent none, or nothing was renewed.
    pub nodes: Vec<String>,
}

/// Renews if it is time, and returns the identity to go on with. `nodes`: the URLs to try, in this order. A renewal that fails while the
/// certificate still holds is a warning, not an error.
#[instrument(skip_all, fields(agent = %identity.agent))]
pub async fn renew_if_due(
    state_directory: &Path,
    identity: Identity,
    nodes: &[String],
    means: &Means,
    process: &Arc<ProcessKey>,
    now: i64,
) -> Result<Renewed, AgentError> {
    let renewing = || renew(state_directory, &identity, nodes, means, process);
    match due(identity.not_before, identity.not_after, now, backoff::chance()) {
        Due::NotBefore(_) => {}
        Due::Now => match renewing().await {
            Ok(next) => return Ok(next),
            Err(why) => {
                tracing::warn!(%why, "the certificate could not be renewed; it still holds");
            }
        },
        Due::Alarm => match renewing().await {
            Ok(next) => return Ok(next),
            Err(why) => {
                let hours_left = identity.not_after.saturating_sub(now) / 3600;
                tracing::error!(%why, hours_left, "the certificate is about to end and could not be renewed");
            }
        },
        Due::Ended(_) => return renewing().await,
        Due::Over(seconds) => return Err(AgentError::CertificateOver { days: seconds / 86_400 }),
    }
    Ok(Renewed { identity, nodes: Vec::new() })
}

/// Renews now: new keys, a new certificate, swapped in together. The tenant renews only for a process that proves its
/// key. `nodes`: the URLs to try, in this order, each once; none: the URL of the enrolment.
pub async fn renew(
    state_directory: &Path,
    identity: &Identity,
    nodes: &[String],
    means: &Means,
    process: &Arc<ProcessKey>,
) -> Result<Renewed, AgentError> {
    let draft = Draft::new(state_directory, means.second)?;
    let request = RenewRequest { csr: draft.csr(), envelope: draft.second() };
    let answer = request_anywhere(identity, nodes, means, process, &request).await?;
    let certificate = CertificateDer::from(answer.certificate.as_bytes().to_vec());
    let roots: Vec<_> =
        answer.roots.as_slice().iter().map(|r| CertificateDer::from(r.as_bytes().to_vec())).collect();
    check(&draft, &identity.names(), &certificate, &roots)?;
    let identity = draft.install(identity.names(), certificate, roots)?;
    info!(not_after = identity.not_after, "the certificate was renewed");
    let nodes = texts(&answer.nodes).map(str::to_owned).collect();
    Ok(Renewed { identity, nodes })
}

/// Sends the request to one node after the other until one renews. A request whose answer was lost may be sent again: the
/// certificate that it shows stays valid until the next renewal.
async fn request_anywhere(
    identity: &Identity,
    nodes: &[String],
    means: &Means,
    process: &Arc<ProcessKey>,
    request: &RenewRequest,
) -> Result<RenewResponse, AgentError> {
    let (config, began) = (tls::enrolled(identity)?, Instant::now());
    let enrolled_at = [identity.url.clone()];
    let mut nodes = if nodes.is_empty() { &enrolled_at[..] } else { nodes }.iter().peekable();
    loop {
        let Some(node) = nodes.next() else { return Err(AgentError::Unfit("there is no node to renew at")) };
        let client = Client::through(node, config.clone(), means.proxy.clone())?;
        let mut client = client.proving(process.clone(), identity.agent);
        match client.post("/v1/renew", request).await {
            Err(why)
                if (why.is_of_one_node() || why.is_busy())
                    && nodes.peek().is_some()
                    && began.elapsed() < RENEWING =>
            {
                tracing::warn!(node, %why, "the certificate could not be renewed here: trying the next node");
            }
            answered => return answered,
        }
    }
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
