//! `config.toml`: reading it, changing single keys in it, choosing the model.
//!
//! The keys are those of kimi-cli, plus a `[tui]` table of our own. Reading is lenient about
//! spellings that other programs write; unknown keys are ignored and stay in the file, which is
//! only ever edited in place.

mod edit;
mod env_model;
mod error;
mod fields;
mod load;
mod parse;
mod schema;
mod select;
mod unused;

pub(crate) use edit::edit_document;
pub use edit::{Scalar, set_key};
pub use error::ConfigError;
pub use load::{ConfigSource, LoadedConfig, check_text, write_default_if_missing};
pub use schema::{
    Background, Config, Hook, LoopControl, McpClient, McpMode, ModelConfig, Notifications,
    OauthRef, PromptSymbols, ProviderConfig, ServiceConfig, Services, Tui,
};
pub use select::{DEFAULT_KIMI_MODEL, ModelChoice, SelectError, resolve_thinking, select};
