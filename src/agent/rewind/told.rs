//! What is said of a rewind that is over: what is back, and each file that is not, with the reason.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::journal::Journal;
use super::plan::Plan;
use super::restore::Failed;
use crate::protocol::{Hand, RewindScope as Scope};
use crate::store::snapshots::{Put, decode_path};

/// Files that are named when all is well; the record has the others.
const NAMED: usize = 12;
/// Files that are named for each reason why they are not back.
const NAMED_PROBLEMS: usize = 20;
/// Characters of the prompt in the title.
const TITLE: usize = 60;

/// A file that is to be put back.
#[derive(Debug)]
struct Wanted {
    path: PathBuf,
    shown: String,
    directory: bool,
}

/// What of a plan is to be done.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    wanted: Vec<Wanted>,
    /// Files that stay because the user said so.
    kept: usize,
    /// Files that cannot come back, and why.
    stuck: Vec<(String, String)>,
    /// Files that would go back if files were wanted.
    untouched: usize,
}

/// What of the plan is done: the puts, and how they are called.
pub(super) fn chosen(
    plan: &Plan,
    scope: Scope,
    keep: &[Hand],
    keep_files: &[String],
) -> (Vec<Put>, Chosen) {
    let (mut puts, mut chosen) = (Vec::new(), Chosen::default());
    for file in &plan.files {
        let shown = if file.directory { format!("{}/", file.shown) } else { file.shown.clone() };
        if !scope.files() {
            chosen.untouched += 1;
        } else if let Some(problem) = &file.problem {
            chosen.stuck.push((shown, problem.clone()));
        } else if keep.contains(&file.hand) || keep_files.iter().any(|name| name == file.name()) {
            chosen.kept += 1;
        } else {
            let path = decode_path(&file.put.path);
            chosen.wanted.push(Wanted { path, shown, directory: file.directory });
            puts.push(file.put.clone());
        }
    }
    (puts, chosen)
}

/// A rewind that is over.
#[derive(Debug)]
pub(super) struct Told {
    pub title: String,
    /// One sentence a line, the most important first: a screen shows the begin.
    pub body: String,
    /// All is as it was wanted.
    pub whole: bool,
    pub payload: Value,
}

impl Chosen {
    /// The files that are back, after these failed and those were not begun.
    pub fn back(&self, failed: &[Failed], left: &[Put]) -> Vec<String> {
        let left: Vec<PathBuf> = left.iter().map(|put| decode_path(&put.path)).collect();
        let missed: HashSet<&PathBuf> =
            failed.iter().map(|failed| &failed.path).chain(&left).collect();
        let back =
            self.wanted.iter().filter(|file| !file.directory && !missed.contains(&file.path));
        back.map(|file| file.shown.clone()).collect()
    }

    /// What to say. `left` was not begun when the rewind was stopped.
    pub fn told(&self, journal: &Journal, failed: &[Failed], left: &[Put]) -> Told {
        let rewound = &journal.rewound;
        let shown = self.back(failed, left);
        let stopped = !left.is_empty();
        let called: HashMap<&PathBuf, &String> =
            self.wanted.iter().map(|file| (&file.path, &file.shown)).collect();
        let failed: Vec<(String, String)> = failed
            .iter()
            .map(|failed| {
                let name = called.get(&failed.path).map(|name| (*name).clone());
                (name.unwrap_or_else(|| failed.path.display().to_string()), failed.why.clone())
            })
            .collect();
        let missed: Vec<&(String, String)> = failed.iter().chain(&self.stuck).collect();
        let of = self.wanted.iter().filter(|file| !file.directory).count();
        let mut body = Vec::new();
        match (stopped, journal.redo) {
            (true, true) => body.push("/redo goes on with it.".to_owned()),
            (true, false) => body.push("/redo takes it back, /undo goes on with it.".to_owned()),
            (false, false) => body.push("/redo takes it back.".to_owned()),
            (false, true) => {}
        }
        body.extend(reasons(&missed));
        if self.kept > 0 {
            body.push(format!("{} kept as you wanted.", files(self.kept)));
        }
        if self.untouched > 0 && !stopped {
            body.push(format!("The files stay as they are now ({}).", files(self.untouched)));
        }
        match shown.len() {
            0 if !rewound.scope.files() => {}
            0 if stopped || !missed.is_empty() => body.push("No file was put back.".to_owned()),
            // Directories alone.
            0 if !self.wanted.is_empty() => {
                body.push("Empty directories were put back.".to_owned())
            }
            0 if self.kept > 0 => {}
            0 => body.push("No file had to change.".to_owned()),
            n => body.push(format!("{} put back: {}.", files(n), names(&shown, NAMED))),
        }
        Told {
            title: title(journal, stopped.then_some((shown.len(), of))),
            body: body.join("\n"),
            whole: missed.is_empty() && !stopped,
            payload: json!({
                "point": rewound.to,
                "scope": rewound.scope,
                "undone_turns": rewound.hidden.len(),
                "files": shown,
                "failed": missed.iter().map(|(name, _)| name).collect::<Vec<_>>(),
                "stopped": stopped,
            }),
        }
    }
}

