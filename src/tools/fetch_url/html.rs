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
/// Characters of a title.
const MAX_TITLE: usize = 300;

/// The page with its title first, where its text does not say it anyway. Empty for a page without a
/// text: a title alone is none.
pub fn to_titled_text(html: &str) -> String {
    let text = to_text(html);
    match title(html) {
        Some(title) if !text.trim().is_empty() && !text.contains(&title) => {
            format!("Title: {title}\n\n{text}")
        }
        _ => text,
    }
}

/// What the head of the page calls it, on one line.
fn title(html: &str) -> Option<String> {
    // Drawings in the page have titles too.
    let head = html.get(..find_ignoring_case(html, "<body").unwrap_or(html.len()))?;
    let tag = head.get(find_ignoring_case(head, "<title")? + "<title".len()..)?;
    if !tag.starts_with(|c: char| c == '>' || c.is_ascii_whitespace()) {
        return None;
    }
    let title = tag.get(tag.find('>')? + 1..)?;
    let title = to_text(title.get(..find_ignoring_case(title, "</title")?)?);
    let line: String = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().take(MAX_TITLE).collect();
    (!line.is_empty()).then_some(line)
}

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
    fn the_title_stands_before_a_text_that_does_not_say_it() {
        let page =
            |title: &str| to_titled_text(&format!("<html><head>{title}</head><body><p>Some words"));
        for (title, told) in [
            ("<title>A page</title>", "Title: A page\n\nSome words"),
            (
                "<meta x><TITLE lang=en>\n Tom &amp;\tJerry </TITLE ><title>b</title>",
                "Title: Tom & Jerry\n\nSome words",
            ),
            ("<title>Some words</title>", "Some words"),
            ("<title> </title>", "Some words"),
            ("<titles>No</titles>", "No\n\nSome words"),
            ("", "Some words"),
        ] {
            assert_eq!(page(title).trim(), told, "{title}");
        }
        let drawing = "<body><svg><title>An icon</title></svg><p>Some words";
        assert_eq!(to_titled_text(drawing).trim(), "Some words");
        assert_eq!(to_titled_text("<title>App</title><div id=app></div>").trim(), "");
        let long = title(&format!("<title>{}</title>", "é".repeat(1000)));
        assert_eq!(long.unwrap().chars().count(), 300);
        for torn in ["<title", "<title>", "<title>x", "<title>x</title", "<body"] {
            let _ = to_titled_text(torn);
        }
        assert_eq!(title("<title>x"), None);
    }

    #[test]
    fn tables_lists_links_and_code_keep_their_form() {
        let html = "<table><thead><tr><th>Name</th><th>Size</th></tr></thead>\
            <tbody><tr><td>a|b</td><td>1</td></tr><tr><td>c</td><td><b>2</b></td></tr></tbody></table>\
            <ol><li>first</li><li>second</li></ol>\
            <p>See <a href=\"https://example.com/x\">there</a>.</p>\
            <pre><code>let a = 1;\n    b();\n</code></pre><blockquote>quoted</blockquote>";
        let text = to_text(html);
        let rows: Vec<String> = text
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(rows[0], "| Name | Size |", "{text}");
        assert!(rows[1].starts_with("| ---") || rows[1].starts_with("|---"), "{text}");
        assert_eq!(rows[2..], ["| a&#124;b | 1 |", "| c | **2** |"], "{text}");
        for part in [
            "first",
            "second",
            "[there](https://example.com/x)",
            "let a = 1;\n    b();\n",
            "> quoted",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
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
