use super::*;
use crate::platform::env::{Ids, fixed};
use crate::store::StateFile;

fn plan(root: &Path, env: Env) -> Plan {
    std::fs::create_dir_all(root.join("session")).unwrap();
    let settings = Arc::new(Settings::new(StateFile::open(&root.join("session")).0));
    Plan::new(env, PlanStart { dir: root.join("plans"), on: true }, settings)
}

/// Says the same again and again.
struct Stuck;

impl Ids for Stuck {
    fn uuid(&self) -> String {
        "00000000-0000-4000-8000-000000000001".to_owned()
    }
}

#[test]
fn a_plan_has_three_words_and_keeps_them_while_it_lasts() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path(), fixed::env(dir.path(), &[]));
    let file = plan.file().unwrap();
    let name = file.file_stem().unwrap().to_str().unwrap();
    assert_eq!(name.split('-').count(), 3, "{name}");
    assert!(name.split('-').all(|word| WORDS.contains(&word)), "{name}");
    assert!(!plan.set(true), "it is on already");
    assert_eq!(plan.file(), Some(file.clone()));
    assert!(plan.set(false) && !plan.set(false));
    assert_eq!(plan.file(), None);
    assert!(plan.set(true));
    assert_ne!(plan.file(), Some(file), "another plan");
}

#[test]
fn a_taken_name_is_not_taken_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut env = fixed::env(dir.path(), &[]);
    env.ids = Arc::new(Stuck);
    let first = plan(dir.path(), env.clone());
    let file = first.file().unwrap();
    std::fs::create_dir_all(dir.path().join("plans")).unwrap();
    std::fs::write(&file, "of somebody").unwrap();
    first.set(false);
    first.set(true);
    let other = first.file().unwrap();
    assert_ne!(other, file);
    assert!(first.real_file().is_ok(), "{}", other.display());
}

#[test]
fn a_plan_is_read_within_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path(), fixed::env(dir.path(), &[]));
    assert_eq!(plan.read(), Ok(None));
    let file = plan.writable_file().unwrap();
    std::fs::write(&file, b"\xff Dig").unwrap();
    assert_eq!(plan.read(), Ok(Some("\u{fffd} Dig".to_owned())));
    std::fs::write(&file, "x".repeat(300 * 1024)).unwrap();
    assert!(plan.read().unwrap_err().contains("longer than 256 KB"));
    assert_eq!((plan.clear(), plan.clear()), (Ok(true), Ok(false)));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.path().join("plans")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
