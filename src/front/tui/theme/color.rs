//! How many colours the terminal has, and what becomes of the others.

use ratatui::style::{Color, Style};

use crate::platform::env::Env;

/// How many colours the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ColorSupport {
    /// No colours at all; bold, italic and the like stay.
    None,
    /// The sixteen of the terminal's palette.
    Ansi16,
    /// The 256 of xterm.
    Indexed,
    /// 24 bits.
    #[default]
    TrueColor,
}

impl ColorSupport {
    /// How a person calls it.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "no colours",
            Self::Ansi16 => "16 colours",
            Self::Indexed => "256 colours",
            Self::TrueColor => "true colour",
        }
    }

    /// What the surroundings say. In order: `NO_COLOR` and `CLICOLOR=0` ask for none, unless
    /// `FORCE_COLOR` (0 to 3) names a number by itself, which only `NO_COLOR` beats; inside tmux it is
    /// the 256 indices, which tmux always understands and hands on as they are; then `COLORTERM`
    /// and `TERM`.
    pub fn detect(env: &Env) -> Self {
        if env.var("NO_COLOR").is_some() {
            return Self::None;
        }
        let found = Self::of_terminal(env);
        match env.var("FORCE_COLOR") {
            Some("0" | "false" | "never") => Self::None,
            Some("1") => Self::Ansi16,
            Some("2") => Self::Indexed,
            Some("3") => Self::TrueColor,
            Some(_) => found.max(Self::Ansi16),
            None if env.var("CLICOLOR") == Some("0") => Self::None,
            None => found,
        }
    }

    fn of_terminal(env: &Env) -> Self {
        let term = env.var("TERM").unwrap_or_default();
        if term == "dumb" {
            return Self::None;
        }
        if env.var("TMUX").is_some() || term.starts_with("tmux") || term.starts_with("screen") {
            return Self::Indexed;
        }
        let depth = env.var("COLORTERM").unwrap_or_default();
        if matches!(depth, "truecolor" | "24bit")
            || term.ends_with("-direct")
            || env.var("WT_SESSION").is_some()
        {
            return Self::TrueColor;
        }
        let many = ["256color", "kitty", "alacritty", "ghostty", "wezterm", "foot"];
        if many.iter().any(|name| term.contains(name)) { Self::Indexed } else { Self::Ansi16 }
    }

    /// The style with the nearest colours that the terminal has.
    pub fn adapt(self, style: Style) -> Style {
        if self == Self::TrueColor {
            return style;
        }
        let adapt = |colour: Option<Color>| colour.and_then(|colour| self.nearest(colour));
        Style {
            fg: adapt(style.fg),
            bg: adapt(style.bg),
            underline_color: adapt(style.underline_color),
            ..style
        }
    }

    fn nearest(self, colour: Color) -> Option<Color> {
        match (self, colour) {
            (Self::None, _) => None,
            (Self::Indexed, Color::Rgb(r, g, b)) => Some(Color::Indexed(index_of([r, g, b]))),
            (Self::Ansi16, Color::Rgb(r, g, b)) => Some(basic_of([r, g, b])),
            (Self::Ansi16, Color::Indexed(index)) => Some(match BASIC.get(usize::from(index)) {
                Some((basic, _)) => *basic,
                None => basic_of(rgb_of(index)),
            }),
            (_, colour) => Some(colour),
        }
    }
}

/// A colour of the 256 that comes from elsewhere.
pub fn indexed(index: u8) -> Color {
    Color::Indexed(index)
}

/// A 24-bit colour that comes from elsewhere.
pub fn rgb(red: u8, green: u8, blue: u8) -> Color {
    Color::Rgb(red, green, blue)
}

/// The sixteen colours in the order of their indices, as xterm shows them.
const BASIC: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0, 0, 0]),
    (Color::Red, [205, 0, 0]),
    (Color::Green, [0, 205, 0]),
    (Color::Yellow, [205, 205, 0]),
    (Color::Blue, [0, 0, 238]),
    (Color::Magenta, [205, 0, 205]),
    (Color::Cyan, [0, 205, 205]),
    (Color::Gray, [229, 229, 229]),
    (Color::DarkGray, [127, 127, 127]),
    (Color::LightRed, [255, 0, 0]),
    (Color::LightGreen, [0, 255, 0]),
    (Color::LightYellow, [255, 255, 0]),
    (Color::LightBlue, [92, 92, 255]),
    (Color::LightMagenta, [255, 0, 255]),
    (Color::LightCyan, [0, 255, 255]),
    (Color::White, [255, 255, 255]),
];

/// The levels of the 6x6x6 cube of xterm.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

/// The colour of an index from 16 on.
fn rgb_of(index: u8) -> [u8; 3] {
    if index >= 232 {
        return [8 + 10 * (index - 232); 3];
    }
    let cell = usize::from(index.saturating_sub(16));
    [cell / 36, cell / 6 % 6, cell % 6].map(|level| CUBE.get(level).copied().unwrap_or(0))
}

/// The index from 16 on that is nearest; the first sixteen are the user's palette, not known.
fn index_of(rgb: [u8; 3]) -> u8 {
    (16..=255).min_by_key(|index| distance(rgb, rgb_of(*index))).unwrap_or(16)
}

/// The nearest of the sixteen. A colour with a hue never turns grey, or its meaning would be lost.
fn basic_of(rgb: [u8; 3]) -> Color {
    let spread = |[r, g, b]: [u8; 3]| r.max(g).max(b) - r.min(g).min(b);
    let coloured = spread(rgb) > 48;
    BASIC
        .iter()
        .filter(|(_, candidate)| !coloured || spread(*candidate) > 0)
        .min_by_key(|(_, candidate)| distance(rgb, *candidate))
        .map_or(Color::Gray, |(basic, _)| *basic)
}
