//! Attempts to change something in plan mode, with everything approved: none changes the disk.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use kimi_tui::agent::Modes;
use kimi_tui::protocol::{Op, ToolReturnValue};
use serde_json::{Value, json};

use super::bench::{Bench, Live, calls, text};

/// Every file below a directory with its content, links told as what they say.
fn snapshot(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let kind = path.symlink_metadata().unwrap();
            if kind.is_symlink() {
                let to = std::fs::read_link(&path).unwrap();
                found.insert(path, format!("-> {}", to.display()));
            } else if kind.is_dir() {
                found.insert(path.clone(), "directory".to_owned());
                left.push(path);
            } else {
                let content = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                found.insert(path, content);
            }
        }
    }
    found
}

/// A session in plan mode where nobody is asked, in a directory with something to lose.
fn careless() -> Bench {
    let mut bench = Bench::new();
    bench.real_tools = true;
    bench.plan = true;
    bench.modes = Modes { yolo: true, ..Modes::default() };
    let work = bench.work_dir();
    std::fs::write(work.join("code.rs"), "fn main() {}\n").unwrap();
    std::fs::write(work.join("Makefile"), "all:\n\ttouch made\n").unwrap();
    std::fs::write(work.join("run.sh"), "touch ran\n").unwrap();
    std::fs::create_dir(work.join("src")).unwrap();
    std::fs::create_dir_all(bench.dir.path().join("outside")).unwrap();
    bench
}

fn plan_file(bench: &Bench, live: &Live) -> PathBuf {
    let state = std::fs::read(live.handle.session().dir.join("state.json")).unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    bench.plans_dir().join(format!("{}.md", state["plan_slug"].as_str().unwrap()))
}

/// Makes all calls, one step each; their results.
async fn attempt(
    bench: &Bench,
    live: &mut Live,
    attempts: &[(&str, Value)],
) -> Vec<ToolReturnValue> {
    for (n, (tool, arguments)) in attempts.iter().enumerate() {
        bench.model.reply(calls(&[(&format!("c{n}"), tool, &arguments.to_string())]));
    }
    bench.model.reply(vec![text("ok")]);
    let heard = live.prompt("go").await;
    let results = heard.results();
    assert_eq!(results.len(), attempts.len(), "{:#?}", heard.lines());
    results.into_iter().map(|(_, value)| value).collect()
}

fn is_restriction(value: &ToolReturnValue) -> bool {
    let display = serde_json::to_value(&value.display).unwrap();
    value.is_error && display[0]["text"] == "Plan mode restriction"
}

