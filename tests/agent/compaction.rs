//! Making a long conversation short.

use kimi_tui::protocol::{
    ContentPart, Event, FailureKind, MediaUrl, Message, Op, Outcome, StopReason, UserInput,
};

use super::bench::{Bench, Gate, Heard, Say, calls, status, text, usage};

fn compactions(heard: &Heard) -> (usize, usize) {
    let begins = heard.events().filter(|event| matches!(event, Event::CompactionBegin {}));
    let ends = heard.events().filter(|event| matches!(event, Event::CompactionEnd {}));
    (begins.count(), ends.count())
}

#[tokio::test]
async fn by_command() {
    let bench = Bench::with([
        vec![text("one")],
        vec![text("two")],
        vec![text("THE SUMMARY")],
        vec![text("three")],
    ]);
    let mut live = bench.open();
    live.prompt("first").await;
    live.prompt("second").await;
    let heard = live.prompt("/compact the tests").await;
    assert_eq!(heard.outcome(), &Outcome::Finished { stop: StopReason::Command });
    assert_eq!(compactions(&heard), (1, 1));
    assert!(heard.text().contains("has been compacted"), "{}", heard.text());
    // The summariser saw what goes, was told the focus and offered no tools.
    let asked = bench.model.asked().pop().unwrap();
    assert_eq!(asked.tools, Vec::<String>::new());
    let words = asked.messages[0].text();
    assert!(words.contains("first") && words.contains("the tests") && !words.contains("second"));
    let stored = live.stored().await;
    assert_eq!(stored.len(), 3);
    assert!(stored[0].starts_with("user: <system>") && stored[0].contains("THE SUMMARY"));
    assert_eq!(stored[1..], ["user: second", "assistant: two"]);
    // The old record is kept, and the new one is what a resume finds.
    let session = live.handle.session().clone();
    assert!(session.dir.join("context_1.jsonl").is_file());
    live.prompt("third").await.finished();
    let stored = live.stored().await;
    live.handle.shutdown(None).await;
    assert_eq!(bench.reopen(session).stored().await, stored);
}

#[tokio::test]
async fn nothing_to_compact_costs_no_request() {
    let bench = Bench::with([vec![text("one")]]);
    let mut live = bench.open();
    live.prompt("/compact").await;
    live.prompt("first").await;
    let heard = live.prompt("/compact").await;
    assert!(heard.text().contains("nothing to compact"), "{}", heard.text());
    assert_eq!(bench.model.asked().len(), 1);
    assert_eq!(live.stored().await.len(), 2);
}

#[tokio::test]
async fn a_summary_that_fails_changes_nothing() {
    let bench = Bench::with([vec![text("one")], vec![text("two")], vec![status(400, "no")]]);
    let mut live = bench.open();
    live.prompt("first").await;
    live.prompt("second").await;
    let before = live.stored().await;
    let heard = live.prompt("/compact").await;
    assert_eq!(compactions(&heard), (1, 1));
    let Outcome::Failed(failure) = heard.outcome() else { panic!("{:?}", heard.outcome()) };
    assert_eq!(failure.kind, FailureKind::Provider { status: Some(400), retryable: false });
    assert_eq!(live.stored().await, before);
}

#[tokio::test]
async fn when_the_window_is_nearly_full() {
    let mut bench = Bench::with([
        vec![text("one"), usage(100, 10)],
        vec![text("two"), usage(860, 10)],
        vec![text("THE SUMMARY")],
        vec![text("three"), usage(200, 10)],
    ]);
    bench.max_context = 1_000;
    let mut live = bench.open();
    assert_eq!(compactions(&live.prompt("first").await), (0, 0));
    assert_eq!(compactions(&live.prompt("second").await), (0, 0));
    assert!(live.handle.context_tokens().await >= 870);
    let heard = live.prompt("third").await;
    heard.finished();
    assert_eq!(compactions(&heard), (1, 1));
    let lines = heard.lines();
    assert_eq!(lines[1..4], ["step 1", "CompactionBegin", "CompactionEnd"]);
    let stored = live.stored().await;
    assert!(stored[0].contains("THE SUMMARY"), "{stored:?}");
    assert_eq!(stored[1..], ["assistant: two", "user: third", "assistant: three"]);
}

