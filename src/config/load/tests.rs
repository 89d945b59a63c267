//! Files and texts of every kind.

use proptest::prelude::*;

use super::*;
use crate::config::{Hook, PromptSymbols};
use crate::platform::env::fixed;
use crate::protocol::HookEvent;

fn text(text: &str) -> Result<LoadedConfig, ConfigError> {
    Config::load(&ConfigSource::Text(text.to_owned()), &fixed::env("/h", &[]))
}

fn file(name: &str, content: impl AsRef<[u8]>) -> Result<LoadedConfig, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), content).unwrap();
    let env = fixed::env(dir.path(), &[]);
    Config::load(&ConfigSource::File(name.into()), &env)
        .map_err(|error| error.to_string().replace(&dir.path().display().to_string(), "DIR"))
}

#[test]
fn a_configuration_of_kimi_code_is_read() {
    let text = "[thinking]\nenabled = true\neffort = \"high\"\n[providers.a]\ntype = \"kimi\"\n\
        api_key = \"k\"\n[providers.b]\ntype = \"openai\"\n[models.m]\nprovider = \"a\"\n\
        model = \"m\"\ncapabilities = [\"tool_use\", \"thinking\"]\n[[hooks]]\nevent = \"Interrupt\"\n\
        command = \"true\"\n[[hooks]]\nevent = \"PreToolUse\"\ncommand = \"true\"\n";
    let env = fixed::env("/h", &[]);
    let loaded = Config::load(&ConfigSource::Text(text.to_owned()), &env).unwrap();
    let config = loaded.config;
    assert!(config.default_thinking && config.hooks.len() == 1);
    assert_eq!(config.providers["a"].base_url, "https://api.moonshot.ai/v1");
    assert_eq!(config.providers["b"].base_url, "https://api.openai.com/v1");
    assert_eq!(config.models["m"].capabilities, ["thinking"]);
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].starts_with("hooks[0].event: Interrupt"), "{:?}", loaded.warnings);
    let other =
        Config::load(&ConfigSource::Text("[providers.c]\ntype = \"new\"\n".to_owned()), &env);
    assert!(other.is_err());
}

#[test]
fn the_default_file_says_the_defaults() {
    assert_eq!(text(DEFAULT_FILE).unwrap().config, Config::default());
    for key in ["default_model = \"\"", "default_thinking = false", "tool_call_timeout_ms = 60000"]
    {
        assert!(DEFAULT_FILE.lines().any(|line| line == key), "{key}");
    }
    // Users append tables of their own.
    let more = format!("{DEFAULT_FILE}\n[[hooks]]\nevent = \"Stop\"\ncommand = \"x\"\n");
    assert_eq!(text(&more).unwrap().config.hooks.len(), 1);
}

#[test]
fn background_tasks_have_the_defaults_and_the_least_values_of_kimi_cli() {
    let default = Config::default().background;
    let table = |key: &str, value: i64| text(&format!("[background]\n{key} = {value}"));
    for (key, usual, expected, least) in [
        ("max_running_tasks", default.max_running_tasks, 4, 1),
        ("read_max_bytes", default.read_max_bytes, 30_000, 1024),
        ("notification_tail_lines", default.notification_tail_lines, 20, 1),
        ("notification_tail_chars", default.notification_tail_chars, 3000, 256),
        ("wait_poll_interval_ms", default.wait_poll_interval_ms, 500, 50),
        ("worker_heartbeat_interval_ms", default.worker_heartbeat_interval_ms, 5000, 100),
        ("worker_stale_after_ms", default.worker_stale_after_ms, 15_000, 1000),
        ("kill_grace_period_ms", default.kill_grace_period_ms, 2000, 100),
        ("agent_task_timeout_s", default.agent_task_timeout_s, 900, 60),
        ("print_wait_ceiling_s", default.print_wait_ceiling_s, 3600, 1),
    ] {
        assert_eq!(usual, expected, "{key}");
        assert!(table(key, least).is_ok(), "{key}");
        assert!(table(key, -1).is_err(), "{key}");
        // Go programs write out what they did not set.
        match least {
            1 => assert_eq!(table(key, 0).unwrap().config.background, default, "{key}"),
            _ => assert!(table(key, least - 1).is_err(), "{key}"),
        }
    }
    assert!(!default.keep_alive_on_exit);
}

