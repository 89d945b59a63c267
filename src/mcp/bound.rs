//! Results of foreign tools kept short: the beginning and the end of a text, whole entries of a list.

mod entries;

use crate::protocol::ContentPart;

/// What the model can do to get less.
const ADVICE: &str =
    "To get less, ask with a filter, for one page, with a smaller limit or for one id.";
/// Of a text that is cut, the share of the beginning, in percent.
const HEAD: usize = 60;
/// A cut moves this much, in percent, to fall between lines.
const SLACK: usize = 10;

/// A text that is short enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounded {
    pub text: String,
    /// Whether anything is missing from it.
    pub cut: bool,
}

/// Whether a text needs no shortening to `limit` characters.
pub fn fits(text: &str, limit: usize) -> bool {
    // No text has more characters than bytes.
    text.len() <= limit || text.chars().nth(limit).is_none()
}

/// A text of at most `limit` characters, notices included. Of a JSON list, or an object around one,
/// whole entries from the beginning are kept; of any other text the beginning and the end. The
/// notice tells how to get less, and that the whole is in the file `whole_at` if there is one.
pub fn bounded(text: &str, limit: usize, whole_at: Option<&str>) -> Bounded {
    if fits(text, limit) {
        return Bounded { text: text.to_owned(), cut: false };
    }
    entries::shortened(text, limit, whole_at)
        .unwrap_or_else(|| head_and_tail(text, limit, whole_at))
}

/// Shortens the texts among the parts of a result to `limit` characters together. Short ones stay
/// whole, long ones share what is left; one that gets nothing goes. Media are not counted. Whether
/// anything is missing then.
pub fn bound_parts(parts: &mut Vec<ContentPart>, limit: usize, whole_at: Option<&str>) -> bool {
    let lengths = parts.iter().filter_map(ContentPart::as_text).map(|text| text.chars().count());
    let lengths: Vec<usize> = lengths.collect();
    if lengths.iter().sum::<usize>() <= limit {
        return false;
    }
    let mut shares = shares(&lengths, limit).into_iter();
    let mut cut = false;
    parts.retain_mut(|part| {
        let ContentPart::Text { text } = part else { return true };
        let short = bounded(text, shares.next().unwrap_or(0), whole_at);
        cut |= short.cut;
        *text = short.text;
        !text.is_empty()
    });
    cut
}

/// What each of several lengths may keep so that the sum is at most `limit`: what is shorter than an
/// equal share leaves the rest to the longer ones.
fn shares(lengths: &[usize], limit: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&at| lengths[at]);
    let mut shares = vec![0; lengths.len()];
    let (mut room, mut left) = (limit, lengths.len());
    for at in order {
        shares[at] = lengths[at].min(room / left);
        room -= shares[at];
        left -= 1;
    }
    shares
}

fn head_and_tail(text: &str, limit: usize, whole_at: Option<&str>) -> Bounded {
    let total = text.chars().count();
    let notice = |left_out: usize, rest: &str| {
        format!("\n\n[{left_out} of {total} characters left out here.{rest}]\n\n")
    };
    // The longest that the notice gets.
    let room = |rest: &str| limit.saturating_sub(notice(total, rest).chars().count());
    let rest = rest_of_notice(whole_at, |rest| room(rest) >= limit / 2);
    let room = room(&rest);
    if room == 0 || room < limit / 2 {
        // Too little for an explanation.
        let kept = limit.saturating_sub(1);
        let head: String = text.chars().take(kept).chain((limit > 0).then_some('…')).collect();
        return Bounded { text: head, cut: true };
    }
    let head_chars = room * HEAD / 100;
    let tail_chars = room - head_chars;
    let head_end = text.char_indices().nth(head_chars).map_or(text.len(), |(at, _)| at);
    let tail_start = match tail_chars {
        0 => text.len(),
        chars => text.char_indices().rev().nth(chars - 1).map_or(0, |(at, _)| at),
    };
    let head = up_to_line(text.get(..head_end).unwrap_or_default());
    let tail = from_line(text.get(tail_start..).unwrap_or_default());
    let left_out = total - head.chars().count() - tail.chars().count();
    Bounded { text: format!("{head}{}{tail}", notice(left_out, &rest)), cut: true }
}

/// Without the last, broken line, if it is short.
fn up_to_line(head: &str) -> &str {
    match head.rfind('\n') {
        Some(at) if (head.len() - at) * 100 <= head.len() * SLACK => head.get(..at).unwrap_or(head),
        _ => head,
    }
}

/// Without the first, broken line, if it is short.
fn from_line(tail: &str) -> &str {
    match tail.find('\n') {
        Some(at) if at * 100 <= tail.len() * SLACK => tail.get(at + 1..).unwrap_or(tail),
        _ => tail,
    }
}

/// The sentences that a notice ends in: as many as leave room for the result itself.
fn rest_of_notice(whole_at: Option<&str>, has_room: impl Fn(&str) -> bool) -> String {
    let whole = |file: &str| format!(" The whole result is in `{file}`");
    let forms = match whole_at {
        None => vec![format!(" {ADVICE}")],
        Some(file) => vec![
            format!(" {ADVICE}{}, which ReadFile and Grep can read.", whole(file)),
            format!("{}.", whole(file)),
        ],
    };
    forms.into_iter().find(|rest| has_room(rest)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
