//! How an instance, its question and its numbers read. Names and the like are cleaned here, so that
//! they stay on their line.

use crate::front::text::clean_line;
use crate::protocol::control::{AskKind, AskOption, Finish, Instance, OpenAsk, Receipt};

/// Names an instance in a sentence: `pid 4711 in pane %3`.
pub fn who(instance: &Instance) -> String {
    match &instance.tmux_pane {
        Some(pane) => format!("pid {} in pane {}", instance.pid, clean_line(pane)),
        None => format!("pid {}", instance.pid),
    }
}

/// What it does, on one line: `busy turn=4 phase=think for=3s queued=1`.
pub fn headline(instance: &Instance, now: f64) -> String {
    let mut line = format!("{} turn={}", instance.state.word(), instance.turn);
    if let Some(phase) = &instance.phase {
        line += &format!(" phase={}", clean_line(phase));
    }
    if let Some(ask) = &instance.ask {
        line += &format!(" ask={}", clean_line(&ask.id));
    }
    line += &format!(" for={}", age(now - instance.since));
    if instance.queued > 0 {
        line += &format!(" queued={}", instance.queued);
    }
    if let Some(last) = &instance.last {
        let finish = match last.finish {
            Finish::Done => "done",
            Finish::Cancelled => "cancelled",
            Finish::Error => "error",
        };
        line += &format!(" last={finish}");
    }
    line
}

/// The open question with its numbered choices, each line set in.
pub fn question(ask: &OpenAsk) -> String {
    let mut lines = Vec::new();
    let many = ask.questions.len();
    if ask.kind == AskKind::Question && many > 0 {
        for (at, question) in ask.questions.iter().enumerate() {
            let place = if many > 1 { format!("{} of {many}: ", at + 1) } else { String::new() };
            let several = if question.multi_select { " (several may be chosen)" } else { "" };
            lines.push(format!("{place}{}{several}", question.text));
            lines.extend(question.options.iter().map(option));
        }
    } else {
        lines.push(ask.text.clone());
        lines.extend(ask.options.iter().map(option));
    }
    if ask.behind > 0 {
        lines.push(format!("({} more behind it)", ask.behind));
    }
    set_in(&lines.join("\n"))
}

fn option(option: &AskOption) -> String {
    let text = if option.takes_text { " [--text]" } else { "" };
    match option.description.as_str() {
        "" => format!("  {}. {}{text}", option.n, option.label),
        description => format!("  {}. {}{text}: {description}", option.n, option.label),
    }
}

/// The text with two blanks before each line, so that none looks like one of ours.
pub fn set_in(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// What was taken in: `message 4, 5288 bytes, turn 7`.
pub fn receipt(receipt: &Receipt) -> String {
    match receipt.turn {
        Some(turn) => format!("message {}, {} bytes, turn {turn}", receipt.n, receipt.bytes),
        None => format!("message {}, {} bytes", receipt.n, receipt.bytes),
    }
}

/// Seconds as `8s`, `12m`, `5h`, `3d`.
pub fn age(seconds: f64) -> String {
    // Also what is no number becomes 0.
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}
