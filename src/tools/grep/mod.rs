//! `Grep`: searches the contents of files.

mod search;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use self::search::{FileMatches, Found, Line, Query};
use super::blocking::{Unfinished, on_file};
use super::output::{Collector, Limits};
use super::secrets::Secrets;
use super::walk;
use super::{CallContext, Effect, Tool, ToolReturn, arguments, schema};
use crate::permission::withheld::left_out;
use crate::protocol::ToolReturnValue;

/// Searches file contents.
pub struct Grep;

#[derive(Deserialize, Clone)]
struct Arguments {
    pattern: String,
    path: String,
    glob: Option<String>,
    output_mode: Mode,
    #[serde(rename = "-B")]
    before: Option<usize>,
    #[serde(rename = "-A")]
    after: Option<usize>,
    #[serde(rename = "-C")]
    context: Option<usize>,
    #[serde(rename = "-n")]
    line_numbers: bool,
    #[serde(rename = "-i")]
    ignore_case: bool,
    #[serde(rename = "type")]
    file_type: Option<String>,
    head_limit: Option<usize>,
    offset: usize,
    multiline: bool,
    include_ignored: bool,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Mode {
    FilesWithMatches,
    Content,
    CountMatches,
}

#[async_trait]
impl Tool for Grep {
    fn name(&self) -> &'static str {
        "Grep"
    }

    fn description(&self) -> &str {
        include_str!("../../../assets/tools/grep.md").trim_end()
    }

    fn parameters(&self) -> Value {
        let lines = |description: &str| {
            schema::optional(json!({"type": "integer", "minimum": 0, "description": description}))
        };
        let path = json!({
            "type": "string", "default": ".", "description": "File or directory to search."
        });
        let mode = json!({
            "type": "string",
            "enum": ["files_with_matches", "content", "count_matches"],
            "default": "files_with_matches",
            "description": "Names of files, newest first; matching lines; or counts."
        });
        let limit = json!({
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}],
            "default": 250,
            "description": "Most lines or files to return; 0 for all."
        });
        schema::object(
            &[
                ("pattern", schema::string("Regular expression (Rust syntax).")),
                ("path", path),
                (
                    "glob",
                    schema::optional(schema::string(
                        "Only files that match, such as `*.{ts,tsx}`.",
                    )),
                ),
                ("output_mode", mode),
                ("-B", lines("Lines before each match (content).")),
                ("-A", lines("Lines after each match (content).")),
                ("-C", lines("Lines around each match (content).")),
                ("-n", schema::boolean("Line numbers (content).", true)),
                ("-i", schema::boolean("Ignore case.", false)),
                ("type", schema::optional(schema::string("Only this file type, such as `rust`."))),
                ("head_limit", limit),
                ("offset", schema::integer("Lines or files to skip.", 0, 0)),
                ("multiline", schema::boolean("A match may span lines; `.` matches \\n.", false)),
                ("include_ignored", schema::boolean("Also what .gitignore excludes.", false)),
            ],
            &["pattern"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Read
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        arguments::with(arguments, |arguments| grep(arguments, cx)).await
    }
}

async fn grep(arguments: Arguments, cx: &CallContext) -> Result<ToolReturn, ToolReturnValue> {
    let input = if arguments.path.is_empty() { "." } else { &arguments.path };
    let target = on_file(cx, input.to_owned(), "search", Ok).await?;
    // As ripgrep shows it: behind the path that was given, or bare when that was absolute.
    let shown = match Path::new(input) {
        path if path.is_absolute() || input.starts_with('~') => PathBuf::new(),
        path => path.to_path_buf(),
    };
    let withheld = cx.withheld.clone().below(&target.real);
    let query = Query {
        withheld,
        pattern: arguments.pattern.clone(),
        root: target.real,
        shown,
        globs_from: cx.workspace.work_dir.clone(),
        glob: arguments.glob.clone(),
        file_type: arguments.file_type.clone(),
        before: arguments.before.or(arguments.context).unwrap_or(0),
        after: arguments.after.or(arguments.context).unwrap_or(0),
        ignore_case: arguments.ignore_case,
        multiline: arguments.multiline,
        include_ignored: arguments.include_ignored,
        keep_lines: arguments.output_mode == Mode::Content,
        secrets: Secrets::of(&cx.env),
    };
    let found = Arc::new(Mutex::new(Found::default()));
    let finds = Arc::clone(&found);
    let searched = walk::search(cx, move |stop| search::search(&query, stop, &finds)).await;
    let found = settle(searched, &found)?;
    Ok(render(&arguments, found, cx).into())
}

