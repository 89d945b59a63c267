//! Sessions in a real directory.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::llm::Message;
use crate::platform::env::fixed;
use crate::protocol::Event;
use crate::store::{ContextLog, ContextRecord, StateFile, WireLog};

const WORK: &str = "/some/work";

struct Fixture {
    _dir: tempfile::TempDir,
    store: SessionStore,
    env: Env,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let env = fixed::env(dir.path(), &[]);
    Fixture { store: SessionStore::new(ShareDir::from_env(&env)), env, _dir: dir }
}

impl Fixture {
    /// A session in which `text` was said, last touched at `time`.
    fn said(&self, id: &str, text: &str, time: u64) -> Session {
        let (session, warnings) = self.store.create(Path::new(WORK), Some(id), &self.env).unwrap();
        assert!(warnings.is_empty());
        let (mut log, _) = ContextLog::open(&session.context_path()).unwrap();
        log.append(&[ContextRecord::Message(Message::user_text(text))]).unwrap();
        let event = Event::TurnBegin { user_input: text.into() };
        WireLog::open(&session.wire_path()).unwrap().append_event(1.0, &event).unwrap();
        for path in [session.context_path(), session.wire_path()] {
            touch(&path, time);
        }
        session
    }
}

fn touch(path: &Path, time: u64) {
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(time)).unwrap();
}

#[test]
fn ids_are_directory_names() {
    for id in ["a", "my session", "Ünïcode", "..a", "19209f10-fb4d-4f0e-9382-1559e347500c"] {
        assert_eq!(check_session_id(id), Ok(()), "{id}");
    }
    let long = "x".repeat(201);
    for id in ["", ".", "..", "a/b", "/etc", "a\\b", "a\0b", "a\nb", "\u{1b}[2J", "-x", &long] {
        assert!(check_session_id(id).is_err(), "{id}");
        let fixture = fixture();
        assert!(fixture.store.create(Path::new(WORK), Some(id), &fixture.env).is_err());
        assert!(fixture.store.find(Path::new(WORK), id).is_err());
    }
}

#[test]
fn made_found_and_removed_when_empty() {
    let f = fixture();
    let (session, _) = f.store.create(Path::new(WORK), None, &f.env).unwrap();
    assert_eq!(session.id, "00000000-0000-4000-8000-000000000001");
    assert_eq!(f.store.find(Path::new(WORK), &session.id).unwrap().as_ref(), Some(&session));
    assert_eq!(f.store.find(Path::new("/other"), &session.id).unwrap(), None);
    assert!(f.store.list(Path::new(WORK)).is_empty() && f.store.latest(Path::new(WORK)).is_none());
    f.store.index().set_last_session(Path::new(WORK), &session.id).unwrap();
    assert!(f.store.remove_if_empty(&session).unwrap());
    assert!(!session.dir.exists());
    assert_eq!(f.store.index().last_session_id(Path::new(WORK)), None);
    assert!(!f.store.remove_if_empty(&session).unwrap());
}

#[test]
fn a_session_with_anything_in_it_stays() {
    let f = fixture();
    let said = f.said("s", "hi", 5);
    assert!(!f.store.remove_if_empty(&said).unwrap() && said.dir.exists());
    let (named, _) = f.store.create(Path::new(WORK), Some("named"), &f.env).unwrap();
    let (mut state, _) = StateFile::open(&named.dir);
    state.state.custom_title = Some("mine".into());
    state.save().unwrap();
    assert!(!f.store.is_empty(&named));
    let (broken, _) = f.store.create(Path::new(WORK), Some("broken"), &f.env).unwrap();
    fs::write(broken.context_path(), "{\"role\": \"_checkpoint\", \"id\": 0}\nnot json\n").unwrap();
    assert!(!f.store.is_empty(&broken));
    let (prompted, _) = f.store.create(Path::new(WORK), Some("prompted"), &f.env).unwrap();
    let prompt = ContextRecord::SystemPrompt("x".repeat(500_000));
    let (mut log, _) = ContextLog::open(&prompted.context_path()).unwrap();
    log.append(&[prompt, ContextRecord::Checkpoint(0)]).unwrap();
    assert!(f.store.is_empty(&prompted));
}

