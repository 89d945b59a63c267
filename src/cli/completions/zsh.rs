//! The script for zsh.

use std::fmt::Write as _;

use super::bash::is_choice;
use super::tree::{Node, Value};

/// To be sourced, or a file `_kimi` in a directory of `$fpath`.
pub fn script(nodes: &[Node]) -> String {
    let flags = |fits: fn(&Value) -> bool| {
        let all = Node::valued(nodes, fits).map(|(path, flag)| format!("'{path} {flag}'"));
        all.collect::<Vec<_>>().join("|")
    };
    let steps: Vec<_> = Node::steps(nodes).map(|(path, word)| format!("'{path} {word}'")).collect();
    let mut out = format!(
        r#"#compdef kimi
# Completions of kimi for zsh: source <(kimi completions zsh)
_kimi() {{
    local at=kimi word
    local -a commands options
    integer i
    for ((i = 2; i < CURRENT; i++)); do
        word=$words[i]
        case "$at $word" in
            ({needed}) ((i++)) ;;
            ({steps}) at="$at $word" ;;
        esac
    done
    case "$at $words[CURRENT-1]" in
        ({directories}) _files -/; return ;;
        ({files}) _files; return ;;
"#,
        needed = flags(Value::is_needed),
        steps = steps.join("|"),
        directories = flags(|value| *value == Value::Directory),
        files = flags(|value| *value == Value::File),
    );
    for choice in Node::choices(nodes) {
        let of = Node::valued(nodes, |value| matches!(value, Value::OneOf(_)));
        let of = of.filter(|(path, flag)| is_choice(nodes, path, flag, &choice));
        let of: Vec<_> = of.map(|(path, flag)| format!("'{path} {flag}'")).collect();
        let _ = writeln!(out, "        ({}) compadd {}; return ;;", of.join("|"), choice.join(" "));
    }
    let _ = writeln!(out, "        ({}) return ;;", flags(|value| *value == Value::Any));
    out.push_str("    esac\n    case \"$at\" in\n");
    for node in nodes {
        let commands = node.commands.iter().map(|command| described(&command.word, &command.about));
        let options = node.options.iter();
        let options = options.flat_map(|option| {
            option.flags().map(|flag| described(&flag, &option.about)).collect::<Vec<_>>()
        });
        let _ = writeln!(
            out,
            "        ('{}')\n            commands=({})\n            options=({})\n            ;;",
            node.path,
            commands.collect::<Vec<_>>().join(" "),
            options.collect::<Vec<_>>().join(" ")
        );
    }
    out.push_str(
        r#"    esac
    if [[ $PREFIX == -* ]]; then
        _describe -o option options
    elif (( $#commands )); then
        _describe command commands
    else
        _files
    fi
}
if [ "$funcstack[1]" = "_kimi" ]; then
    _kimi "$@"
else
    compdef _kimi kimi
fi
"#,
    );
    out
}

/// `'word:what it is for'`.
fn described(word: &str, about: &str) -> String {
    let about = about.replace('\\', "\\\\").replace('\'', "'\\''");
    format!("'{}:{about}'", word.replace(':', "\\:"))
}
