use proptest::prelude::*;

use super::*;

fn site() -> Site {
    let workspace = Arc::new(Workspace::new(PathBuf::from("/w"), vec![]));
    Site { workspace, home: PathBuf::from("/h"), search: vec!["/usr/bin".into(), "/bin".into()] }
}

fn rules(allow: &[&str], ask: &[&str], deny: &[&str]) -> Rules {
    let all = |texts: &[&str]| texts.iter().map(|text| Rule::parse(text).unwrap()).collect();
    Rules { allow: all(allow), ask: all(ask), deny: all(deny) }
}

fn judged(rules: &Rules, command: &str) -> Judgment {
    let site = site();
    let arguments = serde_json::json!({"command": command});
    rules.judge(&Call::of("Shell", &arguments, &site.workspace, &site.home), &site, &[])
}

fn allowed(rules: &Rules, command: &str) -> bool {
    judged(rules, command) == Judgment::Allow
}

#[test]
fn a_line_is_allowed_when_every_part_is() {
    let rules =
        rules(&["Shell(git status:*)", "Bash(cargo test *)", "WriteFile(out/**)"], &[], &[]);
    for command in [
        "git status",
        "git status -s | git status && cargo test",
        "timeout 60 cargo test --lib x 2>&1",
        "bash -c 'git status; cargo test'",
        "RUST_BACKTRACE=1 cargo test > out/log",
        "cargo test $x *.rs",
        "if git status; then cargo test; fi >/dev/null",
        "git status # rm -rf x",
    ] {
        assert!(allowed(&rules, command), "{command} {:?}", judged(&rules, command));
    }
    for command in [
        "git statusx",
        "git $x",
        "git",
        "PATH=/x git status",
        "GIT_PAGER=x git status",
        "sudo git status",
        "./git status",
        "/tmp/git status",
        "cd /x && git status",
        "cargo test > src/main.rs",
        "cargo test > out/../src/main.rs",
        "cargo test > $x",
        "git -c core.pager=x status",
        "",
    ] {
        assert!(!allowed(&rules, command), "{command}");
    }
    let Judgment::Open { parts } = judged(&rules, "git status && rm x; cargo test") else {
        panic!("decided")
    };
    assert_eq!(parts.iter().map(Part::shown).collect::<Vec<_>>(), ["rm x"]);
}

#[test]
fn deny_finds_its_command_wherever_it_hides() {
    let rules = rules(&["Shell"], &[], &["Shell(rm -rf:*)", "WriteFile(/etc/**)"]);
    for command in [
        "rm -rf x",
        "ls; rm -rf x",
        "ls | xargs rm -rf",
        "find . -exec rm -rf {} +",
        "bash -c \"ls && rm -rf x\"",
        "echo $(rm -rf x)",
        "FOO=1 /bin/rm -rf x",
        "sudo -u root rm -rf x",
        "rm $x y",
        "env A=b nice -n 3 rm '-rf' x",
        "cat <<E\n$(rm -rf x)\nE",
        "r\\m -rf x",
        "echo x > /etc/passwd",
        "echo x > ../etc/passwd",
        "eval 'rm -rf x'",
        "if true; then { (rm -rf x); }; fi",
    ] {
        assert!(
            matches!(judged(&rules, command), Judgment::Deny { .. }),
            "{command} {:?}",
            judged(&rules, command)
        );
    }
    for command in ["$x -rf y", "flock l rm -rf x", "a 'b", "f() { :; }; f", "echo x > $y"] {
        assert!(
            matches!(judged(&rules, command), Judgment::Unsure { .. }),
            "{command} {:?}",
            judged(&rules, command)
        );
    }
    assert_eq!(judged(&rules, "rm -i x && ls"), Judgment::Allow);
}

