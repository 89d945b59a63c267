//! The port that the browser comes back to: one page of this machine, for as long as a login lasts.
//!
//! Whoever runs on this machine, and any page in its browser, can talk to it. So it reads little,
//! waits briefly, and takes only what has the state of this login.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use super::OauthError;
use crate::mcp::tidy::one_line;

/// Where the browser comes back to.
const PATH: &str = "/callback";
/// The longest request head, in bytes. Codes are long at some places.
const MAX_HEAD: usize = 16 << 10;
/// For a request to come, and for its answer to be taken.
const REQUEST_PATIENCE: Duration = Duration::from_secs(5);
/// Requests at a time; the next ones wait.
const MOST_REQUESTS: usize = 16;
/// Rest after a connection that could not be taken.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// Characters of what an authority says.
const MAX_WORDS: usize = 200;

/// The port.
pub(super) struct Callback {
    listener: TcpListener,
    port: u16,
}

/// What an answer has to have.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub state: String,
    pub issuer: String,
    /// The issuer is in every answer of this authority.
    pub signed: bool,
}

/// The end of the part in the browser.
pub(super) type Answer = Result<String, OauthError>;

impl Callback {
    /// This port, or a free one for 0.
    pub async fn open(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Its address for the browser.
    pub fn address(&self) -> String {
        format!("http://localhost:{}{PATH}", self.port)
    }

    /// Waits for the answer: a code, or why there is none.
    pub async fn answer(&self, expected: &Expected) -> Answer {
        let mut requests = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if requests.len() < MOST_REQUESTS => {
                    match accepted {
                        Ok((stream, _)) => {
                            let expected = expected.clone();
                            requests.spawn(async move {
                                let served = serve(stream, &expected);
                                tokio::time::timeout(REQUEST_PATIENCE, served).await.ok().flatten()
                            });
                        }
                        Err(_) => tokio::time::sleep(ACCEPT_REST).await,
                    }
                }
                Some(served) = requests.join_next() => {
                    if let Ok(Some(answer)) = served {
                        return answer;
                    }
                }
            }
        }
    }
}

/// Answers one request; `Some` when it is the one that is waited for.
async fn serve(mut stream: TcpStream, expected: &Expected) -> Option<Answer> {
    let head = head(&mut stream).await?;
    let (status, words, answer) = page(&head, expected);
    let body = format!(
        "<!doctype html><meta charset=utf-8><title>kimi</title>\
         <body style=\"font:16px sans-serif;margin:4em auto;max-width:32em\"><p>{words}</p>"
    );
    let reply = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    // A browser that has gone has brought its answer all the same.
    if stream.write_all(reply.as_bytes()).await.is_ok() {
        let _ = stream.shutdown().await;
    }
    answer
}

/// The request up to the end of its head; `None` when it is too long or ends before.
async fn head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut chunk = [0; 2048];
    loop {
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        head.extend_from_slice(chunk.get(..read)?);
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Some(head);
        }
        if head.len() > MAX_HEAD {
            return None;
        }
    }
}

/// Status, words for the person, and the answer if it is one.
fn page(head: &[u8], expected: &Expected) -> (&'static str, &'static str, Option<Answer>) {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = std::str::from_utf8(line).unwrap_or_default();
    let mut words = line.split(' ');
    let (method, target, version) = (words.next(), words.next().unwrap_or_default(), words.next());
    if words.next().is_some() || !version.is_some_and(|version| version.starts_with("HTTP/1.")) {
        return ("400 Bad Request", "This is no request.", None);
    }
    if method != Some("GET") {
        return ("405 Method Not Allowed", "This page is only read.", None);
    }
    if target.split('?').next() != Some(PATH) {
        return ("404 Not Found", "There is nothing here.", None);
    }
    match read(target, expected) {
        Some(Ok(code)) => (
            "200 OK",
            "The login has come back to kimi. You can close this page and return to the terminal.",
            Some(Ok(code)),
        ),
        Some(Err(error)) => {
            ("200 OK", "The login was not granted. The terminal says why.", Some(Err(error)))
        }
        None => ("400 Bad Request", "This is not the login that kimi is waiting for.", None),
    }
}

