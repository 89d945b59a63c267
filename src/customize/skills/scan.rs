//! The skills of one directory: `name/SKILL.md`, or `name.md`. Nothing deeper is looked at, so that no
//! loop of links can be followed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{Problem, Scope, Skill, front_matter};
use crate::customize::flow;
use crate::store::read_regular;

/// Entries of a directory that are looked at.
const MAX_ENTRIES: usize = 2_000;
/// A larger file is no skill: the whole of it is sent to the model.
const MAX_FILE: u64 = 256 * 1024;

/// A skill's file as text.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let bytes = read_regular(path, MAX_FILE)?
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not there any more"))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// Adds the skills of a directory to those that were found, and what is wrong with the others.
pub(super) fn directory(
    root: &Path,
    scope: Scope,
    found: &mut Vec<Skill>,
    problems: &mut Vec<Problem>,
) {
    let mut files = match candidates(root) {
        Ok((files, more)) => {
            if more {
                let message = format!("only {MAX_ENTRIES} of its entries were looked at");
                problems.push(Problem { path: root.to_path_buf(), message });
            }
            files
        }
        Err(error) => {
            let message = format!("it cannot be read: {error}");
            return problems.push(Problem { path: root.to_path_buf(), message });
        }
    };
    // Directories win over files of the same name.
    files.sort_by(|a, b| (a.flat, &a.path).cmp(&(b.flat, &b.path)));
    let mut names: HashMap<String, PathBuf> = HashMap::new();
    for file in files {
        let mut problem = |message| problems.push(Problem { path: file.path.clone(), message });
        let text = match read(&file.path) {
            Ok(text) => text,
            Err(error) => {
                problem(format!("it cannot be read: {error}"));
                continue;
            }
        };
        match skill(&file, &text, scope, &mut problem) {
            Ok(skill) => match names.get(&skill.name.to_lowercase()) {
                Some(first) => {
                    problem(format!("it has the same name as {}, which is used", first.display()));
                }
                None => {
                    names.insert(skill.name.to_lowercase(), file.path.clone());
                    found.push(skill);
                }
            },
            Err(message) => problem(message),
        }
    }
}

/// A file that may be a skill's.
struct Candidate {
    path: PathBuf,
    /// What it is called when it does not say.
    name: String,
    /// It is a file in the directory itself.
    flat: bool,
}

/// The files that may be skills, and whether there were more than are looked at.
fn candidates(root: &Path) -> io::Result<(Vec<Candidate>, bool)> {
    let mut files = Vec::new();
    let mut entries = fs::read_dir(root)?;
    for entry in entries.by_ref().take(MAX_ENTRIES) {
        let Ok(entry) = entry else { continue };
        let path = entry.path();
        // What a name in another encoding would look like matters less than that the file counts.
        let name = entry.file_name().to_string_lossy().into_owned();
        let inner = path.join("SKILL.md");
        if fs::symlink_metadata(&inner).is_ok() {
            files.push(Candidate { path: inner, name, flat: false });
        } else if let Some(stem) = name.strip_suffix(".md")
            && stem != "SKILL"
            && !stem.is_empty()
            && !stem.starts_with('.')
            && !path.is_dir()
        {
            files.push(Candidate { path, name: stem.to_owned(), flat: true });
        }
    }
    Ok((files, entries.next().is_some()))
}

/// The skill of a file. The error says why it is none.
fn skill(
    file: &Candidate,
    text: &str,
    scope: Scope,
    problem: &mut impl FnMut(String),
) -> Result<Skill, String> {
    let head = front_matter::read(text)?;
    let name = head.name.unwrap_or_else(|| front_matter::one_line(&file.name));
    if name.is_empty() {
        return Err("it has no name".to_owned());
    }
    let flow = match head.flow.then(|| flow::in_markdown(text)) {
        None => None,
        Some(Some(Ok(flow))) => Some(flow),
        Some(Some(Err(error))) => {
            problem(format!("its flow cannot be run, it is a standard skill: {error}"));
            None
        }
        Some(None) => {
            let why = "it is a flow without a mermaid or d2 block: it is a standard skill";
            problem(why.to_owned());
            None
        }
    };
    let (command, path) = (String::new(), file.path.clone());
    Ok(Skill { name, command, description: head.description, scope, path, flow })
}
