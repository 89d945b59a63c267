use proptest::prelude::*;

use super::*;

/// The parts in short: `run word word`, `(run …)` for one that needs no rule, `write path`,
/// `unclear`.
fn parts(command: &str) -> Vec<String> {
    read(command).parts.iter().map(told).collect()
}

fn told(part: &Part) -> String {
    let text = |word: &Word| word.text.replace(ANY, "…");
    match part {
        Part::Run(run) => {
            let mut words: Vec<String> =
                run.assigns.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
            words.extend(run.words.iter().map(text));
            let words = words.join(" ");
            if run.needs_rule { words } else { format!("({words})") }
        }
        Part::Write(target) => format!("write {}", text(&target.path)),
        Part::Read(target) => format!("read {}", text(&target.path)),
        Part::Assign(assign) => format!("set {}", assign.name),
        Part::Unclear(_) => "unclear".to_owned(),
    }
}

#[test]
fn every_command_of_a_line_is_a_part() {
    for (command, expected) in [
        ("git status", vec!["git status"]),
        ("a | b && c; d & e", vec!["a", "b", "c", "d", "e"]),
        ("a\nb # c\n# d; e\nf", vec!["a", "b", "f"]),
        ("(a; { b; }) || ! c", vec!["a", "b", "c"]),
        ("if a; then b; elif c; then d; else e; fi", vec!["a", "b", "c", "d", "e"]),
        ("for i in 1 $(a); do b $i; done", vec!["a", "b …"]),
        ("while a; do b; done > out", vec!["a", "b", "write out"]),
        ("case $x in a) b;; *) c;; esac", vec!["b", "c"]),
        ("a $(b \"`c`\") <(d)", vec!["b …", "c", "d", "a … …"]),
        ("a \"x y\" 'p;q' r\\ s", vec!["a x y p;q r s"]),
        ("a *.rs ~/x {b,c} $HOME", vec!["a ….rs …/x … …"]),
        ("A=1 b", vec!["A=1 b"]),
        ("PATH=/x; b", vec!["set PATH", "b"]),
        ("x=1; b", vec!["b"]),
        ("export x=1", vec!["set x"]),
        ("a > f 2>&1 < g >> h 2>/dev/null", vec!["a", "write f", "read g", "write h"]),
        ("[ -f x ] && [[ $a == b ]]", vec!["([ …)", "([ …)"]),
        ("set -euo pipefail; a", vec!["(set -euo pipefail)", "a"]),
        ("a \\\n  b", vec!["a b"]),
    ] {
        let mut found = parts(command);
        let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{command}");
    }
}

#[test]
fn what_a_command_starts_is_a_part_too() {
    for (command, expected) in [
        ("timeout -k 5 10 cargo test", vec!["(timeout -k 5 10 cargo test)", "cargo test"]),
        ("bash -c 'a; b'", vec!["(bash -c a; b)", "a", "b"]),
        ("sh -c \"bash -c 'a'\"", vec!["(sh -c bash -c 'a')", "(bash -c a)", "a"]),
        ("env A=1 b", vec!["(env A=1 b)", "A=1 b"]),
        ("sudo rm x", vec!["sudo rm x", "rm x"]),
        ("ls | xargs -0 -n1 rm", vec!["ls", "(xargs -0 -n1 rm)", "rm …"]),
        ("ls | xargs -I{} mv {} a{}", vec!["ls", "(xargs -I{} mv {} a{})", "mv … a…"]),
        ("find . -exec rm {} \\;", vec!["find . -exec rm {} ;", "rm …"]),
        ("eval 'a b'", vec!["(eval a b)", "a b"]),
        ("ssh h 'rm x'", vec!["ssh h rm x", "rm x"]),
        ("./timeout 5 a", vec!["./timeout 5 a", "a"]),
        ("nice -n 5 nohup a", vec!["(nice -n 5 nohup a)", "(nohup a)", "a"]),
    ] {
        assert_eq!(parts(command), expected, "{command}");
    }
}

