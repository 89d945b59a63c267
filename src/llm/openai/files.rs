//! Handing a file to Kimi, which gives it a name that messages can use (providers.md section 4).

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::Settings;
use crate::llm::{LlmError, UploadedFile, http};
use crate::platform::Clock;

/// Bytes of an answer that are read.
const ANSWER: usize = 64 << 10;

/// Uploads a film. Returns its address for a message, `ms://<id>`.
pub(super) async fn upload(
    settings: &Settings,
    mut headers: HeaderMap,
    file: &UploadedFile,
    clock: &dyn Clock,
) -> Result<String, LlmError> {
    let url = files_url(&settings.url);
    // It does not occur in the file, or SHA-256 is broken.
    let boundary = format!("kimi-{:x}", Sha256::digest(&file.bytes));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let kind = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"))
        .map_err(|_| LlmError::Other("the upload could not be written".to_owned()))?;
    headers.insert(CONTENT_TYPE, kind);
    let body = form(file, &boundary);
    let response = http::post(&url, &headers, body, &settings.timeouts, clock.now()).await?;
    let (answer, _) = http::body(&url, response, ANSWER, &settings.timeouts).await?;
    let id = serde_json::from_slice::<Value>(&answer).ok().and_then(|answer| {
        answer.get("id").and_then(Value::as_str).filter(|id| is_plain(id)).map(str::to_owned)
    });
    id.map(|id| format!("ms://{id}")).ok_or_else(|| {
        LlmError::Malformed(format!("{} did not say what the file is called", http::place(&url)))
    })
}

/// The address of the files, from that of the chat.
fn files_url(chat: &Url) -> Url {
    let mut url = chat.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop().pop().push("files");
    }
    url
}

fn form(file: &UploadedFile, boundary: &str) -> Bytes {
    // A quote or a line break would end the header early.
    let name: String = file
        .name
        .chars()
        .map(|c| if c.is_control() || matches!(c, '"' | '\\') { '_' } else { c })
        .collect();
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nvideo\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: {}\r\n\r\n",
        file.mime
    );
    let end = format!("\r\n--{boundary}--\r\n");
    Bytes::from([head.as_bytes(), &file.bytes, end.as_bytes()].concat())
}

fn is_plain(id: &str) -> bool {
    (1..=200).contains(&id.len())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_beside_the_chat() {
        let of = |chat: &str| files_url(&Url::parse(chat).unwrap()).to_string();
        assert_eq!(of("https://x.example/v1/chat/completions"), "https://x.example/v1/files");
        assert_eq!(of("http://x.example/chat/completions?a=b"), "http://x.example/files?a=b");
    }

    #[test]
    fn a_hostile_name_stays_in_its_place() {
        let file = UploadedFile {
            name: "a\"\r\nX: y\\.mp4".to_owned(),
            mime: "video/mp4",
            bytes: b"--b--\r\n".to_vec(),
        };
        let form = form(&file, "b2");
        let text = String::from_utf8_lossy(&form);
        assert!(text.contains("filename=\"a___X: y_.mp4\"\r\nContent-Type: video/mp4\r\n\r\n--b--\r\n\r\n--b2--\r\n"), "{text}");
    }

    #[test]
    fn an_id_is_a_word() {
        assert!(is_plain("cnb-1_x.y"));
        for id in ["", "a b", "../x", "a\n", &"x".repeat(201)] {
            assert!(!is_plain(id), "{id:?}");
        }
    }
}
