use super::*;
use crate::platform::env::fixed;

fn support(vars: &[(&str, &str)]) -> ColorSupport {
    ColorSupport::detect(&fixed::env("/home/u", vars))
}

#[test]
fn built_in_themes_are_whole_and_without_fault() {
    for name in Theme::builtin_names() {
        let (theme, warnings) = Theme::load(name, None);
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(theme.name, name);
        assert!(!theme.syntax.is_empty());
        let mut seen = Vec::new();
        let text = file::builtin(name).unwrap();
        let file = ThemeFile::parse(name, text, &mut seen);
        assert!(file.extends.is_some() || file.tones.len() == Tone::ALL.len(), "{name}");
    }
}

#[test]
fn the_indices_that_programs_read_are_fixed() {
    let contract = [
        (Tone::Thinking, 244),
        (Tone::User, 222),
        (Tone::AnswerAfterTools, 253),
        (Tone::Spinner, 111),
        (Tone::Attention, 215),
        (Tone::Selected, 116),
        (Tone::Status, 242),
    ];
    for (tone, index) in contract {
        let style = Style::new().fg(Color::Indexed(index));
        assert_eq!(Theme::dark().style(tone), style);
        for name in Theme::builtin_names() {
            let theme = Theme::load(name, None).0.for_multiplexer();
            assert_eq!(theme.support(), ColorSupport::Indexed);
            assert_eq!(theme.style(tone), style, "{name}");
            let tool_name = Style::new().fg(Color::Indexed(111)).add_modifier(Modifier::BOLD);
            assert_eq!(theme.style(Tone::ToolName), tool_name, "{name}");
        }
    }
    let light = Theme::load("light", None).0;
    assert_eq!(light.style(Tone::Thinking).fg, Some(Color::Indexed(244)));
}

#[test]
fn a_users_theme_extends_and_its_faults_are_named_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("mine.toml"),
        "extends = \"light\"\ncolour = 1\n[tones]\nerror = \"bold #010203 on 7\"\nuser = 9\n\
         link = \"pink-ish\"\nnose = \"1\"\ninfo = true\nquote = \"300\"\n",
    )
    .unwrap();
    let (theme, warnings) = Theme::load("mine", Some(dir.path()));
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    let error = Style::new().fg(Color::Rgb(1, 2, 3)).bg(Color::Indexed(7));
    assert_eq!(theme.style(Tone::Error), error.add_modifier(Modifier::BOLD));
    assert_eq!(theme.style(Tone::User).fg, Some(Color::Indexed(9)));
    let light = Theme::load("light", None).0;
    assert_eq!(theme.style(Tone::Link), light.style(Tone::Link));
    assert_eq!(theme.syntax, light.syntax);
}

#[test]
fn hostile_names_files_and_circles_end_in_the_dark_theme() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| std::fs::write(dir.path().join(name), text).unwrap();
    write("a.toml", b"extends = \"b\"");
    write("b.toml", b"extends = \"a\"");
    write("dark.toml", b"extends = \"dark\"\n[tones]\nerror = \"1\"");
    write("bad.toml", b"\xff\xfe\0");
    write("torn.toml", b"[tones\nerror = ");
    write("huge.toml", &vec![b'#'; 100_000]);
    for name in ["a", "bad", "torn", "huge", "../etc/passwd", "", "none"] {
        let (theme, warnings) = Theme::load(name, Some(dir.path()));
        assert!(!warnings.is_empty(), "{name}");
        assert_eq!(theme.style(Tone::Warning), Theme::dark().style(Tone::Warning));
    }
    let names = Theme::names(Some(dir.path()));
    assert_eq!(names[5..], ["a", "b", "bad", "huge", "torn"]);
    let (theme, warnings) = Theme::load("dark", Some(dir.path()));
    assert!(warnings.is_empty());
    assert_eq!(theme.style(Tone::Error).fg, Some(Color::Indexed(1)));
}

#[test]
fn colours_are_detected_from_the_surroundings() {
    use ColorSupport::{Ansi16, Indexed, None, TrueColor};
    assert_eq!(support(&[("TERM", "xterm")]), Ansi16);
    assert_eq!(support(&[("TERM", "xterm-256color")]), Indexed);
    let truecolor = ("COLORTERM", "truecolor");
    assert_eq!(support(&[("TERM", "xterm-256color"), truecolor]), TrueColor);
    assert_eq!(support(&[("TERM", "screen"), truecolor, ("TMUX", "/tmp/x,1,0")]), Indexed);
    assert_eq!(support(&[("TERM", "dumb"), truecolor]), None);
    assert_eq!(support(&[truecolor, ("NO_COLOR", "1"), ("FORCE_COLOR", "3")]), None);
    assert_eq!(support(&[truecolor, ("NO_COLOR", "")]), TrueColor);
    assert_eq!(support(&[("TERM", "dumb"), ("FORCE_COLOR", "true")]), Ansi16);
    assert_eq!(support(&[("FORCE_COLOR", "3"), ("CLICOLOR", "0")]), TrueColor);
    assert_eq!(support(&[truecolor, ("CLICOLOR", "0")]), None);
}

#[test]
fn the_default_theme_follows_the_terminal() {
    let name = |vars: &[(&str, &str)]| Theme::default_name(&fixed::env("/home/u", vars));
    assert_eq!(name(&[("TERM", "xterm-256color")]), "dark");
    assert_eq!(name(&[("TERM", "xterm-256color"), ("COLORFGBG", "0;15")]), "light");
    assert_eq!(name(&[("TERM", "xterm"), ("COLORFGBG", "0;15")]), "ansi");
}

#[test]
fn styles_are_rounded_to_what_the_terminal_has() {
    let style = Style::new().fg(Color::Rgb(250, 5, 5)).bg(Color::Indexed(244));
    let bold = style.add_modifier(Modifier::BOLD);
    let on = |support: ColorSupport| Theme::dark().with_support(support).adapt(bold);
    assert_eq!(on(ColorSupport::TrueColor), bold);
    assert_eq!(on(ColorSupport::Indexed).fg, Some(Color::Indexed(196)));
    let foreign = Style::new().fg(Color::Indexed(244));
    assert_eq!(Theme::dark().adapt(foreign).fg, Some(Color::Indexed(245)));
    assert_eq!(on(ColorSupport::Indexed).bg, Some(Color::Indexed(244)));
    assert_eq!(on(ColorSupport::Ansi16).fg, Some(Color::LightRed));
    assert_eq!(on(ColorSupport::Ansi16).bg, Some(Color::DarkGray));
    assert_eq!(on(ColorSupport::None), Style::new().add_modifier(Modifier::BOLD));
    let user = Theme::dark().with_support(ColorSupport::Ansi16).style(Tone::User);
    assert_eq!(user.fg, Some(Color::LightYellow));
}
