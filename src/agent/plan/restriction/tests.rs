use futures_util::poll;
use serde_json::json;

use super::*;
use crate::platform::env::fixed;
use crate::tools::Registry;

struct Place {
    dir: tempfile::TempDir,
    workspace: Arc<Workspace>,
    runtime: tokio::runtime::Runtime,
}

/// A work directory with a repository, a copy of another one and an unpacked bare one in it.
fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().canonicalize().unwrap().join("work");
    for made in [".git", "src/deep", "vendored/.git", "bare/objects", "bare/hooks"] {
        std::fs::create_dir_all(work.join(made)).unwrap();
    }
    std::fs::write(work.join("bare/HEAD"), "ref: refs/heads/main\n").unwrap();
    std::fs::create_dir(dir.path().join("outside")).unwrap();
    std::os::unix::fs::symlink("../src/deep", work.join("vendored/link")).unwrap();
    std::os::unix::fs::symlink("../outside", work.join("away")).unwrap();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().max_blocking_threads(1).build().unwrap();
    Place { workspace: Arc::new(Workspace::new(work, Vec::new())), dir, runtime }
}

impl Place {
    fn finding(&self, tool: &dyn Tool, call: &Call, arguments: &Value, env: &Env) -> Finding {
        let never = CancellationToken::new();
        let found = finding(tool, call, arguments, &self.workspace, env, &never);
        self.runtime.block_on(found).unwrap()
    }
}

fn effect(place: &Place, vars: &[(&str, &str)], tool: &str, arguments: Value) -> Effect {
    let env = fixed::env(place.dir.path(), vars);
    let call = Call::of(tool, &arguments, &place.workspace, &env.home);
    let known = Registry::all(&crate::tools::WebServices::default());
    // What a tool that is not there would do is judged by its name.
    let tool = known.get(tool).or_else(|| known.get("Think")).unwrap();
    place.finding(&*tool, &call, &arguments, &env).effect
}

fn of(place: &Place, command: &str) -> Effect {
    effect(place, &[], "Shell", json!({"command": command}))
}

#[test]
fn git_is_only_trusted_at_home() {
    let place = place();
    let work = place.workspace.work_dir.display().to_string();
    for command in [
        "git status".to_owned(),
        "cd src && git status".to_owned(),
        "cd ./src/deep; ls".to_owned(),
        "cd src/../src && ls".to_owned(),
        format!("cd {work} && git log"),
        format!("cd {work}/src && git log && cd {work} && git status"),
        "(cd src && git log)".to_owned(),
        "pushd src && ls".to_owned(),
        "git -C . log".to_owned(),
        "git -C src -C deep status".to_owned(),
        format!("git -C {work} status"),
        format!("git -C {work}/src -C deep log"),
        format!("cd src && git -C {work} diff"),
        "find . -execdir cat {} \\;".to_owned(),
        "find . -execdir ls {} + ; git status".to_owned(),
        "find . -exec git log \\;".to_owned(),
        "cd vendored/../src && git status".to_owned(),
    ] {
        assert_eq!(of(&place, &command), Effect::ReadOnly, "{command}");
    }
    for command in [
        "cd .. && git status",
        "cd /tmp && git status",
        "cd; git status",
        "cd - ; git status",
        "cd ~ ; git status",
        "cd $X && git status",
        "cd -P src && git status",
        "git -C vendored status",
        "git -C src -C ../vendored status",
        "git -C away log",
        "cd src && git -C deep log",
        "git -C bare log",
        "cd away && git status",
        "cd vendored/link/.. && git status",
        "git -C /tmp status",
        "git -C ~ status",
        "git -C \"$PWD\" status",
        "git -C .. status",
        "cd src && git -C .. status",
        "git --git-dir=.git log",
        "git log --submodule=diff",
        "git diff \"--submodule=$x\"",
        "cd vendored && git status",
        "cd bare/hooks && git status",
        "cd src && cd deep && git status",
        "cd src && cd .. && cd .. && git status",
        "for d in a b; do cd ..; done; git status",
        "popd; git status",
        "bash -c 'cd /tmp; git status'",
        "env cd /tmp",
    ] {
        assert_ne!(of(&place, command), Effect::ReadOnly, "{command}");
    }
    let found_elsewhere =
        |command: &str| effect(&place, &[("CDPATH", "/tmp")], "Shell", json!({"command": command}));
    assert_ne!(found_elsewhere("cd src && git status"), Effect::ReadOnly);
    assert_eq!(found_elsewhere("cd ./src && git status"), Effect::ReadOnly);
}

