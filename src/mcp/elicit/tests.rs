use async_trait::async_trait;
use serde_json::json;
use tokio::sync::mpsc;

use super::*;
use crate::protocol::{Question, QuestionForm, QuestionResponse};
use crate::tools::{ApprovalAsk, ApprovalVerdict, QuestionOutcome};

/// A person who reads on for ever, except in the call that is called `answered`.
struct Reader(mpsc::UnboundedSender<String>);

#[async_trait]
impl Desk for Reader {
    async fn approve(&self, _: ApprovalAsk) -> ApprovalVerdict {
        ApprovalVerdict::Approved
    }

    async fn pose(
        &self,
        call_id: &str,
        questions: Vec<Question>,
        _: Option<QuestionForm>,
    ) -> QuestionOutcome {
        self.0.send(call_id.to_owned()).unwrap();
        if call_id != "answered" {
            std::future::pending::<()>().await;
        }
        let yes = (questions[0].question.clone(), "Yes".into());
        let answers = std::iter::once(yes).collect();
        QuestionOutcome::Answered(QuestionResponse {
            request_id: "r".into(),
            answers,
            declined: false,
        })
    }
}

/// Those of a server, what begins a call, and in which calls the person is asked.
fn bench() -> (Elicitations, impl Fn(&str) -> Ongoing, mpsc::UnboundedReceiver<String>) {
    let all = Elicitations::new("lab");
    let (sender, asked) = mpsc::unbounded_channel();
    let desk: Arc<dyn Desk> = Arc::new(Reader(sender));
    let begin = {
        let all = all.clone();
        move |call_id: &str| {
            let cancel = CancellationToken::new();
            all.begin(Caller { desk: Arc::clone(&desk), call_id: call_id.to_owned(), cancel })
        }
    };
    (all, begin, asked)
}

fn ask(all: &Elicitations) -> tokio::task::JoinHandle<Result<Answer, String>> {
    let all = all.clone();
    tokio::spawn(async move {
        let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}},
            "required": ["ok"]});
        let params = json!({"message": "Well?", "requestedSchema": schema});
        all.answer(&params, &CancellationToken::new()).await
    })
}

#[tokio::test]
async fn a_question_outlives_a_call_as_long_as_another_runs() {
    let (all, begin, mut asked) = bench();
    let _first = begin("answered");
    let second = begin("second");
    let answer = ask(&all);
    assert_eq!(asked.recv().await.unwrap(), "second");
    drop(second);
    assert_eq!(asked.recv().await.unwrap(), "answered");
    assert_eq!(answer.await.unwrap(), Ok(Answer::Accept(Some(json!({"ok": true})))));
}

#[tokio::test]
async fn with_the_last_call_a_question_ends() {
    let (all, begin, mut asked) = bench();
    let (first, second) = (begin("first"), begin("second"));
    let answer = ask(&all);
    assert_eq!(asked.recv().await.unwrap(), "second");
    drop(second);
    assert_eq!(asked.recv().await.unwrap(), "first");
    drop(first);
    assert_eq!(answer.await.unwrap(), Ok(Answer::Cancel));
    assert_eq!(ask(&all).await.unwrap(), Ok(Answer::Decline));
}
