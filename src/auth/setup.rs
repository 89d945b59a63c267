//! What signing in and out changes in `config.toml`: a provider, its models, the default model, and
//! the services of the web. Everything else stays as it is, comments and all.

use std::path::Path;

use toml_edit::{Array, InlineTable, Item, Table, TableLike, Value, table, value};

use super::models::Model;
use super::{KEY, MODEL_PREFIX, PROVIDER};
use crate::config::{ConfigError, edit_document};

/// The services, and what their addresses end with.
const SERVICES: [(&str, &str); 2] = [("moonshot_search", "/search"), ("moonshot_fetch", "/fetch")];

/// Configures the account's models; the first one becomes the model that sessions begin with.
pub(super) fn add(path: &Path, base_url: &str, models: &[Model]) -> Result<(), ConfigError> {
    edit_document(path, |document| {
        let root = document.as_table_mut();
        let provider = entry(root, &["providers", PROVIDER])?;
        provider.insert("type", value("kimi"));
        signed_in(provider, base_url);

        remove_models(root, |name| !models.iter().any(|model| model_name(model) == name));
        for model in models {
            write_model(root, model)?;
        }
        if let Some(first) = models.first() {
            set_root(root, "default_model", model_name(first).into());
            set_root(root, "default_thinking", first.thinks().into());
        }
        for (name, end) in SERVICES {
            let service = entry(root, &["services", name])?;
            if !has_own_key(service) {
                signed_in(service, &format!("{base_url}{end}"));
            }
        }
        Ok(())
    })
}

/// Brings the account's models up to date where the account is configured: new ones come, those that are
/// gone go, and a default model that went is the first one. What a person has added to a model stays, and
/// when nothing is different the file is not written.
pub(super) fn update(path: &Path, models: &[Model]) -> Result<(), ConfigError> {
    let Some(first) = models.first() else { return Ok(()) };
    edit_document(path, |document| {
        let root = document.as_table_mut();
        let providers = root.get("providers").and_then(Item::as_table_like);
        // Somebody has signed out in the meantime.
        if providers.is_none_or(|providers| !providers.contains_key(PROVIDER)) {
            return Ok(());
        }
        let removed =
            remove_models(root, |name| !models.iter().any(|model| model_name(model) == name));
        for model in models {
            write_model(root, model)?;
        }
        let default = root.get("default_model").and_then(Item::as_str).unwrap_or_default();
        if removed.iter().any(|name| name == default) {
            set_root(root, "default_model", model_name(first).into());
        }
        Ok(())
    })
}

fn write_model(root: &mut Table, model: &Model) -> Result<(), String> {
    let table = entry(root, &["models", &model_name(model)])?;
    set(table, "provider", Some(PROVIDER.into()));
    set(table, "model", Some(model.id.as_str().into()));
    // One that the account does not tell is not better than one that is there.
    if model.max_context > 0 || !table.contains_key("max_context_size") {
        set(table, "max_context_size", Some(model.max_context.into()));
    }
    let capabilities = match model.capabilities.as_slice() {
        [] => None,
        some => Some(Value::Array(some.iter().copied().collect::<Array>())),
    };
    set(table, "capabilities", capabilities);
    set(table, "display_name", model.display_name.as_deref().map(Value::from));
    Ok(())
}

/// Takes away what [`add`] has written. A missing file stays missing.
pub(super) fn remove(path: &Path) -> Result<(), ConfigError> {
    if !path.exists() {
        return Ok(());
    }
    edit_document(path, |document| {
        let root = document.as_table_mut();
        if let Some(providers) = root.get_mut("providers").and_then(Item::as_table_like_mut) {
            providers.remove(PROVIDER);
        }
        let removed = remove_models(root, |_| true);
        let default = root.get("default_model").and_then(Item::as_str).unwrap_or_default();
        if removed.iter().any(|name| name == default) {
            set_root(root, "default_model", "".into());
        }
        if let Some(services) = root.get_mut("services").and_then(Item::as_table_like_mut) {
            for (name, _) in SERVICES {
                let ours =
                    services.get(name).and_then(Item::as_table_like).is_some_and(is_signed_in);
                if ours {
                    services.remove(name);
                }
            }
        }
        Ok(())
    })
}

fn model_name(model: &Model) -> String {
    format!("{MODEL_PREFIX}{}", model.id)
}

