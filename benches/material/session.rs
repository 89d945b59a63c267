//! A long session on disk, as the program itself would have written it.

use std::path::Path;

use kimi_tui::llm::Message;
use kimi_tui::platform::env::fixed;
use kimi_tui::protocol::{ContentPart, Event, UserInput};
use kimi_tui::store::{ContextLog, ContextRecord, Session, SessionStore, ShareDir, WireLog};

use super::answer;

/// Writes a session of `work_dir` below the data directory `share`, whose two records have at least
/// `bytes` bytes each.
pub fn write(share: &Path, work_dir: &Path, bytes: u64) -> Session {
    let env = fixed::env(share, &[]);
    let store = SessionStore::new(ShareDir::new(share));
    let (session, _) = store.create(work_dir, Some("long"), &env).expect("a session");
    let (mut context, _) = ContextLog::open(&session.context_path()).expect("a log");
    let mut wire = WireLog::open(&session.wire_path()).expect("a log");
    context.append(&[ContextRecord::SystemPrompt("Help.".to_owned())]).expect("written");
    let text = answer(2_000);
    let length = |path| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let mut turn = 0;
    while length(session.context_path()) < bytes || length(session.wire_path()) < bytes {
        turn += 1;
        let question = format!("Question number {turn}?");
        let said = ContentPart::text(text.clone());
        context
            .append(&[
                ContextRecord::Checkpoint(turn),
                ContextRecord::Message(Message::user_text(question.clone())),
                ContextRecord::Message(Message::assistant(vec![said.clone()], Vec::new())),
                ContextRecord::Usage(turn * 100),
            ])
            .expect("written");
        let events = [
            Event::TurnBegin { user_input: UserInput::Text(question) },
            Event::StepBegin { n: 1 },
            Event::ContentPart(said),
            Event::TurnEnd {},
        ];
        for event in &events {
            wire.append_event(1_767_323_045.0, event).expect("written");
        }
    }
    session
}
