//! Wrapping of styled lines.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

use super::width::cluster_width;

/// A grapheme cluster of the line that is wrapped.
struct Cluster<'a> {
    text: &'a str,
    style: Style,
    columns: usize,
    kind: Kind,
}

/// What a cluster means for the place of a break.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Vanishes at a break.
    Blank,
    /// A break may stand on both sides of it.
    Ideograph,
    /// Never first on a row (closing brackets, full stops of East Asian writing).
    Closing,
    /// Never last on a row.
    Opening,
    /// Part of a word.
    Word,
}

/// Wraps a styled line to `columns`, at blanks where it can; every row after the first begins with
/// `indent` blanks.
///
/// Breaks stand at blanks, which vanish there, beside East Asian characters, and inside a word only
/// when it is longer than a row. A cluster is never split, and no row is wider than `columns`, except
/// for a single cluster that is wider than that by itself. The indent gives way when it leaves no
/// room. There is always at least one row.
pub fn wrap_line(line: &Line<'_>, columns: usize, indent: usize) -> Vec<Line<'static>> {
    let columns = columns.max(1);
    let indent = indent.min(columns - 1);
    let clusters = clusters(line);
    let mut rows = Vec::new();
    let mut start = 0;
    loop {
        let limit = if rows.is_empty() { columns } else { columns - indent };
        let (end, next) = row_end(&clusters, start, limit);
        let row = clusters.get(start..end).unwrap_or_default();
        let used: usize = row.iter().map(|cluster| cluster.columns).sum();
        let blanks = if rows.is_empty() { 0 } else { indent.min(columns.saturating_sub(used)) };
        let leading_only = row.is_empty() && next > start && next < clusters.len();
        if !leading_only {
            rows.push(build(row, blanks, line));
        }
        if next >= clusters.len() {
            break;
        }
        start = next;
    }
    if rows.is_empty() {
        rows.push(build(&[], 0, line));
    }
    rows
}

/// Cuts a styled line into rows of `columns`, at whatever cluster comes there: for code, whose blanks
/// mean something and whose words are no words. There is always at least one row.
pub fn cut_line(line: &Line<'_>, columns: usize) -> Vec<Line<'static>> {
    let clusters = clusters(line);
    let mut rows = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, cluster) in clusters.iter().enumerate() {
        if used + cluster.columns > columns.max(1) && at > start {
            rows.push(build(clusters.get(start..at).unwrap_or_default(), 0, line));
            (start, used) = (at, 0);
        }
        used += cluster.columns;
    }
    rows.push(build(clusters.get(start..).unwrap_or_default(), 0, line));
    rows
}

fn clusters<'a>(line: &'a Line<'_>) -> Vec<Cluster<'a>> {
    line.spans
        .iter()
        .flat_map(|span| {
            span.content.graphemes(true).map(|text| Cluster {
                text,
                style: span.style,
                columns: cluster_width(text),
                kind: kind(text),
            })
        })
        .collect()
}

/// Where the row that begins at `start` ends, and where the next one begins.
fn row_end(clusters: &[Cluster<'_>], start: usize, limit: usize) -> (usize, usize) {
    let mut used = 0;
    // End of the row and begin of the next at the last place where a break may stand.
    let mut last_break = None;
    let mut at = start;
    let mut seen_text = false;
    while let Some(cluster) = clusters.get(at) {
        if cluster.kind == Kind::Blank {
            let run = clusters[at..].iter().take_while(|c| c.kind == Kind::Blank);
            let (count, columns) = run.fold((0, 0), |(n, w), c| (n + 1, w + c.columns));
            if at + count == clusters.len() && used + columns <= limit {
                return (clusters.len(), clusters.len());
            }
            if seen_text {
                last_break = Some((at, at + count));
            }
            if used + columns > limit {
                // Blanks at the end of a row vanish; so do leading ones that fill a whole row.
                return (if seen_text { at } else { start }, at + count);
            }
            used += columns;
            at += count;
            continue;
        }
        if seen_text && at > start && may_break(clusters[at - 1].kind, cluster.kind) {
            last_break = Some((at, at));
        }
        if used + cluster.columns > limit {
            return match last_break {
                Some(place) => place,
                None if at == start => (at + 1, at + 1),
                // Leading blanks are no place for a break: the word is cut.
                None => (at, at),
            };
        }
        seen_text = true;
        used += cluster.columns;
        at += 1;
    }
    (clusters.len(), clusters.len())
}

/// Whether a row may end between these two neighbours, neither of them blank.
fn may_break(before: Kind, after: Kind) -> bool {
    if before == Kind::Opening || after == Kind::Closing || before == Kind::Blank {
        return false;
    }
    before == Kind::Ideograph
        || after == Kind::Ideograph
        || before == Kind::Closing
        || after == Kind::Opening
}

fn kind(cluster: &str) -> Kind {
    let mut chars = cluster.chars();
    let Some(first) = chars.next() else { return Kind::Word };
    match first {
        // A mark that stands on a blank is seen: that one does not vanish.
        ' ' | '\t' | '\n' | '\u{3000}' if chars.as_str().is_empty() => Kind::Blank,
        '。' | '、' | '，' | '．' | '！' | '？' | '：' | '；' | '）' | '］' | '｝' | '」'
        | '』' | '】' | '〉' | '》' | '〕' | 'ー' | '々' | '…' => Kind::Closing,
        '（' | '［' | '｛' | '「' | '『' | '【' | '〈' | '《' | '〔' => Kind::Opening,
        '\u{2E80}'..='\u{A4CF}'
        | '\u{AC00}'..='\u{D7A3}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{FF00}'..='\u{FFEF}'
        | '\u{20000}'..='\u{3FFFD}' => Kind::Ideograph,
        _ => Kind::Word,
    }
}

/// A row of the clusters, neighbours of one style in one span.
fn build(clusters: &[Cluster<'_>], blanks: usize, line: &Line<'_>) -> Line<'static> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    if blanks > 0 {
        spans.push(Span::raw(" ".repeat(blanks)));
    }
    let mut open: Option<(Style, String)> = None;
    for cluster in clusters {
        match &mut open {
            Some((style, text)) if *style == cluster.style => text.push_str(cluster.text),
            _ => {
                if let Some((style, text)) = open.take() {
                    spans.push(Span::styled(text, style));
                }
                open = Some((cluster.style, cluster.text.to_owned()));
            }
        }
    }
    if let Some((style, text)) = open {
        spans.push(Span::styled(text, style));
    }
    Line { spans, style: line.style, alignment: line.alignment }
}

/// A row without blanks at its end: what is copied from the screen has none either.
pub fn trim_end(mut row: Line<'static>) -> Line<'static> {
    while let Some(last) = row.spans.last_mut() {
        let kept = last.content.trim_end_matches(' ').len();
        if kept == last.content.len() {
            break;
        }
        if kept > 0 {
            last.content.to_mut().truncate(kept);
            break;
        }
        row.spans.pop();
    }
    row
}
