//! Programs that a project's files put in the place of those that were called.
//!
//! `cargo --version` starts what a `rust-toolchain.toml` names, `cargo tree` the compiler of
//! `.cargo/config.toml`, and `yarn` the file that its settings name. A command may have written these.

use std::fs;
use std::path::Path;

/// Longer files are not read: what they name is not known.
const MAX_BYTES: u64 = 1 << 20;

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

/// The file by which a project around `dir` names the program that `called` starts, if one may do so.
pub(super) fn program(dir: &Path, called: &str) -> Option<&'static str> {
    let name = called.rsplit('/').next().unwrap_or(called);
    let choosers = CHOOSERS.iter().filter(|chooser| chooser.programs.contains(&name));
    let mut files = choosers.flat_map(|it| it.files.iter().map(|file| (*file, it.words)));
    files
        .find(|(file, words)| dir.ancestors().any(|dir| names_program(&dir.join(file), words)))
        .map(|(file, _)| file)
}

fn names_program(file: &Path, words: &[&str]) -> bool {
    let Ok(found) = file.metadata() else {
        // There, and leading nowhere: nobody knows what it will say.
        return file.symlink_metadata().is_ok();
    };
    if !found.is_file() || found.len() > MAX_BYTES {
        return true;
    }
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    words.iter().any(|word| text.contains(word)) || text.contains('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_name_a_program_are_found_above_and_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        fs::create_dir_all(inner.join(".cargo")).unwrap();
        assert_eq!(program(&inner, "cargo"), None);
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.90\"\n");
        assert_eq!(program(&inner, "cargo"), None);
        write("rust-toolchain.toml", "[toolchain]\npath = \"/tmp/tc\"\n");
        assert_eq!(program(&inner, "/usr/bin/cargo"), Some("rust-toolchain.toml"));
        assert_eq!(program(&inner, "rustc"), Some("rust-toolchain.toml"));
        assert_eq!(program(&inner, "node"), None);
        // An escape may spell the same word.
        write("rust-toolchain.toml", "[toolchain]\n\"p\\u0061th\" = \"/tmp/tc\"\n");
        assert_eq!(program(&inner, "cargo"), Some("rust-toolchain.toml"));
        fs::remove_file(dir.path().join("rust-toolchain.toml")).unwrap();
        write("a/b/.cargo/config.toml", "[build]\nrustc-wrapper = \"./x\"\n");
        assert_eq!(program(&inner, "cargo"), Some(".cargo/config.toml"));
        assert_eq!(program(&inner, "rustc"), None);
        write("a/.yarnrc.yml", "yarnPath: ./x.cjs\n");
        assert_eq!(program(&inner, "yarn"), Some(".yarnrc.yml"));
    }
}
