use std::path::PathBuf;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Size;

use super::*;
use crate::agent::{RewindPoint, Rewinder, Target};
use crate::platform::Env;
use crate::protocol::RewindScope;
use crate::store::ContextMark;
use crate::store::snapshots::Ended;
use crate::tools::{ChangeLog, Workspace};

fn point(id: u64, prompt: &str, files: usize) -> RewindPoint {
    let did = Ended { point: id, files, added: files * 3, removed: files };
    RewindPoint {
        id,
        at: 1_000.0,
        prompt: prompt.to_owned(),
        did,
        has_files: id > 1,
        partial: false,
    }
}

fn points() -> RewindPoints {
    RewindPoints {
        points: vec![point(3, "fix\nthe \x1b[31mbug", 2), point(2, "hello", 0), point(1, "old", 1)],
        limits: vec!["2 files have no copy.".to_owned()],
        redo: false,
    }
}

fn drawn(picker: &RewindPicker, size: (u16, u16)) -> Vec<String> {
    let theme = Theme::dark();
    let rows = picker.rows(Size::new(size.0, size.1), &theme);
    assert_eq!(rows.len(), usize::from(size.1));
    let rows: Vec<String> = rows.iter().map(|row| row.to_string().trim_end().to_owned()).collect();
    for row in &rows {
        assert!(crate::front::text::width(row) <= usize::from(size.0), "{row:?}");
    }
    rows
}

fn press(picker: &mut RewindPicker, code: KeyCode) -> OverlayReply {
    picker.key(KeyEvent::from(code), Size::new(80, 24))
}

/// A plan with a file of each hand.
fn plan() -> (tempfile::TempDir, Arc<Rewinder>, Plan) {
    let dir = tempfile::tempdir().unwrap();
    let root: PathBuf = dir.path().canonicalize().unwrap();
    let work = root.join("ws");
    std::fs::create_dir_all(&work).unwrap();
    for name in ["tool", "mine"] {
        std::fs::write(work.join(name), "old\n").unwrap();
    }
    let env = Env::of_process().with_vars([("KIMI_SHARE_DIR".into(), root.join("share").into())]);
    let workspace = Arc::new(Workspace::new(work.clone(), vec![]));
    let rewinder = Rewinder::new(env, &root.join("share/session"), workspace);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mark = ContextMark::default();
        rewinder.begin_turn("change\nthings".to_owned(), mark, vec![], None).await;
        rewinder.settle().await;
        rewinder.before(&work.join("tool"));
        std::fs::write(work.join("tool"), "new\n").unwrap();
        rewinder.after(&work.join("tool"));
    });
    std::fs::write(work.join("mine"), "my own\n").unwrap();
    let plan = rewinder.plan(Target::Point(1)).unwrap();
    (dir, rewinder, plan)
}

#[test]
fn turns_are_listed_with_what_they_did() {
    for size in [(40, 10), (80, 24), (120, 40)] {
        let mut picker = RewindPicker::new(&points(), 1_120.0, 1);
        let rows = drawn(&picker, size);
        assert_eq!(rows[0], " Rewind to before which message?");
        assert_eq!(
            rows[2],
            "   2m ago · 2 files +6 -2 · fix the bug"
                .chars()
                .take(rows[2].chars().count())
                .collect::<String>()
        );
        assert_eq!(rows[3], " ▶ 2m ago · no files · hello");
        assert!(rows[4].starts_with("   2m ago · files no longer kept"), "{rows:#?}");
        assert!(rows.iter().any(|row| row == " 2 files have no copy."), "{rows:#?}");
        assert_eq!(press(&mut picker, KeyCode::Enter), OverlayReply::RewindPlan(2));
        assert!(drawn(&picker, size).iter().any(|row| row.contains("looking at the files")));
        // Until the plan is there, no key does anything but the way back.
        assert_eq!(press(&mut picker, KeyCode::Enter), OverlayReply::Ignored);
        assert_eq!(press(&mut picker, KeyCode::Esc), OverlayReply::Redraw);
        assert_eq!(press(&mut picker, KeyCode::Esc), OverlayReply::Close);
    }
}

