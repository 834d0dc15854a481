//! What the kernel counts: CPU, memory, bytes (proc(5)).

use landbridge_tests::lab::LabError;
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

/// The processes of a group: field 5.
pub(crate) fn group(leader: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    all.filter(|process| stat(&process.to_string()).get(2) == Some(&f64::from(leader))).collect()
}

/// Idle and all ticks of the machine's cores so far.
pub(crate) fn cores() -> (f64, f64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<f64> = ticks.filter_map(|tick| tick.parse().ok()).collect();
    (ticks.get(3..5).unwrap_or_default().iter().sum(), ticks.iter().sum())
}

/// The cores that this program may run on, as taskset takes them.
pub(crate) fn cores_allowed() -> String {
    status("self", "Cpus_allowed_list:")
}

/// Keeps all threads of a process on these cores.
pub(crate) fn place(process: u32, cores: &str) -> Result<(), LabError> {
    let mut set = std::process::Command::new("taskset");
    let set = set.args(["-acp", cores, &process.to_string()]).output();
    let set = set.map_err(|why| LabError::said("taskset", &why))?;
    // The process may just have ended.
    if set.status.success() || !std::path::Path::new(&format!("/proc/{process}")).exists() {
        return Ok(());
    }
    Err(LabError::said("taskset", &String::from_utf8_lossy(&set.stderr)))
}

/// Memory of a process, in MiB: resident now, and at its peak.
pub(crate) fn memory(process: u32) -> (f64, f64) {
    let of = |name: &str| {
        let text = status(&process.to_string(), name);
        text.trim_end_matches(" kB").parse::<f64>().map_or(f64::NAN, |kib| kib / 1024.0)
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// Makes the memory that a process has now its peak (proc(5), `clear_refs`).
pub(crate) fn forget_peak(process: u32) -> Result<(), LabError> {
    let written = fs::write(format!("/proc/{process}/clear_refs"), "5");
    written.map_err(|why| LabError::said("forgetting a peak of memory", &why))
}

fn status(process: &str, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    value.trim().to_owned()
}
