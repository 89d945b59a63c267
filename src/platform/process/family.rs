//! What a command has started and moved out of its process group.
//!
//! A child in a session of its own, as `setsid` makes one, hears no signal that is meant for the
//! group. As long as those between it and the command live, it is found by its parents. Only where
//! `/proc` tells them; elsewhere nothing is found.

use std::collections::HashMap;
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// When to look again for those below a guard: one that is killed may just have started another.
#[cfg(target_os = "linux")]
const PAUSE: std::time::Duration = std::time::Duration::from_millis(5);

/// A process, told from a later one with the same number by when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    /// Ticks since the machine was started.
    began: u64,
}

/// Processes that have left the group of the command that has started them.
#[derive(Debug, Default)]
pub(super) struct Strays(Vec<Process>);

impl Strays {
    /// Those that the group of `leader` has now.
    pub fn of(leader: Pid) -> Self {
        Self(strays(&everybody(), leader.as_raw_nonzero().get()))
    }

    /// Sends a signal to those that still run.
    pub fn signal(&self, signal: Signal) {
        for stray in self.0.iter().filter(|stray| stray.runs()) {
            if let Some(pid) = Pid::from_raw(stray.pid) {
                // It fails when the process has ended, which is what was wanted.
                let _ = kill_process(pid, signal);
            }
        }
    }

    /// Whether one of them still runs.
    pub fn any_runs(&self) -> bool {
        self.0.iter().any(Process::runs)
    }
}

impl Process {
    fn runs(&self) -> bool {
        look(self.pid).is_some_and(|found| found.began == self.began)
    }
}

/// The processes that run and whose parent is this one.
#[cfg(target_os = "linux")]
pub(super) fn children_of(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero().get();
    let children = everybody().into_iter().filter(|process| process.parent == parent);
    children.filter_map(|process| Pid::from_raw(process.pid)).collect()
}

/// Kills all that descend from a guard which does nothing itself any more, and then the guard: as long
/// as it is there, stopped or not, its orphans are its children. Those that still run after this time
/// are left.
#[cfg(target_os = "linux")]
pub(super) fn kill_below(guard: Pid, time: std::time::Duration) {
    let until = std::time::Instant::now() + time;
    loop {
        let below = Strays::of(guard);
        below.signal(Signal::KILL);
        if !below.any_runs() || std::time::Instant::now() + PAUSE > until {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    let _ = kill_process(guard, Signal::KILL);
}

/// All processes that there are and that have not ended.
fn everybody() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| look(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// The descendants of the group of `leader` that are not in it.
fn strays(all: &[Process], leader: i32) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(*process);
    }
    let own = all.iter().filter(|process| process.group == leader);
    let mut next: Vec<i32> = own.map(|process| process.pid).collect();
    let mut found: Vec<Process> = Vec::new();
    while let Some(parent) = next.pop() {
        for child in children.get(&parent).into_iter().flatten() {
            if child.group != leader && !found.contains(child) {
                found.push(*child);
                next.push(child.pid);
            }
        }
    }
    found
}

/// What `/proc/<pid>/stat` tells of a process; `None` for one that has ended, be it a zombie or gone.
/// One whose first thread has ended looks like a zombie, and runs as long as another thread does.
fn look(pid: i32) -> Option<Process> {
    parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in parentheses may hold anything, parentheses and blanks too.
fn parse(pid: i32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let state = fields.first()?;
    let number = |n: usize| fields.get(n)?.parse::<i64>().ok();
    let threads = number(17)?;
    let ended = ["X", "x"].contains(state) || (*state == "Z" && threads < 2);
    (!ended).then_some(())?;
    Some(Process {
        pid,
        parent: i32::try_from(number(1)?).ok()?,
        group: i32::try_from(number(2)?).ok()?,
        began: u64::try_from(number(19)?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, group: i32) -> Process {
        Process { pid, parent, group, began: 1 }
    }

    #[test]
    fn whatever_a_command_has_moved_out_is_found_and_nobody_else() {
        let all = [
            process(10, 1, 10),
            process(11, 10, 10),
            process(12, 11, 12),
            process(13, 12, 12),
            process(14, 13, 14),
            process(20, 1, 20),
            process(21, 20, 20),
        ];
        let mut found: Vec<i32> = strays(&all, 10).iter().map(|stray| stray.pid).collect();
        found.sort_unstable();
        assert_eq!(found, [12, 13, 14]);
        assert_eq!(strays(&all, 99), []);
    }

    #[test]
    fn a_line_of_proc_is_read_whatever_the_name_is() {
        let rest = "S 7 5 5 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4242 9 9";
        let read = parse(9, &format!("9 (a) b) (c) {rest}")).unwrap();
        assert_eq!(read, Process { pid: 9, parent: 7, group: 5, began: 4242 });
        assert_eq!(parse(9, &format!("9 (x) {}", rest.replacen('S', "Z", 1))), None);
        let leaderless = rest.replacen('S', "Z", 1).replace("20 0 1 0", "20 0 2 0");
        assert_eq!(parse(9, &format!("9 (x) {leaderless}")), Some(read), "a thread of it runs");
        for torn in ["", "9 (x", "9 (x) S 7", "9 (x) S a b c"] {
            assert_eq!(parse(9, torn), None, "{torn}");
        }
    }
}
