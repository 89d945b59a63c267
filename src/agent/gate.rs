//! The way of one call to a person: what rules say comes first.

use std::sync::Arc;

use async_trait::async_trait;

use super::approval::ApprovalDesk;
use super::core::Core;
use super::plan::restriction;
use super::subagents::Source;
use crate::permission::effect::{Effect, Finding};
use crate::permission::{Call, Judgment};
use crate::protocol::{Question, QuestionForm};
use crate::tools::{
    ApprovalAsk, ApprovalVerdict, CallContext, Desk, QuestionOutcome, ToolReturn, only_reads,
    restricted,
};

/// A desk that knows which call asks.
#[derive(Clone)]
pub(super) struct Gate {
    desk: Arc<ApprovalDesk>,
    /// The subagent that makes the call, if one does.
    source: Option<Arc<Source>>,
    /// The agent that makes it is there to look.
    reads_only: bool,
    call: Arc<Call>,
    finding: Arc<Finding>,
}

impl Gate {
    /// For a call of this agent; `finding` says what it would do.
    pub fn new(core: &Core, call: Call, finding: Finding) -> Self {
        Self {
            desk: Arc::clone(&core.desk),
            source: core.source.clone(),
            reads_only: core.reads_only,
            call: Arc::new(call),
            finding: Arc::new(finding),
        }
    }

    /// Why plan mode does not let the call through, if so.
    fn restriction(&self) -> Option<String> {
        match self.source {
            None => restriction::refusal(self.desk.plan(), &self.call, &self.finding),
            // The plan is its caller's to write.
            Some(_) => restriction::refusal_of_any(self.desk.plan(), &self.finding),
        }
    }

    /// Whether the call writes the plan, which needs no approval.
    fn writes_plan(&self) -> bool {
        let plan = self.desk.plan();
        self.source.is_none()
            && plan.is_on()
            && restriction::writes_plan(plan, &self.call) == Some(Ok(()))
    }

    /// The result of a call that does not even begin: a rule forbids it, or wants a person asked who
    /// says no or is not there. Tools that ask by themselves do so later.
    pub async fn refusal(&self, cx: &CallContext) -> Option<ToolReturn> {
        let judgment = self.desk.judge(&self.call).await;
        if let Some(reason) = self.desk.forbids(&judgment) {
            return Some(ToolReturn::denied(reason));
        }
        if let Some(reason) = self.restriction() {
            return Some(restricted(&self.call.tool, &reason).into());
        }
        if self.reads_only && self.finding.effect != Effect::ReadOnly {
            return Some(only_reads(&self.finding.reason).into());
        }
        if self.call.asks_itself() || !matches!(judgment, Judgment::Ask { .. }) {
            return None;
        }
        let tool = &self.call.tool;
        let ask = ApprovalAsk {
            call_id: cx.call_id.clone(),
            sender: tool.clone(),
            action: format!("use {tool}"),
            description: format!("Call {tool}, as a rule of yours asks first."),
            display: Vec::new(),
        };
        let verdict = tokio::select! {
            verdict = self.approve(ask) => verdict,
            () = cx.cancel.cancelled() => ApprovalVerdict::Rejected { feedback: None },
        };
        verdict.refusal()
    }
}

#[async_trait]
impl Desk for Gate {
    async fn approve(&self, ask: ApprovalAsk) -> ApprovalVerdict {
        // A tool of a server may be called through another tool; rules name the one that acts.
        if ask.sender.starts_with("mcp__") && ask.sender != self.call.tool {
            let call = Call::of_tool(&ask.sender);
            return self.desk.approve_call(ask, Arc::new(call), self.source.as_ref()).await;
        }
        if self.writes_plan() {
            return ApprovalVerdict::Approved;
        }
        let call = Arc::clone(&self.call);
        let verdict = self.desk.approve_call(ask, call, self.source.as_ref()).await;
        // Plan mode may have been switched on while a person was asked.
        match self.restriction() {
            Some(reason) if verdict == ApprovalVerdict::Approved => ApprovalVerdict::Rejected {
                feedback: Some(format!("plan mode is on now: {reason}")),
            },
            _ => verdict,
        }
    }

    async fn pose(
        &self,
        call_id: &str,
        questions: Vec<Question>,
        form: Option<QuestionForm>,
    ) -> QuestionOutcome {
        match self.source {
            None => self.desk.pose(call_id, questions, form).await,
            // Its caller asks.
            Some(_) => QuestionOutcome::Unsupported,
        }
    }

    fn takes_words(&self) -> bool {
        self.desk.takes_words()
    }

    fn takes_forms(&self) -> bool {
        self.desk.takes_forms()
    }
}