#[test]
fn a_missing_default_file_is_no_work_and_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = fixed::env(dir.path(), &[]);
    let loaded = Config::load(&ConfigSource::Default, &env).unwrap();
    let path = dir.path().join(".kimi/config.toml");
    assert_eq!((loaded.config, loaded.path.as_ref()), (Config::default(), Some(&path)));
    assert!(loaded.is_default_file && !path.exists());
    assert!(write_default_if_missing(&path).unwrap());
    fs::write(&path, "theme = \"x\"").unwrap();
    assert!(!write_default_if_missing(&path).unwrap());
    assert_eq!(Config::load(&ConfigSource::Default, &env).unwrap().config.theme, "x");
    let given = Config::load(&ConfigSource::File(path), &env).unwrap();
    assert!(given.is_default_file);
}

#[test]
fn what_other_programs_write_is_understood() {
    let config = text(
        r#"{"default_thinking":"on","default_yolo":1,"telemetry":"No","theme":"",
        "providers":{"moonshot":{"type":"kimi","base_url":"https://api.moonshot.ai/v1","api_key":"sk","custom_headers":null,"env":{"N":3}}},
        "models":{"k2":{"provider":"moonshot","model":"m","max_context_size":262144.0,"capabilities":{"thinking":true,"image_in":false}}},
        "loop_control":{"max_steps_per_turn":0,"max_steps_per_run":7,"max_retries_per_step":"5","compaction_trigger_ratio":0,"reserved_context_size":0},
        "mcp":{"client":{"tool_call_timeout_ms":0}},"hooks":[],"some_future_key":{"a":[1]}}"#,
    )
    .unwrap();
    assert!(config.warnings.is_empty() && config.path.is_none());
    let config = config.config;
    assert!(config.default_thinking && config.default_yolo && !config.telemetry);
    assert_eq!(config.theme, "dark");
    assert_eq!(config.models["k2"].capabilities, ["thinking"]);
    assert_eq!(config.models["k2"].max_context_size, 262_144);
    assert_eq!(config.providers["moonshot"].env["N"], "3");
    assert_eq!(config.loop_control.max_steps_per_turn, 7);
    assert_eq!(config.loop_control.max_retries_per_step, 5);
    assert_eq!(config.loop_control.reserved_context_size, 50_000);
    assert_eq!(config.mcp_client.tool_call_timeout_ms, 60_000);
}

#[test]
fn our_own_table_and_soft_mistakes() {
    let loaded = text(
        "theme = \"no such theme\"\n[tui]\nprompt_symbols = \"runes\"\nstatus_bar = false\nreduced_motion = true\nterminal_marks = false\n\
         [[hooks]]\nevent = \"Stop\"\ncommand = \"x\"\n\
         [models.m]\nprovider = \"p\"\nmodel = \"m\"\ncapabilities = [\"flying\"]\n[providers.p]\ntype = \"new\"\nbase_url = \"u\"\n",
    )
    .unwrap();
    let config = loaded.config;
    assert_eq!(config.theme, "no such theme");
    assert_eq!(config.tui.prompt_symbols, PromptSymbols::Emoji);
    assert!(!config.tui.status_bar && config.tui.reduced_motion && config.tui.notifications);
    assert!(!config.tui.terminal_marks);
    let hook = Hook {
        event: HookEvent::Stop,
        command: "x".into(),
        matcher: String::new(),
        timeout: 30,
        fail_closed: false,
    };
    assert_eq!(config.hooks, [hook]);
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
}

