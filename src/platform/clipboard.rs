//! The clipboard: through the terminal (OSC 52), through the desktop's helper programs, and last
//! through the window system itself.
//!
//! Over SSH only the terminal reaches the clipboard that the person sees, so nothing else is tried.

mod picture;

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::editor::find_program;
use super::env::Env;

/// The longest escape sequence, in bytes, that terminals are known to take; beyond it some drop
/// the sequence and some print it.
const OSC_LIMIT: usize = 100_000;
/// How often a helper program is looked after, and how many times: two seconds in all.
const GLANCE: Duration = Duration::from_millis(5);
const GLANCES: usize = 400;
/// The longest text, in bytes, that is read from the clipboard.
const READ_LIMIT: u64 = 16 * 1024 * 1024;

/// How much is read from a program, in bytes, and how often it is looked after until then.
struct Limit {
    bytes: u64,
    glances: usize,
}

const TEXT: Limit = Limit { bytes: READ_LIMIT, glances: GLANCES };

/// Why the clipboard could not be used.
#[derive(Debug, Error)]
pub enum ClipboardError {
    /// The text is too long for the terminal and nothing else took it.
    #[error(
        "The text is too long to copy through the terminal ({bytes} bytes) and no clipboard program \
         took it. Install wl-copy or xclip, or copy a smaller part."
    )]
    TooLong { bytes: usize },
    /// Nothing that holds a text could be read.
    #[error(
        "No text could be read from the clipboard. Paste with the terminal's own key, or install \
         wl-paste or xclip."
    )]
    Unreadable,
}

/// How a text was copied. Both ways may be used at once: they put the same text into the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// What the caller has to write to the terminal, in one piece; `None` when the text is too long
    /// for it.
    pub terminal: Option<Vec<u8>>,
    /// The name of the program that took the text, or `window system`.
    pub taken_by: Option<&'static str>,
}

/// The clipboard of the surroundings. Keeps serving the text that it gave to the window system for
/// as long as it lives.
pub struct Clipboard {
    env: Env,
    #[cfg(feature = "clipboard")]
    window_system: Option<arboard::Clipboard>,
}

/// A program that can write or read the clipboard.
struct ClipboardProgram {
    name: &'static str,
    arguments: &'static [&'static str],
}

