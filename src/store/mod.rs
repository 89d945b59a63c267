//! What is on disk: sessions, the index of work directories, history.
//!
//! Plain blocking file access. Whole files are replaced atomically ([`write_atomic`]); logs grow by
//! one write per batch of records, so that a killed process leaves at most one torn last line,
//! which the next opening repairs. Names and formats are those of kimi-cli's data directory, which
//! other programs read and write at the same time: unknown keys and records are kept.

mod archive;
mod atomic;
mod bundle;
mod code_index;
mod context_log;
mod device_id;
mod error;
mod fork;
mod goal_log;
mod history;
mod index;
mod last_answer;
mod lines;
mod lock;
mod make_room;
mod notifications;
mod paths;
mod pictures;
mod private_lock;
mod python_json;
mod repair;
mod rewrite;
mod run_dir;
mod session;
pub mod snapshots;
mod state;
mod subagents;
mod summary;
mod title;
mod trust;
mod wire_log;

pub use atomic::{write_atomic, write_new, write_volatile};
pub use bundle::{Bundle, BundleError, bundle_name};
pub use code_index::{knows_session, tell_session};
pub use context_log::{ContextLog, ContextMark, ContextRecord, LoadedContext};
pub use device_id::device_id;
pub use error::StoreError;
pub use goal_log::{GoalLog, GoalRecord};
pub use history::History;
pub use index::WorkDirIndex;
pub use last_answer::{keep_answer, write_last_answer};
pub(crate) use lines::{read_if_any, read_regular};
pub use lock::{Held, SessionLock};
pub use notifications::{
    Delivery, DeliveryStatus, NotificationRecord, NotificationStore, Sink, Sinks,
};
pub use paths::{ShareDir, work_dir_hash};
pub use pictures::PictureStore;
pub use private_lock::PrivateLock;
pub use python_json::to_spaced_json;
pub(crate) use repair::open_calls;
pub use rewrite::{RewriteError, rewrite};
pub use run_dir::{RunDir, write_state};
pub use session::{BadSessionId, Session, SessionStore, check_session_id};
pub use state::{Approval, SessionState, StateFile};
pub use subagents::{Assignment, LaunchSpec, SubagentMeta, SubagentStatus, SubagentStore};
pub use summary::SessionSummary;
pub use title::{UNTITLED, derive_title};
pub use trust::{TrustStore, Verdict};
pub use wire_log::{TurnTail, WireLog, WireReader, WireRecord};