#[test]
fn the_latest_is_the_newest_with_something_in_it() {
    let f = fixture();
    f.said("old", "1", 10);
    f.said("killed", "2", 30);
    f.said("ended", "3", 20);
    let (fresh, _) = f.store.create(Path::new(WORK), Some("fresh"), &f.env).unwrap();
    touch(&fresh.context_path(), 99);
    f.store.index().set_last_session(Path::new(WORK), "ended").unwrap();
    assert_eq!(f.store.latest(Path::new(WORK)).unwrap().id, "killed");
    f.said("equal", "4", 30);
    f.store.index().set_last_session(Path::new(WORK), "equal").unwrap();
    assert_eq!(f.store.latest(Path::new(WORK)).unwrap().id, "equal");
    f.store.index().set_last_session(Path::new(WORK), "gone").unwrap();
    assert!(f.store.latest(Path::new(WORK)).is_some());
    fs::write(f.store.share().kimi_json(), "\0damaged").unwrap();
    assert!(f.store.latest(Path::new(WORK)).is_some());
}

#[test]
fn an_archived_session_is_listed_but_not_continued() {
    let f = fixture();
    let session = f.said("a", "1", 10);
    let (mut state, _) = StateFile::open(&session.dir);
    state.state.archived = true;
    state.save().unwrap();
    assert!(f.store.latest(Path::new(WORK)).is_none());
    assert!(f.store.list(Path::new(WORK))[0].archived);
    f.store.index().set_last_session(Path::new(WORK), "a").unwrap();
    assert_eq!(f.store.latest(Path::new(WORK)).unwrap().id, "a");
}

#[test]
fn the_list_is_newest_first_with_titles() {
    let f = fixture();
    f.said("one", "  fix\nthe bug ", 10);
    let named = f.said("two", "whatever", 20);
    let (mut state, _) = StateFile::open(&named.dir);
    state.state.custom_title = Some("My title".into());
    state.save().unwrap();
    let only_context = f.said("three", "x", 30);
    fs::remove_file(only_context.wire_path()).unwrap();
    let list = f.store.list(Path::new(WORK));
    let seen: Vec<_> =
        list.iter().map(|s| (s.session.id.as_str(), s.title.as_str(), s.turns)).collect();
    assert_eq!(
        seen,
        [
            ("three", "Untitled", Some(0)),
            ("two", "My title", Some(1)),
            ("one", "fix the bug", Some(1))
        ]
    );
    assert_eq!(f.store.list_all().len(), 3);
}

#[test]
fn odd_things_among_the_sessions_do_no_harm() {
    let f = fixture();
    f.said("good", "hi", 10);
    f.said("name.jsonl", "hi", 10);
    let parent = f.store.share().sessions_of(Path::new(WORK));
    fs::write(parent.join("legacy.jsonl"), "{\"role\":\"user\",\"content\":\"old\"}\n").unwrap();
    fs::write(parent.join("a file"), "x").unwrap();
    fs::create_dir_all(parent.join("dir/context.jsonl")).unwrap();
    fs::create_dir_all(parent.join("weird/wire.jsonl")).unwrap();
    fs::write(parent.join("weird/context.jsonl"), b"\xff\xff").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(parent.join("loop"), parent.join("loop")).unwrap();
    let mut ids: Vec<_> =
        f.store.list(Path::new(WORK)).into_iter().map(|summary| summary.session.id).collect();
    ids.sort();
    assert_eq!(ids, ["good", "legacy", "name.jsonl", "weird"]);
    assert!(parent.join("legacy/context.jsonl").is_file());
}
