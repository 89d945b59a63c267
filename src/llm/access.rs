//! How a request shows that it may be sent: with a fixed key, or with a token that a sign-in has left
//! and that changes while we run.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::openai::RequestHeaders;
use super::{LlmError, Secret, Sent};

/// The token of a sign-in, looked up for each request.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// The token for a request now, renewed when it is time for that.
    async fn token(&self) -> Result<Secret, LlmError>;

    /// Another token, after the server has refused this one.
    async fn after(&self, refused: &Secret) -> Result<Secret, LlmError>;
}

/// What goes with every request to one place.
pub(super) struct Access {
    headers: RequestHeaders,
    tokens: Option<Arc<dyn TokenSource>>,
}

impl Access {
    /// These headers, and the source's token where there is one.
    pub fn new(headers: RequestHeaders, tokens: Option<Arc<dyn TokenSource>>) -> Self {
        Self { headers, tokens }
    }

    /// The same with the tokens of a sign-in.
    pub fn with_tokens(self, tokens: Option<Arc<dyn TokenSource>>) -> Self {
        Self { tokens, ..self }
    }

    /// Sends a request with these headers; once more with another token when the first is refused.
    /// Nothing else is tried again here. No error repeats what the request carried; the secrets of that
    /// come with the answer, for what is read of it later.
    pub async fn send<T, F>(&self, request: impl Fn(HeaderMap) -> F) -> Result<(T, Sent), LlmError>
    where
        F: Future<Output = Result<T, LlmError>>,
    {
        let request = async |headers: HeaderMap| {
            let sent = Sent::of(&headers);
            match request(headers).await {
                Ok(answer) => Ok((answer, sent)),
                Err(error) => Err(sent.hide_in(error)),
            }
        };
        let fixed = self.headers.get().await;
        let Some(tokens) = &self.tokens else { return request(fixed.clone()).await };
        let token = tokens.token().await?;
        match request(bearing(fixed, &token)?).await {
            Err(error) if error.status() == Some(401) => {}
            done => return done,
        }
        let another = tokens.after(&token).await?;
        request(bearing(fixed, &another)?).await.map_err(|error| match error.status() {
            Some(401) => LlmError::SignIn(format!("the sign-in is refused: {error}")),
            _ => error,
        })
    }
}

fn bearing(headers: &HeaderMap, token: &Secret) -> Result<HeaderMap, LlmError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| LlmError::SignIn("the stored token cannot be sent".to_owned()))?;
    value.set_sensitive(true);
    let mut headers = headers.clone();
    headers.insert(AUTHORIZATION, value);
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Gives `old`, then `new`.
    struct Two;

    #[async_trait]
    impl TokenSource for Two {
        async fn token(&self) -> Result<Secret, LlmError> {
            Ok("old".into())
        }

        async fn after(&self, refused: &Secret) -> Result<Secret, LlmError> {
            assert_eq!(refused.expose(), "old");
            Ok("new".into())
        }
    }

    /// What becomes of a request to a server with these answers, and the tokens it saw.
    async fn sent(answers: &[u16]) -> (Result<(), LlmError>, Vec<String>) {
        let access = Access::new(RequestHeaders::plain(HeaderMap::new()), Some(Arc::new(Two)));
        let seen = Mutex::new(Vec::new());
        let done = access.send(|headers| {
            let mut seen = seen.lock().unwrap();
            let code = answers[seen.len()];
            seen.push(headers[AUTHORIZATION].to_str().unwrap().to_owned());
            let message = "no".to_owned();
            let no = LlmError::Status { code, message, request_id: None, retry_after: None };
            async move { if code == 200 { Ok(()) } else { Err(no) } }
        });
        let done = done.await;
        (done.map(|((), _)| ()), seen.into_inner().unwrap())
    }

    #[tokio::test]
    async fn a_refused_token_is_changed_once() {
        assert_eq!(sent(&[200]).await, (Ok(()), vec!["Bearer old".to_owned()]));
        let (done, seen) = sent(&[401, 200]).await;
        assert_eq!(
            (done, seen.as_slice()),
            (Ok(()), &["Bearer old".into(), "Bearer new".to_owned()][..])
        );
        let (done, seen) = sent(&[401, 401]).await;
        assert!(matches!(done, Err(LlmError::SignIn(_))) && seen.len() == 2, "{done:?}");
        let (done, seen) = sent(&[500]).await;
        assert_eq!((done.unwrap_err().status(), seen.len()), (Some(500), 1));
    }
}
