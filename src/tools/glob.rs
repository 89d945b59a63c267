//! `Glob`: finds files by their names.

use std::collections::BinaryHeap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;
use serde_json::Value;

use super::blocking::Unfinished;
use super::path_guard;
use super::walk::{self, Stop};
use super::{CallContext, Effect, Tool, ToolReturn, Workspace, arguments, schema};
use crate::permission::Withheld;
use crate::permission::withheld::left_out;
use crate::protocol::ToolReturnValue;

/// Most paths of one call.
const MAX_MATCHES: usize = 1000;

/// Finds files by name.
pub struct Glob;

#[derive(Deserialize)]
struct Arguments {
    pattern: String,
    directory: Option<String>,
    include_dirs: bool,
    include_ignored: bool,
}

#[async_trait]
impl Tool for Glob {
    fn name(&self) -> &'static str {
        "Glob"
    }

    fn description(&self) -> &str {
        include_str!("../../assets/tools/glob.md").trim_end()
    }

    fn parameters(&self) -> Value {
        schema::object(
            &[
                ("pattern", schema::string("Such as `src/**/*.{ts,tsx}`.")),
                (
                    "directory",
                    schema::optional(schema::string(
                        "Absolute directory to look in; the working directory by default.",
                    )),
                ),
                ("include_dirs", schema::boolean("List directories too.", true)),
                ("include_ignored", schema::boolean("Also what .gitignore excludes.", false)),
            ],
            &["pattern"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Read
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        arguments::with(arguments, async |arguments: Arguments| {
            let (workspace, home) = (Arc::clone(&cx.workspace), cx.env.home.clone());
            let withheld = cx.withheld.clone();
            walk::search(cx, move |stop| {
                let base = directory(arguments.directory.as_deref(), &workspace, &home)?;
                let pattern = arguments.pattern.trim_start_matches("./");
                let matcher = compile(pattern)?;
                let wanted = Wanted { pattern, matcher, withheld: withheld.below(&real(&base)) };
                let found = find(&base, &wanted, &arguments, stop);
                Ok(result(&arguments.pattern, found).into())
            })
            .await
            .map_err(unfinished)?
        })
        .await
    }
}

/// The result of a search that did not come to its end.
fn unfinished(why: Unfinished) -> ToolReturnValue {
    match why {
        // A directory of it does not answer, and what was found until then is lost with it.
        Unfinished::Stuck(_) => too_long(),
        why => why.into(),
    }
}

fn too_long() -> ToolReturnValue {
    ToolReturnValue::error(
        "The search took too long and has no result. Search a smaller directory.",
        "Glob timed out",
    )
}

fn directory(
    input: Option<&str>,
    workspace: &Workspace,
    home: &Path,
) -> Result<PathBuf, ToolReturnValue> {
    let Some(input) = input else { return Ok(workspace.work_dir.clone()) };
    let guarded = path_guard::resolve(input, workspace, home)
        .map_err(|refusal| ToolReturnValue::error(refusal.to_string(), "Invalid directory"))?;
    if !guarded.inside && !workspace.has_skill(&guarded.real) {
        return Err(ToolReturnValue::error(
            format!(
                "`{input}` is outside the workspace. Only its directories can be searched by name."
            ),
            "Directory outside workspace",
        ));
    }
    match std::fs::metadata(&guarded.real) {
        Ok(metadata) if metadata.is_dir() => Ok(guarded.path),
        Ok(_) => Err(ToolReturnValue::error(
            format!("`{input}` is not a directory."),
            "Invalid directory",
        )),
        Err(_) => {
            Err(ToolReturnValue::error(format!("`{input}` does not exist."), "Directory not found"))
        }
    }
}

fn compile(pattern: &str) -> Result<GlobMatcher, ToolReturnValue> {
    let invalid = |why: &str| {
        ToolReturnValue::error(
            format!("`{pattern}` is not a usable pattern: {why}."),
            "Invalid pattern",
        )
    };
    let path = Path::new(pattern);
    if pattern.is_empty() {
        return Err(invalid("it is empty"));
    }
    if path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err(invalid("it must be relative to `directory` and stay inside it"));
    }
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| invalid(&error.kind().to_string()))
}

/// What is looked for.
struct Wanted<'a> {
    pattern: &'a str,
    matcher: GlobMatcher,
    withheld: Withheld,
}

