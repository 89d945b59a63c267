//! Shortened results: within the limit, and never a half of anything.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn a_short_text_stays() {
    for text in ["", "abc", "日本語", "{\"a\": [1, 2]}"] {
        let chars = text.chars().count();
        assert_eq!(bounded(text, chars, None), Bounded { text: text.to_owned(), cut: false });
    }
}

#[test]
fn a_long_text_keeps_its_beginning_and_its_end() {
    let lines: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    let short = bounded(&lines, 12_000, Some("/tmp/result.txt"));
    assert!(short.cut && short.text.chars().count() <= 12_000);
    assert!(short.text.chars().count() > 10_000);
    assert!(short.text.starts_with("line 0\nline 1\n"), "{}", &short.text[..80]);
    assert!(short.text.ends_with("\nline 19999\n"));
    assert!(short.text.contains(" characters left out here. To get less, ask with a filter"));
    assert!(short.text.contains("The whole result is in `/tmp/result.txt`"));
    // Cut between lines: every line is whole.
    for line in short.text.lines().filter(|line| line.starts_with("line ")) {
        assert!(lines.contains(&format!("{line}\n")), "{line}");
    }
}

#[test]
fn characters_are_never_halved_and_a_tiny_limit_holds() {
    let text = "日本語👩‍👩‍👧".repeat(1_000);
    for limit in [0, 1, 2, 50, 199, 400, 1_000] {
        let short = bounded(&text, limit, None);
        assert!(short.cut && short.text.chars().count() <= limit, "{limit}");
    }
    assert_eq!(bounded(&text, 3, None).text, "日本…");
}

#[test]
fn a_small_limit_costs_words_of_the_notice_first() {
    let file = format!("/home/somebody/{}/c1.txt", "long/".repeat(20));
    let lines: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    for limit in [300, 500, 800] {
        let short = bounded(&lines, limit, Some(&file));
        assert!(short.text.chars().count() <= limit, "{}", short.text);
        assert!(short.text.starts_with("line 0\n") && short.text.ends_with("line 19999\n"));
        assert!(short.text.contains("characters left out here."), "{}", short.text);
        let list = json!({"data": {"items": items(900)}}).to_string();
        let short = bounded(&list, limit, Some(&file));
        assert!(short.text.chars().count() <= limit, "{}", short.text);
        let (shown, notice) = parts(&short);
        assert!(!shown["data"]["items"].as_array().unwrap().is_empty());
        assert!(notice.contains(" of 900 entries of `data.items` are shown."), "{notice}");
    }
}

/// The JSON of a shortened text and its notice.
fn parts(short: &Bounded) -> (Value, &str) {
    let (json, notice) = short.text.split_once("\n\n[").unwrap();
    (serde_json::from_str(json).unwrap(), notice)
}

fn items(count: usize) -> Vec<Value> {
    (0..count).map(|n| json!({"id": n, "title": format!("Item [{n}] \"}}, ]")})).collect()
}

#[test]
fn a_list_keeps_whole_entries() {
    let all = items(5_000);
    let text = serde_json::to_string_pretty(&all).unwrap();
    assert!(text.len() > 170_000);
    let short = bounded(&text, 12_000, None);
    assert!(short.cut && short.text.chars().count() <= 12_000);
    let (shown, notice) = parts(&short);
    let shown = shown.as_array().unwrap();
    assert!(shown.len() > 200, "{}", shown.len());
    assert_eq!(shown[..], all[..shown.len()]);
    assert!(
        notice.starts_with(&format!("The first {} of 5000 entries are shown. To get", shown.len()))
    );
}

#[test]
fn a_wrapper_keeps_its_other_fields() {
    let text = json!({"total": 900, "items": items(900), "next": "page=2"}).to_string();
    let short = bounded(&text, 3_000, None);
    let (shown, notice) = parts(&short);
    assert_eq!((&shown["total"], &shown["next"]), (&json!(900), &json!("page=2")));
    let count = shown["items"].as_array().unwrap().len();
    assert!(
        count > 20 && notice.starts_with(&format!("The first {count} of 900 entries of `items`"))
    );
    assert!(short.text.starts_with("{\"total\":900,\"items\":[{\"id\":0,"));

    let deep = json!({"data": {"issues": {"nodes": items(900), "cursor": "x"}}}).to_string();
    let short = bounded(&deep, 3_000, None);
    let (shown, notice) = parts(&short);
    assert!(notice.contains("entries of `data.issues.nodes`"));
    assert_eq!(shown["data"]["issues"]["cursor"], "x");
}

