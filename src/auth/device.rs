//! The device flow (RFC 8628): a code for the browser, and waiting until a person has agreed.

use std::time::Duration;

use super::AuthError;
use super::authority::{Authority, DeviceCode, Verdict};
use super::flow::News;
use super::token::Token;

/// What is added to the time between two questions when the authority finds it too short.
const SLOWER: Duration = Duration::from_secs(5);
/// How many answers in a row may make no sense, or not come.
const PATIENCE: u32 = 4;
/// How many codes may expire: nobody is there.
const CODES: u32 = 4;

/// Has a person agree in the browser. `told` hears what is to be shown on the way; when it returns
/// false, nobody listens any more.
pub(super) async fn run(
    authority: &Authority,
    told: &mut (impl FnMut(News) -> bool + Send),
) -> Result<Token, AuthError> {
    for _ in 0..CODES {
        let code = authority.begin().await?;
        let address =
            News::Address { page: code.page.to_string(), user_code: code.user_code.clone() };
        let asked = "Please visit the following URL to finish authorization.";
        if !told(News::Info(asked.to_owned())) || !told(address) {
            return Err(nobody_listens());
        }
        // The authority says when a code has expired, or the clock does.
        match tokio::time::timeout(code.life, wait(authority, &code, told)).await {
            Ok(Ok(Some(token))) => return Ok(token),
            Ok(Err(error)) => return Err(error),
            Ok(Ok(None)) | Err(_) => {}
        }
        if !told(News::Info("Device code expired, restarting login...".to_owned())) {
            return Err(nobody_listens());
        }
    }
    Err(AuthError::Failed("nobody has agreed in the browser".to_owned()))
}

/// The token; `None` when the code has expired.
async fn wait(
    authority: &Authority,
    code: &DeviceCode,
    told: &mut (impl FnMut(News) -> bool + Send),
) -> Result<Option<Token>, AuthError> {
    let mut interval = code.interval;
    let mut unclear = 0;
    loop {
        let verdict = authority.poll(code).await;
        unclear = if matches!(verdict, Verdict::Unclear(_)) { unclear + 1 } else { 0 };
        match verdict {
            Verdict::Granted(token) => return Ok(Some(token)),
            Verdict::Expired => return Ok(None),
            Verdict::Denied(why) => return Err(AuthError::Failed(why)),
            Verdict::Unclear(why) if unclear >= PATIENCE => return Err(AuthError::Failed(why)),
            Verdict::Unclear(why) => tracing::info!("a sign-in waits: {why}"),
            Verdict::SlowDown => interval += SLOWER,
            Verdict::Pending(error, description) => {
                if !told(News::Waiting { error, description }) {
                    return Err(nobody_listens());
                }
            }
        }
        tokio::time::sleep(interval).await;
    }
}

fn nobody_listens() -> AuthError {
    AuthError::Failed("nobody listens any more".to_owned())
}
