//! The skills that the program brings. They have files in the data directory, since the model reads
//! skills as files.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Problem, Scope, Skill, scan};

/// Directory name and text of each.
const BUILTIN: [(&str, &str); 2] = [
    ("kimi-cli-help", include_str!("../../../assets/skills/kimi-cli-help/SKILL.md")),
    ("skill-creator", include_str!("../../../assets/skills/skill-creator/SKILL.md")),
];

/// Where their files are.
pub(super) fn directory(share: &Path) -> PathBuf {
    share.join("builtin_skills")
}

/// Adds them. Their files are written when they are not as they should be, as after an update.
pub(super) fn add(share: &Path, found: &mut Vec<Skill>, problems: &mut Vec<Problem>) {
    let root = directory(share);
    for (name, text) in BUILTIN {
        let dir = root.join(name);
        let file = dir.join("SKILL.md");
        if scan::read(&file).is_ok_and(|there| there == text) {
            continue;
        }
        let written = fs::create_dir_all(&dir)
            .and_then(|()| crate::store::write_volatile(&file, text.as_bytes(), 0o600));
        if let Err(error) = written {
            let message = format!("it cannot be written: {error}");
            problems.push(Problem { path: file, message });
        }
    }
    if root.is_dir() {
        scan::directory(&root, Scope::Builtin, found, problems);
    }
}