#[test]
fn what_is_not_understood_says_so() {
    for command in [
        "$x y",
        "$(a)",
        "a 'b",
        "a \"b",
        "a $'b'",
        "a\u{a0}b",
        "a\rb",
        "f() { a; }; f",
        "alias a=b",
        ". x",
        "coproc a",
        "a >(b)",
        "a ${x@P}",
        "a $((x))",
        "bash -c \"$x\"",
        "eval $x",
        "a\\\nb",
        "{a,b} c",
        "a > b c",
        "exec 3<>/dev/tcp/h/1",
        "printf -v PATH x",
        "read PATH",
        "git -c core.pager=x log",
        "flock x a",
        "env -S 'a b'",
        "((x=1))",
        "[[ $x -eq 1 ]]",
        "a#b`",
        "",
    ] {
        let found = parts(command);
        assert!(
            command.is_empty() || found.iter().any(|part| part == "unclear"),
            "{command:?} {found:?}"
        );
    }
}

#[test]
fn here_documents() {
    assert_eq!(parts("cat <<'E' > f\n$(a) `b`\nE\nc"), ["cat", "write f", "c"]);
    assert_eq!(parts("cat <<E\nx $(a) y\nE\n"), ["cat", "a"]);
    assert!(parts("cat <<E\nx `a` y\nE\n").contains(&"unclear".to_owned()));
    assert!(parts("cat <<A <<B\nx\nA\ny\nB\n").contains(&"unclear".to_owned()));
    assert!(parts("cat <<E\nrm x").contains(&"unclear".to_owned()));
    assert_eq!(parts("cat <<'E' | sh\nx\nE\n"), ["cat", "sh"]);
}

#[test]
fn hostile_sizes_end_soon() {
    let deep =
        |open: &str, close: &str, n: usize| format!("{}a{}", open.repeat(n), close.repeat(n));
    for command in [
        "a".repeat(1 << 20),
        "a;".repeat(60_000),
        deep("(", ")", 30_000),
        deep("$(", ")", 20_000),
        deep("{ ", ";}", 10_000),
        deep("\"$(", ")\"", 10_000),
        "((".repeat(50_000),
        "<<a ".repeat(20_000),
        "a|".repeat(50_000),
        "'".repeat(99_999),
        "sudo ".repeat(20_000),
        "eval ".repeat(20_000),
        "${".repeat(40_000),
        "`".repeat(99_999),
        "[[ ".repeat(30_000),
        "case x in ".repeat(9_000),
    ] {
        let script = read(&command);
        let begin: String = command.chars().take(20).collect();
        assert!(
            script.parts.iter().any(|part| matches!(part, Part::Unclear(_))),
            "{begin} {:?}",
            script.parts.len()
        );
    }
}

/// The head of a loop that counts hides nothing when its variables are numbers on the whole line.
#[test]
fn loops_that_count_are_as_known_as_their_variables() {
    let hides = |command: &str| {
        let parts = read(command).parts;
        parts.iter().any(|part| matches!(part, Part::Unclear(unclear) if unclear.hides))
    };
    let runs = |command: &str, program: &str| {
        let parts = read(command).parts;
        let mut runs = parts.iter().filter_map(Part::run);
        runs.any(|run| run.words[0].literal() == Some(program))
    };
    for command in [
        "for ((i=0;i<3;i++)); do echo $i; rm x; done",
        "for (( i = 0 ; i < n ; i += 2 ))\ndo rm x\ndone",
        "for ((;;)); do rm x; done",
    ] {
        assert!(!hides(command) && runs(command, "rm"), "{command} {:?}", read(command).parts);
    }
    for command in [
        "for ((i=0;i<$(rm x);i++)); do :; done",
        "for ((i=0;i<`rm x`;i++)); do :; done",
        "for ((i=0;i<3;i++)); do i='a[$(rm x)]'; rm x; done",
        "for x in 'a[$(rm x)]'; do for ((i=x;i<1;i++)); do rm x; done; done",
        "read i; for ((i=i;i<1;i++)); do rm x; done",
        "for ((i=0;i<1;i++)); do $x; rm x; done",
    ] {
        assert!(hides(command) && runs(command, "rm"), "{command} {:?}", read(command).parts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_read(text in "\\PC{0,60}") {
        read(&text);
    }

    #[test]
    fn any_mix_of_shell_is_read(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "a", " ", ";", "|", "&", "$(", ")", "`", "'", "\"", "\\", "\n", "<<E", "E", ">", "<(", "{", "}",
                "((", "))", "[[", "]]", "if", "then", "fi", "for", "in", "do", "done", "case", "esac", "$x",
                "${", "#", "=", "sudo", "bash -c", "eval", "xargs", "find -exec", "*", "~", "!", "1",
            ]),
            0..25,
        )
    ) {
        read(&pieces.concat());
        read(&pieces.join(" "));
    }
}

