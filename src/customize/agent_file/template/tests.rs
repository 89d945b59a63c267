use std::fs;

use super::*;

/// Renders the prompt `main.md` of these files.
fn render(files: &[(&str, &str)]) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let main = PromptFile::Disk(dir.path().join("main.md"));
    let values = [("A", "x"), ("EMPTY", ""), ("MARKS", "${A} {% if %}")];
    let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    let value = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, v)| *v);
    Template::load(&main, &names)
        .map(|template| template.render(&value))
        .map_err(|error| error.to_string().replace(&format!("{}/", dir.path().display()), ""))
}

fn main(text: &str) -> Result<String, String> {
    render(&[("main.md", text)])
}

#[test]
fn values_are_put_in_place_once() {
    assert_eq!(
        main("\n a ${A}${ A }${EMPTY}. $A {A} {{ A }} ${MARKS}\n\n").unwrap(),
        "a xx. $A {A} {{ A }} ${A} {% if %}"
    );
    assert_eq!(main("").unwrap(), "");
    assert_eq!(main("${'a}b'}").unwrap(), "a}b");
}

#[test]
fn conditions_choose() {
    let text = "{% if EMPTY %}one{% elif A == 'x' %}two{% else %}three{% endif %}!";
    assert_eq!(main(text).unwrap(), "two!");
    assert_eq!(main("{% if A %}{% if EMPTY %}a{% else %}b{% endif %}{% endif %}c").unwrap(), "bc");
    assert_eq!(main("{% if NEW is defined %}${NEW}{% else %}old{% endif %}").unwrap(), "old");
    assert_eq!(main("{% if A is defined %}${A}{% else %}${NEW}{% endif %}").unwrap(), "x");
}

#[test]
fn tags_on_lines_of_their_own_leave_no_lines() {
    let text = "a\n{% if A %}\nb\n  {% endif %}\nc {# not this\n#}\nd";
    assert_eq!(main(text).unwrap(), "a\nb\nc d");
    assert_eq!(main("e {%- if A -%}\n f {%+ endif %} g").unwrap(), "ef  g");
    assert_eq!(main("a\r\n{% if A %}\r\nb{% endif %}\r\nc").unwrap(), "a\r\nbc");
}

#[test]
fn raw_text_means_itself() {
    let text = "{% raw %}${HOME} {% if %} {#{% endraw %} ${A}";
    assert_eq!(main(text).unwrap(), "${HOME} {% if %} {# x");
}

#[test]
fn files_are_included_from_below_the_prompt() {
    let files = [
        ("main.md", "a {% include 'parts/b.md' %} c"),
        ("parts/b.md", "${A}{% include \"parts/d.md\" %}"),
        ("parts/parts/d.md", "d"),
    ];
    assert_eq!(render(&files).unwrap(), "a xd c");
    for name in ["../x.md", "/etc/passwd", "", "a/../../b"] {
        let error = main(&format!("{{% include '{name}' %}}")).unwrap_err();
        assert!(error.contains("not below its own directory"), "{error}");
    }
    assert_eq!(
        main("a\n{% include 'no.md' %}").unwrap_err(),
        "System prompt no.md: there is no such file. It is included by main.md."
    );
}

#[test]
fn includes_without_end_are_noticed() {
    let error = main("{% include 'main.md' %}").unwrap_err();
    assert!(error.contains("includes itself"), "{error}");
    let error = main("{% include 'main.md' %}{% include 'main.md' %}").unwrap_err();
    assert!(error.contains("includes"), "{error}");
    let long = "x".repeat(1 << 19);
    let many = "{% include 'long.md' %}".repeat(20);
    let error = render(&[("main.md", &many), ("long.md", &long)]).unwrap_err();
    assert!(error.contains("too long"), "{error}");
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, told) in [
        (
            "a\n${NEW}",
            "System prompt main.md: line 2: the variable `NEW` has no value. Give it one in `system_prompt_args`",
        ),
        ("\u{feff}\n\n a\n${NEW}", "line 4: the variable"),
        ("{% if NEW %}{% endif %}", "the variable `NEW` has no value"),
        ("${HOME:-x}", "`:` is not understood in `HOME:-x`. Write {% raw %}"),
        ("a\n\n${A", "line 3: `${` has no end. Write {% raw %}"),
        ("{# a", "`{#` has no end"),
        ("{% if A", "`{%` has no end"),
        ("{% if A %}x", "an `{% if %}` has no `{% endif %}`"),
        ("x{% endif %}", "`{% endif %}` has no `{% if %}` before it"),
        ("{% if A %}{% else %}{% else %}{% endif %}", "`{% else %}` is out of place"),
        ("{% for a in b %}", "`{% for %}` is not understood"),
        ("{% raw %}x", "`{% raw %}` has no `{% endraw %}`"),
        ("{% include A %}", "a file name in quotes"),
    ] {
        let error = main(text).unwrap_err();
        assert!(error.contains(told) && !error.contains('\n'), "{text}: {error}");
    }
    let deep = "{% if A %}".repeat(100);
    assert!(main(&deep).unwrap_err().contains("nested too deeply"));
}
