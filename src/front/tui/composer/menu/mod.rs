//! The completion menu below the text: slash commands, their arguments, `@` mentions.

pub(super) mod mention;
mod resources;
pub(super) mod slash;

use std::ops::Range;

use nucleo_matcher::{Config, Matcher};
use ratatui::text::{Line, Span};

use super::files::FileIndex;
use super::fragment::Fragment;
use crate::front::text;
use crate::front::tui::theme::{Theme, Tone};
use slash::{SlashCommand, SlashRow};

/// Rows of commands shown at a time.
const SLASH_ROWS: usize = 10;
/// Rows of files shown at a time.
const FILE_ROWS: usize = 8;
/// The narrowest and the widest column of command names.
const NAME_COLUMN: (usize, usize) = (18, 28);
/// Rows that the description of the selected command may take.
const DESCRIPTION_ROWS: usize = 3;

/// What the menu completes, and where that begins in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trigger {
    Command,
    Argument,
    Mention(usize),
}

#[derive(Debug)]
enum Rows {
    Commands(Vec<SlashRow>),
    Places(Vec<ResourceRow>),
}

/// A resource that the menu offers behind the files; or, without a title, a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceRow {
    /// What stands behind the `@`.
    pub mention: String,
    /// What it is, shown beside it; may be empty.
    pub title: String,
}

impl Rows {
    fn len(&self) -> usize {
        match self {
            Self::Commands(rows) => rows.len(),
            Self::Places(rows) => rows.len(),
        }
    }
}

#[derive(Debug)]
struct Open {
    trigger: Trigger,
    /// The mention's fragment: results for another one are late.
    fragment: String,
    rows: Rows,
    /// The resources that fit the fragment.
    resources: Vec<ResourceRow>,
    selected: usize,
    /// Whether the rows belong to what is typed now.
    current: bool,
}

/// What a row that was accepted does to the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Completion {
    pub range: Range<usize>,
    pub text: String,
    /// The row is a command that can be run.
    pub command: bool,
}

/// The menu: opens, fills and closes by what is typed.
#[derive(Debug, Default)]
pub(super) struct Menu {
    pub commands: Vec<SlashCommand>,
    resources: Vec<ResourceRow>,
    files: Option<FileIndex>,
    matcher: Option<Matcher>,
    open: Option<Open>,
    /// What Esc closed stays closed until something else is begun.
    dismissed: Option<Trigger>,
}

impl Menu {
    /// A closed menu over these commands and files.
    pub fn new(commands: Vec<SlashCommand>, files: Option<FileIndex>) -> Self {
        Self { commands, files, ..Self::default() }
    }

    /// Opens, fills or closes the menu after an edit or a cursor motion.
    pub fn update(&mut self, content: &Fragment, cursor: usize) {
        let before = &content.text[..cursor];
        let in_command = content.atoms.first().is_none_or(|atom| atom.range.start >= cursor);
        let command = Some(before).filter(|_| in_command).and_then(slash::split);
        match command {
            Some((typed, "")) => self.offer_commands(Trigger::Command, typed, ""),
            Some((name, rest)) if !rest.trim_start().contains(char::is_whitespace) => {
                self.offer_commands(Trigger::Argument, name, rest.trim_start());
            }
            _ => self.open = None,
        }
        if self.open.is_none() && !matches!(command, Some((_, ""))) {
            self.offer_files(content, cursor);
        }
    }

    fn offer_commands(&mut self, trigger: Trigger, name: &str, typed: &str) {
        self.open = None;
        if self.dismissed == Some(trigger) {
            return;
        }
        let matcher = self.matcher.get_or_insert_with(|| Matcher::new(Config::DEFAULT));
        let rows = match trigger {
            Trigger::Argument => slash::choices(name, typed, &self.commands, matcher),
            _ => slash::matching(name, &self.commands, matcher),
        };
        if !rows.is_empty() {
            self.dismissed = None;
            self.open = Some(Open {
                trigger,
                fragment: String::new(),
                rows: Rows::Commands(rows),
                resources: Vec::new(),
                selected: 0,
                current: true,
            });
        }
    }

