//! Completion: slash commands, their arguments, files.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;

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
        Invocation {
            name: "frobnicate".to_owned(),
            args: "now\nplease".to_owned(),
            known: false,
            nearest: None,
        }
    );
    composer.take();
    composer.write("!/mo");
    assert!(!composer.menu_open());
    assert_eq!(composer.press([key(KeyCode::Enter)]), ComposerEvent::Submit);
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
    let (root, composer, news, _) = with_files_and_clock(files);
    (root, composer, news)
}

type Tree = (tempfile::TempDir, Composer, Receiver<()>, Arc<fixed::FixedClock>);

fn with_files_and_clock(files: &[&str]) -> Tree {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
    let (news, inbox) = channel();
    let clock = Arc::new(fixed::FixedClock::new());
    let index = FileIndex::new(root.path().to_owned(), clock.clone(), move || {
        let _ = news.send(());
    });
    let thresholds = PasteThresholds::default();
    let composer = Composer::new(History::default(), Vec::new(), Some(index), thresholds);
    (root, composer, inbox, clock)
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

#[test]
fn an_old_index_is_built_anew_when_the_menu_opens() {
    let (root, mut composer, news, clock) = with_files_and_clock(&["one.txt"]);
    composer.write("@");
    wait_for(&mut composer, &news, &["› one.txt"]);
    composer.clear();
    std::fs::write(root.path().join("two.txt"), "x").unwrap();
    clock.advance(Duration::from_secs(3));
    composer.write("@");
    wait_for(&mut composer, &news, &["› one.txt", "  two.txt"]);
    composer.write("two");
    wait_for(&mut composer, &news, &["› two.txt"]);
}

#[test]
fn a_low_screen_keeps_the_selected_row() {
    let commands = (0..30).map(|n| command(&format!("cmd{n}"), &[], "does it")).collect();
    let mut composer =
        Composer::new(History::default(), commands, None, PasteThresholds::default());
    composer.write("/cmd");
    composer.press((0..7).map(|_| key(KeyCode::Down)));
    for max_rows in 2..6 {
        let lines = composer.menu_rows(40, max_rows, &Theme::dark());
        assert_eq!(lines.len(), max_rows);
        assert!(lines.iter().any(|line| line.to_string().starts_with("› /cmd7")));
    }
    assert!(composer.menu_rows(40, 1, &Theme::dark()).is_empty());
}

#[test]
fn a_typing_error_names_the_nearest_command() {
    for (typed, nearest) in [
        ("/sesions x", Some("sessions")),
        ("/modle", Some("model")),
        ("/qiut", Some("exit")),
        ("/zzzzzz", None),
        ("/x", None),
    ] {
        let mut composer = composer();
        composer.paste(typed);
        let ComposerEvent::RunCommand(command) = composer.press([key(KeyCode::Enter)]) else {
            panic!("not a command")
        };
        assert!(!command.known);
        assert_eq!(command.nearest.as_deref(), nearest, "{typed}");
    }
}
