//! `points.jsonl`: the turns one can return to, and what changed after each. Append-only.
//!
//! Point `n` is the moment before a turn. A change belongs to the newest point at its time and says
//! what was at the path at that point; so what was at a path at any point is said by the first change
//! at or after it. A rewind is a change like any other, which is why nothing is ever taken out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::PathState;
use crate::protocol::{RewindScope, TodoItem};
use crate::store::ContextMark;
use crate::store::lines::{LineReader, is_torn, open_log};

/// Who changed a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A tool that edits files.
    Tool,
    /// A command, an MCP server or another tool that may do anything.
    Command,
    /// Somebody else: the user, as far as we can tell.
    User,
    /// A rewind or its redo.
    Rewind,
}

/// The moment before a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// From 1, in order; never used twice.
    pub id: u64,
    /// Unix seconds.
    pub at: f64,
    /// What the user said; of a turn that nobody has written, what it is called.
    pub prompt: String,
    /// Nobody has written it: the turn began by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_itself: bool,
    /// The end of the conversation.
    pub context: ContextMark,
    pub todos: Vec<TodoItem>,
    pub title: Option<String>,
}

/// What was at a path at a point, and who has changed it since.
#[derive(Debug, Clone, PartialEq)]
pub struct Before {
    pub state: PathState,
    pub by: BTreeSet<By>,
}

/// A change of a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The newest point at the time.
    pub point: u64,
    /// As [`super::encode_path`] writes it.
    pub path: String,
    pub by: By,
    /// What was there before. Counts only in the first change of a path at its point.
    pub before: PathState,
}

/// What a turn did to the files, for lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ended {
    pub point: u64,
    pub files: usize,
    /// Lines, of files that are text.
    pub added: usize,
    pub removed: usize,
}

/// A path that a rewind or redo puts back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    pub path: String,
    /// What is there.
    pub from: PathState,
    /// What shall be there.
    pub to: PathState,
}

/// A rewind, with all it takes to take it back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rewound {
    /// Unix seconds.
    pub at: f64,
    /// The point it went to.
    pub to: u64,
    pub scope: RewindScope,
    /// The points that left the list with the conversation.
    pub hidden: Vec<u64>,
    pub prompt: String,
    pub files: Vec<Put>,
    /// The conversation as it was.
    pub context: ContextMark,
    pub todos: Vec<TodoItem>,
    pub title: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
enum Record {
    Point(Point),
    Change(Change),
    Ended(Ended),
    /// Not all that changed after this point is known.
    Partial {
        point: u64,
    },
    /// Nothing was said in the turn after this point.
    Silent {
        point: u64,
    },
    Rewound(Rewound),
    /// The newest rewind that was not taken back is taken back.
    Redone {},
    /// The copies of files before this point are gone.
    Floor {
        point: u64,
    },
}

/// The log, open for appending.
#[derive(Debug)]
pub struct PointLog {
    path: PathBuf,
    file: File,
    torn: bool,
    points: Vec<Point>,
    changes: BTreeMap<u64, BTreeMap<String, Before>>,
    ended: BTreeMap<u64, Ended>,
    partial: BTreeSet<u64>,
    hidden: BTreeSet<u64>,
    /// Points whose turn said nothing.
    silent: BTreeSet<u64>,
    /// Rewinds that can be taken back, the newest last.
    redo: Vec<Rewound>,
    /// The same before the newest point.
    redo_before: Vec<Rewound>,
    floor: u64,
}

