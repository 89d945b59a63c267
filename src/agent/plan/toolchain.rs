//! Programs that a project's files put in the place of those that were called.
//!
//! `cargo --version` starts what a `rust-toolchain.toml` names, `cargo tree` the compiler of
//! `.cargo/config.toml`, and `yarn` the file that its settings name. A command may have written these; those
//! of the person, in the home directory, are the person's.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::settings_file::read;
use crate::tools::path_guard::real_path;

/// The files beside or above which a program starts another one.
struct Chooser {
    /// The programs that heed them.
    programs: &'static [&'static str],
    files: &'static [&'static str],
    /// Words of the settings that name a program.
    words: &'static [&'static str],
}

const CHOOSERS: &[Chooser] = &[
    Chooser {
        programs: &["cargo", "rustc", "rustup", "rustfmt", "rustdoc"],
        files: &["rust-toolchain.toml", "rust-toolchain"],
        words: &["path"],
    },
    Chooser {
        programs: &["cargo"],
        files: &[".cargo/config.toml", ".cargo/config"],
        words: &["rustc", "credential", "include"],
    },
    Chooser {
        programs: &["yarn"],
        files: &[".yarnrc.yml", ".yarnrc"],
        words: &["yarnPath", "yarn-path", "plugins"],
    },
];

/// What the files of the projects around some directories name, for one command: each is read once at most.
pub(super) struct Toolchains {
    /// Where a program that runs in one of the directories looks.
    around: BTreeSet<PathBuf>,
    /// Of files that were asked for: whether one of that name names a program.
    names: HashMap<&'static str, bool>,
}

impl Toolchains {
    /// For programs that run in one of `dirs`. What is in `home` and above belongs to no project, unless such a
    /// directory itself is there.
    pub fn around(dirs: &[PathBuf], home: &Path) -> Self {
        let real = |path: &Path| real_path(path).unwrap_or_else(|| path.to_path_buf());
        let home = real(home);
        let mut around = BTreeSet::new();
        for dir in dirs.iter().map(|dir| real(dir)) {
            let at_home = dir == home;
            let above = dir.ancestors().take_while(|above| at_home || *above != home);
            around.extend(above.map(Path::to_path_buf));
        }
        Self { around, names: HashMap::new() }
    }

    /// The file by which a project names the program that `called` starts, if one may do so.
    pub fn chosen(&mut self, called: &str) -> Option<&'static str> {
        let mut files =
            choosers(called).flat_map(|it| it.files.iter().map(|file| (*file, it.words)));
        let Self { around, names } = self;
        let mut named = |file: &'static str, words: &[&str]| {
            let look = || around.iter().any(|dir| names_program(&dir.join(file), words));
            *names.entry(file).or_insert_with(look)
        };
        files.find(|(file, words)| named(file, words)).map(|(file, _)| file)
    }
}

/// Whether it depends on where a program runs which one is started.
pub(super) fn depends_on_place(called: &str) -> bool {
    choosers(called).next().is_some()
}

fn choosers(called: &str) -> impl Iterator<Item = &'static Chooser> {
    let name = called.rsplit('/').next().unwrap_or(called);
    CHOOSERS.iter().filter(move |chooser| chooser.programs.contains(&name))
}

fn names_program(file: &Path, words: &[&str]) -> bool {
    match read(file) {
        Ok(Some(text)) => words.iter().any(|word| text.contains(word)) || text.contains('\\'),
        Ok(None) => false,
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn program(dir: &Path, home: &Path, called: &str) -> Option<&'static str> {
        Toolchains::around(&[dir.to_path_buf()], home).chosen(called)
    }

    fn of(dir: &Path, called: &str) -> Option<&'static str> {
        program(dir, Path::new("/h"), called)
    }

    /// `cargo` and `rustc` heed the same file, and a line may call each many times.
    #[test]
    fn for_one_command_a_file_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut toolchains = Toolchains::around(&[dir.path().to_path_buf()], Path::new("/h"));
        assert_eq!(toolchains.chosen("cargo"), None);
        fs::write(dir.path().join("rust-toolchain.toml"), "path = 1").unwrap();
        assert_eq!((toolchains.chosen("cargo"), toolchains.chosen("rustc")), (None, None));
        assert_eq!(of(dir.path(), "rustc"), Some("rust-toolchain.toml"), "for another it is");
    }

    #[test]
    fn what_is_in_the_home_directory_is_the_persons() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("h");
        let work = home.join("code/work");
        fs::create_dir_all(home.join(".cargo")).unwrap();
        fs::create_dir_all(work.join(".cargo")).unwrap();
        let own = "[build]\nrustc-wrapper = \"sccache\"\n";
        fs::write(home.join(".cargo/config.toml"), own).unwrap();
        fs::write(dir.path().join("rust-toolchain.toml"), "path = 1").unwrap();
        assert_eq!(program(&work, &home, "cargo"), None);
        #[cfg(unix)]
        {
            let link = dir.path().join("link");
            std::os::unix::fs::symlink(&home, &link).unwrap();
            assert_eq!(program(&link.join("code/work"), &home, "cargo"), None);
            assert_eq!(program(&work, &link, "cargo"), None);
        }
        // Who works there may have had them written.
        assert_eq!(program(&home, &home, "cargo"), Some("rust-toolchain.toml"));
        assert_eq!(program(&work, Path::new("/h"), "cargo"), Some("rust-toolchain.toml"));
        fs::write(work.join(".cargo/config.toml"), own).unwrap();
        assert_eq!(program(&work, &home, "cargo"), Some(".cargo/config.toml"));
    }

    #[test]
    fn a_file_that_cannot_be_read_may_name_any() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("rust-toolchain.toml")).unwrap();
        assert_eq!(of(dir.path(), "cargo"), Some("rust-toolchain.toml"));
    }

    #[test]
    fn files_that_name_a_program_are_found_above_and_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        fs::create_dir_all(inner.join(".cargo")).unwrap();
        assert_eq!(of(&inner, "cargo"), None);
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.90\"\n");
        assert_eq!(of(&inner, "cargo"), None);
        write("rust-toolchain.toml", "[toolchain]\npath = \"/tmp/tc\"\n");
        assert_eq!(of(&inner, "/usr/bin/cargo"), Some("rust-toolchain.toml"));
        assert_eq!(of(&inner, "rustc"), Some("rust-toolchain.toml"));
        assert_eq!(of(&inner, "node"), None);
        // An escape may spell the same word.
        write("rust-toolchain.toml", "[toolchain]\n\"p\\u0061th\" = \"/tmp/tc\"\n");
        assert_eq!(of(&inner, "cargo"), Some("rust-toolchain.toml"));
        fs::remove_file(dir.path().join("rust-toolchain.toml")).unwrap();
        write("a/b/.cargo/config.toml", "[build]\nrustc-wrapper = \"./x\"\n");
        assert_eq!(of(&inner, "cargo"), Some(".cargo/config.toml"));
        assert_eq!(of(&inner, "rustc"), None);
        write("a/.yarnrc.yml", "yarnPath: ./x.cjs\n");
        assert_eq!(of(&inner, "yarn"), Some(".yarnrc.yml"));
    }
}
