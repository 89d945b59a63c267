use std::fs;
use std::path::Path;

use super::*;
use crate::platform::env::fixed;

/// A home directory and a project below one directory.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(world.path("p/.git")).unwrap();
        fs::create_dir_all(world.path("p/deep")).unwrap();
        for (path, text) in files {
            world.write(path, text);
        }
        world
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn places(&self) -> Places {
        let env = fixed::env(self.path("home"), &[]);
        Places::new(&env, &self.path("share"), &self.path("p/deep"), &[], &[], true)
    }

    /// Name, scope and file of each that is not built in.
    fn found(&self, places: &Places) -> Vec<String> {
        let skills = places.skills();
        let own = skills.list.iter().filter(|skill| skill.scope != Scope::Builtin);
        own.map(|skill| format!("{} {:?} {}", skill.name, skill.scope, self.short(&skill.path)))
            .collect()
    }

    fn problems(&self) -> Vec<String> {
        let problems = self.places().skills().problems;
        problems.iter().map(|problem| problem.to_string().replace(&self.root(), "")).collect()
    }

    fn short(&self, path: &Path) -> String {
        path.display().to_string().replace(&self.root(), "")
    }

    fn root(&self) -> String {
        format!("{}/", self.dir.path().display())
    }
}

const ALL: [(&str, &str); 8] = [
    ("p/.kimi/skills/a/SKILL.md", "one"),
    ("p/.claude/skills/b/SKILL.md", "two"),
    ("p/.agents/skills/c.md", "three"),
    ("home/.kimi/skills/a.md", "hidden by the project's"),
    ("home/.codex/skills/d/SKILL.md", "four"),
    ("home/.config/agents/skills/e/SKILL.md", "five"),
    ("home/.agents/skills/f/SKILL.md", "only without the one before"),
    ("share/plugins/g/SKILL.md", "six"),
];

#[test]
fn roots_have_an_order() {
    let world = World::new(&ALL);
    assert_eq!(
        world.found(&world.places()),
        [
            "a Project p/.kimi/skills/a/SKILL.md",
            "b Project p/.claude/skills/b/SKILL.md",
            "c Project p/.agents/skills/c.md",
            "d User home/.codex/skills/d/SKILL.md",
            "e User home/.config/agents/skills/e/SKILL.md",
            "g Extra share/plugins/g/SKILL.md",
        ]
    );
    let first = Places { merge_brands: false, ..world.places() };
    let names: Vec<String> =
        world.found(&first).iter().map(|found| found[..1].to_owned()).collect();
    assert_eq!(names, ["a", "c", "e", "g"]);
}

#[test]
fn directories_of_the_command_line_replace_and_those_of_the_configuration_add() {
    let world = World::new(&ALL);
    world.write("given/x/SKILL.md", "x");
    world.write("p/more/y.md", "y");
    world.write("home/own/z.md", "z");
    let places = Places {
        given: vec![world.path("given"), world.path("p/.kimi/skills")],
        extra: vec!["more".into(), "~/own".into(), "nowhere".into(), "more/../more".into()],
        ..world.places()
    };
    assert_eq!(
        world.found(&places),
        [
            "a Extra p/.kimi/skills/a/SKILL.md",
            "g Extra share/plugins/g/SKILL.md",
            "x Extra given/x/SKILL.md",
            "y Extra p/more/y.md",
            "z Extra home/own/z.md",
        ]
    );
}

#[test]
fn front_matter_names_and_describes() {
    let long = "x".repeat(300);
    let world = World::new(&[
        (
            "p/.kimi/skills/a/SKILL.md",
            "---\nname: Big  Name\ndescription: |\n  two\n  lines\n---\nbody",
        ),
        ("p/.kimi/skills/b.md", "\n\n# A heading\nmore"),
        ("p/.kimi/skills/c.md", &format!("---\nlicense: MIT\nmetadata: {{x: 1}}\n---\n\n{long}")),
        ("p/.kimi/skills/d.md", "---\nname: not closed"),
        ("p/.kimi/skills/e.md", "\u{feff}---\r\nname: 7\r\ndescription:\r\n---\r\n"),
        ("p/.kimi/skills/SKILL.md", "not a skill"),
        ("p/.kimi/skills/.hidden.md", "not one either"),
        ("p/.kimi/skills/f/README.md", "nor this"),
    ]);
    let skills = world.places().skills();
    let told: Vec<String> = skills
        .list
        .iter()
        .filter(|skill| skill.scope == Scope::Project)
        .map(|skill| format!("{}={}", skill.name, skill.description))
        .collect();
    let cut = format!("c={}…", "x".repeat(239));
    assert_eq!(
        told,
        ["7=(no description)", "b=# A heading", "Big Name=two lines", cut.as_str(), "d=---"]
    );
    assert!(skills.problems.is_empty(), "{:?}", skills.problems);
    assert!(skills.find("big-name").is_some(), "the name is mapped");
}

