//! Sessions of other programs, and sessions whose files are damaged.

use std::fs;
use std::path::{Path, PathBuf};

use kimi_tui::store::ShareDir;

use crate::support::program::Home;

/// A session of kimi-cli 1.49: record and state as it has written them, the conversation after its record
/// in its spelling.
pub const FOREIGN: &str = "3d16d151-1892-461c-b51c-f1ec326ab7d4";

/// Puts it into the project of this home, registered or not.
pub fn foreign(share: &Path, project: &Path) -> PathBuf {
    let project = fs::canonicalize(project).unwrap();
    let dir = ShareDir::new(share).sessions_of(&project).join(FOREIGN);
    fs::create_dir_all(&dir).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sessions/kimi-cli");
    for entry in fs::read_dir(fixture).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
    }
    let index = serde_json::json!({"work_dirs": [
        {"path": project.to_str().unwrap(), "kaos": "local", "last_session_id": FOREIGN}]});
    fs::write(share.join("kimi.json"), serde_json::to_string_pretty(&index).unwrap()).unwrap();
    dir
}

/// The same in the project of a home.
pub fn foreign_at(home: &Home) -> PathBuf {
    fs::create_dir_all(home.path("share")).unwrap();
    foreign(&home.path("share"), &home.path("project"))
}

/// Breaks a log as a crash, a bad disk or another program may do.
pub fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let junk =
        b"{\"role\":\"user\"\nnull\n[1,2]\n\xff\xfe\0\0\n{\"role\":\"_checkpoint\",\"id\":-4}\n";
    bytes.splice(first..first, junk.iter().copied());
    bytes.extend(b"{\"role\":\"assistant\",\"content\":\"tor");
    fs::write(path, bytes).unwrap();
}
