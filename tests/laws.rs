//! The laws of the house, read off the source.
//!
//! Comments, texts and test code do not count: each file is reduced to its bare code first.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The longest file, in lines, tests included.
const MAX_LINES: usize = 600;

/// Which folder may not name what. A folder is a prefix of the path below `src`.
const IMPORTS: &[(&str, &[&str])] = &[
    (
        "protocol/",
        &[
            "crate::agent",
            "crate::cli",
            "crate::config",
            "crate::customize",
            "crate::front",
            "crate::llm",
            "crate::platform",
            "crate::store",
            "crate::tools",
        ],
    ),
    ("agent/", &["crate::front", "crate::cli"]),
    ("llm/", &["crate::front", "crate::cli", "crate::agent", "crate::tools"]),
    ("tools/", &["crate::front", "crate::cli", "crate::agent"]),
    ("tasks/", &["crate::front", "crate::cli", "crate::agent", "crate::tools"]),
    ("mcp/", &["crate::front", "crate::cli", "crate::agent"]),
    ("permission/", &["crate::front", "crate::cli", "crate::agent", "crate::config"]),
    ("store/", &["crate::front", "crate::cli", "crate::agent"]),
    ("config/", &["crate::front", "crate::cli", "crate::agent"]),
    ("customize/", &["crate::front", "crate::cli", "crate::agent"]),
    ("auth/", &["crate::front", "crate::cli", "crate::agent"]),
    ("platform/", &["crate::front", "crate::cli", "crate::agent", "crate::llm", "crate::store"]),
    ("front/", &["crate::cli"]),
    ("front/tui/", &["front::print", "front::wire", "front::acp"]),
    ("front/print/", &["front::tui", "front::wire", "front::acp"]),
    ("front/wire/", &["front::tui", "front::print", "front::acp"]),
    ("front/acp/", &["front::tui", "front::print", "front::wire"]),
];

/// What stands nowhere but in some places: the word, the places, the reason.
const WORDS: &[(&str, &[&str], &str)] = &[
    (".unwrap()", &[], "what comes from outside must not end the program"),
    (".expect(", &[], "what comes from outside must not end the program"),
    (".unwrap_err()", &[], "what comes from outside must not end the program"),
    ("panic!(", &[], "what comes from outside must not end the program"),
    ("todo!(", &[], "nothing is left undone"),
    ("unimplemented!(", &[], "nothing is left undone"),
    ("dbg!(", &[], "the screen is drawn by the front end alone"),
    ("println!(", &["main.rs", "cli/"], "the screen is drawn by the front end alone"),
    ("print!(", &["main.rs", "cli/"], "the screen is drawn by the front end alone"),
    ("eprintln!(", &["main.rs", "cli/"], "the screen is drawn by the front end alone"),
    ("eprint!(", &["main.rs", "cli/"], "the screen is drawn by the front end alone"),
    (
        "Color::",
        // The last two translate colours that come from tools and from syntax themes.
        &[
            "front/tui/theme/",
            "front/tui/terminal/encode.rs",
            "front/tui/cells/tool/ansi.rs",
            "front/tui/highlight/",
        ],
        "themes decide on colours",
    ),
    ("env::var", &["main.rs", "platform/"], "the environment is passed in"),
    ("current_dir()", &["main.rs", "platform/"], "the working directory is passed in"),
    ("SystemTime::now", &["main.rs", "platform/"], "the clock is passed in"),
    (
        "Instant::now",
        // The first stands at the terminal's edge, the second bounds a computation; the others wait on
        // the runtime's own clock, which tests can stop.
        &[
            "platform/",
            "front/tui/terminal/input.rs",
            "tools/changes.rs",
            "front/print/turns.rs",
            "front/print/background.rs",
        ],
        "the clock is passed in",
    ),
    ("allow(dead_code)", &[], "code that nobody calls goes"),
];

#[test]
fn folders_import_in_one_direction() {
    let mut broken = String::new();
    for source in sources() {
        for (folder, forbidden) in IMPORTS {
            if !source.path.starts_with(folder) {
                continue;
            }
            for (number, line) in source.lines() {
                let named = flattened_use(line).into_iter().map(|path| source.resolved(path));
                let named: Vec<String> = named.collect();
                for word in *forbidden {
                    if named.iter().any(|path| names(path, word)) {
                        let _ = writeln!(broken, "{}:{number} names {word}", source.path);
                    }
                }
            }
        }
    }
    assert!(broken.is_empty(), "imports against the direction of the data path:\n{broken}");
}

#[test]
fn words_stand_where_they_may() {
    let mut broken = String::new();
    for source in sources() {
        for (word, places, why) in WORDS {
            if places.iter().any(|place| source.path.starts_with(place)) {
                continue;
            }
            for (number, line) in source.lines() {
                if names(line, word) {
                    let _ = writeln!(broken, "{}:{number} has {word} ({why})", source.path);
                }
            }
        }
    }
    assert!(broken.is_empty(), "words out of place:\n{broken}");
}

