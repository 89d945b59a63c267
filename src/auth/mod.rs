//! Signing in to a Kimi account: the device flow, the token in its file, its renewal, and what a
//! sign-in writes into the configuration (config.md sections 6 to 8). The formats are kimi-cli's, which
//! uses the same files at the same time.
//!
//! | file | subject |
//! |---|---|
//! | `authority` | who gives out tokens, and what is asked there |
//! | `token` | a token, as it is answered and as it is kept |
//! | `credentials` | the file it is kept in |
//! | `bearer` | the token of requests, renewed when it is due |
//! | `device` | the device flow: a code for the browser, and waiting for it (RFC 8628) |
//! | `refusal` | what an authority says when it says no, without the secrets it repeats |
//! | `models` | the models of an account |
//! | `setup` | what signing in and out changes in `config.toml` |
//! | `refresh` | the list of an account's models, asked for anew at each start |
//! | `flow` | signing in and out, from start to end |

mod authority;
mod bearer;
mod credentials;
mod device;
mod flow;
mod models;
mod refresh;
mod refusal;
mod setup;
mod token;

pub use bearer::{Bearer, UnsafeAddress};
pub use credentials::Credentials;
pub use flow::{News, sign_in, sign_out};
pub use refresh::refresh_soon;
pub(crate) use refusal::{forget_sent, refusal};

/// What the token of a Kimi account is kept under.
const KEY: &str = "oauth/kimi-code";
/// The provider that a sign-in configures.
const PROVIDER: &str = "managed:kimi-code";
/// What the names of its models begin with.
const MODEL_PREFIX: &str = "kimi-code/";

/// Does what waits for the disk where that holds up nobody.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuthError> + Send + 'static,
) -> Result<T, AuthError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(AuthError::Failed(error.to_string())))
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Nobody has signed in, or has signed out again.
    #[error("nobody is signed in")]
    SignedOut,
    /// The authority does not take the token any more.
    #[error("the sign-in has expired or was withdrawn ({0})")]
    Refused(String),
    /// Half a sentence for a person, without secrets. It may work later.
    #[error("{0}")]
    Failed(String),
}
