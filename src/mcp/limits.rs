//! The sizes that a user may set through the environment.

use std::time::Duration;

use crate::platform::Env;

/// Characters of a result that are always allowed: fewer have no room for both ends and a notice.
const LEAST_RESULT: usize = 300;

/// Sizes of what a model gets to see of MCP. Read once, when the program starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Characters of one result of `mcp_call` (`KIMI_MCP_RESULT_MAX_CHARS`).
    pub result_chars: usize,
    /// Tools in one answer of `mcp_search` (`KIMI_MCP_SEARCH_RESULT_CAP`).
    pub search_results: usize,
    /// Characters of a tool's description (`KIMI_MCP_DESC_MAX_CHARS`).
    pub description_chars: usize,
    /// How long the result of a read-only tool may be used again (`KIMI_MCP_CACHE_TTL_SECS`); zero
    /// is never.
    pub cache_ttl: Duration,
    /// Characters of one prompt or resource in a message (`KIMI_MCP_ATTACH_MAX_CHARS`).
    pub attached_chars: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            result_chars: 12_000,
            search_results: 5,
            description_chars: 300,
            cache_ttl: Duration::ZERO,
            attached_chars: 50_000,
        }
    }
}

impl Limits {
    /// The limits that the environment names. What is not a whole number, or is a zero where nothing
    /// would be left to see, counts as unset.
    pub fn from_env(env: &Env) -> Self {
        let number = |name: &str| env.var(name).and_then(|value| value.trim().parse::<u64>().ok());
        let size = |name: &str, default: usize| {
            let given = number(name).filter(|&size| size > 0);
            given.and_then(|size| usize::try_from(size).ok()).unwrap_or(default)
        };
        let default = Self::default();
        Self {
            result_chars: size("KIMI_MCP_RESULT_MAX_CHARS", default.result_chars).max(LEAST_RESULT),
            search_results: size("KIMI_MCP_SEARCH_RESULT_CAP", default.search_results),
            description_chars: size("KIMI_MCP_DESC_MAX_CHARS", default.description_chars),
            cache_ttl: number("KIMI_MCP_CACHE_TTL_SECS")
                .map_or(default.cache_ttl, Duration::from_secs),
            attached_chars: size("KIMI_MCP_ATTACH_MAX_CHARS", default.attached_chars),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    #[test]
    fn the_environment_decides() {
        let env = fixed::env(
            "/h",
            &[
                ("KIMI_MCP_RESULT_MAX_CHARS", "500"),
                ("KIMI_MCP_SEARCH_RESULT_CAP", " 9 "),
                ("KIMI_MCP_DESC_MAX_CHARS", "40"),
                ("KIMI_MCP_CACHE_TTL_SECS", "30"),
                ("KIMI_MCP_ATTACH_MAX_CHARS", "700"),
            ],
        );
        let expected = Limits {
            result_chars: 500,
            search_results: 9,
            description_chars: 40,
            cache_ttl: Duration::from_secs(30),
            attached_chars: 700,
        };
        assert_eq!(Limits::from_env(&env), expected);
    }

    #[test]
    fn a_result_has_room_for_its_ends() {
        let env = fixed::env("/h", &[("KIMI_MCP_RESULT_MAX_CHARS", "7")]);
        assert_eq!(Limits::from_env(&env).result_chars, LEAST_RESULT);
    }

    #[test]
    fn what_is_no_number_is_the_default() {
        for bad in ["", "0", "-1", "many", "1.5", "99999999999999999999999"] {
            let env = fixed::env(
                "/h",
                &[
                    ("KIMI_MCP_RESULT_MAX_CHARS", bad),
                    ("KIMI_MCP_SEARCH_RESULT_CAP", bad),
                    ("KIMI_MCP_DESC_MAX_CHARS", bad),
                    ("KIMI_MCP_CACHE_TTL_SECS", bad),
                    ("KIMI_MCP_ATTACH_MAX_CHARS", bad),
                ],
            );
            assert_eq!(Limits::from_env(&env), Limits::default(), "{bad}");
        }
    }
}
