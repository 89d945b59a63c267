//! The plan of a rewind: what goes back, and the files it touches.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;
use ratatui::text::{Line, Span};

use super::{files, whose};
use crate::agent::{Fate, Plan, PlannedFile, Target};
use crate::front::text::{truncate, truncate_middle, width, wrap_line};
use crate::front::tui::cells::row;
use crate::front::tui::diff::render_hunks;
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::{Hand, RewindRequest, RewindScope};

/// A plan, and the mark on what of it is wanted.
pub(super) struct PlanPage {
    plan: Plan,
    scopes: Vec<RewindScope>,
    selected: usize,
    /// Rows of the list of files that are above the screen.
    scrolled: usize,
}

/// A row of the list of files.
enum Entry<'a> {
    Said(String, Tone),
    File(&'a PlannedFile),
}

/// Files that cannot be put back and are listed before all others.
const STUCK_FIRST: usize = 4;

/// No file tells of it.
const BEYOND: &str = "What commands did elsewhere stays: in git, in ignored files, on the network.";

/// What a key did.
pub(super) enum PlanReply {
    Ignored,
    Redraw,
    Back,
    Diff,
    Chosen(RewindRequest),
}

impl PlanPage {
    pub fn new(plan: Plan) -> Self {
        let any = plan.files.iter().any(|file| file.problem.is_none());
        let scopes = match (plan.scope, any) {
            (Some(scope), _) => vec![scope],
            (None, true) => {
                vec![RewindScope::Both, RewindScope::Conversation, RewindScope::Files]
            }
            (None, false) => vec![RewindScope::Conversation],
        };
        Self { plan, scopes, selected: 0, scrolled: 0 }
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn key(&mut self, key: KeyEvent, size: Size) -> PlanReply {
        let last = self.scopes.len() - 1;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') | KeyCode::Left => return PlanReply::Back,
            KeyCode::Char('c') if control => return PlanReply::Back,
            KeyCode::Enter => return self.choose(self.selected),
            KeyCode::Char(digit @ '1'..='3') => {
                return self.choose(usize::from(digit as u8 - b'1'));
            }
            KeyCode::Char('d') if !control && !self.plan.files.is_empty() => {
                return PlanReply::Diff;
            }
            KeyCode::Up | KeyCode::Char('k') => {
                self.selected = self.selected.checked_sub(1).unwrap_or(last);
            }
            KeyCode::Down | KeyCode::Char('j') => {
                self.selected = if self.selected == last { 0 } else { self.selected + 1 };
            }
            KeyCode::PageUp | KeyCode::PageDown | KeyCode::Home | KeyCode::End => {
                let page = self.page(size);
                let room = usize::from(size.width).saturating_sub(1);
                let most = self.listing(room).len().saturating_sub(page);
                let step = page.saturating_sub(1).max(1);
                self.scrolled = match key.code {
                    KeyCode::PageUp => self.scrolled.saturating_sub(step),
                    KeyCode::PageDown => self.scrolled.saturating_add(step).min(most),
                    KeyCode::Home => 0,
                    _ => most,
                };
            }
            _ => return PlanReply::Ignored,
        }
        PlanReply::Redraw
    }

    fn choose(&self, at: usize) -> PlanReply {
        match self.scopes.get(at) {
            Some(scope) => PlanReply::Chosen(RewindRequest {
                plan: self.plan.id,
                scope: *scope,
                keep: Vec::new(),
                keep_files: Vec::new(),
            }),
            None => PlanReply::Ignored,
        }
    }

    /// The changes of every file.
    pub fn diff(&self, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
        let columns = usize::from(columns).saturating_sub(2).max(20);
        let mut lines = Vec::new();
        for file in &self.plan.files {
            if file.diff.is_empty() {
                lines.push(file_row(file, columns, theme));
            } else {
                let rows = render_hunks(None, &file.diff, columns, None, theme);
                lines.extend(rows.into_iter().map(|line| row::row(line.spans)));
            }
            lines.push(Line::default());
        }
        lines
    }

