//! The script for fish.

use std::fmt::Write as _;

use super::tree::{Node, Value};

/// To be sourced, or the file `kimi.fish` among fish's completions.
pub fn script(nodes: &[Node]) -> String {
    let needed = Node::valued(nodes, Value::is_needed);
    let needed: Vec<_> = needed.map(|(path, flag)| format!("'{path} {flag}'")).collect();
    let steps: Vec<_> = Node::steps(nodes).map(|(path, word)| format!("'{path} {word}'")).collect();
    let mut out = format!(
        r#"# Completions of kimi for fish: kimi completions fish | source
function __kimi_at
    set -l at kimi
    set -l skip 0
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch "$at $word"
            case {}
                set skip 1
            case {}
                set at "$at $word"
        end
    end
    test "$at" = "$argv[1]"
end
"#,
        needed.join(" "),
        steps.join(" "),
    );
    for node in nodes {
        let here = format!("complete -c kimi -n '__kimi_at \"{}\"'", node.path);
        for command in &node.commands {
            let _ = writeln!(out, "{here} -f -a {} -d {}", command.word, quoted(&command.about));
        }
        for option in &node.options {
            let _ = write!(out, "{here}");
            for short in &option.shorts {
                let _ = write!(out, " -s {short}");
            }
            for long in &option.longs {
                let _ = write!(out, " -l {long}");
            }
            match &option.value {
                Value::None | Value::Optional => {}
                Value::Any => out.push_str(" -x"),
                Value::File => out.push_str(" -r -F"),
                Value::Directory => out.push_str(" -x -a '(__fish_complete_directories)'"),
                Value::OneOf(words) => {
                    let _ = write!(out, " -x -a '{}'", words.join(" "));
                }
            }
            let _ = writeln!(out, " -d {}", quoted(&option.about));
        }
    }
    out
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