/// Takes away the account's models with such names; returns those.
fn remove_models(root: &mut Table, goes: impl Fn(&str) -> bool) -> Vec<String> {
    let Some(models) = root.get_mut("models").and_then(Item::as_table_like_mut) else {
        return Vec::new();
    };
    let is_ours = |item: &Item| {
        let provider = item.as_table_like().and_then(|model| model.get("provider"));
        provider.and_then(Item::as_str) == Some(PROVIDER)
    };
    let ours = models.iter().filter(|(name, item)| is_ours(item) && goes(name));
    let names: Vec<String> = ours.map(|(name, _)| name.to_owned()).collect();
    for name in &names {
        models.remove(name);
    }
    names
}

/// The address, and that a token is the key.
fn signed_in(table: &mut dyn TableLike, base_url: &str) {
    table.insert("base_url", value(base_url));
    table.insert("api_key", value(""));
    let mut oauth = InlineTable::new();
    oauth.insert("storage", "file".into());
    oauth.insert("key", KEY.into());
    table.insert("oauth", value(oauth));
}

/// Whether a person has given it a key, which is nothing of a sign-in.
fn has_own_key(table: &dyn TableLike) -> bool {
    let key = table.get("api_key").and_then(Item::as_str).unwrap_or_default();
    !key.is_empty() && !is_signed_in(table)
}

fn is_signed_in(table: &dyn TableLike) -> bool {
    let oauth = table.get("oauth").and_then(Item::as_table_like);
    oauth.and_then(|oauth| oauth.get("key")).and_then(Item::as_str) == Some(KEY)
}

/// The table at this path, made where it is missing.
fn entry<'a>(root: &'a mut dyn TableLike, path: &[&str]) -> Result<&'a mut dyn TableLike, String> {
    let Some((name, rest)) = path.split_first() else { return Ok(root) };
    let item = root.entry(name).or_insert_with(|| {
        let mut made = table();
        if let (Item::Table(made), false) = (&mut made, rest.is_empty()) {
            made.set_implicit(true);
        }
        made
    });
    let inner = item.as_table_like_mut().ok_or_else(|| format!("{name}: is not a table"))?;
    entry(inner, rest)
}

/// Sets a value, or takes it away. One that says the same stays as it is written.
fn set(table: &mut dyn TableLike, name: &str, new: Option<Value>) {
    let old = table.get(name).and_then(Item::as_value);
    match new {
        Some(new) if old.is_some_and(|old| says_the_same(old, &new)) => {}
        Some(new) => drop(table.insert(name, Item::Value(new))),
        None => drop(table.remove(name)),
    }
}

fn says_the_same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::String(old), Value::String(new)) => old.value() == new.value(),
        (Value::Integer(old), Value::Integer(new)) => old.value() == new.value(),
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| says_the_same(old, new))
        }
        _ => false,
    }
}