/// What an address says that the browser came back to; `None` when it is not of this login.
pub(super) fn read(address: &str, expected: &Expected) -> Option<Answer> {
    let base = Url::parse("http://localhost/").ok()?;
    let url = base.join(address.trim()).ok().filter(|url| url.path() == PATH)?;
    let field = |name: &str| {
        let mut values = url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value);
        // What comes twice has two readings.
        values.next().filter(|_| values.next().is_none()).map(String::from)
    };
    if field("state")? != expected.state {
        return None;
    }
    match field("iss") {
        Some(issuer) if issuer == expected.issuer => {}
        None if !expected.signed => {}
        _ => return Some(Err(OauthError::failed("the login came back from another authority"))),
    }
    if let Some(error) = field("error") {
        let why = field("error_description").filter(|why| !why.trim().is_empty());
        let told = why.map_or_else(|| error.clone(), |why| format!("{error}, {why}"));
        let told = one_line(told.trim_end_matches('.'), MAX_WORDS);
        return Some(Err(OauthError::Failed(format!("the login was not granted: {told}"))));
    }
    field("code").filter(|code| !code.is_empty()).map(Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(signed: bool) -> Expected {
        Expected { state: "s1".into(), issuer: "https://auth.h".into(), signed }
    }

    fn told(address: &str, signed: bool) -> Option<Result<String, String>> {
        read(address, &expected(signed)).map(|answer| answer.map_err(|error| error.to_string()))
    }

    #[test]
    fn a_code_comes_with_the_state_of_this_login() {
        assert_eq!(told("/callback?code=a%2Bb+c&state=s1", false), Some(Ok("a+b c".into())));
        let pasted = " http://localhost:5/callback?state=s1&code=x\n";
        assert_eq!(told(pasted, false), Some(Ok("x".into())));
        for no in [
            "/callback",
            "/callback?code=x",
            "/callback?code=x&state=",
            "/callback?code=x&state=s2",
            "/callback?code=x&state=s1&state=s2",
            "/callback?code=x&code=y&state=s1",
            "/callback?code=&state=s1",
            "/callback?state=s1",
            "/callback?error=access_denied&state=s2",
            "/other?code=x&state=s1",
            "code=x&state=s1",
            "",
        ] {
            assert_eq!(told(no, false), None, "{no}");
        }
    }

    #[test]
    fn a_no_is_told_in_one_line() {
        let no = "/callback?error=access_denied&error_description=Not%0A%1b[31mtoday.&state=s1";
        let said = told(no, false).unwrap().unwrap_err();
        assert_eq!(said, "the login was not granted: access_denied, Not today");
    }

    #[test]
    fn another_authority_is_not_believed() {
        let with = |issuer: &str| format!("/callback?code=x&state=s1&iss={issuer}");
        assert!(told(&with("https://auth.h"), true).unwrap().is_ok());
        assert!(told(&with("https://evil.example"), false).unwrap().is_err());
        assert!(told("/callback?code=x&state=s1", true).unwrap().is_err());
    }

    #[test]
    fn what_is_no_request_of_a_browser_is_turned_away() {
        for (head, status) in [
            (&b"GET /callback?code=x&state=s1 HTTP/1.1\r\nhost: x\r\n\r\n"[..], "200"),
            (b"GET /callback?error=x&state=s1 HTTP/1.1\r\n\r\n", "200"),
            (b"GET /callback?code=x&state=no HTTP/1.1\r\n\r\n", "400"),
            (b"POST /callback?code=x&state=s1 HTTP/1.1\r\n\r\n", "405"),
            (b"GET /favicon.ico HTTP/1.1\r\n\r\n", "404"),
            (b"GET //evil/callback?code=x&state=s1 HTTP/1.1\r\n\r\n", "404"),
            (b"GET /callback?code=x&state=s1\r\n\r\n", "400"),
            (b"GET /callback?code=x &state=s1 HTTP/1.1\r\n\r\n", "400"),
            (b"\r\n\r\n", "400"),
            (b"\xff\xfe\x00\r\n\r\n", "400"),
        ] {
            let (said, _, answer) = page(head, &expected(false));
            assert!(said.starts_with(status), "{said}: {}", String::from_utf8_lossy(head));
            assert_eq!(answer.is_some(), status == "200");
        }
    }
}
