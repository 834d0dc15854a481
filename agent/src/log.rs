//! What the program says of itself, on standard error.
//!
//! Only our own crates speak below info. sspi and picky hex-dump buffers and decrypted tickets, rustls
//! prints handshakes and hyper headers: whatever level is asked for, sspi and picky stay silent below
//! warn, all others below info.

use std::io::IsTerminal as _;
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer, Registry};

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For a person.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Logging was set up before in this process.
#[derive(Debug, thiserror::Error)]
#[error("logging is set up already")]
pub struct AlreadySetUp;

/// Speaks from now on to `writer`, which ends at standard error.
pub fn init<W>(format: Format, level: Level, writer: W) -> Result<(), AlreadySetUp>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    use tracing_subscriber::util::SubscriberInitExt as _;
    subscriber(format, level, std::io::stderr().is_terminal(), writer).try_init().map_err(|_| AlreadySetUp)
}

fn subscriber<W>(
    format: Format,
    level: Level,
    colour: bool,
    writer: W,
) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Human => Box::new(lines.with_ansi(colour).with_target(false)),
        Format::Json => Box::new(lines.with_ansi(false).json().flatten_event(true)),
    };
    // The filter stands before every layer, so that nothing added later hears more.
    tracing_subscriber::registry().with(lines).with(who_may_speak(level))
}

fn who_may_speak(level: Level) -> Targets {
    let level = LevelFilter::from_level(level);
    Targets::new()
        .with_default(level.min(LevelFilter::INFO))
        .with_target("landbridge", level)
        .with_target("sspi", level.min(LevelFilter::WARN))
        .with_target("picky", level.min(LevelFilter::WARN))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Heard {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn heard(format: Format, level: Level, speak: impl FnOnce()) -> String {
        let heard = Heard::default();
        let writer = heard.clone();
        let subscriber = subscriber(format, level, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, speak);
        String::from_utf8(heard.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn sspi_and_picky_are_silent_below_warn_even_at_trace() {
        for format in [Format::Human, Format::Json] {
            let text = heard(format, Level::TRACE, || {
                tracing::trace!(target: "sspi", "leak 1");
                tracing::debug!(target: "sspi::kerberos::client", "leak 2");
                tracing::info!(target: "picky_krb::crypto", "leak 3");
                tracing::debug!(target: "picky::x509", "leak 4");
                tracing::warn!(target: "sspi", "heard 1");
                tracing::trace!(target: "landbridge_phs::cycle", "heard 2");
            });
            assert!(!text.contains("leak"), "{text}");
            assert!(text.contains("heard 1") && text.contains("heard 2"), "{text}");
        }
    }

    #[test]
    fn others_are_silent_below_info() {
        let text = heard(Format::Human, Level::TRACE, || {
            tracing::debug!(target: "rustls::client::hs", "leak 1");
            tracing::trace!(target: "hyper::proto", "leak 2");
            tracing::info!(target: "hyper", "heard");
        });
        assert!(!text.contains("leak") && text.contains("heard"), "{text}");
    }

    #[test]
    fn a_quieter_level_quiets_everybody() {
        let text = heard(Format::Human, Level::ERROR, || {
            tracing::warn!(target: "sspi", "leak 1");
            tracing::warn!(target: "landbridge_agent", "leak 2");
            tracing::error!(target: "landbridge_agent", "heard");
        });
        assert!(!text.contains("leak") && text.contains("heard"), "{text}");
    }
}
