//! Tests of the composer as its owner sees it: keys in, text and rows out.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::*;
use crate::front::tui::keymap::Action;
use crate::platform::env::fixed;

const IDLE: ComposerContext = ComposerContext { running: false, queued: 0, shell: false };
const RUNNING: ComposerContext = ComposerContext { running: true, queued: 0, shell: false };

fn command(name: &str, aliases: &[&str], description: &str) -> SlashCommand {
    SlashCommand {
        name: name.to_owned(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        description: description.to_owned(),
        args: None,
    }
}

fn composer_with(history: &[&str]) -> Composer {
    let mut theme = command("theme", &[], "Choose colours");
    theme.args = Some(SlashArgs::Choice(vec!["dark".to_owned(), "light".to_owned()]));
    let commands = vec![
        command("help", &["h", "?"], "Show the keys"),
        command("exit", &["quit"], "Leave"),
        command("sessions", &["resume"], "Pick a session"),
        command("model", &[], "Pick a model"),
        theme,
    ];
    let history = History::new(history.iter().map(|entry| (*entry).to_owned()).collect());
    Composer::new(history, commands, None, PasteThresholds::default())
}

fn composer() -> Composer {
    composer_with(&[])
}

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

fn ctrl(c: char) -> KeyEvent {
    KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)
}

fn alt(c: char) -> KeyEvent {
    KeyEvent::new(KeyCode::Char(c), KeyModifiers::ALT)
}

impl Composer {
    fn press(&mut self, keys: impl IntoIterator<Item = KeyEvent>) -> ComposerEvent {
        keys.into_iter().fold(ComposerEvent::None, |_, key| self.handle(key, &IDLE))
    }

    fn write(&mut self, text: &str) {
        for c in text.chars() {
            let event = if c == '\n' { ctrl('j') } else { key(KeyCode::Char(c)) };
            self.handle(event, &IDLE);
        }
    }

    fn shown(&mut self, columns: usize, rows: usize) -> (Vec<String>, Option<(usize, usize)>) {
        let view = self.rows(columns, rows, &Theme::dark());
        (view.lines.iter().map(Line::to_string).collect(), view.cursor)
    }

    fn menu(&mut self, columns: usize) -> Vec<String> {
        let lines = self.menu_rows(columns, &Theme::dark());
        lines.iter().skip(1).map(Line::to_string).collect()
    }
}

const FAMILY: &str = "👩\u{200d}👩\u{200d}👧";

#[test]
fn backspace_and_arrows_take_whole_clusters() {
    let mut composer = composer();
    composer.insert(&format!("a{FAMILY}e\u{301}🇨🇳你"));
    composer.press([key(KeyCode::Backspace), key(KeyCode::Backspace)]);
    assert_eq!(composer.text(), format!("a{FAMILY}e\u{301}"));
    composer.press([key(KeyCode::Left), key(KeyCode::Backspace)]);
    assert_eq!(composer.text(), "ae\u{301}");
    composer.press([key(KeyCode::Delete)]);
    assert_eq!(composer.text(), "a");
}

#[test]
fn readline_keys_kill_and_yank() {
    let mut composer = composer();
    composer.write("one two-three four");
    composer.press([ctrl('w')]);
    assert_eq!(composer.text(), "one two-three ");
    composer.press([ctrl('w')]);
    assert_eq!(composer.text(), "one ");
    composer.press([ctrl('y')]);
    assert_eq!(composer.text(), "one two-three four", "kills in a row are one");
    composer.press([KeyEvent::new(KeyCode::Backspace, KeyModifiers::ALT)]);
    composer.press([ctrl('a'), alt('d')]);
    assert_eq!(composer.text(), " two-three ");
    composer.press([ctrl('y')]);
    assert_eq!(composer.text(), "one two-three ");
    composer.press([alt('y')]);
    assert_eq!(composer.text(), "four two-three ");
    composer.press([ctrl('e'), ctrl('u')]);
    assert!(composer.is_empty());
    composer.press([ctrl('y'), ctrl('a'), alt('f'), ctrl('k')]);
    assert_eq!(composer.text(), "four");
    composer.press([ctrl('b'), ctrl('h'), ctrl('f'), ctrl('d')]);
    assert_eq!(composer.text(), "for");
}

