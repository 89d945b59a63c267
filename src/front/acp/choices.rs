//! What a client may choose for a session: a mode and a model.

use serde_json::{Value, json};

use crate::config::Config;
use crate::protocol::{Op, SessionInfo};

/// Marks the id of a model that thinks: `name,thinking`.
const THINKING: &str = ",thinking";

/// What goes ahead without being asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Default,
    Plan,
    Yolo,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Default, Self::Plan, Self::Yolo];

    /// The mode of that id.
    pub fn of(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.id() == id)
    }

    /// The mode that a session is in.
    pub fn holds(info: &SessionInfo) -> Self {
        match (info.plan_mode, info.yolo || info.afk) {
            (true, _) => Self::Plan,
            (false, true) => Self::Yolo,
            (false, false) => Self::Default,
        }
    }

    /// Its name to programs.
    pub fn id(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Plan => "plan",
            Self::Yolo => "yolo",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Default => "Default",
            Self::Plan => "Plan",
            Self::Yolo => "YOLO",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Default => "Ask before files are changed and commands are run",
            Self::Plan => "Change nothing until a plan is approved",
            Self::Yolo => "Change files and run commands without asking",
        }
    }

    /// What switches it on. In this order no other mode comes in between. Plan mode leaves what holds
    /// after it.
    pub fn ops(self) -> Vec<Op> {
        let yolo = |yolo| Op::SetApproval { yolo: Some(yolo), afk: Some(false) };
        let plan = |enabled| Op::SetPlanMode { enabled };
        match self {
            Self::Default => vec![yolo(false), plan(false)],
            Self::Plan => vec![plan(true)],
            Self::Yolo => vec![yolo(true), plan(false)],
        }
    }
}

/// A model as clients choose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Model {
    /// The key in the configuration.
    pub key: String,
    pub thinking: bool,
    /// What to call it.
    name: String,
}

impl Model {
    /// The configured models: those that may think are there twice, those that always do only thinking.
    pub fn all(config: &Config) -> Vec<Self> {
        let choices = config.models.iter().flat_map(|(key, model)| {
            let can = |capability: &str| model.capabilities.iter().any(|it| it == capability);
            let ways: &[bool] = match (can("always_thinking"), can("thinking")) {
                (true, _) => &[true],
                (false, true) => &[false, true],
                (false, false) => &[false],
            };
            let name = model.display_name.as_ref().unwrap_or(key);
            ways.iter().map(move |thinking| Self {
                key: key.clone(),
                thinking: *thinking,
                name: format!("{name}{}", if *thinking { " (thinking)" } else { "" }),
            })
        });
        choices.collect()
    }

    /// Its name to programs.
    pub fn id(&self) -> String {
        format!("{}{}", self.key, if self.thinking { THINKING } else { "" })
    }

    /// The model that a session has.
    pub fn holds(info: &SessionInfo) -> Option<Self> {
        let key = info.model.clone()?;
        let name = info.model_display.clone().unwrap_or_else(|| key.clone());
        Some(Self { key, thinking: info.thinking, name })
    }
}

/// What holds in a session and what there is beside it, with the fields of a result that tell of it.
pub(super) fn told(info: &SessionInfo, config: &Config) -> Value {
    let mode = Mode::holds(info);
    let modes: Vec<Value> = Mode::ALL
        .into_iter()
        .map(|it| json!({"id": it.id(), "name": it.name(), "description": it.description()}))
        .collect();
    let mut told = json!({
        "modes": {"currentModeId": mode.id(), "availableModes": modes},
        "configOptions": options(info, config),
    });
    if let Some((current, models)) = models(info, config) {
        let models: Vec<Value> =
            models.iter().map(|it| json!({"modelId": it.id(), "name": it.name})).collect();
        told["models"] = json!({"currentModelId": current, "availableModels": models});
    }
    told
}

/// The same choices as newer clients know them.
pub(super) fn options(info: &SessionInfo, config: &Config) -> Value {
    let modes: Vec<Value> = Mode::ALL
        .into_iter()
        .map(|it| json!({"value": it.id(), "name": it.name(), "description": it.description()}))
        .collect();
    let mut options = vec![json!({
        "id": "mode",
        "name": "Mode",
        "category": "mode",
        "type": "select",
        "currentValue": Mode::holds(info).id(),
        "options": modes,
    })];
    if let Some((current, models)) = models(info, config) {
        let models: Vec<Value> =
            models.iter().map(|it| json!({"value": it.id(), "name": it.name})).collect();
        options.push(json!({
            "id": "model",
            "name": "Model",
            "category": "model",
            "type": "select",
            "currentValue": current,
            "options": models,
        }));
    }
    Value::Array(options)
}

/// The id of the model that the session has, and all there are; that one is among them. `None` when it
/// has none.
fn models(info: &SessionInfo, config: &Config) -> Option<(String, Vec<Model>)> {
    let current = Model::holds(info)?;
    let mut all = Model::all(config);
    if !all.iter().any(|model| model.id() == current.id()) {
        // It comes from the environment.
        all.insert(0, current.clone());
    }
    Some((current.id(), all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigSource, LoadedConfig};
    use crate::platform::env::fixed;
    use std::path::Path;

    fn config(text: &str) -> LoadedConfig {
        let env = fixed::env(Path::new("/nowhere"), &[]);
        Config::load(&ConfigSource::Text(text.to_owned()), &env).unwrap()
    }

    fn info(model: Option<&str>, thinking: bool) -> SessionInfo {
        SessionInfo { model: model.map(str::to_owned), thinking, ..SessionInfo::default() }
    }

    const THREE: &str = r#"
        [providers.p]
        type = "kimi"
        base_url = "http://127.0.0.1:9"
        api_key = "x"
        [models.plain]
        provider = "p"
        model = "m"
        max_context_size = 1000
        [models.both]
        provider = "p"
        model = "m"
        max_context_size = 1000
        display_name = "Both"
        capabilities = ["thinking"]
        [models.always]
        provider = "p"
        model = "m"
        max_context_size = 1000
        capabilities = ["always_thinking"]
    "#;

    #[test]
    fn thinking_is_part_of_the_choice() {
        let loaded = config(THREE);
        let told = told(&info(Some("both"), true), &loaded.config);
        assert_eq!(told["models"]["currentModelId"], "both,thinking");
        let mut ids: Vec<_> = told["models"]["availableModels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["modelId"].as_str().unwrap())
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, ["always,thinking", "both", "both,thinking", "plain"]);
        assert_eq!(told["configOptions"][1]["currentValue"], "both,thinking");
        assert_eq!(told["configOptions"][1]["options"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn a_model_of_the_environment_is_among_them_and_none_is_none() {
        let loaded = config(THREE);
        let of_env = told(&info(Some("free"), false), &loaded.config);
        assert_eq!(of_env["models"]["availableModels"][0]["modelId"], "free");
        assert!(told(&info(None, false), &loaded.config).get("models").is_none());
    }

    #[test]
    fn modes_are_told_by_what_holds() {
        let mut info = info(None, false);
        assert_eq!(Mode::holds(&info), Mode::Default);
        info.yolo = true;
        assert_eq!(Mode::holds(&info), Mode::Yolo);
        info.plan_mode = true;
        assert_eq!(Mode::holds(&info), Mode::Plan);
        for mode in Mode::ALL {
            assert_eq!(Mode::of(mode.id()), Some(mode));
        }
        assert_eq!(Mode::of("Default"), None);
    }
}
