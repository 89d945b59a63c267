//! The text of an HTML page.

use htmd::HtmlToMarkdown;

/// What is not the page's text.
const SKIPPED: [&str; 14] = [
    "script", "style", "noscript", "template", "nav", "footer", "aside", "iframe", "svg", "form",
    "button", "head", "object", "canvas",
];
/// Deeper pages are no pages but attacks: parsing takes time quadratic in the depth, converting
/// takes stack.
const MAX_DEPTH: usize = 512;
const STACK: usize = 64 << 20;

/// The page as Markdown, without scripts and navigation.
pub fn to_text(html: &str) -> String {
    if depth(html) > MAX_DEPTH {
        return strip(html);
    }
    // The converter calls itself for every level.
    let converted = std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, || {
                HtmlToMarkdown::builder().skip_tags(SKIPPED.to_vec()).build().convert(html).ok()
            })
            .ok()
            .and_then(|thread| thread.join().ok().flatten())
    });
    converted.unwrap_or_else(|| strip(html))
}

/// An upper estimate of how deep the elements are nested.
fn depth(html: &str) -> usize {
    // Never closed, or closed by their next sibling.
    const FLAT: [&str; 22] = [
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source",
        "track", "wbr", "p", "li", "dt", "dd", "tr", "td", "th", "option", "path",
    ];
    let (mut depth, mut deepest) = (0_usize, 0);
    for tag in html.split('<').skip(1) {
        let (closing, name) = match tag.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, tag),
        };
        let length = name.bytes().take(24).take_while(u8::is_ascii_alphanumeric).count();
        let name = name.get(..length).unwrap_or_default();
        if length == 0 || FLAT.iter().any(|flat| flat.eq_ignore_ascii_case(name)) {
            continue;
        }
        depth = if closing { depth.saturating_sub(1) } else { depth + 1 };
        deepest = deepest.max(depth);
    }
    deepest
}

/// The text without tags and scripts: crude, but with no limits.
fn strip(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        out.push_str(rest.get(..start).unwrap_or_default());
        let tag = rest.get(start..).unwrap_or_default();
        let skipped = ["script", "style"].into_iter().find(|name| {
            tag.get(1..=name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
        });
        let end = match skipped {
            Some("script") => find_ignoring_case(tag, "</script"),
            Some(_) => find_ignoring_case(tag, "</style"),
            None => Some(0),
        };
        rest = end
            .and_then(|end| tag.get(end..))
            .and_then(|tag| tag.find('>').and_then(|end| tag.get(end + 1..)))
            .unwrap_or_default();
        out.push(' ');
    }
    out.push_str(rest);
    let lines = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn find_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    text.match_indices('<').map(|(at, _)| at).find(|&at| {
        text.get(at..at + needle.len()).is_some_and(|found| found.eq_ignore_ascii_case(needle))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_navigation_are_dropped() {
        let html = "<html><head><title>T</title><script>evil()</script></head><body>\
            <nav><a href='/'>Home</a></nav><h1>Title</h1><p>Some <b>bold</b> text.</p>\
            <table><tr><th>a</th></tr><tr><td>1</td></tr></table>\
            <style>p{}</style><footer>imprint</footer></body></html>";
        let text = to_text(html);
        assert!(text.contains("# Title") && text.contains("Some **bold** text."), "{text}");
        for gone in ["evil", "Home", "imprint", "p{}"] {
            assert!(!text.contains(gone), "{text}");
        }
    }

    #[test]
    fn a_bottomless_page_neither_overflows_nor_stalls() {
        for tag in ["div", "b", "table><tr><td"] {
            let html = format!("{}<script>evil()</script>deep", format!("<{tag}>").repeat(300_000));
            assert_eq!(to_text(&html).trim(), "deep", "{tag}");
        }
        let flat = "<p>x<br>".repeat(3000);
        assert!(depth(&flat) < 10);
    }

    #[test]
    fn torn_pages_are_survived() {
        for html in ["<", "<script>", "<p", "a < b", "<é", "</", "<script>é</scrip"] {
            let _ = strip(html);
            let _ = to_text(html);
        }
        assert_eq!(strip("a <b>c</b>\n<SCRIPT>x</Script >d"), "a c\nd");
    }
}
