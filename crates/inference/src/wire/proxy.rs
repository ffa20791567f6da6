//! Which proxy a request goes through, by the environment's usual variables; pure once they are read.

use super::EndpointError;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use std::net::IpAddr;
use url::{Host, Url};

/// The proxies that an environment names.
///
/// `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, the lower-case spelling first. As in curl, an entry of
/// `NO_PROXY` is `*`, a host (its subdomains included), an address or a network (`10.0.0.0/8`), with an optional port. As
/// in Go, this machine itself is never reached through a proxy.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    plain: Option<(&'static str, String)>,
    secure: Option<(&'static str, String)>,
    exceptions: Vec<Exception>,
}

/// A proxy.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    pub(super) host: Host<String>,
    pub(super) port: u16,
    /// Whether the connection to the proxy itself is TLS.
    pub(super) tls: bool,
    /// `proxy-authorization`; marked as sensitive, so that it never prints.
    pub(super) authorization: Option<HeaderValue>,
}

#[derive(Debug)]
struct Exception {
    target: Target,
    port: Option<u16>,
}

#[derive(Debug)]
enum Target {
    All,
    Domain(String),
    Network(IpAddr, u8),
}

// === impl Proxies ===

impl Proxies {
    /// Reads the variables through `variable`, which gives a variable's value by its name.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&'static str]| {
            let mut values = names.iter().filter_map(|&name| Some((name, variable(name)?)));
            values.find(|(_, value)| !value.trim().is_empty())
        };
        let exceptions = first(&["no_proxy", "NO_PROXY"])
            .map(|(_, list)| list)
            .unwrap_or_default();
        Proxies {
            plain: first(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
            secure: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            exceptions: exceptions.split([',', ' ']).filter_map(Exception::read).collect(),
        }
    }

    /// The proxy for a host; `None` when it is reached directly.
    ///
    /// # Errors
    /// [`EndpointError::Proxy`] when the variable that applies cannot be read.
    pub(super) fn find(&self, secure: bool, host: &Host<String>, port: u16) -> Result<Option<Proxy>, EndpointError> {
        let named = if secure { &self.secure } else { &self.plain };
        match named {
            Some((variable, value)) if !is_this_machine(host) && !self.excepts(host, port) => {
                let proxy = Proxy::read(value.trim());
                proxy
                    .map(Some)
                    .map_err(|reason| EndpointError::Proxy { variable, reason })
            }
            _ => Ok(None),
        }
    }

    fn excepts(&self, host: &Host<String>, port: u16) -> bool {
        self.exceptions.iter().any(|exception| exception.covers(host, port))
    }
}

// === impl Proxy ===

impl Proxy {
    fn read(value: &str) -> Result<Self, String> {
        let text = if value.contains("://") {
            value.to_owned()
        } else {
            format!("http://{value}")
        };
        let url = Url::parse(&text).map_err(|error| error.to_string())?;
        let (tls, own_port) = match url.scheme() {
            "http" => (false, 80),
            "https" => (true, 443),
            other => return Err(format!("proxies speak http or https, not {other}")),
        };
        Ok(Proxy {
            host: url.host().ok_or("it names no host")?.to_owned(),
            port: url.port().unwrap_or(own_port),
            tls,
            authorization: authorization(&url)?,
        })
    }
}

/// `proxy-authorization` from a URL's user and password (RFC 7617).
fn authorization(url: &Url) -> Result<Option<HeaderValue>, String> {
    let password = url.password().unwrap_or_default();
    if url.username().is_empty() && password.is_empty() {
        return Ok(None);
    }
    let mut credentials: Vec<u8> = percent_decode_str(url.username()).collect();
    credentials.push(b':');
    credentials.extend(percent_decode_str(password));
    let text = format!("Basic {}", BASE64_STANDARD.encode(credentials));
    let mut value = HeaderValue::try_from(text).map_err(|_| "its credentials cannot be sent")?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn is_this_machine(host: &Host<String>) -> bool {
    match host {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

// === impl Exception ===

impl Exception {
    /// Reads an entry; `None` for an empty one.
    fn read(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        if let Some((target, port)) = with_port(&entry) {
            return Some(Exception {
                target: Target::read(target)?,
                port: Some(port),
            });
        }
        Some(Exception {
            target: Target::read(&entry)?,
            port: None,
        })
    }

    fn covers(&self, host: &Host<String>, port: u16) -> bool {
        self.port.is_none_or(|only| only == port) && self.target.covers(host)
    }
}

/// Splits `host:port` and `[address]:port`; a bare IPv6 address has no port.
fn with_port(entry: &str) -> Option<(&str, u16)> {
    let (target, port) = entry.rsplit_once(':')?;
    let is_bare_address = target.contains(':') && !target.ends_with(']');
    (!is_bare_address).then(|| Some((target, port.parse().ok()?)))?
}

// === impl Target ===

impl Target {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('[').trim_end_matches(']');
        let (address, bits) = text
            .split_once('/')
            .map_or((text, None), |(address, bits)| (address, bits.parse().ok()));
        if let Ok(address) = address.parse::<IpAddr>() {
            return Some(Target::Network(address, bits.unwrap_or(128)));
        }
        match text.trim_start_matches("*.").trim_matches('.') {
            "*" => Some(Target::All),
            "" => None,
            domain => Some(Target::Domain(domain.to_owned())),
        }
    }

    fn covers(&self, host: &Host<String>) -> bool {
        match (self, host) {
            (Target::All, _) => true,
            (Target::Domain(domain), Host::Domain(name)) => {
                let parent = name.trim_end_matches('.').strip_suffix(domain.as_str());
                parent.is_some_and(|parent| parent.is_empty() || parent.ends_with('.'))
            }
            (Target::Network(IpAddr::V4(network), bits), Host::Ipv4(address)) => {
                let differing = u32::from(*network) ^ u32::from(*address);
                differing.leading_zeros() >= u32::from(*bits).min(32)
            }
            (Target::Network(IpAddr::V6(network), bits), Host::Ipv6(address)) => {
                let differing = u128::from(*network) ^ u128::from(*address);
                differing.leading_zeros() >= u32::from(*bits)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
