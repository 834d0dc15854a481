//! Quarantines an agent that raised an alarm: cuts all its connections at once, stores the state, and writes an audit
//! entry that says since when its answers are in doubt. An administrator ends a quarantine with `agents approve`, or
//! revokes the agent.
//! Before it: [`super::relay_driver`] sends the alarms.

use crate::agents::parts::Parts;
use crate::agents::relay_driver::RaisedAlarm;
use crate::clock::{stopped, unix_now};
use landbridge_tenant_rules::model::{AgentState, HeardProcess};
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::agents::{change_state, find, seen};
use landbridge_tenant_store::tables::audit;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

/// Time between two writes of the agents' last connections. The list of agents shows them, so they need not be exact.
const NOTE_INTERVAL: Duration = Duration::from_secs(2);

/// Quarantines agents that raise an alarm, and stores when agents connect, until `stop` is set.
pub(super) async fn run(
    parts: Arc<Parts>,
    mut alarms: mpsc::Receiver<RaisedAlarm>,
    mut stop: watch::Receiver<bool>,
) {
    let mut noting = tokio::time::interval(NOTE_INTERVAL);
    noting.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return,
            alarm = alarms.recv() => match alarm {
                Some(alarm) => quarantine(&parts, alarm).await,
                None => return,
            },
            _ = noting.tick() => note_introduced(&parts).await,
        }
    }
}

async fn quarantine(parts: &Arc<Parts>, raised: RaisedAlarm) {
    // 1. Log and count the alarm.
    let RaisedAlarm { agent, alarm, trusted } = raised;
    let since = trusted.map_or("has refused no canary since the tenant started".to_owned(), |ago| {
        format!("last refused a canary {} s ago", ago.as_secs())
    });
    tracing::error!(%agent, what = alarm.as_str(), since, "an agent is put into quarantine: find the reason");
    let why = format!("{alarm:?}");
    parts.numbers.metrics.quarantined.get_or_create(&vec![("why", why)]).inc();
    // 2. Cut the connections before the write, which takes longer. The stored state then refuses the agent when it
    //    returns.
    parts.open.cut(agent);
    let writer = parts.clone();
    let written = spawn_blocking(move || {
        writer.store.write("agent-quarantine", |writing| -> Result<(), StoreError> {
            let Some(known) = find(writing, agent)? else { return Ok(()) };
            let over = matches!(known.state, AgentState::Revoked | AgentState::Quarantined);
            if !over && !change_state(writing, agent, known.state, AgentState::Quarantined)? {
                return Err(StoreError::Conflict);
            }
            let detail = format!("{}; {since}; domain {}", alarm.as_str(), known.domain_name);
            audit::append(writing, unix_now(), "tenant", "agent-quarantined", &agent.to_string(), &detail)
        })
    });
    match written.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(%agent, %error, "a quarantine could not be stored; it ends with the next start of the tenant");
            parts.numbers.metrics.storage_errors.inc();
        }
        Err(_) => tracing::error!(%agent, "a quarantine could not be stored"),
    }
    // 3. Cut the connections that were made before the state was stored.
    parts.open.cut(agent);
}

async fn note_introduced(parts: &Arc<Parts>) {
    let introduced = parts.relay.drain_introduced();
    if introduced.is_empty() {
        return;
    }
    let parts = parts.clone();
    let _ = spawn_blocking(move || {
        let noted = parts.store.write("agents-seen", |writing| {
            introduced.iter().try_for_each(|(agent, (name, alive_at))| {
                let heard = HeardProcess { name: *name, alive_at: parts.clock.in_database_time(*alive_at) };
                seen(writing, *agent, Some(&heard), unix_now())
            })
        });
        if let Err(error) = noted {
            tracing::warn!(%error, "the times of agents' last connections could not be stored");
        }
    })
    .await;
}
