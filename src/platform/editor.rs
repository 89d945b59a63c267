//! The external editor: which one, and what it made of a text.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;

use super::env::Env;

/// What is tried when neither a setting nor the environment names an editor.
const USUAL: [&str; 4] = ["code --wait", "vim", "vi", "nano"];
/// The largest file, in bytes, that is taken back from an editor.
const LIMIT: u64 = 16 * 1024 * 1024;

/// Why a text could not be edited.
#[derive(Debug, Error)]
pub enum EditorError {
    /// No editor was found.
    #[error("No editor was found. Set $EDITOR, or default_editor in config.toml.")]
    NoEditor,
    /// The text could not be handed to the editor or taken back.
    #[error("The text could not be kept in a temporary file: {0}. Make room in {1} and try again.")]
    File(std::io::Error, String),
    /// The editor did not start.
    #[error("{program} did not start: {error}. Set $EDITOR or default_editor to another one.")]
    Start { program: String, error: std::io::Error },
    /// The file that came back is too large.
    #[error(
        "The edited file is too large ({bytes} bytes). Put it beside the project and mention it."
    )]
    TooLarge { bytes: u64 },
}

/// An editor that is there to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editor {
    pub program: PathBuf,
    /// Arguments before the name of the file.
    pub arguments: Vec<String>,
}

impl Editor {
    /// The first of the setting, `$VISUAL`, `$EDITOR` and the usual editors whose program exists.
    pub fn choose(setting: Option<&str>, env: &Env) -> Result<Self, EditorError> {
        let named = [setting, env.var("VISUAL"), env.var("EDITOR")];
        let mut candidates = named.into_iter().flatten().chain(USUAL);
        candidates.find_map(|command| Self::of(command, env)).ok_or(EditorError::NoEditor)
    }

    /// The editor that a command such as `code --wait` names; `None` when its program does not
    /// exist.
    pub fn of(command: &str, env: &Env) -> Option<Self> {
        let mut words = words(command)?.into_iter();
        let program = find_program(&words.next()?, env)?;
        Some(Self { program, arguments: words.collect() })
    }

    /// Lets the person edit `text` and waits for the end of it. The editor gets the terminal, which
    /// must be in its usual state. `None` when the text stays as it was: nothing was changed, or the
    /// editor ended with an error. One newline at the end, which editors add, is taken off.
    pub fn edit(&self, text: &str, env: &Env) -> Result<Option<String>, EditorError> {
        let directory = temporary_directory(env);
        let failed = |error| EditorError::File(error, directory.display().to_string());
        let mut file = tempfile::Builder::new()
            .prefix("kimi-")
            .suffix(".md")
            .tempfile_in(&directory)
            .map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(failed)?;
        // Editors replace the file: from here on only its path counts.
        let path = file.into_temp_path();
        let status = Command::new(&self.program)
            .args(&self.arguments)
            .arg(&path)
            .env_clear()
            .envs(env.child_vars())
            .current_dir(&env.cwd)
            .status();
        let status = status.map_err(|error| EditorError::Start {
            program: self.program.display().to_string(),
            error,
        })?;
        if !status.success() {
            return Ok(None);
        }
        let bytes = fs::metadata(&path).map_err(failed)?.len();
        if bytes > LIMIT {
            return Err(EditorError::TooLarge { bytes });
        }
        let edited = fs::read(&path).map_err(failed)?;
        let edited = String::from_utf8_lossy(&edited);
        let stripped = edited.strip_suffix("\r\n").or_else(|| edited.strip_suffix('\n'));
        let stripped = stripped.unwrap_or(&edited);
        let changed = edited != text && stripped != text;
        Ok(changed.then(|| stripped.to_owned()))
    }
}

/// The program `name` stands for: a path, or a file on `$PATH`. `None` when there is no such
/// program.
pub fn find_program(name: &str, env: &Env) -> Option<PathBuf> {
    if let Some(rest) = name.strip_prefix("~/") {
        return executable(env.home.join(rest));
    }
    if name.contains(std::path::is_separator) {
        return executable(env.cwd.join(name));
    }
    // A relative entry would run what lies in the project.
    std::env::split_paths(env.var("PATH")?)
        .filter(|directory| directory.is_absolute())
        .find_map(|directory| executable(directory.join(name)))
}

#[cfg(unix)]
fn executable(path: PathBuf) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let found = fs::metadata(&path).ok()?;
    (found.is_file() && found.permissions().mode() & 0o111 != 0).then_some(path)
}

#[cfg(not(unix))]
fn executable(path: PathBuf) -> Option<PathBuf> {
    let with = |ending: &str| {
        let mut path = path.clone().into_os_string();
        path.push(ending);
        PathBuf::from(path)
    };
    ["", ".exe", ".cmd", ".bat"].into_iter().map(with).find(|path| path.is_file())
}

fn temporary_directory(env: &Env) -> PathBuf {
    let named = ["TMPDIR", "TEMP", "TMP"].into_iter().find_map(|name| env.var(name));
    named.map_or_else(|| Path::new("/tmp").to_owned(), PathBuf::from)
}