#[test]
fn what_is_in_sight_is_told_from_what_may_hide() {
    let rules = rules(&["Shell"], &[], &["Shell(rm -rf:*)", "Shell(git push:*)"]);
    for command in [
        "rm a",
        "git -C . log",
        "git commit -m \"$x\"",
        "python3 run.py",
        "python3 -m pytest -q",
        "python3 --version",
        "awk '{print $1}' a",
        "awk '$1 > 3' a",
        "sed -i 's/a/b/' a",
        "make -j4 test",
        "make -f build.mk",
        "bash build.sh",
        "bash -c 'ls; pwd'",
        "sh -ex build.sh",
        "node server.js",
        "cargo test -- --nocapture",
        "tar xzf a.tgz -C out",
        "find . -name '*.rs' -exec grep -n x {} +",
        "GIT_PAGER=cat git log",
        "git fetch origin",
        "env A=\"$x\" ls",
        "timeout 5 ls",
        "[ \"$x\" = a ] && ls",
        "ls | sort | xargs -n 1 cat",
        "docker ps",
        "npm run build",
        "read -r line < a",
        "for f in *; do cat \"$f\"; done",
        "perl script.pl",
        "rsync -a a b",
        "ssh host ls",
        "git config user.name x",
        "export FOO=1; ls",
        "wait; jobs -l",
        "unset x",
        "mapfile -t lines < a",
    ] {
        assert_eq!(judged(&rules, command), Judgment::Allow, "{command}");
    }
    for command in
        ["git -C . push", "git --no-pager push", "rm -fr a", "rm a -rf", "sudo rm -r --force a"]
    {
        assert!(matches!(judged(&rules, command), Judgment::Deny { .. }), "{command}");
    }
}

/// Words that lead from one directory to the next cost no more than there are of them.
#[test]
fn many_directories_are_judged_at_once() {
    let rules = rules(&["Shell"], &[], &["Shell(rm:*)", "WriteFile(/etc/**)"]);
    let steps = |count: usize| -> String { (0..count).map(|at| format!("-C a{at} ")).collect() };
    assert_eq!(judged(&rules, &format!("git {}status", steps(40))), Judgment::Allow);
    for program in ["git", "make", "tar cf a.tar", "cargo", "go", "ninja"] {
        judged(&rules, &format!("{program} {}x", steps(40)));
        judged(&rules, &format!("cd ../a; cd ../b; {program} {}x", "-C ../c ".repeat(4)));
    }
    // Where that leads is not known any more, which lets nothing through.
    let made = |count: usize| format!("echo 'all: ; rm z' > Makefile; make {}", steps(count));
    for count in [0, 3, 5, 40] {
        assert_ne!(judged(&rules, &made(count)), Judgment::Allow, "{count}");
    }
    let each = |each: &dyn Fn(usize) -> String| -> String { (0..4).map(each).collect() };
    let (cds, dirs) =
        (each(&|at| format!("cd x{at}/../a{at}; ")), each(&|at| format!("-C y{at}/../b{at} ")));
    let checkout = format!("{cds} git {dirs} checkout passwd");
    assert!(matches!(judged(&rules, &checkout), Judgment::Unsure { .. }), "{checkout}");
    let checkout = format!("git {}checkout passwd", steps(40));
    assert!(matches!(judged(&rules, &checkout), Judgment::Unsure { .. } | Judgment::Deny { .. }));
}

#[test]
fn an_approval_of_a_family_is_no_pattern() {
    let approved: Vec<Rule> = ["Shell(git fetch:*)", "Shell(npm test:*)", "Shell(cargo check:*)"]
        .iter()
        .map(|text| Rule::parse(text).unwrap())
        .collect();
    let site = site();
    let judge = |command: &str| {
        let call = Call::of(
            "Shell",
            &serde_json::json!({"command": command}),
            &site.workspace,
            &site.home,
        );
        Rules::default().judge(&call, &site, &approved)
    };
    for command in [
        "git fetch",
        "git fetch --dry-run .",
        "timeout 5 npm test",
        "cargo check --all-targets && git fetch",
    ] {
        assert_eq!(judge(command), Judgment::Allow, "{command}");
    }
    for command in [
        "git fetch --upload-pack='touch x;git-upload-pack' .",
        "git fetch $x",
        "npm test --prefix ./evil",
        "cargo check --config build.rustc-wrapper=x",
        "cargo check --manifest-path evil/Cargo.toml",
        "git -C . fetch",
        "GIT_SSH_COMMAND=x git fetch",
        "git fetch > f",
    ] {
        assert!(matches!(judge(command), Judgment::Open { .. }), "{command}");
    }
}

