//! What a session is called when nobody named it.

/// The title of a session about which nothing is known.
pub const UNTITLED: &str = "Untitled";

/// Longest derived title in characters, the `…` included.
const WIDTH: usize = 50;

/// A title from the first thing a user said: white space and control characters collapsed, at most
/// 50 characters, cut at a word. [`UNTITLED`] when nothing is left.
pub fn derive_title(text: &str) -> String {
    let mut title = String::new();
    let mut count = 0;
    let words =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    'words: for word in words {
        if !title.is_empty() {
            title.push(' ');
            count += 1;
        }
        for c in word.chars() {
            title.push(c);
            count += 1;
            if count > WIDTH {
                break 'words;
            }
        }
    }
    if title.is_empty() {
        return UNTITLED.to_owned();
    }
    if count <= WIDTH {
        return title;
    }
    let room = title.char_indices().nth(WIDTH - 1).map_or(title.len(), |(at, _)| at);
    // A space right behind the cut means the last word is whole.
    let cut = match title.char_indices().take(WIDTH).filter(|(_, c)| *c == ' ').last() {
        Some((space, _)) if space > 0 => space,
        _ => room,
    };
    title.truncate(cut);
    title.push('…');
    title
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_text_is_only_collapsed() {
        assert_eq!(derive_title("  fix\n\tthe   bug\u{1b} "), "fix the bug");
        assert_eq!(derive_title(" \n\u{7}"), UNTITLED);
        let fifty = "x".repeat(50);
        assert_eq!(derive_title(&fifty), fifty);
    }

    #[test]
    fn long_text_is_cut_at_a_word() {
        assert_eq!(
            derive_title("please refactor the whole authentication module of this service"),
            "please refactor the whole authentication module…"
        );
        assert_eq!(derive_title(&"漢".repeat(60)), format!("{}…", "漢".repeat(49)));
    }

    proptest! {
        #[test]
        fn never_longer_than_fifty(text in "(\\PC|\\s){0,200}") {
            let title = derive_title(&text);
            prop_assert!(title.chars().count() <= 50 && !title.contains('\n'));
        }
    }
}