/// `stopped`: how many of how many files are back.
fn title(journal: &Journal, stopped: Option<(usize, usize)>) -> String {
    let rewound = &journal.rewound;
    let line: String = rewound.prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut prompt: String = line.chars().take(TITLE).collect();
    if line.chars().count() > TITLE {
        prompt.push('…');
    }
    match (stopped, journal.redo, rewound.scope) {
        (Some((back, of)), true, _) => {
            format!("Stopped: {back} of {} are as before the rewind to: {prompt}", files(of))
        }
        (Some((back, of)), false, _) => format!(
            "Stopped: {back} of {} are back, the conversation stays; before: {prompt}",
            files(of)
        ),
        (None, true, _) => format!("Taken back: the rewind to before “{prompt}”"),
        (None, false, Scope::Files) => format!("Files rewound to before: {prompt}"),
        (None, false, Scope::Conversation) => format!("Conversation rewound to before: {prompt}"),
        (None, false, Scope::Both) => format!("Rewound to before: {prompt}"),
    }
}

/// `2 files are not put back (permission denied): a, b.`, the rarest reason first: it is the one that
/// nobody expects.
fn reasons(missed: &[&(String, String)]) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, why) in missed {
        by_reason.entry(why.as_str()).or_default().push(name.clone());
    }
    let mut reasons: Vec<_> = by_reason.into_iter().collect();
    reasons.sort_by_key(|(_, names)| names.len());
    let say = |(why, of): (&str, Vec<String>)| {
        let verb = if of.len() == 1 { "is" } else { "are" };
        let (count, of) = (files(of.len()), names(&of, NAMED_PROBLEMS));
        format!("{count} {verb} not put back ({why}): {of}.")
    };
    reasons.into_iter().map(say).collect()
}

/// `1 file`, `2 files`.
fn files(n: usize) -> String {
    if n == 1 { "1 file".to_owned() } else { format!("{n} files") }
}

/// The first `most` of them, and how many more. A name is never more than one line.
fn names(shown: &[String], most: usize) -> String {
    let plain = |name: &String| name.replace(|letter: char| letter.is_control(), "\u{fffd}");
    let mut text = shown.iter().take(most).map(plain).collect::<Vec<_>>().join(", ");
    if shown.len() > most {
        text.push_str(&format!(" and {} more", shown.len() - most));
    }
    text
}

