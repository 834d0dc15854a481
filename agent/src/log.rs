//! What both agents write to the log. Only Landbridge's own crates write below info.

use landbridge_host::log::{Format, Log};
use tracing::Level;

/// The log of an agent: human lines without the module, JSON with the event's fields at the top.
pub fn settings(format: Format, level: Level) -> Log {
    Log { format, level, others: Level::INFO, silenced: &[], shows_module: false, flat: true }
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
        let subscriber = settings(format, level).subscriber(false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, speak);
        String::from_utf8(heard.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn others_are_silent_below_info() {
        for format in [Format::Human, Format::Json] {
            let text = heard(format, Level::TRACE, || {
                tracing::debug!(target: "rustls::client::hs", "leak 1");
                tracing::trace!(target: "hyper::proto", "leak 2");
                tracing::info!(target: "hyper", "heard 1");
                tracing::trace!(target: "landbridge_phs::cycle", "heard 2");
            });
            assert!(!text.contains("leak"), "{text}");
            assert!(text.contains("heard 1") && text.contains("heard 2"), "{text}");
        }
    }

    #[test]
    fn a_quieter_level_quiets_everybody() {
        let text = heard(Format::Human, Level::ERROR, || {
            tracing::warn!(target: "ldap3", "leak 1");
            tracing::warn!(target: "landbridge_agent", "leak 2");
            tracing::error!(target: "landbridge_agent", "heard");
        });
        assert!(!text.contains("leak") && text.contains("heard"), "{text}");
    }
}