impl PointLog {
    /// Opens the log below `dir`, creating it when missing. Lines that cannot be read are skipped.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join("points.jsonl");
        let mut file = open_log(&path)?;
        let torn = is_torn(&mut file)?;
        let mut log = Self {
            file: open_log(&path)?,
            path,
            torn,
            points: Vec::new(),
            changes: BTreeMap::new(),
            ended: BTreeMap::new(),
            partial: BTreeSet::new(),
            hidden: BTreeSet::new(),
            silent: BTreeSet::new(),
            redo: Vec::new(),
            redo_before: Vec::new(),
            floor: 0,
        };
        let mut reader = LineReader::new(open_log(&log.path)?);
        while let Some(line) = reader.next_line()? {
            if let Ok(record) = serde_json::from_slice(line.bytes) {
                log.take(record);
            }
        }
        Ok(log)
    }

    /// The points that can be returned to, the oldest first. Those whose turn neither said nor changed
    /// anything are left out: there is nothing to take back.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = &Point> {
        self.points
            .iter()
            .filter(|point| !self.hidden.contains(&point.id) && !self.is_idle(point.id))
    }

    /// Whether the turn after this point has done nothing.
    fn is_idle(&self, id: u64) -> bool {
        let ours =
            |before: &Before| before.by.contains(&By::Tool) || before.by.contains(&By::Command);
        self.silent.contains(&id)
            && !self.changes.get(&id).is_some_and(|changes| changes.values().any(ours))
    }

    /// The point of this number, if it can be returned to.
    pub fn point(&self, id: u64) -> Option<&Point> {
        self.points().find(|point| point.id == id)
    }

    /// Whether the conversation is back before this point.
    pub fn is_hidden(&self, id: u64) -> bool {
        self.hidden.contains(&id)
    }

    /// The number of the newest point; 0 when there is none.
    pub fn newest(&self) -> u64 {
        self.points.last().map_or(0, |point| point.id)
    }

    /// Whether the files at this point are still known.
    pub fn has_files(&self, id: u64) -> bool {
        id >= self.floor
    }

    /// What a turn did, if that was noted.
    pub fn ended(&self, id: u64) -> Option<Ended> {
        self.ended.get(&id).copied()
    }

    /// Whether the changes between this point and the next may be more than are known.
    pub fn is_partial(&self, id: u64) -> bool {
        self.partial.contains(&id)
    }

    /// Whether the changes since this point may be more than are known.
    pub fn is_partial_since(&self, id: u64) -> bool {
        self.partial.range(id..).next().is_some()
    }

    /// The changes between this point and the next.
    pub fn changes_of(&self, id: u64) -> Option<&BTreeMap<String, Before>> {
        self.changes.get(&id)
    }

    /// What was at every path that has changed since this point, and who changed it.
    pub fn since(&self, id: u64) -> BTreeMap<String, Before> {
        let mut since: BTreeMap<String, Before> = BTreeMap::new();
        for (path, before) in self.changes.range(id..).flat_map(|(_, changes)| changes) {
            match since.get_mut(path) {
                Some(known) => known.by.extend(&before.by),
                None => {
                    since.insert(path.clone(), before.clone());
                }
            }
        }
        since
    }

    /// The newest rewind that can be taken back.
    pub fn redo(&self) -> Option<&Rewound> {
        self.redo.last()
    }

    /// Notes a new point. What was rewound cannot be taken back after it.
    pub fn add_point(&mut self, point: Point) -> io::Result<()> {
        self.append([Record::Point(point)])
    }

    /// Notes changes, with a single write. Those made before there was a point count for nothing.
    pub fn add_changes(&mut self, changes: Vec<Change>) -> io::Result<()> {
        let changes = changes.into_iter().filter(|change| change.point > 0);
        self.append(changes.map(Record::Change).collect::<Vec<_>>())
    }

    /// Notes what a turn did.
    pub fn add_ended(&mut self, ended: Ended) -> io::Result<()> {
        self.append([Record::Ended(ended)])
    }

    /// Notes, once, that more may have changed after this point than is known.
    pub fn add_partial(&mut self, point: u64) -> io::Result<()> {
        if point == 0 || self.is_partial(point) {
            return Ok(());
        }
        self.append([Record::Partial { point }])
    }

    /// Notes that nothing was said in the turn after the newest point. What was rewound before it can
    /// be taken back still.
    pub fn add_silent(&mut self) -> io::Result<()> {
        let point = self.newest();
        self.append((point > 0).then_some(Record::Silent { point }))
    }

    /// Notes a rewind.
    pub fn add_rewound(&mut self, rewound: Rewound) -> io::Result<()> {
        self.append([Record::Rewound(rewound)])
    }

    /// Notes that the newest rewind is taken back.
    pub fn add_redone(&mut self) -> io::Result<()> {
        self.append([Record::Redone {}])
    }

    /// Forgets the changes before this point: its files are the oldest that can be brought back.
    pub fn forget_before(&mut self, point: u64) -> io::Result<()> {
        self.append([Record::Floor { point }])
    }

    fn append(&mut self, records: impl IntoIterator<Item = Record>) -> io::Result<()> {
        let records: Vec<_> = records.into_iter().collect();
        let mut bytes = Vec::new();
        if self.torn {
            bytes.push(b'\n');
        }
        for record in &records {
            serde_json::to_writer(&mut bytes, record)?;
            bytes.push(b'\n');
        }
        let written = self.file.write_all(&bytes);
        self.torn = written.is_err();
        written?;
        records.into_iter().for_each(|record| self.take(record));
        Ok(())
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Point(point) => {
                self.redo_before = std::mem::take(&mut self.redo);
                self.points.push(point);
            }
            Record::Change(Change { point, path, by, before }) => {
                let known = self.changes.entry(point).or_default().entry(path);
                let fresh = || Before { state: before, by: BTreeSet::new() };
                known.or_insert_with(fresh).by.insert(by);
            }
            Record::Ended(ended) => {
                self.ended.insert(ended.point, ended);
            }
            Record::Partial { point } => {
                self.partial.insert(point);
            }
            Record::Silent { point } => {
                self.silent.insert(point);
                if point == self.newest() && self.redo.is_empty() {
                    self.redo = std::mem::take(&mut self.redo_before);
                }
            }
            Record::Rewound(rewound) => {
                self.hidden.extend(&rewound.hidden);
                self.redo.push(rewound);
            }
            Record::Redone {} => {
                if let Some(rewound) = self.redo.pop() {
                    self.hidden.retain(|id| !rewound.hidden.contains(id));
                }
            }
            Record::Floor { point } => {
                self.floor = self.floor.max(point);
                self.changes = self.changes.split_off(&self.floor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(id: u64) -> Point {
        Point {
            id,
            at: 0.0,
            prompt: format!("turn {id}"),
            by_itself: false,
            context: ContextMark::default(),
            todos: vec![],
            title: None,
        }
    }

    fn change(point: u64, path: &str, by: By, size: u64) -> Change {
        let content = super::super::Content::Blob(size.to_string());
        let before = PathState::File { mode: 0o644, size, content };
        Change { point, path: path.to_owned(), by, before }
    }

    fn size(before: &Before) -> u64 {
        match before.state {
            PathState::File { size, .. } => size,
            _ => 0,
        }
    }

    #[test]
    fn the_first_change_after_a_point_says_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = PointLog::open(dir.path()).unwrap();
        log.add_changes(vec![change(0, "/a", By::User, 9)]).unwrap();
        log.add_point(point(1)).unwrap();
        log.add_changes(vec![change(1, "/a", By::Tool, 10), change(1, "/a", By::User, 11)])
            .unwrap();
        log.add_point(point(2)).unwrap();
        log.add_changes(vec![change(2, "/a", By::Command, 20), change(2, "/b", By::Tool, 5)])
            .unwrap();
        for log in [&log, &PointLog::open(dir.path()).unwrap()] {
            let since = log.since(1);
            assert_eq!((size(&since["/a"]), size(&since["/b"])), (10, 5));
            assert_eq!(since["/a"].by, BTreeSet::from([By::Tool, By::Command, By::User]));
            assert_eq!(size(&log.since(2)["/a"]), 20);
            assert!(log.since(3).is_empty());
            assert!(log.changes_of(0).is_none(), "before the first point nothing is kept");
        }
    }

    #[test]
    fn a_rewind_hides_points_until_it_is_taken_back_or_a_turn_follows() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = PointLog::open(dir.path()).unwrap();
        for id in 1..=3 {
            log.add_point(point(id)).unwrap();
        }
        let rewound = Rewound {
            at: 0.0,
            to: 2,
            scope: RewindScope::Both,
            hidden: vec![2, 3],
            prompt: String::new(),
            files: vec![],
            context: ContextMark::default(),
            todos: vec![],
            title: None,
        };
        let ids = |log: &PointLog| log.points().map(|point| point.id).collect::<Vec<_>>();
        log.add_rewound(rewound.clone()).unwrap();
        assert_eq!((ids(&log), log.newest()), (vec![1], 3));
        log.add_redone().unwrap();
        assert_eq!(ids(&log), [1, 2, 3]);
        log.add_rewound(rewound).unwrap();
        log.add_point(point(4)).unwrap();
        let log = PointLog::open(dir.path()).unwrap();
        assert_eq!(ids(&log), [1, 4]);
        assert!(log.redo().is_none());
    }

    #[test]
    fn a_turn_that_did_nothing_is_no_point_and_leaves_the_redo() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = PointLog::open(dir.path()).unwrap();
        log.add_silent().unwrap();
        log.add_point(point(1)).unwrap();
        log.add_point(point(2)).unwrap();
        let rewound = Rewound {
            at: 0.0,
            to: 2,
            scope: RewindScope::Both,
            hidden: vec![2],
            prompt: String::new(),
            files: vec![],
            context: ContextMark::default(),
            todos: vec![],
            title: None,
        };
        log.add_rewound(rewound).unwrap();
        log.add_point(point(3)).unwrap();
        assert!(log.redo().is_none());
        // Whoever changed a file meanwhile was not this turn.
        log.add_changes(vec![change(3, "/a", By::User, 1)]).unwrap();
        log.add_silent().unwrap();
        log.add_point(point(4)).unwrap();
        log.add_changes(vec![change(4, "/a", By::Command, 2)]).unwrap();
        log.add_silent().unwrap();
        for log in [&log, &PointLog::open(dir.path()).unwrap()] {
            assert_eq!(log.points().map(|point| point.id).collect::<Vec<_>>(), [1, 4]);
            assert!(log.redo().is_some(), "the rewind can still be taken back");
            assert_eq!((log.newest(), log.point(3)), (4, None));
        }
    }

    #[test]
    fn torn_and_foreign_lines_are_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = PointLog::open(dir.path()).unwrap();
        log.add_point(point(1)).unwrap();
        log.file.write_all(b"{\"record\":\"news\"}\n{\"record\":\"poi").unwrap();
        let mut log = PointLog::open(dir.path()).unwrap();
        log.add_point(point(2)).unwrap();
        assert_eq!(PointLog::open(dir.path()).unwrap().points().count(), 2);
        log.add_partial(2).unwrap();
        log.forget_before(2).unwrap();
        let log = PointLog::open(dir.path()).unwrap();
        assert!(!log.has_files(1) && log.has_files(2));
        assert!(log.is_partial(2) && log.is_partial_since(1) && !log.is_partial(1));
    }
}