#[tokio::test]
async fn no_command_changes_the_disk() {
    let bench = careless();
    let mut live = bench.open();
    let outside = bench.dir.path().join("outside").display().to_string();
    let commands = [
        "echo x > code.rs",
        "echo x >> code.rs",
        "echo x >| code.rs",
        "echo x &> code.rs",
        ": > code.rs",
        "ls | tee code.rs",
        "sed -i s/main/other/ code.rs",
        "sed -n 'w copy' code.rs",
        "sed 's/main/touch x/e' code.rs",
        "awk 'BEGIN{system(\"touch x\")}'",
        "awk '{print > \"copy\"}' code.rs",
        "python3 -c 'open(\"x\",\"w\")'",
        "perl -e 'open(F,\">x\")'",
        "node -e 'require(\"fs\").writeFileSync(\"x\",\"\")'",
        "git init && git commit --allow-empty -m x",
        "git -c core.pager='touch x' log",
        "git -c alias.x='!touch x' x",
        "rm code.rs",
        "mv code.rs other.rs",
        "cp code.rs copy",
        "ln -s code.rs link",
        "touch x",
        "mkdir x",
        "truncate -s 0 code.rs",
        "dd if=/dev/zero of=code.rs count=1",
        "find . -name code.rs -delete",
        "find . -name code.rs -exec rm {} +",
        "ls | xargs touch",
        "sort -o code.rs code.rs",
        "tar cf x.tar code.rs",
        "make",
        "sh run.sh",
        ". ./run.sh",
        "bash -c 'echo x > x'",
        "eval 'touch x'",
        "$(echo touch) x",
        "echo $(touch x)",
        "cat <(touch x)",
        "cat <<E > x\nx\nE",
        "if true; then touch x; fi",
        "f() { touch x; }; f",
        "alias ls='touch x'; ls",
        "PATH=.:$PATH ls",
        "env -S 'touch x'",
        "timeout 5 touch x",
        "nohup touch x &",
        "curl -o x http://127.0.0.1:9/",
        "trap 'touch x' EXIT",
        "cat code.rs; touch x",
        "cat code.rs\ntouch x",
        "cd src; touch ../x",
        "ls # harmless\ntouch x",
        "ls \\\n; touch x",
        "read -r a < code.rs; printf -v b x; echo x >x",
    ];
    let before = snapshot(&bench.work_dir());
    let attempts: Vec<(&str, Value)> =
        commands.iter().map(|command| ("Shell", json!({"command": command}))).collect();
    let results = attempt(&bench, &mut live, &attempts).await;
    for (command, value) in commands.iter().zip(&results) {
        assert!(is_restriction(value), "{command}: {value:?}");
    }
    for leaving in [
        format!("cd {outside} && git status"),
        "cd .. && git status".to_owned(),
        "cd && git status".to_owned(),
        "cd - && git status".to_owned(),
        "cd ~ && git status".to_owned(),
        "cd src && cd .. && cd .. && git status".to_owned(),
        format!("pushd {outside}; git log"),
    ] {
        let value = attempt(&bench, &mut live, &[("Shell", json!({"command": leaving}))]).await;
        assert!(is_restriction(&value[0]), "{leaving}: {value:?}");
    }
    assert_eq!(snapshot(&bench.work_dir()), before);
}

#[tokio::test]
async fn looking_goes_on() {
    let bench = careless();
    let mut live = bench.open();
    let before = snapshot(&bench.work_dir());
    let attempts = [
        ("Shell", json!({"command": "cat code.rs | grep -n main"})),
        ("Shell", json!({"command": "cd src && ls -la .."})),
        ("Shell", json!({"command": "find . -name '*.rs' | xargs wc -l"})),
        ("ReadFile", json!({"path": "code.rs"})),
        ("Grep", json!({"pattern": "main"})),
        ("Glob", json!({"pattern": "*.rs"})),
        ("SetTodoList", json!({"todos": [{"title": "Look", "status": "pending"}]})),
    ];
    for (value, (tool, arguments)) in
        attempt(&bench, &mut live, &attempts).await.iter().zip(&attempts)
    {
        assert!(!value.is_error, "{tool} {arguments}: {value:?}");
    }
    assert_eq!(snapshot(&bench.work_dir()), before);
}

#[tokio::test]
async fn no_task_is_stopped() {
    let bench = careless();
    let mut live = bench.open();
    let stop = ("TaskStop", json!({"task_id": "bash-12345678"}));
    let value = attempt(&bench, &mut live, &[stop]).await.remove(0);
    let display = serde_json::to_value(&value.display).unwrap();
    assert_eq!((value.is_error, &display[0]["text"]), (true, &json!("Blocked in plan mode")));
    assert!(value.message.starts_with("Plan mode is on: "), "{}", value.message);
}