#[test]
fn undo_goes_by_words_and_redo_comes_back() {
    let mut composer = composer();
    composer.write("hello big world");
    composer.press([ctrl('7')]);
    assert_eq!(composer.text(), "hello big ");
    composer.press([ctrl('_')]);
    assert_eq!(composer.text(), "hello ");
    let redo = KeyEvent::new(KeyCode::Char('_'), KeyModifiers::CONTROL | KeyModifiers::SHIFT);
    composer.press([redo, redo]);
    assert_eq!(composer.text(), "hello big world");
    composer.clear();
    composer.press([ctrl('_')]);
    assert_eq!(composer.text(), "hello big world");
}

#[test]
fn control_characters_never_enter() {
    let mut composer = composer();
    composer.insert("a\0b\u{1b}[31mc\r\nd\re\u{85}\u{7f}\tf");
    assert_eq!(composer.text(), "ab[31mc\nd\ne\tf");
    composer.clear();
    composer.paste("x\u{9b}y\0");
    assert_eq!(composer.text(), "xy");
    assert_eq!(composer.press([key(KeyCode::Char('\u{1b}'))]), ComposerEvent::None);
    assert_eq!(composer.text(), "xy");
}

#[test]
fn enter_sends_queues_or_breaks_the_line() {
    let mut composer = composer();
    assert_eq!(composer.press([key(KeyCode::Enter)]), ComposerEvent::None);
    composer.write("  ");
    assert_eq!(composer.press([key(KeyCode::Enter)]), ComposerEvent::None);
    composer.clear();
    composer.write("one\\");
    assert_eq!(composer.press([key(KeyCode::Enter)]), ComposerEvent::Edited);
    composer.press([KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT)]);
    composer.press([KeyEvent::new(KeyCode::Enter, KeyModifiers::SHIFT)]);
    composer.write("two");
    assert_eq!(composer.text(), "one\n\n\ntwo");
    assert_eq!(composer.handle(key(KeyCode::Enter), &RUNNING), ComposerEvent::Queue);
    assert_eq!(composer.handle(key(KeyCode::Tab), &RUNNING), ComposerEvent::Queue);
    assert_eq!(composer.handle(ctrl('s'), &RUNNING), ComposerEvent::Steer);
    assert_eq!(composer.press([key(KeyCode::Enter)]), ComposerEvent::Submit);
    assert_eq!(composer.take().text, "one\n\n\ntwo");
    assert!(composer.is_empty());
}

#[test]
fn one_enter_after_a_paste_sends() {
    for pasted in ["ends with \\", "see @src", "long\n".repeat(20).as_str()] {
        let mut composer = composer();
        composer.paste(pasted);
        assert_eq!(composer.press([key(KeyCode::Enter)]), ComposerEvent::Submit, "{pasted}");
        assert_eq!(composer.take().text, pasted);
    }
    let mut composer = composer();
    composer.paste("/mod");
    let ComposerEvent::RunCommand(command) = composer.press([key(KeyCode::Enter)]) else {
        panic!("not a command")
    };
    assert_eq!((command.name.as_str(), command.known), ("mod", false));
}

#[test]
fn a_long_paste_is_one_unit() {
    let long = "line\n".repeat(20);
    let mut composer = composer();
    composer.write("see ");
    composer.paste(&long);
    composer.write(" ok");
    assert_eq!(composer.display_text(), "see [Pasted text #1 +20 lines] ok");
    assert_eq!(composer.text(), format!("see {long} ok"));

    composer.press([ctrl('w'), key(KeyCode::Backspace), key(KeyCode::Left)]);
    composer.write("<");
    assert_eq!(composer.display_text(), "see <[Pasted text #1 +20 lines]");
    composer.press([key(KeyCode::Delete)]);
    assert_eq!(composer.display_text(), "see <");
    composer.press([ctrl('_')]);
    composer.press([key(KeyCode::End), ctrl('w')]);
    assert_eq!(composer.display_text(), "see <");
    composer.press([ctrl('y')]);
    assert_eq!(composer.text(), format!("see <{long}"), "a placeholder survives the kill ring");

    composer.paste(&long);
    assert_eq!(composer.display_text(), format!("see <{long}"), "the same again shows it in full");
    composer.press([ctrl('_')]);
    let taken = composer.take();
    assert_eq!(taken.shown, "see <[Pasted text #1 +20 lines]");
    assert_eq!(taken.text, format!("see <{long}"));
}

