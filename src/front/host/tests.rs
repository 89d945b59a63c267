//! What a host makes of a configuration.

use super::*;
use crate::config::ConfigSource;
use crate::platform::env::fixed;
use crate::store::ShareDir;

fn host(home: &Path, config: &str, modes: Modes) -> Host {
    let env = fixed::env(home, &[]);
    let loaded = Config::load(&ConfigSource::Text(config.to_owned()), &env).unwrap();
    let work_dir = home.to_path_buf();
    Host {
        store: SessionStore::new(ShareDir::from_env(&env)),
        loaded: Arc::new(loaded),
        options: Arc::new(HostOptions { modes, work_dir, ..HostOptions::default() }),
        env,
    }
}

#[test]
fn the_default_agent_has_every_tool_but_two() {
    let search = "[services.moonshot_search]\nbase_url = \"http://127.0.0.1:9\"\napi_key = \"k\"\n";
    let host = host(Path::new("/nowhere"), search, Modes::default());
    let agent = host.agent().unwrap();
    let web = host.web();
    let seeing = Capabilities { image_in: true, ..Capabilities::default() };
    let names = |registry: Registry| -> Vec<String> {
        registry.specs(seeing).into_iter().map(|spec| spec.name).collect()
    };
    let chosen = names(Registry::chosen(agent.tools.iter().map(String::as_str), &web));
    let mut all = names(Registry::all(&web));
    all.retain(|name| !["Think", "SendDMail"].contains(&name.as_str()));
    assert_eq!(chosen, all);
    assert!(chosen.contains(&"SearchWeb".to_owned()));
}

#[test]
fn a_service_that_cannot_be_used_is_passed_over() {
    let searches = |fields: &str| {
        let config = format!("[services.moonshot_search]\n{fields}\n");
        host(Path::new("/nowhere"), &config, Modes::default()).web().search.is_some()
    };
    assert!(searches("base_url = \"http://127.0.0.1:9\"\napi_key = \"\""));
    for fields in [
        "base_url = \"\"\napi_key = \"k\"",
        "base_url = \"ftp://x\"\napi_key = \"k\"",
        "base_url = \"http://127.0.0.1:9\"\napi_key = \"a\\nb\"",
        "base_url = \"http://127.0.0.1:9\"\napi_key = \"\"\noauth = { storage = \"file\", key = \"k\" }",
    ] {
        assert!(!searches(fields), "{fields}");
    }
}

#[test]
fn a_sign_in_goes_to_no_service_over_an_open_line() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join(".kimi/credentials");
    std::fs::create_dir_all(&place).unwrap();
    let token = r#"{"access_token": "a", "refresh_token": "r"}"#;
    std::fs::write(place.join("kimi-code.json"), token).unwrap();
    let fetches = |address: &str, key: &str| {
        let config = format!(
            "[services.moonshot_fetch]\nbase_url = \"{address}\"\napi_key = \"{key}\"\n\
             oauth = {{ storage = \"file\", key = \"oauth/kimi-code\" }}\n"
        );
        host(dir.path(), &config, Modes::default()).web().fetch.is_some()
    };
    assert!(fetches("https://h/fetch", "") && fetches("http://127.0.0.1:9", ""));
    assert!(!fetches("http://h/fetch", "") && fetches("http://h/fetch", "k"));
}
