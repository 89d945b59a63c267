use ratatui::layout::Size;

use crate::front::tui::cells::testing::text;
use crate::front::tui::dialogs::testing::keys;
use crate::front::tui::overlays::{
    ModelItem, ModelPicker, Overlay, OverlayReply, SessionItem, SessionPicker, ThemePicker,
    Thinking,
};
use crate::front::tui::theme::Theme;

const SIZE: Size = Size { width: 70, height: 14 };

fn press(overlay: &mut dyn Overlay, pressed: &str) -> OverlayReply {
    keys(pressed).into_iter().map(|key| overlay.key(key, SIZE)).last().expect("a key")
}

fn shown(overlay: &dyn Overlay) -> String {
    text(&overlay.rows(SIZE, &Theme::dark())).trim_end().to_owned()
}

fn sessions() -> SessionPicker {
    let session = |id: &str, title: &str, when: &str| SessionItem {
        id: id.into(),
        title: title.into(),
        when: when.into(),
        directory: None,
        current: false,
        archived: false,
    };
    let items = vec![
        session("316bd634-6fd0", "Fix the 解析 bug", "5m ago"),
        session("58907a30-1111", "hi there", "2d ago"),
    ];
    SessionPicker::new(items, false)
}

#[test]
fn sessions_are_chosen_by_title_or_id() {
    insta::assert_snapshot!(shown(&sessions()), @r"
    Sessions of this directory
    / █
    ▶ 5m ago · 316bd634 · Fix the 解析 bug
      2d ago · 58907a30 · hi there









    1/2 · ↵ choose · ctrl-a all · ctrl-x archive · ctrl-d delete
    ");
    assert_eq!(press(&mut sessions(), "there⏎"), OverlayReply::Session("58907a30-1111".into()));
    assert_eq!(press(&mut sessions(), "316⏎"), OverlayReply::Session("316bd634-6fd0".into()));
}

#[test]
fn all_directories_is_a_switch() {
    let mut picker = sessions();
    assert_eq!(press(&mut picker, "^a"), OverlayReply::AllDirectories(true));
    assert!(shown(&picker).contains("all directories"));
    picker.set_items(Vec::new());
    assert!(shown(&picker).contains("nothing here"));
    assert_eq!(press(&mut picker, "^a"), OverlayReply::AllDirectories(false));
}

#[test]
fn deleting_asks_first() {
    let mut picker = sessions();
    assert_eq!(press(&mut picker, "^d"), OverlayReply::Redraw);
    assert!(shown(&picker).contains("Delete session 316bd634 for good?"));
    assert_eq!(press(&mut picker, "x"), OverlayReply::Redraw);
    assert!(!shown(&picker).contains("Delete session"));
    assert_eq!(press(&mut picker, "↓^dy"), OverlayReply::DeleteSession("58907a30-1111".into()));
    assert_eq!(press(&mut picker, "^d⎋"), OverlayReply::Redraw);
}

#[test]
fn a_session_is_put_away_by_a_key() {
    let mut picker = sessions();
    assert_eq!(press(&mut picker, "↓^x"), OverlayReply::ArchiveSession("58907a30-1111".into()));
    let away = SessionItem {
        id: "58907a30-1111".into(),
        when: "2d ago".into(),
        title: "hi there".into(),
        archived: true,
        ..SessionItem::default()
    };
    picker.set_items(vec![away]);
    assert!(shown(&picker).contains("2d ago · 58907a30 · archived · hi there"));
    picker.set_items(Vec::new());
    assert_eq!(press(&mut picker, "^x"), OverlayReply::Redraw);
}

#[test]
fn the_open_session_stays() {
    let open = SessionItem { id: "316bd634".into(), current: true, ..SessionItem::default() };
    let mut picker = SessionPicker::new(vec![open], false);
    for (key, why) in [("^x", "cannot be put away"), ("^d", "cannot be deleted")] {
        assert_eq!(press(&mut picker, key), OverlayReply::Redraw);
        assert!(shown(&picker).contains(why));
    }
    assert_eq!(press(&mut picker, "^dy"), OverlayReply::Redraw, "y goes to the filter");
    assert!(!shown(&picker).contains("cannot"));
}

fn models() -> ModelPicker {
    let model = |name: &str, thinking, current| ModelItem {
        name: name.into(),
        display: String::new(),
        detail: "kimi · 262k".into(),
        thinking,
        current,
    };
    let items = vec![
        model("kimi-k2", Thinking::Optional, true),
        model("thinker", Thinking::Always, false),
        model("plain", Thinking::Never, false),
    ];
    ModelPicker::new(items, true)
}

#[test]
fn models_and_their_thinking() {
    insta::assert_snapshot!(shown(&models()), @r"
    Models
    / █
    ▶ kimi-k2 ← current  kimi · 262k
      thinker  kimi · 262k
      plain  kimi · 262k








    thinking: ‹ on › · ←/→ change · type to filter · ↵ choose · esc close
    ");
    let picked = |name: &str, thinking| OverlayReply::Model { name: name.into(), thinking };
    assert_eq!(press(&mut models(), "⏎"), picked("kimi-k2", true));
    assert_eq!(press(&mut models(), "→⏎"), picked("kimi-k2", false));
    assert_eq!(press(&mut models(), "→↓⏎"), picked("thinker", true));
    assert_eq!(press(&mut models(), "↓→"), OverlayReply::Ignored);
    assert_eq!(press(&mut models(), "plain⏎"), picked("plain", false));
}

#[test]
fn themes_are_shown_on_the_way() {
    let names: Vec<_> = ["dark", "light", "paper"].map(str::to_owned).into();
    let mut picker = ThemePicker::new(&names, "light");
    assert_eq!(press(&mut picker, "↓"), OverlayReply::PreviewTheme("paper".into()));
    assert_eq!(press(&mut picker, "↓"), OverlayReply::PreviewTheme("dark".into()));
    assert_eq!(press(&mut picker, "⏎"), OverlayReply::Theme("dark".into()));
    assert_eq!(press(&mut picker, "⎋"), OverlayReply::RestoreTheme("light".into()));
    assert_eq!(press(&mut picker, "p"), OverlayReply::PreviewTheme("paper".into()));
    assert!(shown(&picker).contains("What the model thinks"));
}
