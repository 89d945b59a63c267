use proptest::prelude::*;

use super::*;

/// The arrows of a chart, one `from>to(label)` each, in the order of their nodes.
fn arrows(text: &str) -> String {
    let whole = format!("{text}\nzz1[BEGIN] --> zz2[END]");
    let flow = read(&whole).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut found = Vec::new();
    for node in (0..).map_while(|index| flow.node(index)).filter(|node| node.label != "BEGIN") {
        for edge in &node.edges {
            let to = &flow.node(edge.to).unwrap().id;
            let label =
                if edge.label.is_empty() { String::new() } else { format!("({})", edge.label) };
            found.push(format!("{}>{to}{label}", node.id));
        }
    }
    found.join(" ")
}

/// The label of the node `n`.
fn label(text: &str) -> String {
    let whole = format!("zz1[BEGIN] --> n\n{text}\nn --> zz2[END]");
    let flow = read(&whole).unwrap_or_else(|error| panic!("{text}: {error}"));
    let node = (0..).map_while(|index| flow.node(index)).find(|node| node.id == "n");
    node.unwrap().label.clone()
}

fn error(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn arrows_of_every_kind() {
    for (text, found) in [
        ("A --> B", "A>B"),
        ("A-->B", "A>B"),
        ("A---B", "A>B"),
        ("my-node-->other-node", "my-node>other-node"),
        ("A -> B", "A>B"),
        ("A->B", "A>B"),
        ("A -.-> B", "A>B"),
        ("A-.->B", "A>B"),
        ("A -..-> B", "A>B"),
        ("A -.- B", "A>B"),
        ("A ==> B", "A>B"),
        ("A === B", "A>B"),
        ("A ------> B", "A>B"),
        ("A --o B", "A>B"),
        ("A x--x B", "A>B"),
        ("A --- oB", "A>oB"),
        ("A ~~~ B", ""),
        ("A e1@--> B", "A>B"),
        ("A e1@==>|x| B", "A>B(x)"),
        ("A -->|yes| B", "A>B(yes)"),
        ("A-->|\"a | b\"|B", "A>B(a | b)"),
        ("A -- yes --> B", "A>B(yes)"),
        ("A--yes-->B", "A>B(yes)"),
        ("A -- not yet - no --> B", "A>B(not yet - no)"),
        ("A -- \"a --> b\" --> B", "A>B(a --> b)"),
        ("A -. maybe .-> B", "A>B(maybe)"),
        ("A == sure ==> B", "A>B(sure)"),
        ("A -- in --- B", "A>B(in)"),
        ("A -- in -->|wins| B", "A>B(wins)"),
        ("A --> B --> C", "A>B B>C"),
        ("A-->B-->|x|C", "A>B B>C(x)"),
        ("A & B --> C & D", "A>C A>D B>C B>D"),
        ("A-->B;B-->C; C-->D", "A>B B>C C>D"),
        ("A --> B %% why", "A>B"),
        ("ä-->ö", "ä>ö"),
    ] {
        // A fork in these has no labels, which only matters when it can be reached.
        assert_eq!(arrows(text), found, "{text}");
    }
}

#[test]
fn labels_in_every_shape() {
    for (text, found) in [
        ("n", "n"),
        ("n[a b]", "a b"),
        ("n(a)", "a"),
        ("n{a}", "a"),
        ("n([a])", "a"),
        ("n((a))", "a"),
        ("n(((a)))", "a"),
        ("n[[a]]", "a"),
        ("n[(a)]", "a"),
        ("n{{a}}", "a"),
        ("n>a]", "a"),
        ("n[/a/]", "a"),
        ("n[/a\\]", "a"),
        ("n[\\a\\]", "a"),
        ("n[x > 1 (or [2])]", "x > 1 (or [2])"),
        ("n[\"say \\\"hi\\\" [now]\"]", "say \"hi\" [now]"),
        ("n(\"two\nlines\")", "two\nlines"),
        ("n[\"`**bold**`\"]", "**bold**"),
        ("n[a<br/>b #quot;c#quot; #35; &amp;]", "a\nb \"c\" # &"),
        ("n[a]:::red", "a"),
        ("n:::red", "n"),
        ("n@{ shape: diam, label: \"a, b\" }", "a, b"),
        ("n@{ shape: circle }", "n"),
        ("n[]", "n"),
        ("n[a]\nn[a]", "a"),
        ("n[你好]", "你好"),
    ] {
        assert_eq!(label(text), found, "{text}");
    }
}

#[test]
fn what_concerns_the_looks_is_passed_over() {
    let text = "---\ntitle: A --> B\n---\n%%{init: {}}%%\nflowchart LR;\n  subgraph one [One --> two]\n\
                direction TB\n  a([BEGIN]) --> b\n  end\nclassDef red fill:#f00\nclass a,b red\n\
                style a fill:#bbf\nlinkStyle 0 stroke:red\nclick b \"x\" \"-->\"\n\
                a prose line, with (brackets\n\n  b --> c((END))\nend\n";
    assert_eq!(
        read(text).unwrap().outline(),
        "a Begin \"BEGIN\" -> b\nb Task \"b\" -> c\nc End \"END\" -> "
    );
    // Words of these kinds are also names.
    assert_eq!(arrows("classes-->styles\nEnd2 --> ended"), "classes>styles End2>ended");
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, told) in [
        ("A --> B[x\nB --> C", "line 1: the label that begins with [ is not closed"),
        ("\nA -->", "line 2: expected a node, found the end of the line"),
        ("A --> B B", "line 1: expected an arrow, found \"B\""),
        ("A -- x B", "line 1: an arrow has no end"),
        ("A -->|x B", "line 1: the label of an arrow is not closed with a bar"),
        ("A --> B[\"x]\nmore", "line 1: a quote is not closed"),
        ("A <--> B", "line 1: an arrow back is not possible here: write it as one of its own"),
        ("A --> B[x]\n\nB[y] --> C", "line 3: the node B is \"y\" here and \"x\" before"),
        ("A --> B", "line 1: there is no BEGIN node"),
        ("", "line 1: there is no BEGIN node"),
    ] {
        assert_eq!(error(text), told, "{text}");
    }
}

