//! The spinner row: on the screen exactly while the program is busy.
//!
//! Its frame follows from the elapsed time alone, so nothing has to be counted, and it turns faster
//! than every 150 ms: a silence of 200 ms reads as the end of a turn to programs that watch.

use std::time::Duration;

use ratatui::text::{Line, Span};

use crate::front::text::{clean_line, truncate, width};
use crate::front::tui::theme::{Theme, Tone};

/// The frames, one column each.
pub const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Time that one frame stands.
pub const FRAME: Duration = Duration::from_millis(100);

/// Whether things may move on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Motion {
    #[default]
    Full,
    /// The spinner stands still; only the seconds count on.
    Reduced,
}

/// The glyph at `elapsed` since the turn began.
pub fn glyph(elapsed: Duration, motion: Motion) -> char {
    match motion {
        Motion::Reduced => FRAMES[0],
        Motion::Full => {
            let index = elapsed.as_millis() / FRAME.as_millis() % FRAMES.len() as u128;
            usize::try_from(index).ok().and_then(|index| FRAMES.get(index)).copied().unwrap_or('⠋')
        }
    }
}

/// Time from `elapsed` to the next row that looks different.
pub fn until_next(elapsed: Duration, motion: Motion) -> Duration {
    let step = match motion {
        Motion::Full => FRAME,
        Motion::Reduced => Duration::from_secs(1),
    };
    let into = elapsed.as_nanos() % step.as_nanos();
    step.saturating_sub(Duration::from_nanos(u64::try_from(into).unwrap_or(0)))
}

/// `3s`, `1m 05s`, `2h 03m`.
pub fn elapsed_text(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// The row ` ⠙ Thinking… 3s · esc to interrupt` in less than `columns` columns; the hint goes first,
/// then the end of the words.
pub fn line(
    words: &str,
    hint: &str,
    elapsed: Duration,
    motion: Motion,
    columns: u16,
    theme: &Theme,
) -> Line<'static> {
    let room = usize::from(columns).saturating_sub(1);
    let time = elapsed_text(elapsed);
    let hint = if hint.is_empty() { String::new() } else { format!(" · {}", clean_line(hint)) };
    let words = clean_line(words);
    let fixed = 3 + 1 + width(&time);
    let hint = if fixed + width(&words) + width(&hint) <= room { hint } else { String::new() };
    let words = truncate(&words, room.saturating_sub(fixed + width(&hint)));
    Line::from(vec![
        Span::raw(" "),
        Span::styled(glyph(elapsed, motion).to_string(), theme.style(Tone::Spinner)),
        Span::raw(format!(" {words} {time}")),
        Span::styled(hint, theme.style(Tone::Dim)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &str, millis: u64, columns: u16) -> String {
        let elapsed = Duration::from_millis(millis);
        let line = line(words, "esc to interrupt", elapsed, Motion::Full, columns, &Theme::dark());
        line.spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn the_frame_follows_from_the_time() {
        assert_eq!(text("Thinking…", 3_100, 80), " ⠙ Thinking… 3s · esc to interrupt");
        assert_eq!(text("Thinking…", 3_199, 80), " ⠙ Thinking… 3s · esc to interrupt");
        assert_eq!(text("Thinking…", 65_200, 30), " ⠹ Thinking… 1m 05s");
        assert_eq!(text("Thinking\x1b…", 7_260_000, 16), " ⠋ Thin… 2h 01m");
    }

    #[test]
    fn it_turns_often_enough_and_stands_still_when_asked() {
        let at = Duration::from_millis(1_234);
        assert_eq!(until_next(at, Motion::Full), Duration::from_millis(66));
        assert_eq!(until_next(at, Motion::Reduced), Duration::from_millis(766));
        assert_eq!(glyph(at, Motion::Reduced), '⠋');
        assert_ne!(glyph(at, Motion::Full), glyph(at + FRAME, Motion::Full));
        const { assert!(FRAME.as_millis() <= 150) };
    }
}