/// `-execdir` runs a program wherever something is found.
#[test]
fn what_depends_on_its_place_does_not_go_around() {
    let place = place();
    for program in
        ["rustc -V", "cargo --version", "/usr/bin/rustc -V", "yarn -V", "git status", "git log {}"]
    {
        for command in [
            format!("find sub -maxdepth 1 -name Cargo.toml -execdir {program} \\;"),
            format!("/usr/bin/find sub -execdir {program} ';'"),
            format!("timeout 5 find . -execdir {program} {{}} +"),
            format!("sh -c 'find . -execdir {program} \\;'"),
            format!("find . -execdir timeout 5 {program} \\;"),
            format!("find . -execdir sh -c 'cd ./src; {program}' \\;"),
            format!("find . -execdir find . -exec {program} \\; \\;"),
            format!("find . -okdir {program} \\;"),
            format!("fd -x {program}"),
            format!("fd -C sub -x {program}"),
            format!("fd --base-directory sub -x {program}"),
            format!("env -C sub {program}"),
            format!("env --chdir=sub {program}"),
            format!("sudo -D sub {program}"),
            format!("parallel --wd sub {program} ::: a"),
        ] {
            assert_ne!(of(&place, &command), Effect::ReadOnly, "{command}");
        }
    }
    // What comes behind it is where it was.
    assert_eq!(of(&place, "find . -execdir ls \\; ; rustc -V"), Effect::ReadOnly);
    for command in
        ["make -C sub --version", "cargo tree --locked -C sub", "cargo -C sub tree --locked"]
    {
        assert_ne!(of(&place, command), Effect::ReadOnly, "{command}");
    }
}

/// A tool that says itself what plan mode lets through.
struct Sender;

#[async_trait::async_trait]
impl Tool for Sender {
    fn name(&self) -> &str {
        "Agent"
    }

    fn description(&self) -> &str {
        ""
    }

    fn parameters(&self) -> Value {
        json!({})
    }

    fn effect(&self, _: &Value) -> crate::tools::Effect {
        crate::tools::Effect::Delegate
    }

    fn in_plan_mode(&self, arguments: &Value) -> Option<Result<(), String>> {
        Some(arguments.get("bad").map_or(Ok(()), |_| Err("it is bad".to_owned())))
    }

    async fn call(&self, _: Value, _: &crate::tools::CallContext) -> crate::tools::ToolReturn {
        crate::protocol::ToolReturnValue::ok("", "").into()
    }
}

#[test]
fn the_settings_of_the_repository_may_name_programs() {
    let place = place();
    let config = place.workspace.work_dir.join(".git/config");
    std::fs::write(&config, "[core]\n\tbare = false\n").unwrap();
    assert_eq!(of(&place, "git status && git diff"), Effect::ReadOnly);
    for setting in ["[core]\nfsmonitor = touch x", "[diff \"ev\"]\ntextconv = touch x; cat"] {
        std::fs::write(&config, setting).unwrap();
        for command in
            ["git diff", "git status", "ls; git log -p", "git blame a", "cd src && git diff"]
        {
            assert_eq!(of(&place, command), Effect::Unknown, "{setting} {command}");
        }
        assert_eq!(of(&place, "git show-ref; git version; ls"), Effect::ReadOnly, "{setting}");
    }
    // Objects that are not there are fetched, and signatures are looked at, by programs.
    for setting in [
        "[extensions]\npartialClone = o\n[remote \"o\"]\npromisor = true\nuploadpack = touch x",
        "[gpg]\nprogram = touch x",
    ] {
        std::fs::write(&config, setting).unwrap();
        for command in [
            "git cat-file -p 1234567890123456789012345678901234567890",
            "git rev-parse 'abcd^{tree}'",
            "git for-each-ref --format='%(signature)'",
            "git branch --format='%(signature)'",
            "git branch --contains abcd",
            "git merge-base a b",
            "git ls-tree a",
        ] {
            assert_eq!(of(&place, command), Effect::Unknown, "{setting} {command}");
        }
    }
}

#[test]
fn a_tool_that_knows_better_is_asked() {
    let place = place();
    let env = fixed::env(place.dir.path(), &[]);
    let found = |arguments: Value| {
        let call = Call::of("Agent", &arguments, &place.workspace, &env.home);
        place.finding(&Sender, &call, &arguments, &env)
    };
    assert_eq!(found(json!({})).effect, Effect::ReadOnly);
    let refused = found(json!({"bad": true}));
    assert_eq!((refused.effect, refused.reason.as_str()), (Effect::Unknown, "it is bad"));
    assert_ne!(effect(&place, &[], "Agent", json!({})), Effect::ReadOnly, "by its name alone");
}