#[test]
fn thresholds_come_from_the_environment() {
    let usual = PasteThresholds::default();
    assert!(!usual.reached(&"x".repeat(999)) && usual.reached(&"你".repeat(1_000)));
    assert!(!usual.reached(&"x\n".repeat(14)) && usual.reached(&"x\n".repeat(15)));
    let vars = [("KIMI_CLI_PASTE_CHAR_THRESHOLD", "5"), ("KIMI_CLI_PASTE_LINE_THRESHOLD", "0")];
    let ours = PasteThresholds::from_env(&fixed::env("/nowhere", &vars));
    assert_eq!(ours, PasteThresholds { chars: 5, lines: 15 });
    let mut composer = Composer::new(History::default(), Vec::new(), None, ours);
    composer.paste("12345");
    assert_eq!(composer.display_text(), "[Pasted text #1]");
}

#[test]
fn the_editor_gives_placeholders_back() {
    let long = "line\n".repeat(20);
    let mut composer = composer();
    composer.paste(&long);
    let image = ContentPart::text("stands for an image");
    composer.attach("[image:a.png,1x1]", image.clone());
    let edited = format!("before {} after", composer.text());
    composer.set_edited(&edited);
    let shown = "before [Pasted text #1 +20 lines][image:a.png,1x1] after";
    assert_eq!(composer.display_text(), shown);
    assert_eq!(composer.text(), edited);
    composer.set_edited("all new");
    assert_eq!(
        composer.take(),
        Submission {
            text: "all new".to_owned(),
            shown: "all new".to_owned(),
            attachments: Vec::new(),
        }
    );
    composer.attach("[image:\u{1b}a]", image.clone());
    assert_eq!(composer.display_text(), "[image:a]");
    assert_eq!(composer.take().attachments, [image]);
}

#[test]
fn history_keeps_the_draft() {
    let mut composer = composer_with(&["first", "second\nline", "third", "third"]);
    composer.write("draft");
    let (up, down) = (key(KeyCode::Up), key(KeyCode::Down));
    composer.press([up]);
    assert_eq!(composer.text(), "third");
    composer.press([up]);
    assert_eq!(composer.text(), "second\nline", "the same message is not shown twice");
    composer.press([ctrl('p')]);
    assert_eq!(composer.text(), "first");
    assert_eq!(composer.press([up]), ComposerEvent::None);
    composer.press([down, ctrl('n'), key(KeyCode::Left), key(KeyCode::Right)]);
    assert_eq!(composer.text(), "third");
    composer.press([down]);
    assert_eq!(composer.text(), "draft");
    assert_eq!(composer.press([down]), ComposerEvent::None);
}

#[test]
fn a_typed_beginning_searches_by_it() {
    let mut composer = composer_with(&["fix a", "explain", "fix b", "fix b"]);
    composer.write("fix");
    composer.press([key(KeyCode::Up)]);
    assert_eq!(composer.text(), "fix b");
    composer.press([key(KeyCode::Up)]);
    assert_eq!(composer.text(), "fix a");
    composer.press([key(KeyCode::Down), key(KeyCode::Down)]);
    assert_eq!(composer.text(), "fix");
}

#[test]
fn arrows_move_in_the_text_before_they_leave_it() {
    let mut composer = composer_with(&["old"]);
    composer.write("one\ntwo");
    composer.press([key(KeyCode::Up)]);
    assert_eq!(composer.text(), "one\ntwo");
    composer.write("!");
    assert_eq!(composer.text(), "one!\ntwo");
    composer.press([key(KeyCode::Up)]);
    assert_eq!(composer.text(), "old");
}

