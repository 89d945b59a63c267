//! Servers that a program brings for its session, and may bring anew while it is open.

use super::{Running, Servers, lock};
use crate::mcp::config::{Loaded, Source};
use crate::mcp::project::ProjectFile;
use crate::mcp::server::Order;

impl Servers {
    /// Reads everything that is configured; also returns the files of the project to ask about.
    pub(super) fn load(&self) -> (Loaded, Vec<ProjectFile>) {
        let mut loaded = Loaded::default();
        if let Some(path) = &self.sources.default_file {
            loaded.add_file(path);
        }
        for source in self.sources.given.iter().chain(&*lock(&self.brought)) {
            loaded.add(source.clone());
        }
        let unasked = self.add_project(&mut loaded);
        (loaded, unasked)
    }

    /// Whether this is what the program has brought already.
    pub fn has_brought(&self, source: &Source) -> bool {
        *lock(&self.brought) == std::slice::from_ref(source)
    }

    /// Takes what the program brings now in place of what it has brought before, and reads the files
    /// anew. Servers that are configured as they were go on as they are; the others end or begin. Reads
    /// from the disk. Call it inside the runtime.
    pub fn bring(&self, source: Source) {
        let Running { servers, bad, warnings, unasked, .. } = self.running();
        *lock(&self.brought) = vec![source];
        let (loaded, asked_about) = self.load();
        let mut begun = Vec::new();
        let ended = {
            let mut servers = lock(servers);
            let mut known = std::mem::take(&mut *servers);
            for config in loaded.servers {
                match known.iter().position(|server| server.config == config) {
                    Some(at) => servers.push(known.remove(at)),
                    None => {
                        let (server, keeper) = self.make(config);
                        servers.push(server);
                        begun.push(keeper);
                    }
                }
            }
            known
        };
        *lock(bad) = loaded.bad;
        *lock(warnings) = loaded.warnings;
        *lock(unasked) = asked_about;
        ended.iter().for_each(|server| server.order(Order::Stop));
        self.changed.send_modify(|revision| *revision += 1);
        self.run(begun);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::mcp::connection::Surroundings;
    use crate::mcp::elicit::Person;
    use crate::mcp::limits::Limits;
    use crate::mcp::servers::Sources;
    use crate::platform::env::fixed;

    fn source(servers: Value) -> Source {
        let object = json!({"mcpServers": servers});
        let source = Source::read(object.as_object().unwrap()).unwrap();
        source.literal()
    }

    #[tokio::test]
    async fn what_is_brought_anew_counts_and_the_rest_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mcp.json");
        std::fs::write(&file, json!({"own": {"command": "/own"}}).to_string()).unwrap();
        let env = fixed::env(Path::new("/home/x"), &[]);
        let sources = Sources {
            default_file: Some(file),
            brought: vec![source(json!({"a": {"command": "/a"}, "own": {"command": "/other"}}))],
            ..Sources::default()
        };
        let around = Surroundings {
            work_dir: dir.path().to_owned(),
            logs: dir.path().join("logs"),
            person: Person::default(),
            guard: None,
            env: env.clone(),
        };
        let limits = Limits::from_env(&env);
        let servers = Servers::new(sources, around, limits, Duration::from_secs(1));
        assert_eq!(servers.names(), ["own", "a"]);
        let (a, other) = (servers.get("a").unwrap(), servers.get("own").unwrap());
        let before = servers.revision();
        let again = source(json!({"a": {"command": "/a"}, "b": {"command": "/b"}, "c": {}}));
        assert!(!servers.has_brought(&again));
        servers.bring(again.clone());
        assert!(servers.has_brought(&again) && servers.revision() > before);
        assert_eq!(servers.names(), ["own", "a", "b"]);
        assert!(std::sync::Arc::ptr_eq(&a, &servers.get("a").unwrap()));
        let own = servers.get("own").unwrap();
        assert!(own.config != other.config && !own.config.literal);
        assert_eq!(servers.warnings().len(), 1, "{:?}", servers.warnings());
        servers.bring(Source::default());
        assert_eq!((servers.names(), servers.warnings()), (vec!["own".to_owned()], Vec::new()));
        servers.shutdown().await;
    }
}
