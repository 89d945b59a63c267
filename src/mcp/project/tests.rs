use super::*;
use std::fs;

struct Place {
    dir: tempfile::TempDir,
}

const ONE: &str = r#"{"mcpServers": {"a": {"command": "./run", "cwd": "sub"}}}"#;

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for inside in ["p/.git", "p/.kimi", "p/deep/er", "share", "home"] {
            fs::create_dir_all(dir.path().join(inside)).unwrap();
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn project(&self) -> Project {
        Project::around(&self.path("p/deep/er"), &ShareDir::new(self.path("share")))
    }

    fn refused(&self, why: &str) {
        let found = self.project().find();
        assert!(found.files.is_empty(), "{found:?}");
        assert!(found.warnings.concat().contains(why), "{found:?}");
        assert_eq!(found.warnings.len(), 1);
    }
}

#[test]
fn files_are_found_at_the_root_and_nothing_is_trusted() {
    let place = Place::new();
    assert!(place.project().find().files.is_empty());
    place.put("p/.mcp.json", ONE);
    place.put("p/.kimi/mcp.json", ONE);
    place.put("p/deep/.mcp.json", ONE);
    let found = place.project().find();
    let paths: Vec<&Path> = found.files.iter().map(|(file, _)| file.path.as_path()).collect();
    assert_eq!(paths, [place.path("p/.kimi/mcp.json"), place.path("p/.mcp.json")]);
    assert!(found.files.iter().all(|(_, verdict)| verdict.is_none()));
    let Reach::Stdio { cwd, .. } = &found.files[0].0.source.servers[0].reach else { panic!() };
    assert_eq!(cwd.as_deref(), Some(place.path("p/sub").as_path()));
}

#[test]
fn a_yes_holds_until_the_file_changes_and_a_never_for_good() {
    let place = Place::new();
    place.put("p/.mcp.json", ONE);
    let verdict = || place.project().find().files[0].1;
    let file = place.project().find().files.remove(0).0;
    place.project().remember(&file, Some(Verdict::Trusted)).unwrap();
    assert_eq!(verdict(), Some(Verdict::Trusted));
    place.put("p/.mcp.json", &ONE.replace("./run", "./ruin"));
    assert_eq!(verdict(), None);
    place.project().remember(&file, Some(Verdict::Never)).unwrap();
    assert_eq!(verdict(), Some(Verdict::Never));
    place.project().remember(&file, None).unwrap();
    assert_eq!(verdict(), None);
}

#[cfg(unix)]
#[test]
fn what_was_agreed_to_elsewhere_is_not_agreed_to_here() {
    let place = Place::new();
    place.put("home/mcp.json", ONE);
    std::os::unix::fs::symlink(place.path("home/mcp.json"), place.path("p/.mcp.json")).unwrap();
    place.refused("it leads out of the project");
    fs::remove_file(place.path("p/.mcp.json")).unwrap();
    std::os::unix::fs::symlink(place.path("home/none"), place.path("p/.mcp.json")).unwrap();
    assert!(place.project().find().warnings.is_empty());
}

#[cfg(unix)]
#[test]
fn hostile_files_are_a_line_each() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let place = Place::new();
    let path = place.path("p/.mcp.json");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    place.refused("it is no ordinary file");
    fs::remove_file(&path).unwrap();
    fs::File::create(&path).unwrap().set_len(50 << 20).unwrap();
    place.refused("it is larger than 1 MiB");
    place.put("p/.mcp.json", "{\"mcpServers\": {\"a\": {\"command\": \"hunter2\", ");
    place.refused("invalid JSON at line 1");
    place.put("p/.mcp.json", "[]");
    place.refused("it holds no JSON object");
    place.put("p/.mcp.json", "{\"mcpServers\": {}}");
    let found = place.project().find();
    assert!(found.files.is_empty() && found.warnings.is_empty());
}

#[test]
fn a_damaged_store_trusts_nothing() {
    let place = Place::new();
    place.put("p/.mcp.json", ONE);
    place.put("share/mcp-trust.json", "{\"files\": ");
    let found = place.project().find();
    assert_eq!(found.files[0].1, None);
    assert!(found.warnings[0].starts_with("No project is trusted: "), "{:?}", found.warnings);
}

#[test]
fn the_users_own_file_is_no_project_file() {
    let place = Place::new();
    place.put("p/.kimi/mcp.json", ONE);
    let project = Project::around(&place.path("p"), &ShareDir::new(place.path("p/deep/../.kimi")));
    assert!(project.find().files.is_empty());
}

#[test]
fn a_server_is_told_whole_and_with_its_variables() {
    let source = Source::read(
        serde_json::json!({
            "a": {"command": "sh", "args": ["-c", "echo 'x'; y"], "cwd": "/w",
                  "env": {"TOKEN": "${SECRET:-none}", "N": "a b"}},
            "b": {"url": "http://h/${HOST}", "headers": {"X-Key": "${SECRET} hunter2"},
                  "bearerTokenEnvVar": "TOK", "enabled": false},
        })
        .as_object()
        .unwrap(),
    )
    .unwrap();
    assert_eq!(
        told(&source.servers[0]),
        [
            r"runs sh -c 'echo '\''x'\''; y'",
            "in /w",
            "with N='a b' TOKEN='${SECRET:-none}'",
            "gets your environment's SECRET"
        ]
    );
    assert_eq!(
        told(&source.servers[1]),
        [
            "contacts http://h/${HOST}",
            "with the headers X-Key",
            "gets your environment's HOST, SECRET, TOK",
            "switched off"
        ]
    );
}