#[test]
fn the_queue_comes_back_first() {
    let mut composer = composer_with(&["old"]);
    let cx = ComposerContext { queued: 1, ..RUNNING };
    assert_eq!(composer.handle(key(KeyCode::Up), &cx), ComposerEvent::RecallQueued);
    composer.write("x");
    assert_eq!(composer.handle(key(KeyCode::Up), &cx), ComposerEvent::Edited);
    assert_eq!(composer.text(), "old");
}

#[test]
fn recording_skips_repetitions() {
    let mut composer = composer();
    assert!(composer.record("a"));
    assert!(!composer.record("a"));
    assert!(!composer.record(" \n"));
    assert!(composer.record("b") && composer.record("a"));
}

#[test]
fn reverse_search_shows_hits_and_gives_the_draft_back() {
    let mut composer = composer_with(&["build it", "Build that", "test it", "rebuild"]);
    composer.write("draft");
    composer.press([ctrl('r')]);
    composer.write("bui");
    let (rows, cursor) = composer.shown(60, 5);
    assert_eq!(rows, ["  (reverse-search) bui: rebuild"]);
    assert_eq!(cursor, Some((0, 22)));
    composer.press([ctrl('r')]);
    assert_eq!(composer.shown(60, 5).0, ["  (reverse-search) bui: Build that"]);
    composer.press([ctrl('r'), ctrl('r')]);
    assert_eq!(composer.shown(60, 5).0, ["  (failed reverse-search) bui: build it"]);
    composer.press([ctrl('s')]);
    assert_eq!(composer.shown(60, 5).0, ["  (reverse-search) bui: Build that"]);
    composer.press([key(KeyCode::Esc)]);
    assert_eq!(composer.text(), "draft");
    composer.press([ctrl('r')]);
    composer.write("test");
    assert_eq!(composer.press([key(KeyCode::Enter)]), ComposerEvent::Edited);
    assert_eq!(composer.text(), "test it");
    assert_eq!(composer.press([key(KeyCode::Enter)]), ComposerEvent::Submit);
}

#[test]
fn an_editing_key_ends_the_search_on_its_hit() {
    let mut composer = composer_with(&["build it"]);
    composer.press([ctrl('r')]);
    composer.write("bux");
    composer.press([key(KeyCode::Backspace), ctrl('a')]);
    composer.write("re");
    assert_eq!(composer.text(), "rebuild it");
}

#[test]
fn keys_that_belong_to_the_owner_are_named() {
    let mut composer = composer();
    for (event, action) in [
        (key(KeyCode::Esc), Action::Escape),
        (ctrl('c'), Action::Interrupt),
        (ctrl('d'), Action::ExitOrDelete),
        (ctrl('o'), Action::OpenEditor),
        (ctrl('g'), Action::OpenEditor),
        (ctrl('l'), Action::Redraw),
        (ctrl('t'), Action::ToggleTodos),
        (key(KeyCode::BackTab), Action::TogglePlan),
        (key(KeyCode::PageUp), Action::PageUp),
        (key(KeyCode::Char('?')), Action::ShowKeys),
    ] {
        assert_eq!(composer.press([event]), ComposerEvent::App(action));
    }
    composer.write("a?");
    assert_eq!(composer.text(), "a?");
    composer.press([ctrl('a'), ctrl('d')]);
    assert_eq!(composer.text(), "?");
}

#[test]
fn rows_wrap_by_word_and_the_caret_is_on_its_cell() {
    let mut composer = composer();
    assert_eq!(composer.shown(20, 5), (Vec::new(), None));
    composer.write("hello wide world 你好吗 x");
    let (rows, cursor) = composer.shown(13, 5);
    assert_eq!(rows, ["  hello wide ", "  world 你好", "  吗 x"]);
    assert_eq!(cursor, Some((2, 6)));
    composer.clear();
    composer.write("1234567890");
    assert_eq!(composer.shown(13, 5), (vec!["  1234567890".to_owned()], Some((0, 12))));
    composer.write(" ");
    let (rows, cursor) = composer.shown(13, 5);
    assert_eq!((rows.len(), cursor), (2, Some((1, 2))));
    composer.clear();
    composer.write("a\n\n");
    assert_eq!(composer.shown(13, 5).1, Some((2, 2)));
}

