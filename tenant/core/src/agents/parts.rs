//! What the agents' handle works on. Neighbours: [`super::Agents`] and [`super::quarantine`] share it.

use crate::agents::authority::Authority;
use crate::agents::open_connections::OpenConnections;
use crate::agents::relay_driver::RelayDriver;
use crate::clock::ClockDifference;
use crate::events::Events;
use crate::numbers::Numbers;
use landbridge_tenant_store::Store;
use std::sync::Arc;

/// The parts.
pub(crate) struct Parts {
    pub(crate) store: Arc<Store>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) relay: Arc<RelayDriver>,
    pub(crate) open: Arc<OpenConnections>,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) events: Arc<Events>,
    pub(crate) clock: Arc<ClockDifference>,
}
