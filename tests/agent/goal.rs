//! Goal mode: turns that follow one another by themselves.

use std::fs;

use kimi_tui::agent::{ANNOUNCED, Budget, Modes, TASKS_HAVE_ENDED, Target};
use kimi_tui::protocol::{
    Event, GoalAct, GoalSnapshot, GoalStatus, GoalUpdate, Message, Op, Outcome, QuestionResponse,
    Request, Response, StopReason, Verdict,
};
use serde_json::{Map, Value};

use super::bench::{Bench, Gate, Heard, Live, Say, calls, status, text, usage};

/// A bench that asks nobody, with the real tools.
pub fn bench(replies: impl IntoIterator<Item = Vec<Say>>) -> Bench {
    let mut bench = Bench::with(replies);
    bench.modes = Modes { yolo: true, ..Modes::default() };
    bench.real_tools = true;
    bench
}

pub fn update(id: &str, status: &str) -> Vec<Say> {
    calls(&[(id, "UpdateGoal", &format!(r#"{{"status":"{status}"}}"#))])
}

pub fn budget(value: &str, unit: &str) -> Vec<Say> {
    calls(&[("b", "SetGoalBudget", &format!(r#"{{"value":{value},"unit":"{unit}"}}"#))])
}

/// What the turns began with.
pub fn begins(heard: &Heard) -> Vec<String> {
    let begin = |event: &Event| match event {
        Event::TurnBegin { user_input } => Some(user_input.text()),
        _ => None,
    };
    heard.events().filter_map(begin).collect()
}

fn updates(heard: &Heard) -> Vec<GoalUpdate> {
    let update = |event: &Event| match event {
        Event::GoalUpdated(update) => Some(GoalUpdate::clone(update)),
        _ => None,
    };
    heard.events().filter_map(update).collect()
}

/// The changes of status, with their reasons.
pub fn changes(heard: &Heard) -> Vec<String> {
    let word = |update: GoalUpdate| {
        let change = update.change?;
        let reason = change.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        Some(format!("{}{reason}", change.status.word()))
    };
    updates(heard).into_iter().filter_map(word).collect()
}

pub fn snapshot(live: &Live) -> GoalSnapshot {
    live.handle.goal().snapshot.expect("a goal")
}

pub fn count(stored: &[String], part: &str) -> usize {
    stored.iter().filter(|message| message.contains(part)).count()
}

/// Starts a goal, and comes back when the turns that follow one another have ended well.
async fn reach(bench: &Bench) -> (Live, Heard) {
    let mut live = bench.open();
    let heard = live.prompt("/goal x").await;
    heard.finished();
    (live, heard)
}

#[tokio::test]
async fn turns_follow_until_the_goal_is_complete() {
    let bench = bench([
        calls(&[("w", "WriteFile", r#"{"path":"goal.txt","content":"done\n"}"#)]),
        vec![text("One part."), usage(100, 10)],
        vec![text("Another part."), usage(100, 20)],
        update("u", "complete"),
        vec![text("All of it is there."), usage(100, 5)],
        vec![text("Hello.")],
    ]);
    let mut live = bench.open();
    let heard = live.prompt("/goal make <it> work").await;
    heard.finished();
    assert_eq!(begins(&heard), ["/goal make <it> work", "goal: turn 2", "goal: turn 3"]);
    let ends = heard.events().filter(|event| matches!(event, Event::TurnEnd {})).count();
    assert_eq!(ends, 3);
    assert_eq!(changes(&heard), ["active", "complete"]);
    let last = updates(&heard).into_iter().rev().find_map(|update| update.snapshot);
    let last = last.expect("a snapshot");
    assert_eq!((last.status, last.used.turns_used), (GoalStatus::Complete, 3));
    assert!(last.used.tokens_used >= 35, "{last:?}");
    assert_eq!(live.handle.goal().snapshot, None, "what is complete is gone");
    assert_eq!(fs::read_to_string(bench.work_dir().join("goal.txt")).unwrap(), "done\n");

    let stored = live.stored().await;
    assert_eq!(stored[0], "user: make <it> work");
    for turn in 1..=3 {
        assert_eq!(count(&stored, &format!("Goal mode, turn {turn}.")), 1, "{stored:#?}");
    }
    assert!(stored[1].contains("make &lt;it&gt; work"), "{stored:#?}");
    // The next turn is an ordinary one, and the model is told so once.
    live.prompt("hello").await.finished();
    assert_eq!(count(&live.stored().await, "Goal mode is over"), 1);
    let tools: Vec<_> = bench.model.asked().into_iter().map(|asked| asked.tools).collect();
    assert!(tools.windows(2).all(|pair| pair[0] == pair[1]), "the list of tools never changes");
}

#[tokio::test]
async fn after_the_end_nothing_runs_but_a_last_word() {
    let bench = bench([
        calls(&[
            ("u", "UpdateGoal", r#"{"status":"blocked"}"#),
            ("w", "WriteFile", r#"{"path":"late.txt","content":"x"}"#),
        ]),
        calls(&[("v", "WriteFile", r#"{"path":"later.txt","content":"x"}"#)]),
        vec![text("never asked for")],
    ]);
    let (live, heard) = reach(&bench).await;
    let results: Vec<_> =
        heard.results().into_iter().map(|(id, value)| (id, value.is_error)).collect();
    let wanted = [("u", false), ("w", true), ("v", true)];
    assert_eq!(results, wanted.map(|(id, error)| (id.to_owned(), error)));
    assert_eq!(bench.model.asked().len(), 2);
    assert_eq!(fs::read_dir(bench.work_dir()).unwrap().count(), 0);
    assert_eq!(snapshot(&live).status, GoalStatus::Blocked);
    live.stored().await;
}

#[tokio::test]
async fn the_limit_of_steps_is_no_failure_of_the_goal() {
    let mut bench = bench([
        calls(&[("a", "Glob", r#"{"pattern":"a"}"#)]),
        calls(&[("b", "Glob", r#"{"pattern":"b"}"#)]),
        update("u", "complete"),
        vec![text("Done.")],
    ]);
    bench.limits.max_steps_per_turn = 2;
    let (live, heard) = reach(&bench).await;
    assert_eq!(begins(&heard).len(), 2);
    assert_eq!(count(&live.stored().await, "cut off by the limit of steps"), 1);
    // And where the last word does not fit any more, the goal is complete all the same.
    let mut bench = self::bench([update("u", "complete")]);
    bench.limits.max_steps_per_turn = 1;
    let (_live, heard) = reach(&bench).await;
    assert_eq!(changes(&heard), ["active", "complete"]);
}

#[tokio::test]
async fn a_budget_of_turns_blocks_it_and_resuming_gives_as_much_again() {
    let bench = bench([
        budget("2", "turns"),
        vec![text("one")],
        vec![text("two")],
        vec![text("three")],
        update("u", "complete"),
        vec![text("four")],
    ]);
    let (mut live, heard) = reach(&bench).await;
    assert_eq!(changes(&heard), ["active", "blocked: budget reached: 2 turns"]);
    assert_eq!(bench.model.asked().len(), 3);
    let heard = live.prompt("/goal resume").await;
    heard.finished();
    assert_eq!(begins(&heard), ["/goal resume", "goal: turn 4"]);
    assert_eq!(changes(&heard), ["active", "complete"]);
}

#[tokio::test]
async fn a_budget_of_tokens_leaves_one_message_without_tools() {
    let mut replies = vec![budget("50", "tokens")];
    let mut busy = calls(&[("a", "Glob", r#"{"pattern":"a"}"#)]);
    busy.push(usage(10, 60));
    replies.push(busy);
    replies.push(calls(&[("w", "WriteFile", r#"{"path":"late.txt","content":"x"}"#)]));
    let bench = bench(replies);
    let (live, heard) = reach(&bench).await;
    assert_eq!(changes(&heard), ["active", "blocked: budget reached: 50 output tokens"]);
    assert_eq!(bench.model.asked().len(), 3);
    assert_eq!(count(&live.stored().await, "no tool runs any more"), 1);
    assert_eq!(fs::read_dir(bench.work_dir()).unwrap().count(), 0);
}

#[tokio::test]
async fn money_is_no_limit_where_nobody_knows_the_prices() {
    let bench = bench([budget("1.5", "usd"), update("u", "complete"), vec![text("done")]]);
    let (_live, heard) = reach(&bench).await;
    let (_, refused) = heard.results().swap_remove(0);
    assert!(refused.is_error && refused.message.contains("no prices"), "{refused:?}");
}

#[tokio::test]
async fn the_time_stops_a_turn_where_it_is() {
    let never = Gate::new();
    let bench = bench([
        budget("1", "seconds"),
        vec![text("Half of it"), Say::Wait(never.clone())],
        vec![text("Hello.")],
    ]);
    let (live, heard) = reach(&bench).await;
    assert_eq!(changes(&heard), ["active", "blocked: budget reached: 1.0 s"]);
    let stored = live.stored().await;
    assert_eq!(count(&stored, "Half of it"), 1, "{stored:#?}");
    assert_eq!(count(&stored, "The time limit ended"), 1, "{stored:#?}");
}

#[tokio::test]
async fn an_interrupt_pauses_it_and_it_goes_on_where_it_was() {
    let never = Gate::new();
    let bench = bench([
        vec![text("one")],
        vec![text("Half"), Say::Wait(never.clone())],
        vec![text("Hello.")],
        vec![text("three")],
        update("u", "complete"),
        vec![text("done")],
    ]);
    let mut live = bench.open();
    live.send("/goal x");
    let half = |message: &Message| matches!(message, Message::Event(Event::ContentPart(part)) if part.as_text() == Some("Half"));
    live.until("half an answer", half).await;
    live.handle.submit(Op::Cancel);
    let heard = live.end().await;
    assert_eq!(heard.outcome(), &Outcome::Cancelled);
    assert_eq!(changes(&heard), ["paused: interrupted"]);
    // An ordinary turn leaves it alone.
    let heard = live.prompt("hello").await;
    heard.finished();
    assert_eq!(begins(&heard), ["hello"]);
    assert_eq!(count(&live.stored().await, "the goal is paused after 2 turns"), 1);
    let heard = live.prompt("/goal resume").await;
    heard.finished();
    assert_eq!(begins(&heard), ["/goal resume", "goal: turn 4"]);
}

#[tokio::test]
async fn a_failure_pauses_it() {
    let bench = bench([vec![text("one")], vec![status(400, "no such thing")]]);
    let mut live = bench.open();
    let heard = live.prompt("/goal x").await;
    assert!(matches!(heard.outcome(), Outcome::Failed(_)));
    let changes = changes(&heard);
    assert!(
        changes[1].starts_with("paused: ") && changes[1].contains("no such thing"),
        "{changes:?}"
    );
    assert_eq!(snapshot(&live).used.turns_used, 2);
}

#[tokio::test]
async fn the_budget_of_the_run_pauses_it_and_no_turn_of_its_own_renews_that() {
    let mut bench = bench([
        vec![text("one"), usage(60, 10)],
        vec![text("two"), usage(60, 10)],
        vec![text("never")],
    ]);
    bench.limits.budget =
        Budget { tokens: Some(140), renewed_by_prompts: true, ..Budget::default() };
    let mut live = bench.open();
    let heard = live.prompt("/goal x").await;
    assert!(matches!(heard.outcome(), Outcome::BudgetSpent(_)), "{:?}", heard.outcome());
    assert!(changes(&heard)[1].starts_with("paused: The budget of 140 tokens is spent"));
    assert_eq!(bench.model.asked().len(), 2);
}

#[tokio::test]
async fn going_round_in_circles_ends_in_a_pause() {
    let same = || calls(&[("a", "Glob", r#"{"pattern":"a"}"#)]);
    let bench = bench((0..100).map(|_| same()));
    let mut live = bench.open();
    let heard = live.prompt("/goal x").await;
    assert_eq!(begins(&heard).len(), 3);
    assert_eq!(changes(&heard)[1], "paused: the model makes the same call again and again");
    let stop = StopReason::ToolCallRepeat;
    assert_eq!(heard.outcome(), &Outcome::Finished { stop });
    assert_eq!(bench.model.asked().len(), 36, "twelve of the same in each turn");
}

#[tokio::test]
async fn pause_and_cancel_work_while_a_turn_runs() {
    let gate = Gate::new();
    let bench = bench([
        vec![text("one"), Say::Wait(gate.clone())],
        vec![text("two"), Say::Wait(Gate::new())],
        vec![text("Hello.")],
    ]);
    let mut live = bench.open();
    live.send("/goal x");
    live.until("the answer", |m| matches!(m, Message::Event(Event::ContentPart(_)))).await;
    live.handle.submit(Op::Goal { act: GoalAct::Pause });
    live.until("the pause", |m| matches!(m, Message::Event(Event::GoalUpdated(_)))).await;
    gate.open();
    live.end().await.finished();
    assert_eq!(snapshot(&live).status, GoalStatus::Paused);
    live.send("/goal resume");
    live.until("the answer", |m| matches!(m, Message::Event(Event::ContentPart(_)))).await;
    live.handle.submit(Op::Goal { act: GoalAct::Cancel });
    assert_eq!(live.end().await.outcome(), &Outcome::Cancelled);
    assert_eq!(live.handle.goal().snapshot, None);
    live.prompt("hello").await.finished();
    assert_eq!(count(&live.stored().await, "Goal mode is over"), 1);
}

#[tokio::test]
async fn what_is_steered_into_a_goal_is_taken_in_once() {
    let gate = Gate::new();
    let bench = bench([
        vec![text("one"), Say::Wait(gate.clone())],
        vec![text("two")],
        update("u", "complete"),
        vec![text("done")],
    ]);
    let mut live = bench.open();
    live.send("/goal x");
    live.until("the answer", |m| matches!(m, Message::Event(Event::ContentPart(_)))).await;
    live.handle.submit(Op::Steer { input: "mind the gap".into() });
    gate.open();
    live.end().await.finished();
    assert_eq!(count(&live.stored().await, "user: mind the gap"), 1);
}

#[tokio::test]
async fn a_goal_outlives_the_process_and_rests_then() {
    let bench = bench([
        vec![text("one"), usage(5, 7)],
        vec![text("Half"), Say::Wait(Gate::new())],
        vec![text("three")],
        update("u", "complete"),
        vec![text("done")],
    ]);
    let mut live = bench.open();
    live.send("/goal x");
    let half = |message: &Message| matches!(message, Message::Event(Event::ContentPart(part)) if part.as_text() == Some("Half"));
    live.until("half an answer", half).await;
    let session = live.handle.session().clone();
    // As a killed process leaves it: the record says that it is active.
    let log = fs::read(session.dir.join("goal.jsonl")).unwrap();
    live.handle.shutdown(None).await;
    fs::write(session.dir.join("goal.jsonl"), &log).unwrap();
    let mut live = bench.reopen(session);
    let goal = snapshot(&live);
    assert_eq!((goal.status, goal.used.turns_used), (GoalStatus::Paused, 2));
    assert_eq!(goal.terminal_reason.as_deref(), Some("after resume"));
    assert!(goal.used.tokens_used >= 7);
    let heard = live.prompt("/goal resume").await;
    heard.finished();
    assert_eq!(changes(&heard), ["active", "complete"]);
}

#[tokio::test]
async fn the_next_goal_begins_when_the_one_before_it_is_complete() {
    let bench = bench([
        vec![text("one")],
        update("u", "complete"),
        vec![text("first done")],
        vec![text("two")],
        update("v", "blocked"),
        vec![text("second stuck")],
    ]);
    let mut live = bench.open();
    live.prompt("/goal next status of the second").await;
    live.prompt("/goal next third").await;
    let heard = live.prompt("/goal first").await;
    heard.finished();
    let wanted = ["/goal first", "goal: turn 2", "/goal status of the second", "goal: turn 2"];
    assert_eq!(begins(&heard), wanted);
    assert_eq!(
        changes(&heard),
        ["active", "complete", "active", "blocked: the model cannot go on"]
    );
    let waiting: Vec<_> =
        live.handle.goal().upcoming.into_iter().map(|goal| goal.objective).collect();
    assert_eq!(waiting, ["third"], "only what is complete makes room");
    let path = live.handle.session().dir.join("upcoming-goals.json");
    let queue: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!((&queue["version"], &queue["goals"][0]["objective"]), (&1.into(), &"third".into()));
}

#[tokio::test]
async fn one_goal_at_a_time() {
    let bench = bench([
        update("u", "blocked"),
        vec![text("stuck")],
        update("v", "complete"),
        vec![text("done")],
    ]);
    let mut live = bench.open();
    live.prompt("/goal first").await.finished();
    let heard = live.prompt("/goal second").await;
    assert!(
        matches!(heard.outcome(), Outcome::Failed(failure) if failure.message.contains("replace"))
    );
    assert_eq!(snapshot(&live).objective, "first");
    let heard = live.prompt("/goal replace second").await;
    heard.finished();
    assert_eq!(changes(&heard), ["active", "complete"]);
}

/// Answers the question that was heard last; `None` dismisses it.
fn answer_question(live: &Live, heard: &Heard, answer: Option<&str>) {
    let Some(Message::Request(Request::QuestionRequest(request))) = heard.0.last() else {
        panic!("no question");
    };
    let question = request.questions[0].question.clone();
    let answers: Map<String, Value> =
        answer.map(|answer| (question, answer.into())).into_iter().collect();
    let response = QuestionResponse { request_id: request.id.clone(), answers, declined: false };
    live.handle.submit(Op::Answer { response: Response::Question(response) });
}

/// The answer of a person to the question how to go on.
async fn start_with(bench: &Bench, answer: Option<&str>) -> (Live, Heard) {
    let mut live = bench.open();
    live.send("/goal x");
    let asks = |message: &Message| matches!(message, Message::Request(Request::QuestionRequest(_)));
    let heard = live.until("the question", asks).await;
    answer_question(&live, &heard, answer);
    let heard = live.end().await;
    (live, heard)
}

#[tokio::test]
async fn somebody_who_is_asked_for_approvals_is_asked_first_how_to_go_on() {
    let replies = || [update("u", "complete"), vec![text("done")]];
    let asking = || {
        let mut bench = bench(replies());
        bench.modes = Modes::default();
        bench
    };
    let bench = asking();
    let (live, heard) = start_with(&bench, None).await;
    assert_eq!(heard.outcome(), &Outcome::Finished { stop: StopReason::Command });
    assert!(live.handle.goal().snapshot.is_none() && bench.model.asked().is_empty());
    let (live, heard) = start_with(&asking(), Some("do as you like")).await;
    assert_eq!(heard.outcome(), &Outcome::Finished { stop: StopReason::Command });
    assert!(!live.handle.info().yolo, "what is written is no consent");
    for (answer, yolo, afk) in [
        ("Ask me", false, false),
        ("Approve everything", true, false),
        ("Leave it alone", false, true),
    ] {
        let (live, heard) = start_with(&asking(), Some(answer)).await;
        heard.finished();
        let info = live.handle.info();
        assert_eq!((info.yolo, info.afk), (yolo, afk), "{answer}");
    }
}

#[tokio::test]
async fn an_agent_without_the_tools_refuses_a_goal_it_could_not_end() {
    let mut bench = Bench::with([vec![text("never")]]);
    bench.modes = Modes { yolo: true, ..Modes::default() };
    let mut live = bench.open();
    let heard = live.prompt("/goal x").await;
    assert!(matches!(heard.outcome(), Outcome::Failed(why) if why.message.contains("UpdateGoal")));
    assert!(bench.model.asked().is_empty() && live.handle.goal().snapshot.is_none());
}

#[tokio::test]
async fn the_model_begins_a_goal_only_with_consent() {
    let create = || calls(&[("c", "CreateGoal", r#"{"objective":"win"}"#)]);
    let mut bench = bench([create(), vec![text("no")]]);
    bench.modes = Modes::default();
    let mut live = bench.open();
    live.send("please win");
    let (_, request) = live.asked().await;
    assert_eq!(request.action, "start a goal");
    live.answer(&request.id, Verdict::Reject, "");
    live.end().await;
    assert!(live.handle.goal().snapshot.is_none());
    let bench =
        self::bench([create(), vec![text("begun")], update("u", "complete"), vec![text("won")]]);
    let mut live = bench.open();
    let heard = live.prompt("please win").await;
    heard.finished();
    assert_eq!(begins(&heard), ["please win", "goal: turn 2"]);
}

/// Starts a goal of somebody who wants to be asked.
pub async fn start_asking(bench: &Bench) -> Live {
    let mut live = bench.open();
    live.send("/goal x");
    let asks = |message: &Message| matches!(message, Message::Request(Request::QuestionRequest(_)));
    let heard = live.until("the question", asks).await;
    answer_question(&live, &heard, Some("Ask me"));
    live
}

fn write(id: &str, path: &str) -> Vec<Say> {
    calls(&[(id, "WriteFile", &format!(r#"{{"path":"{path}","content":"x"}}"#))])
}

#[tokio::test]
async fn a_rejected_action_pauses_it() {
    let mut bench = bench([write("w", "a"), vec![text("never")]]);
    bench.modes = Modes::default();
    let mut live = start_asking(&bench).await;
    let (_, request) = live.asked().await;
    live.answer(&request.id, Verdict::Reject, "");
    let heard = live.end().await;
    assert_eq!(changes(&heard), ["paused: an action was rejected"]);
    assert_eq!(fs::read_dir(bench.work_dir()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_denied_in_every_one_of_fifty_turns_happens_in_none() {
    // The model does not take no for an answer: each turn it tries another file.
    let tries =
        (0..50).flat_map(|n| [write(&format!("w{n}"), &format!("f{n}")), vec![text("Again.")]]);
    let mut bench = bench(tries.chain([update("u", "blocked"), vec![text("I may not.")]]));
    bench.modes = Modes::default();
    let mut live = start_asking(&bench).await;
    for _ in 0..50 {
        let (_, request) = live.asked().await;
        live.answer(&request.id, Verdict::Reject, "write nothing");
    }
    let heard = live.end().await;
    heard.finished();
    assert_eq!(snapshot(&live).used.turns_used, 51);
    assert_eq!(count(&live.stored().await, "write nothing"), 50);
    assert_eq!(fs::read_dir(bench.work_dir()).unwrap().count(), 0, "nothing was written");
}

#[tokio::test]
async fn what_a_cleared_history_has_lost_is_told_again() {
    let bench = bench([
        update("u", "blocked"),
        vec![text("stuck")],
        vec![text("one")],
        vec![text("two")],
        update("a", "active"),
        vec![text("on it")],
        update("v", "complete"),
        vec![text("done")],
    ]);
    let mut live = bench.open();
    live.prompt("/goal win").await.finished();
    live.prompt("/clear").await;
    live.prompt("hello").await.finished();
    live.prompt("hello again").await.finished();
    assert_eq!(count(&live.stored().await, "the goal is blocked after 1 turn "), 1);
    // The model takes it up when the user says so, and the turns follow again.
    let heard = live.prompt("go on with it").await;
    heard.finished();
    assert_eq!(begins(&heard), ["go on with it", "goal: turn 3"]);
    assert_eq!(changes(&heard), ["active", "complete"]);
}

/// What stands in a list for a turn that nobody has written, somebody may write.
#[tokio::test]
async fn words_of_a_turn_are_a_persons_unless_it_began_by_itself() {
    let replies = [vec![text("One part.")], update("u", "complete"), vec![text("It is there.")]];
    let bench = bench(replies.into_iter().chain((0..4).map(|_| vec![text("fine")])));
    let (mut live, heard) = reach(&bench).await;
    let second = "goal: turn 2";
    assert_eq!(begins(&heard), ["/goal x", second]);
    assert_eq!(begins(&live.see_to_tasks().await), [TASKS_HAVE_ENDED]);
    let written = [second, ANNOUNCED, TASKS_HAVE_ENDED];
    for words in written {
        live.prompt(words).await.finished();
    }
    let rewinder = live.handle.rewinder().expect("a rewinder");
    let told = tokio::task::spawn_blocking(move || {
        let points = rewinder.points().unwrap().points.into_iter().rev();
        let told = points.map(|point| {
            let plan = rewinder.plan(Target::Point(point.id)).unwrap();
            (point.prompt, rewinder.planned(plan.id).unwrap().1)
        });
        told.collect::<Vec<_>>()
    });
    let of_person = |words: &str| (words.to_owned(), Some(words.to_owned()));
    let of_nobody = |words: &str| (words.to_owned(), None);
    let before = [of_person("/goal x"), of_nobody(second), of_nobody(ANNOUNCED)];
    let all: Vec<_> = before.into_iter().chain(written.map(of_person)).collect();
    assert_eq!(told.await.unwrap(), all);
}
