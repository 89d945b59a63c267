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

/// Runs a command to its end, as a tool does.
async fn run(
    command: Command,
    timeout: Duration,
    cancel: &CancellationToken,
    output: &mut dyn Output,
) -> io::Result<End> {
    let mut running = Running::start(command)?;
    let how = Attendance { timeout: Some(timeout), cancel, grace: GRACE, let_go: None };
    let end = running.attend(how, output).await;
    tokio::spawn(running.drain());
    end
}

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

async fn wait_until(what: impl Fn() -> bool) {
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
    assert!(start.elapsed() < LONG);
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
    wait_until(|| mark.exists()).await;
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
    wait_until(|| !is_running(pid)).await;
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
    wait_until(|| !is_running(pid)).await;
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
    wait_until(|| !read_pid(&path).is_empty()).await;
    task.abort();
    let pid = read_pid(&path);
    wait_until(|| !is_running(&pid)).await;
}

#[tokio::test]
async fn what_cannot_start_is_an_error() {
    let mut command = bash("true");
    command.current_dir("/nonexistent");
    let mut text = Text::default();
    assert!(run(command, LONG, &CancellationToken::new(), &mut text).await.is_err());
}

/// Lets go at the first output.
struct LetGoAtFirst(CancellationToken, Text);

impl Output for LetGoAtFirst {
    fn bytes(&mut self, bytes: &[u8]) {
        self.1.bytes(bytes);
        self.0.cancel();
    }

    fn pause(&mut self) {}
}

#[tokio::test]
async fn what_is_let_go_runs_on_and_can_be_attended_again() {
    let dir = tempfile::tempdir().unwrap();
    let go = dir.path().join("go");
    let line = format!("echo one; until [ -e {} ]; do sleep 0.02; done; echo two", go.display());
    let mut running = Running::start(bash(&line)).unwrap();
    let (cancel, let_go) = (CancellationToken::new(), CancellationToken::new());
    let mut first = LetGoAtFirst(let_go.clone(), Text::default());
    let how = |let_go| Attendance { timeout: None, cancel: &cancel, grace: GRACE, let_go };
    let end = running.attend(how(Some(&let_go)), &mut first).await.unwrap();
    assert_eq!((end, first.1.text().as_str()), (End::LetGo, "one\n"));
    assert!(running.id().is_some_and(is_alive));
    std::fs::write(&go, "").unwrap();
    let mut rest = Text::default();
    let end = running.attend(how(None), &mut rest).await.unwrap();
    assert_eq!((exit_code(end), rest.text().as_str()), (Some(0), "two\n"));
    assert_eq!(running.id(), None);
}

#[tokio::test]
async fn an_orphan_is_killed_only_if_it_carries_a_mark() {
    let mut command = bash("sleep 100");
    command.env("KIMI_TEST_MARK", "7");
    let running = Running::start(command).unwrap();
    let leader = running.id().unwrap();
    // The mark is there once the shell has taken the place of the fork.
    wait_until(|| {
        std::fs::read(format!("/proc/{leader}/environ"))
            .is_ok_and(|all| all.windows(16).any(|part| part == b"KIMI_TEST_MARK=7"))
    })
    .await;
    assert!(!kill_orphan(leader, &["KIMI_TEST_MARK=8".to_owned()]));
    assert!(!kill_orphan(1, &[]) && !kill_orphan(0, &[]) && !kill_orphan(-5, &[]));
    assert!(kill_orphan(leader, &["A=1".to_owned(), "KIMI_TEST_MARK=7".to_owned()]));
    wait_until(|| !is_running(&leader.to_string())).await;
}

/// A child in a session of its own hears no signal of the group.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_has_left_the_group_ends_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let line = format!("setsid sleep 300 & echo $! >{}; echo there; wait", file.display());
    let cancel = CancellationToken::new();
    let ended = {
        let (cancel, line) = (cancel.clone(), line.clone());
        tokio::spawn(async move { run(bash(&line), LONG, &cancel, &mut Text::default()).await })
    };
    wait_until(|| own_session(&read_pid(&file))).await;
    cancel.cancel();
    assert_eq!(ended.await.unwrap().unwrap(), End::Cancelled);
    assert!(!is_running(&read_pid(&file)));
    // The same when nobody waits for the end.
    std::fs::remove_file(&file).unwrap();
    let running = Running::start(bash(&line)).unwrap();
    wait_until(|| own_session(&read_pid(&file))).await;
    drop(running);
    wait_until(|| !is_running(&read_pid(&file))).await;
}

/// Nor does it outlive a command whose outputs are wanted apart.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_has_left_the_group_ends_when_the_time_of_the_command_is_up() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    // Ended by nothing but the last signal.
    let stray = "trap '' TERM; for n in {1..600}; do sleep 0.1; done";
    let line = format!("setsid bash -c \"{stray}\" & echo $! >{}; wait", file.display());
    let time = Duration::from_secs(3);
    let ran = capture(bash(&line), Vec::new(), time, 100, Leftovers::Kept).await.unwrap();
    assert_eq!(ran.end, End::TimedOut);
    assert_ne!(read_pid(&file), "");
    wait_until(|| !is_running(&read_pid(&file))).await;
}

/// Whether it leads a session, which it does from a moment after its start on.
#[cfg(target_os = "linux")]
fn own_session(pid: &str) -> bool {
    let pid = pid.parse().ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::getsid(Some(pid)).is_ok_and(|session| session == pid))
}
