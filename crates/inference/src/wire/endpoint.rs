//! Where a provider is: the base URL taken apart once, with the proxy on the way and the TLS settings.

use super::{
    EndpointError,
    proxy::{Proxies, Proxy},
    request::Origin,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use std::{sync::Arc, time::Duration};
use url::{Host, Url};

/// A provider's address. Cheap to clone: each core has its own [`super::Wire`] over a clone of one endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    origin: Origin,
    server: Hop,
    proxy: Option<(Hop, Proxy)>,
    connect_timeout: Duration,
}

/// A host that a connection is made to.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    pub(super) host: Host<String>,
    pub(super) port: u16,
    /// `host:port`, as errors and `CONNECT` spell it.
    pub(super) name: String,
    pub(super) tls: Option<Tls>,
}

/// What a TLS handshake needs.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) server_name: ServerName<'static>,
}

// === impl Endpoint ===

impl Endpoint {
    /// Reads a base URL such as `https://api.openai.com/v1`. Proxies come from the environment, which `lookup` reads,
    /// certificate authorities from the system. `connect_timeout` bounds name lookup, connection, proxy and TLS handshake
    /// together.
    ///
    /// # Errors
    /// Each of [`EndpointError`].
    pub(crate) fn parse(
        base_url: &str,
        connect_timeout: Duration,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, EndpointError> {
        Endpoint::build(base_url, connect_timeout, &Proxies::read(lookup), system_roots)
    }

    /// [`Endpoint::parse`] in a world that is handed in; `roots` is asked only when TLS is needed.
    pub(super) fn build(
        base_url: &str,
        connect_timeout: Duration,
        proxies: &Proxies,
        roots: impl FnOnce() -> Result<RootCertStore, EndpointError>,
    ) -> Result<Self, EndpointError> {
        let url = base(base_url)?;
        let secure = url.scheme() == "https";
        let host = url.host().ok_or_else(|| unusable("it names no host"))?.to_owned();
        let port = url.port().unwrap_or(if secure { 443 } else { 80 });
        let proxy = proxies.find(secure, &host, port)?;
        let needs_tls = secure || proxy.as_ref().is_some_and(|proxy| proxy.tls);
        let config = needs_tls.then(|| client_config(roots()?)).transpose()?;
        let server = Hop::new(host, port, config.clone().filter(|_| secure))?;
        let proxy = proxy
            .map(|proxy| Ok::<_, EndpointError>((Hop::to_proxy(&proxy, config)?, proxy)))
            .transpose()?;
        Ok(Endpoint {
            origin: origin(&url, proxy.as_ref().map(|(_, proxy)| proxy).filter(|_| !secure)),
            server,
            proxy,
            connect_timeout,
        })
    }

    /// What each request is given.
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How long a connection may take to make.
    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The provider's server.
    pub(super) fn server(&self) -> &Hop {
        &self.server
    }

    /// The proxy before it.
    pub(super) fn proxy(&self) -> Option<&(Hop, Proxy)> {
        self.proxy.as_ref()
    }
}

fn base(base_url: &str) -> Result<Url, EndpointError> {
    let url = Url::parse(base_url).map_err(|error| unusable(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unusable("its scheme is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable("it holds a user or password; use the key's own setting"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(unusable("it has a query or a fragment"));
    }
    Ok(url)
}

fn unusable(reason: impl Into<String>) -> EndpointError {
    EndpointError::Url(reason.into())
}

/// A proxy that sees the requests themselves needs the whole URL (RFC 9112, 3.2.2) and its credentials in each.
fn origin(url: &Url, plain_proxy: Option<&Proxy>) -> Origin {
    let host = url.host_str().unwrap_or_default();
    let host = url
        .port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let path = url.path().trim_end_matches('/');
    Origin {
        prefix: match plain_proxy {
            Some(_) => format!("http://{host}{path}"),
            None => path.to_owned(),
        },
        host,
        proxy_authorization: plain_proxy.and_then(|proxy| proxy.authorization.clone()),
    }
}

/// The certificate authorities that the system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` are obeyed.
fn system_roots() -> Result<RootCertStore, EndpointError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    match usable {
        0 => Err(EndpointError::Roots(reason(&found.errors))),
        _ => Ok(roots),
    }
}

fn reason(errors: &[rustls_native_certs::Error]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    match errors.is_empty() {
        true => "none was found".to_owned(),
        false => errors.join("; "),
    }
}

fn client_config(roots: RootCertStore) -> Result<Arc<ClientConfig>, EndpointError> {
    let provider = Arc::new(ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = versions.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

// === impl Hop ===

impl Hop {
    fn new(host: Host<String>, port: u16, config: Option<Arc<ClientConfig>>) -> Result<Self, EndpointError> {
        let tls = config.map(|config| {
            let server_name = server_name(&host)?;
            Ok::<_, EndpointError>(Tls { config, server_name })
        });
        Ok(Hop {
            name: format!("{host}:{port}"),
            tls: tls.transpose()?,
            host,
            port,
        })
    }

    fn to_proxy(proxy: &Proxy, config: Option<Arc<ClientConfig>>) -> Result<Self, EndpointError> {
        Hop::new(proxy.host.clone(), proxy.port, config.filter(|_| proxy.tls))
    }
}

fn server_name(host: &Host<String>) -> Result<ServerName<'static>, EndpointError> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone())
            .map_err(|_| unusable("its host is not a name that a certificate can hold")),
        Host::Ipv4(address) => Ok(ServerName::from(std::net::IpAddr::from(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(std::net::IpAddr::from(*address))),
    }
}

#[cfg(test)]
mod tests;