#[test]
fn the_other_dialects_keys_are_understood() {
    let modes = |document: &str| {
        let loaded = text(document).unwrap();
        (loaded.config.default_yolo, loaded.config.default_afk, loaded.warnings.len())
    };
    assert_eq!(modes("default_permission_mode = \"manual\""), (false, false, 0));
    assert_eq!(modes("default_permission_mode = \"yolo\""), (true, false, 0));
    assert_eq!(modes("default_permission_mode = \"auto\""), (false, true, 0));
    // What is not known allows nothing.
    assert_eq!(modes("default_permission_mode = \"always\""), (false, false, 1));
    for (mode, yolo, expected) in [
        ("yolo", false, (true, false, 1)),
        ("yolo", true, (true, false, 0)),
        ("manual", true, (false, false, 1)),
        ("manual", false, (false, false, 0)),
        ("auto", true, (false, true, 1)),
        ("auto", false, (false, true, 0)),
        ("", true, (true, false, 0)),
        ("always", true, (true, false, 1)),
    ] {
        let both = format!("default_permission_mode = {mode:?}\ndefault_yolo = {yolo}");
        assert_eq!(modes(&both), expected, "{both}");
    }
    let fresh = format!("default_permission_mode = \"yolo\"\n{}", DEFAULT_FILE);
    let loaded = text(&fresh).unwrap();
    assert!(loaded.config.default_yolo, "what we write ourselves is in nobody's way");
    let told = "default_permission_mode = \"yolo\" counts, not default_yolo = false";
    assert!(loaded.warnings.iter().any(|line| line.contains(told)), "{:?}", loaded.warnings);
    let tries = |document: &str| text(document).unwrap().config.loop_control.max_retries_per_step;
    assert_eq!(tries("[loop_control]\nmax_attempts_per_step = 10"), 10);
    assert_eq!(tries("[loop_control]\nmax_attempts_per_step = 10\nmax_retries_per_step = 4"), 4);
}

#[test]
fn a_hook_for_an_event_that_there_is_not_is_an_error() {
    let error = text("[[hooks]]\nevent = \"Nonsense\"\ncommand = \"x\"\n").unwrap_err().to_string();
    assert!(error.contains("hooks[0].event: there is no event \"Nonsense\""), "{error}");
    assert!(error.contains("PreToolUse") && error.contains("PermissionRequest"), "{error}");
}

#[test]
fn mistakes_name_the_key() {
    for (document, message) in [
        ("default_model = \"nope\"", "default_model: Default model nope not found in models"),
        (
            "[models.m]\nprovider = \"p\"\nmodel = \"x\"",
            "models.m.provider: Provider p not found in providers",
        ),
        ("[models.m]\nmodel = \"x\"", "models.m.provider: missing"),
        ("default_yolo = \"perhaps\"", "default_yolo: expected true or false, got \"perhaps\""),
        (
            "[loop_control]\nmax_steps_per_turn = -3",
            "loop_control.max_steps_per_turn: expected at least 1, got -3",
        ),
        (
            "[loop_control]\ncompaction_trigger_ratio = 2",
            "loop_control.compaction_trigger_ratio: expected a number from 0.5 to 0.99, got 2",
        ),
        ("models = 3", "models: expected a table, got 3"),
        (
            "[[hooks]]\nevent = \"Stop\"\ncommand = \"x\"\ntimeout = 601",
            "hooks[0].timeout: expected at most 600, got 601",
        ),
        ("extra_skill_dirs = [1]", "extra_skill_dirs: expected a list of strings, got 1"),
        (
            "[background]\nread_max_bytes = 1.5",
            "background.read_max_bytes: expected a whole number, got 1.5",
        ),
    ] {
        let error = file("c.toml", document).unwrap_err();
        assert_eq!(error, format!("Invalid configuration file DIR/c.toml: {message}"));
    }
}

