//! Why a run failed, in one line on stderr: `error: failed to run prompt: CODE: MESSAGE`. Callers look
//! for the code.

use crate::front::print::failure::Trouble;
use crate::front::print::output::Pieces;
use crate::front::print::text::clean_line;

/// Tells of trouble in a run, with what to do about it.
pub(in crate::front::print) fn tell(trouble: &Trouble, to: &mut Pieces) {
    to.err(&failed_to_start(code_of(trouble), &trouble.message));
    if let Some(hint) = &trouble.hint {
        to.err(&format!("{}\n", clean_line(hint)));
    }
}

/// The line about a run that could not begin; kimi-code's code for it, if it has one.
pub fn failed_to_start(code: Option<&str>, message: &str) -> String {
    let code = code.map(|code| format!("{code}: ")).unwrap_or_default();
    format!("error: failed to run prompt: {code}{}\n", clean_line(message))
}

/// kimi-code's word for a kind of trouble.
fn code_of(trouble: &Trouble) -> Option<&'static str> {
    match (trouble.kind, trouble.status) {
        ("llm_not_set", _) => Some("model.not_configured"),
        ("sign_in", _) => Some("auth.login_required"),
        ("llm_not_supported", _) => Some("model.config_invalid"),
        ("max_steps_reached", _) => Some("loop.max_steps_exceeded"),
        ("provider", Some(401 | 403)) => Some("provider.auth_error"),
        ("provider", Some(429)) => Some("provider.rate_limit"),
        ("provider", Some(_)) => Some("provider.api_error"),
        ("provider", None) => Some("provider.connection_error"),
        ("internal", _) => Some("internal"),
        _ => None,
    }
}
