//! OAuth for servers at an address: a login in the browser, tokens in a file, renewed when they are
//! due. The parts are those of the MCP authorization specification (2025-11-25).
//!
//! | file | subject |
//! |---|---|
//! | `endpoint` | the addresses of a server and its authority; requests with bounded answers |
//! | `challenge` | what a server says beside its 401 |
//! | `metadata` | who gives out tokens for a server: RFC 9728, RFC 8414, OpenID discovery |
//! | `registration` | making ourselves known there: RFC 7591 |
//! | `pkce` | the proof that a code is ours: RFC 7636 |
//! | `callback` | the port that the browser comes back to |
//! | `token` | asking for tokens, first and again |
//! | `store` | their file |
//! | `bearer` | the token of a connection, and its renewal |
//! | `flow` | the login from its start to its end |

mod bearer;
mod callback;
mod challenge;
mod endpoint;
mod flow;
mod metadata;
mod pkce;
mod registration;
mod store;
mod token;

pub(super) use bearer::Bearer;
pub use flow::Login;
pub use store::{Stamp, TokenFile};

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OauthError {
    /// Nobody has logged in, or the tokens are of no use any more.
    #[error("it asks for authorization")]
    LoginNeeded,
    /// Half a sentence for a person, without secrets. It may work later.
    #[error("{0}")]
    Failed(String),
}

impl OauthError {
    fn failed(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }
}