const fn helper(name: &'static str, arguments: &'static [&'static str]) -> ClipboardProgram {
    ClipboardProgram { name, arguments }
}

impl Clipboard {
    /// The clipboard that these surroundings lead to.
    pub fn new(env: Env) -> Self {
        Self {
            env,
            #[cfg(feature = "clipboard")]
            window_system: None,
        }
    }

    /// Copies a text. Starts programs and waits up to two seconds for each: not for an async
    /// thread.
    pub fn copy(&mut self, text: &str) -> Result<Copied, ClipboardError> {
        let terminal = osc52(text, self.env.var("TMUX").is_some());
        let taken_by = self.copy_locally(text);
        if terminal.is_none() && taken_by.is_none() {
            return Err(ClipboardError::TooLong { bytes: text.len() });
        }
        Ok(Copied { terminal, taken_by })
    }

    /// Reads the text on the clipboard. Waits as [`Self::copy`] does.
    pub fn read(&mut self) -> Result<String, ClipboardError> {
        for helper in self.helpers(
            helper("wl-paste", &["--no-newline"]),
            [
                helper("xclip", &["-selection", "clipboard", "-out"]),
                helper("xsel", &["--clipboard", "--output"]),
            ],
            helper("pbpaste", &[]),
            helper("powershell.exe", &["-NoProfile", "-Command", "Get-Clipboard -Raw"]),
        ) {
            let Some(program) = find_program(helper.name, &self.env) else { continue };
            if let Some(bytes) = self.output_of(&program, helper.arguments) {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if !text.is_empty() {
                    return Ok(text);
                }
            }
        }
        self.read_from_window_system().ok_or(ClipboardError::Unreadable)
    }

    fn copy_locally(&mut self, text: &str) -> Option<&'static str> {
        for helper in self.helpers(
            helper("wl-copy", &[]),
            [
                helper("xclip", &["-selection", "clipboard", "-in"]),
                helper("xsel", &["--clipboard", "--input"]),
            ],
            helper("pbcopy", &[]),
            helper("clip.exe", &[]),
        ) {
            let Some(program) = find_program(helper.name, &self.env) else { continue };
            let input = if helper.name == "clip.exe" { utf16(text) } else { text.into() };
            if self.feed(&program, helper.arguments, input) {
                return Some(helper.name);
            }
        }
        self.copy_to_window_system(text).then_some("window system")
    }

    /// The helper programs for what these surroundings are, in order; none when the screen that the
    /// person sees is another machine's.
    fn helpers(
        &self,
        wayland: ClipboardProgram,
        x11: [ClipboardProgram; 2],
        mac: ClipboardProgram,
        windows: ClipboardProgram,
    ) -> Vec<ClipboardProgram> {
        let mut helpers = Vec::new();
        if self.is_remote() {
            return helpers;
        }
        if cfg!(target_os = "macos") {
            helpers.push(mac);
        }
        if self.env.var("WAYLAND_DISPLAY").is_some() {
            helpers.push(wayland);
        }
        if self.env.var("DISPLAY").is_some() {
            helpers.extend(x11);
        }
        let wsl = ["WSL_DISTRO_NAME", "WSL_INTEROP"].iter().any(|v| self.env.var(v).is_some());
        if cfg!(windows) || wsl {
            helpers.push(windows);
        }
        helpers
    }

    fn is_remote(&self) -> bool {
        ["SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"].iter().any(|v| self.env.var(v).is_some())
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.env.child_vars()).stderr(Stdio::null());
        command
    }

    /// Gives `input` to a program; whether it took it.
    fn feed(&self, program: &Path, arguments: &[&str], input: Vec<u8>) -> bool {
        // The program may leave a copy of itself behind, which must not hold on to our output.
        let mut command = self.command(program, arguments);
        let Ok(mut child) = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn() else {
            return false;
        };
        let Some(mut stdin) = child.stdin.take() else { return false };
        // A program that does not read is killed below, which ends the writing.
        let writing = thread::spawn(move || stdin.write_all(&input).is_ok());
        let done = wait(&mut child, GLANCES);
        done && writing.join().unwrap_or(false)
    }

    /// What a program prints, if it ends well and in time.
    fn output_of(&self, program: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
        self.output_within(program, arguments, &TEXT)
    }

    fn output_within(&self, program: &Path, arguments: &[&str], limit: &Limit) -> Option<Vec<u8>> {
        let mut command = self.command(program, arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().ok()?;
        let stdout = child.stdout.take()?;
        let most = limit.bytes;
        let reading = thread::spawn(move || {
            let mut bytes = Vec::new();
            stdout.take(most).read_to_end(&mut bytes).map(|_| bytes)
        });
        if !wait(&mut child, limit.glances) {
            return None;
        }
        reading.join().ok()?.ok()
    }

    #[cfg(feature = "clipboard")]
    fn window_system(&mut self) -> Option<&mut arboard::Clipboard> {
        let vars = ["DISPLAY", "WAYLAND_DISPLAY"];
        let screen = cfg!(any(target_os = "macos", windows))
            || vars.iter().any(|var| self.env.var(var).is_some());
        if self.is_remote() || !screen {
            return None;
        }
        if self.window_system.is_none() {
            self.window_system = arboard::Clipboard::new().ok();
        }
        self.window_system.as_mut()
    }

    #[cfg(feature = "clipboard")]
    fn copy_to_window_system(&mut self, text: &str) -> bool {
        self.window_system().is_some_and(|clipboard| clipboard.set_text(text).is_ok())
    }

    #[cfg(feature = "clipboard")]
    fn read_from_window_system(&mut self) -> Option<String> {
        self.window_system()?.get_text().ok().filter(|text| !text.is_empty())
    }

    #[cfg(not(feature = "clipboard"))]
    fn copy_to_window_system(&mut self, _text: &str) -> bool {
        false
    }

    #[cfg(not(feature = "clipboard"))]
    fn read_from_window_system(&mut self) -> Option<String> {
        None
    }
}