#[test]
fn ask_comes_before_allow() {
    let rules = rules(&["Shell(git:*)"], &["Shell(git push:*)"], &[]);
    assert!(allowed(&rules, "git log"));
    let expected =
        Judgment::Ask { rule: "Shell(git push:*)".into(), part: "git push origin".into() };
    assert_eq!(judged(&rules, "git log && git push origin"), expected);
}

#[test]
fn other_tools() {
    let rules =
        rules(&["WriteFile(src/**)", "mcp__gh__*"], &["FetchURL"], &["ReadFile(secret/**)"]);
    let site = site();
    let judge = |tool: &str, arguments: serde_json::Value| {
        rules.judge(&Call::of(tool, &arguments, &site.workspace, &site.home), &site, &[])
    };
    assert_eq!(judge("StrReplaceFile", serde_json::json!({"path": "src/a"})), Judgment::Allow);
    assert!(matches!(judge("WriteFile", serde_json::json!({"path": "a"})), Judgment::Open { .. }));
    assert!(matches!(
        judge("WriteFile", serde_json::json!({"path": "src/../a"})),
        Judgment::Open { .. }
    ));
    assert!(matches!(
        judge("ReadFile", serde_json::json!({"path": "/w/secret/a"})),
        Judgment::Deny { .. }
    ));
    assert!(matches!(
        judge("FetchURL", serde_json::json!({"url": "http://a"})),
        Judgment::Ask { .. }
    ));
    assert_eq!(judge("mcp__gh__push", serde_json::json!({})), Judgment::Allow);
    assert!(matches!(judge("mcp__lab__push", serde_json::json!({})), Judgment::Open { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is glued to an allowed command in whatever way, the whole is not allowed.
    #[test]
    fn nothing_rides_along(
        good in prop::sample::select(vec![
            "git status", "git status -s", "cargo test --lib 'a b'", "git status | cargo test", "cargo test \"x $y\"",
        ]),
        glue in prop::sample::select(vec![
            "{}; evil", "{} ; evil x", "{} | evil", "{} && evil", "{} || evil", "{} & evil", "{}\nevil",
            "{} $(evil)", "{} `evil`", "{} \"$(evil)\"", "{} \"`evil`\"", "{} >(evil)", "{} <(evil)", "evil; {}",
            "evil | {}", "$(evil) {}", "A=$(evil) {}", "PATH=/evil {}", "{} > evil", "{} >> evil", "{} &> evil",
            "{} <<E\n$(evil)\nE", "{} <<< $(evil)", "bash -c \"{}; evil\"", "{} |& evil", "({}; evil)",
            "{ {}; evil; }", "if evil; then {}; fi", "while evil; do {}; done", "for x in $(evil); do {}; done",
            "{} ${x:-$(evil)}", "{} $((a[$(evil)]))", "git() { evil; }; {}", "{} # x\nevil", "{} \\\n; evil",
            "{}\r\nevil", "[[ $(evil) ]] && {}", "{} {a,$(evil)}", "eval evil; {}", "trap evil EXIT; {}",
            "alias git=evil; {}", "{} 2>&1 | evil", "coproc evil; {}", "! evil; {}", "time evil; {}",
            "exec evil; {}", "x=1 evil; {}", "case $(evil) in *) {};; esac", "case x in x) {};; y) evil;; esac",
        ]),
        blanks in "[ \t]{0,3}",
    ) {
        // Quotes in quotes end them: what follows is an argument.
        prop_assume!(!(glue.starts_with("bash") && good.contains('"')));
        let rules = rules(&["Shell(git status:*)", "Shell(cargo test:*)"], &[], &[]);
        let command = glue.replace("{}", &format!("{blanks}{good}{blanks}"));
        prop_assert!(!allowed(&rules, &command), "{command}");
        prop_assert!(allowed(&rules, good), "{good}");
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let rules = rules(&["Shell(git:*)"], &[], &["Shell(rm:*)"]);
        judged(&rules, &String::from_utf8_lossy(&bytes));
    }
}
