//! A program whose settings an operator changes.

use crate::support::{Document, Program};
use orchestrator_testkit::{
    ModelServer, Script,
    client::{self, Http},
};
use serde_json::Value;
use std::net::TcpStream;

pub(crate) const TOKEN: &str = "authorization: Bearer t0ken\r\n";

/// All that operators can read and that is not of the moment.
const RESOURCES: [&str; 13] = [
    "circuit-breakers",
    "circuit-breakers/w",
    "circuit-breakers/w/history",
    "workers",
    "workers/w",
    "routes",
    "routes/default",
    "retry",
    "retry/default",
    "load-balancing",
    "load-balancing/default",
    "pools",
    "pipeline",
];

/// A program with two workers, `w` before a server and `v`, and one route.
pub(crate) struct Bench {
    pub(crate) server: ModelServer,
    pub(crate) program: Program,
}

// === impl Bench ===

impl Bench {
    /// With more keys of `w` and of the route.
    pub(crate) fn new(worker: &str, route: &str) -> Self {
        let server = ModelServer::start();
        let url = server.url();
        let document = Document::new(&format!(
            "[server]\nadmin_token = \"${{TOKEN}}\"\nthreads = 1\n[pipeline]\nname = \"p\"\n[pipeline.stages.rag]\nenabled = false\n\
             [pipeline.deduplication]\nwindow_s = 0\n[pools]\nfast = 9\n\
             [workers.w]\nprovider = \"openai\"\nbase_url = \"{url}/v1\"\n{worker}\n[workers.v]\nprovider = \"echo\"\n\
             [routes.default]\nprimary = [\"w\"]\n{route}\n"
        ));
        let mut run = document.command(&["run", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        let program = Program::spawn(run.env("TOKEN", "t0ken"));
        Bench { server, program }
    }

    pub(crate) fn patch(&self, path: &str, body: &str) -> Http {
        client::patch(self.program.admin, &format!("/api/v1/{path}"), TOKEN, body)
    }

    /// Changes something, which goes well.
    pub(crate) fn set(&self, path: &str, body: &Value) -> Value {
        let answer = self.patch(path, &body.to_string());
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    pub(crate) fn read(&self, path: &str) -> Value {
        let answer = self.program.operate_with(&format!("/api/v1/{path}"), TOKEN);
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    pub(crate) fn all(&self) -> Value {
        RESOURCES
            .into_iter()
            .map(|path| (path.to_owned(), self.read(path)))
            .collect()
    }

    /// A stream that runs until it is dropped. The calls after it are answered at once.
    pub(crate) fn hold(&self, prompt: &str) -> TcpStream {
        self.server.script(Script {
            stall_after: Some(400),
            ..Script::paced(100, 1)
        });
        let stream = self.program.streaming(prompt);
        self.server.script(Script::default());
        stream
    }

    /// The status of an answer, and who gave it.
    pub(crate) fn ask(&self, prompt: &str) -> (String, String) {
        told(&self.program.complete(prompt))
    }

    /// Looks until something is so.
    pub(crate) fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) {
        let is_so = (0..20_000).any(|_| is_so(&self.read(path)));
        assert!(is_so, "{}", self.read(path));
    }
}

pub(crate) fn told(answer: &str) -> (String, String) {
    let worker = answer
        .lines()
        .find_map(|line| line.strip_prefix("x-orchestrator-worker: "));
    (answer[9..12].to_owned(), worker.unwrap_or_default().to_owned())
}

pub(crate) fn by(status: &str, worker: &str) -> (String, String) {
    (status.to_owned(), worker.to_owned())
}