    fn offer_files(&mut self, content: &Fragment, cursor: usize) {
        let after = content.atoms.partition_point(|atom| atom.range.end <= cursor);
        let base = after.checked_sub(1).and_then(|i| content.atoms.get(i));
        let base = base.map_or(0, |atom| atom.range.end);
        let found = mention::at_end(&content.text[base..cursor]);
        let (Some(mention), Some(files)) = (found, &mut self.files) else {
            self.open = None;
            // A closed command menu stays closed while its command is being written.
            if matches!(self.dismissed, Some(Trigger::Mention(_))) || content.is_empty() {
                self.dismissed = None;
            }
            return;
        };
        let trigger = Trigger::Mention(base + mention.start);
        if self.dismissed == Some(trigger) {
            self.open = None;
            return;
        }
        self.dismissed = None;
        let kept = self.open.take().filter(|open| open.trigger == trigger);
        files.ask(&mention.fragment, kept.is_none());
        let rows = kept.map_or(Rows::Places(Vec::new()), |open| open.rows);
        let matcher = self.matcher.get_or_insert_with(|| Matcher::new(Config::DEFAULT));
        let resources = resources::matching(&mention.fragment, &self.resources, matcher);
        self.open = Some(Open {
            trigger,
            fragment: mention.fragment,
            rows,
            resources,
            selected: 0,
            current: false,
        });
        self.poll();
    }

    /// Takes in results that have come from the file index. Never waits.
    pub fn poll(&mut self) {
        let (Some(open), Some(files)) = (&mut self.open, &self.files) else { return };
        let Rows::Places(rows) = &mut open.rows else { return };
        let Some(found) = files.found().filter(|found| found.fragment == open.fragment) else {
            return;
        };
        let new = if found.complete {
            Vec::new()
        } else {
            let files = found
                .paths
                .iter()
                .map(|path| ResourceRow { mention: path.clone(), title: String::new() });
            files.chain(open.resources.iter().cloned()).collect()
        };
        if !open.current || *rows != new {
            let kept = rows.get(open.selected).filter(|_| open.current);
            open.selected =
                kept.and_then(|kept| new.iter().position(|place| place == kept)).unwrap_or(0);
            *rows = new;
            open.current = true;
        }
    }

    /// Whether there is a menu on the screen.
    pub fn is_open(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.rows.len() > 0)
    }

    /// Closes the menu until the text changes so that nothing is to be completed.
    pub fn dismiss(&mut self) {
        self.dismissed = self.open.take().map(|open| open.trigger);
    }

    /// Closes the menu; the next edit may open it again.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Closes the menu and forgets what was closed by hand: another text begins.
    pub fn reset(&mut self) {
        self.open = None;
        self.dismissed = None;
    }

    /// Moves the selection; past the end it begins again.
    pub fn select(&mut self, forward: bool) {
        if let Some(open) = &mut self.open {
            let count = open.rows.len().max(1);
            open.selected = (open.selected + if forward { 1 } else { count - 1 }) % count;
        }
    }

    /// Offers these resources from now on. What is selected stays selected.
    pub fn set_resources(&mut self, resources: Vec<ResourceRow>) {
        self.resources = resources;
        let matcher = self.matcher.get_or_insert_with(|| Matcher::new(Config::DEFAULT));
        if let Some(open) = &mut self.open
            && matches!(open.trigger, Trigger::Mention(_))
        {
            open.resources = resources::matching(&open.fragment, &self.resources, matcher);
        }
        self.poll();
    }

    /// The name in the selected row, if it is a command.
    pub fn selected_command(&self) -> Option<String> {
        let open = self.open.as_ref()?;
        let Rows::Commands(rows) = &open.rows else { return None };
        rows.get(open.selected).map(|row| row.name.clone())
    }

    /// Selects the row of that command, if there is one.
    pub fn select_command(&mut self, name: &str) {
        let Some(open) = &mut self.open else { return };
        let Rows::Commands(rows) = &open.rows else { return };
        if let Some(at) = rows.iter().position(|row| row.name == name) {
            open.selected = at;
        }
    }

    /// What accepting the selected row does; `None` while its rows belong to an earlier text.
    pub fn completion(&self, content: &Fragment, cursor: usize) -> Option<Completion> {
        let open = self.open.as_ref().filter(|open| open.current)?;
        match (&open.rows, open.trigger) {
            (Rows::Commands(rows), _) => {
                let row = rows.get(open.selected)?;
                // The rest of the word under the cursor is replaced, too.
                let rest = &content.text[cursor..];
                let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let next_atom = content.atoms.iter().map(|atom| atom.range.start);
                let limit = next_atom.filter(|start| *start >= cursor).min();
                let end = (cursor + word).min(limit.unwrap_or(content.len()));
                let text = format!("/{}", row.name);
                Some(Completion { range: 0..end, text, command: true })
            }
            (Rows::Places(rows), Trigger::Mention(start)) => {
                let ResourceRow { mention: path, title: _ } = rows.get(open.selected)?;
                let resource = open.resources.iter().any(|resource| resource.mention == *path);
                let finished = resource || !path.ends_with('/');
                let mut text = mention::written(path, finished);
                let mut end = cursor;
                if text.starts_with("@\"") && content.text[cursor..].starts_with('"') {
                    end += 1;
                }
                if finished {
                    text.push(' ');
                    end += usize::from(content.text[end..].starts_with(' '));
                }
                Some(Completion { range: start..end, text, command: false })
            }
            (Rows::Places(_), _) => None,
        }
    }

    /// The menu as at most `max_rows` rows of a screen of `columns`; none when it is closed.
    pub fn rows(&self, columns: usize, max_rows: usize, theme: &Theme) -> Vec<Line<'static>> {
        let open = self.open.as_ref().filter(|open| open.rows.len() > 0 && max_rows > 1);
        let Some(open) = open else { return Vec::new() };
        let rule = Span::styled("─".repeat(columns), theme.style(Tone::Border));
        let mut lines = vec![Line::from(rule)];
        match &open.rows {
            Rows::Commands(rows) => {
                let shown = window(rows.len(), open.selected, SLASH_ROWS.min(max_rows - 1));
                let widest = rows.iter().map(|row| text::width(&row.label)).max().unwrap_or(0);
                let column = widest.clamp(NAME_COLUMN.0, NAME_COLUMN.1);
                for (index, row) in rows.iter().enumerate().take(shown.end).skip(shown.start) {
                    let selected = index == open.selected;
                    lines.extend(command_lines(row, selected, column, columns, theme));
                }
            }
            Rows::Places(rows) => {
                let shown = window(rows.len(), open.selected, FILE_ROWS.min(max_rows - 1));
                for (index, place) in rows.iter().enumerate().take(shown.end).skip(shown.start) {
                    let selected = index == open.selected;
                    let tone = if selected { Tone::Selected } else { Tone::Text };
                    let room = columns.saturating_sub(2);
                    let shown = text::clean_line(&mention::shown(&place.mention));
                    let shown = text::truncate_middle(&shown, room);
                    let left = room.saturating_sub(text::width(&shown) + 2);
                    let title = text::truncate(&text::clean_line(&place.title), left);
                    let mut row =
                        vec![marker(selected, theme), Span::styled(shown, theme.style(tone))];
                    if !title.is_empty() {
                        row.push(Span::styled(format!("  {title}"), theme.style(Tone::Dim)));
                    }
                    lines.push(Line::from(row));
                }
            }
        }
        lines.truncate(max_rows);
        lines
    }
}