struct Found {
    /// Sorted, up to the limit.
    paths: Vec<String>,
    /// How many there are.
    total: usize,
    /// How many more a permission rule keeps.
    withheld: usize,
    timed_out: bool,
}

/// Where a path leads.
fn real(path: &Path) -> PathBuf {
    path_guard::real_path(path).unwrap_or_else(|| path.to_path_buf())
}

fn find(base: &Path, wanted: &Wanted, arguments: &Arguments, stop: &Stop) -> Found {
    let Wanted { pattern, matcher, withheld } = wanted;
    let Arguments { include_dirs, include_ignored, .. } = *arguments;
    let parts: Vec<&str> = pattern.split('/').collect();
    let is_plain = |part: &&&str| !part.contains(['*', '?', '[', '{', '\\']);
    // What comes before the first wildcard needs no search.
    let fixed = parts.iter().take(parts.len() - 1).take_while(is_plain).count();
    let start = parts.iter().take(fixed).fold(base.to_path_buf(), |path, part| path.join(part));
    let mut builder = walk::builder(&start, include_ignored);
    // Braces may hold slashes, so that the depth is not known.
    if !pattern.contains("**") && !pattern.contains('{') {
        builder.max_depth(Some(parts.len() - fixed));
    }
    let inside = path_guard::real_path(&start)
        .zip(path_guard::real_path(base))
        .is_some_and(|(start, base)| start.starts_with(base));
    // The first ones by name, the last of them on top.
    let mut first = BinaryHeap::with_capacity(MAX_MATCHES + 1);
    let mut total = 0;
    let mut kept_back = 0;
    let mut timed_out = false;
    for entry in builder.build().filter(|_| inside).flatten() {
        if stop.now() {
            timed_out = stop.timed_out();
            break;
        }
        let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
        if entry.depth() == 0 || (is_dir && !include_dirs) {
            continue;
        }
        if let Ok(relative) = entry.path().strip_prefix(base)
            && matcher.is_match(relative)
        {
            if withheld.holds(&real(entry.path())) {
                kept_back += 1;
                continue;
            }
            total += 1;
            first.push(relative.to_string_lossy().into_owned());
            if first.len() > MAX_MATCHES {
                first.pop();
            }
        }
    }
    Found { paths: first.into_sorted_vec(), total, withheld: kept_back, timed_out }
}

