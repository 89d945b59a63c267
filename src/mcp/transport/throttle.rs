//! Slows down a server that says more than anybody asked for.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt;
use rmcp::RoleClient;
use rmcp::model::{JsonRpcMessage, ServerNotification};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

/// After so many messages that answer nothing, reading pauses.
const BURST: u32 = 100;
/// For how long: at most 2,000 such messages a second are read, whatever the server sends.
const PAUSE: Duration = Duration::from_millis(50);
/// Notifications that end here cost little, and an answer may stand behind many of them: so many are
/// read at once after an answer before they count as the others do.
const SPARE: u32 = 200_000;
/// Log messages that are passed on in a while; the rest of them end here.
const MOST_LOGGED: u32 = 500;
const WHILE: Duration = Duration::from_secs(1);

/// A transport that passes on answers as they come, and the rest at a bounded rate. Notifications
/// that nobody waits for end here.
pub(in crate::mcp) struct Throttled<T> {
    inner: T,
    unasked: u32,
    /// Notifications for nobody that may still be read without a pause.
    spare: u32,
    /// Log messages passed on in this while, and its end.
    logged: u32,
    while_ends: Option<Pin<Box<Sleep>>>,
    pause: Option<Pin<Box<Sleep>>>,
    gone: CancellationToken,
}

impl<T> Throttled<T> {
    pub fn new(inner: T) -> Self {
        Self {
            inner,
            unasked: 0,
            spare: SPARE,
            logged: 0,
            while_ends: None,
            pause: None,
            gone: CancellationToken::new(),
        }
    }

    /// Cancels this when nothing more comes: what is behind still gives answers their time then.
    pub fn telling(self, gone: CancellationToken) -> Self {
        Self { gone, ..self }
    }

    /// Whether one more log message is passed on. An answer that stands behind many of them does not
    /// wait for them: those that are too many are not slowed down, but end here.
    fn admit_log(&mut self) -> bool {
        if self.while_ends.as_mut().is_none_or(|end| end.now_or_never().is_some()) {
            self.while_ends = Some(Box::pin(tokio::time::sleep(WHILE)));
            self.logged = 0;
        }
        self.logged = self.logged.saturating_add(1);
        self.logged <= MOST_LOGGED
    }

    /// Counts a message; returns whether it is passed on.
    fn admit(&mut self, message: &RxJsonRpcMessage<RoleClient>) -> bool {
        let wanted = match message {
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {
                self.spare = SPARE;
                return true;
            }
            JsonRpcMessage::Request(_) => true,
            JsonRpcMessage::Notification(message)
                if matches!(
                    message.notification,
                    ServerNotification::LoggingMessageNotification(_)
                ) =>
            {
                if self.admit_log() {
                    return true;
                }
                false
            }
            JsonRpcMessage::Notification(message) => matches!(
                message.notification,
                ServerNotification::ToolListChangedNotification(_)
                    | ServerNotification::PromptListChangedNotification(_)
                    | ServerNotification::ResourceListChangedNotification(_)
                    | ServerNotification::CancelledNotification(_)
                    | ServerNotification::ProgressNotification(_)
            ),
        };
        if !wanted && self.spare > 0 {
            self.spare -= 1;
            return false;
        }
        self.unasked += 1;
        if self.unasked >= BURST {
            self.unasked = 0;
            self.pause = Some(Box::pin(tokio::time::sleep(PAUSE)));
        }
        wanted
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Throttled<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            // Kept in `self`: this future is dropped and made anew while it waits.
            if let Some(pause) = &mut self.pause {
                pause.await;
                self.pause = None;
            }
            let Some(message) = self.inner.receive().await else {
                self.gone.cancel();
                return None;
            };
            if self.admit(&message) {
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tokio::time::Instant;

    /// Says the same for ever.
    struct Babbler(serde_json::Value);

    impl Transport<RoleClient> for Babbler {
        type Error = std::io::Error;

        fn send(
            &mut self,
            _: TxJsonRpcMessage<RoleClient>,
        ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
            std::future::ready(Ok(()))
        }

        async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
            serde_json::from_value(self.0.clone()).ok()
        }

        async fn close(&mut self) -> Result<(), Self::Error> {
            Ok(())
        }
    }

    fn message(value: serde_json::Value) -> RxJsonRpcMessage<RoleClient> {
        serde_json::from_value(value).unwrap()
    }

    async fn time_for(count: u32, message: serde_json::Value) -> Duration {
        let mut transport = Throttled::new(Babbler(message));
        let start = Instant::now();
        for _ in 0..count {
            transport.receive().await.unwrap();
        }
        start.elapsed()
    }

    #[tokio::test]
    async fn a_flood_is_slowed_down() {
        let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
        assert!(time_for(3 * BURST, changed).await >= PAUSE * 2);
        let asked = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        assert!(time_for(3 * BURST, asked).await >= PAUSE * 2);
    }

    #[test]
    fn what_ends_here_is_read_at_once_for_a_while_and_then_as_slowly_as_the_rest() {
        let mut transport = Throttled::new(());
        let log = message(json!({"jsonrpc": "2.0", "method": "notifications/unheard_of"}));
        for _ in 0..SPARE {
            assert!(!transport.admit(&log) && transport.pause.is_none());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _inside = runtime.enter();
        assert!((0..BURST).all(|_| !transport.admit(&log)) && transport.pause.is_some());
    }

    #[tokio::test]
    async fn of_many_log_messages_some_are_passed_on_and_none_slows_down_the_rest() {
        let mut transport = Throttled::new(());
        let log = message(json!({"jsonrpc": "2.0", "method": "notifications/message",
            "params": {"level": "info", "data": "x"}}));
        assert!((0..MOST_LOGGED).all(|_| transport.admit(&log)));
        while transport.admit(&log) {}
        assert!(transport.pause.is_none());
        let again = async {
            while !transport.admit(&log) {
                tokio::time::sleep(WHILE / 20).await;
            }
        };
        tokio::time::timeout(WHILE * 20, again).await.unwrap();
    }

    #[tokio::test]
    async fn answers_are_not_slowed_down() {
        let answer = json!({"jsonrpc": "2.0", "id": 1, "result": {}});
        let mut transport = Throttled::new(Babbler(answer));
        for _ in 0..10 * BURST {
            transport.receive().await.unwrap();
            assert!(transport.pause.is_none());
        }
    }

    #[test]
    fn what_nobody_waits_for_is_not_passed_on() {
        let mut transport = Throttled::new(());
        let mut admits = |value| transport.admit(&message(value));
        assert!(!admits(json!({"jsonrpc": "2.0", "method": "notifications/unheard_of"})));
        assert!(admits(json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})));
    }
}
