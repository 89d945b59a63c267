//! The real binary in real tmux panes, read as an orchestrator reads them.

mod agreement;
mod core;
mod fleet;
mod goal;
mod layout;
mod matrix;
mod readers;
mod samples;
mod servers;
mod side_door;
mod turns;
mod watched;

use std::ops::Deref;

use crate::support::screen::is_idle;
use crate::support::tmux::Tmux;
use crate::tui::world::World;

/// The program in a pane.
pub struct Pane {
    tmux: Tmux,
}

impl Deref for Pane {
    type Target = Tmux;

    fn deref(&self) -> &Tmux {
        &self.tmux
    }
}

impl Pane {
    /// Starts `kimi` with these arguments in a shell, which says `left=STATUS` at its end.
    pub fn start(world: &World, args: &str, more: &str, size: (u16, u16)) -> Self {
        let pane = Self::open(world, more, size);
        pane.run_kimi(args);
        pane
    }

    /// A shell in the project directory.
    fn open(world: &World, more: &str, size: (u16, u16)) -> Self {
        let env: String =
            world.env().iter().map(|(name, value)| format!("{name}='{value}' ")).collect();
        // TERM is what tmux says; what is ours in the environment of the tests goes.
        let env = env.replace("TERM='xterm-256color' ", "");
        let line = format!(
            "cd '{}' && exec env -i TERM=$TERM TMUX=$TMUX {env}{more} PS1='sh> ' ENV= sh -i",
            world.work().display()
        );
        let pane = Self { tmux: Tmux::start(&line, size.0, size.1) };
        pane.wait_for("the shell", |rows| rows.iter().any(|row| row == "sh>"));
        pane
    }

    /// Starts the program at the shell's prompt and waits for its own.
    pub fn run_kimi(&self, args: &str) {
        self.type_text(&format!("{} {args}; echo left=$?", env!("CARGO_BIN_EXE_kimi")));
        self.send_keys(&["Enter"]);
        self.wait_for("the prompt", is_idle);
    }

    /// Pastes a message, sends it, and waits for its echo.
    pub fn ask(&self, text: &str) {
        let before = echoes(&self.history());
        self.paste(text);
        let last = text.lines().last().unwrap_or_default().to_owned();
        self.wait_for("the pasted text", |rows| rows.iter().any(|row| row.ends_with(&last)));
        self.send_keys(&["Enter"]);
        self.wait_for("the echo", |_| echoes(&self.history()) > before);
    }

    /// Waits until the text is on the screen.
    pub fn wait_text(&self, text: &str) -> Vec<String> {
        self.wait_for(text, |rows| rows.iter().any(|row| row.contains(text)))
    }

    /// Waits until so many turns have ended and the prompt is back; the history and the screen.
    pub fn wait_closed(&self, count: usize) -> Vec<String> {
        self.wait_for("the closing row", |_| closings(&self.history()) >= count);
        self.wait_for("the prompt", is_idle);
        self.history()
    }
}

pub fn echoes(rows: &[String]) -> usize {
    crate::tui::world::echoes(rows)
}

pub fn closings(rows: &[String]) -> usize {
    crate::tui::world::closings(rows)
}
