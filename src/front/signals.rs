//! The signals that end a front end without a screen.

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A request from outside to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: a person pressed ctrl-c.
    Interrupt,
    /// SIGTERM or SIGHUP: a program ends us.
    Terminate,
}

/// Listens to the process's signals from now on. Needs a running runtime.
///
/// A signal that the process was started to ignore, by `nohup` or as a background job of a script,
/// stays ignored. SIGTERM is always heard.
#[cfg(unix)]
pub fn listen() -> std::io::Result<UnboundedReceiver<Signal>> {
    use tokio::signal::unix::SignalKind;

    let mut interrupt = unless_ignored(SignalKind::interrupt())?;
    let mut terminate = Some(tokio::signal::unix::signal(SignalKind::terminate())?);
    let mut hangup = unless_ignored(SignalKind::hangup())?;
    let (sender, signals) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                () = raised(&mut interrupt) => Signal::Interrupt,
                () = raised(&mut terminate) => Signal::Terminate,
                () = raised(&mut hangup) => Signal::Terminate,
                () = sender.closed() => break,
            };
            if sender.send(signal).is_err() {
                break;
            }
        }
    });
    Ok(signals)
}

#[cfg(unix)]
fn unless_ignored(
    kind: tokio::signal::unix::SignalKind,
) -> std::io::Result<Option<tokio::signal::unix::Signal>> {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with a null pointer for the new action this only reads the present one into `action`,
    // for which zeroes are a valid value.
    let ignored = unsafe {
        libc::sigaction(kind.as_raw_value(), std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    };
    if ignored { Ok(None) } else { tokio::signal::unix::signal(kind).map(Some) }
}

/// Waits for the signal; for ever when it is not listened to.
#[cfg(unix)]
async fn raised(signal: &mut Option<tokio::signal::unix::Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

/// Listens to ctrl-c from now on. Needs a running runtime.
#[cfg(not(unix))]
pub fn listen() -> std::io::Result<UnboundedReceiver<Signal>> {
    let (sender, signals) = unbounded_channel();
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if sender.send(Signal::Interrupt).is_err() {
                break;
            }
        }
    });
    Ok(signals)
}
