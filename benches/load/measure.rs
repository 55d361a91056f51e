//! What processes used, from `/proc`, and how runs are summed up.

use std::time::Duration;

/// Clock ticks a second of Linux's `/proc` times.
const TICKS: f64 = 100.0;

/// CPU time a process has used so far.
pub fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name in brackets").split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|at: &usize| fields[*at].parse::<f64>().expect("ticks")).sum();
    Duration::from_secs_f64(ticks / TICKS)
}

/// Peak or present memory of a process in MB: `VmHWM` or `VmRSS`.
pub fn memory_mb(pid: u32, what: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find(|line| line.starts_with(what)).expect("a line of this name");
    line.split_whitespace().nth(1).expect("a number").parse::<f64>().expect("kB") / 1_024.0
}

/// Forgets the peak so far.
pub fn reset_peak(pid: u32) {
    // Not every kernel lets us; the peak is then that of the whole life.
    let _ = std::fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

/// Load average of the last minute.
pub fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or("?").to_owned()
}

/// The middle of some numbers.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// A percentile of sorted numbers.
pub fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(0.0)
}

/// Bytes of a directory's files.
pub fn bytes_under(directory: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_under(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