#[test]
fn tall_text_scrolls_with_the_caret() {
    let mut composer = composer();
    composer.write("1\n2\n3\n4\n5");
    assert_eq!(
        composer.shown(20, 3),
        (vec!["  3".into(), "  4".into(), "  5".into()], Some((2, 3)))
    );
    composer.press([key(KeyCode::Up), key(KeyCode::Up), key(KeyCode::Up)]);
    assert_eq!(composer.shown(20, 3).1, Some((0, 3)));
    assert_eq!(composer.shown(20, 3).0[0], "  2");
    composer.press([key(KeyCode::Down)]);
    assert_eq!(
        composer.shown(20, 3),
        (vec!["  2".into(), "  3".into(), "  4".into()], Some((1, 3)))
    );
    composer.set_text("short");
    assert_eq!(composer.shown(20, 3).0, ["  short"]);
}

#[test]
fn hostile_text_is_cleaned_on_the_screen() {
    let mut composer = composer();
    composer.insert("a\u{202e}b\tc");
    let rows = composer.shown(40, 3).0;
    assert!(!rows[0].contains('\t') && rows[0].starts_with("  a"), "{rows:?}");
    assert_eq!(composer.text(), "a\u{202e}b\tc");
}

#[test]
fn the_slash_menu_offers_runs_and_completes() {
    let mut composer = composer();
    composer.write("/");
    assert_eq!(composer.menu(60).len(), 5);
    composer.write("resume");
    assert_eq!(composer.menu(60), ["› /sessions (resume)  Pick a session"]);
    composer.press([key(KeyCode::Tab)]);
    assert_eq!(composer.text(), "/sessions ");
    assert!(!composer.menu_open());
    composer.clear();

    composer.write("/mo");
    assert!(composer.slash_menu_open());
    let ComposerEvent::RunCommand(command) = composer.press([key(KeyCode::Enter)]) else {
        panic!("Enter on a row runs it")
    };
    assert_eq!((command.name.as_str(), command.args.as_str()), ("model", ""));
    assert!(command.known);
    assert_eq!(composer.take().text, "/model");

    composer.write("/h");
    assert_eq!(composer.menu(60)[0], "› /help (h)           Show the keys");
    composer.press([key(KeyCode::Esc)]);
    assert!(!composer.menu_open());
    composer.write("e");
    assert!(!composer.menu_open(), "what was closed stays closed");
    assert_eq!(composer.press([key(KeyCode::Esc)]), ComposerEvent::App(Action::Escape));
    composer.take();
    composer.write("/x");
    assert!(composer.menu_open());
}

#[test]
fn arguments_of_a_fixed_set_complete() {
    let mut composer = composer();
    composer.write("/theme ");
    assert_eq!(composer.menu(60), ["› dark", "  light"]);
    composer.press([key(KeyCode::Down)]);
    let ComposerEvent::RunCommand(command) = composer.press([key(KeyCode::Enter)]) else {
        panic!("Enter on an argument runs the command")
    };
    assert_eq!((command.name.as_str(), command.args.as_str()), ("theme", "light"));
}

#[test]
fn a_path_is_a_message_and_an_unknown_command_says_so() {
    let mut composer = composer();
    composer.write("/etc/hosts");
    assert!(!composer.menu_open());
    assert_eq!(composer.press([key(KeyCode::Enter)]), ComposerEvent::Submit);
    composer.take();
    composer.write("/frobnicate now\nplease");
    let ComposerEvent::RunCommand(command) = composer.press([key(KeyCode::Enter)]) else {
        panic!("not a command")
    };
    assert_eq!(
        command,
        Invocation { name: "frobnicate".to_owned(), args: "now\nplease".to_owned(), known: false }
    );
    composer.take();
    let shell = ComposerContext { shell: true, ..IDLE };
    for c in "/mo".chars() {
        composer.handle(key(KeyCode::Char(c)), &shell);
    }
    assert!(!composer.menu_open());
    assert_eq!(composer.handle(key(KeyCode::Enter), &shell), ComposerEvent::Submit);
}

