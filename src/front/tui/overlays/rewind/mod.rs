//! Going back to before a turn: which turn, what of it, what the files say to that.
//!
//! | file | subject |
//! |---|---|
//! | `page` | the plan: what goes back, the files it touches |
//! | `question` | files that others have changed since: touch them or not |

mod page;
mod question;

#[cfg(test)]
mod tests;

use crossterm::event::{KeyEvent, KeyEventKind};
use ratatui::layout::Size;
use ratatui::text::{Line, Span};

use super::{ListItem, ListPicker, Overlay, OverlayReply, Pager};
use crate::agent::{Plan, RewindPoints};
use crate::front::text::truncate;
use crate::front::tui::cells::{relative_time, row};
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::{Hand, RewindRequest};
use page::{PlanPage, PlanReply};
use question::{Answer, Question};

/// The picker of turns, and what follows it.
pub struct RewindPicker {
    list: Option<ListPicker>,
    limits: Vec<String>,
    /// What the turns did is not all known yet.
    looking: bool,
    stage: Stage,
    columns: u16,
}

enum Stage {
    List,
    /// The plan for this turn is being made.
    Waiting,
    Plan(PlanPage),
    /// The changes of the plan, readable.
    Diff(PlanPage, Box<Pager>),
    Asking(PlanPage, Asking),
}

/// Questions before the plan is carried out.
struct Asking {
    request: RewindRequest,
    open: Question,
    /// Asked after it.
    later: Vec<Question>,
}

impl RewindPicker {
    /// The turns that can be undone, as far as was noted; [`Self::set_points`] tells the rest. `now` is
    /// Unix time in seconds. The mark is on number `nth`, from 0.
    pub fn new(points: &RewindPoints, now: f64, nth: usize) -> Self {
        let items: Vec<ListItem> = points.points.iter().map(|point| item(point, now)).collect();
        let mut list = ListPicker::new("Rewind to before which message?", "", items);
        for _ in 0..nth.min(points.points.len().saturating_sub(1)) {
            list.key(KeyEvent::from(crossterm::event::KeyCode::Down), Size::new(80, 24));
        }
        let limits = points.limits.clone();
        Self { list: Some(list), limits, looking: true, stage: Stage::List, columns: 80 }
    }

    /// Begins with a plan: there is nothing to choose from.
    pub fn of_plan(plan: Plan) -> Self {
        let stage = Stage::Plan(PlanPage::new(plan));
        Self { list: None, limits: Vec::new(), looking: false, stage, columns: 80 }
    }

    /// The turns as they are after a look at the files; `None` when there was none.
    pub fn set_points(&mut self, points: Option<&RewindPoints>, now: f64) {
        self.looking = false;
        if let (Some(points), Some(list)) = (points, &mut self.list) {
            list.set_items(points.points.iter().map(|point| item(point, now)).collect());
            self.limits.clone_from(&points.limits);
        }
    }

    /// The plan that was wanted with [`OverlayReply::RewindPlan`].
    pub fn set_plan(&mut self, plan: Plan) {
        if matches!(self.stage, Stage::Waiting) {
            self.stage = Stage::Plan(PlanPage::new(plan));
        }
    }

    /// There is no plan.
    pub fn unwait(&mut self) {
        if matches!(self.stage, Stage::Waiting) {
            self.stage = Stage::List;
        }
    }

    /// Back to where the page was opened from.
    fn back(&mut self) -> OverlayReply {
        if self.list.is_none() {
            return OverlayReply::Close;
        }
        self.stage = Stage::List;
        OverlayReply::Redraw
    }

    fn list_key(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        let Some(list) = &mut self.list else { return OverlayReply::Close };
        match list.key(key, size) {
            OverlayReply::Picked(id) => match id.parse() {
                Ok(point) => {
                    self.stage = Stage::Waiting;
                    OverlayReply::RewindPlan(point)
                }
                Err(_) => OverlayReply::Ignored,
            },
            reply => reply,
        }
    }

    /// Asks what has to be asked, then it is over.
    fn decide(&mut self, page: PlanPage, request: RewindRequest) -> OverlayReply {
        let mut questions = if request.scope.files() { Question::all(page.plan()) } else { vec![] };
        if questions.is_empty() {
            return OverlayReply::Rewind(request);
        }
        let open = questions.remove(0);
        self.stage = Stage::Asking(page, Asking { request, open, later: questions });
        OverlayReply::Redraw
    }

    fn answer(&mut self, answer: Answer) -> OverlayReply {
        let stage = std::mem::replace(&mut self.stage, Stage::List);
        let Stage::Asking(page, mut asking) = stage else { return OverlayReply::Redraw };
        match answer {
            Answer::Cancel => {
                self.stage = Stage::Plan(page);
                return OverlayReply::Redraw;
            }
            Answer::Keep => asking.request.keep.push(asking.open.hand()),
            Answer::KeepSome(names) => asking.request.keep_files.extend(names),
            Answer::Restore => {}
        }
        if asking.later.is_empty() {
            return OverlayReply::Rewind(asking.request);
        }
        asking.open = asking.later.remove(0);
        self.stage = Stage::Asking(page, asking);
        OverlayReply::Redraw
    }
}

