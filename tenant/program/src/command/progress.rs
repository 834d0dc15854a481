//! How far a copy of rows is, on standard error, when it takes long.
//! Neighbours: [`super::migrate`], [`super::backup`] and [`super::restore`] copy between a file and a server.

use landbridge_tenant_store::transfer::Transferred;
use std::io::Write;
use std::time::{Duration, Instant};

/// Time from the start, and from one line, to the next one.
const EVERY: Duration = Duration::from_secs(5);

/// Writes a line every few seconds: what is copied, and how much of it so far.
pub fn of_rows() -> impl FnMut(&Transferred) {
    let mut next = Instant::now() + EVERY;
    let mut tables = 0;
    let mut table = String::new();
    move |so_far| {
        if so_far.table != table {
            table.clone_from(&so_far.table);
            tables += 1;
        }
        if Instant::now() >= next {
            next = Instant::now() + EVERY;
            // Without a reader there is nothing to do.
            let _ = writeln!(std::io::stderr(), "table {tables}, {table}: {} rows copied", so_far.rows);
        }
    }
}
