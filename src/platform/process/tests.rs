use super::*;
use std::path::Path;

#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    pauses: usize,
}

impl Output for Text {
    fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn pause(&mut self) {
        self.pauses += 1;
    }
}

impl Text {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

fn bash(line: &str) -> Command {
    let mut command = Command::new(crate::platform::shell::detect());
    command.arg("-c").arg(line);
    command
}

const LONG: Duration = Duration::from_secs(30);

async fn run_line(line: &str, timeout: Duration) -> (End, Text) {
    let mut text = Text::default();
    let end = run(bash(line), timeout, &CancellationToken::new(), &mut text).await.unwrap();
    (end, text)
}

fn exit_code(end: End) -> Option<i32> {
    match end {
        End::Exited(status) => status.code(),
        other => panic!("{other:?}"),
    }
}

fn is_running(pid: &str) -> bool {
    // A dead process that nobody has collected yet is not running.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..500 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never happened");
}

fn read_pid(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

#[tokio::test]
async fn both_outputs_come_in_order() {
    let (end, text) =
        run_line("for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done; exit 3", LONG).await;
    assert_eq!(exit_code(end), Some(3));
    let expected: String = (1..=5).map(|i| format!("out {i}\nerr {i}\n")).collect();
    assert_eq!(text.text(), expected);
    assert!(text.pauses >= 1);
}

#[tokio::test]
async fn there_is_no_input_and_no_terminal() {
    let (end, text) = run_line("cat; (: </dev/tty) 2>/dev/null && echo tty; echo done", LONG).await;
    assert_eq!((exit_code(end), text.text().as_str()), (Some(0), "done\n"));
}

#[tokio::test]
async fn a_line_of_any_length_comes_through() {
    let (_, text) = run_line("head -c 300000 /dev/zero | tr '\\0' x", LONG).await;
    assert_eq!(text.bytes.len(), 300_000);
}

#[tokio::test]
async fn something_left_running_is_not_waited_for() {
    let start = std::time::Instant::now();
    let (end, text) = run_line("sleep 100 & echo $!", LONG).await;
    assert_eq!(exit_code(end), Some(0));
    assert!(start.elapsed() < Duration::from_secs(10));
    let pid = text.text().trim().to_owned();
    assert!(is_running(&pid), "a server that was started stays");
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[tokio::test]
async fn something_left_running_may_go_on_writing() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    let go = dir.path().join("go");
    let line = format!(
        "(until [ -e {0} ]; do sleep 0.02; done; echo late; echo later; touch {1}) & echo now",
        go.display(),
        mark.display()
    );
    let (_, text) = run_line(&line, LONG).await;
    assert_eq!(text.text(), "now\n");
    std::fs::write(&go, "").unwrap();
    until(|| mark.exists()).await;
}

/// Cancels at the first output.
struct CancelAtFirst {
    cancel: CancellationToken,
    text: Text,
}

impl Output for CancelAtFirst {
    fn bytes(&mut self, bytes: &[u8]) {
        self.text.bytes(bytes);
        self.cancel.cancel();
    }

    fn pause(&mut self) {
        self.text.pause();
    }
}

async fn run_until_output(line: &str) -> (End, String) {
    let cancel = CancellationToken::new();
    let mut output = CancelAtFirst { cancel: cancel.clone(), text: Text::default() };
    let end = run(bash(line), LONG, &cancel, &mut output).await.unwrap();
    (end, output.text.text())
}

#[tokio::test]
async fn a_timeout_ends_it() {
    let (end, _) = run_line("sleep 100", Duration::from_millis(50)).await;
    assert_eq!(end, End::TimedOut);
}

#[tokio::test]
async fn grandchildren_end_too() {
    let (end, text) = run_until_output("(sleep 100 & echo $!; wait) & wait").await;
    assert_eq!(end, End::Cancelled);
    let pid = text.trim();
    until(|| !is_running(pid)).await;
}

#[tokio::test]
async fn who_ignores_the_signal_is_killed_after_the_grace() {
    let start = std::time::Instant::now();
    let line = "trap 'echo no' TERM; echo $$; while :; do sleep 0.1; done";
    let (end, text) = run_until_output(line).await;
    assert_eq!(end, End::Cancelled);
    assert!(start.elapsed() >= GRACE);
    assert!(text.contains("no\n"), "what is written in the grace is kept");
    let pid = text.lines().next().unwrap();
    until(|| !is_running(pid)).await;
}

#[tokio::test]
async fn dropping_the_future_kills_everything() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pid");
    let line = format!("(sleep 100 & echo $! > {}; wait) & wait", path.display());
    let task = tokio::spawn(async move {
        let mut text = Text::default();
        run(bash(&line), LONG, &CancellationToken::new(), &mut text).await.unwrap()
    });
    until(|| !read_pid(&path).is_empty()).await;
    task.abort();
    let pid = read_pid(&path);
    until(|| !is_running(&pid)).await;
}

#[tokio::test]
async fn what_cannot_start_is_an_error() {
    let mut command = bash("true");
    command.current_dir("/nonexistent");
    let mut text = Text::default();
    assert!(run(command, LONG, &CancellationToken::new(), &mut text).await.is_err());
}