#[tokio::test]
async fn no_other_tool_writes_either() {
    let bench = careless();
    let mut live = bench.open();
    let file = plan_file(&bench, &live);
    let plans = bench.plans_dir();
    std::fs::create_dir_all(&plans).unwrap();
    std::fs::write(plans.join("other.md"), "of somebody else").unwrap();
    let plan_name = file.file_name().unwrap().to_str().unwrap().to_owned();
    let code = bench.work_dir().join("code.rs");
    let write = |path: String| ("WriteFile", json!({"path": path, "content": "x"}));
    let through = |rest: &str| write(format!("{}/{rest}", file.display()));
    let attempts = [
        write("code.rs".into()),
        write("new.rs".into()),
        write("src/../code.rs".into()),
        write(code.display().to_string()),
        ("WriteFile", json!({"path": "code.rs", "content": "x", "mode": "append"})),
        ("StrReplaceFile", json!({"path": "code.rs", "edit": {"old": "main", "new": "x"}})),
        // Paths that look like the plan's.
        write(plan_name.clone()),
        write(plans.join("other.md").display().to_string()),
        write(plans.join("new.md").display().to_string()),
        write(format!("{}.bak", file.display())),
        through("../other.md"),
        through("../../../work/code.rs"),
        write(format!("{}/../plans/../../work/code.rs", plans.display())),
        // Tools there are not, or that are not known to read.
        ("Agent", json!({"prompt": "x", "description": "x", "subagent_type": "coder"})),
        ("TaskStop", json!({"task_id": "x"})),
        ("mcp_call", json!({"name": "x__y"})),
        ("mcp__x__y", json!({})),
    ];
    let before = (snapshot(&bench.work_dir()), snapshot(&plans));
    let results = attempt(&bench, &mut live, &attempts).await;
    for (value, (tool, arguments)) in results.iter().zip(&attempts) {
        assert!(value.is_error, "{tool} {arguments}: {value:?}");
    }
    assert_eq!((snapshot(&bench.work_dir()), snapshot(&plans)), before);
    // The plan itself may be written, by any way its path can be said.
    let written = attempt(
        &bench,
        &mut live,
        &[
            write(file.display().to_string()),
            write(format!("{}/../plans/{plan_name}", plans.display())),
            ("StrReplaceFile", json!({"path": file, "edit": {"old": "x", "new": "Dig"}})),
        ],
    )
    .await;
    assert!(written.iter().all(|value| !value.is_error), "{written:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "Dig");
    assert_eq!(snapshot(&bench.work_dir()), before.0);
}

/// Somebody has put something else where the plan goes.
#[tokio::test]
async fn a_plan_file_that_is_a_link_is_not_written_or_shown() {
    for trick in ["link", "hard link", "directory of plans", "pipe"] {
        let bench = careless();
        let mut live = bench.open();
        let (file, plans) = (plan_file(&bench, &live), bench.plans_dir());
        let code = bench.work_dir().join("code.rs");
        let named = bench.work_dir().join(file.file_name().unwrap());
        match trick {
            "directory of plans" => {
                symlink(bench.work_dir(), &plans).unwrap();
                std::fs::write(&named, "secret").unwrap();
            }
            _ => std::fs::create_dir_all(&plans).unwrap(),
        }
        match trick {
            "link" => symlink(&code, &file).unwrap(),
            "hard link" => std::fs::hard_link(&code, &file).unwrap(),
            "pipe" => {
                let made = std::process::Command::new("mkfifo").arg(&file).status().unwrap();
                assert!(made.success());
            }
            _ => {}
        }
        let before = snapshot(&bench.work_dir());
        let edit = json!({"path": file, "edit": {"old": "main", "new": "x"}});
        let append = json!({"path": file, "content": "x", "mode": "append"});
        let attempts = [
            ("WriteFile", json!({"path": file, "content": "x"})),
            ("WriteFile", append),
            ("StrReplaceFile", edit),
            ("ExitPlanMode", json!({})),
        ];
        for value in attempt(&bench, &mut live, &attempts).await {
            assert!(value.is_error, "{trick}: {value:?}");
        }
        assert_eq!(snapshot(&bench.work_dir()), before, "{trick}");
        assert!(live.handle.info().plan_mode, "{trick}");
    }
}

#[tokio::test]
async fn a_stored_name_that_leads_elsewhere_is_replaced() {
    let bench = careless();
    let live = bench.open();
    let session = live.handle.session().clone();
    live.handle.shutdown(None).await;
    let path = session.dir.join("state.json");
    for slug in ["../../work/code", "/etc/passwd", "", "a/b", "..", "A B"] {
        let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        state["plan_slug"] = json!(slug);
        state["plan_mode"] = json!(true);
        std::fs::write(&path, state.to_string()).unwrap();
        let live = bench.reopen(session.clone());
        let file = plan_file(&bench, &live);
        let name = file.file_name().unwrap().to_str().unwrap();
        assert_eq!(file.parent().unwrap(), bench.plans_dir(), "{slug}");
        assert_eq!(name.split('-').count(), 3, "{slug} {name}");
        live.handle.shutdown(None).await;
    }
}

/// A repository within the repository, which no `.gitmodules` tells of, has settings of its own.
#[tokio::test]
async fn looking_starts_nothing_that_lies_below() {
    let bench = careless();
    let work = bench.work_dir();
    let git = |dir: &Path, words: &[&str]| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
        let mut git = std::process::Command::new("git");
        git.args(who).args(words).current_dir(dir);
        let done = git.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(done.status.success(), "{words:?}: {done:?}");
    };
    git(&work, &["init", "-q", "."]);
    git(&work, &["init", "-q", "src"]);
    git(&work.join("src"), &["commit", "-q", "--allow-empty", "-m", "x"]);
    git(&work, &["add", "src", "code.rs"]);
    let mut live = bench.open();
    let full = format!("git -C {} status", work.display());
    let looking = ["git status", "git diff", &full];
    for command in looking {
        let value = attempt(&bench, &mut live, &[("Shell", json!({"command": command}))]).await;
        assert!(!value[0].is_error, "{command}: {value:?}");
    }
    git(&work.join("src"), &["config", "core.fsmonitor", "touch ../ran; false"]);
    std::fs::write(work.join("src/rust-toolchain.toml"), "[toolchain]\npath = \"x\"\n").unwrap();
    let before = snapshot(&work);
    for command in looking.into_iter().chain(["find src -execdir rustc -V \\;"]) {
        let value = attempt(&bench, &mut live, &[("Shell", json!({"command": command}))]).await;
        assert!(is_restriction(&value[0]), "{command}: {value:?}");
    }
    assert_eq!(snapshot(&work), before);
}

