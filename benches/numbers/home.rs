//! A home directory of its own with a configured model, and the program in it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::server::Server;
use crate::terminal::Terminal;

/// The program, built with optimisation, or the one that `KIMI_BENCH_PROGRAM` names, to compare two.
pub fn program() -> PathBuf {
    let other = std::env::var_os("KIMI_BENCH_PROGRAM");
    other.map_or_else(|| env!("CARGO_BIN_EXE_kimi").into(), PathBuf::from)
}

/// A fresh home with an empty work directory. Removed when dropped.
pub struct Home {
    root: TempDir,
}

impl Home {
    /// A home whose model is `server`.
    pub fn new(server: &Server) -> Self {
        let home = Self { root: tempfile::tempdir().expect("a directory") };
        std::fs::create_dir_all(home.share()).expect("a directory");
        std::fs::create_dir_all(home.work_dir()).expect("a directory");
        let config = format!(
            "default_model = \"bench\"\ndefault_thinking = true\n\
             [providers.bench]\ntype = \"kimi\"\nbase_url = \"http://{}/v1\"\napi_key = \"k\"\n\
             [models.bench]\nprovider = \"bench\"\nmodel = \"bench\"\nmax_context_size = 1000000\n\
             capabilities = [\"thinking\"]\n",
            server.address
        );
        std::fs::write(home.share().join("config.toml"), config).expect("a file");
        home
    }

    /// The data directory.
    pub fn share(&self) -> PathBuf {
        self.root.path().join(".kimi")
    }

    /// The work directory.
    pub fn work_dir(&self) -> PathBuf {
        self.root.path().join("project")
    }

    fn env(&self) -> Vec<(String, String)> {
        let home = self.root.path().display().to_string();
        let mut env = vec![
            ("HOME".to_owned(), home),
            ("USER".to_owned(), "bench".to_owned()),
            ("TERM".to_owned(), "xterm-256color".to_owned()),
            ("COLORTERM".to_owned(), "truecolor".to_owned()),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ];
        env.extend(std::env::var("PATH").map(|path| ("PATH".to_owned(), path)));
        env
    }

    /// The program on its screen.
    pub fn screen(&self, args: &[&str]) -> Terminal {
        Terminal::start(&program(), args, &self.env(), &self.work_dir())
    }

    /// How long a run takes from its start to its end. It has to go well.
    pub fn run(&self, args: &[&str]) -> Duration {
        let mut command = Command::new(program());
        command.args(args).env_clear().envs(self.env()).current_dir(self.work_dir());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let status = command.status().expect("the program starts");
        let took = start.elapsed();
        assert!(status.success(), "{args:?} ended with {status}");
        took
    }
}
