//! What may be asked besides calls: counts, scripts, the models' list, health.

use super::{Received, Script, World};
use serde_json::json;
use std::sync::{Arc, atomic::Ordering::Relaxed};

/// A small answer: its status and its JSON.
pub(super) type Plain = (u16, String);

/// Whether it is here that somebody asks who only wants to know whether the server is well.
fn is_sign_of_life(path: &str) -> bool {
    path.ends_with("/health") || path.ends_with("/models") || path == "/api/tags"
}

impl World {
    /// Answers anything that is no call.
    pub(super) fn plain(&self, request: &Received) -> Plain {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let is_probe = request.method == "GET" && is_sign_of_life(path);
        if is_probe {
            self.tally.probed();
        }
        match (&*request.method, path) {
            ("GET", "/__stats") => (200, json!(self.tally.stats()).to_string()),
            ("POST", "/__script") => self.set(query.strip_prefix("model="), &request.body),
            ("POST", "/__reset") => {
                self.reset();
                (200, "{}".into())
            }
            _ if is_probe && self.sick.load(Relaxed) => (503, json!({"error": {"message": "not now"}}).to_string()),
            ("GET", "/health" | "/livez") => (200, r#"{"status":"ok"}"#.into()),
            ("GET", "/api/tags") => (200, json!({"models": [{"name": "test", "model": "test"}]}).to_string()),
            ("GET", path) if path.ends_with("/models") => {
                let model = json!({"id": "test", "object": "model", "created": 0, "owned_by": "scripted"});
                (200, json!({"object": "list", "data": [model]}).to_string())
            }
            _ => (
                404,
                json!({"error": {"message": format!("nothing at {path}")}}).to_string(),
            ),
        }
    }

    fn set(&self, model: Option<&str>, body: &[u8]) -> Plain {
        let parsed = std::str::from_utf8(body)
            .map_err(|error| error.to_string())
            .and_then(Script::parse);
        let script = match parsed {
            Ok(script) => Arc::new(script),
            Err(error) => return (400, json!({"error": {"message": error}}).to_string()),
        };
        let mut scripts = self.scripts.lock();
        match model {
            Some(model) => drop(scripts.by_model.insert(model.to_owned(), script)),
            None => scripts.all = script,
        }
        (200, "{}".into())
    }
}
