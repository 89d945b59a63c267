use ratatui::layout::Size;

use super::{ListItem, ListPicker, OverlayReply};
use crate::front::tui::cells::testing::{HOSTILE, fits, text};
use crate::front::tui::dialogs::testing::keys;
use crate::front::tui::theme::Theme;

const SIZE: Size = Size { width: 60, height: 9 };

fn item(id: &str, detail: &str, current: bool) -> ListItem {
    ListItem {
        id: id.into(),
        label: id.into(),
        detail: detail.into(),
        current,
        ..ListItem::default()
    }
}

fn fruit() -> ListPicker {
    let items = vec![
        item("apple", "red", false),
        item("banana", "yellow", true),
        item("世界 cherry 🍒", "red, small, with a rather long description of itself", false),
    ];
    ListPicker::new("Fruit", "ctrl-x eat", items)
}

fn press(list: &mut ListPicker, pressed: &str) -> OverlayReply {
    keys(pressed).into_iter().map(|key| list.key(key, SIZE)).last().expect("a key")
}

#[test]
fn a_list() {
    insta::assert_snapshot!(text(&fruit().draw(SIZE, None, &Theme::dark())), @r"
    Fruit
    / █
      apple  red
    ▶ banana ← current  yellow
      世界 cherry 🍒  red, small, with a rather long descripti…



    2/3 · type to filter · ↵ choose · ctrl-x eat · esc close
    ");
}

#[test]
fn moving_wraps_around() {
    let mut list = fruit();
    assert_eq!(list.selected_id(), Some("banana"), "begins at the current one");
    press(&mut list, "↓");
    assert_eq!(list.selected_id(), Some("世界 cherry 🍒"));
    press(&mut list, "↓");
    assert_eq!(list.selected_id(), Some("apple"));
    press(&mut list, "↑^p");
    assert_eq!(list.selected_id(), Some("banana"));
    assert_eq!(press(&mut list, "⏎"), OverlayReply::Picked("banana".into()));
}

#[test]
fn typing_filters_and_escape_clears_first() {
    let mut list = fruit();
    press(&mut list, "chry");
    assert_eq!(list.selected_id(), Some("世界 cherry 🍒"));
    press(&mut list, "zzz");
    assert_eq!(list.selected_id(), None);
    assert_eq!(press(&mut list, "⏎"), OverlayReply::Ignored);
    assert!(text(&list.draw(SIZE, None, &Theme::dark())).contains("nothing matches"));
    assert_eq!(press(&mut list, "⎋"), OverlayReply::Redraw);
    assert_eq!(list.selected_id(), Some("apple"));
    assert_eq!(press(&mut list, "⎋"), OverlayReply::Close);
}

#[test]
fn new_items_keep_the_mark() {
    let mut list = fruit();
    list.set_items(vec![item("new", "", false), item("banana", "", false)]);
    assert_eq!(list.selected_id(), Some("banana"));
    list.set_items(vec![item("other", "", false)]);
    assert_eq!(list.selected_id(), Some("other"));
    list.set_items(Vec::new());
    assert_eq!(list.selected_id(), None);
    assert_eq!(press(&mut list, "↓"), OverlayReply::Redraw);
}

#[test]
fn long_and_hostile_lists_fit() {
    let mut items: Vec<_> = (0..500).map(|n| item(&format!("item {n}"), HOSTILE, false)).collect();
    items.push(item(&"世x".repeat(5_000), "", true));
    let mut list = ListPicker::new(HOSTILE, "", items);
    for (width, height) in [(1, 1), (12, 4), (40, 10), (120, 50)] {
        let size = Size { width, height };
        for key in keys("↑↓↓item 49⏎") {
            list.key(key, size);
            let rows = list.draw(size, None, &Theme::dark());
            assert_eq!(rows.len(), usize::from(height));
            if width >= 12 {
                rows.iter().for_each(|row| fits(row, width));
            }
        }
    }
}

#[test]
fn a_long_label_leaves_room_for_what_stands_beside_it() {
    let size = Size { width: 80, height: 9 };
    let list =
        |detail: &str| ListPicker::new("Long", "", vec![item(&"n".repeat(77), detail, false)]);
    for detail in ["failed · it was killed by a signal", "off", "needs authorization"] {
        let drawn = text(&list(detail).draw(size, None, &Theme::dark()));
        assert!(drawn.contains(&format!("n…  {}", &detail[..3])), "{drawn}");
    }
    let drawn = text(&list("").draw(size, None, &Theme::dark()));
    assert!(drawn.contains(&"n".repeat(60)), "{drawn}");
}