#[test]
fn nothing_is_claimed_before_the_files_were_looked_at() {
    let mut early = points();
    early.points[0].did = Ended::default();
    early.limits.clear();
    let mut picker = RewindPicker::new(&early, 1_120.0, 1);
    let last = |picker: &RewindPicker| drawn(picker, (80, 24)).pop().unwrap_or_default();
    assert!(last(&picker).contains("looking at the files…"), "{}", last(&picker));
    // A turn can be chosen meanwhile.
    assert_eq!(press(&mut picker, KeyCode::Up), OverlayReply::Redraw);
    let mut looked = points();
    looked.points[1].partial = true;
    picker.set_points(Some(&looked), 1_120.0);
    let rows = drawn(&picker, (80, 24));
    assert_eq!(rows[2], " ▶ 2m ago · 2 files +6 -2 · fix the bug");
    assert_eq!(rows[3], "   2m ago · files not known · hello");
    assert!(!rows[23].contains("looking"), "{rows:#?}");
    assert!(rows.iter().any(|row| row == " 2 files have no copy."), "{rows:#?}");
}

#[test]
fn what_is_not_known_is_said() {
    let (_dir, _rewinder, mut plan) = plan();
    plan.partial = true;
    for files in [true, false] {
        if !files {
            plan.files.clear();
        }
        let picker = RewindPicker::of_plan(plan.clone());
        let rows = drawn(&picker, (100, 24));
        let said = " ! the directory is large: only edits by tools are known for this turn";
        assert!(rows.iter().any(|row| row == said), "{rows:#?}");
        assert!(!rows.iter().any(|row| row.contains("No file has changed")), "{rows:#?}");
    }
}

#[test]
fn the_users_own_work_is_kept_unless_they_say_otherwise() {
    let (_dir, _rewinder, plan) = plan();
    let id = plan.id;
    let mut picker = RewindPicker::new(&points(), 1_120.0, 0);
    press(&mut picker, KeyCode::Enter);
    picker.set_plan(plan.clone());
    let rows = drawn(&picker, (80, 24));
    assert_eq!(
        rows[..12],
        [
            " Rewind to before: change things",
            "",
            " ▶ 1 Conversation and files",
            "   2 Conversation only",
            "   3 Files only",
            "",
            " 1 file put back",
            "   ~ tool +1 -1  changes back",
            " ! 1 file changed by you or another program since: you are asked",
            "   ~ mine +1 -1  changes back",
            " What commands did elsewhere stays: in git, in ignored files, on the network.",
            "",
        ]
    );
    assert_eq!(rows[23], " ↑↓ 1-3 choose · ↵ do it · d read the changes · esc back");
    assert_eq!(press(&mut picker, KeyCode::Char('d')), OverlayReply::RewindDiff);
    let theme = Theme::dark();
    picker.show_diff(&theme);
    let rows = drawn(&picker, (80, 24));
    assert!(rows.iter().any(|row| row.contains("my own")), "{rows:#?}");
    press(&mut picker, KeyCode::Esc);
    // Files only: down, down, enter.
    press(&mut picker, KeyCode::Up);
    assert_eq!(press(&mut picker, KeyCode::Enter), OverlayReply::Redraw);
    let rows = drawn(&picker, (80, 24));
    assert_eq!(rows[0], " ? 1 file changed by you or another program since");
    assert!(rows.iter().any(|row| row == " ▶ 2 Keep mine"), "{rows:#?}");
    let reply = press(&mut picker, KeyCode::Enter);
    let request = RewindRequest {
        plan: id,
        scope: RewindScope::Files,
        keep: vec![Hand::User],
        keep_files: vec![],
    };
    assert_eq!(reply, OverlayReply::Rewind(request));

    let mut picker = RewindPicker::new(&points(), 1_120.0, 0);
    press(&mut picker, KeyCode::Enter);
    picker.set_plan(plan);
    // The conversation alone touches nobody's files.
    let reply = press(&mut picker, KeyCode::Char('2'));
    let request = RewindRequest {
        plan: id,
        scope: RewindScope::Conversation,
        keep: vec![],
        keep_files: vec![],
    };
    assert_eq!(reply, OverlayReply::Rewind(request));
}

