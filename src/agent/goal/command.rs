//! `/goal`: what may follow it, and what it does.

use std::fmt::Write as _;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::reminder::{self, Variant};
use super::state::{checked, time, turns};
use crate::agent::core::Core;
use crate::agent::slash;
use crate::agent::turn;
use crate::protocol::{
    ContentPart, Event, Failure, FailureKind, GoalActor, GoalSnapshot, GoalStatus, GoalUpdate,
    Outcome, Question, QuestionOption, StopReason, UserInput, dollars,
};
use crate::tools::QuestionOutcome;

/// What somebody wants of the goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Status,
    Pause,
    Resume,
    Cancel,
    Start {
        objective: String,
        replace: bool,
    },
    /// Put it into the queue.
    Next {
        objective: String,
    },
    /// Show the queue.
    Manage,
}

/// Reads what follows `/goal`. A word of ours counts as the first one only, and those that take
/// nothing only when they stand alone: `pause the film` is an objective. After `--` everything is.
pub fn parse(arguments: &str) -> Result<Wanted, String> {
    let arguments = arguments.trim();
    let (word, rest) = split_word(arguments);
    let objective = |text: &str| checked(after_dashes(text)).map(str::to_owned);
    match (word, rest) {
        ("" | "status", "") => Ok(Wanted::Status),
        ("pause", "") => Ok(Wanted::Pause),
        ("resume", "") => Ok(Wanted::Resume),
        ("cancel", "") => Ok(Wanted::Cancel),
        ("next", "manage") => Ok(Wanted::Manage),
        ("next", rest) => objective(rest).map(|objective| Wanted::Next { objective }),
        ("replace", rest) => {
            objective(rest).map(|objective| Wanted::Start { objective, replace: true })
        }
        _ => objective(arguments).map(|objective| Wanted::Start { objective, replace: false }),
    }
}

fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

fn after_dashes(text: &str) -> &str {
    match split_word(text) {
        ("--", rest) => rest,
        _ => text,
    }
}

/// The command line that starts this objective.
pub fn line(objective: &str) -> String {
    match parse(objective) {
        Ok(Wanted::Start { objective: read, replace: false }) if read == objective => {
            format!("/goal {objective}")
        }
        _ => format!("/goal -- {objective}"),
    }
}

/// Whether a prompt of a run without a person begins a goal; its other commands are prompts there.
pub fn starts_goal(prompt: &str) -> bool {
    slash::parse(prompt).is_some_and(|command| {
        command.name == "goal" && matches!(parse(&command.arguments), Ok(Wanted::Start { .. }))
    })
}

/// Whether a prompt of a run without a person is about beginning a goal, or tries to be.
pub fn means_goal(prompt: &str) -> bool {
    slash::parse(prompt).filter(|command| command.name == "goal").is_some_and(
        |command| match parse(&command.arguments) {
            Ok(Wanted::Status) => command.arguments.trim().is_empty(),
            Ok(wanted) => matches!(wanted, Wanted::Start { .. }),
            Err(_) => true,
        },
    )
}

/// Carries the command out inside its turn.
pub async fn run(core: &Arc<Core>, arguments: &str, cancel: &CancellationToken) -> Outcome {
    let alone = core.desk.modes().runtime_afk;
    let wanted = match parse(arguments) {
        Ok(Wanted::Status) if alone && arguments.is_empty() => {
            return refused("The goal has no objective.".to_owned());
        }
        Err(why) if alone => return refused(why),
        Err(why) => return said(core, why),
        Ok(wanted) => wanted,
    };
    match wanted {
        Wanted::Start { objective, replace } => start(core, &objective, replace, cancel).await,
        _ if alone => {
            let prompt = format!("/goal {arguments}");
            turn::run_plain(core, UserInput::from(prompt.trim()), cancel).await
        }
        Wanted::Status | Wanted::Manage => said(core, report(&core.goals.update())),
        Wanted::Pause => match core.goals.snapshot() {
            Some(goal) => said(core, format!("The goal is {} already.", goal.status.word())),
            None => said(core, NO_GOAL.to_owned()),
        },
        Wanted::Cancel => match core.goals.cancel() {
            Some(_) => said(core, "The goal is given up.".to_owned()),
            None => said(core, NO_GOAL.to_owned()),
        },
        Wanted::Next { objective } => {
            let words = match core.goals.queue(&objective) {
                Ok(_) if core.goals.snapshot().is_none() => {
                    "Queued. No goal is there to wait for: it begins after the next goal that is \
                     completed. /goal starts one now."
                        .to_owned()
                }
                Ok(waiting) => {
                    format!(
                        "Queued as number {waiting}: it begins when the goals before it are complete."
                    )
                }
                Err(why) => why,
            };
            said(core, words)
        }
        Wanted::Resume => resume(core, cancel).await,
    }
}

const NO_GOAL: &str = "There is no goal. /goal <objective> starts one.";

