//! May the servers that this project brings along be started?

use std::time::Instant;

use crossterm::event::{KeyEvent, KeyEventKind};
use ratatui::text::{Line, Span};
use serde_json::{Map, Value};

use super::{Dialog, DialogFrame, DialogReply, Guard, Key, Unfit, choose};
use crate::front::text::truncate;
use crate::front::tui::cells::row;
use crate::front::tui::theme::{Theme, Tone};
use crate::mcp::project::{ProjectFile, told};
use crate::protocol::control::{self, AskKind, AskOption, OpenAsk};
use crate::protocol::{QuestionResponse, Response};
use crate::store::Verdict;

/// The answer's place in a response.
const ANSWER: &str = "trust";

/// The choices, in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Trust,
    NotNow,
    Never,
}

impl Choice {
    const ALL: [Self; 3] = [Self::Trust, Self::NotNow, Self::Never];

    fn moved(self, by: isize) -> Self {
        let at = Self::ALL.iter().position(|choice| *choice == self).unwrap_or(0);
        let at = at.saturating_add_signed(by.rem_euclid(Self::ALL.len() as isize));
        Self::ALL.get(at % Self::ALL.len()).copied().unwrap_or(self)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Trust => "trust",
            Self::NotNow => "not-now",
            Self::Never => "never",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Trust => "Trust this file until it changes, and start them",
            Self::NotNow => "Not now, ask the next time",
            Self::Never => "Never use this file",
        }
    }

    fn short(self) -> &'static str {
        match self {
            Self::Trust => "1 trust",
            Self::NotNow => "2 not now",
            Self::Never => "3 never",
        }
    }
}

/// The question about one file. It belongs to no turn.
#[derive(Debug, Clone)]
pub struct TrustDialog {
    id: String,
    question: String,
    /// What the servers are, whole and harmless.
    text: String,
    choice: Choice,
    guard: Guard,
}

impl TrustDialog {
    /// A question nobody expects: what is typed when it appears is for the draft.
    pub fn new(id: &str, file: &ProjectFile, appeared: Instant) -> Self {
        let mut lines = vec![row::shown_line(&file.path.display().to_string())];
        for server in &file.source.servers {
            let mut what = told(server).into_iter();
            let first = what.next().unwrap_or_default();
            lines.push(row::shown_line(&format!("• {} {first}", server.name)));
            lines.extend(what.map(|line| row::shown_line(&format!("    {line}"))));
        }
        for bad in &file.source.bad {
            let line = format!("• {} cannot be used: {}", bad.name, bad.reason);
            lines.push(row::shown_line(&line));
        }
        let question = match file.source.servers.len() {
            1 => "Start the MCP server of this project?".to_owned(),
            n => format!("Start the {n} MCP servers of this project?"),
        };
        Self {
            id: id.to_owned(),
            question,
            text: lines.join("\n"),
            choice: Choice::NotNow,
            guard: Guard::new(appeared, true),
        }
    }

    /// What the user said; `None` is not now.
    pub fn verdict(response: &QuestionResponse) -> Option<Verdict> {
        match response.answers.get(ANSWER).and_then(Value::as_str)? {
            "trust" => Some(Verdict::Trusted),
            "never" => Some(Verdict::Never),
            _ => None,
        }
    }

    fn response(&self, choice: Choice) -> Response {
        let answers = Map::from_iter([(ANSWER.to_owned(), choice.word().into())]);
        Response::Question(QuestionResponse {
            request_id: self.id.clone(),
            answers,
            declined: false,
        })
    }

    fn go(&mut self, by: isize) -> DialogReply {
        self.choice = self.choice.moved(by);
        DialogReply::Redraw
    }

    fn options(&self, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
        let option = |(n, choice): (usize, Choice)| {
            let chosen = choice == self.choice;
            let (mark, tone) = if chosen { ("▶", Tone::Selected) } else { (" ", Tone::Text) };
            let text = format!("{mark} {n} {}", choice.label());
            let text = truncate(&text, columns.saturating_sub(2));
            row::row([Span::styled(text, theme.style(tone))])
        };
        (1..).zip(Choice::ALL).map(option).collect()
    }

    fn short_options(&self, columns: usize, theme: &Theme) -> Line<'static> {
        let words = Choice::ALL.map(|choice| {
            let mark = if choice == self.choice { "▶" } else { "" };
            format!("{mark}{}", choice.short())
        });
        let text = truncate(&words.join(" · "), columns.saturating_sub(2));
        row::row([Span::styled(text, theme.style(Tone::Selected))])
    }

    fn ask_options() -> Vec<AskOption> {
        let option = |(n, choice): (usize, Choice)| AskOption {
            n,
            name: choice.word().to_owned(),
            label: choice.label().to_owned(),
            description: String::new(),
            takes_text: false,
        };
        (1..).zip(Choice::ALL).map(option).collect()
    }
}

