//! From a tree of values to a [`Config`].

use serde_json::{Map, Value};

use crate::permission::{Decision, Rule, Rules};

use super::fields::{Fields, Problem};
use super::schema::{
    Background, Config, Hook, LoopControl, McpClient, McpMode, ModelConfig, Notifications,
    OauthRef, PromptSymbols, ProviderConfig, ServiceConfig, Services, Tui,
};
use super::select::{KIMI_BASE_URL, OPENAI_BASE_URL};
use crate::protocol::{HookEvent, Prices};

/// US dollars per million tokens that no model costs.
const MAX_PRICE: f64 = 1_000_000.0;

/// What a model can be said to do.
pub(super) const CAPABILITIES: [&str; 4] = ["image_in", "video_in", "thinking", "always_thinking"];

/// What kimi-code says of models besides; nothing here depends on it.
const CODE_CAPABILITIES: [&str; 3] = ["audio_in", "dynamically_loaded_tools", "tool_use"];

/// Reads and checks a configuration. Things that can be done without are warned about, everything
/// else is an error that begins with the key.
pub(super) fn parse(
    document: &Map<String, Value>,
    warnings: &mut Vec<String>,
) -> Result<Config, Problem> {
    let root = Fields::root(document);
    let fallback = Config::default();
    let text = |key: &str| root.text(key).map(Option::unwrap_or_default);
    let (default_yolo, default_afk) = permission_mode(&root, fallback.default_yolo, warnings)?;
    let config = Config {
        default_model: text("default_model")?,
        default_thinking: root.bool(
            "default_thinking",
            root.table("thinking")?.bool("enabled", fallback.default_thinking)?,
        )?,
        default_yolo,
        default_afk,
        default_plan_mode: root.bool("default_plan_mode", fallback.default_plan_mode)?,
        skip_afk_prompt_injection: root
            .bool("skip_afk_prompt_injection", fallback.skip_afk_prompt_injection)?,
        default_editor: text("default_editor")?,
        theme: root.text("theme")?.filter(|name| !name.is_empty()).unwrap_or(fallback.theme),
        show_thinking_stream: root.bool("show_thinking_stream", fallback.show_thinking_stream)?,
        merge_all_available_skills: root
            .bool("merge_all_available_skills", fallback.merge_all_available_skills)?,
        extra_skill_dirs: root.texts("extra_skill_dirs")?,
        telemetry: root.bool("telemetry", fallback.telemetry)?,
        models: root
            .tables("models")?
            .into_iter()
            .map(|(name, fields)| Ok((name.to_owned(), model(&fields, warnings)?)))
            .collect::<Result<_, Problem>>()?,
        providers: root
            .tables("providers")?
            .into_iter()
            .map(|(name, fields)| Ok((name.to_owned(), provider(&fields)?)))
            .collect::<Result<_, Problem>>()?,
        loop_control: loop_control(&root.table("loop_control")?)?,
        background: background(&root.table("background")?)?,
        notifications: Notifications {
            claim_stale_after_ms: root.table("notifications")?.count(
                "claim_stale_after_ms",
                fallback.notifications.claim_stale_after_ms,
                1000,
            )?,
        },
        services: services(&root.table("services")?)?,
        mcp_client: McpClient {
            tool_call_timeout_ms: root.table("mcp")?.table("client")?.count(
                "tool_call_timeout_ms",
                fallback.mcp_client.tool_call_timeout_ms,
                1,
            )?,
        },
        mcp_mode: mcp_mode(&root.table("mcp")?, warnings)?,
        permission: permission(&root.table("permission")?)?,
        hooks: hooks(&root, warnings)?,
        tui: tui(&root.table("tui")?, warnings)?,
    };
    check_references(&config)?;
    Ok(config)
}

