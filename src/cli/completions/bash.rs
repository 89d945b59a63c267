//! The script for bash; any version from 3.2 on.

use std::fmt::Write as _;

use super::tree::{Node, Opt, Value};

/// What is offered where nothing is known: bash's own completion of file names, which is best at it.
pub fn script(nodes: &[Node]) -> String {
    let quoted = |(path, word): (&str, &str)| format!("\"{path} {word}\"");
    let steps: Vec<_> = Node::steps(nodes).map(quoted).collect();
    let flags = |fits: fn(&Value) -> bool| {
        let all = Node::valued(nodes, fits).map(|(path, flag)| format!("\"{path} {flag}\""));
        all.collect::<Vec<_>>().join("|")
    };
    let mut out = format!(
        r#"# Completions of kimi for bash: source <(kimi completions bash)
_kimi() {{
    local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="" at="kimi" i word words=""
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${{COMP_WORDS[i]}}"
        case "$at $word" in
            {needed}) ((i++)) ;;
            {steps}) at="$at $word" ;;
        esac
    done
    prev="${{COMP_WORDS[COMP_CWORD - 1]}}"
    case "$at $prev" in
"#,
        needed = flags(Value::is_needed),
        steps = steps.join("|"),
    );
    for choice in Node::choices(nodes) {
        let of = Node::valued(nodes, |value| matches!(value, Value::OneOf(_)));
        let of = of.filter(|(path, flag)| is_choice(nodes, path, flag, &choice));
        let of: Vec<_> = of.map(|(path, flag)| format!("\"{path} {flag}\"")).collect();
        let words = choice.join(" ");
        let _ = writeln!(
            out,
            "        {}) COMPREPLY=($(compgen -W \"{words}\" -- \"$cur\")); return ;;",
            of.join("|")
        );
    }
    let _ = writeln!(out, "        {}) return ;;", flags(Value::is_needed));
    out.push_str("    esac\n    case \"$at\" in\n");
    for node in nodes {
        let commands = node.commands.iter().map(|command| command.word.clone());
        let words: Vec<_> = commands.chain(node.options.iter().flat_map(Opt::flags)).collect();
        let _ = writeln!(out, "        \"{}\") words=\"{}\" ;;", node.path, words.join(" "));
    }
    out.push_str(
        "    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n\
         complete -o bashdefault -o default -F _kimi kimi\n",
    );
    out
}

/// Whether an option of a command takes these words.
pub fn is_choice(nodes: &[Node], path: &str, flag: &str, words: &[String]) -> bool {
    let options = nodes.iter().filter(|node| node.path == path).flat_map(|node| &node.options);
    options
        .filter(|option| option.flags().any(|own| own == flag))
        .any(|option| option.value == Value::OneOf(words.to_vec()))
}
