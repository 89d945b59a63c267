//! Talking to a model: messages, the provider trait, wire formats, errors, retry.

mod assemble;
mod error;
mod message;
mod provider;

pub use assemble::Assembler;
pub use error::LlmError;
pub use message::{Message, Role};
pub use provider::{
    Capabilities, ChatRequest, Delta, DeltaStream, FinishReason, Llm, Provider, Thinking, ToolSpec,
};