fn check_references(config: &Config) -> Result<(), Problem> {
    for (name, model) in &config.models {
        if !config.providers.contains_key(&model.provider) {
            return Err(format!(
                "models.{name}.provider: Provider {} not found in providers",
                model.provider
            ));
        }
    }
    if !config.default_model.is_empty() && !config.models.contains_key(&config.default_model) {
        return Err(format!(
            "default_model: Default model {} not found in models",
            config.default_model
        ));
    }
    Ok(())
}

fn model(fields: &Fields, warnings: &mut Vec<String>) -> Result<ModelConfig, Problem> {
    let mut capabilities = fields.set("capabilities")?;
    capabilities.retain(|name| {
        let known = CAPABILITIES.contains(&name.as_str());
        if !known && !CODE_CAPABILITIES.contains(&name.as_str()) {
            warnings.push(format!(
                "{}: {name:?} is no capability and is ignored (known: {})",
                fields.name("capabilities"),
                CAPABILITIES.join(", ")
            ));
        }
        known
    });
    Ok(ModelConfig {
        provider: fields.required("provider")?,
        model: fields.required("model")?,
        // Any number is allowed; what is not positive says nothing.
        max_context_size: u64::try_from(fields.int("max_context_size", 0, i64::MIN, i64::MAX)?)
            .unwrap_or(0),
        capabilities,
        display_name: fields.text("display_name")?.filter(|name| !name.is_empty()),
        prices: prices(fields)?,
    })
}

/// `prices = { input = 0.6, output = 2.5, cache_read = 0.15 }`, in US dollars per million tokens.
fn prices(fields: &Fields) -> Result<Option<Prices>, Problem> {
    if !fields.has("prices") {
        return Ok(None);
    }
    let prices = fields.table("prices")?;
    let price = |key: &str| {
        let known = prices.has(key);
        Ok::<_, Problem>(known.then_some(prices.ratio(key, 0.0, 0.0, MAX_PRICE)?))
    };
    let missing = |key: &str| format!("{}: a price is missing", prices.name(key));
    Ok(Some(Prices {
        input: price("input")?.ok_or_else(|| missing("input"))?,
        output: price("output")?.ok_or_else(|| missing("output"))?,
        cache_read: price("cache_read")?,
        cache_write: price("cache_write")?,
    }))
}

fn provider(fields: &Fields) -> Result<ProviderConfig, Problem> {
    let kind = match fields.required("type")?.as_str() {
        // The short word for the same thing.
        "openai" => "openai_legacy".to_owned(),
        kind => kind.to_owned(),
    };
    Ok(ProviderConfig {
        // kimi-code leaves out what goes without saying.
        base_url: match kind.as_str() {
            "kimi" if !fields.has("base_url") => KIMI_BASE_URL.to_owned(),
            "openai_legacy" if !fields.has("base_url") => OPENAI_BASE_URL.to_owned(),
            _ => fields.required("base_url")?,
        },
        kind,
        api_key: fields.text("api_key")?.unwrap_or_default(),
        env: fields.text_map("env")?,
        custom_headers: fields.text_map("custom_headers")?,
        reasoning_key: fields.text("reasoning_key")?,
        oauth: oauth(fields)?,
    })
}

fn oauth(fields: &Fields) -> Result<Option<OauthRef>, Problem> {
    if !fields.has("oauth") {
        return Ok(None);
    }
    let oauth = fields.table("oauth")?;
    Ok(Some(OauthRef {
        storage: oauth.text("storage")?.unwrap_or_else(|| "file".to_owned()),
        key: oauth.required("key")?,
    }))
}

fn loop_control(fields: &Fields) -> Result<LoopControl, Problem> {
    let fallback = LoopControl::default();
    let old = fields.count("max_steps_per_run", fallback.max_steps_per_turn, 1)?;
    Ok(LoopControl {
        max_steps_per_turn: fields.count("max_steps_per_turn", old, 1)?,
        // kimi-code's name for the same number: of all attempts, the first one too.
        max_retries_per_step: fields.count(
            "max_retries_per_step",
            fields.count("max_attempts_per_step", fallback.max_retries_per_step, 1)?,
            1,
        )?,
        max_ralph_iterations: fields.int("max_ralph_iterations", 0, -1, i64::MAX)?,
        reserved_context_size: fields.count(
            "reserved_context_size",
            fallback.reserved_context_size,
            1000,
        )?,
        compaction_trigger_ratio: fields.ratio(
            "compaction_trigger_ratio",
            fallback.compaction_trigger_ratio,
            0.5,
            0.99,
        )?,
    })
}

