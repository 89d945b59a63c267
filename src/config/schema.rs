//! The configuration as data, with the defaults and units of every key.

use std::collections::BTreeMap;
use std::fmt;

use crate::permission::Rules;
use crate::protocol::{HookEvent, Prices};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// A key of `models`; empty for none.
    pub default_model: String,
    pub default_thinking: bool,
    pub default_yolo: bool,
    /// Nobody is there: nothing is asked. kimi-code calls it the permission mode `auto`.
    pub default_afk: bool,
    /// For new sessions only.
    pub default_plan_mode: bool,
    pub skip_afk_prompt_injection: bool,
    /// A command line such as `code --wait`; empty for `$VISUAL`, `$EDITOR` or what is found.
    pub default_editor: String,
    /// The name of a theme. Any text: the screen falls back and warns when it does not know it.
    pub theme: String,
    pub show_thinking_stream: bool,
    pub merge_all_available_skills: bool,
    /// Absolute, `~`, or relative to the project root.
    pub extra_skill_dirs: Vec<String>,
    pub telemetry: bool,
    pub models: BTreeMap<String, ModelConfig>,
    pub providers: BTreeMap<String, ProviderConfig>,
    pub loop_control: LoopControl,
    pub background: Background,
    pub notifications: Notifications,
    pub services: Services,
    pub mcp_client: McpClient,
    pub mcp_mode: McpMode,
    /// What goes ahead without a person, what never does.
    pub permission: Rules,
    pub hooks: Vec<Hook>,
    pub tui: Tui,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_model: String::new(),
            default_thinking: false,
            default_yolo: false,
            default_afk: false,
            default_plan_mode: false,
            skip_afk_prompt_injection: false,
            default_editor: String::new(),
            theme: "dark".to_owned(),
            show_thinking_stream: true,
            merge_all_available_skills: true,
            extra_skill_dirs: Vec::new(),
            telemetry: true,
            models: BTreeMap::new(),
            providers: BTreeMap::new(),
            loop_control: LoopControl::default(),
            background: Background::default(),
            notifications: Notifications::default(),
            services: Services::default(),
            mcp_client: McpClient::default(),
            mcp_mode: McpMode::default(),
            permission: Rules::default(),
            hooks: Vec::new(),
            tui: Tui::default(),
        }
    }
}

/// `[models.<name>]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelConfig {
    /// A key of `providers`.
    pub provider: String,
    /// The name the API knows.
    pub model: String,
    /// In tokens; 0 when unknown.
    pub max_context_size: u64,
    /// Of `image_in`, `video_in`, `thinking`, `always_thinking`.
    pub capabilities: Vec<String>,
    pub display_name: Option<String>,
    /// Our addition: for `--max-budget-usd` and `/context`.
    pub prices: Option<Prices>,
}

/// `[providers.<name>]`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProviderConfig {
    /// `kimi`, `openai_legacy`, `openai_responses`, `anthropic`, `gemini`, ...
    pub kind: String,
    pub base_url: String,
    pub api_key: String,
    /// For `vertexai` and `_scripted_echo`.
    pub env: BTreeMap<String, String>,
    pub custom_headers: BTreeMap<String, String>,
    /// `openai_legacy` only. `None` is `reasoning_content`; empty sends no thinking back.
    pub reasoning_key: Option<String>,
    pub oauth: Option<OauthRef>,
}

impl fmt::Debug for ProviderConfig {
    /// Secrets are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderConfig")
            .field("kind", &self.kind)
            .field("base_url", &self.base_url)
            .field("oauth", &self.oauth)
            .finish_non_exhaustive()
    }
}

/// Where a token is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthRef {
    /// `file`, or `keyring` in files of old versions.
    pub storage: String,
    pub key: String,
}

/// `[loop_control]`.
#[derive(Debug, Clone, PartialEq)]
pub struct LoopControl {
    pub max_steps_per_turn: u64,
    /// Attempts in all, the first included.
    pub max_retries_per_step: u64,
    /// 0 is off, -1 without end.
    pub max_ralph_iterations: i64,
    /// In tokens.
    pub reserved_context_size: u64,
    /// Share of the context window, 0.5 to 0.99.
    pub compaction_trigger_ratio: f64,
}