/// What the model has to know: it remembers files that are others now.
pub(super) fn for_model(journal: &Journal, shown: &[String]) -> Option<String> {
    let text = match (journal.redo, journal.rewound.scope) {
        (false, Scope::Files) if !shown.is_empty() => {
            "The user has put these files back to an earlier state"
        }
        (true, Scope::Files) if !shown.is_empty() => {
            "The user has taken that back: these files are again as they were before"
        }
        _ => return None,
    };
    Some(format!(
        "<system-reminder>{text}: {}. Read them again before relying on their content; do not redo \
         the changes unless asked.</system-reminder>",
        names(shown, NAMED)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::rewind::{Fate, PlannedFile, Target};
    use crate::store::ContextMark;
    use crate::store::snapshots::{PathState, Rewound};

    fn file(name: &str, problem: Option<&str>) -> PlannedFile {
        let path = format!("/ws/{name}");
        PlannedFile {
            shown: name.to_owned(),
            fate: Fate::Changes,
            hand: Hand::Command,
            lines: None,
            diff: vec![],
            problem: problem.map(str::to_owned),
            directory: false,
            put: Put { path, from: PathState::Absent, to: PathState::Other },
        }
    }

    fn plan(files: Vec<PlannedFile>) -> Plan {
        let (prompt, target) = ("do it".to_owned(), Target::Point(1));
        Plan {
            id: 1,
            target,
            prompt,
            by_itself: false,
            at: 0.0,
            files,
            scope: None,
            partial: false,
        }
    }

    fn journal(scope: Scope) -> Journal {
        let rewound = Rewound {
            at: 0.0,
            to: 1,
            scope,
            hidden: vec![],
            prompt: "do it".to_owned(),
            files: vec![],
            context: ContextMark::default(),
            todos: vec![],
            title: None,
        };
        let puts = vec![];
        Journal { redo: false, rewound, puts, context: None, todos: vec![], title: None }
    }

    fn failed(name: &str, why: &str) -> Failed {
        Failed { path: PathBuf::from("/ws").join(name), why: why.to_owned() }
    }

    #[test]
    fn what_failed_is_not_counted_as_put_back() {
        let plan = plan(["a", "b", "c", "d"].map(|name| file(name, None)).into());
        let (puts, chosen) = chosen(&plan, Scope::Both, &[], &[]);
        assert_eq!(puts.len(), 4);
        let denied = [failed("b", "permission denied"), failed("d", "permission denied")];
        let told = chosen.told(&journal(Scope::Both), &denied, &[]);
        assert_eq!(
            told.body,
            "/redo takes it back.\n2 files are not put back (permission denied): b, d.\n\
             2 files put back: a, c."
        );
        assert!(!told.whole);
        assert_eq!(told.payload["files"], json!(["a", "c"]));
        assert_eq!(told.payload["failed"], json!(["b", "d"]));
        let all = ["a", "b", "c", "d"].map(|name| failed(name, "the disk is full"));
        let told = chosen.told(&journal(Scope::Both), &all, &[]);
        assert!(told.body.ends_with("No file was put back."), "{}", told.body);
    }

    #[test]
    fn what_cannot_come_back_is_named() {
        let mut files: Vec<_> = (0..201).map(|n| file(&format!("f{n}"), Some("no copy"))).collect();
        let chosen_of =
            |files: &[PlannedFile]| chosen(&plan(files.to_vec()), Scope::Both, &[], &[]).1;
        let told = chosen_of(&files).told(&journal(Scope::Both), &[], &[]);
        assert!(!told.body.contains("No file had to change"), "{}", told.body);
        assert!(
            told.body.contains("201 files are not put back (no copy): f0, f1,"),
            "{}",
            told.body
        );
        assert!(told.body.contains("f19 and 181 more."), "{}", told.body);
        assert!(!told.whole);
        files.truncate(1);
        files.push(file("big.txt", Some("too large for a copy")));
        files.push(file("small.txt", None));
        let told = chosen_of(&files).told(&journal(Scope::Both), &[], &[]);
        let said = "1 file is not put back (too large for a copy): big.txt.";
        assert!(told.body.contains(said), "{}", told.body);
        assert!(told.body.ends_with("1 file put back: small.txt."), "{}", told.body);
    }

    #[test]
    fn what_was_not_wanted_is_told_as_that() {
        let plan = plan(vec![file("a", None), file("b", Some("no copy"))]);
        let body = |scope, keep: &[Hand]| {
            chosen(&plan, scope, keep, &[]).1.told(&journal(scope), &[], &[]).body
        };
        assert_eq!(
            body(Scope::Conversation, &[]),
            "/redo takes it back.\nThe files stay as they are now (2 files)."
        );
        let kept = body(Scope::Both, &[Hand::Command]);
        assert!(kept.contains("1 file kept as you wanted."), "{kept}");
        assert!(kept.contains("1 file is not put back (no copy): b."), "{kept}");
        let plan = super::tests::plan(["a", "b"].map(|name| file(name, None)).into());
        let (puts, one) = chosen(&plan, Scope::Files, &[], &["/ws/a".to_owned()]);
        assert_eq!(puts.iter().map(|put| put.path.as_str()).collect::<Vec<_>>(), ["/ws/b"]);
        let told = one.told(&journal(Scope::Files), &[], &[]).body;
        assert!(told.contains("1 file kept as you wanted."), "{told}");
    }

    #[test]
    fn a_name_with_a_line_end_is_no_sentence_of_its_own() {
        let plan = plan(vec![file("a\nAll is well.", Some("no copy"))]);
        let told = chosen(&plan, Scope::Both, &[], &[]).1.told(&journal(Scope::Both), &[], &[]);
        assert!(!told.body.contains("\nAll is well."), "{}", told.body);
    }

    #[test]
    fn where_it_was_stopped_is_said() {
        let plan = plan(["a", "b", "c"].map(|name| file(name, None)).into());
        let (puts, chosen) = chosen(&plan, Scope::Both, &[], &[]);
        let told = chosen.told(&journal(Scope::Files), &[], &puts[1..]);
        assert_eq!(
            told.title,
            "Stopped: 1 of 3 files are back, the conversation stays; before: do it"
        );
        assert_eq!(told.body, "/redo takes it back, /undo goes on with it.\n1 file put back: a.");
        assert!(!told.whole);
    }
}