/// A model that enters plan mode in the same step is held to it from then on.
#[tokio::test]
async fn a_call_after_entering_in_the_same_step_is_refused() {
    let mut bench = careless();
    bench.plan = false;
    let mut live = bench.open();
    let shell = json!({"command": "touch x"}).to_string();
    bench.model.reply(calls(&[("a", "EnterPlanMode", "{}"), ("b", "Shell", &shell)]));
    bench.model.reply(vec![text("ok")]);
    let heard = live.prompt("go").await;
    assert!(is_restriction(&heard.results()[1].1), "{:?}", heard.results());
    assert!(!bench.work_dir().join("x").exists());
}

/// A command waits for approval when plan mode is switched on: approving it is too late.
#[tokio::test]
async fn what_waits_for_approval_is_held_to_it_too() {
    let mut bench = careless();
    (bench.plan, bench.modes) = (false, Modes::default());
    let mut live = bench.open();
    let shell = json!({"command": "touch x"}).to_string();
    bench.model.reply(calls(&[("a", "Shell", &shell)]));
    bench.model.reply(vec![text("ok")]);
    live.send("go");
    let (_, request) = live.asked().await;
    live.handle.submit(Op::SetPlanMode { enabled: true });
    live.answer(&request.id, kimi_tui::protocol::Verdict::Approve, "");
    let heard = live.end().await;
    let (_, value) = &heard.results()[0];
    assert!(value.is_error && value.message.contains("plan mode is on now"), "{value:?}");
    assert!(!bench.work_dir().join("x").exists());
}
