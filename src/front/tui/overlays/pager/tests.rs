use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;
use ratatui::style::Style;
use ratatui::text::Line;

use super::{Overlay, OverlayReply, Pager};
use crate::front::tui::cells::row;
use crate::front::tui::cells::testing::{HOSTILE, fits, line, text};
use crate::front::tui::dialogs::testing::keys;
use crate::front::tui::theme::Theme;

const SMALL: Size = Size { width: 40, height: 7 };

fn over(title: &str, text: &str) -> Pager {
    Pager::new(title, row::foreign(text).lines().map(|line| Line::from(line.to_owned())).collect())
}

fn numbered(n: usize) -> Pager {
    over("A title", &(1..=n).map(|n| format!("line {n}\n")).collect::<String>())
}

fn press(pager: &mut Pager, pressed: &str) -> OverlayReply {
    keys(pressed).into_iter().map(|key| pager.key(key, SMALL)).last().expect("a key")
}

/// The first row of text on the screen.
fn top(pager: &Pager) -> String {
    line(&pager.rows(SMALL, &Theme::dark())[1])
}

#[test]
fn a_page() {
    insta::assert_snapshot!(text(&numbered(3).rows(SMALL, &Theme::dark())), @r"
    A title
    line 1
    line 2
    line 3


    3/3 · / search · q close · ↑↓ space b …
    ");
    insta::assert_snapshot!(text(&numbered(300).rows(SMALL, &Theme::dark())), @r"
    A title
    line 1
    line 2
    line 3
    line 4
    line 5
    5/300 · / search · q close · ↑↓ space …
    ");
}

#[test]
fn scrolling_stops_at_both_ends() {
    let mut pager = numbered(100);
    for (pressed, first) in [
        ("↓", " line 2"),
        ("jj", " line 4"),
        ("k", " line 3"),
        (" ", " line 8"),
        ("b", " line 3"),
        ("↑↑↑↑↑", " line 1"),
        ("G", " line 96"),
        ("↓ ", " line 96"),
        ("^u", " line 94"),
        ("^d^d", " line 96"),
        ("g", " line 1"),
        ("^f", " line 6"),
        ("^b", " line 1"),
    ] {
        press(&mut pager, pressed);
        assert_eq!(top(&pager), first, "{pressed}");
    }
    assert_eq!(
        pager.key(KeyEvent::new(KeyCode::PageDown, KeyModifiers::NONE), SMALL),
        OverlayReply::Redraw
    );
    assert_eq!(top(&pager), " line 6");
}

#[test]
fn search_goes_around_both_ways() {
    let mut pager = numbered(100);
    press(&mut pager, "/line 5⏎");
    assert_eq!(top(&pager), " line 5");
    press(&mut pager, "n");
    assert_eq!(top(&pager), " line 50");
    press(&mut pager, "NN");
    assert_eq!(top(&pager), " line 59");
    press(&mut pager, "/nowhere⏎");
    assert!(text(&pager.rows(SMALL, &Theme::dark())).contains("not found: nowhere"));
    assert_eq!(top(&pager), " line 59");
    press(&mut pager, "/LINE⏎");
    assert_eq!(top(&pager), " line 59", "capitals are meant");
    assert_eq!(press(&mut pager, "/x⎋"), OverlayReply::Redraw);
    assert_eq!(press(&mut pager, "q"), OverlayReply::Close);
}

#[test]
fn hits_are_marked_and_nothing_else() {
    let mut pager = over("t", "a needle in a needlestack\nhay");
    press(&mut pager, "/needle⏎");
    let rows = pager.rows(SMALL, &Theme::dark());
    let marked: Vec<_> = rows[1]
        .spans
        .iter()
        .filter(|span| span.style != Style::new())
        .map(|span| span.content.as_ref())
        .collect();
    assert_eq!(marked, ["needle", "needle"]);
    assert_eq!(line(&rows[1]), " a needle in a needlestack");
}

#[test]
fn a_hundred_thousand_lines_and_a_line_without_end() {
    let mut pager = numbered(100_000);
    press(&mut pager, "G");
    assert_eq!(top(&pager), " line 99996");
    press(&mut pager, "/line 77777⏎");
    assert_eq!(top(&pager), " line 77777");

    let mut pager = over("t", &"世x".repeat(500_000));
    press(&mut pager, "G   b");
    for row in pager.rows(SMALL, &Theme::dark()) {
        fits(&row, SMALL.width);
    }
}

#[test]
fn a_change_of_size_keeps_the_place() {
    let mut pager = over("t", &format!("{}\nend", "word ".repeat(100)));
    press(&mut pager, "G");
    let wide = Size { width: 120, height: 20 };
    let rows = pager.rows(wide, &Theme::dark());
    assert_eq!(rows.len(), 20);
    assert!(line(&rows[1]).starts_with(" word"));
}

#[test]
fn any_content_fits_any_size() {
    let styled = vec![Line::raw("plain"), Line::styled("styled", Style::new()), Line::default()];
    for pager in
        [over(HOSTILE, HOSTILE), over("", ""), Pager::new("t", styled), Pager::new("t", Vec::new())]
    {
        for (width, height) in [(1, 1), (2, 2), (12, 3), (40, 10), (120, 50)] {
            let size = Size { width, height };
            let mut pager = pager.clone();
            for key in keys("G /x⏎nNgk^u/abc") {
                pager.key(key, size);
                let rows = pager.rows(size, &Theme::dark());
                assert_eq!(rows.len(), usize::from(height));
                if width >= 12 {
                    rows.iter().for_each(|row| fits(row, width));
                }
            }
        }
    }
}

#[test]
fn further_rows_of_a_line_hang() {
    let pager = over(
        "t",
        "  ctrl-x     leaves the program at once, whatever it does\nplain text that is long enough to be wrapped",
    );
    insta::assert_snapshot!(text(&pager.rows(SMALL, &Theme::dark())[1..5]), @r"
       ctrl-x     leaves the program at
         once, whatever it does
     plain text that is long enough to be
     wrapped
    ");
}