#[test]
fn the_selected_description_wraps_and_rows_fit() {
    let long = "word ".repeat(60);
    let commands = (0..30).map(|n| command(&format!("cmd{n}"), &[], &long)).collect();
    let mut composer =
        Composer::new(History::default(), commands, None, PasteThresholds::default());
    composer.write("/cmd");
    let rows = composer.menu(60);
    assert_eq!(rows.len(), 12, "ten commands, the selected one on three rows");
    assert!(rows[2].ends_with('…') && rows[3].starts_with("  /cmd1 "));
    for columns in [10, 20, 40, 60, 80] {
        for row in composer.menu(columns) {
            assert!(text::width(&row) <= columns, "{columns}: {row:?}");
        }
    }
    for _ in 0..15 {
        composer.press([key(KeyCode::Down)]);
    }
    assert!(composer.menu(60).iter().any(|row| row.starts_with("› /cmd15")));
    composer.press((0..16).map(|_| key(KeyCode::Up)));
    assert!(composer.menu(60).iter().any(|row| row.starts_with("› /cmd29")), "it goes round");
}

/// A composer over a directory with these files, and the news of the index.
fn with_files(files: &[&str]) -> (tempfile::TempDir, Composer, Receiver<()>) {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
    let (news, inbox) = channel();
    let clock = Arc::new(fixed::FixedClock::new());
    let index = FileIndex::new(root.path().to_owned(), clock, move || {
        let _ = news.send(());
    });
    let thresholds = PasteThresholds::default();
    (root, Composer::new(History::default(), Vec::new(), Some(index), thresholds), inbox)
}

/// Waits for news until the menu has these rows.
fn wait_for(composer: &mut Composer, news: &Receiver<()>, rows: &[&str]) {
    while composer.menu(60) != rows {
        let seen = composer.menu(60);
        if news.recv_timeout(Duration::from_secs(20)).is_err() && composer.menu(60) != rows {
            panic!("{rows:?} never came, but {seen:?}");
        }
    }
}

#[test]
fn mentions_complete_files_and_directories() {
    let files = ["src/main.rs", "src/my file.rs", "README.md", ".hidden"];
    let (_root, mut composer, news) = with_files(&files);
    composer.write("see @");
    wait_for(&mut composer, &news, &["› src/", "  README.md"]);
    composer.press([key(KeyCode::Enter)]);
    assert_eq!(composer.text(), "see @src/");
    wait_for(&mut composer, &news, &["› src/main.rs", "  src/my file.rs"]);
    composer.press([key(KeyCode::Down), key(KeyCode::Tab)]);
    assert_eq!(composer.text(), "see @\"src/my file.rs\" ");
    assert!(!composer.menu_open());
    composer.write("@READ");
    wait_for(&mut composer, &news, &["› README.md"]);
    composer.press([key(KeyCode::Esc)]);
    assert!(!composer.menu_open());
    assert_eq!(composer.press([key(KeyCode::Enter)]), ComposerEvent::Submit);
}

#[test]
fn results_of_an_earlier_text_are_never_taken() {
    let (_root, mut composer, news) = with_files(&["alpha.rs", "beta.rs"]);
    composer.write("@alp");
    wait_for(&mut composer, &news, &["› alpha.rs"]);
    composer.write("ha.rs");
    // Whether the answer is there or not: the whole name is typed, so Enter sends.
    assert_eq!(composer.press([key(KeyCode::Enter)]), ComposerEvent::Submit);
    assert_eq!(composer.text(), "@alpha.rs");
}

#[cfg(unix)]
#[test]
fn hostile_file_names_are_shown_clean_and_written_quoted() {
    let (_root, mut composer, news) = with_files(&["a\n\u{1b}[2Jb", "q\"uote"]);
    composer.write("@");
    wait_for(&mut composer, &news, &["› a\\n\\x1b[2Jb", "  q\"uote"]);
    composer.press([key(KeyCode::Enter)]);
    assert_eq!(composer.text(), "@\"a\\n\\x1b[2Jb\" ");
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a".to_owned()),
        Just(" ".to_owned()),
        Just("\n".to_owned()),
        Just("\u{301}".to_owned()),
        Just("\u{200d}".to_owned()),
        Just("👩".to_owned()),
        Just("🇨".to_owned()),
        Just("你".to_owned()),
        Just("/@\\\"".to_owned()),
        Just("\t\0".to_owned()),
    ]
}

