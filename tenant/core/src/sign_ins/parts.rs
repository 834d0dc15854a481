//! What every sign-in passes through.
//! Neighbours: [`super::SignIns`] makes the parts; [`super::pass`] works with them.

use super::attempt::AskAgents;
use super::contradictions::Contradictions;
use super::counters::Counters;
use super::decoys::Decoys;
use super::equal_delay::EqualDelay;
use super::queue::Queue;
use super::turns::Turns;
use super::verifiers::Verifiers;
use crate::audit::Recorder;
use crate::numbers::Numbers;
use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_store::Store;
use std::sync::Arc;
use std::time::Duration;

/// The parts. Each owns its state.
pub(super) struct Inner {
    pub(super) store: Arc<Store>,
    pub(super) counts: Arc<Counts>,
    pub(super) numbers: Arc<Numbers>,
    pub(super) agents: Arc<dyn AskAgents>,
    pub(super) recorder: Recorder,
    pub(super) contradictions: Contradictions,
    pub(super) counters: Counters,
    pub(super) decoys: Decoys,
    pub(super) equal_delay: EqualDelay,
    pub(super) queue: Queue,
    pub(super) turns: Arc<Turns>,
    pub(super) verifiers: Verifiers,
    pub(super) grid: Duration,
}