fn result(pattern: &str, found: Found) -> ToolReturnValue {
    let Found { paths, total, withheld, timed_out } = found;
    if total == 0 && timed_out {
        return too_long();
    }
    let mut message = match total {
        0 => format!("No matches found for pattern `{pattern}`."),
        _ => format!("Found {total} matches for pattern `{pattern}`."),
    };
    if total > MAX_MATCHES {
        message.push_str(&format!(
            " Only the first {MAX_MATCHES} are listed; use a narrower pattern."
        ));
    }
    if let Some(note) = left_out(withheld) {
        message.push_str(&format!(" {note}"));
    }
    if timed_out {
        message.push_str(" The search took too long and was stopped; there may be more.");
    }
    ToolReturnValue::ok(paths.join("\n"), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{Bench, brief};
    use serde_json::json;

    fn bench() -> Bench {
        let bench = Bench::new();
        for name in [
            "b.rs",
            "a.rs",
            ".hidden.rs",
            "src/x.ts",
            "src/y.tsx",
            "src/deep/z.ts",
            "src/w.js",
            "note.md",
            ".git/config.rs",
            "ignored/i.rs",
        ] {
            bench.put(name, "x");
        }
        bench
    }

    async fn glob(bench: &Bench, arguments: Value) -> String {
        let value = bench.run(&Glob, arguments).await;
        assert!(!value.is_error, "{value:?}");
        value.output.text()
    }

    #[tokio::test]
    async fn names_are_matched_and_sorted() {
        let bench = bench();
        let value = bench.run(&Glob, json!({"pattern": "*.rs"})).await;
        assert_eq!(value.output.text(), ".hidden.rs\na.rs\nb.rs");
        assert_eq!(value.message, "Found 3 matches for pattern `*.rs`.");
        assert_eq!(glob(&bench, json!({"pattern": "src/*.{ts,tsx}"})).await, "src/x.ts\nsrc/y.tsx");
        assert_eq!(
            glob(&bench, json!({"pattern": "{src/x,note}.{ts,md}"})).await,
            "note.md\nsrc/x.ts"
        );
        assert_eq!(glob(&bench, json!({"pattern": "./**/*.ts"})).await, "src/deep/z.ts\nsrc/x.ts");
        assert_eq!(glob(&bench, json!({"pattern": "s*"})).await, "src");
        assert_eq!(glob(&bench, json!({"pattern": "s*", "include_dirs": false})).await, "");
        assert_eq!(
            glob(&bench, json!({"pattern": "*.ts", "directory": bench.ws("src")})).await,
            "x.ts"
        );
        let none = bench.run(&Glob, json!({"pattern": "*.RS"})).await;
        assert_eq!(none.message, "No matches found for pattern `*.RS`.");
    }

    #[tokio::test]
    async fn ignore_rules_are_honoured_unless_told_otherwise() {
        let bench = bench();
        bench.put(".gitignore", "ignored/\n");
        assert_eq!(glob(&bench, json!({"pattern": "*/i.rs"})).await, "");
        let all = json!({"pattern": "*/*.rs", "include_ignored": true});
        assert_eq!(glob(&bench, all).await, "ignored/i.rs");
    }

    #[tokio::test]
    async fn the_workspace_is_not_left() {
        let bench = bench();
        std::fs::write(bench.root.join("out/secret.rs"), "x").unwrap();
        std::os::unix::fs::symlink("../out", bench.ws("link")).unwrap();
        for pattern in ["link/*.rs", "**/secret.rs"] {
            assert_eq!(glob(&bench, json!({"pattern": pattern})).await, "", "{pattern}");
        }
        for (directory, why) in [
            (bench.root.join("out"), "Directory outside workspace"),
            (bench.ws("link"), "Directory outside workspace"),
            (bench.ws("nowhere"), "Directory not found"),
            (bench.ws("a.rs"), "Invalid directory"),
        ] {
            let value = bench.run(&Glob, json!({"pattern": "*", "directory": directory})).await;
            assert_eq!(brief(&value), why);
        }
        let escapes = json!({"pattern": "*", "directory": "../out"});
        assert_eq!(brief(&bench.run(&Glob, escapes).await), "Invalid directory");
        for pattern in ["../out/*", "/etc/*", "a[", ""] {
            let value = bench.run(&Glob, json!({"pattern": pattern})).await;
            assert_eq!(brief(&value), "Invalid pattern");
        }
    }

    #[tokio::test]
    async fn the_list_is_capped() {
        let bench = Bench::new();
        for n in 0..1003 {
            bench.put(&format!("{n:04}.txt"), "");
        }
        let value = bench.run(&Glob, json!({"pattern": "*.txt"})).await;
        assert_eq!(value.output.text().lines().count(), 1000);
        assert!(value.message.starts_with("Found 1003 matches"), "{}", value.message);
        assert!(value.message.contains("Only the first 1000"));
    }

    #[tokio::test]
    async fn a_cancelled_search_returns() {
        let bench = bench();
        bench.cx.cancel.cancel();
        let (stop, guard) = Stop::new();
        drop(guard);
        let matcher = compile("**").unwrap();
        let wanted = Wanted { pattern: "**", matcher, withheld: Withheld::default() };
        let arguments = Arguments {
            pattern: "**".into(),
            directory: None,
            include_dirs: true,
            include_ignored: true,
        };
        assert!(find(&bench.ws(""), &wanted, &arguments, &stop).paths.is_empty());
    }

    #[tokio::test]
    async fn a_directory_may_be_relative_or_added_and_the_tree_may_be_walked_whole() {
        let bench = bench();
        let here = json!({"pattern": "*.js", "directory": "src"});
        assert_eq!(glob(&bench, here).await, "w.js");
        let null = json!({"pattern": "src/*.js", "directory": null});
        assert_eq!(glob(&bench, null).await, "src/w.js");
        bench.cx.workspace.add(&bench.root.join("out"));
        std::fs::write(bench.root.join("out/far.rs"), "x").unwrap();
        let added = json!({"pattern": "*.rs", "directory": bench.root.join("out")});
        assert_eq!(glob(&bench, added).await, "far.rs");
        // kimi-cli refuses a pattern that begins so; here it is bounded by time and number instead.
        assert_eq!(glob(&bench, json!({"pattern": "**/*.js"})).await, "src/w.js");
    }

    #[tokio::test]
    async fn the_directory_of_a_skill_may_be_listed_wherever_it_is() {
        let mut bench = bench();
        let out = bench.root.join("out");
        std::fs::create_dir_all(out.join("skill/more")).unwrap();
        std::fs::create_dir_all(out.join("skills-of-others")).unwrap();
        for name in ["skill/SKILL.md", "skill/more/x.md", "skills-of-others/y.md"] {
            std::fs::write(out.join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("skill", out.join("alias")).unwrap();
        std::os::unix::fs::symlink("../skills-of-others", out.join("skill/leak")).unwrap();
        // A skill that is gone is in nobody's way.
        let skills = vec![out.join("gone"), out.join("alias")];
        let workspace = Workspace::new(bench.ws(""), vec![]).with_skills(skills);
        bench.cx.workspace = Arc::new(workspace);
        for (directory, found) in [
            ("skill", "SKILL.md\nmore/x.md"),
            ("alias", "SKILL.md\nmore/x.md"),
            ("skill/more", "x.md"),
        ] {
            let arguments = json!({"pattern": "**/*.md", "directory": out.join(directory)});
            assert_eq!(glob(&bench, arguments).await, found, "{directory}");
        }
        for outside in ["", "skills-of-others", "skill/leak", "skill/.."] {
            let arguments = json!({"pattern": "*", "directory": out.join(outside)});
            let value = bench.run(&Glob, arguments).await;
            assert_eq!(brief(&value), "Directory outside workspace", "{outside}");
        }
    }

    /// The search itself notices that its time is up, and tells what it has by then.
    #[test]
    fn a_search_that_takes_too_long_tells_what_it_has_found() {
        let bench = bench();
        let matcher = compile("**").unwrap();
        let wanted = Wanted { pattern: "**", matcher, withheld: Withheld::default() };
        let arguments = Arguments {
            pattern: "**".into(),
            directory: None,
            include_dirs: true,
            include_ignored: true,
        };
        let found = find(&bench.ws(""), &wanted, &arguments, &Stop::over());
        assert!(found.timed_out && found.total == 0);
        let nothing = result("**", found);
        assert!(nothing.is_error && nothing.message.contains("took too long"), "{nothing:?}");
        assert_eq!(brief(&nothing), "Glob timed out");
        // Also one that never noticed; a cancel is told as such.
        assert_eq!(unfinished(Unfinished::Stuck(Default::default())), nothing);
        assert_eq!(brief(&unfinished(Unfinished::Cancelled)), "Cancelled");
        let paths = vec!["a".to_owned()];
        let part = result("**", Found { paths, total: 1, withheld: 0, timed_out: true });
        assert_eq!((part.is_error, part.output.text().as_str()), (false, "a"));
        assert_eq!(
            part.message,
            "Found 1 matches for pattern `**`. The search took too long and was stopped; there may be more."
        );
    }

    #[tokio::test]
    async fn patterns_are_those_of_a_shell() {
        let bench = bench();
        bench.put("A.rs", "x");
        bench.put("a[1].rs", "x");
        for (pattern, found) in [
            ("?.rs", "A.rs\na.rs\nb.rs"),
            ("[ab].rs", "a.rs\nb.rs"),
            ("[!ab].rs", "A.rs"),
            ("a\\[1\\].rs", "a[1].rs"),
            ("src/**", "src/deep\nsrc/deep/z.ts\nsrc/w.js\nsrc/x.ts\nsrc/y.tsx"),
            ("src/**/*.ts", "src/deep/z.ts\nsrc/x.ts"),
            ("*/deep", "src/deep"),
            (".*", ".hidden.rs"),
            ("{a,b,none}.rs", "a.rs\nb.rs"),
        ] {
            assert_eq!(glob(&bench, json!({"pattern": pattern})).await, found, "{pattern}");
        }
        let files = json!({"pattern": "src/**", "include_dirs": false});
        assert_eq!(glob(&bench, files).await, "src/deep/z.ts\nsrc/w.js\nsrc/x.ts\nsrc/y.tsx");
    }
}