async fn start(
    core: &Arc<Core>,
    objective: &str,
    replace: bool,
    cancel: &CancellationToken,
) -> Outcome {
    if core.llm().is_none() {
        // Which fails, and says so as for every other prompt.
        return turn::run_plain(core, UserInput::from(objective), cancel).await;
    }
    if core.tool("UpdateGoal").is_none() {
        return refused(
            "This agent cannot work toward goals: its tools lack UpdateGoal, so it could never end one."
                .to_owned(),
        );
    }
    if let Some(goal) = core.goals.snapshot().filter(|_| !replace) {
        return refused(format!(
            "There is a goal already, and it is {}. Use /goal replace to give it up for this one{}.",
            goal.status.word(),
            if core.desk.modes().runtime_afk { "" } else { ", or /goal resume" }
        ));
    }
    match ask_for_mode(core, cancel).await {
        Asked::GoOn => {}
        Asked::Dismissed => return said(core, "The goal was not started.".to_owned()),
        Asked::Cancelled => return Outcome::Cancelled,
    }
    if let Err(why) = core.goals.create(objective, None, replace, GoalActor::User) {
        return refused(why);
    }
    turn::set_first_title(core, objective);
    turn::run_plain(core, UserInput::from(objective), cancel).await
}

/// A hook forbids the prompt of a turn: a goal that it would have begun or gone on with is blocked.
/// `typed` is what somebody has written; `None` for a turn that follows by itself.
pub fn forbidden(core: &Core, typed: Option<&str>, reason: &str) {
    if let Some(typed) = typed {
        let Some(command) = slash::parse(typed).filter(|command| command.name == "goal") else {
            return;
        };
        let Ok(Wanted::Start { objective, .. }) = parse(&command.arguments) else { return };
        let able = core.llm().is_some() && core.tool("UpdateGoal").is_some();
        // A goal that is there already stays: it is not the one that is forbidden.
        if !able || core.goals.create(&objective, None, false, GoalActor::User).is_err() {
            return;
        }
    }
    let reason = format!("a hook forbids its prompt: {reason}");
    core.goals.stop(GoalStatus::Blocked, &reason, GoalActor::Runtime);
}

async fn resume(core: &Arc<Core>, cancel: &CancellationToken) -> Outcome {
    if core.goals.snapshot().is_none() {
        return said(core, NO_GOAL.to_owned());
    }
    match ask_for_mode(core, cancel).await {
        Asked::GoOn => {}
        Asked::Dismissed => return said(core, "The goal stays as it is.".to_owned()),
        Asked::Cancelled => return Outcome::Cancelled,
    }
    if let Err(why) = core.goals.resume(true, GoalActor::User) {
        return said(core, why);
    }
    core.goals.begin_turn();
    let message = reminder::message(core, Variant::Resumed);
    turn::run_plain(core, UserInput::from(message), cancel).await
}

enum Asked {
    GoOn,
    Dismissed,
    Cancelled,
}

const QUESTION: &str = "A goal is worked on over many turns. Who approves what it does?";
const YOLO: &str = "Approve everything";
const AFK: &str = "Leave it alone";
const ASK: &str = "Ask me";

/// Asks how to go on with approvals, unless they are given without asking already.
async fn ask_for_mode(core: &Arc<Core>, cancel: &CancellationToken) -> Asked {
    if core.desk.modes().auto_approve() {
        return Asked::GoOn;
    }
    let option = |label: &str, description: &str| QuestionOption {
        label: label.to_owned(),
        description: description.to_owned(),
    };
    let question = Question {
        question: QUESTION.to_owned(),
        header: "Goal".to_owned(),
        options: vec![
            option(ASK, "It stops at every action that needs an approval, until you answer"),
            option(YOLO, "Yolo: actions go ahead, it may still ask you questions"),
            option(AFK, "Unattended: actions go ahead, and it decides by itself"),
        ],
        multi_select: false,
        body: String::new(),
        other_label: String::new(),
        other_description: String::new(),
        only_options: true,
    };
    let outcome = tokio::select! {
        outcome = core.desk.ask("goal", vec![question]) => outcome,
        () = cancel.cancelled() => return Asked::Cancelled,
    };
    let answer = match outcome {
        QuestionOutcome::Answered(response) => {
            response.answers.get(QUESTION).and_then(|answer| answer.as_str()).map(str::to_owned)
        }
        // Nobody can be asked: things stay as they are.
        QuestionOutcome::Afk | QuestionOutcome::Unsupported => return Asked::GoOn,
    };
    if cancel.is_cancelled() {
        return Asked::Cancelled;
    }
    match answer.as_deref() {
        Some(YOLO) => slash::set_modes(core, Some(true), None),
        Some(AFK) => slash::set_modes(core, None, Some(true)),
        Some(ASK) => {}
        // What somebody wrote in their own words is no consent to anything.
        _ => return Asked::Dismissed,
    }
    Asked::GoOn
}

