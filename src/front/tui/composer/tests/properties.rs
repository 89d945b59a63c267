//! Random keys and random text: what must hold whatever happens.

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::*;

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
        Just("\u{202e}".to_owned()),
        Just("\u{2029}\u{200b}".to_owned()),
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
        columns in 11usize..30,
    ) {
        let text = paste::normalised(&pieces.concat());
        let content = Fragment::plain(text.clone());
        let layout = Layout::of(&content, columns);
        let lines = layout.lines(&content, 0..layout.len(), &Theme::dark());
        for (row, line) in lines.iter().enumerate() {
            let shown = line.to_string();
            let drawn = layout.drawn_width(&content, row);
            prop_assert_eq!(drawn, text::width(&shown), "cleaning and counting agree: {:?}", shown);
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
