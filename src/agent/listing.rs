//! What a directory holds, two levels deep, for the system prompt (tools.md section 0.7).

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Entries of the directory itself.
const ROOT_ENTRIES: usize = 30;
/// Entries of each directory in it.
const CHILD_ENTRIES: usize = 10;
/// Entries that are read of one directory: a huge one must not hold up the start.
const READ_LIMIT: usize = 2_000;

/// A tree of names. Directories come first and end with `/`; what does not fit is counted.
pub fn tree(root: &Path) -> String {
    let mut out = String::new();
    match entries(root) {
        None => out.push_str("(this directory cannot be read)"),
        Some(found) if found.names.is_empty() => out.push_str("(empty)"),
        Some(found) => level(&mut out, root, &found, ROOT_ENTRIES, ""),
    }
    out.trim_end().to_owned()
}

struct Entries {
    /// Directories first, each with its `/`.
    names: Vec<String>,
    more: bool,
}

fn entries(dir: &Path) -> Option<Entries> {
    let mut names = Vec::new();
    let mut read = fs::read_dir(dir).ok()?;
    for entry in read.by_ref().take(READ_LIMIT).flatten() {
        let name: String = entry
            .file_name()
            .to_string_lossy()
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        names.push((!is_dir, if is_dir { format!("{name}/") } else { name }));
    }
    names.sort();
    let more = read.next().is_some();
    Some(Entries { names: names.into_iter().map(|(_, name)| name).collect(), more })
}

fn level(out: &mut String, dir: &Path, found: &Entries, limit: usize, indent: &str) {
    let hidden = found.names.len().saturating_sub(limit);
    let last = found.names.len().min(limit);
    for (n, name) in found.names.iter().take(limit).enumerate() {
        let is_last = n + 1 == last && hidden == 0;
        let branch = if is_last { "└── " } else { "├── " };
        let _ = writeln!(out, "{indent}{branch}{name}");
        if indent.is_empty() && name.ends_with('/') {
            let deeper = if is_last { "    " } else { "│   " };
            match entries(&dir.join(name)) {
                Some(found) if found.names.is_empty() => {
                    let _ = writeln!(out, "{deeper}└── (empty)");
                }
                Some(found) => level(out, dir, &found, CHILD_ENTRIES, deeper),
                None => {
                    let _ = writeln!(out, "{deeper}└── (cannot be read)");
                }
            }
        }
    }
    if hidden > 0 {
        let plus = if found.more { "at least " } else { "" };
        let _ = writeln!(out, "{indent}└── ... and {plus}{hidden} more");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_levels_directories_first_and_what_is_too_much_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("src/deep/deeper")).unwrap();
        for n in 0..12 {
            fs::write(root.join(format!("src/f{n:02}.rs")), "").unwrap();
        }
        fs::write(root.join("a\u{1b}b"), "").unwrap();
        let text = tree(root);
        assert!(text.starts_with("├── src/\n│   ├── deep/\n│   ├── f00.rs"), "{text}");
        assert!(text.contains("│   └── ... and 3 more\n└── a?b"), "{text}");
        assert!(!text.contains("deeper"));
        fs::create_dir(root.join("void")).unwrap();
        assert!(tree(root).contains("├── void/\n│   └── (empty)\n└── a?b"), "{}", tree(root));
        assert_eq!(tree(&root.join("void")), "(empty)");
        assert_eq!(tree(&root.join("none")), "(this directory cannot be read)");
    }

    fn fill(dir: &Path, files: usize) {
        fs::create_dir_all(dir).unwrap();
        for n in 0..files {
            fs::write(dir.join(format!("f{n:04}")), "").unwrap();
        }
    }

    #[test]
    fn thirty_entries_of_the_directory_and_ten_of_each_below_are_shown() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fill(&root.join("ten"), 10);
        fill(&root.join("eleven"), 11);
        fill(root, 28);
        let whole = tree(root);
        assert!(whole.ends_with("└── f0027"), "{whole}");
        assert_eq!(whole.matches("more").count(), 1, "{whole}");
        assert!(whole.contains("│   ├── f0009\n│   └── ... and 1 more\n├── ten/\n"), "{whole}");
        assert!(whole.contains("│   └── f0009\n├── f0000\n"), "{whole}");
        // The thirty-first.
        fs::write(root.join("z"), "").unwrap();
        let cut = tree(root);
        assert!(cut.ends_with("├── f0027\n└── ... and 1 more"), "{cut}");
        let top = cut.lines().filter(|line| line.starts_with(['├', '└']));
        assert_eq!(top.count(), 31, "{cut}");
    }

    #[test]
    fn of_a_huge_directory_no_more_is_read_than_it_takes() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), READ_LIMIT);
        assert!(tree(dir.path()).ends_with("└── ... and 1970 more"));
        fs::write(dir.path().join("one"), "").unwrap();
        assert!(tree(dir.path()).ends_with("└── ... and at least 1970 more"));
    }

    #[test]
    fn hidden_and_ignored_names_are_shown_and_links_are_no_directories() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fill(&root.join("target"), 1);
        fs::write(root.join(".gitignore"), "target/\n").unwrap();
        fs::write(root.join(".env"), "").unwrap();
        std::os::unix::fs::symlink("target", root.join("link")).unwrap();
        assert_eq!(tree(root), "├── target/\n│   └── f0000\n├── .env\n├── .gitignore\n└── link");
    }

    #[test]
    fn a_directory_below_that_cannot_be_read_is_marked() {
        let dir = tempfile::tempdir().unwrap();
        // It was there when the names were read.
        let names = vec!["gone/".to_owned(), "last".to_owned()];
        let mut out = String::new();
        level(&mut out, dir.path(), &Entries { names, more: false }, ROOT_ENTRIES, "");
        assert_eq!(out, "├── gone/\n│   └── (cannot be read)\n└── last\n");
    }
}