impl Dialog for TrustDialog {
    fn request_id(&self) -> &str {
        &self.id
    }

    fn title(&self) -> &'static str {
        "Waiting for your answer"
    }

    fn key(&mut self, event: KeyEvent, now: Instant) -> DialogReply {
        if event.kind != KeyEventKind::Release && self.guard.holds(&event, now) {
            return DialogReply::Guarded;
        }
        let decide = |choice| DialogReply::Answer(self.response(choice));
        match Key::of(event) {
            Some(Key::Esc | Key::Ctrl('c' | 'd') | Key::Char('2' | 'n')) => decide(Choice::NotNow),
            Some(Key::Enter) => decide(self.choice),
            Some(Key::Char('1')) => decide(Choice::Trust),
            Some(Key::Char('3')) => decide(Choice::Never),
            Some(Key::Ctrl('e')) => DialogReply::Expand,
            Some(Key::Up | Key::BackTab | Key::Ctrl('p') | Key::Char('k')) => self.go(-1),
            Some(Key::Down | Key::Tab | Key::Ctrl('n') | Key::Char('j')) => self.go(1),
            _ => DialogReply::Ignored,
        }
    }

    fn paste(&mut self, _text: &str) -> DialogReply {
        DialogReply::Ignored
    }

    /// The title, what there is to read, the options and the hint. When rows are few the options
    /// share one; nobody should say yes to what is not in sight.
    fn frame(&self, columns: u16, max_rows: u16, theme: &Theme) -> DialogFrame {
        let columns = usize::from(columns);
        let max_rows = usize::from(max_rows);
        let text = truncate(&format!("▶ {}", self.question), columns.saturating_sub(2));
        let mut rows = vec![row::row([Span::styled(text, theme.style(Tone::Attention))])];
        let mut options = self.options(columns, theme);
        if max_rows < rows.len() + options.len() + 3 {
            options = vec![self.short_options(columns, theme)];
        } else {
            let hint = "↑↓ choose · ↵ confirm · esc not now · ctrl-e read all";
            let hint = truncate(hint, columns.saturating_sub(2));
            options.push(row::row([Span::styled(hint, theme.style(Tone::Dim))]));
        }
        let room = max_rows.saturating_sub(rows.len() + options.len());
        let width = columns.saturating_sub(3).max(1);
        let style = theme.style(Tone::Text);
        let (mut content, mut hidden) = row::head_rows(&self.text, style, width, room);
        if hidden > 0 && room > 1 {
            (content, hidden) = row::head_rows(&self.text, style, width, room - 1);
            let more = truncate(&format!("{}, ctrl-e reads all", row::more_lines(hidden)), width);
            content.push(Span::styled(more, theme.style(Tone::Attention)).into());
        }
        rows.extend(content.into_iter().map(|line| row::prefixed(Span::raw("  "), line)));
        rows.extend(options);
        rows.truncate(max_rows);
        DialogFrame { rows, caret: None }
    }

    fn full(&self, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
        let width = usize::from(columns).saturating_sub(3).max(1);
        let mut rows = vec![
            row::row([Span::styled(self.question.clone(), theme.style(Tone::Attention))]),
            Line::default(),
        ];
        let text = row::wrap_text(&self.text, theme.style(Tone::Text), width);
        rows.extend(text.into_iter().map(|line| row::prefixed(Span::raw(" "), line)));
        rows
    }

    fn open_ask(&self) -> OpenAsk {
        OpenAsk {
            id: self.id.clone(),
            kind: AskKind::Question,
            text: format!("{}\n{}", self.question, self.text),
            options: Self::ask_options(),
            questions: Vec::new(),
            behind: 0,
        }
    }

    fn answer(&self, choices: &[control::Choice]) -> Result<Response, Unfit> {
        let options = Self::ask_options();
        let [wanted] = choices else {
            return Err(Unfit::new("This question takes one choice", &options));
        };
        if wanted.text.as_deref().is_some_and(|words| !words.trim().is_empty()) {
            return Err(Unfit::new("This question takes no words", &options));
        }
        match choose(wanted, &options)?[..] {
            [at] if at < Choice::ALL.len() => {
                Ok(self.response(Choice::ALL.get(at).copied().unwrap_or(Choice::NotNow)))
            }
            _ => Err(Unfit::new("This question takes exactly one option", &options)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::front::tui::dialogs::testing::{drawn, press};
    use crate::mcp::config::Source;
    use serde_json::json;

    fn dialog(servers: Value, appeared: Instant) -> TrustDialog {
        let object = json!({"mcpServers": servers});
        let file = ProjectFile {
            path: "/p/.mcp.json".into(),
            digest: "d".into(),
            source: Source::read(object.as_object().expect("an object")).expect("a source"),
        };
        TrustDialog::new("t", &file, appeared)
    }

    fn one(appeared: Instant) -> TrustDialog {
        dialog(json!({"db": {"command": "./db", "env": {"T": "${SECRET}"}}}), appeared)
    }

    /// The answer to these keys of somebody who has read the question.
    fn answered(keys: &str) -> Option<Option<Verdict>> {
        let appeared = Instant::now();
        match press(&mut one(appeared), keys, appeared + Duration::from_secs(1)) {
            DialogReply::Answer(Response::Question(response)) => {
                assert_eq!(response.request_id, "t");
                Some(TrustDialog::verdict(&response))
            }
            _ => None,
        }
    }

    #[test]
    fn nothing_but_a_clear_yes_is_one() {
        for no in ["⏎", "⎋", "2", "n", "^c", "^d"] {
            assert_eq!(answered(no), Some(None), "{no}");
        }
        for yes in ["1", "↑⏎", "k⏎"] {
            assert_eq!(answered(yes), Some(Some(Verdict::Trusted)), "{yes}");
        }
        for never in ["3", "↓⏎"] {
            assert_eq!(answered(never), Some(Some(Verdict::Never)), "{never}");
        }
        for nothing in ["y", "t", "x", "^e"] {
            assert_eq!(answered(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_was_typed_ahead_answers_nothing() {
        let now = Instant::now();
        let mut dialog = one(now);
        assert_eq!(press(&mut dialog, "1", now), DialogReply::Guarded);
        assert_eq!(press(&mut dialog, "⏎", now + Duration::from_millis(600)), DialogReply::Guarded);
        assert!(matches!(
            press(&mut dialog, "1", now + Duration::from_secs(2)),
            DialogReply::Answer(_)
        ));
        assert_eq!(dialog.paste("1\n"), DialogReply::Ignored);
    }

    #[test]
    fn names_commands_and_variables_are_shown() {
        let (_, text) = drawn(&one(Instant::now()), 60, 12);
        for part in [
            "Start the MCP server of this project?",
            "/p/.mcp.json",
            "db runs ./db",
            "with T='${SECRET}'",
            "gets your environment's SECRET",
            "▶ 2 Not now",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn control_characters_are_written_out_and_what_is_cut_is_told() {
        let evil = dialog(
            json!({"a": {"command": "sh\u{1b}[2K\r", "args": ["x".repeat(5_000), "\u{202e}rm"]}}),
            Instant::now(),
        );
        for (columns, rows) in [(20, 3), (40, 6), (80, 14), (120, 30)] {
            let (_, text) = drawn(&evil, columns, rows);
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
            assert!(text.contains("▶"), "{text}");
            if rows > 6 {
                assert!(text.contains("ctrl-e reads all"), "{text}");
            }
        }
        let all: String = evil.full(80, &Theme::dark()).iter().map(ToString::to_string).collect();
        assert_eq!(all.matches('x').count(), 5_000);
    }

    #[test]
    fn programs_answer_with_numbers_and_names() {
        let dialog = one(Instant::now());
        let ask = dialog.open_ask();
        assert!(ask.text.contains("./db") && ask.options.len() == 3);
        let judged = |choices: Value| {
            let choices: Vec<control::Choice> = serde_json::from_value(choices).expect("choices");
            match dialog.answer(&choices) {
                Ok(Response::Question(response)) => Ok(TrustDialog::verdict(&response)),
                Ok(other) => panic!("{other:?}"),
                Err(unfit) => Err(unfit.to_string()),
            }
        };
        assert_eq!(judged(json!([{"numbers": [1]}])), Ok(Some(Verdict::Trusted)));
        assert_eq!(judged(json!([{"names": ["never"]}])), Ok(Some(Verdict::Never)));
        assert_eq!(judged(json!([{"names": ["not-now"]}])), Ok(None));
        for wrong in [
            json!([]),
            json!([{"numbers": [1, 2]}]),
            json!([{"numbers": [4]}]),
            json!([{"text": "yes"}]),
        ] {
            assert!(judged(wrong).is_err());
        }
    }
}