fn background(fields: &Fields) -> Result<Background, Problem> {
    let d = Background::default();
    let count = |key: &str, default: u64, min: u64| fields.count(key, default, min);
    Ok(Background {
        max_running_tasks: count("max_running_tasks", d.max_running_tasks, 1)?,
        read_max_bytes: count("read_max_bytes", d.read_max_bytes, 1024)?,
        notification_tail_lines: count("notification_tail_lines", d.notification_tail_lines, 1)?,
        notification_tail_chars: count("notification_tail_chars", d.notification_tail_chars, 256)?,
        wait_poll_interval_ms: count("wait_poll_interval_ms", d.wait_poll_interval_ms, 50)?,
        worker_heartbeat_interval_ms: count(
            "worker_heartbeat_interval_ms",
            d.worker_heartbeat_interval_ms,
            100,
        )?,
        worker_stale_after_ms: count("worker_stale_after_ms", d.worker_stale_after_ms, 1000)?,
        kill_grace_period_ms: count("kill_grace_period_ms", d.kill_grace_period_ms, 100)?,
        keep_alive_on_exit: fields.bool("keep_alive_on_exit", d.keep_alive_on_exit)?,
        agent_task_timeout_s: count("agent_task_timeout_s", d.agent_task_timeout_s, 60)?,
        print_wait_ceiling_s: count("print_wait_ceiling_s", d.print_wait_ceiling_s, 1)?,
    })
}

fn services(fields: &Fields) -> Result<Services, Problem> {
    let service = |key: &str| -> Result<Option<ServiceConfig>, Problem> {
        if !fields.has(key) {
            return Ok(None);
        }
        let fields = fields.table(key)?;
        Ok(Some(ServiceConfig {
            base_url: fields.required("base_url")?,
            api_key: fields.text("api_key")?.unwrap_or_default(),
            custom_headers: fields.text_map("custom_headers")?,
            oauth: oauth(&fields)?,
        }))
    };
    Ok(Services {
        moonshot_search: service("moonshot_search")?,
        moonshot_fetch: service("moonshot_fetch")?,
    })
}

/// `[permission]`: lists of rules, and kimi-code's `[[permission.rules]]`. A rule that is not
/// understood is an error: passed over, it would not forbid what it is there to forbid.
fn permission(fields: &Fields) -> Result<Rules, Problem> {
    let mut rules = Rules::default();
    for decision in [Decision::Allow, Decision::Ask, Decision::Deny] {
        let key = decision.word();
        for (at, text) in fields.texts(key)?.iter().enumerate() {
            let rule = Rule::parse(text);
            let named = |problem| format!("{}[{at}]: {problem}", fields.name(key));
            rules.add(decision, rule.map_err(named)?);
        }
    }
    for entry in fields.list_of_tables("rules")? {
        let decision = match entry.required("decision")?.as_str() {
            "allow" => Decision::Allow,
            "ask" => Decision::Ask,
            "deny" => Decision::Deny,
            other => {
                let key = entry.name("decision");
                return Err(format!("{key}: {other:?} is unknown; write allow, ask or deny"));
            }
        };
        let rule = Rule::parse(&entry.required("pattern")?);
        let named = |problem| format!("{}: {problem}", entry.name("pattern"));
        rules.add(decision, rule.map_err(named)?);
    }
    Ok(rules)
}

/// Events of kimi-code that are not told here. They only look on, and guard nothing.
const UNTOLD_EVENTS: [&str; 2] = ["Interrupt", "PermissionResult"];