impl Default for LoopControl {
    fn default() -> Self {
        Self {
            max_steps_per_turn: 1000,
            max_retries_per_step: 3,
            max_ralph_iterations: 0,
            reserved_context_size: 50_000,
            compaction_trigger_ratio: 0.85,
        }
    }
}

/// `[background]`; times in the unit the name ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Background {
    pub max_running_tasks: u64,
    pub read_max_bytes: u64,
    pub notification_tail_lines: u64,
    pub notification_tail_chars: u64,
    pub wait_poll_interval_ms: u64,
    pub worker_heartbeat_interval_ms: u64,
    pub worker_stale_after_ms: u64,
    pub kill_grace_period_ms: u64,
    pub keep_alive_on_exit: bool,
    pub agent_task_timeout_s: u64,
    pub print_wait_ceiling_s: u64,
}

impl Default for Background {
    fn default() -> Self {
        Self {
            max_running_tasks: 4,
            read_max_bytes: 30_000,
            notification_tail_lines: 20,
            notification_tail_chars: 3000,
            wait_poll_interval_ms: 500,
            worker_heartbeat_interval_ms: 5000,
            worker_stale_after_ms: 15_000,
            kill_grace_period_ms: 2000,
            keep_alive_on_exit: false,
            agent_task_timeout_s: 900,
            print_wait_ceiling_s: 3600,
        }
    }
}

/// `[notifications]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notifications {
    pub claim_stale_after_ms: u64,
}

impl Default for Notifications {
    fn default() -> Self {
        Self { claim_stale_after_ms: 15_000 }
    }
}

/// `[services]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Services {
    pub moonshot_search: Option<ServiceConfig>,
    pub moonshot_fetch: Option<ServiceConfig>,
}

/// A web service.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ServiceConfig {
    pub base_url: String,
    pub api_key: String,
    pub custom_headers: BTreeMap<String, String>,
    pub oauth: Option<OauthRef>,
}

impl ServiceConfig {
    /// The token of a sign-in that requests carry, unless the user writes one into each.
    pub fn token_key(&self) -> Option<&str> {
        let mut headers = self.custom_headers.keys();
        let has_own = headers.any(|header| header.eq_ignore_ascii_case("authorization"));
        self.oauth.as_ref().filter(|_| !has_own).map(|oauth| oauth.key.as_str())
    }
}

impl fmt::Debug for ServiceConfig {
    /// Secrets are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceConfig")
            .field("base_url", &self.base_url)
            .field("oauth", &self.oauth)
            .finish_non_exhaustive()
    }
}

/// `[mcp.client]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpClient {
    pub tool_call_timeout_ms: u64,
}

impl Default for McpClient {
    fn default() -> Self {
        Self { tool_call_timeout_ms: 60_000 }
    }
}

/// `mcp.mode`: how the tools of MCP servers are offered to the model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum McpMode {
    /// Directly when they are known at the first request and no more than a handful, else deferred.
    #[default]
    Auto,
    /// Through `mcp_search` and `mcp_call`.
    Deferred,
    /// As tools of their own.
    Direct,
}

/// `[[hooks]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    pub event: HookEvent,
    pub command: String,
    /// A regular expression searched for; empty matches everything.
    pub matcher: String,
    /// Seconds, 1 to 600.
    pub timeout: u64,
    /// Ours: a hook that has nothing to say, because it failed, was killed by its timeout or wrote
    /// what is no answer, forbids instead of allowing.
    pub fail_closed: bool,
}

/// `[tui]`, our own table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tui {
    pub prompt_symbols: PromptSymbols,
    pub status_bar: bool,
    pub reduced_motion: bool,
    /// Whether the terminal is told when a turn ends or waits.
    pub notifications: bool,
    /// Whether the terminal is told where turns begin and end, and that one runs.
    pub terminal_marks: bool,
}

impl Default for Tui {
    fn default() -> Self {
        Self {
            prompt_symbols: PromptSymbols::Emoji,
            status_bar: true,
            reduced_motion: false,
            notifications: true,
            terminal_marks: true,
        }
    }
}

/// The marks that tell the modes of the prompt apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptSymbols {
    Emoji,
    Ascii,
}