    pub fn rows(&self, size: Size, theme: &Theme) -> Vec<Line<'static>> {
        let room = usize::from(size.width).saturating_sub(1);
        let styled =
            |text: &str, tone| row::row([Span::styled(truncate(text, room), theme.style(tone))]);
        let prompt: Vec<&str> = self.plan.prompt.split_whitespace().collect();
        let prompt = row::foreign_line(&prompt.join(" "));
        let title = match self.plan.target {
            Target::Point(_) => format!("Rewind to before: {prompt}"),
            Target::Redo => format!("Take back the rewind to before: {prompt}"),
        };
        let mut rows = vec![styled(&title, Tone::Heading), Line::default()];
        for (at, scope) in self.scopes.iter().enumerate() {
            let (mark, tone) =
                if at == self.selected { ("▶", Tone::Selected) } else { (" ", Tone::Text) };
            let label = format!("{mark} {} {}", at + 1, self.words(*scope));
            rows.push(styled(&label, tone));
        }
        rows.push(Line::default());
        let list = self.listing(room);
        let height = usize::from(size.height);
        let page = self.page(size);
        let hidden = list.len().saturating_sub(page);
        let from = self.scrolled.min(hidden);
        rows.extend(list.iter().skip(from).take(page).map(|entry| entry.row(room, theme)));
        rows.resize(height.saturating_sub(1), Line::default());
        let mut keys = "↑↓ 1-3 choose · ↵ do it".to_owned();
        if self.scopes.len() == 1 {
            keys = "↵ do it".to_owned();
        }
        if !self.plan.files.is_empty() {
            keys.push_str(" · d read the changes");
        }
        if hidden > 0 {
            keys.push_str(" · pgup pgdn files");
        }
        keys.push_str(" · esc back");
        rows.push(styled(&keys, Tone::Status));
        rows.truncate(height);
        rows
    }

    fn words(&self, scope: RewindScope) -> &'static str {
        match (scope, self.plan.target) {
            (RewindScope::Both, Target::Redo) => "Bring conversation and files back",
            (RewindScope::Conversation, Target::Redo) => "Bring the conversation back",
            (RewindScope::Files, Target::Redo) => "Bring the files back",
            (RewindScope::Both, _) => "Conversation and files",
            (RewindScope::Conversation, _) => "Conversation only",
            (RewindScope::Files, _) => "Files only",
        }
    }

    /// The rows of the list of files: first what is not known and what cannot be brought back, then the
    /// files by whoever changed them. Of many that cannot, the most come last.
    fn listing(&self, room: usize) -> Vec<Entry<'_>> {
        let mut rows = Vec::new();
        let say = |text: String, tone: Tone| {
            let lines = wrap_line(&Line::from(text), room, 0);
            lines.into_iter().map(move |line| Entry::Said(line.to_string(), tone))
        };
        if self.plan.partial {
            let text = "! the directory is large: only edits by tools are known for this turn";
            rows.extend(say(text.to_owned(), Tone::Warning));
        }
        let stuck: Vec<_> = self.plan.files.iter().filter(|file| file.problem.is_some()).collect();
        let (first, rest) = stuck.split_at(stuck.len().min(STUCK_FIRST));
        if !stuck.is_empty() {
            let below = match rest.len() {
                0 => String::new(),
                _ => ": the first of them; the others are below".to_owned(),
            };
            rows.extend(say(
                format!("! {} cannot be put back{below}", files(stuck.len())),
                Tone::Warning,
            ));
            rows.extend(first.iter().copied().map(Entry::File));
        }
        for (hand, tone) in [
            (Hand::Agent, Tone::Heading),
            (Hand::Command, Tone::Attention),
            (Hand::User, Tone::Attention),
        ] {
            let of: Vec<_> = self.plan.of(hand).collect();
            if of.is_empty() {
                continue;
            }
            let text = match hand {
                Hand::Agent => format!("{} put back", files(of.len())),
                hand => format!("! {} {}: you are asked", files(of.len()), whose(hand)),
            };
            rows.extend(say(text, tone));
            rows.extend(of.into_iter().map(Entry::File));
        }
        if !rest.is_empty() {
            let text = format!("! {} more cannot be put back", files(rest.len()));
            rows.extend(say(text, Tone::Warning));
            rows.extend(rest.iter().copied().map(Entry::File));
        }
        if rows.is_empty() {
            let text = "No file has changed since, as far as is known.".to_owned();
            rows.extend(say(text, Tone::Dim));
        }
        if matches!(self.plan.target, Target::Point(_)) {
            rows.extend(say(BEYOND.to_owned(), Tone::Dim));
        }
        rows
    }

    /// Rows there are for the list of files.
    fn page(&self, size: Size) -> usize {
        usize::from(size.height).saturating_sub(self.scopes.len() + 4)
    }
}

impl Entry<'_> {
    fn row(&self, room: usize, theme: &Theme) -> Line<'static> {
        match self {
            Self::Said(text, tone) => row::row([Span::styled(text.clone(), theme.style(*tone))]),
            Self::File(file) => file_row(file, room, theme),
        }
    }
}

/// `~ src/a.rs  +3 -1`, with the reason when it stays as it is.
pub(super) fn file_row(file: &PlannedFile, room: usize, theme: &Theme) -> Line<'static> {
    let (mark, word, tone) = match file.fate {
        Fate::Returns => ("+", "returns", Tone::DiffAdded),
        Fate::Changes => ("~", "changes back", Tone::Info),
        Fate::Goes => ("-", "goes", Tone::DiffRemoved),
    };
    let (added, removed, word) = match (&file.problem, file.lines) {
        (Some(problem), _) => (String::new(), String::new(), problem.clone()),
        (None, Some((added, removed))) if added + removed > 0 => {
            (format!(" +{added}"), format!(" -{removed}"), word.to_owned())
        }
        _ => (String::new(), String::new(), word.to_owned()),
    };
    let path = if file.directory { format!("{}/", file.shown) } else { file.shown.clone() };
    let left = room.saturating_sub(6 + width(&added) + width(&removed) + width(&word));
    let path = truncate_middle(&row::shown_line(&path), left.max(12));
    row::row([
        Span::styled(format!("  {mark} "), theme.style(tone)),
        Span::raw(path),
        Span::styled(added, theme.style(Tone::DiffAdded)),
        Span::styled(removed, theme.style(Tone::DiffRemoved)),
        Span::styled(format!("  {word}"), theme.style(Tone::Dim)),
    ])
}
