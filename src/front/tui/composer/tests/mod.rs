//! Tests of the composer as its owner sees it: keys in, text and rows out.

mod menus;
mod properties;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::front::tui::keymap::Action;
use crate::platform::env::fixed;

const IDLE: ComposerContext = ComposerContext { running: false, queued: 0, commands: true };
const RUNNING: ComposerContext = ComposerContext { running: true, queued: 0, commands: true };

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
        let lines = self.menu_rows(columns, 20, &Theme::dark());
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
    assert_eq!(composer.text(), format!("see <{long}"), "an atom survives the kill ring");

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
fn the_editor_gives_atoms_back() {
    let long = "line\n".repeat(20);
    let mut composer = composer();
    composer.paste(&long);
    composer.attach(picture("a"));
    let edited = format!("before {} after", composer.text());
    composer.set_edited(&edited);
    let shown = "before [Pasted text #1 +20 lines][image:a-0123456789ab.png,4x3] after";
    assert_eq!(composer.display_text(), shown);
    assert_eq!(composer.text(), edited);
    assert!(composer.has_pictures());
    composer.set_edited("all new");
    assert_eq!(composer.take(), Submission::plain("all new"));
}

/// A picture that can be sent.
fn picture(stem: &str) -> Picture {
    let loaded = Loaded { path: format!("/kept/{stem}.png"), url: "data:,pixels".to_owned() };
    Picture::new(format!("{stem}-0123456789ab.png"), (4, 3), format!("/from/{stem}.png"), loaded)
}

#[test]
fn a_picture_goes_out_in_its_place_and_goes_with_its_label() {
    let mut composer = composer();
    composer.write("see ");
    composer.attach(picture("a"));
    composer.write(" twice");
    let message = composer.take();
    assert_eq!(message.text, "see [image:a-0123456789ab.png,4x3] twice");
    let UserInput::Parts(parts) = &message.input else { panic!("{:?}", message.input) };
    let texts: Vec<_> = parts.iter().map(|part| part.as_text().unwrap_or("(picture)")).collect();
    let open = "<image path=\"/kept/a.png\" source=\"/from/a.png\">";
    assert_eq!(texts, ["see ", open, "(picture)", "</image>", " twice"]);

    // Back as it was written; one key takes the whole of it away, another brings it back.
    composer.set_draft(message.draft);
    assert!(composer.has_pictures() && composer.unloaded().is_empty());
    composer.press([key(KeyCode::Home)]);
    for _ in 0.."see ".len() {
        composer.press([key(KeyCode::Right)]);
    }
    composer.press([key(KeyCode::Delete)]);
    assert_eq!(composer.text(), "see  twice");
    assert_eq!(composer.buffer.content().input(), UserInput::Text("see  twice".to_owned()));
    composer.press([ctrl('_')]);
    assert!(composer.has_pictures());
}

#[test]
fn a_recalled_message_has_its_pictures_once_they_are_loaded() {
    let label = "[image:a-0123456789ab.png,4x3]";
    let mut composer = composer_with(&[&format!("see {label}")]);
    composer.press([key(KeyCode::Up)]);
    let [unloaded] = &composer.unloaded()[..] else { panic!("nothing to load") };
    assert_eq!(unloaded.name, "a-0123456789ab.png");
    unloaded.settle(Some(Loaded { path: "/kept/a.png".into(), url: "data:,p".into() }));
    assert!(composer.unloaded().is_empty());
    assert!(matches!(composer.take().input, UserInput::Parts(parts) if parts.len() == 4));
    composer.set_text(&format!("{label} and [image:../a-0123456789ab.png]"));
    assert_eq!(composer.unloaded().len(), 1, "only names of kept pictures are looked for");
    composer.unloaded()[0].settle(None);
    assert!(matches!(composer.take().input, UserInput::Parts(parts)
        if parts.iter().all(|part| part.as_text().is_some())));
}

#[test]
fn a_pasted_path_gives_way_to_its_picture_wherever_it_is_by_then() {
    let mut composer = composer();
    composer.write("what is ");
    composer.paste("/a/b.png");
    composer.write(" about?");
    composer.press([key(KeyCode::Home)]);
    assert!(composer.attach_for("/a/b.png", vec![picture("b")]));
    assert_eq!(composer.display_text(), "what is [image:b-0123456789ab.png,4x3]  about?");
    composer.write(">");
    assert!(composer.display_text().starts_with('>'), "the cursor stays where it is");
    assert!(!composer.attach_for("/a/b.png", vec![picture("b")]), "it is gone");
    composer.take();
    assert!(!composer.attach_for("/a/b.png", vec![picture("b")]));
    assert!(!composer.attach_for("", vec![picture("b")]));
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
fn an_empty_enter_sends_what_waits() {
    let mut composer = composer_with(&[]);
    let cx = ComposerContext { queued: 1, ..IDLE };
    assert_eq!(composer.handle(key(KeyCode::Enter), &cx), ComposerEvent::Submit);
    let cx = ComposerContext { queued: 1, ..RUNNING };
    assert_eq!(composer.handle(key(KeyCode::Enter), &cx), ComposerEvent::None);
    assert_eq!(composer.handle(key(KeyCode::Enter), &IDLE), ComposerEvent::None);
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
    assert!(composer.record(&Submission::plain("a")).is_some());
    assert!(composer.record(&Submission::plain("a")).is_none());
    assert!(composer.record(&Submission::plain(" \n")).is_none());
    assert!(
        composer.record(&Submission::plain("b")).is_some()
            && composer.record(&Submission::plain("a")).is_some()
    );
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
        (key(KeyCode::BackTab), Action::TogglePlanMode),
        (key(KeyCode::PageUp), Action::ToggleOutput),
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
fn a_huge_message_comes_back_as_an_atom() {
    let huge = "word ".repeat(20_000);
    let mut composer = composer_with(&[&huge]);
    composer.press([key(KeyCode::Up)]);
    assert_eq!(composer.display_text(), "[Pasted text #1]");
    assert_eq!(composer.take().text, huge);
}