#[test]
fn broken_syntax_is_one_line_with_the_place() {
    assert_eq!(file("c.toml", "a = 1\nb = é [\n").unwrap_err().lines().count(), 1);
    let error = file("c.toml", "theme = \"dark\"\ntheme = \"light\"\n").unwrap_err();
    assert!(error.starts_with("Invalid TOML in configuration file DIR/c.toml: "), "{error}");
    assert!(error.ends_with(" at line 2 column 1"), "{error}");
    let error = file("c.json", "{\n \"a\": }").unwrap_err();
    assert_eq!(
        error,
        "Invalid JSON in configuration file DIR/c.json: expected value at line 2 column 7"
    );
    let error = text("{\"a\": ").unwrap_err().to_string();
    assert!(error.starts_with("Invalid configuration text: invalid JSON: "), "{error}");
    let error = text("a = ").unwrap_err().to_string();
    assert!(error.starts_with("Invalid configuration text: invalid TOML: "), "{error}");
    assert_eq!(
        text("  ").unwrap_err().to_string(),
        "Invalid configuration text: Config cannot be empty"
    );
}

#[test]
fn hostile_files_are_errors_not_accidents() {
    assert!(file("c.toml", b"\xff\xfe\0").is_err());
    assert!(file("c.json", "[1]").is_err());
    assert!(file("c.json", "[".repeat(5_000)).is_err());
    assert!(file("c.toml", format!("a = {}", "[".repeat(5_000))).is_err());
    assert!(file("c.toml", "\u{feff}theme = \"x\"").is_ok());
    let dir = tempfile::tempdir().unwrap();
    let env = fixed::env(dir.path(), &[]);
    let load = |path: &str| Config::load(&ConfigSource::File(path.into()), &env);
    assert!(load(".").unwrap_err().to_string().starts_with("Cannot read configuration file"));
    assert!(load("none.toml").unwrap_err().to_string().contains("no such file"));
    #[cfg(unix)]
    assert_eq!(load("/dev/null").unwrap().config, Config::default());
}

#[test]
fn the_old_json_file_moves_over_once() {
    let dir = tempfile::tempdir().unwrap();
    let env = fixed::env(dir.path(), &[]);
    let share = ShareDir::from_env(&env);
    fs::create_dir_all(share.root()).unwrap();
    let old = r#"{"default_thinking":true,"x":null,"services":{"moonshot_search":{"base_url":"s","api_key":"k"}},"theme":"light","extra_skill_dirs":["a"]}"#;
    fs::write(share.legacy_config_json(), old).unwrap();
    let first = Config::load(&ConfigSource::Default, &env).unwrap();
    assert!(first.config.default_thinking && first.warnings.is_empty(), "{:?}", first.warnings);
    assert!(!share.legacy_config_json().exists() && share.root().join("config.json.bak").exists());
    let text = fs::read_to_string(share.config_toml()).unwrap();
    for line in ["default_model = \"\"", "tool_call_timeout_ms = 60000"] {
        assert!(text.lines().any(|known| known == line), "{text}");
    }
    assert_eq!(Config::load(&ConfigSource::Default, &env).unwrap().config, first.config);
}

proptest! {
    /// Any value at any key is either understood or refused with the key's name.
    #[test]
    fn wrong_kinds_of_values_are_refused_by_name(
        key in prop::sample::select(vec![
            "default_thinking", "default_model", "theme", "models", "providers", "loop_control",
            "background", "mcp", "hooks", "tui", "services", "extra_skill_dirs", "notifications",
        ]),
        value in prop::sample::select(vec![
            "null", "-1", "1.5", "1e300", "18446744073709551615", "\"x\"", "[]", "[null]", "[{}]",
            "{\"a\":1}", "{\"a\":{}}", "{\"client\":[]}", "{\"moonshot_search\":{}}",
        ]),
    ) {
        if let Err(error) = text(&format!("{{\"{key}\":{value}}}")) {
            let error = error.to_string();
            prop_assert!(error.starts_with(&format!("Invalid configuration text: {key}")), "{}", error);
        }
    }
}
