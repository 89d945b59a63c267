//! The goals of a session on disk: `goal.jsonl`, a log of what happened to them, and
//! `upcoming-goals.json`, the queue (agent-loop.md section 17).
//!
//! Both are made when first needed. Nobody but us reads the log; its records are kimi-code's.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lines::{LineReader, is_torn, open_log, open_regular, read_regular};
use super::write_atomic;
use crate::protocol::{GoalActor, GoalLimits, GoalStatus, GoalUsed, UpcomingGoal};

/// The largest queue file that is read, in bytes.
const MAX_QUEUE: u64 = 4 * 1024 * 1024;

/// Something that happened to a goal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum GoalRecord {
    #[serde(rename = "goal.create")]
    Create {
        goal_id: String,
        objective: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        completion_criterion: Option<String>,
    },
    /// What is `None` has not changed. A status without a reason has none.
    #[serde(rename = "goal.update")]
    Update {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<GoalStatus>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(flatten)]
        used: GoalUsed,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget_limits: Option<GoalLimits>,
        actor: GoalActor,
    },
    #[serde(rename = "goal.clear")]
    Clear {},
}

/// The two files.
#[derive(Debug)]
pub struct GoalLog {
    path: PathBuf,
    queue: PathBuf,
    file: Option<File>,
}

#[derive(Serialize, Deserialize)]
struct Queue {
    version: u32,
    goals: Vec<UpcomingGoal>,
}

impl GoalLog {
    /// The files of a session's directory. Nothing is touched yet.
    pub fn new(dir: &Path) -> Self {
        Self { path: dir.join("goal.jsonl"), queue: dir.join("upcoming-goals.json"), file: None }
    }

    /// What was recorded, oldest first, and how many lines nobody understands.
    pub fn records(&self) -> io::Result<(Vec<GoalRecord>, usize)> {
        let Some(file) = open_regular(&self.path)? else { return Ok((Vec::new(), 0)) };
        let (mut records, mut broken) = (Vec::new(), 0);
        let mut lines = LineReader::new(file);
        while let Some(line) = lines.next_line()? {
            if line.bytes.iter().all(u8::is_ascii_whitespace) && !line.oversized {
                continue;
            }
            match serde_json::from_slice(line.bytes) {
                Ok(record) => records.push(record),
                Err(_) => broken += 1,
            }
        }
        Ok((records, broken))
    }

    /// Adds a record. A line that a killed process left without an end is ended first.
    pub fn append(&mut self, record: &GoalRecord) -> io::Result<()> {
        if self.file.is_none() {
            let mut file = open_log(&self.path)?;
            if is_torn(&mut file)? {
                file.write_all(b"\n")?;
            }
            self.file = Some(file);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        file.write_all(&line)
    }

    /// The goals that wait. A file of another version is not ours to read.
    pub fn upcoming(&self) -> io::Result<Vec<UpcomingGoal>> {
        let Some(bytes) = read_regular(&self.queue, MAX_QUEUE)? else { return Ok(Vec::new()) };
        let queue: Queue = serde_json::from_slice(&bytes)?;
        if queue.version != 1 {
            let why = format!("version {} is not known", queue.version);
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(queue.goals)
    }

    /// Stores the goals that wait.
    pub fn set_upcoming(&self, goals: &[UpcomingGoal]) -> io::Result<()> {
        let queue = Queue { version: 1, goals: goals.to_vec() };
        write_atomic(&self.queue, &serde_json::to_vec_pretty(&queue)?, 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(id: &str) -> GoalRecord {
        GoalRecord::Create {
            goal_id: id.to_owned(),
            objective: "x\ny".to_owned(),
            completion_criterion: None,
        }
    }

    #[test]
    fn what_is_recorded_is_read_back_whatever_else_is_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = GoalLog::new(dir.path());
        assert_eq!(log.records().unwrap(), (Vec::new(), 0));
        let paused = GoalRecord::Update {
            status: Some(GoalStatus::Paused),
            reason: Some("interrupted".to_owned()),
            used: GoalUsed { turns_used: 2, tokens_used: 9, ..GoalUsed::default() },
            budget_limits: None,
            actor: GoalActor::Runtime,
        };
        log.append(&create("a")).unwrap();
        log.append(&paused).unwrap();
        let path = dir.path().join("goal.jsonl");
        // A newer version's record, rubbish, and a line that was torn.
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"type\":\"goal.praise\"}\n\xff\xfe\n{\"type\":\"goal.cl");
        std::fs::write(&path, bytes).unwrap();
        let mut log = GoalLog::new(dir.path());
        log.append(&GoalRecord::Clear {}).unwrap();
        let (records, broken) = log.records().unwrap();
        assert_eq!(records, [create("a"), paused, GoalRecord::Clear {}]);
        assert_eq!(broken, 3);
    }

    #[test]
    fn the_names_in_the_file_are_those_of_kimi_code() {
        let record = GoalRecord::Update {
            status: None,
            reason: None,
            used: GoalUsed {
                turns_used: 1,
                tokens_used: 2,
                wall_clock_ms: 3,
                usd_used: 0.5,
                ..GoalUsed::default()
            },
            budget_limits: Some(GoalLimits { turn_budget: Some(4), ..GoalLimits::default() }),
            actor: GoalActor::Model,
        };
        assert_eq!(
            serde_json::to_string(&record).unwrap(),
            r#"{"type":"goal.update","turnsUsed":1,"tokensUsed":2,"wallClockMs":3,"usdUsed":0.5,"budgetLimits":{"turnBudget":4},"actor":"model"}"#
        );
    }

    #[test]
    fn the_queue_is_kept_whole_and_a_foreign_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let log = GoalLog::new(dir.path());
        let goal = UpcomingGoal {
            id: "1".to_owned(),
            objective: "later".to_owned(),
            created_at: "2026-01-01T00:00:00Z".to_owned(),
            updated_at: String::new(),
        };
        log.set_upcoming(std::slice::from_ref(&goal)).unwrap();
        assert_eq!(log.upcoming().unwrap(), [goal]);
        let path = dir.path().join("upcoming-goals.json");
        for bad in ["{\"version\":2,\"goals\":[]}", "[]", "", "{\"version\":1}"] {
            std::fs::write(&path, bad).unwrap();
            assert!(log.upcoming().is_err(), "{bad}");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(log.upcoming().is_err());
    }
}
