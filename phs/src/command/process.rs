//! What a command needs of its process: threads for sockets, the stop signal, the clock, the memory used.

use crate::error::PhsError;
use crate::stop::Stop;
use landbridge_host::signals;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;

/// Sockets to the tenant live on two threads of their own; SIGINT and SIGTERM raise the stop.
pub(super) fn runtime() -> Result<(Runtime, Stop), PhsError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|_| PhsError::Defect("the system gives no threads"))?;
    let stop = Stop::new();
    let raised = stop.clone();
    {
        let _inside = runtime.enter();
        let stopped = signals::stop().map_err(|_| PhsError::Defect("signals cannot be listened to"))?;
        runtime.spawn(async move {
            stopped.await;
            tracing::info!("stopping");
            raised.raise();
        });
    }
    Ok((runtime, stop))
}

pub(super) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// The most memory that this process ever had resident, as the kernel counts.
pub(super) fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
