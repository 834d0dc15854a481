//! Starts the log: stderr, for people or for programs. Bodies, tokens and passwords never reach it.

use crate::config::{LogFormat, LogLevel};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// These print buffers at their lower levels: never below warn, whatever is asked for.
const SILENCED: [&str; 4] = ["rustls", "hyper", "hyper_util", "tokio_rustls"];

/// Starts it. A second start in one process does nothing.
pub fn start(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let mut targets = Targets::new().with_default(level);
    for target in SILENCED {
        targets = targets.with_target(target, level.min(LevelFilter::WARN));
    }
    let registry = tracing_subscriber::registry().with(targets);
    let started = match format {
        LogFormat::Human => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            registry.with(fmt::layer().with_writer(std::io::stderr).with_ansi(colours)).try_init()
        }
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init(),
    };
    drop(started);
}
