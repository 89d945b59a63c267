use super::*;
use crate::front::control::Status;
use crate::front::control::portrait::Facts;
use crate::front::control::testing::status;
use crate::platform::env::fixed;
use crate::protocol::control::Mode;

/// A side door without a socket.
struct Bench {
    tell: watch::Sender<Portrait>,
    states: States,
    facts: Facts,
}

impl Bench {
    fn new() -> Self {
        let (tell, seen) = watch::channel(Portrait::default());
        let facts = Facts::new(Mode::Tui, &fixed::env("/h", &[]));
        Self { tell, states: States(seen), facts }
    }

    fn say(&self, status: &Status) {
        self.tell.send_if_modified(|portrait| portrait.update(status, &self.facts, 0.0));
    }

    fn leave(&self) {
        self.tell.send_if_modified(|portrait| portrait.leave(0.0));
    }
}

fn code(answer: &Answer) -> Option<RefusalCode> {
    assert_eq!(answer.ok, answer.error.is_none());
    answer.error.as_ref().map(|error| error.code)
}

#[test]
fn bounds_hold_together() {
    let instance = |state: State, turn: u64| {
        let bench = Bench::new();
        bench.say(&status(state, turn));
        (**bench.tell.borrow().instance.as_ref().unwrap()).clone()
    };
    let until = |states: &[State], turn: Option<u64>| Until {
        states: states.to_vec(),
        turn,
        after_seq: None,
    };
    let anything = until(&[], None);
    assert!(anything.holds(&instance(State::Idle, 0)) && anything.holds(&instance(State::Ask, 1)));
    assert!(!anything.holds(&instance(State::Busy, 1)));
    let exited = until(&[State::Exited], None);
    assert!(exited.holds(&instance(State::Exited, 0)) && !exited.holds(&instance(State::Idle, 0)));
    let third = until(&[], Some(3));
    for (state, turn, holds) in [
        (State::Idle, 2, false),
        (State::Busy, 3, false),
        (State::Ask, 2, false),
        (State::Ask, 3, true),
        (State::Idle, 3, true),
        // The next one runs already.
        (State::Busy, 4, true),
        (State::Error, 1, true),
        (State::Exited, 1, true),
    ] {
        assert_eq!(third.holds(&instance(state, turn)), holds, "{state:?} {turn}");
    }
    assert!(!until(&[State::Idle], Some(3)).holds(&instance(State::Busy, 4)));
    let after = |seq| Until { after_seq: Some(seq), ..Until::default() };
    assert!(after(0).holds(&instance(State::Idle, 0)));
    assert!(!after(1).holds(&instance(State::Idle, 0)));
}

#[tokio::test]
async fn a_wait_ends_with_what_was_waited_for() {
    let mut bench = Bench::new();
    let mut waiting = bench.states.clone();
    let until = Until { turn: Some(1), ..Until::default() };
    let waiting = tokio::spawn(async move { waiting.wait(&until, None).await });
    bench.say(&status(State::Idle, 0));
    bench.say(&status(State::Busy, 1));
    bench.say(&status(State::Idle, 1));
    assert!(waiting.await.unwrap().ok);
    let late = Until { turn: Some(2), ..Until::default() };
    let timeout = Some(Duration::from_millis(5));
    assert_eq!(code(&bench.states.wait(&late, timeout).await), Some(RefusalCode::Timeout));
    // The largest number of milliseconds is no fault.
    let mut forever = bench.states.clone();
    let idle = Until { states: vec![State::Ask], ..Until::default() };
    let longest = Some(Duration::from_millis(u64::MAX));
    let forever = tokio::spawn(async move { forever.wait(&idle, longest).await });
    bench.leave();
    assert_eq!(code(&forever.await.unwrap()), Some(RefusalCode::Leaving));
    assert!(bench.states.wait(&late, None).await.ok, "no turn can end any more");
}

#[tokio::test]
async fn the_last_answer_is_given_only_if_it_is_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("last_message.md");
    let mut bench = Bench::new();
    let answer = "Über\n\n  indented  ";
    let said = |turn: u64, text: &str| {
        let mut status = status(State::Idle, turn);
        if let Some(last) = &mut status.last {
            last.path = Some(path.to_str().unwrap().to_owned());
            last.sha256 = Some(hex_sha256(text.as_bytes()));
        }
        status
    };
    bench.say(&status(State::Idle, 0));
    assert_eq!(code(&bench.states.last().await), Some(RefusalCode::NoAnswer));
    bench.say(&status(State::Idle, 1));
    let none = bench.states.last().await.error.unwrap();
    assert_eq!(
        (none.code, none.message.as_str()),
        (RefusalCode::NoAnswer, "Turn 1 had no answer.")
    );

    std::fs::write(&path, format!("{answer}\n")).unwrap();
    bench.say(&said(2, answer));
    assert_eq!(bench.states.last().await.text.as_deref(), Some(answer));
    // One that ends in a line feed itself gets no second one.
    std::fs::write(&path, "x\n").unwrap();
    bench.say(&said(3, "x\n"));
    assert_eq!(bench.states.last().await.text.as_deref(), Some("x\n"));

    for other in [&b"of another\n"[..], b"\xff\xfe", b""] {
        std::fs::write(&path, other).unwrap();
        let refused = bench.states.last().await.error.unwrap();
        assert_eq!(refused.code, RefusalCode::NoAnswer);
        assert!(refused.message.contains("replaced"), "{}", refused.message);
    }
    // The file is there before the end of the turn is heard of.
    std::fs::write(&path, "four\n").unwrap();
    let mut asking = bench.states.clone();
    let asking = tokio::spawn(async move { asking.last().await });
    tokio::task::yield_now().await;
    bench.say(&said(4, "four"));
    assert_eq!(asking.await.unwrap().text.as_deref(), Some("four"));

    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let refused = bench.states.last().await.error.unwrap();
    assert!(refused.message.contains("not a regular file"), "{}", refused.message);
}
