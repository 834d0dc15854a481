//! What the kernel counts: CPU, memory, bytes (proc(5)).

use std::fs;

/// The kernel's ticks in a second (`USER_HZ`).
const TICKS: f64 = 100.0;

/// What `/proc/<process>/stat` says after the name: from field 3 on.
fn stat(process: &str) -> Vec<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    // The state is a letter.
    fields.split_whitespace().map(|field| field.parse().unwrap_or(f64::NAN)).collect()
}

/// Seconds of CPU that a process has used: fields 14 and 15.
pub(crate) fn cpu(process: u32) -> f64 {
    stat(&process.to_string()).iter().skip(11).take(2).sum::<f64>() / TICKS
}

/// Seconds of CPU of all children that have ended, and of theirs: fields 16 and 17.
pub(crate) fn cpu_of_the_ended() -> f64 {
    stat("self").iter().skip(13).take(2).sum::<f64>() / TICKS
}

/// Bytes that went over loopback since the machine started: everybody's, with the headers of IP and TCP.
pub(crate) fn loopback() -> f64 {
    let text = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|bytes| bytes.parse().ok()).unwrap_or(f64::NAN)
}
