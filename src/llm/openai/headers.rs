//! The headers of a request (providers.md section 3).

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};

use tokio::sync::OnceCell;

use super::Dialect;
use crate::llm::oneline::one_line;
use crate::llm::{DeviceId, Secret};

/// A setting that cannot be sent as a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("the API key has a character that cannot be sent; check api_key for line breaks")]
    Key,
    #[error(
        "the custom header `{0}` has a name or a value that cannot be sent; check custom_headers"
    )]
    Custom(String),
}

/// The headers that are known before the first request. Those of the user replace ours.
pub(in crate::llm) fn static_headers(
    dialect: Dialect,
    key: &Secret,
    user_agent_suffix: Option<&str>,
    custom: &[(String, String)],
) -> Result<HeaderMap, HeaderError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
    let mut agent = format!("KimiCLI/{}", env!("CARGO_PKG_VERSION"));
    if let Some(suffix) = user_agent_suffix.map(ascii).filter(|suffix| !suffix.is_empty()) {
        agent.push_str(&format!(" ({suffix})"));
    }
    insert(&mut headers, USER_AGENT, &agent);
    if !key.is_empty() {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose().trim()))
            .map_err(|_| HeaderError::Key)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    if dialect == Dialect::Kimi {
        headers.insert("x-msh-platform", HeaderValue::from_static("kimi_cli"));
        headers.insert("x-msh-version", HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    }
    for (name, value) in custom {
        let bad = || HeaderError::Custom(one_line(name, 60));
        let key = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

/// The headers of requests to one place. Those that tell of this machine are made at the first one.
pub(in crate::llm) struct RequestHeaders {
    fixed: HeaderMap,
    device: Option<DeviceId>,
    complete: OnceCell<HeaderMap>,
}

impl RequestHeaders {
    /// Just these.
    pub fn plain(headers: HeaderMap) -> Self {
        Self { complete: OnceCell::from(headers.clone()), fixed: headers, device: None }
    }

    /// These, and those that tell of this machine.
    pub fn of_machine(headers: HeaderMap, device: Option<DeviceId>) -> Self {
        Self { fixed: headers, device, complete: OnceCell::new() }
    }

    /// All of them.
    pub async fn get(&self) -> &HeaderMap {
        let complete = async || {
            let id = match self.device.clone() {
                // It reads a file.
                Some(device) => tokio::task::spawn_blocking(move || device()).await.ok().flatten(),
                None => None,
            };
            with_device(&self.fixed, id.as_deref())
        };
        self.complete.get_or_init(complete).await
    }
}

/// What Kimi's services are told of this program and this machine.
pub async fn machine_headers(device: DeviceId) -> HeaderMap {
    let none = Secret::default();
    let mut headers = static_headers(Dialect::Kimi, &none, None, &[]).unwrap_or_default();
    headers.remove(CONTENT_TYPE);
    headers.remove(ACCEPT);
    RequestHeaders::of_machine(headers, Some(device)).get().await.clone()
}

/// The same with what tells of this machine, where the user has not set it.
fn with_device(headers: &HeaderMap, device_id: Option<&str>) -> HeaderMap {
    let mut complete = HeaderMap::new();
    let (name, model, version) = machine();
    for (key, value) in [
        ("x-msh-device-name", name),
        ("x-msh-device-model", model),
        ("x-msh-os-version", version),
        ("x-msh-device-id", device_id.unwrap_or_default().to_owned()),
    ] {
        insert(&mut complete, HeaderName::from_static(key), &ascii(&value));
    }
    for (name, value) in headers {
        complete.insert(name, value.clone());
    }
    complete
}

/// Host name, "system release machine", and the system's version.
#[cfg(unix)]
fn machine() -> (String, String, String) {
    let uname = rustix::system::uname();
    let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let model = [uname.sysname(), uname.release(), uname.machine()].map(text).join(" ");
    (text(uname.nodename()), model, text(uname.version()))
}

#[cfg(not(unix))]
fn machine() -> (String, String, String) {
    let model = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    (String::new(), model, String::new())
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if !value.is_empty()
        && let Ok(value) = HeaderValue::from_str(value)
    {
        headers.insert(name, value);
    }
}

/// The printable ASCII of a text, at most 200 characters.
fn ascii(text: &str) -> String {
    let printable: String = text.chars().filter(|c| matches!(c, ' '..='~')).take(200).collect();
    printable.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(key: &str, custom: &[(&str, &str)]) -> Result<HeaderMap, HeaderError> {
        let custom: Vec<_> =
            custom.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        static_headers(Dialect::Kimi, &key.into(), Some("Zed 1.0 é\n"), &custom)
    }

    #[test]
    fn users_headers_win() {
        let all = headers("k\n", &[("User-Agent", "mine"), ("X-Msh-Device-Id", "d")]).unwrap();
        assert_eq!(all["authorization"], "Bearer k");
        assert_eq!(all["user-agent"], "mine");
        assert_eq!(with_device(&all, Some("other"))["x-msh-device-id"], "d");
        assert_eq!(all["x-msh-platform"], "kimi_cli");
    }

    #[test]
    fn the_agent_is_ascii() {
        let all = headers("", &[]).unwrap();
        let expected = format!("KimiCLI/{} (Zed 1.0)", env!("CARGO_PKG_VERSION"));
        assert_eq!(all["user-agent"], expected.as_str());
        assert!(!all.contains_key("authorization"));
        let machine = with_device(&all, None);
        assert!(machine.contains_key("x-msh-device-model"));
        assert!(!machine.contains_key("x-msh-device-id"));
    }

    #[test]
    fn what_cannot_be_sent_is_told_without_the_secret() {
        assert_eq!(headers("a\nb", &[]), Err(HeaderError::Key));
        assert_eq!(headers("", &[("a b", "x")]), Err(HeaderError::Custom("a b".into())));
        let error = headers("", &[("x-key", "sec\nret")]).unwrap_err();
        assert!(!error.to_string().contains("sec"));
    }
}