/// The rows to show so that the selected one is among them.
fn window(count: usize, selected: usize, size: usize) -> Range<usize> {
    let start = (selected + 1).saturating_sub(size);
    start..(start + size).min(count)
}

fn marker(selected: bool, theme: &Theme) -> Span<'static> {
    if selected { Span::styled("› ", theme.style(Tone::Selected)) } else { Span::raw("  ") }
}

fn command_lines(
    row: &SlashRow,
    selected: bool,
    column: usize,
    columns: usize,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let tone = if selected { Tone::Selected } else { Tone::Accent };
    let label =
        text::truncate(&text::clean_line(&row.label), column.min(columns.saturating_sub(2)));
    let gap = column + 2 - text::width(&label).min(column);
    let room = columns.saturating_sub(column + 4);
    let description = text::clean_line(&row.description);
    let mut parts = if room < 8 || description.is_empty() {
        Vec::new()
    } else if selected {
        wrapped(&description, room)
    } else {
        vec![text::truncate(&description, room)]
    }
    .into_iter();
    let mut first = vec![marker(selected, theme), Span::styled(label, theme.style(tone))];
    if let Some(part) = parts.next() {
        first.push(Span::raw(" ".repeat(gap)));
        first.push(Span::styled(part, theme.style(Tone::Dim)));
    }
    let mut lines = vec![Line::from(first)];
    lines.extend(parts.map(|part| {
        let indent = Span::raw(" ".repeat(column + 4));
        Line::from(vec![indent, Span::styled(part, theme.style(Tone::Dim))])
    }));
    lines
}

/// `description` on at most three rows of `room` columns.
fn wrapped(description: &str, room: usize) -> Vec<String> {
    let mut rows: Vec<String> = vec![String::new()];
    for word in description.split_whitespace() {
        let row = rows.last_mut().map(std::mem::take).unwrap_or_default();
        let joined = if row.is_empty() { word.to_owned() } else { format!("{row} {word}") };
        let last = rows.len() == DESCRIPTION_ROWS;
        rows.pop();
        if text::width(&joined) <= room || row.is_empty() || last {
            rows.push(joined);
        } else {
            rows.extend([row, word.to_owned()]);
        }
        if last && rows.last().is_some_and(|row| text::width(row) > room) {
            break;
        }
    }
    rows.iter().map(|row| text::truncate(row, room)).collect()
}