/// A hook may be a guard: one that would never run is no small mistake.
fn hooks(root: &Fields, warnings: &mut Vec<String>) -> Result<Vec<Hook>, Problem> {
    let mut hooks = Vec::new();
    for fields in root.list_of_tables("hooks")? {
        let event = fields.required("event")?;
        if UNTOLD_EVENTS.contains(&event.as_str()) {
            let name = fields.name("event");
            warnings.push(format!("{name}: {event} is not told of here, so this hook never runs"));
            continue;
        }
        let Some(event) = HookEvent::from_name(&event) else {
            let known = HookEvent::WIRE.into_iter().chain([HookEvent::PermissionRequest]);
            let known: Vec<&str> = known.map(HookEvent::name).collect();
            let name = fields.name("event");
            let known = known.join(", ");
            return Err(format!("{name}: there is no event {event:?} (known: {known})"));
        };
        hooks.push(Hook {
            event,
            command: fields.required("command")?,
            matcher: fields.text("matcher")?.unwrap_or_default(),
            timeout: fields.int("timeout", 30, 1, 600)?.unsigned_abs(),
            fail_closed: fields.bool("fail_closed", false)?,
        });
    }
    Ok(hooks)
}

fn tui(fields: &Fields, warnings: &mut Vec<String>) -> Result<Tui, Problem> {
    let fallback = Tui::default();
    let prompt_symbols = match fields.text("prompt_symbols")?.as_deref() {
        None | Some("" | "emoji") => PromptSymbols::Emoji,
        Some("ascii") => PromptSymbols::Ascii,
        Some(other) => {
            warnings.push(format!(
                "{}: {other:?} is unknown, using \"emoji\" (known: emoji, ascii)",
                fields.name("prompt_symbols")
            ));
            PromptSymbols::Emoji
        }
    };
    Ok(Tui {
        prompt_symbols,
        status_bar: fields.bool("status_bar", fallback.status_bar)?,
        reduced_motion: fields.bool("reduced_motion", fallback.reduced_motion)?,
        notifications: fields.bool("notifications", fallback.notifications)?,
        terminal_marks: fields.bool("terminal_marks", fallback.terminal_marks)?,
    })
}

/// Whether sessions begin with yolo, and whether unattended. kimi-code has one key for both, which decides
/// where it is there: our own `default_yolo` is in every file that we have written.
fn permission_mode(
    root: &Fields,
    fallback: bool,
    warnings: &mut Vec<String>,
) -> Result<(bool, bool), Problem> {
    const MODE: &str = "default_permission_mode";
    const YOLO: &str = "default_yolo";
    let own = root.bool(YOLO, fallback)?;
    let mode = root.text(MODE)?.unwrap_or_default();
    let modes = match mode.as_str() {
        "" => return Ok((own, false)),
        "manual" => (false, false),
        "yolo" => (true, false),
        "auto" => (false, true),
        other => {
            warnings.push(format!(
                "{MODE}: {other:?} is unknown, {YOLO} = {own} counts (known: manual, yolo, auto)"
            ));
            return Ok((own, false));
        }
    };
    if root.has(YOLO) && own != modes.0 {
        warnings
            .push(format!("{MODE} = {mode:?} counts, not {YOLO} = {own}: take one of them out"));
    }
    Ok(modes)
}

fn mcp_mode(fields: &Fields, warnings: &mut Vec<String>) -> Result<McpMode, Problem> {
    Ok(match fields.text("mode")?.as_deref() {
        None | Some("" | "auto") => McpMode::Auto,
        Some("deferred") => McpMode::Deferred,
        Some("direct" | "eager") => McpMode::Direct,
        Some(other) => {
            warnings.push(format!(
                "{}: {other:?} is unknown, using \"auto\" (known: auto, deferred, direct)",
                fields.name("mode")
            ));
            McpMode::Auto
        }
    })
}