#[derive(Debug, Clone)]
enum Deed {
    Insert(String),
    Paste,
    Key(KeyEvent),
}

fn deed() -> impl Strategy<Value = Deed> {
    let keys = vec![
        key(KeyCode::Left),
        key(KeyCode::Right),
        key(KeyCode::Up),
        key(KeyCode::Down),
        key(KeyCode::Home),
        key(KeyCode::End),
        key(KeyCode::Backspace),
        key(KeyCode::Delete),
        key(KeyCode::Tab),
        KeyEvent::new(KeyCode::Left, KeyModifiers::CONTROL),
        KeyEvent::new(KeyCode::Right, KeyModifiers::CONTROL),
        ctrl('k'),
        ctrl('u'),
        ctrl('w'),
        ctrl('y'),
        alt('y'),
        alt('d'),
        ctrl('_'),
        KeyEvent::new(KeyCode::Char('_'), KeyModifiers::CONTROL | KeyModifiers::SHIFT),
        ctrl('j'),
        key(KeyCode::Char('\u{301}')),
        key(KeyCode::Char('x')),
    ];
    prop_oneof![
        2 => piece().prop_map(Deed::Insert),
        1 => Just(Deed::Paste),
        8 => proptest::sample::select(keys).prop_map(Deed::Key),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_key_splits_a_unit_and_undo_leads_back(
        deeds in proptest::collection::vec(deed(), 1..60),
        columns in 1usize..30,
    ) {
        let pasted = "p\n".repeat(20);
        let mut composer = composer_with(&["old 你", "older"]);
        for deed in deeds {
            match deed {
                Deed::Insert(text) => composer.insert(&text),
                Deed::Paste => composer.paste(&pasted),
                Deed::Key(event) => {
                    composer.handle(event, &IDLE);
                }
            }
            let content = composer.buffer.content();
            let cursor = composer.buffer.cursor();
            prop_assert!(content.is_boundary(cursor), "{content:?} at {cursor}");
            for atom in &content.atoms {
                let label = &content.text[atom.range.clone()];
                prop_assert!(label.starts_with("[Pasted text #") && label.ends_with(']'));
            }
            prop_assert!(!content.text.chars().any(|c| c.is_control() && !"\n\t".contains(c)));
            let (rows, caret) = composer.shown(columns, 6);
            prop_assert_eq!(rows.is_empty(), caret.is_none());
            if let Some((row, column)) = caret {
                prop_assert!(row < rows.len() && column < columns.max(1));
            }
        }
        let end = composer.buffer.content().clone();
        let mut steps = 0;
        while composer.buffer.undo() {
            steps += 1;
        }
        prop_assert!(composer.is_empty());
        for _ in 0..steps {
            composer.buffer.redo();
        }
        // What had been taken back before could be done again, too: look for the end on the way.
        while composer.buffer.content() != &end && composer.buffer.undo() {}
        prop_assert_eq!(composer.buffer.content(), &end);
    }

    #[test]
    fn rows_hold_all_of_the_text_within_the_width(
        pieces in proptest::collection::vec(piece(), 0..80),
        columns in 8usize..30,
    ) {
        let text = paste::normalised(&pieces.concat());
        let content = Fragment::plain(text.clone());
        let layout = Layout::of(&content, columns);
        let lines = layout.lines(&content, 0..layout.len(), &Theme::dark());
        for line in &lines {
            let shown = line.to_string();
            prop_assert!(text::width(shown.trim_end_matches(' ')) < columns, "{shown:?}");
        }
        let mut at = 0;
        for cluster in text.graphemes(true) {
            let (row, column) = layout.caret(&content, at, columns);
            prop_assert!(row < layout.len() && column < columns);
            let back = layout.place(&content, row, layout.column_of(&content, at));
            prop_assert!(back >= at || text[back..at].graphemes(true).all(|c| text::width(c) == 0));
            at += cluster.len();
        }
    }
}
