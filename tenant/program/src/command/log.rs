//! What the tenant writes to the log. Bodies, tokens and passwords never reach it.

use crate::config::LogLevel;
use landbridge_host::log::{Format, Log};
use tracing::Level;

/// These crates print buffers at their lower levels.
const SILENCED: &[&str] = &["rustls", "hyper", "hyper_util", "tokio_rustls"];

/// Starts the log. A second start in one process does nothing.
pub fn start(format: Format, level: LogLevel) {
    drop(settings(format, level).start(std::io::stderr));
}

fn settings(format: Format, level: LogLevel) -> Log {
    let level = match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    };
    Log { format, level, others: level, silenced: SILENCED, shows_module: true, flat: false }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::{PipeWriter, Read as _};

    #[test]
    fn what_prints_buffers_is_silent_below_warn_even_at_trace() {
        for format in [Format::Human, Format::Json] {
            let (mut read, write) = std::io::pipe().unwrap();
            let writer = move || -> PipeWriter { write.try_clone().unwrap() };
            let log = settings(format, LogLevel::Trace).subscriber(false, writer);
            tracing::subscriber::with_default(log, || {
                tracing::trace!(target: "rustls::conn", "leak 1");
                tracing::info!(target: "hyper", "leak 2");
                tracing::debug!(target: "hyper_util::rt", "leak 3");
                tracing::info!(target: "tokio_rustls", "leak 4");
                tracing::warn!(target: "rustls", "logged 1");
                tracing::trace!(target: "landbridge_tenant", "logged 2");
                tracing::trace!(target: "rusqlite", "logged 3");
            });
            let mut text = String::new();
            read.read_to_string(&mut text).unwrap();
            assert!(!text.contains("leak"), "{text}");
            assert!([1, 2, 3].iter().all(|line| text.contains(&format!("logged {line}"))), "{text}");
        }
    }
}
