//! Which addresses may hear a secret.

use std::net::IpAddr;

use url::{Host, Url};

/// Whether the address is on this machine. Of names only `localhost` itself: what else ends like that, a
/// resolver may send elsewhere.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// An address that may hear a secret: over TLS, or, where `local` allows that, on this machine. Who lets
/// somebody else name it allows that only to those who are on this machine themselves: a stranger has no
/// business with what listens here. The error is half a sentence that begins with a verb.
pub fn checked(text: &str, local: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is no address: {error}"))?;
    let wrong = |why: &str| Err(why.to_owned());
    let here = is_loopback(&url);
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return wrong("is not one of https");
    }
    if here && !local {
        return wrong("is on this machine, which is not where the server is");
    }
    if url.scheme() == "http" && !here {
        return wrong("is not one of https: tokens are not sent there");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("has a user name in it");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_tls_or_stay_on_the_machine() {
        for good in
            ["https://h/mcp", "http://127.0.0.1:1/mcp", "http://localhost:1", "http://[::1]:1/"]
        {
            assert!(checked(good, true).is_ok(), "{good}");
        }
        for bad in [
            "http://h/mcp",
            "http://127.0.0.1.evil.example/",
            "http://localhost.evil.example/",
            "http://evil.localhost/",
            "https://user:pw@h/",
            "ftp://h/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "h",
            "",
        ] {
            assert!(checked(bad, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_stranger_names_nothing_on_this_machine() {
        assert!(checked("https://h/", false).is_ok());
        for bad in ["http://127.0.0.1:1/", "https://localhost/", "https://[::1]/", "http://h/"] {
            assert!(checked(bad, false).is_err(), "{bad}");
        }
    }
}
