//! The log: lines on standard error, for people or as JSON.
//!
//! Libraries print what must not be in a log: rustls prints handshakes, hyper prints headers. So each program names the
//! lowest level at which other crates than its own are shown, and the crates that are silent below warn at every level
//! that is configured.

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
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

/// What is written, and how.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    /// How a line looks.
    pub format: Format,
    /// Least important level that Landbridge's own crates write.
    pub level: Level,
    /// Least important level that other crates write, where `level` is not more important still.
    pub others: Level,
    /// Crates that write nothing below warn, at every `level`.
    pub silenced: &'static [&'static str],
    /// Human lines begin with the module that wrote them.
    pub shows_module: bool,
    /// JSON objects have the fields of the event at their top, not under `fields`.
    pub flat: bool,
}

/// The process writes a log already.
#[derive(Debug, thiserror::Error)]
#[error("logging is set up already")]
pub struct AlreadySetUp;

impl Log {
    /// From now on this process writes its log to `writer`, which ends at standard error. Human lines have colours
    /// where standard error is a terminal.
    pub fn start<W>(self, writer: W) -> Result<(), AlreadySetUp>
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
        self.subscriber(colours, writer).try_init().map_err(|_| AlreadySetUp)
    }

    /// The log as a value, for a thread or a test.
    pub fn subscriber<W>(self, colours: bool, writer: W) -> impl tracing::Subscriber + Send + Sync
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let lines = tracing_subscriber::fmt::layer().with_writer(writer);
        let lines: Box<dyn Layer<Registry> + Send + Sync> = match self.format {
            Format::Human => Box::new(lines.with_ansi(colours).with_target(self.shows_module)),
            Format::Json => Box::new(lines.with_ansi(false).json().flatten_event(self.flat)),
        };
        // The filter is in front of every layer, so that a layer added later receives no more.
        tracing_subscriber::registry().with(lines).with(self.targets())
    }

    fn targets(self) -> Targets {
        let level = LevelFilter::from_level(self.level);
        let ours = Targets::new()
            .with_default(level.min(LevelFilter::from_level(self.others)))
            .with_target("landbridge", level);
        self.silenced.iter().fold(ours, |all, name| all.with_target(*name, level.min(LevelFilter::WARN)))
    }
}
