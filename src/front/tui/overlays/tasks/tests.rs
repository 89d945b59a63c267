use super::*;
use crate::front::tui::theme::ColorSupport;

fn item(n: usize, active: bool) -> TaskItem {
    TaskItem {
        id: format!("bash-{n:08}"),
        active,
        status: if active { "running 3s" } else { "completed 3s" }.to_owned(),
        description: format!("job number {n}"),
        facts: vec![("task", format!("bash-{n:08}")), ("command", "make\u{1b}[31m all".to_owned())],
    }
}

fn text(browser: &TaskBrowser, columns: u16, height: u16) -> Vec<String> {
    let theme = Theme::load("dark", None).0.with_support(ColorSupport::None);
    let rows = browser.rows(Size::new(columns, height), &theme);
    assert_eq!(rows.len(), usize::from(height));
    rows.iter()
        .map(|line| {
            assert!(line_width(line) <= usize::from(columns), "{line:?}");
            line.spans.iter().map(|span| span.content.as_ref()).collect()
        })
        .collect()
}

fn press(browser: &mut TaskBrowser, code: KeyCode) -> OverlayReply {
    browser.key(code.into(), Size::new(80, 24))
}

#[test]
fn it_fits_every_size_and_lets_nothing_through() {
    let items: Vec<TaskItem> = (0..40).map(|n| item(n, n < 30)).collect();
    let mut browser = TaskBrowser::new(items, None);
    browser.set_output("bash-00000000", "one\u{1b}]0;x\u{7}\n⠋ two\n");
    for size in [(20, 3), (47, 24), (48, 10), (80, 24), (120, 40), (300, 80)] {
        let rows = text(&browser, size.0, size.1);
        assert!(
            rows.iter().all(|row| !row.contains('\u{1b}') && !row.contains("│ ⠋")),
            "{rows:#?}"
        );
    }
    let rows = text(&browser, 80, 24);
    assert!(rows[0].contains("30 running · 40 in all · shown: running"), "{}", rows[0]);
    assert!(rows.iter().any(|row| row.contains("❯ job number 0")));
    assert!(rows.iter().any(|row| row.contains("one")));
    assert!(text(&browser, 47, 24)[0].contains("Too small"));
}

#[test]
fn a_task_stops_only_after_a_yes() {
    let mut browser = TaskBrowser::new(vec![item(1, true), item(2, false)], None);
    press(&mut browser, KeyCode::Char('s'));
    assert!(text(&browser, 80, 24)[23].contains("Stop bash-00000001?"));
    assert_eq!(press(&mut browser, KeyCode::Enter), OverlayReply::Redraw);
    press(&mut browser, KeyCode::Char('s'));
    for _ in 0..CONFIRM_TICKS {
        browser.tick();
    }
    assert!(matches!(press(&mut browser, KeyCode::Char('y')), OverlayReply::Ignored));
    press(&mut browser, KeyCode::Char('s'));
    let stop = OverlayReply::StopTask("bash-00000001".to_owned());
    assert_eq!(press(&mut browser, KeyCode::Char('y')), stop);
    // One that is over cannot be stopped.
    press(&mut browser, KeyCode::Tab);
    press(&mut browser, KeyCode::Down);
    assert_eq!(browser.marked(), Some("bash-00000002"));
    assert_eq!(press(&mut browser, KeyCode::Char('s')), OverlayReply::Ignored);
}

#[test]
fn the_mark_stays_with_a_task_that_ends() {
    let mut browser = TaskBrowser::new(vec![item(1, true), item(2, true)], None);
    press(&mut browser, KeyCode::Down);
    browser.set_items(vec![item(2, false), item(1, true)]);
    assert_eq!(browser.marked(), Some("bash-00000002"));
    assert!(text(&browser, 80, 24).iter().any(|row| row.contains("❯ job number 2")));
    browser.set_items(Vec::new());
    assert_eq!(browser.marked(), None);
    assert!(text(&browser, 80, 24).iter().any(|row| row.contains("No tasks yet")));
}

#[test]
fn the_whole_output_follows_its_end() {
    let mut browser = TaskBrowser::new(vec![item(1, true)], None);
    let lines = |n: usize| (1..=n).map(|n| format!("line {n}\n")).collect::<String>();
    browser.set_output("bash-00000001", &lines(50));
    press(&mut browser, KeyCode::Enter);
    assert!(text(&browser, 80, 24).iter().any(|row| row.contains("line 50")));
    browser.set_output("bash-00000001", &lines(90));
    assert!(text(&browser, 80, 24).iter().any(|row| row.contains("line 90")));
    press(&mut browser, KeyCode::Home);
    browser.set_output("bash-00000001", &lines(120));
    let rows = text(&browser, 80, 24);
    assert!(rows.iter().any(|row| row.trim() == "line 1"), "who reads is left alone: {rows:#?}");
    browser.set_output("bash-99999999", "of another");
    assert!(!text(&browser, 80, 24).iter().any(|row| row.contains("of another")));
}