/// The escape sequence that puts `text` on the terminal's clipboard (OSC 52, xterm's control
/// sequences); `None` when it would be too long. Inside tmux it is written twice: for tmux itself,
/// and wrapped to be passed through to the terminal outside, since either may be switched off.
pub fn osc52(text: &str, tmux: bool) -> Option<Vec<u8>> {
    // Ended by ST: some terminals and multiplexers ring at a BEL, or pass it on.
    let plain = format!("\x1b]52;c;{}\x1b\\", STANDARD.encode(text));
    if plain.len() > OSC_LIMIT {
        return None;
    }
    let wrapped = if tmux {
        format!("\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b"))
    } else {
        String::new()
    };
    Some((plain + &wrapped).into_bytes())
}

/// What clip.exe takes for Unicode: UTF-16 with a byte order mark.
fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// Waits for a program to end well; kills it when it takes too long.
fn wait(child: &mut Child, glances: usize) -> bool {
    for _ in 0..glances {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => thread::sleep(GLANCE),
            Err(_) => break,
        }
    }
    // It may have ended by itself in the meantime.
    let _ = child.kill();
    let _ = child.wait();
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::editor::script::script;
    use super::super::env::fixed;
    use super::*;

    #[test]
    fn the_terminal_gets_the_text_in_one_sequence() {
        assert_eq!(osc52("hi 你", false).unwrap(), b"\x1b]52;c;aGkg5L2g\x1b\\");
        let expected = b"\x1b]52;c;aGk=\x1b\\\x1bPtmux;\x1b\x1b]52;c;aGk=\x1b\x1b\\\x1b\\";
        assert_eq!(osc52("hi", true).unwrap(), expected);
        assert_eq!(osc52(&"x".repeat(80_000), false), None);
    }

    #[test]
    fn without_a_display_only_the_terminal_is_used() {
        let mut clipboard = Clipboard::new(fixed::env("/nowhere", &[]));
        let copied = clipboard.copy("hi").unwrap();
        assert!(copied.terminal.is_some() && copied.taken_by.is_none());
        assert!(matches!(clipboard.copy(&"x".repeat(80_000)), Err(ClipboardError::TooLong { .. })));
        assert!(matches!(clipboard.read(), Err(ClipboardError::Unreadable)));
    }

    #[test]
    fn helpers_of_the_local_display_are_tried_in_order() {
        let bin = tempfile::tempdir().unwrap();
        let out = bin.path().join("out");
        script(&bin.path().join("wl-copy"), "exit 1");
        script(&bin.path().join("xclip"), "/bin/cat > \"$OUT\"; echo \"$@\" >> \"$OUT\"");
        let path = bin.path().to_str().unwrap();
        let mut vars = vec![
            ("PATH", path),
            ("OUT", out.to_str().unwrap()),
            ("DISPLAY", ":77"),
            ("WAYLAND_DISPLAY", "none"),
        ];
        let copied = Clipboard::new(fixed::env("/nowhere", &vars)).copy("text").unwrap();
        assert_eq!(copied.taken_by, Some("xclip"));
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "text-selection clipboard -in\n");

        vars.push(("SSH_TTY", "/dev/pts/1"));
        let copied = Clipboard::new(fixed::env("/nowhere", &vars)).copy("text").unwrap();
        assert_eq!(copied.taken_by, None, "over SSH the local display is not the person's");
    }

    #[test]
    fn text_is_read_from_helpers() {
        let bin = tempfile::tempdir().unwrap();
        script(&bin.path().join("xclip"), "exit 1");
        script(&bin.path().join("xsel"), "printf 'a\\nb'");
        let vars = [("PATH", bin.path().to_str().unwrap()), ("DISPLAY", ":77")];
        assert_eq!(Clipboard::new(fixed::env("/nowhere", &vars)).read().unwrap(), "a\nb");
    }

    #[test]
    fn clip_exe_gets_utf16() {
        assert_eq!(utf16("a你"), [0xff, 0xfe, b'a', 0, 0x60, 0x4f]);
    }
}
