//! `landbridge-phs run`: the daemon, with SIGHUP to read the configuration again.

use super::process::{now, runtime};
use crate::config::Config;
use crate::daemon::Daemon;
use crate::daemon::wake::Wake;
use crate::error::PhsError;
use landbridge_host::signals;
use std::path::Path;

/// `run`
pub fn run(config_file: &Path, config: Config) -> Result<u8, PhsError> {
    let (runtime, stop) = runtime()?;
    let wake = Wake::this_thread();
    {
        let _inside = runtime.enter();
        let hangups = signals::hangups();
        let mut hangups = hangups.map_err(|_| PhsError::Defect("signals cannot be listened to"))?;
        let (stop, wake) = (stop.clone(), wake.clone());
        runtime.spawn(async move {
            loop {
                tokio::select! {
                    Some(()) = hangups.recv() => wake.reload(),
                    () = stop.raised() => return wake.up(),
                }
            }
        });
    }
    let handle = runtime.handle();
    Daemon { config_file, config, runtime: handle, stop: &stop, wake: &wake, now }.run()?;
    Ok(0)
}