/// What a search has found, in order; also that of one which never came back.
fn settle(
    searched: Result<Result<(), String>, Unfinished>,
    found: &Mutex<Found>,
) -> Result<Found, ToolReturnValue> {
    let mut found = found.lock().map(|mut found| std::mem::take(&mut *found)).unwrap_or_default();
    match searched {
        Ok(result) => result.map_err(|error| ToolReturnValue::error(error, "Failed to grep"))?,
        // One of its files does not answer; what the others held counts.
        Err(Unfinished::Stuck(_)) => found.timed_out = true,
        Err(why) => return Err(why.into()),
    }
    found.sort();
    Ok(found)
}

fn render(arguments: &Arguments, mut found: Found, cx: &CallContext) -> ToolReturnValue {
    let mut notes = Vec::new();
    if found.timed_out {
        if found.files.is_empty() {
            return ToolReturnValue::error(
                "The search took too long and found nothing. Search a smaller directory or fewer file types.",
                "Grep timed out",
            );
        }
        notes.push("The search took too long and was stopped; there may be more.".to_owned());
    }
    if found.full {
        notes.push("There is too much to show; narrow the search.".to_owned());
    }
    let entries = match arguments.output_mode {
        Mode::FilesWithMatches => {
            found.files.sort_by(|a, b| (b.modified, &a.path).cmp(&(a.modified, &b.path)));
            found.files.iter().map(|file| (file.path.clone(), true)).collect()
        }
        Mode::CountMatches => {
            let total: u64 = found.files.iter().map(|file| file.count).sum();
            if total > 0 {
                notes.push(format!(
                    "Found {total} total occurrences across {} files.",
                    found.files.len()
                ));
            }
            found.files.iter().map(|file| (format!("{}:{}", file.path, file.count), true)).collect()
        }
        Mode::Content => {
            let context = arguments.before.or(arguments.after).or(arguments.context);
            content(&found.files, arguments.line_numbers, context.is_some_and(|lines| lines > 0))
        }
    };
    let (page, more) = page(entries, arguments.offset, arguments.head_limit.unwrap_or(0));
    notes.extend(more);
    if !found.sensitive.is_empty() {
        let mut names: Vec<&str> = found.sensitive.iter().take(5).map(String::as_str).collect();
        if found.sensitive.len() > 5 {
            names.push("...");
        }
        notes.push(format!("Not searched, as they may hold secrets: {}.", names.join(", ")));
    }
    notes.extend(left_out(found.withheld));
    if found.files.is_empty() {
        notes.insert(0, "No matches found.".to_owned());
    }
    let mut collector = Collector::new(Limits::default(), &cx.spill_dir, &cx.call_id);
    collector.push_str(&page.join("\n"));
    let collected = collector.finish();
    let message = collected.message(&notes.join(" "));
    ToolReturnValue::ok(collected.text, message)
}

/// The lines to show, and whether each counts towards the limit: separators do not.
fn content(files: &[FileMatches], numbers: bool, context: bool) -> Vec<(String, bool)> {
    let mut entries = Vec::new();
    for file in files {
        let mut previous = None;
        for Line { number, text, is_match } in &file.lines {
            let follows = previous.is_some_and(|previous: u64| previous + 1 == *number);
            if context && !follows && !entries.is_empty() {
                entries.push(("--".to_owned(), false));
            }
            previous = Some(*number);
            let mark = if *is_match { ':' } else { '-' };
            entries.push((
                if numbers {
                    format!("{}{mark}{number}{mark}{text}", file.path)
                } else {
                    format!("{}{mark}{text}", file.path)
                },
                true,
            ));
        }
    }
    entries
}

/// The entries from `offset` on, at most `limit` (0 for all), and what to say about the rest.
fn page(
    entries: Vec<(String, bool)>,
    offset: usize,
    limit: usize,
) -> (Vec<String>, Option<String>) {
    let total = entries.iter().filter(|(_, counts)| *counts).count();
    let limit = if limit == 0 { usize::MAX } else { limit };
    let mut at = 0;
    let mut kept: Vec<String> = Vec::new();
    for (entry, counts) in entries {
        let wanted = at >= offset && at - offset < limit;
        if wanted && (counts || !kept.is_empty()) {
            kept.push(entry);
        }
        at += usize::from(counts);
    }
    if kept.last().is_some_and(|last| last == "--") {
        kept.pop();
    }
    let next = offset.saturating_add(limit);
    let note = if total > 0 && offset >= total {
        Some(format!("There are only {total} results; nothing is left at offset {offset}."))
    } else {
        (next < total).then(|| {
            format!("Results truncated to {limit} (total: {total}). Use offset={next} to see more.")
        })
    };
    (kept, note)
}

#[cfg(test)]
mod tests;