#[test]
fn what_cannot_be_used_is_told() {
    let huge = "x".repeat(300 * 1024);
    let world = World::new(&[
        ("p/.kimi/skills/a/SKILL.md", "---\nname: [\n---\n"),
        ("p/.kimi/skills/b.md", "---\n- a list\n---\n"),
        ("p/.kimi/skills/c.md", "---\ntype: dance\n---\n"),
        ("p/.kimi/skills/d.md", &huge),
        ("p/.kimi/skills/e/SKILL.md", "first"),
        ("p/.kimi/skills/e.md", "second"),
        ("p/.kimi/skills/f/SKILL.md/x", "a directory"),
        ("p/.kimi/skills/g.md", "---\ndescription: {a: b}\n---\n"),
    ]);
    fs::write(world.path("p/.kimi/skills/h.md"), b"\xff\xfe").unwrap();
    let problems = world.problems();
    for (path, told) in [
        ("a/SKILL.md", "at line 3"),
        ("b.md", "its front matter is a list instead of a table"),
        ("c.md", "its type is \"dance\" instead of standard or flow"),
        ("d.md", "it cannot be read: it is too large"),
        ("e.md", "it has the same name as "),
        ("f/SKILL.md", "it cannot be read: "),
        ("g.md", "its description is a table instead of text"),
        ("h.md", "it is not UTF-8 text"),
    ] {
        let start = format!("p/.kimi/skills/{path}: ");
        let of_file: Vec<_> = problems.iter().filter(|told| told.starts_with(&start)).collect();
        assert!(of_file.len() == 1 && of_file[0].contains(told), "{path}: {problems:#?}");
    }
    assert_eq!(problems.len(), 8, "{problems:#?}");
    assert_eq!(world.found(&world.places()), ["e Project p/.kimi/skills/e/SKILL.md"]);
}

#[cfg(unix)]
#[test]
fn links_lead_no_further_than_a_skill() {
    use std::os::unix::fs::symlink;
    let world = World::new(&[("elsewhere/SKILL.md", "linked"), ("p/.kimi/skills/a.md", "a")]);
    symlink(world.path("elsewhere"), world.path("p/.kimi/skills/b")).unwrap();
    symlink(world.path("p/.kimi/skills"), world.path("p/.kimi/skills/loop")).unwrap();
    symlink("self", world.path("p/.kimi/skills/self")).unwrap();
    symlink("self.md", world.path("p/.kimi/skills/self.md")).unwrap();
    symlink(world.path("gone"), world.path("p/.kimi/skills/gone.md")).unwrap();
    fs::create_dir_all(world.path("home")).unwrap();
    symlink(world.path("p/.kimi"), world.path("home/.kimi")).unwrap();
    assert_eq!(
        world.found(&world.places()),
        ["a Project p/.kimi/skills/a.md", "b Project p/.kimi/skills/b/SKILL.md"]
    );
    assert_eq!(world.problems().len(), 2, "{:?}", world.problems());
}

#[test]
fn flows_are_read_and_degrade_aloud() {
    let good =
        "---\ntype: flow\n---\n```mermaid\nflowchart TD\nA[BEGIN] --> B[Do it] --> C[END]\n```\n";
    let bad = "---\ntype: flow\n---\n```d2\na <- b\n```\n";
    let world = World::new(&[
        ("p/.kimi/skills/good.md", good),
        ("p/.kimi/skills/bad.md", bad),
        ("p/.kimi/skills/none.md", "---\ntype: flow\n---\nno chart"),
    ]);
    let skills = world.places().skills();
    assert_eq!(skills.find("good").unwrap().flow.as_ref().unwrap().steps(), 1);
    assert!(skills.find("bad").unwrap().flow.is_none() && skills.find("none").is_some());
    let problems = world.problems();
    assert!(problems.iter().any(|told| told.contains("bad.md") && told.contains("line 5:")));
    assert!(problems.iter().any(|told| told.contains("none.md")) && problems.len() == 2);
}

#[test]
fn every_skill_has_a_command_of_its_own() {
    let names = ["a b", "a-b", "a.b", "漢字", "字", "A B", "x:y/z"];
    let files: Vec<(String, String)> = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            (format!("p/.kimi/skills/{n}.md"), format!("---\nname: \"{name}\"\n---\n"))
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let skills = World::new(&files).places().skills();
    let of = |name: &str| {
        skills.list.iter().find(|skill| skill.name == name).map(|skill| skill.command.as_str())
    };
    assert_eq!(of("a-b"), Some("a-b"));
    assert_eq!((of("a b"), of("a.b")), (Some("a-b-2"), Some("a-b-3")));
    assert_eq!(of("A B"), None, "the same name in another case comes second");
    assert_eq!((of("字"), of("漢字")), (Some("skill"), Some("skill-2")));
    assert_eq!(of("x:y/z"), Some("x-y-z"));
}

#[test]
fn the_prompt_lists_by_scope() {
    let world = World::new(&[
        ("p/.kimi/skills/b.md", "---\ndescription: \"two\\nlines\"\n---\n"),
        ("p/.kimi/skills/a.md", "one"),
        ("home/.kimi/skills/u.md", "user's"),
    ]);
    let prompt = world.places().skills().prompt().replace(&world.root(), "/");
    let (own, builtin) = prompt.split_once("\n\n### Built-in\n").unwrap();
    assert_eq!(
        own,
        "### Project\n- a\n  - Path: /p/.kimi/skills/a.md\n  - Description: one\n\
         - b\n  - Path: /p/.kimi/skills/b.md\n  - Description: two lines\n\n\
         ### User\n- u\n  - Path: /home/.kimi/skills/u.md\n  - Description: user's"
    );
    assert!(builtin.starts_with("- kimi-cli-help\n") && builtin.contains("- skill-creator\n"));
    assert_eq!(Skills::default().prompt(), "No skills were found.");
}

#[test]
fn builtin_skills_are_files_and_good_ones() {
    let world = World::new(&[]);
    let skills = world.places().skills();
    assert!(skills.problems.is_empty());
    let creator = skills.find("skill-creator").unwrap();
    fs::write(&creator.path, "an older text").unwrap();
    assert!(world.places().skills().find("skill-creator").unwrap().text().unwrap().len() > 1000);
    assert!(skills.list.iter().all(|skill| skill.description.len() > 60));
    // A file where the directory should be leaves them out, and says so.
    let blocked = World::new(&[("share/builtin_skills", "x")]);
    assert_eq!(blocked.problems().len(), 2);
}