/// What it reads is a makefile like any other, unless it is what it is fed.
#[test]
fn make_hides_what_it_is_fed_and_what_its_words_hold() {
    let hides = |command: &str| read(command).parts.iter().any(hides_something);
    for command in [
        "make -f-",
        "make -f -",
        "make -sf-",
        "make -C x -f-",
        "make --file=-",
        "make --fil -",
        "make --makefile=-",
        "make --mak=/dev/stdin",
        "make -f/dev/stdin",
        "make -f/dev/fd/3",
        "make -f /proc/self/fd/0",
        "make -f/proc/self/fd/0",
        "make -f$X",
        "make -f/dev$X",
        "make --file=-$X",
        "make --eval x",
        "make --ev='x:;y'",
        "make -sE x",
        "make SHELL=/bin/x",
        "make MAKEFLAGS=--eval=x",
        "make 'CC=$(shell x)'",
        "gmake -f-",
    ] {
        assert!(hides(command), "{command}");
    }
    for command in [
        "make -f build.mk",
        "make -fbuild.mk",
        "make -f-x",
        "make --file=-x",
        "make --makefile=-x",
        "make -f/devel/rules.mk",
        "make -f/process.mk",
        "make -j4 CC=gcc all",
    ] {
        assert!(!hides(command), "{command}");
    }
}

fn hides_something(part: &Part) -> bool {
    part.run().is_some_and(|run| run.hides.is_some())
}

/// In a `PATH` and in front of a file they are read alike, as `~/…` is.
#[test]
fn directories_that_variables_hold_are_known() {
    let home = Word { text: format!("{ANY}/a-b"), glob: Some("~/a\\-b".into()), several: false };
    let hides = |part: &Part| matches!(part, Part::Unclear(unclear) if unclear.hides);
    let unclear = |script: &Script| script.parts.iter().any(hides);
    for begin in ["$HOME", "${HOME}"] {
        for word in [format!("{begin}/a-b"), format!("\"{begin}/a-b\"")] {
            let script = read(&format!("source {word}"));
            let file = script.parts.iter().find_map(Part::run).and_then(|run| run.words.get(1));
            assert_eq!((file, unclear(&script)), (Some(&home), false), "{word}");
            let line = format!("HOME=/x; source {word}");
            assert!(unclear(&read(&line)), "{line}");
        }
        let mut variables = variables::Variables::default();
        let path = format!("\"{begin}/a-b:{begin}:{begin}x:~/a-b\"");
        let above = search::Searched::Dir(Word::below_home(""));
        let found = search::of(&path, &mut variables);
        let below = search::Searched::Dir(home.clone());
        let wanted = [below.clone(), above, search::Searched::Unknown, below];
        assert_eq!(found, wanted, "{path}");
    }
    for begin in ["$PWD", "${PWD}"] {
        let script = read(&format!("{begin}/a-b"));
        let run = script.parts.iter().find_map(Part::run);
        assert_eq!(run.map(|run| &run.words[..]), Some(&[Word::known("./a-b")][..]), "{begin}");
        let found = search::of(&format!("{begin}/a-b:{begin}"), &mut Default::default());
        let dir = |text: &str| search::Searched::Dir(Word::known(text));
        assert_eq!(found, [dir("./a-b"), dir("./")], "{begin}");
    }
}