#[tokio::test]
async fn an_end_that_stays_too_long_is_not_summarised_before_every_step() {
    let long = format!(r#"{{"say":"{}"}}"#, "x".repeat(6_000));
    let mut bench = Bench::with([vec![text("one"), usage(10, 10)]]);
    bench.max_context = 1_000;
    bench.model.reply(calls(&[("a", "Look", &long)]));
    bench.model.reply([text("SUMMARY")]);
    bench.model.reply(calls(&[("b", "Look", "{}")]));
    bench.model.reply(calls(&[("c", "Look", "{}")]));
    bench.model.reply([text("done")]);
    let mut live = bench.open();
    live.prompt("first").await;
    let heard = live.prompt("second").await;
    heard.finished();
    assert_eq!(compactions(&heard), (1, 1), "{:#?}", heard.lines());
    assert_eq!(heard.calls(), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_provider_that_always_finds_it_full_has_it_summarised_once() {
    let mut bench = Bench::with([vec![text("one"), usage(100, 10)]]);
    bench.max_context = 1_000;
    let full = |call: &str| [calls(&[(call, "Look", "{}")]), vec![usage(900, 10)]].concat();
    bench.model.reply(full("a"));
    bench.model.reply([text("SUMMARY")]);
    for call in ["b", "c", "d"] {
        bench.model.reply(full(call));
    }
    bench.model.reply([text("done"), usage(900, 10)]);
    let mut live = bench.open();
    live.prompt("first").await;
    let heard = live.prompt("second").await;
    heard.finished();
    assert_eq!(compactions(&heard), (1, 1), "{:#?}", heard.lines());
    assert_eq!(heard.calls(), ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn nothing_is_said_to_be_gone_that_is_still_there() {
    let bench = Bench::with([
        calls(&[("a", "Look", "{}")]),
        vec![status(400, "maximum context length exceeded")],
    ]);
    let mut live = bench.open();
    let heard = live.prompt("first").await;
    assert!(matches!(heard.outcome(), Outcome::Failed(_)));
    assert_eq!(bench.model.asked().len(), 2);
    let stored = live.stored().await;
    assert!(!stored[0].contains("is gone"), "{stored:?}");
}

#[tokio::test]
async fn a_refusal_for_length_compacts_once_and_tries_again() {
    let bench = Bench::with([
        vec![text("one")],
        vec![text("two")],
        vec![status(400, "this model's maximum context length is 8192 tokens")],
        vec![text("THE SUMMARY")],
        vec![text("three")],
    ]);
    let mut live = bench.open();
    live.prompt("first").await;
    live.prompt("second").await;
    let heard = live.prompt("third").await;
    heard.finished();
    assert_eq!((heard.text().as_str(), compactions(&heard)), ("three", (1, 1)));
}

#[tokio::test]
async fn what_is_still_refused_after_all_that_can_be_done_is_final() {
    let refuse = || vec![status(400, "maximum context length exceeded")];
    let bench = Bench::with([
        vec![text("one")],
        refuse(),
        vec![text(&"A SUMMARY. ".repeat(40))],
        refuse(),
        refuse(),
        vec![text("never")],
    ]);
    let mut live = bench.open();
    live.prompt("first").await;
    let heard = live.prompt("second").await;
    let Outcome::Failed(failure) = heard.outcome() else { panic!("{:?}", heard.outcome()) };
    assert!(failure.hint.as_deref().unwrap().contains("/new"), "{failure:?}");
    // After the summary all but the end is left out, and that was the last that could be tried.
    assert_eq!(bench.model.asked().len(), 5);
    assert_eq!(compactions(&heard), (2, 2));
    let stored = live.stored().await;
    assert!(stored[0].contains("beginning of this conversation is gone"), "{stored:#?}");
    assert_eq!(stored[1], "user: second");
}

/// A provider's window may be smaller than the configuration says.
#[tokio::test]
async fn results_that_make_it_too_long_at_once_lose_their_middle() {
    let long = format!(r#"{{"say":"{}"}}"#, "x".repeat(50_000));
    let mut bench = Bench::new();
    bench.max_context = 1_000_000;
    let four: Vec<_> = ["a", "b", "c", "d"].map(|id| (id, "Look", long.as_str())).to_vec();
    bench.model.reply(calls(&four));
    bench.model.reply([status(400, "prompt is too long: 60000 tokens > 30000 maximum")]);
    bench.model.reply([text("done")]);
    let mut live = bench.open();
    let heard = live.prompt("Look four times").await;
    heard.finished();
    assert_eq!((heard.text().as_str(), compactions(&heard)), ("done", (1, 1)));
    let asked = bench.model.asked();
    assert_eq!(asked.len(), 3, "no request for a summary");
    let last = &asked[2].messages;
    assert_eq!(last[0].text(), "Look four times");
    assert_eq!(last.len(), 6);
    for result in &last[2..] {
        let text = result.text();
        assert!(text.len() < 4_000 && text.contains("left out to free context"), "{text}");
    }
}

#[tokio::test]
async fn what_one_step_has_made_too_long_can_be_compacted_by_command() {
    let long = format!(r#"{{"say":"{}"}}"#, "x".repeat(50_000));
    let bench = Bench::with([calls(&[("a", "Look", &long)]), vec![status(401, "not now")]]);
    let mut live = bench.open();
    live.prompt("Look").await;
    let heard = live.prompt("/compact").await;
    assert!(heard.text().contains("has been compacted"), "{}", heard.text());
    assert_eq!(bench.model.asked().len(), 2);
    let stored = live.stored().await;
    assert!(stored.iter().all(|message| message.len() < 60_000), "{stored:#?}");
    assert!(stored.iter().any(|message| message.contains("left out to free context")));
}

#[tokio::test]
async fn with_nothing_to_leave_out_a_refusal_is_not_repeated() {
    let bench =
        Bench::with([vec![status(400, "maximum context length exceeded")], vec![text("never")]]);
    let mut live = bench.open();
    let heard = live.prompt("first").await;
    assert!(matches!(heard.outcome(), Outcome::Failed(_)));
    assert_eq!(bench.model.asked().len(), 1);
}

#[tokio::test]
async fn a_call_is_no_summary() {
    let bench = Bench::with([
        vec![text("one")],
        vec![text("two")],
        calls(&[("s", "Look", "{}")]),
        vec![text(" \n")],
        calls(&[("s", "Look", "{}")]),
        vec![text("THE SUMMARY")],
    ]);
    let mut live = bench.open();
    live.prompt("first").await;
    live.prompt("second").await;
    let before = live.stored().await;
    let heard = live.prompt("/compact").await;
    assert!(matches!(heard.outcome(), Outcome::Failed(_)), "{:?}", heard.outcome());
    assert_eq!(compactions(&heard), (1, 1));
    assert_eq!(live.stored().await, before, "the conversation is as it was");
    live.prompt("/compact").await;
    assert!(live.stored().await[0].contains("THE SUMMARY"));
}

#[tokio::test]
async fn the_users_words_survive_every_compaction_of_one_turn() {
    let mut bench = Bench::new();
    bench.max_context = 2_000;
    let words = format!(r#"{{"say":"{}"}}"#, "word ".repeat(500));
    for id in ["a", "b", "c", "d"] {
        bench.model.reply([calls(&[(id, "Look", &words)]), vec![usage(1_900, 10)]].concat());
        if id != "a" {
            bench.model.reply([text("THE SUMMARY")]);
        }
    }
    bench.model.reply([text("THE SUMMARY")]);
    bench.model.reply([text("done")]);
    let mut live = bench.open();
    let heard = live.prompt("Count the words").await;
    assert!(compactions(&heard).0 >= 2, "{:#?}", heard.lines());
    for (n, asked) in bench.model.asked().iter().enumerate().filter(|(_, it)| !it.tools.is_empty())
    {
        let first = asked.messages[0].text();
        assert_eq!(first.matches("Count the words").count(), 1, "request {n}: {first}");
    }
}

#[tokio::test]
async fn clearing() {
    let bench = Bench::with([vec![text("one"), usage(500, 5)], vec![text("two")]]);
    let mut live = bench.open();
    live.prompt("first").await;
    let heard = live.prompt("/clear").await;
    assert!(heard.text().contains("cleared"));
    assert_eq!((live.stored().await.len(), live.handle.context_tokens().await), (0, 0));
    live.prompt("second").await.finished();
    assert_eq!(live.stored().await, ["user: second", "assistant: two"]);
    let asked = bench.model.asked();
    assert_eq!((asked[1].messages.len(), &asked[1].system), (1, &asked[0].system));
}

#[tokio::test]
async fn cancelling_a_summary_changes_nothing() {
    let bench = Bench::with([
        vec![text("one")],
        vec![text("two")],
        vec![text("half a summ"), Say::Wait(Gate::new())],
    ]);
    let mut live = bench.open();
    live.prompt("first").await;
    live.prompt("second").await;
    let before = live.stored().await;
    live.send("/compact");
    let begins = |m: &Message| matches!(m, Message::Event(Event::CompactionBegin {}));
    live.until("the summary", begins).await;
    live.handle.submit(Op::Cancel);
    let heard = live.end().await;
    assert_eq!((heard.outcome(), compactions(&heard)), (&Outcome::Cancelled, (0, 1)));
    assert_eq!(live.stored().await, before);
}

#[tokio::test]
async fn cancelling_a_summary_of_our_own_cancels_the_turn() {
    let mut bench = Bench::with([
        vec![text("one"), usage(100, 10)],
        vec![text("two"), usage(860, 10)],
        vec![Say::Wait(Gate::new())],
    ]);
    bench.max_context = 1_000;
    let mut live = bench.open();
    live.prompt("first").await;
    live.prompt("second").await;
    live.send("third");
    let begins = |m: &Message| matches!(m, Message::Event(Event::CompactionBegin {}));
    live.until("the summary", begins).await;
    live.handle.submit(Op::Cancel);
    let heard = live.end().await;
    assert_eq!((heard.outcome(), compactions(&heard)), (&Outcome::Cancelled, (0, 1)));
    assert_eq!(bench.model.asked().len(), 3);
    assert_eq!(live.stored().await.len(), 7);
}

#[tokio::test]
async fn long_results_are_cut_before_anything_is_summarised() {
    let long = format!(r#"{{"say":"{}"}}"#, "x".repeat(40_000));
    let mut bench = Bench::new();
    bench.max_context = 12_000;
    bench.limits.reserved_context = 1_000;
    bench.model.reply([calls(&[("a", "Look", &long)]), vec![usage(50, 10)]].concat());
    bench.model.reply([calls(&[("b", "Look", "{}")]), vec![usage(10_600, 10)]].concat());
    bench.model.reply([text("done")]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    assert_eq!(compactions(&heard), (1, 1), "{:#?}", heard.lines());
    let asked = bench.model.asked();
    assert_eq!(asked.len(), 3, "no request for a summary");
    let result = asked[2].messages[2].text();
    assert!(result.len() < 4_000 && result.contains("left out to free context"), "{result}");
    // The whole of it is where the cut says.
    let path =
        result.split("the whole is in ").nth(1).unwrap().split(", for ReadFile").next().unwrap();
    assert!(std::fs::read_to_string(path).unwrap().contains(&"x".repeat(40_000)));
}

/// Two results of the same length, in one step or in two: neither is the better part of the
/// conversation.
#[tokio::test]
async fn two_equal_results_are_cut_before_anything_is_summarised() {
    let long = format!(r#"{{"say":"{}"}}"#, "x".repeat(25_000));
    let asks = |asked: &[(&str, &str, &str)], tokens: u64| {
        [calls(asked), vec![usage(tokens, 10)]].concat()
    };
    for two_steps in [false, true] {
        for refused in [false, true] {
            let mut bench = Bench::new();
            bench.limits.reserved_context = 1_000;
            // Otherwise the provider's window is smaller than it says.
            bench.max_context = if refused { 1_000_000 } else { 12_000 };
            match two_steps {
                true => {
                    bench.model.reply(asks(&[("a", "Look", &long)], 50));
                    bench.model.reply(asks(&[("b", "Look", &long)], 6_400));
                }
                false => {
                    bench.model.reply(asks(&[("a", "Look", &long), ("b", "Look", &long)], 50));
                }
            }
            if refused {
                bench.model.reply([status(400, "maximum context length exceeded")]);
            }
            bench.model.reply([text("done")]);
            let mut live = bench.open();
            let heard = live.prompt("Look twice").await;
            heard.finished();
            assert_eq!((heard.text().as_str(), compactions(&heard)), ("done", (1, 1)));
            let asked = bench.model.asked();
            let requests = 2 + usize::from(two_steps) + usize::from(refused);
            assert_eq!(asked.len(), requests, "no request for a summary");
            let last = &asked[requests - 1].messages;
            let results: Vec<_> = last.iter().filter(|it| it.tool_call_id.is_some()).collect();
            assert_eq!(results.len(), 2);
            assert!(results.iter().any(|it| it.text().contains("left out to free context")));
            assert!(live.handle.context_tokens().await < 10_200, "it fits");
        }
    }
}

#[tokio::test]
async fn one_long_turn_is_summarised_up_to_its_last_step() {
    let mut bench = Bench::new();
    bench.max_context = 2_000;
    let words = format!(r#"{{"say":"{}"}}"#, "word ".repeat(500));
    bench.model.reply(calls(&[("a", "Look", &words)]));
    bench.model.reply([calls(&[("b", "Look", &words)]), vec![usage(1_900, 10)]].concat());
    bench.model.reply([text("THE SUMMARY")]);
    bench.model.reply([text("done")]);
    let mut live = bench.open();
    let heard = live.prompt("Count the words").await;
    heard.finished();
    assert_eq!(compactions(&heard), (1, 1), "{:#?}", heard.lines());
    let stored = live.stored().await;
    assert_eq!(stored.len(), 4, "{stored:#?}");
    assert!(
        stored[0].contains("THE SUMMARY") && stored[0].contains("word for word"),
        "{stored:#?}"
    );
    assert!(stored[0].contains("Count the words"));
}

#[tokio::test]
async fn a_summariser_that_finds_the_text_too_long_gets_less() {
    let refuse = || vec![status(400, "maximum context length exceeded")];
    let bench = Bench::with([
        vec![text("one")],
        vec![text("two")],
        refuse(),
        refuse(),
        vec![text("THE SUMMARY")],
    ]);
    let mut live = bench.open();
    live.prompt(&format!("first {}", "x".repeat(7_000))).await;
    live.prompt("second").await;
    let heard = live.prompt("/compact").await;
    assert!(heard.text().contains("has been compacted"), "{}", heard.text());
}

/// A window may be much smaller than the configuration says.
#[tokio::test]
async fn a_summariser_is_asked_for_half_of_what_it_has_refused() {
    let refuse = || vec![status(400, "maximum context length exceeded")];
    let long = |word: &str| format!("{word} {}", "x".repeat(7_000));
    let mut replies = vec![vec![text("yes")]; 4];
    replies.extend([refuse(), refuse(), vec![text("THE SUMMARY")], vec![text("done")]]);
    let bench = Bench::with(replies);
    let mut live = bench.open();
    for word in ["one", "two", "three", "four"] {
        live.prompt(&long(word)).await.finished();
    }
    live.prompt("five").await.finished();
    let asked = bench.model.asked();
    let [first, second] = [&asked[5], &asked[6]].map(|asked| asked.messages[0].text().len());
    assert!(second <= first / 2 + 7_500 && second < first, "{first} {second}");
    assert!(live.stored().await[0].contains("THE SUMMARY"));
}

#[tokio::test]
async fn without_any_summary_the_oldest_goes() {
    let refuse = || vec![status(400, "maximum context length exceeded")];
    let bench = Bench::with([
        vec![text(&"one ".repeat(100))],
        refuse(),
        vec![status(400, "no summaries today")],
        vec![text("three")],
    ]);
    let mut live = bench.open();
    live.prompt("first").await;
    let heard = live.prompt("second").await;
    heard.finished();
    let told = |event: &Event| matches!(event, Event::Notification(news) if news.kind == "session.beginning_left_out");
    assert_eq!(heard.events().filter(|event| told(event)).count(), 1, "{:#?}", heard.lines());
    let stored = live.stored().await;
    assert!(stored[0].contains("beginning of this conversation is gone"), "{stored:#?}");
    assert_eq!(stored[1..], ["user: second", "assistant: three"]);
}

/// A picture takes two thousand tokens and hardly any letters.
#[tokio::test]
async fn a_picture_at_the_beginning_is_worth_leaving_out() {
    let mut bench = Bench::with([
        vec![text("seen")],
        vec![status(400, "maximum context length exceeded")],
        vec![status(400, "no summaries today")],
        vec![text("two")],
    ]);
    bench.capabilities.image_in = true;
    let mut live = bench.open();
    let picture = MediaUrl { url: "data:image/png;base64,AAAA".into(), id: None };
    let input = vec![ContentPart::text("look"), ContentPart::ImageUrl { image_url: picture }];
    live.handle.submit(Op::Prompt { id: "p".into(), input: UserInput::Parts(input) });
    live.end().await.finished();
    live.prompt("second").await.finished();
    let stored = live.stored().await;
    assert!(stored[0].contains("beginning of this conversation is gone"), "{stored:#?}");
    assert_eq!(stored[1..], ["user: second", "assistant: two"]);
}

#[tokio::test]
async fn a_few_words_at_the_beginning_are_not_worth_a_note_that_they_are_gone() {
    let refused = "maximum context length exceeded";
    let bench = Bench::with([
        vec![text("one")],
        vec![status(400, refused)],
        vec![status(400, "no summaries today")],
    ]);
    let mut live = bench.open();
    live.prompt("first").await;
    let heard = live.prompt("second").await;
    assert!(matches!(heard.outcome(), Outcome::Failed(_)), "{:?}", heard.outcome());
    assert_eq!(live.stored().await[..2], ["user: first", "assistant: one"]);
    assert_eq!(bench.model.asked().len(), 3, "nothing was gained, so nothing is tried again");
}
