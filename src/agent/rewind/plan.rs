//! What a rewind would do, before it does it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use similar::DiffOp;

use super::copies::observe;
use super::restore::{Fetch, same};
use crate::protocol::{DisplayBlock, Hand, RewindScope};
use crate::store::snapshots::{Before, By, Content, Lost, PathState, Put, decode_path};
use crate::tools::{changes, diff_blocks};

/// Bytes of a file whose change is shown.
const MAX_SHOWN: u64 = 1 << 20;

/// Counting the lines of a hunk gives up precision after this long.
const PATIENCE: Duration = Duration::from_millis(50);

/// Where a rewind goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Before the turn of this point.
    Point(u64),
    /// Back to where the newest rewind came from.
    Redo,
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is there again.
    Returns,
    /// It has its old content or permissions again.
    Changes,
    /// It goes.
    Goes,
}

/// A file in a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedFile {
    /// Relative to the work directory where it is below it.
    pub shown: String,
    pub fate: Fate,
    pub hand: Hand,
    /// Lines that come and go, when it is text.
    pub lines: Option<(usize, usize)>,
    pub diff: Vec<DisplayBlock>,
    /// Why it stays as it is.
    pub problem: Option<String>,
    pub directory: bool,
    pub(super) put: Put,
}

/// What a rewind would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What [`crate::protocol::Op::Rewind`] names.
    pub id: u64,
    pub target: Target,
    /// What the user said in the first turn that is undone, or what that turn is called.
    pub prompt: String,
    /// Nobody has written that: the turn began by itself.
    pub by_itself: bool,
    /// Unix seconds.
    pub at: f64,
    pub files: Vec<PlannedFile>,
    /// What was rewound, for a redo.
    pub scope: Option<RewindScope>,
    /// More files may have changed than are known: the directory was not seen before a command ran.
    pub partial: bool,
}

impl PlannedFile {
    /// What [`crate::protocol::RewindRequest::keep_files`] calls it.
    pub fn name(&self) -> &str {
        &self.put.path
    }
}

impl Plan {
    /// The files by whoever changed them, those with a problem left out.
    pub fn of(&self, hand: Hand) -> impl Iterator<Item = &PlannedFile> {
        self.files.iter().filter(move |file| file.hand == hand && file.problem.is_none())
    }
}

/// Why no copy would be made of a file of so many bytes.
pub(super) type Unkeepable<'a> = &'a dyn Fn(&Path, u64) -> Option<Lost>;

/// What it would take to put all these paths back, with the changes as a person reads them.
pub(super) fn files(
    wanted: BTreeMap<String, Before>,
    roots: &[PathBuf],
    work_dir: &Path,
    fetch: Fetch<'_>,
    unkeepable: Unkeepable<'_>,
) -> Vec<PlannedFile> {
    wanted
        .into_iter()
        .filter_map(|(path, Before { state, by })| {
            let real = decode_path(&path);
            let now = observe(&real);
            if same(&now, &state, fetch) {
                return None;
            }
            let put = Put { path, from: now, to: state };
            let mut file = file(put, &real, &by, roots, work_dir, fetch);
            // A file whose bytes cannot be kept would be lost to the redo.
            if let (None, PathState::File { size, .. }) = (&file.problem, &file.put.from) {
                let why = unkeepable(&real, *size);
                file.problem = why.map(|lost| format!("no copy for a redo: {}", lost.reason()));
            }
            Some(file)
        })
        .collect()
}

fn file(
    put: Put,
    real: &Path,
    by: &BTreeSet<By>,
    roots: &[PathBuf],
    work_dir: &Path,
    fetch: Fetch<'_>,
) -> PlannedFile {
    let shown = real.strip_prefix(work_dir).unwrap_or(real).display().to_string();
    let hand = match (by.contains(&By::User), by.contains(&By::Command)) {
        (true, _) => Hand::User,
        (false, true) => Hand::Command,
        (false, false) => Hand::Agent,
    };
    let fate = match (&put.from, &put.to) {
        (_, PathState::Absent) => Fate::Goes,
        (PathState::Absent, _) => Fate::Returns,
        _ => Fate::Changes,
    };
    let problem = problem(&put, real, roots, fetch);
    let (mut lines, mut diff) = (None, Vec::new());
    let texts = (text(&put.from, Some(real), fetch), text(&put.to, None, fetch));
    if let (None, (Some(from), Some(to))) = (&problem, texts) {
        diff = diff_blocks(Path::new(&shown), &from, &to);
        lines = Some(count(&diff));
    }
    let is_dir = |state: &PathState| matches!(state, PathState::Directory { .. });
    let directory = is_dir(&put.from) || is_dir(&put.to);
    PlannedFile { shown, fate, hand, lines, diff, problem, directory, put }
}

/// Why a path cannot be put back.
fn problem(put: &Put, real: &Path, roots: &[PathBuf], fetch: Fetch<'_>) -> Option<String> {
    if !roots.iter().any(|root| real.starts_with(root)) {
        return Some("outside the workspace".to_owned());
    }
    match &put.to {
        PathState::File { content: Content::Lost(lost), .. } => {
            return Some(lost.reason().to_owned());
        }
        PathState::File { content, .. } => {
            if let Err(error) = fetch(content) {
                return Some(error.to_string());
            }
        }
        PathState::Other => return Some("it was neither a file nor a directory".to_owned()),
        _ => {}
    }
    match &put.from {
        PathState::File { content: Content::Lost(lost), .. } => Some(lost.reason().to_owned()),
        _ => None,
    }
}

/// A state as text to compare: `None` for what is no text or too long.
fn text(state: &PathState, on_disk: Option<&Path>, fetch: Fetch<'_>) -> Option<String> {
    match state {
        PathState::Absent | PathState::Directory { .. } => Some(String::new()),
        PathState::File { size, content, .. } if *size <= MAX_SHOWN => {
            let bytes = match on_disk {
                Some(path) => std::fs::read(path).ok()?,
                None => fetch(content).ok()?,
            };
            String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
        }
        _ => None,
    }
}

/// Lines that come and go.
pub(super) fn count(blocks: &[DisplayBlock]) -> (usize, usize) {
    let mut counts = (0, 0);
    for block in blocks {
        let DisplayBlock::Diff { old_text, new_text, is_summary: false, .. } = block else {
            continue;
        };
        // A block's text has no line end at its end, whatever comes after it.
        let (old, new): (Vec<_>, Vec<_>) = (old_text.lines().collect(), new_text.lines().collect());
        for step in changes(&old, &new, PATIENCE) {
            if !matches!(step, DiffOp::Equal { .. }) {
                counts.0 += step.new_range().len();
                counts.1 += step.old_range().len();
            }
        }
    }
    counts
}
