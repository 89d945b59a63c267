//! Requests nobody is there to answer, signals, readers that go away, sessions that die.

use super::*;
use crate::front::print::turns::{self, End};
use crate::protocol::{
    ApprovalRequest, ApprovalResponse, QuestionRequest, QuestionResponse, Request, Response,
    Verdict,
};

#[tokio::test]
async fn requests_are_answered() {
    let approval = Request::ApprovalRequest(ApprovalRequest {
        id: "r1".to_owned(),
        tool_call_id: "c1".to_owned(),
        sender: "Shell".to_owned(),
        action: "run command".to_owned(),
        description: "Run `ls`".to_owned(),
        source_kind: None,
        source_id: None,
        agent_id: None,
        subagent_type: None,
        source_description: None,
        display: Vec::new(),
        note: None,
    });
    let question = Request::QuestionRequest(QuestionRequest {
        id: "r2".to_owned(),
        tool_call_id: "c2".to_owned(),
        questions: Vec::new(),
        form: None,
    });
    let ran = play(
        prompt("hi"),
        b"",
        vec![vec![
            begin(),
            Step::Say(Arc::new(Message::Request(approval))),
            Step::Say(Arc::new(Message::Request(question))),
            text("ok"),
            well(),
        ]],
    )
    .await;
    let answered: Vec<&Op> = ran.ops.iter().filter(|op| matches!(op, Op::Answer { .. })).collect();
    let approve = Response::Approval(ApprovalResponse {
        request_id: "r1".to_owned(),
        response: Verdict::Approve,
        feedback: String::new(),
    });
    let dismiss = Response::Question(QuestionResponse {
        request_id: "r2".to_owned(),
        ..QuestionResponse::default()
    });
    assert_eq!(answered, [&Op::Answer { response: approve }, &Op::Answer { response: dismiss }]);
}

#[tokio::test]
async fn an_interrupt_cancels_and_says_so() {
    let script = || {
        vec![vec![
            begin(),
            step(1),
            text("half"),
            Step::Raise(Signal::Interrupt),
            Step::UntilCancelled,
        ]]
    };
    let ran = play(prompt("hi"), b"", script()).await;
    assert_eq!(ran.code.status(), 1);
    assert_eq!(ran.out, "half\n");
    assert_eq!(ran.err, "Interrupted by user\n\nTo resume this session: kimi -r s-1\n");
    assert!(ran.ops.contains(&Op::Cancel));

    let ran = play(json("hi"), b"", script()).await;
    assert_eq!(
        ran.lines(),
        [
            r#"{"role":"assistant","content":"half"}"#,
            r#"{"error":{"type":"cancelled","message":"Interrupted by user","retryable":false}}"#
        ]
    );
}

#[tokio::test]
async fn a_termination_cancels_in_silence() {
    let ran = play(
        json("hi"),
        b"",
        vec![vec![begin(), step(1), Step::Raise(Signal::Terminate), Step::UntilCancelled]],
    )
    .await;
    assert_eq!((ran.code.status(), ran.out.as_str()), (143, ""));
    assert!(ran.ops.contains(&Op::Cancel));
    assert_eq!(ran.ops.last(), Some(&Op::Shutdown));
}

#[tokio::test]
async fn a_second_interrupt_does_not_wait() {
    let raise = || Step::Raise(Signal::Interrupt);
    let ran = play(prompt("hi"), b"", vec![vec![begin(), raise(), raise()]]).await;
    assert_eq!(ran.code.status(), 1);
}

#[tokio::test]
async fn a_session_that_dies_is_an_error() {
    let ran = play(json("hi"), b"", vec![vec![begin(), step(1), text("half"), Step::Die]]).await;
    assert_eq!(ran.code, ExitCode::Failure);
    assert!(ran.lines().last().unwrap().starts_with(r#"{"error":{"type":"internal""#));
}

#[tokio::test]
async fn outcomes_of_others_do_not_end_the_turn() {
    let other = Message::Outcome { op_id: "x".to_owned(), outcome: Outcome::Cancelled };
    let ran = play(
        prompt("hi"),
        b"",
        vec![vec![begin(), Step::Say(Arc::new(other)), text("ok"), well()]],
    )
    .await;
    assert_eq!((ran.out.as_str(), ran.code), ("ok\n", ExitCode::Success));
}

/// A stdout that fails from the first byte on.
struct Broken(io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_the_run_quietly() {
    let err = Shared::default();
    let script = vec![vec![begin(), step(1), text("lost"), Step::UntilCancelled]];
    let out = Broken(io::ErrorKind::BrokenPipe);
    let (code, ops) = play_to(prompt("hi"), b"", script, out, err.clone()).await;
    assert_eq!(code, ExitCode::Success);
    assert!(ops.contains(&Op::Cancel));
    assert_eq!(err.text(), "\nTo resume this session: kimi -r s-1\n");
}

#[tokio::test]
async fn a_full_disk_is_an_error() {
    let err = Shared::default();
    let script = vec![vec![begin(), step(1), text("lost"), well()]];
    let out = Broken(io::ErrorKind::StorageFull);
    let (code, _) = play_to(prompt("hi"), b"", script, out, err.clone()).await;
    assert_eq!(code, ExitCode::Failure);
    assert!(err.text().contains("Standard output cannot be written"), "{}", err.text());
}

/// A stdout whose reader sleeps until the test is over.
struct Asleep(std::sync::mpsc::Receiver<()>);

impl Write for Asleep {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Ends with an error when the test drops the sender.
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_sleeping_reader_does_not_hold_up_a_termination() {
    let (wake, asleep) = std::sync::mpsc::channel();
    let script =
        vec![vec![begin(), text("x"), Step::Raise(Signal::Terminate), Step::UntilCancelled]];
    let (code, _) = play_to(prompt("hi"), b"", script, Asleep(asleep), Shared::default()).await;
    assert_eq!(code.status(), 143);
    drop(wake);
}

#[tokio::test]
async fn a_sleeping_reader_is_waited_for_until_a_signal_comes() {
    let (wake, asleep) = std::sync::mpsc::channel();
    let (output, mut writer) = Output::start(Asleep(asleep), Shared::default());
    let mut pieces = Pieces::default();
    pieces.out("x");
    output.send(&mut pieces);
    drop(output);
    let (raise, signals) = unbounded_channel();
    let last = turns::last_write(End::Done(ExitCode::Success), &mut writer, signals);
    tokio::pin!(last);
    assert!(futures_util::poll!(&mut last).is_pending());
    raise.send(Signal::Terminate).unwrap();
    assert_eq!(last.await, End::Terminated);
    drop(wake);
}

#[tokio::test]
async fn without_signals_the_last_output_is_waited_for() {
    let (wake, asleep) = std::sync::mpsc::channel();
    let (output, mut writer) = Output::start(Asleep(asleep), Shared::default());
    let mut pieces = Pieces::default();
    pieces.out("x");
    output.send(&mut pieces);
    drop(output);
    let (_, no_signals) = unbounded_channel();
    let last = turns::last_write(End::Done(ExitCode::TryLater), &mut writer, no_signals);
    tokio::pin!(last);
    assert!(futures_util::poll!(&mut last).is_pending());
    drop(wake);
    assert_eq!(last.await, End::Done(ExitCode::TryLater));
}
