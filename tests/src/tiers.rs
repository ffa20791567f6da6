//! A route over model servers, one worker before each, and clients that call it.

use crate::{Http, Program, post};
use orchestrator_testkit::{ModelServer, Script};

/// Where nobody listens.
pub const NOBODY: &str = "http://127.0.0.1:1/v1";

/// The path of a chat.
pub const CHAT: &str = "/v1/chat/completions";

/// The section of a worker that speaks OpenAI's API at `url`; `more` are further keys of it.
pub fn worker(name: &str, url: &str, more: &str) -> String {
    format!("[workers.{name}]\nprovider = \"openai\"\nbase_url = \"{url}\"\n{more}\n")
}

/// Workers `a`, `b` and `c` before model servers that follow these scripts.
#[derive(Debug)]
pub struct Tiers {
    /// The program.
    pub program: Program,
    /// The servers of `a`, `b` and `c`.
    pub servers: [ModelServer; 3],
}

// === impl Tiers ===

impl Tiers {
    /// One worker in each tier, in this order; `more` is added to the document.
    pub fn start(scripts: [Script; 3], more: &str) -> Self {
        let route = "primary = [\"a\"]\nsecondary = [\"b\"]\nbackup = [\"c\"]";
        Tiers::routed(scripts, route, more)
    }

    /// The route has these keys; `more` are further ones, or sections.
    pub fn routed(scripts: [Script; 3], route: &str, more: &str) -> Self {
        let servers = scripts.map(ModelServer::following);
        let workers: String = ["a", "b", "c"]
            .iter()
            .zip(&servers)
            .map(|(name, server)| worker(name, &server.url(), ""))
            .collect();
        let document = format!("{workers}[routes.all]\n{route}\n{more}");
        Tiers {
            program: Program::start(&document),
            servers,
        }
    }

    /// Asks for a whole answer.
    pub fn ask(&self, text: &str) -> Http {
        post(self.program.address, CHAT, "", &chat(text, ""))
    }

    /// Asks for a stream.
    pub fn stream(&self, text: &str) -> Http {
        post(self.program.address, CHAT, "", &chat(text, STREAM))
    }

    /// How often each server was called.
    pub fn calls(&self) -> [u64; 3] {
        self.servers.each_ref().map(|server| server.stats().total.calls)
    }

    /// Makes all servers follow a script from now on.
    pub fn follow(&self, script: &Script) {
        for server in &self.servers {
            server.script(script.clone());
        }
    }
}

/// What makes a chat a stream.
pub const STREAM: &str = r#","stream":true"#;

/// The body of a chat; `more` are further keys of it.
pub fn chat(text: &str, more: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]{more}}}"#)
}
