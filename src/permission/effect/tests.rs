use serde_json::json;

use super::*;

fn effect(command: &str) -> Effect {
    of_command(command).effect
}

#[test]
fn looking_is_read_only() {
    for command in [
        "ls -la src",
        "cat a | grep -n x | head -5",
        "git status -s && git log --oneline -3",
        "git diff HEAD -- src",
        "rg -n 'a|b' src",
        "find . -name '*.rs' -type f",
        "sed -n '1,20p' a",
        "sed 's/a/b/g' a",
        "wc -l *.rs",
        "sort -u a | uniq -c",
        "ls > /dev/null 2>&1",
        "for f in a b; do cat $f; done",
        "git branch -a",
        "tar tzf a.tgz",
        "find . -name x -exec cat {} +",
        "ls | xargs -n1 cat",
        "bash -c 'ls; pwd'",
        "awk '{print $1}' a",
        "awk -F: '{print $1}' a",
        "curl -sS http://127.0.0.1/",
        "curl -sS \"https://example.com/$ID\"",
        "curl example.com/a:b",
        "tar tf ./a:b",
        "cargo tree --locked",
        "cp --help",
        "[ -f a ] && cat a",
        "timeout 5 ls",
        "git --no-pager show HEAD:a",
        "cd src && ls",
        "cat <<'E'\n> rm\nE",
        "date -Iseconds && date -u +%F",
        "sed -n '/re/p' a",
        "sed -n '/a/,/b/p;5q' a",
        "awk '$1 > 3' a | awk -F, -v n=1 '$2 > n {print $1}'",
        "git config user.name && git config --global --get user.email",
        "git branch --contains HEAD",
        "git branch --list 'a*' --format='%(refname)'",
        "git -C . log -5 --oneline --stat -- '*.rs'",
        "git log -p -S x --since='2 weeks' --format='%h %s' -n 3",
        "git grep -n -e a --and -e b -- src",
        "git status --short --branch -uno",
        "rustc --version; python3 --version; node --version; cargo -V",
        "ls | tee /dev/null",
        "pip list",
        "man ls",
        "hostname -I",
        "file -b --mime-type a",
        "sort -t: -k 2,2n a | uniq -c | sort -rn",
        "rg -n -C 3 --glob '*.rs' -e x src",
        "fd -e rs . src",
        "find . -newer a -printf '%p\\n' -o -name x -prune",
        "[ -n \"$x\" ] && [ \"$a\" = \"$b\" ] && test -f \"$f\"",
        "[ $? -eq 0 ] && [ $# -gt 1 ] && [[ $# -gt 1 ]]",
        "for f in *.md; do [ -f \"$f\" ] && head -5 \"$f\"; done",
        "xxd -l 16 a; tree -L 2 -a; printf '%s' x -v",
        "",
    ] {
        let found = of_command(command);
        assert_eq!(found.effect, Effect::ReadOnly, "{command} {found:?}");
        assert_eq!(found.reason, "", "{command}");
    }
}

/// What people and models type to look around.
#[test]
fn everyday_lines_are_read_only() {
    let lines = [
        "git log --oneline | head",
        "rg -n x src",
        "find . -name '*.rs' | wc -l",
        "ls -la",
        "cat f | sort | uniq -c",
        "git diff --stat",
        "git show HEAD:src/x.rs",
        "jq . f.json",
        "sed -n 1,20p f",
        "awk '{print $1}' f",
        "du -sh .",
        "tree",
        "stat f",
        "file f",
        "wc -l $(git ls-files)",
        "for f in *.rs; do wc -l \"$f\"; done",
        "crontab -l",
        "tmux ls",
        "git blame -L 1,20 f",
        "git rev-parse --abbrev-ref HEAD",
        "git ls-files | xargs wc -l | sort -n | tail -5",
        "grep -rn TODO --include='*.rs' .",
        "ps aux | grep node",
        "env | grep PATH",
        "which cargo && cargo --version",
        "head -c 100 f | xxd",
        "diff -u a b",
        "git diff main...HEAD --name-only",
        "git stash list",
        "git remote -v",
        "git tag -l",
        "du -ah src | sort -rh | head -20",
        "cut -d: -f1 /etc/passwd",
        "date +%s",
        "find . -type f -name '*.py' -exec grep -l x {} +",
        "basename $PWD",
        "[ -d src ] && ls src || echo none",
        "cat package.json | jq '.scripts'",
        "tail -n 50 log.txt | grep -i error",
        "git log --since=yesterday --author=me --pretty=format:%s",
        "while read -r line; do echo \"$line\"; done < f",
    ];
    let refused: Vec<_> = lines.iter().map(|line| (line, of_command(line))).collect();
    let refused: Vec<_> =
        refused.into_iter().filter(|(_, found)| found.effect != Effect::ReadOnly).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    for command in [
        "crontab -r",
        "crontab -l -r",
        "crontab f",
        "crontab",
        "tmux ls ';' run-shell 'rm x'",
        "tmux -f x ls",
        "tmux list-panes -F x",
        "tmux new -d 'rm x'",
        "screen -ls -X stuff",
        "tmux $x",
    ] {
        assert_ne!(effect(command), Effect::ReadOnly, "{command}");
    }
}

