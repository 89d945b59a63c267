//! Commands and options, without the parser.

use clap::{Arg, ArgAction};

/// A command.
#[derive(Debug)]
pub struct Node {
    /// From the program's name on: `kimi mcp add`.
    pub path: String,
    pub commands: Vec<Named>,
    pub options: Vec<Opt>,
}

/// A word with what it is for.
#[derive(Debug)]
pub struct Named {
    pub word: String,
    pub about: String,
}

/// An option under all its names.
#[derive(Debug)]
pub struct Opt {
    pub shorts: Vec<char>,
    pub longs: Vec<String>,
    pub about: String,
    pub value: Value,
}

/// What follows an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    None,
    /// Something that only the user knows, and that may be left out.
    Optional,
    /// Something that only the user knows.
    Any,
    File,
    Directory,
    OneOf(Vec<String>),
}

impl Value {
    /// Whether the next word belongs to the option, whatever it is.
    pub fn is_needed(&self) -> bool {
        !matches!(self, Self::None | Self::Optional)
    }
}

impl Opt {
    /// `-p`, `--prompt`, ...
    pub fn flags(&self) -> impl Iterator<Item = String> {
        let shorts = self.shorts.iter().map(|short| format!("-{short}"));
        shorts.chain(self.longs.iter().map(|long| format!("--{long}")))
    }
}

impl Node {
    /// Every command that the help lists, the program itself first.
    pub fn all(mut root: clap::Command) -> Vec<Self> {
        root.build();
        let mut nodes = Vec::new();
        walk(&root, "kimi".to_owned(), &mut nodes);
        nodes
    }

    /// The paths of all commands but the first, as their parent's path and their name.
    pub fn steps(nodes: &[Self]) -> impl Iterator<Item = (&str, &str)> {
        nodes.iter().flat_map(|node| {
            node.commands.iter().map(|command| (node.path.as_str(), command.word.as_str()))
        })
    }

    /// The options with a value of this kind, each as its command's path and its flag.
    pub fn valued(
        nodes: &[Self],
        fits: impl Fn(&Value) -> bool + Copy,
    ) -> impl Iterator<Item = (&str, String)> {
        nodes.iter().flat_map(move |node| {
            let options = node.options.iter().filter(move |option| fits(&option.value));
            options.flat_map(Opt::flags).map(|flag| (node.path.as_str(), flag))
        })
    }

    /// All sets of words that an option takes.
    pub fn choices(nodes: &[Self]) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for option in nodes.iter().flat_map(|node| &node.options) {
            if let Value::OneOf(words) = &option.value
                && !all.contains(words)
            {
                all.push(words.clone());
            }
        }
        all
    }
}

fn walk(command: &clap::Command, path: String, nodes: &mut Vec<Node>) {
    let listed = || {
        let all = command.get_subcommands().filter(|child| !child.is_hide_set());
        all.filter(|child| child.get_name() != "help")
    };
    let mut commands: Vec<_> = listed()
        .map(|child| Named {
            word: child.get_name().to_owned(),
            about: one_line(child.get_about().map(ToString::to_string).unwrap_or_default()),
        })
        .collect();
    // What can only be chosen from is offered like commands.
    for argument in command.get_positionals().filter(|argument| !argument.is_hide_set()) {
        let words = argument.get_possible_values();
        commands.extend(words.iter().filter(|value| !value.is_hide_set()).map(|value| Named {
            word: value.get_name().to_owned(),
            about: one_line(value.get_help().map(ToString::to_string).unwrap_or_default()),
        }));
    }
    let options = command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set());
    nodes.push(Node { path: path.clone(), commands, options: options.map(option).collect() });
    for child in listed() {
        walk(child, format!("{path} {}", child.get_name()), nodes);
    }
}

fn option(arg: &Arg) -> Opt {
    let owned = |names: Option<Vec<&str>>| {
        names.unwrap_or_default().into_iter().map(str::to_owned).collect()
    };
    Opt {
        shorts: arg.get_short_and_visible_aliases().unwrap_or_default(),
        longs: owned(arg.get_long_and_visible_aliases()),
        about: one_line(arg.get_help().map(ToString::to_string).unwrap_or_default()),
        value: value(arg),
    }
}

fn value(arg: &Arg) -> Value {
    if !matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
        return Value::None;
    }
    if arg.get_num_args().is_some_and(|range| range.min_values() == 0) {
        return Value::Optional;
    }
    let words: Vec<_> = arg.get_possible_values();
    if !words.is_empty() {
        return Value::OneOf(words.iter().map(|value| value.get_name().to_owned()).collect());
    }
    // Values are text to the parser; their names tell what they are.
    match arg.get_value_names().and_then(|names| names.first()).map(clap::builder::Str::as_str) {
        Some("FILE") => Value::File,
        Some("DIR") => Value::Directory,
        Some("FORMAT") => Value::OneOf(["text", "stream-json"].map(str::to_owned).into()),
        _ => Value::Any,
    }
}

/// The first sentence of a description, in characters that every terminal has.
fn one_line(text: String) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let first = text.split(". ").next().unwrap_or_default().trim_end_matches('.');
    first.chars().filter(|c| !c.is_control()).collect()
}
