//! Figures of several sides in the same rounds: as a table for the terminal and the file, and as a chart. The first
//! side is the peer; every other one is shown as its ratio to the peer of the same round. Figures of different kinds
//! in one table have no peer and no ratios.

use landbridge_tests::lab::LabError;
use std::fmt::Write as _;
use std::path::Path;

/// One thing, measured in several ways in turns.
pub(crate) struct Comparison {
    /// What it is, in a few words.
    pub(crate) what: String,
    /// Of the values.
    pub(crate) unit: &'static str,
    /// Names and values, one a round; the peer first.
    pub(crate) sides: Vec<(String, Vec<f64>)>,
    /// What is aimed at, if anything.
    pub(crate) aim: &'static str,
    /// A sentence below the table, if there is anything to say.
    pub(crate) note: String,
    /// Whether the first side is the peer of the others.
    has_peer: bool,
}

impl Comparison {
    /// With these sides, and no values yet.
    pub(crate) fn new(
        what: impl Into<String>,
        unit: &'static str,
        aim: &'static str,
        sides: &[&str],
    ) -> Self {
        let has_peer = sides.len() > 1;
        let sides = sides.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
        Self { what: what.into(), unit, sides, aim, note: String::new(), has_peer }
    }

    /// Figures of different kinds, which have their units in their names and no ratios.
    pub(crate) fn of_kinds(what: impl Into<String>, sides: &[&str]) -> Self {
        Self { has_peer: false, ..Self::new(what, "", "", sides) }
    }

    /// The values of one round, in the order of the sides.
    pub(crate) fn round(&mut self, values: &[f64]) {
        for ((_, all), value) in self.sides.iter_mut().zip(values) {
            all.push(*value);
        }
    }

    /// Each side: its name, its values' spread, and its ratios' to the peer.
    fn rows(&self) -> Vec<(&str, Spread, Spread)> {
        let peer = self.sides.first().map_or(&[][..], |(_, values)| values);
        let rows = self.sides.iter().map(|(name, values)| {
            let ratios = values.iter().zip(peer).map(|(value, peer)| value / peer).collect();
            (name.as_str(), Spread::of(values.clone()), Spread::of(ratios))
        });
        rows.collect()
    }

    /// For the terminal.
    pub(crate) fn print(&self) {
        println!("\n  {} (N = {}){}", self.what, self.rounds(), self.aimed());
        for (name, value, ratio) in self.rows() {
            println!("    {name:<44} {:>28} {:<5} {}", value.text(), self.unit, self.times(&ratio));
        }
        if !self.note.is_empty() {
            println!("    {}", self.note);
        }
    }

    /// A ratio to the peer as text. Empty if there is no peer.
    fn times(&self, ratio: &Spread) -> String {
        if self.has_peer { ratio.times() } else { String::new() }
    }

    fn rounds(&self) -> usize {
        self.sides.iter().map(|(_, values)| values.len()).min().unwrap_or(0)
    }

    fn aimed(&self) -> String {
        if self.aim.is_empty() { String::new() } else { format!("; aim: {}", self.aim) }
    }

    fn markdown(&self, to: &mut String) {
        let _ =
            writeln!(to, "\n### {}\n\nN = {} rounds in turns{}.\n", self.what, self.rounds(), self.aimed());
        let to_the_first = if self.has_peer { "to the first" } else { "" };
        let unit = if self.unit.is_empty() { String::new() } else { format!(", {}", self.unit) };
        let _ = writeln!(to, "| | median (least to most){unit} | {to_the_first} |\n|---|---:|---:|");
        for (name, value, ratio) in self.rows() {
            let _ = writeln!(to, "| {name} | {} | {} |", value.text(), self.times(&ratio));
        }
        if !self.note.is_empty() {
            let _ = writeln!(to, "\n{}", self.note);
        }
    }
}

/// The median of some values. Not a number if there are none.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    Spread::of(values).0
}

/// Median, least and most.
struct Spread(f64, f64, f64);

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |at: usize| values.get(at).copied().unwrap_or(f64::NAN);
        Self(at(values.len() / 2), at(0), at(values.len().saturating_sub(1)))
    }

    fn text(&self) -> String {
        let Self(median, least, most) = self;
        let digits = if *median >= 100.0 { 0 } else { 2 };
        format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }

    fn times(&self) -> String {
        format!("{:.2}× ({:.2} to {:.2})", self.0, self.1, self.2)
    }
}

/// Writes `report.md` and `chart.svg` into this folder.
pub(crate) fn write(folder: &Path, machine: &str, all: &[Comparison]) -> Result<(), LabError> {
    let mut text = format!("# Benchmark\n\n{machine}\n\n![Ratios to the peer](chart.svg)\n");
    all.iter().for_each(|one| one.markdown(&mut text));
    let files = [("report.md", text), ("chart.svg", chart(all))];
    std::fs::create_dir_all(folder)
        .and_then(|()| files.iter().try_for_each(|(name, text)| std::fs::write(folder.join(name), text)))
        .map_err(|why| LabError::Step { step: "the report".to_owned(), said: why.to_string() })
}

/// Of what something is aimed at, for only there the first side is a peer: a bar for the median of every side, as long
/// as it is beside the longest of its comparison.
fn chart(all: &[Comparison]) -> String {
    const BAR: f64 = 420.0;
    let (mut body, mut y) = (String::new(), 10.0);
    for one in all.iter().filter(|one| !one.aim.is_empty() && one.has_peer) {
        y += 26.0;
        let _ = writeln!(body, "<text x='10' y='{y}' class='what'>{}, {}</text>", plain(&one.what), one.unit);
        let rows = one.rows();
        let longest = rows.iter().map(|(_, value, _)| value.0).fold(0.0, f64::max);
        for (at, (name, value, ratio)) in rows.iter().enumerate() {
            y += 22.0;
            let (wide, kind) = (BAR * value.0 / longest, if at == 0 { "peer" } else { "ours" });
            let _ = writeln!(
                body,
                "<text x='290' y='{y}' class='name'>{}</text><rect x='300' y='{}' width='{wide:.0}' height='14' class='{kind}'/>\
                 <text x='{:.0}' y='{y}'>{:.2}×</text>",
                plain(name),
                y - 11.0,
                306.0 + wide,
                ratio.0
            );
        }
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='800' height='{:.0}' font-family='sans-serif' font-size='12'>\
         <style>.what{{font-weight:bold}} .name{{text-anchor:end}} .peer{{fill:#999}} .ours{{fill:#2a6f97}}</style>\
         <rect width='100%' height='100%' fill='#fff'/>\n{body}</svg>\n",
        y + 20.0
    )
}

fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