#[test]
fn other_tools_go_by_their_names() {
    let place = place();
    let of = |tool: &str| effect(&place, &[], tool, json!({"path": "a", "questions": []}));
    for tool in ["ReadFile", "AskUserQuestion", "SetTodoList", "ExitPlanMode"] {
        assert_eq!(of(tool), Effect::ReadOnly, "{tool}");
    }
    for tool in ["WriteFile", "StrReplaceFile", "TaskStop", "mcp_call", "mcp__a__b", "plugin"] {
        assert_ne!(of(tool), Effect::ReadOnly, "{tool}");
    }
}

#[test]
fn a_toolchain_is_looked_for_wherever_a_command_may_run() {
    let place = place();
    let work = place.workspace.work_dir.clone();
    let root = work.display();
    std::fs::create_dir_all(work.join("sub/.cargo")).unwrap();
    std::fs::create_dir_all(work.join("sub/deep")).unwrap();
    let files = [
        ("sub/rust-toolchain.toml", "[toolchain]\npath = \"/tmp/tc\"\n", "cargo --version"),
        ("sub/.cargo/config.toml", "[build]\nrustc = \"./x\"\n", "cargo -V"),
        ("sub/.yarnrc.yml", "yarnPath: ./x.cjs\n", "yarn --version"),
    ];
    for (file, text, command) in files {
        let ways = [
            format!("cd sub && {command}"),
            format!("cd sub/deep; ls; {command}"),
            format!("cd {root}/src; cd {root}/sub/deep; {command}"),
            format!("bash -c 'cd sub; {command}'"),
            format!("pushd sub && {command}"),
        ];
        for way in &ways {
            assert_eq!(of(&place, way), Effect::ReadOnly, "{way} without {file}");
        }
        std::fs::write(work.join(file), text).unwrap();
        for way in &ways {
            assert_eq!(of(&place, way), Effect::Unknown, "{way} with {file}");
        }
        assert_eq!(of(&place, command), Effect::ReadOnly, "{command}");
        assert_eq!(of(&place, &format!("cd src && {command}")), Effect::ReadOnly, "{command}");
        std::fs::remove_file(work.join(file)).unwrap();
    }
}

/// A directory that was added has a repository of its own.
#[test]
fn settings_are_looked_for_in_every_root_of_the_workspace() {
    let place = place();
    let other = place.dir.path().canonicalize().unwrap().join("other");
    std::fs::create_dir_all(other.join(".git")).unwrap();
    place.workspace.add(&other);
    let ways = [
        format!("cd {} && git status", other.display()),
        format!("git log; cd {} && git diff", other.display()),
        format!("git -C {} log", other.display()),
        format!("cd src; git -C {} diff", other.display()),
    ];
    for way in &ways {
        assert_eq!(of(&place, way), Effect::ReadOnly, "{way}");
    }
    std::fs::write(other.join(".git/config"), "[core]\nfsmonitor = touch x\n").unwrap();
    for way in &ways {
        assert_eq!(of(&place, way), Effect::Unknown, "{way}");
    }
    assert_eq!(of(&place, "git status"), Effect::ReadOnly);
}

/// A directory may be on a disk that does not answer.
#[test]
fn nobody_waits_while_the_files_are_read_that_tell_what_a_command_starts() {
    let place = place();
    let env = fixed::env(place.dir.path(), &[]);
    let (free, taken) = std::sync::mpsc::channel::<()>();
    place.runtime.spawn_blocking(move || taken.recv());
    let known = Registry::all(&crate::tools::WebServices::default());
    let shell = known.get("Shell").unwrap();
    let arguments = json!({"command": "git status"});
    let call = Call::of("Shell", &arguments, &place.workspace, &env.home);
    let (cancel, never) = (CancellationToken::new(), CancellationToken::new());
    let of = |cancel| finding(&*shell, &call, &arguments, &place.workspace, &env, cancel);
    place.runtime.block_on(async {
        let mut given_up = std::pin::pin!(of(&cancel));
        let mut waited_for = std::pin::pin!(of(&never));
        assert!(poll!(&mut given_up).is_pending() && poll!(&mut waited_for).is_pending());
        cancel.cancel();
        assert_eq!(given_up.await, None);
        assert!(poll!(&mut waited_for).is_pending());
        free.send(()).unwrap();
        assert_eq!(waited_for.await.map(|found| found.effect), Some(Effect::ReadOnly));
    });
}

/// It is judged by where it really is, as git does.
#[test]
fn settings_around_a_work_directory_behind_a_link_are_found() {
    let mut place = place();
    let work = place.workspace.work_dir.clone();
    let link = place.dir.path().join("link");
    std::os::unix::fs::symlink(work.join("src/deep"), &link).unwrap();
    place.workspace = Arc::new(Workspace::new(link, Vec::new()));
    assert_eq!(of(&place, "git status"), Effect::ReadOnly);
    std::fs::write(work.join(".git/config"), "[core]\nfsmonitor = touch x\n").unwrap();
    assert_eq!(of(&place, "git status"), Effect::Unknown);
}