fn said(core: &Arc<Core>, words: String) -> Outcome {
    core.hub.event(Event::ContentPart(ContentPart::text(words)));
    Outcome::Finished { stop: StopReason::Command }
}

fn refused(message: String) -> Outcome {
    Outcome::Failed(Failure { kind: FailureKind::Internal, message, hint: None })
}

/// The goal and the queue in words.
pub fn report(update: &GoalUpdate) -> String {
    let mut out = match &update.snapshot {
        Some(goal) => status(goal),
        None => NO_GOAL.to_owned(),
    };
    if !update.upcoming.is_empty() {
        out.push_str("\n\nNext:");
        for (n, goal) in update.upcoming.iter().enumerate() {
            let _ = write!(out, "\n{}. {}", n + 1, goal.objective);
        }
    }
    out
}

fn status(goal: &GoalSnapshot) -> String {
    let reason = goal.terminal_reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    // The objective may be long: what there is room for has to come before it.
    let mut out = format!("Goal {}{reason}\n\n{}", goal.status.word(), spent(goal));
    if matches!(goal.status, GoalStatus::Paused | GoalStatus::Blocked) {
        out.push_str("\n/goal resume goes on, /goal cancel gives it up.");
    }
    let _ = write!(out, "\n\n{}", goal.objective);
    if let Some(criterion) = &goal.completion_criterion {
        let _ = write!(out, "\n\nComplete when: {criterion}");
    }
    out
}

/// What was used up, of what.
pub fn spent(goal: &GoalSnapshot) -> String {
    let (used, limits) = (&goal.used, &goal.budget_limits);
    let of = |limit: Option<String>| limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let of_subagents = match used.subagent_tokens_used {
        0 => String::new(),
        n => format!(" ({n} by subagents)"),
    };
    let mut out = format!(
        "{}{}, {}{} output tokens{of_subagents}, {}{}",
        turns(used.turns_used),
        of(limits.turn_budget.map(|n| n.to_string())),
        used.tokens_used,
        of(limits.token_budget.map(|n| n.to_string())),
        time(used.wall_clock_ms),
        of(limits.wall_clock_budget_ms.map(time)),
    );
    if used.usd_used > 0.0 || limits.usd_budget.is_some() {
        let limit = of(limits.usd_budget.map(|usd| format!("${}", dollars(usd))));
        let _ = write!(out, ", ${}{limit}", dollars(used.usd_used));
        if used.subagent_usd_used > 0.0 {
            let _ = write!(out, " (${} by subagents)", dollars(used.subagent_usd_used));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(arguments: &str) -> String {
        match parse(arguments) {
            Ok(Wanted::Start { objective, replace }) => format!("start {replace} {objective}"),
            Ok(other) => format!("{other:?}"),
            Err(why) => why,
        }
    }

    #[test]
    fn words_of_ours_count_alone_and_first() {
        assert_eq!(told(""), "Status");
        assert_eq!(told(" status "), "Status");
        assert_eq!(told("pause"), "Pause");
        assert_eq!(told("pause the film"), "start false pause the film");
        assert_eq!(told("status report for May"), "start false status report for May");
        assert_eq!(told("fix\nall of it"), "start false fix\nall of it");
        assert_eq!(told("replace do it\ntwice"), "start true do it\ntwice");
        assert_eq!(told("replace -- next"), "start true next");
        assert_eq!(told("-- replace x"), "start false replace x");
        assert_eq!(told("--fast please"), "start false --fast please");
        assert_eq!(told("next manage"), "Manage");
        assert_eq!(told("next manage memory"), "Next { objective: \"manage memory\" }");
        for empty in ["--", "replace", "replace --", "next", "next --  "] {
            assert_eq!(told(empty), "The goal has no objective.", "{empty}");
        }
    }

    #[test]
    fn an_objective_has_at_most_four_thousand_characters() {
        assert!(told(&"ü".repeat(4_000)).starts_with("start"));
        assert!(told(&"ü".repeat(4_001)).contains("4001 characters"));
    }

    #[test]
    fn a_line_starts_the_objective_it_was_made_from() {
        for objective in ["win", "pause", "next thing", "replace it", "-- x", "status", "a\nb"] {
            let line = line(objective);
            assert_eq!(told(&line["/goal ".len()..]), format!("start false {objective}"), "{line}");
        }
    }

    #[test]
    fn headless_only_a_start_is_a_command() {
        assert!(starts_goal("/goal win"));
        assert!(starts_goal("/goal replace win"));
        for prompt in ["/goal", "/goal status", "/goal next x", "/goals x", "goal x", "/goal --"] {
            assert!(!starts_goal(prompt), "{prompt}");
        }
        for prompt in ["/goal win", "/goal", "/goal --", "/goal replace"] {
            assert!(means_goal(prompt), "{prompt}");
        }
        for prompt in ["/goal status", "/goal next x", "/goal pause", "goal x", "win"] {
            assert!(!means_goal(prompt), "{prompt}");
        }
    }
}