#[test]
fn files_that_cannot_come_back_are_seen_first_however_many_there_are() {
    let (_dir, _rewinder, mut plan) = plan();
    let example = plan.files[0].clone();
    for n in 0..40 {
        let mut file = example.clone();
        file.shown = format!("lost{n:02}");
        file.hand = Hand::Command;
        file.problem = Some("no copy was made before it changed".to_owned());
        plan.files.push(file);
    }
    let mut picker = RewindPicker::of_plan(plan);
    let rows = drawn(&picker, (80, 24));
    assert_eq!(
        rows[6..13],
        [
            " ! 40 files cannot be put back: the first of them; the others are below",
            "   ~ lost00  no copy was made before it changed",
            "   ~ lost01  no copy was made before it changed",
            "   ~ lost02  no copy was made before it changed",
            "   ~ lost03  no copy was made before it changed",
            " 1 file put back",
            "   ~ tool +1 -1  changes back",
        ]
    );
    assert!(!rows.iter().any(|row| row.contains("on the network")), "{rows:#?}");
    press(&mut picker, KeyCode::End);
    let rows = drawn(&picker, (80, 24));
    assert!(rows[21].contains("lost39") && rows[22].contains("on the network"), "{rows:#?}");
    // A page up shows the row that was the first.
    let first = rows[6].clone();
    press(&mut picker, KeyCode::PageUp);
    assert!(drawn(&picker, (80, 24)).contains(&first));
    press(&mut picker, KeyCode::Home);
    assert!(drawn(&picker, (80, 24))[6].contains("40 files cannot be put back"));
}

#[test]
fn what_changed_while_a_command_ran_may_be_the_users() {
    let (_dir, _rewinder, mut plan) = plan();
    plan.files.retain(|file| file.shown == "mine");
    plan.files[0].hand = Hand::Command;
    plan.files[0].fate = crate::agent::Fate::Goes;
    let mut picker = RewindPicker::of_plan(plan);
    let rows = drawn(&picker, (80, 24));
    assert_eq!(rows[6], " ! 1 file changed while a command ran: you are asked");
    assert_eq!(press(&mut picker, KeyCode::Enter), OverlayReply::Redraw);
    let rows = drawn(&picker, (80, 24));
    assert_eq!(
        rows[..7],
        [
            " ? 1 file changed while a command ran",
            "   by it, or by you or another program at that time",
            "",
            "   - mine +1 -1  goes",
            "",
            " ▶ 1 Restore, 1 goes: /redo has what is there now",
            "   2 Keep as it is now",
        ]
    );
}

#[test]
fn each_file_can_be_kept_or_restored_by_itself() {
    let (_dir, _rewinder, mut plan) = plan();
    let mine = plan.files.iter().position(|file| file.shown == "mine").unwrap();
    plan.files.retain(|file| file.shown == "mine" || file.shown == "tool");
    plan.files.iter_mut().for_each(|file| file.hand = Hand::User);
    let names: Vec<String> = plan.files.iter().map(|file| file.name().to_owned()).collect();
    assert!(mine < 2 && names.len() == 2);
    let id = plan.id;
    let mut picker = RewindPicker::of_plan(plan);
    press(&mut picker, KeyCode::Enter);
    assert!(drawn(&picker, (80, 24)).iter().any(|row| row == "   3 Choose for each file"));
    press(&mut picker, KeyCode::Char('3'));
    let rows = drawn(&picker, (80, 24));
    assert!(rows[2].starts_with(" ▶ keep") && rows[3].starts_with("   keep"), "{rows:#?}");
    press(&mut picker, KeyCode::Char(' '));
    let rows = drawn(&picker, (40, 10));
    assert!(rows[2].starts_with(" ▶ restore") && rows[3].starts_with("   keep"), "{rows:#?}");
    // The way back leads to the question, and once more to the plan.
    press(&mut picker, KeyCode::Esc);
    assert!(drawn(&picker, (80, 24)).iter().any(|row| row.contains("Keep mine")));
    press(&mut picker, KeyCode::Char('3'));
    press(&mut picker, KeyCode::Down);
    press(&mut picker, KeyCode::Char(' '));
    let reply = press(&mut picker, KeyCode::Enter);
    let keep_files = vec![names[0].clone()];
    let scope = RewindScope::Both;
    assert_eq!(
        reply,
        OverlayReply::Rewind(RewindRequest { plan: id, scope, keep: vec![], keep_files })
    );
}
