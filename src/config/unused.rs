//! Keys that are read, checked and kept, but that nothing in this version acts on.

use super::{Config, ServiceConfig};

impl Config {
    /// One line about the keys that are set and have no effect, if there are any.
    pub fn unused_warning(&self) -> Option<String> {
        let keys = self.unused_keys();
        let has = if keys.len() == 1 { "has" } else { "have" };
        (!keys.is_empty()).then(|| {
            format!(
                "Set in the configuration, but {has} no effect in this version: {}",
                keys.join(", ")
            )
        })
    }

    /// The keys that differ from their defaults and have no effect.
    fn unused_keys(&self) -> Vec<&'static str> {
        // Without an address there is nobody to ask.
        let unused = |service: &Option<ServiceConfig>| {
            service.as_ref().is_some_and(|it| it.base_url.is_empty())
        };
        [
            ("services.moonshot_search", unused(&self.services.moonshot_search)),
            ("services.moonshot_fetch", unused(&self.services.moonshot_fetch)),
        ]
        .into_iter()
        .filter_map(|(key, set)| set.then_some(key))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigSource;
    use crate::platform::env::fixed;

    fn config(text: &str) -> Config {
        let source = ConfigSource::Text(text.to_owned());
        Config::load(&source, &fixed::env("/h", &[])).unwrap().config
    }

    #[test]
    fn only_what_differs_from_the_default_is_named() {
        assert_eq!(Config::default().unused_warning(), None);
        assert_eq!(config(include_str!("default.toml")).unused_warning(), None);
        let service = |name: &str| {
            format!(
                "[services.{name}]\nbase_url = \"\"\napi_key = \"\"\n\
                 [services.{name}.oauth]\nkey = \"k\"\n"
            )
        };
        let (search, fetch) = (service("moonshot_search"), service("moonshot_fetch"));
        assert_eq!(
            config(&format!("{search}{fetch}")).unused_warning().as_deref(),
            Some(
                "Set in the configuration, but have no effect in this version: \
                 services.moonshot_search, services.moonshot_fetch"
            )
        );
        let one = config(&search).unused_warning().unwrap();
        assert!(one.ends_with("has no effect in this version: services.moonshot_search"), "{one}");
        assert_eq!(config("show_thinking_stream = false\n").unused_warning(), None);
        // Orchestrators raise it in everybody's file.
        assert_eq!(config("[mcp.client]\ntool_call_timeout_ms = 600000\n").unused_warning(), None);
    }
}
