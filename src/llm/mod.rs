//! Talking to a model: messages, the provider trait, wire formats, errors, retry.
//!
//! A [`ModelSpec`] says which model; [`connect`] makes an [`Llm`] of it without any I/O; its
//! [`Provider`] streams [`Delta`]s, which an [`Assembler`] puts together to a [`Message`].

mod access;
mod assemble;
pub mod code_edit;
mod connect;
mod error;
pub mod estimate;
pub(crate) mod http;
mod message;
mod oneline;
pub mod openai;
mod provider;
mod renamed;
pub mod retry;
pub mod scripted;
mod sent;
mod service;
pub mod spec;
pub mod sse;
mod status;
pub mod tour;

pub use access::TokenSource;
pub use assemble::Assembler;
pub use connect::{ConnectError, Connection, DeviceId, connect};
pub use error::LlmError;
pub use http::Timeouts;
pub use message::{Message, Role};
pub(crate) use oneline::one_line;
pub use provider::{
    Capabilities, ChatRequest, Delta, DeltaStream, FinishReason, Llm, Provider, Thinking, ToolSpec,
    UploadedFile,
};
pub use renamed::{ToolNames, renamed_words};
pub use retry::RetryPolicy;
pub(crate) use sent::Sent;
pub use service::{Answer, Service};
pub use spec::{ModelSpec, ProviderKind, Secret, derived_capabilities};
