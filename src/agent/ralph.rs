//! Going over the same task again and again until the model finds that nothing is left to do
//! (agent-loop.md section 13).

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::flow::{Progress, Run};
use super::turn;
use crate::customize::flow::Flow;
use crate::protocol::{ContentPart, Outcome, UserInput};

const QUESTION: &str = "<system-reminder>The task above is given to you again and again, in the same \
     conversation and directory, until you say that it is done. Look at what is there now, go on with what \
     is left, and check what you did before. Choose STOP only when the whole task is done and checked, or \
     when there is nothing more that you can do about it; otherwise choose CONTINUE.</system-reminder>";

/// Runs the model on `input`, and again as often as the limits say and the model wants.
pub(super) async fn run(core: &Arc<Core>, input: UserInput, cancel: &CancellationToken) -> Outcome {
    let moves = match core.limits.max_ralph_iterations {
        0 => return turn::run_plain(core, input, cancel).await,
        // Endless, as far as anybody can tell.
        n if n < 0 => u64::MAX,
        n => n.unsigned_abs().saturating_add(1),
    };
    let flow = Flow::repeated("", QUESTION, "CONTINUE", "STOP");
    let lead: Vec<ContentPart> = input.into_parts();
    Run {
        core,
        cancel,
        flow: &flow,
        lead,
        request: "",
        moves: Some(moves),
        progress: Progress::Round,
    }
    .run()
    .await
}
