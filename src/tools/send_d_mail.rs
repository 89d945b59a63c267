//! `SendDMail`: a message from the model to itself at an earlier point of the conversation.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CallContext, Effect, Tool, ToolReturn, arguments, schema};
use crate::protocol::{DisplayBlock, ToolReturnValue};

/// Characters of a message that a person is shown.
const SHOWN: usize = 300;

/// A message on its way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DMail {
    pub message: String,
    /// The checkpoint to return to.
    pub checkpoint: u64,
}

/// Where the tool leaves a message and the agent loop finds it once the step has ended.
#[derive(Debug, Default)]
pub struct Mailbox(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    pending: Option<DMail>,
    /// The checkpoints that the model can see.
    open_to: Vec<u64>,
}

impl Mailbox {
    /// Says which checkpoints the model has been told of.
    pub fn open_to(&self, checkpoints: Vec<u64>) {
        self.inside().open_to = checkpoints;
    }

    /// Takes the message out, if there is one.
    pub fn take(&self) -> Option<DMail> {
        self.inside().pending.take()
    }

    fn put(&self, mail: DMail) -> Result<(), ToolReturnValue> {
        let refused = |why: String| {
            Err(ToolReturnValue::error(
                format!("The D-Mail was not sent: {why}."),
                "D-Mail not sent",
            ))
        };
        let mut inside = self.inside();
        if inside.pending.is_some() {
            return refused(
                "another one of this step is already on its way, and only one can be".into(),
            );
        }
        if !inside.open_to.contains(&mail.checkpoint) {
            let known = match (inside.open_to.first(), inside.open_to.last()) {
                (Some(first), Some(last)) => {
                    format!("the ones you can see go from {first} to {last}")
                }
                _ => "there is none yet".to_owned(),
            };
            return refused(format!("there is no checkpoint {}; {known}", mail.checkpoint));
        }
        inside.pending = Some(mail);
        Ok(())
    }

    /// A panic elsewhere leaves the values whole, so a poisoned lock is taken as it is.
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a message to an earlier checkpoint.
pub struct SendDMail;

impl SendDMail {
    /// What the model calls it. An agent that has it is told of every checkpoint.
    pub const NAME: &'static str = "SendDMail";
}

#[derive(Deserialize)]
struct Arguments {
    message: String,
    checkpoint_id: u64,
}

#[async_trait]
impl Tool for SendDMail {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn description(&self) -> &str {
        include_str!("../../assets/tools/send_d_mail.md").trim_end()
    }

    fn parameters(&self) -> Value {
        schema::object(
            &[
                ("message", schema::string("What the earlier you needs to know.")),
                (
                    "checkpoint_id",
                    json!({
                        "type": "integer",
                        "minimum": 0,
                        "description": "The number of the checkpoint to return to."
                    }),
                ),
            ],
            &["message", "checkpoint_id"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        // It changes nothing itself; the way back begins when all calls of the step are done.
        Effect::Read
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        arguments::with(arguments, async |Arguments { message, checkpoint_id }| {
            let message = message.trim().to_owned();
            if message.is_empty() {
                return Err(arguments::invalid("`message` is blank"));
            }
            let mut shown: String = message.chars().take(SHOWN).collect();
            if shown.len() < message.len() {
                shown.push('…');
            }
            cx.mail.put(DMail { message, checkpoint: checkpoint_id })?;
            // Only read when the message is dropped, because a call of the same step was rejected.
            let value = ToolReturnValue::ok(
                "",
                "You can read this, so the D-Mail has not been delivered. Do without it.",
            );
            let text = format!("To checkpoint {checkpoint_id}: {shown}");
            Ok(value.with_display(DisplayBlock::Brief { text }).into())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{Bench, brief};

    #[tokio::test]
    async fn a_mail_waits_until_it_is_taken() {
        let bench = Bench::new();
        bench.cx.mail.open_to(vec![0, 1, 2]);
        let mail = json!({"message": " use b.rs \n", "checkpoint_id": 1});
        let value = bench.run(&SendDMail, mail.clone()).await;
        assert!(!value.is_error && value.message.contains("not been delivered"));
        assert_eq!(brief(&value), "To checkpoint 1: use b.rs");
        let second = bench.run(&SendDMail, mail).await;
        assert!(second.is_error && second.message.contains("already on its way"), "{second:?}");
        assert_eq!(
            bench.cx.mail.take(),
            Some(DMail { message: "use b.rs".to_owned(), checkpoint: 1 })
        );
        assert_eq!(bench.cx.mail.take(), None);
    }

    #[tokio::test]
    async fn only_checkpoints_that_the_model_can_see_are_there() {
        let bench = Bench::new();
        let send = async |id: u64| {
            bench.run(&SendDMail, json!({"message": "x", "checkpoint_id": id})).await
        };
        assert!(send(0).await.message.contains("there is none yet"));
        bench.cx.mail.open_to(vec![3, 4]);
        for id in [0, 5, i64::MAX.unsigned_abs()] {
            let value = send(id).await;
            assert!(value.message.contains("go from 3 to 4"), "{}", value.message);
            assert_eq!(brief(&value), "D-Mail not sent");
        }
        assert_eq!(bench.cx.mail.take(), None);
        assert!(!send(4).await.is_error);
    }

    #[tokio::test]
    async fn blank_messages_and_negative_numbers_are_refused() {
        let bench = Bench::new();
        bench.cx.mail.open_to(vec![0]);
        let value = bench.run(&SendDMail, json!({"message": " ", "checkpoint_id": 0})).await;
        assert_eq!(brief(&value), "Invalid arguments");
        assert!(SendDMail.check(json!({"message": "x", "checkpoint_id": -1})).is_err());
    }
}