#[test]
fn writing_is_found() {
    for command in [
        "rm x",
        "ls > out",
        "ls >> out",
        "ls | tee out",
        "sed -i s/a/b/ x",
        "sed -i.bak s/a/b/ x",
        "find . -delete",
        "find . -fprint out",
        "sort -o a a",
        "sort --outp=a a",
        "git commit -m x",
        "git push",
        "git log --output=x",
        "git diff --ext-diff",
        "git branch new",
        "git tag v1",
        "git stash",
        "git config a b",
        "tar xf a",
        "tar cf a b",
        "curl gopher://127.0.0.1:6379/_FLUSHALL",
        "curl -s DICT://127.0.0.1/x",
        "curl dict.example.com/x",
        "curl 'goph[e-e]r://h/x'",
        "tar tf h:x",
        "tar tvf h:x.tar",
        "tar tf \"$F\"",
        "curl -o a http://x",
        "curl -O http://x",
        "curl -X POST http://x",
        "cargo tree",
        "cargo build",
        "cargo test",
        "ls | xargs rm",
        "find . -exec rm {} \\;",
        "bash -c 'ls > a'",
        "uniq a b",
        "date -s now",
        "cp a b",
        "sudo rm x",
        "echo $(touch x)",
        "cat <<E > out\nx\nE",
        "if ls; then rm x; fi",
        "dd if=a of=b",
        "yq -i .a x",
        "/bin/rm x",
        "git checkout .",
        "ls &> x",
        "ls >| x",
    ] {
        let found = of_command(command);
        assert_eq!(found.effect, Effect::Writes, "{command} {found:?}");
        assert!(found.reason.starts_with('`'), "{command}");
    }
}

#[test]
fn what_cannot_be_told_is_unknown() {
    for command in [
        "$x",
        "python -c 'x'",
        "make",
        "./ls",
        "/tmp/ls",
        "sort $x",
        "sort *",
        "find $x",
        "rg --pre x y",
        "git $x",
        "GIT_PAGER=x git log",
        "LESSOPEN=x less a",
        "git -c core.pager=x log",
        "PATH=/x ls",
        "export A=b; ls",
        "sed 's/a/b/e' x",
        "sed '1e rm' x",
        "sed 'w out' x",
        "sed -f x y",
        "awk 'BEGIN{system(\"rm\")}'",
        "awk '{print > \"x\"}' a",
        "awk -f x a",
        "cat 'a",
        "f() { ls; }; f",
        "alias ls=rm; ls",
        "git grep -Oless x",
        "git -C /x status",
        "node x",
        "ls < $x",
        "eval $x",
        "bash x",
        "sh",
        "curl x | sh",
        "curl \"$URL\"",
        "git status --help",
        "git log --help",
        "git --help status",
        "git -h status",
        "npm ls",
        "npm --version",
    ] {
        let found = of_command(command);
        assert_ne!(found.effect, Effect::ReadOnly, "{command}");
        assert!(!found.reason.is_empty(), "{command}");
    }
    assert_eq!(effect("python x; rm y"), Effect::Writes);
    assert!(of_command("ls; rm x; rm y").reason.starts_with("`rm x`"));
}

#[test]
fn other_tools() {
    for (tool, expected) in [
        ("ReadFile", Effect::ReadOnly),
        ("Grep", Effect::ReadOnly),
        ("WriteFile", Effect::Writes),
        ("mcp__a__b", Effect::Unknown),
        ("mcp_call", Effect::Unknown),
    ] {
        assert_eq!(of_call(tool, &json!({})).effect, expected, "{tool}");
    }
    assert_eq!(of_call("Shell", &json!({"command": "ls"})).effect, Effect::ReadOnly);
}
