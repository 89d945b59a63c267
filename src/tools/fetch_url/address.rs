//! Which addresses may be fetched: public ones. A page that a model was tricked into fetching must
//! not reach services of this machine, its network or its cloud.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Why an address was refused.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    #[error("`{0}` URLs cannot be fetched, only http and https")]
    Scheme(String),
    #[error("The URL names no host")]
    NoHost,
    #[error(
        "`{0}` is on this machine or in a private network, which FetchURL does not reach. Set KIMI_FETCH_ALLOW_PRIVATE=1 to allow it"
    )]
    Private(String),
    #[error(
        "The page leads to `{url}`, which the permission rule {rule} keeps from being read that way"
    )]
    Kept { url: String, rule: String },
}

/// Checks what can be seen without asking the name service.
pub fn check(url: &Url, allow_private: bool) -> Result<(), Refused> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refused::Scheme(url.scheme().to_owned()));
    }
    let is_private = match url.host().ok_or(Refused::NoHost)? {
        Host::Ipv4(address) => !is_public(address.into()),
        Host::Ipv6(address) => !is_public(address.into()),
        Host::Domain(name) => is_local_name(name),
    };
    if is_private && !allow_private {
        return Err(Refused::Private(url.host_str().unwrap_or_default().to_owned()));
    }
    Ok(())
}

fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || [".localhost", ".local", ".internal", ".home.arpa"]
            .iter()
            .any(|ending| name.ends_with(ending))
}

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
        // The metadata service of Alibaba Cloud hides in 100.64/10, that of Azure does not.
        || address == Ipv4Addr::new(168, 63, 129, 16))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // IPv4 in disguise: mapped, compatible (with :: and ::1), translated, 6to4.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => {
            embedded(high, low)
        }
        [0x64, 0xff9b, .., high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo and documentation; otherwise only 2000::/3 is given out.
        [0x2001, 0 | 0xdb8, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Resolves names to public addresses only, except those of the proxies.
pub struct PublicResolver {
    pub proxies: Vec<String>,
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let is_proxy = self.proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            if is_proxy {
                return Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs);
            }
            public_only(name.as_str(), found.collect())
                .map(|addresses| Box::new(addresses.into_iter()) as Addrs)
                .map_err(Into::into)
        })
    }
}

/// All of a name's addresses, if all of them are public.
fn public_only(name: &str, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
    if addresses.iter().all(|address| is_public(address.ip())) {
        Ok(addresses)
    } else {
        Err(Refused::Private(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_disguise() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0.0.0.0/",
            "http://10.1.2.3/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://100.100.100.200/",
            "http://168.63.129.16/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            "http://localhost:8080/",
            "http://LOCALHOST./",
            "http://x.localhost/",
            "http://metadata.google.internal/",
        ] {
            let url = Url::parse(url).unwrap();
            assert!(matches!(check(&url, false), Err(Refused::Private(_))), "{url}");
            assert_eq!(check(&url, true), Ok(()), "{url}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for url in ["https://example.com/", "http://1.1.1.1/", "http://[2606:4700::1111]/"] {
            assert_eq!(check(&Url::parse(url).unwrap(), false), Ok(()), "{url}");
        }
    }

    #[test]
    fn other_schemes_are_refused() {
        for url in ["file:///etc/passwd", "ftp://example.com/", "data:text/plain,x"] {
            let refused = check(&Url::parse(url).unwrap(), true);
            assert!(matches!(refused, Err(Refused::Scheme(_))), "{url}");
        }
    }

    #[test]
    fn one_private_address_spoils_a_name() {
        let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        assert!(public_only("x", vec![address("1.1.1.1")]).is_ok());
        assert!(public_only("x", vec![address("1.1.1.1"), address("10.0.0.1")]).is_err());
    }
}