#[test]
fn time_is_linear() {
    let env_free = |text: &str| {
        let start = std::time::Instant::now();
        let _ = read(text);
        start.elapsed()
    };
    for piece in
        ["A --> ", "A[", "A -- ", "-", "|", "\"", "((", "A & ", "\\", "A[(\n", "n@{a:", "#", "A-"]
    {
        let took = env_free(&piece.repeat(400_000 / piece.len()));
        assert!(took.as_secs() < 3, "{piece:?} took {took:?}");
    }
}

fn piece() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "A",
        "B",
        "BEGIN",
        "END",
        "--",
        "-->",
        "->",
        "-.",
        ".->",
        "==",
        "==>",
        "~~~",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ">",
        "/",
        "\\",
        "\"",
        "|",
        "&",
        ";",
        "\n",
        " ",
        "%%",
        ":::",
        "@",
        "@{",
        "o",
        "x",
        "<br/>",
        "#35;",
        "#",
        "end",
        "subgraph ",
        "---",
        "é",
        "👩\u{200d}🔧",
        "\u{0}",
        "\r\n",
    ]);
    fixed.prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn nothing_breaks_it(pieces in prop::collection::vec(piece(), 0..60)) {
        let text = pieces.concat();
        if let Err(error) = read(&text) {
            prop_assert!(error.line >= 1 && error.line <= text.lines().count() + 1);
            prop_assert!(!error.message.contains('\n'));
        }
    }

    #[test]
    fn a_chain_has_every_arrow(
        ids in prop::collection::vec("[a-z][a-z0-9]{0,5}(-[a-z]{1,3})?", 2..8),
        spaced in any::<bool>(),
    ) {
        prop_assume!(ids.iter().all(|id| !LOOKS.contains(&id.as_str()) && id != "end"));
        prop_assume!(ids.iter().all(|id| !id.starts_with(['o', 'x']) && !id.contains("-o") && !id.contains("-x")));
        let text = ids.join(if spaced { " --> " } else { "-->" });
        let mut expected: Vec<String> =
            ids.windows(2).map(|pair| format!("{}>{}", pair[0], pair[1])).collect();
        let mut found: Vec<String> = arrows(&text).split(' ').map(str::to_owned).collect();
        expected.sort();
        found.sort();
        prop_assert_eq!(found, expected);
    }
}
