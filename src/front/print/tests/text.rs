//! The text form.

use proptest::prelude::*;

use super::*;
use crate::front::print::output::{Pieces, Target};

/// What a reader has of a stream in the end.
fn told(options: &PrintOptions, steps: Vec<Step>) -> (String, String) {
    let mut printer = printer(options);
    let mut pieces = Pieces::default();
    for step in steps {
        match step {
            Step::Say(message) => match &*message {
                Message::Event(event) => printer.event(event, &mut pieces),
                other => unreachable!("no event: {other:?}"),
            },
            Step::End(outcome) => printer.ended(&outcome, &mut pieces),
            _ => unreachable!("only events and the end reach a printer"),
        }
    }
    let all = pieces.take();
    let of = |target| all.iter().filter(|(t, _)| *t == target).map(|(_, s)| s.as_str()).collect();
    (of(Target::Out), of(Target::Err))
}

#[test]
fn every_piece_is_out_at_once() {
    let mut printer = printer(&prompt("hi"));
    let mut pieces = Pieces::default();
    let first = Event::ContentPart(ContentPart::text("H"));
    printer.event(&first, &mut pieces);
    assert_eq!(pieces.take(), [(Target::Out, "H".to_owned())]);
}

#[test]
fn messages_stand_on_lines_of_their_own_and_calls_on_stderr() {
    let (out, err) = told(
        &prompt("hi"),
        vec![
            begin(),
            step(1),
            think("secret thoughts"),
            text("Step one."),
            call("c1", "Shell", "{\"command\": \"echo hi"),
            more_arguments("\\nls\"}"),
            result("c1", ToolReturnValue::error("exit code 3\nmore", "Failed: 3")),
            step(2),
            text("Step two.\n"),
            turn_end(),
            well(),
        ],
    );
    assert_eq!(out, "Step one.\nStep two.\n");
    assert_eq!(err, "• Shell: echo hi ...\n  failed: Failed: 3\n");
}

#[test]
fn thinking_is_dim_on_a_terminal() {
    let options = PrintOptions { stderr_is_terminal: true, ..prompt("hi") };
    let steps = vec![step(1), think("a\u{1b}[2J"), think("b"), text("c"), well()];
    assert_eq!(told(&options, steps), ("c\n".to_owned(), "\u{1b}[2ma[2Jb\u{1b}[0m\n".to_owned()));
}

#[test]
fn a_terminal_gets_no_escapes_and_a_pipe_gets_every_byte() {
    let wild = "a\u{1b}]0;t\u{7}b\u{202e}c\r\u{9b}1m\td\n";
    let steps = || vec![step(1), text(wild), well()];
    let terminal = PrintOptions { stdout_is_terminal: true, ..prompt("hi") };
    assert_eq!(told(&terminal, steps()).0, "a]0;tbc1m\td\n");
    assert_eq!(told(&prompt("hi"), steps()).0, wild);
}

#[test]
fn a_repeated_beginning_is_not_printed_twice() {
    let (out, err) = told(
        &prompt("hi"),
        vec![
            step(1),
            text("The answer"),
            retry(),
            text("The "),
            text("answer is"),
            retry(),
            text("The answer is 42."),
            turn_end(),
            well(),
        ],
    );
    assert_eq!(out, "The answer is 42.\n");
    assert!(!err.contains("withdrawn"), "{err}");
    assert_eq!(err.matches("[APIConnectionError: trying again in 0 s, attempt 2 of 3]").count(), 2);
}

#[test]
fn another_beginning_withdraws_the_text() {
    let (out, err) = told(
        &prompt("hi"),
        vec![step(1), text("The answer"), retry(), text("The ques"), text("tion"), well()],
    );
    assert_eq!(out, "The answer\nThe question\n");
    assert!(err.ends_with("[retrying: the text above is withdrawn]\n"), "{err}");
}

#[test]
fn a_shorter_attempt_withdraws_the_text_too() {
    let (out, err) = told(
        &prompt("hi"),
        vec![step(1), text("The answer"), retry(), text("The"), turn_end(), well()],
    );
    assert_eq!(out, "The answer\nThe\n");
    assert!(err.contains("withdrawn"));
}

#[test]
fn the_last_failed_attempt_stays_as_it_is() {
    let failed = Step::End(Outcome::Cancelled);
    let (out, err) = told(
        &prompt("hi"),
        vec![step(1), text("half"), retry(), event(Event::StepInterrupted {}), turn_end(), failed],
    );
    assert_eq!(out, "half\n");
    assert!(!err.contains("withdrawn"), "{err}");
}

#[test]
fn a_long_call_is_one_short_line() {
    let arguments = format!("{{\"command\": \"{}\"}}", "中".repeat(500));
    let (_, err) = told(&prompt("hi"), vec![step(1), call("c", "Shell", &arguments), well()]);
    assert_eq!(err.lines().count(), 1);
    assert!(err.chars().count() < 130, "{err}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever failed attempts said, the last line of stdout is the attempt that went well.
    #[test]
    fn the_answer_is_whole_after_retries(
        attempts in prop::collection::vec("[ab中]{0,4}", 1..5),
        cut in 0usize..4,
    ) {
        let mut steps = vec![step(1)];
        for (n, attempt) in attempts.iter().enumerate() {
            if n > 0 {
                steps.push(retry());
            }
            let middle = attempt.char_indices().nth(cut).map_or(attempt.len(), |(at, _)| at);
            steps.push(text(&attempt[..middle]));
            steps.push(text(&attempt[middle..]));
        }
        steps.extend([turn_end(), well()]);
        let (out, _) = told(&prompt("hi"), steps);
        let last = attempts.last().unwrap();
        if !last.is_empty() {
            prop_assert_eq!(out.lines().next_back(), Some(last.as_str()));
        }
    }
}
