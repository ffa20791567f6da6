//! Providers: where each one's servers are, and how they want to be asked. One file each.

mod anthropic;
mod echo;
mod llama_cpp;
mod ollama;
mod openai;
mod vllm;

pub(crate) use echo::Echo;

use crate::{Error, ProviderName, WorkerConfig};
use http::{HeaderName, HeaderValue, header};
use orchestrator_dialect::Protocol;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// How a provider's servers are asked.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    /// What they speak.
    pub(crate) protocol: Protocol,
    /// Where they are when the configuration does not say.
    default_url: &'static str,
    /// The environment variable that usually says where they are.
    url_variable: &'static str,
    /// The environment variable that usually holds the key.
    key_variable: Option<&'static str>,
    /// The path of a completion under the base URL.
    pub(crate) path: &'static str,
    /// The path under the base URL that is asked for a sign of life: it costs no tokens.
    pub(crate) probe_path: &'static str,
    /// The header that carries the key, and what stands before the key in it.
    key_header: (HeaderName, &'static str),
    /// Headers of every request.
    fixed_headers: &'static [(&'static str, &'static str)],
    /// What a base URL ends with, whether the configuration writes it or not.
    suffix: &'static str,
}

/// How most providers want the key.
const BEARER: (HeaderName, &str) = (header::AUTHORIZATION, "Bearer ");

/// A server of a provider, found and with its key.
pub(crate) struct Place {
    pub(crate) base_url: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

/// How to ask the servers of a provider; `None` for the one that has none.
pub(crate) fn provider(name: ProviderName) -> Option<Provider> {
    match name {
        ProviderName::OpenAi => Some(openai::PROVIDER),
        ProviderName::Anthropic => Some(anthropic::PROVIDER),
        ProviderName::LlamaCpp => Some(llama_cpp::PROVIDER),
        ProviderName::Ollama => Some(ollama::PROVIDER),
        ProviderName::Vllm => Some(vllm::PROVIDER),
        ProviderName::Echo => None,
    }
}

// === impl Provider ===

impl Provider {
    /// Finds a worker's server: the configuration goes before the environment, which `lookup` reads.
    pub(crate) fn place(
        &self,
        worker: &str,
        config: &WorkerConfig,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Place, Error> {
        let usual = || {
            lookup(self.url_variable)
                .filter(|url| !url.is_empty())
                .map_or(self.default_url.to_owned(), |url| self.spelled_out(url))
        };
        let base_url = config.base_url.clone().unwrap_or_else(usual);
        let base_url = base_url.trim_end_matches('/').trim_end_matches(self.suffix);
        let mut headers = vec![
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (
                header::USER_AGENT,
                HeaderValue::from_static(concat!("orchestrator/", env!("CARGO_PKG_VERSION"))),
            ),
        ];
        if let Some(key) = self.key(worker, config, lookup)? {
            let (name, prefix) = &self.key_header;
            headers.push((name.clone(), credential(worker, prefix, &key)?));
        }
        for (name, value) in self.fixed_headers {
            headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
        }
        Ok(Place {
            base_url: format!("{base_url}{}", self.suffix),
            headers,
        })
    }

    /// A URL from the environment, where `OLLAMA_HOST` is by custom a mere host, with a port or without.
    fn spelled_out(&self, url: String) -> String {
        if url.contains("://") {
            return url;
        }
        let mut spelled = format!("http://{url}");
        let port = |url: &str| Url::parse(url).ok().map(|url| url.port());
        if let (Some(None), Some(Some(usual))) = (port(&spelled), port(self.default_url)) {
            spelled.push_str(&format!(":{usual}"));
        }
        spelled
    }

    fn key(
        &self,
        worker: &str,
        config: &WorkerConfig,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<SecretString>, Error> {
        let missing = |reason| Error::Key {
            worker: worker.to_owned(),
            reason,
        };
        let key = match &config.api_key {
            Some(secret) => Some(secret.resolve(lookup).map_err(missing)?),
            None => self.key_variable.and_then(lookup),
        };
        Ok(key.filter(|key| !key.is_empty()).map(SecretString::from))
    }
}

/// A header value that is kept out of logs.
fn credential(worker: &str, prefix: &str, key: &SecretString) -> Result<HeaderValue, Error> {
    let value = HeaderValue::try_from(format!("{prefix}{}", key.expose_secret()));
    let mut value = value.map_err(|_| Error::Key {
        worker: worker.to_owned(),
        reason: "the key holds characters that no header may have".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