/// Sets a value of the root. The comments around the one that it replaces stay.
fn set_root(root: &mut Table, name: &str, mut new: Value) {
    match root.get_mut(name) {
        Some(Item::Value(old)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        _ => drop(root.insert(name, Item::Value(new))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigSource};
    use crate::platform::env::fixed;
    use std::fs;

    fn model(id: &str, capabilities: &[&'static str]) -> Model {
        let capabilities = capabilities.to_vec();
        Model { id: id.into(), max_context: 262_144, capabilities, display_name: None }
    }

    #[test]
    fn a_sign_in_leaves_everything_else_and_a_sign_out_takes_it_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let before = "# mine\ndefault_model = \"own\" # best\ndefault_thinking = false\nodd = [1,  2]\n\n\
            [models.own]\nprovider = \"p\"\nmodel = \"m\"\nmax_context_size = 1000\n\n\
            [providers.p]\ntype = \"kimi\"\nbase_url = \"https://x/v1\"\napi_key = \"k\"\n\n[services]\n";
        fs::write(&path, before).unwrap();
        let models = [model("kimi-for-coding", &["thinking", "image_in"]), model("b", &[])];
        add(&path, "https://api/v1", &models).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with(
                "# mine\ndefault_model = \"kimi-code/kimi-for-coding\" # best\n\
            default_thinking = true\nodd = [1,  2]\n\n[models.own]\n"
            ),
            "{text}"
        );
        for part in [
            "[models.\"kimi-code/kimi-for-coding\"]\nprovider = \"managed:kimi-code\"\n\
             model = \"kimi-for-coding\"\nmax_context_size = 262144\n\
             capabilities = [\"thinking\", \"image_in\"]\n",
            "[providers.\"managed:kimi-code\"]\ntype = \"kimi\"\nbase_url = \"https://api/v1\"\n\
             api_key = \"\"\noauth = { storage = \"file\", key = \"oauth/kimi-code\" }\n",
            "[services.moonshot_search]\nbase_url = \"https://api/v1/search\"\napi_key = \"\"\n\
             oauth = { storage = \"file\", key = \"oauth/kimi-code\" }\n",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let env = fixed::env(dir.path(), &[]);
        let loaded = Config::load(&ConfigSource::File(path.clone()), &env).unwrap();
        assert_eq!(loaded.warnings, [""; 0]);

        // What a person adds to a model stays; a model that is gone goes.
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("display_name", "#").replace(
            "model = \"kimi-for-coding\"",
            "model = \"kimi-for-coding\"\nprices = { input = 1.0, output = 2.0, cache_read = 0.1 }",
        );
        fs::write(&path, text).unwrap();
        add(&path, "https://api/v1", &models[..1]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("prices = ") && !text.contains("kimi-code/b"), "{text}");

        remove(&path).unwrap();
        let after = fs::read_to_string(&path).unwrap();
        let expected = before.replace("\"own\"", "\"\"").replace("= false", "= true");
        assert_eq!(after, expected);
        remove(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }

    #[test]
    fn an_update_changes_what_is_different_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let api = [model("a", &["thinking", "image_in"]), model("b", &[])];
        add(&path, "https://api/v1", &api).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        // As another program, or a person, writes the same.
        let text = text
            .replace(
                "[\"thinking\", \"image_in\"]",
                "[\n    \"thinking\",\n    \"image_in\",\n] # both",
            )
            .replace("model = \"a\"", "model = 'a' # mine\nnote = 1");
        fs::write(&path, &text).unwrap();
        let silent = Model { max_context: 0, ..model("b", &[]) };
        update(&path, &[api[0].clone(), silent]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);

        // The default goes, another one comes.
        let now = [Model { max_context: 1000, ..model("b", &[]) }, model("c", &["thinking"])];
        update(&path, &now).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("default_model = \"kimi-code/b\""), "{text}");
        assert!(text.contains("default_thinking = true"), "{text}");
        assert!(text.contains("max_context_size = 1000") && text.contains("kimi-code/c"), "{text}");
        assert!(!text.contains("kimi-code/a"), "{text}");

        // A choice of the person's own stays, and so does a sign-out.
        let own = "[providers.p]\ntype = \"kimi\"\nbase_url = \"https://h/v1\"\napi_key = \"k\"\n\
                   [models.own]\nprovider = \"p\"\nmodel = \"m\"\nmax_context_size = 9\n";
        let text = text.replace("\"kimi-code/b\"\n", "\"own\"\n") + own;
        fs::write(&path, &text).unwrap();
        update(&path, &now[1..]).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("default_model = \"own\""));
        remove(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        update(&path, &now).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn the_first_sign_in_writes_a_whole_file_and_a_sign_out_makes_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("share/config.toml");
        remove(&path).unwrap();
        assert!(!path.exists());
        add(&path, "https://api/v1", &[model("kimi-k2", &["thinking"])]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for line in [
            "default_model = \"kimi-code/kimi-k2\"",
            "default_thinking = true",
            "tool_call_timeout_ms = 60000",
            "[models.\"kimi-code/kimi-k2\"]",
            "[providers.\"managed:kimi-code\"]",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
    }

    #[test]
    fn a_file_that_is_none_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        for text in ["theme = ", "models = 1\n", "[models]\nx = 1\n", "providers = []\n"] {
            fs::write(&path, text).unwrap();
            assert!(add(&path, "https://api/v1", &[model("a", &[])]).is_err(), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_service_with_a_key_of_its_own_survives_a_sign_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let text = "[services.moonshot_search]\nbase_url = \"https://s\"\napi_key = \"k\"\n";
        fs::write(&path, text).unwrap();
        add(&path, "https://api/v1", &[model("a", &[])]).unwrap();
        let with = fs::read_to_string(&path).unwrap();
        assert!(with.contains(text), "{with}");
        assert!(with.contains("[services.moonshot_fetch]\nbase_url = \"https://api/v1/fetch\""));
        remove(&path).unwrap();
        let without = fs::read_to_string(&path).unwrap();
        assert!(without.contains(text) && !without.contains("moonshot_fetch"), "{without}");
    }
}
