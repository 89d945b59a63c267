//! Notes when a person approves: what they did to files while they decided is not the call's doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;

use super::Rewinder;
use crate::protocol::{Question, QuestionForm};
use crate::tools::{ApprovalAsk, ApprovalVerdict, Desk, QuestionOutcome};

/// A desk that notes when it is answered.
pub(super) struct Approved {
    pub desk: Arc<dyn Desk>,
    pub rewinder: Arc<Rewinder>,
    /// In nanoseconds since 1970.
    pub at: Arc<AtomicI64>,
}

#[async_trait]
impl Desk for Approved {
    async fn approve(&self, ask: ApprovalAsk) -> ApprovalVerdict {
        let verdict = self.desk.approve(ask).await;
        self.at.store(self.rewinder.now_ns(), Ordering::Relaxed);
        verdict
    }

    async fn pose(
        &self,
        call_id: &str,
        questions: Vec<Question>,
        form: Option<QuestionForm>,
    ) -> QuestionOutcome {
        self.desk.pose(call_id, questions, form).await
    }

    fn takes_words(&self) -> bool {
        self.desk.takes_words()
    }

    fn takes_forms(&self) -> bool {
        self.desk.takes_forms()
    }
}
