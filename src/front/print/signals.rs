//! The signals that end print mode.

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
#[cfg(unix)]
pub fn listen() -> std::io::Result<UnboundedReceiver<Signal>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (sender, signals) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                Some(()) = interrupt.recv() => Signal::Interrupt,
                Some(()) = terminate.recv() => Signal::Terminate,
                Some(()) = hangup.recv() => Signal::Terminate,
                () = sender.closed() => break,
                else => break,
            };
            if sender.send(signal).is_err() {
                break;
            }
        }
    });
    Ok(signals)
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
