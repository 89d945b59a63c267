//! Agent files that are known by their names.

use std::path::{Path, PathBuf};

use crate::platform::git::project_root;

/// What such a file may end with, the first that is there counts.
const EXTENSIONS: [&str; 3] = ["md", "yaml", "yml"];

/// The agent file of this name: in `agents` of the data directory, or else in `.kimi/agents` of the
/// project. The user's own comes first: who asks for it by its name means the one they know, whatever
/// a project brings under the same name.
pub fn named(name: &str, share: &Path, work_dir: &Path) -> Option<PathBuf> {
    let hostile = |c: char| c.is_control() || matches!(c, '/' | '\\');
    if name.is_empty() || name.starts_with('.') || name.contains(hostile) {
        return None;
    }
    let dirs = [share.join("agents"), project_root(work_dir).join(".kimi/agents")];
    let mut files = dirs.iter().flat_map(|dir| {
        EXTENSIONS.iter().map(move |extension| dir.join(format!("{name}.{extension}")))
    });
    files.find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;

    #[test]
    fn a_name_leads_to_the_users_file_and_else_to_the_projects() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for made in ["share/agents", "project/.git", "project/.kimi/agents", "project/sub"] {
            fs::create_dir_all(at(made)).unwrap();
        }
        for file in ["share/agents/rev.yaml", "project/.kimi/agents/rev.md", "project/x.md"] {
            fs::write(at(file), "x").unwrap();
        }
        fs::write(at("project/.kimi/agents/fix.md"), "x").unwrap();
        let named = |name: &str| super::named(name, &at("share"), &at("project/sub"));
        assert_eq!(named("rev"), Some(at("share/agents/rev.yaml")));
        assert_eq!(named("fix"), Some(at("project/.kimi/agents/fix.md")));
        for name in ["", "nope", "../../x", ".rev", "rev.md", "re\nv"] {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
