//! What the system knows of a running process. Linux only: elsewhere everything is `None`.

use std::fs;

/// A value in kB of a file in the process's directory under `/proc`.
fn kilobytes(pid: u32, file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    value(&text, key)
}

fn value(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.split(':').next() == Some(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Memory of a process in kB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident, pages of files and libraries included.
    pub resident: u64,
    /// Its share of resident pages; what it has alone counts whole.
    pub proportional: Option<u64>,
    /// Allocated by itself: stacks and heap.
    pub anonymous: Option<u64>,
}

/// The memory now.
pub fn memory(pid: u32) -> Option<Memory> {
    Some(Memory {
        resident: kilobytes(pid, "status", "VmRSS")?,
        proportional: kilobytes(pid, "smaps_rollup", "Pss"),
        anonymous: kilobytes(pid, "status", "RssAnon"),
    })
}

/// Processor time of all threads it has, in seconds.
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        // A thread that has just ended has no file any more.
        if let Ok(text) = fs::read_to_string(task.path().join("schedstat")) {
            nanoseconds += text.split_whitespace().next()?.parse::<u64>().ok()?;
        }
    }
    Some(nanoseconds as f64 / 1e9)
}

/// How often its threads have woken up, and how many threads there are.
pub fn wakeups(pid: u32) -> Option<(u64, usize)> {
    let mut sum = 0;
    let mut threads = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        // A thread that has just ended has no file any more.
        if let Ok(text) = fs::read_to_string(task.path().join("status")) {
            sum += value(&text, "voluntary_ctxt_switches")?;
            threads += 1;
        }
    }
    Some((sum, threads))
}

/// The processor's name.
pub fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