/// `3m ago · what was said   2 files +3 -1`.
fn item(point: &crate::agent::RewindPoint, now: f64) -> ListItem {
    let did = &point.did;
    let mut detail = match did.files {
        _ if !point.has_files => "files no longer kept".to_owned(),
        0 if point.partial => "files not known".to_owned(),
        0 => "no files".to_owned(),
        n if point.partial => format!("{n} or more files"),
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    };
    if point.has_files && did.added + did.removed > 0 {
        detail.push_str(&format!(" +{} -{}", did.added, did.removed));
    }
    let prompt: Vec<&str> = point.prompt.split_whitespace().collect();
    let prompt = truncate(&row::foreign_line(&prompt.join(" ")), 200);
    ListItem {
        id: point.id.to_string(),
        label: format!("{} · {detail} · {prompt}", relative_time(now, point.at)),
        ..ListItem::default()
    }
}

impl Overlay for RewindPicker {
    fn key(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        if key.kind == KeyEventKind::Release {
            return OverlayReply::Ignored;
        }
        self.columns = size.width;
        match &mut self.stage {
            Stage::List => self.list_key(key, size),
            Stage::Waiting => match key.code {
                crossterm::event::KeyCode::Esc => self.back(),
                _ => OverlayReply::Ignored,
            },
            Stage::Plan(page) => match page.key(key, size) {
                PlanReply::Ignored => OverlayReply::Ignored,
                PlanReply::Redraw => OverlayReply::Redraw,
                PlanReply::Back => self.back(),
                PlanReply::Diff => OverlayReply::RewindDiff,
                PlanReply::Chosen(request) => {
                    let stage = std::mem::replace(&mut self.stage, Stage::List);
                    let Stage::Plan(page) = stage else { return OverlayReply::Redraw };
                    self.decide(page, request)
                }
            },
            Stage::Diff(_, pager) => match pager.key(key, size) {
                OverlayReply::Close => {
                    let stage = std::mem::replace(&mut self.stage, Stage::List);
                    if let Stage::Diff(page, _) = stage {
                        self.stage = Stage::Plan(page);
                    }
                    OverlayReply::Redraw
                }
                reply => reply,
            },
            Stage::Asking(page, asking) => match asking.open.key(key, page.plan()) {
                Some(answer) => self.answer(answer),
                None => OverlayReply::Redraw,
            },
        }
    }

    fn paste(&mut self, text: &str) -> OverlayReply {
        match (&mut self.stage, &mut self.list) {
            (Stage::List, Some(list)) => list.paste(text),
            (Stage::Diff(_, pager), _) => pager.paste(text),
            _ => OverlayReply::Ignored,
        }
    }

    fn rows(&self, size: Size, theme: &Theme) -> Vec<Line<'static>> {
        match &self.stage {
            Stage::List | Stage::Waiting => {
                let words = match self.stage {
                    Stage::Waiting => Some("looking at the files… · esc back"),
                    _ if self.looking => {
                        Some("looking at the files… · ↑↓ choose · ↵ next · esc close")
                    }
                    _ => None,
                };
                let room = usize::from(size.width).saturating_sub(1);
                let waiting = words.map(|words| {
                    row::row([Span::styled(truncate(words, room), theme.style(Tone::Status))])
                });
                self.list_rows(size, waiting, theme)
            }
            Stage::Plan(page) => page.rows(size, theme),
            Stage::Diff(_, pager) => pager.rows(size, theme),
            Stage::Asking(page, asking) => asking.open.rows(page.plan(), size, theme),
        }
    }
}

impl RewindPicker {
    /// The list with what is not covered above its last row.
    fn list_rows(
        &self,
        size: Size,
        footer: Option<Line<'static>>,
        theme: &Theme,
    ) -> Vec<Line<'static>> {
        let Some(list) = &self.list else { return Vec::new() };
        let room = usize::from(size.width).saturating_sub(1);
        let told: Vec<Line<'static>> = self
            .limits
            .iter()
            .flat_map(|limit| {
                let line = Line::from(Span::styled(limit.clone(), theme.style(Tone::Warning)));
                crate::front::text::wrap_line(&line, room, 0)
            })
            .map(|line| row::row(line.spans))
            .collect();
        let most = usize::from(size.height) / 3;
        let told: Vec<_> = told.into_iter().take(most).collect();
        let height = size.height.saturating_sub(told.len() as u16);
        let mut rows = list.draw(Size::new(size.width, height), footer, theme);
        let last = rows.pop();
        rows.extend(told);
        rows.extend(last);
        rows
    }

    /// Shows the changes of the plan.
    pub fn show_diff(&mut self, theme: &Theme) {
        let stage = std::mem::replace(&mut self.stage, Stage::List);
        self.stage = match stage {
            Stage::Plan(page) => {
                let pager = Pager::new("What changes in the files", page.diff(self.columns, theme));
                Stage::Diff(page, Box::new(pager))
            }
            other => other,
        };
    }
}

/// `1 file`, `2 files`.
fn files(n: usize) -> String {
    if n == 1 { "1 file".to_owned() } else { format!("{n} files") }
}

/// Who it was, for a heading.
fn whose(hand: Hand) -> &'static str {
    match hand {
        Hand::Agent => "changed by the assistant",
        // By the command, as far as its time tells; an edit of the user in that time looks the same.
        Hand::Command => "changed while a command ran",
        Hand::User => "changed by you or another program since",
    }
}