#[test]
fn files_stay_short() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| source.whole_lines > MAX_LINES)
        .map(|source| format!("{} ({} lines)", source.path, source.whole_lines))
        .collect();
    assert!(long.is_empty(), "files that ask to be split: {long:?}");
}

#[test]
fn the_reader_of_source_sees_code_alone() {
    let text = bare_code(
        "let a = \"x.unwrap() \\\" // no\"; // todo!()\nlet b = r#\"panic!(\"#; /* dbg!( /* */ */ c('\"', '\\'');\n\
         let d: &'static str = e;\n#[cfg(test)]\nmod tests {\n    fn f() { g(\"}\").unwrap(); }\n}\nlet h = 1;\n\
         #[cfg(all(test, unix))]\npub(crate) mod testing;\n#[cfg(not(test))]\nlet i = 2;\n",
    );
    let (code, modules) = without_tests(&text);
    assert_eq!(modules, ["testing"]);
    let kept: Vec<&str> = code.lines().map(str::trim_end).collect();
    assert_eq!(
        kept,
        [
            "let a = \"\";",
            "let b = \"\";   c('', '');",
            "let d: &'static str = e;",
            "",
            "",
            "",
            "",
            "let h = 1;",
            "",
            "",
            "#[cfg(not(test))]",
            "let i = 2;"
        ]
    );
    assert_eq!(flattened_use("use crate::{a, front::{print, tui::b}};").len(), 3);
    assert!(names(&flattened_use("use crate::{a, front::{print}};")[1], "front::print"));
    assert_eq!(flattened_use("pub(super) use a::b;"), ["a::b"]);
    let source = Source { path: "front/tui/x.rs".to_owned(), code: String::new(), whole_lines: 0 };
    assert_eq!(source.resolved("super::super::print::run".to_owned()), "crate::front::print::run");
    assert!(names("println!(x)", "println!("));
    assert!(!names("eprintln!(x)", "println!("));
    assert!(!names("crate::frontier::x", "crate::front"));
}

struct Source {
    /// Below `src`, with `/` between the parts.
    path: String,
    code: String,
    whole_lines: usize,
}

impl Source {
    /// Statements that begin with `use` come as one line, under the number of their first one.
    fn lines(&self) -> Vec<(usize, &str)> {
        let mut found = Vec::new();
        let mut rest = self.code.as_str();
        let mut number = 1;
        while !rest.is_empty() {
            let first = rest.lines().next().unwrap_or_default();
            let end = if use_tree(first).is_some() { rest.find(';') } else { None };
            let end = end.unwrap_or(first.len());
            let end = rest[end..].find('\n').map_or(rest.len(), |at| end + at + 1);
            let (line, after) = rest.split_at(end);
            found.push((number, line));
            number += line.matches('\n').count();
            rest = after;
        }
        found
    }

    /// A path that begins with `super::` from the root of the crate, where this file is a module.
    /// Other text stays.
    fn resolved(&self, path: String) -> String {
        let mut rest = path.as_str();
        let file = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let mut module: Vec<&str> = file.split('/').collect();
        while let Some(above) = rest.strip_prefix("super::") {
            module.pop();
            rest = above;
        }
        if rest.len() == path.len() {
            return path;
        }
        module.insert(0, "crate");
        format!("{}::{rest}", module.join("::"))
    }
}

/// What a line that begins with `use` names, as far as it goes.
fn use_tree(line: &str) -> Option<&str> {
    let bare = line.trim_start();
    let bare = match bare.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1.trim_start(),
        Some(rest) => rest.trim_start(),
        None => bare,
    };
    bare.strip_prefix("use ")
}

/// All files of the library and the program that are not test code as a whole.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    assert!(files.len() > 20, "the sources were not found in {}", root.display());
    let mut all = Vec::new();
    let mut test_modules = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let parts = file.strip_prefix(&root).unwrap().iter().map(|part| part.to_str().unwrap());
        let path = parts.collect::<Vec<_>>().join("/");
        let (code, modules) = without_tests(&bare_code(&text));
        let folder = path.trim_end_matches(".rs");
        let folder = match folder.rsplit_once('/') {
            Some((parent, "mod")) => format!("{parent}/"),
            None if matches!(folder, "lib" | "main") => String::new(),
            _ => format!("{folder}/"),
        };
        test_modules.extend(modules.iter().map(|name| format!("{folder}{name}")));
        all.push(Source { path, code, whole_lines: text.lines().count() });
    }
    for source in &mut all {
        let module = source.path.trim_end_matches(".rs");
        let is_test = |test: &String| {
            module
                .strip_prefix(test.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if test_modules.iter().any(is_test) {
            source.code.clear();
        }
    }
    all
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Whether the code has the word, not as a part of a longer name.
fn names(code: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_some_and(part_of_name);
        let after = code[at + word.len()..].chars().next().is_some_and(part_of_name);
        let longer_before = before && word.starts_with(part_of_name);
        let longer_after = after && word.ends_with(part_of_name);
        !longer_before && !longer_after
    })
}