/// The words of a command, with a shell's quotes and, where they are no path separators,
/// backslashes. `None` when a quote is left open.
fn words(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('\\', None | Some('"')) if cfg!(unix) => {
                word.get_or_insert_default().extend(chars.next());
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(all(test, unix))]
pub(super) mod script {
    use std::io::Write;
    use std::path::Path;
    use std::process::{Command, Stdio};

    /// Puts a shell script there. Another process writes it: a file that this one had open for
    /// writing could still be open in a child that a parallel test is starting, and then not run.
    pub fn script(path: &Path, body: &str) {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "/bin/cat > \"$0\" && /bin/chmod +x \"$0\""])
            .arg(path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let text = format!("#!/bin/sh\n{body}\n");
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::env::fixed;
    use super::script::script;
    use super::*;

    fn split(command: &str) -> Vec<String> {
        words(command).unwrap()
    }

    #[test]
    fn commands_are_split_as_a_shell_does() {
        assert_eq!(split("code --wait"), ["code", "--wait"]);
        assert_eq!(
            split("  '/opt/my editor/ed'  -x \"a b\" c\\ d ''"),
            ["/opt/my editor/ed", "-x", "a b", "c d", ""]
        );
        assert_eq!(words("vim 'open"), None);
        assert!(split(" ").is_empty());
    }

    #[test]
    fn the_first_editor_that_exists_is_chosen() {
        let bin = tempfile::tempdir().unwrap();
        for name in ["vi", "mine", "code"] {
            script(&bin.path().join(name), "exit 0");
        }
        fs::write(bin.path().join("vim"), "not executable").unwrap();
        let path = bin.path().to_str().unwrap();
        let chosen = |setting, vars: &[(&str, &str)]| {
            let vars: Vec<_> = [("PATH", path)].into_iter().chain(vars.iter().copied()).collect();
            let editor = Editor::choose(setting, &fixed::env(bin.path(), &vars)).unwrap();
            let name = editor.program.file_name().unwrap().to_str().unwrap().to_owned();
            (name, editor.arguments)
        };
        assert_eq!(chosen(None, &[]), ("code".to_owned(), vec!["--wait".to_owned()]));
        assert_eq!(chosen(None, &[("EDITOR", "vi")]).0, "vi");
        assert_eq!(chosen(None, &[("EDITOR", "vi"), ("VISUAL", "mine -w")]).1, ["-w"]);
        assert_eq!(chosen(Some("vi"), &[("VISUAL", "mine")]).0, "vi");
        assert_eq!(chosen(Some("vim"), &[("VISUAL", "missing"), ("EDITOR", "~/mine")]).0, "mine");
        let empty = tempfile::tempdir().unwrap();
        let env = fixed::env("/nowhere", &[("PATH", empty.path().to_str().unwrap())]);
        assert!(matches!(Editor::choose(None, &env), Err(EditorError::NoEditor)));
    }

    #[test]
    fn programs_of_the_project_are_not_run_by_name() {
        let project = tempfile::tempdir().unwrap();
        script(&project.path().join("vi"), "exit 0");
        let env = fixed::env(project.path(), &[("PATH", ".::")]);
        assert_eq!(find_program("vi", &env), None);
        assert!(find_program("./vi", &env).is_some());
    }

    fn edited(text: &str, body: &str) -> Option<String> {
        let home = tempfile::tempdir().unwrap();
        let program = home.path().join("editor");
        script(&program, body);
        let env = fixed::env(home.path(), &[("TMPDIR", home.path().to_str().unwrap())]);
        let editor = Editor { program, arguments: Vec::new() };
        let result = editor.edit(text, &env).unwrap();
        let left = fs::read_dir(home.path()).unwrap().count();
        assert_eq!(left, 1, "the temporary file is gone");
        result
    }

    #[test]
    fn the_text_comes_back_when_it_was_changed() {
        assert_eq!(edited("a", "printf 'b\\nc\\n' > \"$1\"").as_deref(), Some("b\nc"));
        assert_eq!(edited("a", "printf 'b\\n\\n' > \"$1\"").as_deref(), Some("b\n"));
        let replaced = edited("a", "printf x > \"$1.new\"; /bin/mv \"$1.new\" \"$1\"");
        assert_eq!(replaced.as_deref(), Some("x"));
        assert_eq!(edited("a", ": > \"$1\"").as_deref(), Some(""));
        assert_eq!(edited("a", "printf '\\377' > \"$1\"").as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn nothing_comes_back_without_a_change_or_after_an_error() {
        assert_eq!(edited("a", "exit 0"), None);
        assert_eq!(edited("a\n", "exit 0"), None);
        assert_eq!(edited("a", "echo >> \"$1\""), None, "only the newline that editors add");
        assert_eq!(edited("a", "echo b > \"$1\"; exit 1"), None);
    }

    #[test]
    fn an_editor_that_does_not_start_says_so() {
        let env = fixed::env("/", &[("TMPDIR", "/tmp")]);
        let editor = Editor { program: "/nowhere/ed".into(), arguments: Vec::new() };
        let error = editor.edit("a", &env).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/ed did not start"), "{error}");
    }
}
