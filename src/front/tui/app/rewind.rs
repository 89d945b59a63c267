//! `/undo`, `/redo`, Esc Esc: going back to before a turn, and forth again.

use std::time::Duration;

use super::jobs::Done;
use super::panes::Pane;
use super::{App, TuiError};
use crate::agent::{Plan, RewindPoints, Target};
use crate::front::tui::cells::Severity;
use crate::front::tui::overlays::RewindPicker;
use crate::front::tui::status::toast::Toast;
use crate::protocol::{Hand, Op, Outcome, RewindRequest, RewindScope};

/// How long a second Esc counts as the second; programs that type are not quick.
const TWICE: Duration = Duration::from_millis(1_200);

impl App {
    /// Esc: interrupts; twice at an idle, empty prompt: the picker of turns.
    pub(super) fn escape(&mut self) -> Result<(), TuiError> {
        if self.busy() {
            self.interrupt();
            return Ok(());
        }
        if !self.composer.is_empty() {
            return Ok(());
        }
        let now = self.now();
        if self.escaped.take().is_some_and(|at| now.duration_since(at) < TWICE) {
            return self.run_command_line("/undo");
        }
        self.escaped = Some(now);
        if !self.transcript.past().is_empty() {
            self.toasts
                .push(Toast { lasts: TWICE, ..Toast::new("esc", "esc again to rewind") }, now);
        }
        Ok(())
    }

    /// `/undo [count]`.
    pub(super) fn undo(&mut self, argument: &str) {
        let nth = match argument {
            "" => 0,
            number => match number.parse::<usize>() {
                Ok(n @ 1..) => n - 1,
                _ => {
                    let title = format!("\"{argument}\" is not a number of turns.");
                    return self.say(Severity::Warning, &title, "");
                }
            },
        };
        let Some(rewinder) = self.session.rewinder() else { return self.no_rewinder() };
        self.jobs.start(move || Done::RewindPoints(rewinder.points_as_noted(), nth));
    }

    /// `/redo`.
    pub(super) fn redo(&mut self) {
        let Some(rewinder) = self.session.rewinder() else { return self.no_rewinder() };
        self.jobs.start(move || Done::RewindPlan(rewinder.plan(Target::Redo)));
    }

    fn no_rewinder(&mut self) {
        let title = "Nothing can be undone here: another kimi has this session open.";
        self.say(Severity::Warning, title, "");
    }

    pub(super) fn on_rewind_points(
        &mut self,
        points: Result<RewindPoints, String>,
        nth: usize,
    ) -> Result<(), TuiError> {
        match points {
            Err(error) => self.say(Severity::Error, &error, ""),
            // Something else has begun meanwhile.
            Ok(_) if self.busy() || self.pane.is_some() => {}
            Ok(points) if points.points.is_empty() => {
                let body = if points.redo { "/redo takes the last rewind back." } else { "" };
                self.say(Severity::Info, "There is no turn to undo.", body);
            }
            Ok(points) => {
                let picker = RewindPicker::new(&points, self.env.unix_now(), nth);
                self.open_pane(Pane::Rewind(Box::new(picker)))?;
                if let Some(rewinder) = self.session.rewinder() {
                    self.jobs.start(move || Done::RewindLooked(rewinder.points()));
                }
            }
        }
        Ok(())
    }

    pub(super) fn on_rewind_looked(
        &mut self,
        points: Result<RewindPoints, String>,
    ) -> Result<(), TuiError> {
        let now = self.env.unix_now();
        if let Some(Pane::Rewind(picker)) = &mut self.pane {
            picker.set_points(points.as_ref().ok(), now);
            if let Err(error) = points {
                self.toast("rewind", &error);
            }
            return self.redraw_pane();
        }
        Ok(())
    }

    pub(super) fn want_rewind_plan(&mut self, point: u64) {
        if let Some(rewinder) = self.session.rewinder() {
            self.jobs.start(move || Done::RewindPlan(rewinder.plan(Target::Point(point))));
        }
    }

    pub(super) fn on_rewind_plan(&mut self, plan: Result<Plan, String>) -> Result<(), TuiError> {
        if self.busy() {
            return Ok(());
        }
        match (plan, &mut self.pane) {
            (Ok(plan), Some(Pane::Rewind(picker))) => picker.set_plan(plan),
            (Err(error), Some(Pane::Rewind(picker))) => {
                picker.unwait();
                self.toast("rewind", &error);
            }
            (_, Some(_)) => {}
            (Err(error), None) => self.say(Severity::Info, &sentence(&error), ""),
            (Ok(plan), None) if plan.target == Target::Redo => return self.redo_with(plan),
            // The picker was closed meanwhile.
            (Ok(_), None) => {}
        }
        self.redraw_pane()
    }

    /// Without anybody's work in the way there is nothing to ask.
    fn redo_with(&mut self, plan: Plan) -> Result<(), TuiError> {
        let clear =
            plan.files.iter().all(|file| file.hand == Hand::Agent && file.problem.is_none());
        if clear {
            let scope = plan.scope.unwrap_or(RewindScope::Both);
            return self.rewind(RewindRequest {
                plan: plan.id,
                scope,
                keep: Vec::new(),
                keep_files: Vec::new(),
            });
        }
        self.open_pane(Pane::Rewind(Box::new(RewindPicker::of_plan(plan))))
    }

    /// Carries out a plan, as a turn.
    pub(super) fn rewind(&mut self, request: RewindRequest) -> Result<(), TuiError> {
        let Some(rewinder) = self.session.rewinder() else { return Ok(()) };
        let Some((target, written)) = rewinder.planned(request.plan) else {
            self.say(Severity::Warning, "The files have changed; choose again.", "");
            return Ok(());
        };
        let redo = target == Target::Redo;
        self.back_to = written.filter(|_| request.scope.conversation());
        let queued = self.take_in_text(if redo { "/redo" } else { "/undo" });
        self.start_with(queued, |id, _| Op::Rewind { id, request })
    }

    /// How far a rewind is, for the spinner's row.
    pub(super) fn rewinding(&self) -> Option<String> {
        let (through, of) = self.session.rewinder()?.progress()?;
        Some(format!("Putting files back {through}/{of}…"))
    }

    /// The words of the undone turn are there to be sent again.
    pub(super) fn put_prompt_back(&mut self, outcome: &Outcome) {
        let prompt = self.back_to.take();
        if let (Some(prompt), Outcome::Finished { .. }, true) =
            (prompt, outcome, self.composer.is_empty())
        {
            self.composer.set_text(&prompt);
        }
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).chain(['.']).collect()
    })
}