/// The paths that a `use` statement names, braces resolved; any other line as it is.
fn flattened_use(line: &str) -> Vec<String> {
    match use_tree(line) {
        Some(tree) => {
            let tree: String = tree.trim().trim_end_matches(';').split_whitespace().collect();
            let mut paths = Vec::new();
            flatten("", &tree, &mut paths);
            paths
        }
        None => vec![line.to_owned()],
    }
}

fn flatten(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let Some((head, rest)) = tree.split_once('{') else {
        paths.push(format!("{prefix}{tree}"));
        return;
    };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let prefix = format!("{prefix}{head}");
    let mut depth = 0;
    let mut start = 0;
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                flatten(&prefix, &inner[start..at], paths);
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < inner.len() {
        flatten(&prefix, &inner[start..], paths);
    }
}

/// The source without comments and without the insides of texts. Line numbers stay.
fn bare_code(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    let newlines = |from: usize, to: usize| {
        bytes[from..to.min(bytes.len())].iter().filter(|c| **c == '\n').collect::<String>()
    };
    while at < bytes.len() {
        let next = bytes.get(at + 1).copied().unwrap_or(' ');
        let end = match bytes[at] {
            '/' if next == '/' => {
                at = (at..bytes.len()).find(|i| bytes[*i] == '\n').unwrap_or(bytes.len());
                continue;
            }
            '/' if next == '*' => after_block_comment(&bytes, at),
            '"' => after_text(&bytes, at),
            'r' if next == '"' || next == '#' => after_raw_text(&bytes, at),
            '\'' if next == '\\' || bytes.get(at + 2) == Some(&'\'') => {
                let close = (at + 3..bytes.len()).find(|i| bytes[*i] == '\'');
                let close = if next == '\\' { close } else { Some(at + 2) };
                code.push_str("''");
                at = close.map_or(bytes.len(), |close| close + 1);
                continue;
            }
            _ => None,
        };
        match end {
            Some(end) => {
                code.push_str(if bytes[at] == '/' { " " } else { "\"\"" });
                code.push_str(&newlines(at, end));
                at = end;
            }
            None => {
                code.push(bytes[at]);
                at += 1;
            }
        }
    }
    code
}

fn after_block_comment(text: &[char], start: usize) -> Option<usize> {
    let mut depth = 0;
    let mut at = start;
    while at + 1 < text.len() {
        match (text[at], text[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') if depth == 1 => return Some(at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    Some(text.len())
}

fn after_text(text: &[char], start: usize) -> Option<usize> {
    let mut at = start + 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    Some((at + 1).min(text.len()))
}

fn after_raw_text(text: &[char], start: usize) -> Option<usize> {
    let hashes = text[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if text.get(open) != Some(&'"') {
        return None;
    }
    let closes = |at: &usize| {
        text[*at] == '"'
            && text[*at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    let close = (open + 1..text.len()).find(closes)?;
    Some(close + 1 + hashes)
}

/// Cuts each item that is only there in tests, up to its `;` or its closing brace. Beside the code,
/// the names of modules in other files that were cut.
fn without_tests(code: &str) -> (String, Vec<String>) {
    let mut kept = String::with_capacity(code.len());
    let mut modules = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find("#[cfg(") {
        let (before, marked) = rest.split_at(start);
        kept.push_str(before);
        let item = marked.find("]").map_or(marked.len(), |close| close + 1);
        let (mark, item) = marked.split_at(item);
        if !is_test_mark(mark) {
            kept.push_str(mark);
            rest = item;
            continue;
        }
        let mut depth = 0;
        let mut end = item.len();
        for (at, c) in item.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && (c == '}' || c == ';') {
                end = at + 1;
                break;
            }
        }
        let (cut, after) = item.split_at(end);
        let words: Vec<&str> = cut.trim_end_matches(';').split_whitespace().collect();
        if let [.., "mod", name] = words.as_slice() {
            modules.push((*name).to_owned());
        }
        kept.extend(cut.matches('\n'));
        rest = after;
    }
    kept.push_str(rest);
    (kept, modules)
}

/// `#[cfg(test)]`, and `#[cfg(all(test, ...))]`.
fn is_test_mark(mark: &str) -> bool {
    let condition = mark.trim_start_matches("#[cfg(").trim_end_matches(")]");
    condition == "test"
        || condition
            .strip_prefix("all(")
            .is_some_and(|all| all.split([',', ')']).any(|c| c.trim() == "test"))
}
