use std::fs;
use std::path::PathBuf;

use super::*;

struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, name: &str) -> Result<Agent, AgentError> {
        Agent::load(&self.path(name), &|| vec!["deploy".to_owned(), "release".to_owned()])
    }

    /// The message, without the directory.
    fn error(&self, name: &str) -> String {
        let error = self.load(name).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error.replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn text(agent: &Agent) -> String {
    let value = |name: &str| {
        agent.args.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    agent.prompt.render(&value)
}

#[test]
fn the_builtin_agents() {
    let default = Agent::builtin(Builtin::Default).unwrap();
    assert_eq!((default.name.as_str(), default.restricted), ("", false));
    assert_eq!(default.tools.len(), 22);
    let names: Vec<&str> = default.subagents.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["coder", "explore", "plan"]);
    for Subagent { name, agent, .. } in &default.subagents {
        assert_eq!(*name, agent.name);
        assert!(agent.restricted && agent.mcp && agent.when_to_use.is_some(), "{name}");
        assert!(agent.subagents.is_empty() && agent.warnings.is_empty(), "{name}");
        let writes = agent.tools.iter().any(|tool| tool == "WriteFile");
        assert_eq!(writes, name == "coder");
        for never in ["Agent", "AgentSwarm", "AskUserQuestion", "SetTodoList", "TaskStop"] {
            assert!(!agent.tools.iter().any(|tool| tool == never), "{name}: {never}");
        }
    }
    assert!(!default.tools.iter().any(|tool| tool == "Think"));
    let okabe = Agent::builtin(Builtin::Okabe).unwrap();
    assert_eq!((&okabe.prompt, &okabe.args), (&default.prompt, &default.args));
    let more: Vec<_> = okabe.tools.iter().filter(|tool| !default.tools.contains(tool)).collect();
    assert_eq!(more, ["SendDMail"]);
    assert!(default.warnings.is_empty() && okabe.warnings.is_empty());
}

#[test]
fn the_file_of_an_orchestrator() {
    let files = Files::new(&[
        (
            "agent.yaml",
            "version: 1\nagent:\n  extend: default\n  system_prompt_path: ./system.md\n",
        ),
        ("system.md", "\n# You are a reviewer\n\nSee `$HOME` and {x}.\n"),
    ]);
    let agent = files.load("agent.yaml").unwrap();
    assert_eq!(text(&agent), "# You are a reviewer\n\nSee `$HOME` and {x}.");
    assert_eq!(agent.tools, Agent::builtin(Builtin::Default).unwrap().tools);
    assert!(agent.warnings.is_empty(), "{:?}", agent.warnings);
    // Nothing is read again: the files may go.
    drop(files);
    assert!(text(&agent).starts_with("# You"));
}

const BASE: &str = "agent:\n  name: base\n  system_prompt_path: p/s.md\n  system_prompt_args: {A: a, B: b}\n  \
                    model: fast\n  when_to_use: always\n  tools: [Shell, Read, Grep]\n  \
                    subagents:\n    r: {path: ./r.yaml, description: d}\n";

#[test]
fn what_is_not_given_is_inherited() {
    let files = Files::new(&[
        ("base/base.yaml", BASE),
        ("base/p/s.md", "${A} ${B}"),
        ("base/r.yaml", "agent:\n  extend: ./base.yaml\n  name: r\n  exclude_tools: [mcp_call]\n"),
        ("mid.yaml", "agent:\n  extend: base/base.yaml\n  system_prompt_args: {B: c}\n"),
        ("leaf.yaml", "agent:\n  extend: ./mid.yaml\n  name: leaf\n  model: ~\n"),
    ]);
    let leaf = files.load("leaf.yaml").unwrap();
    assert_eq!((leaf.name.as_str(), text(&leaf).as_str()), ("leaf", "a c"));
    assert_eq!(
        (leaf.model.as_deref(), leaf.when_to_use.as_deref()),
        (Some("fast"), Some("always"))
    );
    assert_eq!(leaf.tools, ["Shell", "ReadFile", "Grep"]);
    let [reviewer] = leaf.subagents.as_slice() else { panic!("{:?}", leaf.subagents) };
    assert_eq!((reviewer.name.as_str(), reviewer.description.as_str()), ("r", "d"));
    assert_eq!(reviewer.agent.name, "r");
    // It calls nobody, also where it inherits its caller.
    assert!(reviewer.agent.subagents.is_empty());
    assert!(leaf.mcp && !reviewer.agent.mcp);
    assert!(leaf.warnings.is_empty() && reviewer.agent.warnings.is_empty(), "{:?}", leaf.warnings);
}

#[test]
fn null_is_empty_and_lists_replace() {
    let load = |fields: &str| {
        let child = format!("agent:\n  extend: base.yaml\n{fields}");
        let files = Files::new(&[
            ("base.yaml", BASE),
            ("r.yaml", "agent:\n  extend: ./base.yaml\n"),
            ("p/s.md", "x"),
            ("a.yaml", &child),
        ]);
        files.load("a.yaml").unwrap()
    };
    assert!(load("  tools:\n").tools.is_empty());
    assert!(load("  subagents:\n").subagents.is_empty());
    assert!(load("  subagents:\n").warnings.is_empty());
    assert_eq!(load("  tools: [Write, Write, WriteFile]\n").tools, ["WriteFile"]);
    let allowed = load("  allowed_tools: ['kimi_cli.tools.think:Think', Grep]\n");
    assert_eq!((allowed.tools.join(" ").as_str(), allowed.restricted), ("Think Grep", true));
    let none = load("  allowed_tools: []\n");
    assert!(none.tools.is_empty() && none.restricted);
    let unsaid = load("  allowed_tools:\n");
    assert!(unsaid.tools.len() == 3 && !unsaid.restricted);
    // However either side spells it.
    assert_eq!(load("  exclude_tools: [Bash, 'kimi_cli.tools.file:ReadFile']\n").tools, ["Grep"]);
    assert_eq!(load("  exclude_tools:\n").tools.len(), 3);
}

/// The warnings, without the file they are about.
fn told(agent: &Agent) -> Vec<&str> {
    let lines = agent.warnings.iter();
    lines
        .filter_map(|line| Some(line.split_once("yaml: ").or(line.split_once("md: "))?.1))
        .collect()
}

#[test]
fn strange_keys_are_warnings() {
    let files = Files::new(&[(
        "a.yaml",
        "agent:\n  extend: default\n  tool: [Shell]\n  mood: good\n  \
             tools: [Shell, mcp__docs__search, UpdateGoal]\n  exclude_tools: [Shel, WriteFile]\n",
    )]);
    let agent = files.load("a.yaml").unwrap();
    assert_eq!(agent.tools, ["Shell", "UpdateGoal"]);
    let strange =
        ["these keys mean nothing: agent.tool, agent.mood", "there is no tool named `Shel`"];
    assert_eq!(told(&agent), strange);
}

#[test]
fn tools_that_there_are_not_are_an_error_in_yaml() {
    let files = Files::new(&[
        ("one.yaml", "agent:\n  extend: default\n  tools: [Shell, Shel]\n"),
        (
            "all.yaml",
            "agent:\n  extend: default\n  allowed_tools: ['my.tools:Shell', Grep, '', \
             'kimi_cli.tools.file:Read_File', Reed]\n",
        ),
        ("child.yaml", "agent:\n  extend: ./one.yaml\n"),
        ("other.yaml", "agent:\n  extend: ./one.yaml\n  tools: [Shell]\n"),
        (
            "caller.yaml",
            "agent:\n  extend: default\n  subagents:\n    r: {path: one.yaml, description: d}\n",
        ),
    ]);
    let one =
        "Agent file one.yaml: there is no tool named `Shel`. Correct the name, or take it out.";
    assert_eq!(files.error("one.yaml"), one);
    assert_eq!(files.error("child.yaml"), one);
    assert_eq!(files.error("caller.yaml"), format!("{one} It is the subagent `r`."));
    assert_eq!(
        files.error("all.yaml"),
        "Agent file all.yaml: there is no tool named `my.tools:Shell`, ``, \
         `kimi_cli.tools.file:Read_File`, `Reed`. Correct the names, or take them out."
    );
    // A list that is not used says nothing.
    assert_eq!(files.load("other.yaml").unwrap().tools, ["Shell"]);
}

#[test]
fn a_list_in_markdown_is_whole_also_of_the_tools_of_plugins() {
    let files = Files::new(&[
        ("listed.md", "---\ntools: Read, deploy, WebBrowser\n---\nx\n"),
        ("allowed.md", "---\nallowed_tools: [Read]\n---\nx\n"),
        ("free.md", "---\ntools: '*'\ndisallowed-tools: deploy\n---\nx\n"),
        ("child.md", "---\nextend: ./listed.md\n---\nx\n"),
        ("any.yaml", "agent:\n  extend: default\n  tools: [ReadFile, deploy]\n"),
        ("less.yaml", "agent:\n  extend: default\n  tools: []\n  exclude_tools: [release]\n"),
    ]);
    for (file, has) in [
        ("listed.md", [true, false]),
        ("allowed.md", [false, false]),
        ("free.md", [false, true]),
        ("child.md", [true, false]),
        ("any.yaml", [true, true]),
        ("less.yaml", [true, false]),
    ] {
        let plugins = files.load(file).unwrap().plugins;
        assert_eq!([plugins.has("deploy"), plugins.has("release")], has, "{file}");
    }
    let listed = files.load("listed.md").unwrap();
    assert_eq!(
        (listed.tools, listed.plugins.listed),
        (vec!["ReadFile".into()], vec!["deploy".into()])
    );
    assert_eq!(told(&files.load("listed.md").unwrap()), ["there is no tool named `WebBrowser`"]);
}

#[test]
fn circles_are_noticed() {
    let files = Files::new(&[
        ("a.yaml", "agent: {extend: d/b.yaml}\n"),
        ("d/b.yaml", "agent: {extend: ../a.yaml}\n"),
        ("self.yaml", "agent: {extend: ./self.yaml}\n"),
    ]);
    assert_eq!(
        files.error("self.yaml"),
        "Agent file self.yaml: `extend` leads in a circle, back to self.yaml. Take it out of one of \
         the files."
    );
    assert!(files.error("a.yaml").starts_with("Agent file d/b.yaml: `extend` leads in a circle"));
}

#[test]
fn long_chains_end() {
    let files = Files::new(&[]);
    for n in 0..40 {
        let text = format!("agent: {{extend: {}.yaml}}\n", n + 1);
        fs::write(files.path(&format!("{n}.yaml")), text).unwrap();
    }
    assert!(files.error("0.yaml").contains("more than 32 bases"));
}

#[test]
fn errors_name_the_file_and_what_to_do() {
    let long = "x".repeat((1 << 20) + 1);
    let files = Files::new(&[
        ("dir/x", ""),
        ("empty.yaml", ""),
        ("long.yaml", &long),
        ("torn.yaml", "version: 1\nagent:\n  name: [\n"),
        ("v2.yaml", "version: 2\nagent: {}\n"),
        ("nameless.yaml", "agent: {system_prompt_path: s.md, tools: []}\n"),
        ("promptless.yaml", "agent: {name: a, tools: []}\n"),
        ("toolless.yaml", "agent: {name: a, system_prompt_path: s.md}\n"),
        ("orphan.yaml", "agent: {extend: nowhere.yaml}\n"),
        ("lost.yaml", "agent: {extend: default, system_prompt_path: sub/s.md}\n"),
        ("folder.yaml", "agent: {extend: default, system_prompt_path: dir}\n"),
        ("undefined.yaml", "agent: {extend: default, system_prompt_path: home.md}\n"),
        ("binary.yaml", "agent: {extend: default, system_prompt_path: bytes.md}\n"),
        ("s.md", "x"),
        ("home.md", "a\n${HOME}\n"),
    ]);
    fs::write(files.path("bytes.md"), b"a\nb\xff").unwrap();
    fs::write(files.path("latin.yaml"), b"agent:\n  name: \xe9\n").unwrap();
    for (name, told) in [
        ("none.yaml", "Agent file none.yaml: there is no such file."),
        ("dir", "Agent file dir: it is a directory, a file is needed."),
        ("empty.yaml", "Agent file empty.yaml: it is empty. It needs a table `agent:`."),
        ("long.yaml", "Agent file long.yaml: it is longer than 1024 KiB."),
        ("latin.yaml", "Agent file latin.yaml: line 2 is not UTF-8. Save the file as UTF-8."),
        ("v2.yaml", "Agent file v2.yaml: version 2 is not supported. Write `version: 1`."),
        (
            "nameless.yaml",
            "Agent file nameless.yaml: agent.name is missing. Add it, or `extend: default`.",
        ),
        (
            "promptless.yaml",
            "Agent file promptless.yaml: agent.system_prompt_path is missing. Add it, or `extend: \
             default`.",
        ),
        (
            "toolless.yaml",
            "Agent file toolless.yaml: agent.tools is missing. Add it, or `extend: default`.",
        ),
        (
            "orphan.yaml",
            "Agent file nowhere.yaml: there is no such file. It is what orphan.yaml extends.",
        ),
        ("lost.yaml", "System prompt sub/s.md: there is no such file."),
        ("folder.yaml", "System prompt dir: it is a directory, a file is needed."),
        ("binary.yaml", "System prompt bytes.md: line 2 is not UTF-8. Save the file as UTF-8."),
        (
            "undefined.yaml",
            "System prompt home.md: line 2: the variable `HOME` has no value. Give it one in \
             `system_prompt_args`, or write {% raw %}...{% endraw %} around text that is no variable.",
        ),
    ] {
        assert_eq!(files.error(name), told);
    }
    let torn = files.error("torn.yaml");
    assert!(torn.starts_with("Agent file torn.yaml: it is not the YAML of an agent: "), "{torn}");
    assert!(torn.contains(" at line "), "{torn}");
}

#[test]
fn what_every_prompt_may_name() {
    let all: String = VARIABLES.iter().map(|name| format!("${{{name}}}\n")).collect();
    let files = Files::new(&[
        ("a.yaml", "agent: {extend: default, system_prompt_path: s.md}\n"),
        ("s.md", &(all + "${ROLE_ADDITIONAL}")),
    ]);
    assert!(files.load("a.yaml").is_ok());
}

#[test]
fn a_file_in_markdown_is_its_head_and_its_prompt() {
    let files = Files::new(&[
        (
            "reviewer.md",
            "\u{feff}---\nname: rev\ndescription: Reviews diffs.\ntools: Read, Grep, Bash\nmodel: inherit\n\
             color: red\n---\n\n# You review\n\nIn ${ROLE_ADDITIONAL}`${HOME}` {% if x %} {{y}} ${\n",
        ),
        ("plain.md", "You are terse.\n"),
        ("less.markdown", "---\ndisallowedTools: [Bash, Write]\n---\n"),
        ("all.md", "---\ntools: '*'\nwhen_to_use: always\ndescription: d\n---\nX"),
        ("child.yaml", "agent:\n  extend: reviewer.md\n  exclude_tools: [Shell]\n"),
        ("over.md", "---\nextend: child.yaml\nname: over\n---\n"),
    ]);
    let agent = files.load("reviewer.md").unwrap();
    assert_eq!(agent.name, "rev");
    assert_eq!(text(&agent), "# You review\n\nIn `${HOME}` {% if x %} {{y}} ${");
    assert_eq!(agent.tools, ["ReadFile", "Grep", "Shell"]);
    assert_eq!((agent.model, agent.when_to_use.as_deref()), (None, Some("Reviews diffs.")));
    assert!(
        agent.warnings.len() == 1 && agent.warnings[0].contains("color"),
        "{:?}",
        agent.warnings
    );

    let default = Agent::builtin(Builtin::Default).unwrap();
    let plain = files.load("plain.md").unwrap();
    assert_eq!((plain.name.as_str(), text(&plain).as_str()), ("plain", "You are terse."));
    assert_eq!(plain.tools, default.tools);
    let less = files.load("less.markdown").unwrap();
    assert_eq!(less.prompt, default.prompt, "no words of its own");
    assert_eq!(less.tools.len(), default.tools.len() - 2);
    let all = files.load("all.md").unwrap();
    assert_eq!((all.tools, all.when_to_use.as_deref()), (default.tools, Some("always")));

    let over = files.load("over.md").unwrap();
    assert_eq!((over.name.as_str(), text(&over).starts_with("# You review")), ("over", true));
    assert_eq!(over.tools, ["ReadFile", "Grep"]);
}

#[test]
fn what_is_in_a_file_decides_what_it_is() {
    let files = Files::new(&[
        ("yaml.yaml", "---\nversion: 1\nagent: {extend: default, name: y}\n---\n"),
        ("prompt.txt", "---\nname: m\n---\nBe brief."),
        ("agent", "agent: {extend: default, name: bare}\n"),
    ]);
    assert_eq!(files.load("yaml.yaml").unwrap().name, "y");
    assert_eq!(text(&files.load("prompt.txt").unwrap()), "Be brief.");
    assert_eq!(files.load("agent").unwrap().name, "bare");
}

#[test]
fn what_is_wrong_with_a_file_in_markdown() {
    let files = Files::new(&[
        ("open.md", "---\nname: x\n\nYou are x.\n"),
        ("yaml.md", "---\nname: [x\n---\nYou are x.\n"),
        ("list.md", "---\n- x\n---\nYou are x.\n"),
        ("name.md", "---\nname: {a: b}\n---\nx"),
        ("tools.md", "---\ntools: {a: b}\n---\nx"),
        ("tool.md", "---\ntools: [1, Read]\n---\nx"),
        ("base.md", "---\nextend: nope.md\n---\nx"),
        ("circle.md", "---\nextend: circle.md\n---\nx"),
    ]);
    for (file, part) in [
        ("open.md", "front matter has no end"),
        ("yaml.md", "line "),
        ("list.md", "a list instead of a table"),
        ("name.md", "name: expected text"),
        ("tools.md", "tools: expected names of tools, got a table"),
        ("tool.md", "tools: expected names of tools, got a number"),
        ("base.md", "there is no such file. It is what"),
        ("circle.md", "leads in a circle"),
    ] {
        let error = files.error(file);
        assert!(error.contains(part), "{file}: {error}");
    }
}