#[test]
fn blanks_go_before_entries_do() {
    let text = serde_json::to_string_pretty(&items(50)).unwrap();
    let compact = serde_json::to_string(&items(50)).unwrap();
    let short = bounded(&text, compact.chars().count(), None);
    assert_eq!(short, Bounded { text: compact, cut: false });
}

#[test]
fn numbers_and_escapes_stay_as_they_were_written() {
    let entry = r#"{"id": 123456789012345678901234567890, "x": 1.10, "t": "\u00e9 a  b \\"}"#;
    let text = format!("[{}]", vec![entry; 500].join(", "));
    let short = bounded(&text, 2_000, None);
    assert!(
        short.text.starts_with(
            r#"[{"id":123456789012345678901234567890,"x":1.10,"t":"\u00e9 a  b \\"},"#
        )
    );
}

#[test]
fn what_has_no_entries_to_leave_out_is_cut_as_text() {
    let one_large = json!([{"text": "x".repeat(50_000)}]).to_string();
    let no_list = json!({"text": "x".repeat(50_000)}).to_string();
    let broken = format!("[{}", "{\"a\":1},".repeat(9_000));
    let nested = "[".repeat(50_000);
    for text in [one_large, no_list, broken, nested] {
        let short = bounded(&text, 2_000, None);
        assert!(short.cut && short.text.contains("characters left out here"));
        assert!(short.text.chars().count() <= 2_000);
    }
}

#[test]
fn parts_share_the_limit() {
    let image = ContentPart::ImageUrl {
        image_url: crate::protocol::MediaUrl { url: "data:,".to_owned(), id: None },
    };
    let text = |length: usize| ContentPart::text("x".repeat(length));
    let mut parts = vec![text(10), image.clone(), text(50_000), text(300), text(50_000)];
    assert!(bound_parts(&mut parts, 12_000, None));
    assert_eq!((&parts[0], &parts[1], &parts[3]), (&text(10), &image, &text(300)));
    let lengths: Vec<usize> =
        parts.iter().filter_map(ContentPart::as_text).map(|text| text.chars().count()).collect();
    assert!(lengths.iter().sum::<usize>() <= 12_000 && lengths[1] > 5_000 && lengths[3] > 5_000);

    let mut many: Vec<ContentPart> = (0..10_000).map(|_| text(3)).collect();
    assert!(bound_parts(&mut many, 100, None));
    assert!(many.len() <= 100);
    let mut few = vec![text(50), text(50)];
    assert!(!bound_parts(&mut few, 100, None));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|n| json!(n)),
        ".{0,60}".prop_map(|text| json!(text)),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 120, 12, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..12).prop_map(Value::Array),
            proptest::collection::vec((".{0,9}", inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_limit_holds_for_any_text(text in ".{0,900}|(line\n){0,200}", limit in 0usize..700) {
        let short = bounded(&text, limit, Some("/a/file"));
        prop_assert!(short.text.chars().count() <= limit);
        prop_assert_eq!(!short.cut, short.text == text);
    }

    #[test]
    fn the_limit_holds_for_any_json(value in any_json(), limit in 0usize..900, pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.unwrap();
        let short = bounded(&text, limit, None);
        prop_assert!(short.text.chars().count() <= limit);
        if !short.cut {
            prop_assert_eq!(serde_json::from_str::<Value>(&short.text).unwrap(), value);
        } else if let Some((json, notice)) = short.text.split_once("\n\n[The first ") {
            prop_assert!(serde_json::from_str::<Value>(json).is_ok());
            prop_assert!(notice.contains(" entries"));
        }
    }

    #[test]
    fn shares_never_exceed_the_limit(lengths in proptest::collection::vec(0usize..500, 0..20), limit in 0usize..2_000) {
        let shares = shares(&lengths, limit);
        prop_assert!(shares.iter().sum::<usize>() <= limit);
        prop_assert!(shares.iter().zip(&lengths).all(|(share, length)| share <= length));
    }
}
