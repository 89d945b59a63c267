//! Who we are to a server at an address, and whether it believes that.

use std::sync::Arc;

use reqwest::{RequestBuilder, Response, StatusCode};
use tokio_util::sync::CancellationToken;

use super::http::{HttpError, innermost};
use crate::mcp::oauth::{Bearer, OauthError};

/// The token that goes with every message, if there is one.
#[derive(Clone)]
pub(in crate::mcp) struct Access {
    bearer: Option<Arc<Bearer>>,
    refused: CancellationToken,
}

impl Access {
    /// With this token, or with what is in the headers of the server's entry.
    pub fn new(bearer: Option<Bearer>) -> Self {
        Self { bearer: bearer.map(Arc::new), refused: CancellationToken::new() }
    }

    /// Cancelled when the server takes no message any more without another login.
    pub fn refused(&self) -> CancellationToken {
        self.refused.clone()
    }

    /// The token for the next message.
    pub async fn token(&self) -> Result<Option<String>, HttpError> {
        match &self.bearer {
            Some(bearer) => bearer.token().await.map(Some).map_err(|error| self.told(error)),
            None => Ok(None),
        }
    }

    /// Another token for the same message, after a 401 with this one. Once for each message.
    pub async fn after(&self, rejected: Option<&str>) -> Result<String, HttpError> {
        match (&self.bearer, rejected) {
            (Some(bearer), Some(rejected)) => {
                bearer.after(rejected).await.map_err(|error| self.told(error))
            }
            _ => Err(self.is_refused()),
        }
    }

    /// The server has said no for good.
    pub fn is_refused(&self) -> HttpError {
        self.refused.cancel();
        HttpError::Unauthorized
    }

    /// Sends a request, with a renewed token if the first one is not taken.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, HttpError> {
        let token = self.token().await?;
        let again = request.try_clone();
        let response = with_token(request, token.as_deref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let token = self.after(token.as_deref()).await?;
        // A request that cannot be sent twice has been refused once.
        let Some(again) = again else { return Ok(response) };
        let response = with_token(again, Some(&token)).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(self.is_refused());
        }
        Ok(response)
    }

    fn told(&self, error: OauthError) -> HttpError {
        match error {
            OauthError::LoginNeeded => self.is_refused(),
            OauthError::Failed(why) => HttpError::Other(why),
        }
    }
}

async fn with_token(request: RequestBuilder, token: Option<&str>) -> Result<Response, HttpError> {
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.map_err(|error| HttpError::Other(innermost(&error)))
}
