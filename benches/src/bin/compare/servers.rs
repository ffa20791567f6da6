//! The servers that are compared: before the same scripted model, nginx and the program, each as often as a part wishes.

use crate::{process::Server, shape::Shape};
use orchestrator_testkit::ModelServer;
use std::{
    error::Error,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// What stands around the servers of a run.
#[derive(Debug)]
pub(crate) struct Bench {
    /// Runs on a thread of this process, whose time nobody counts.
    pub(crate) model: ModelServer,
    program: PathBuf,
    /// Another build of it.
    before: Option<PathBuf>,
    nginx: PathBuf,
    /// More of the program's document.
    document: String,
    folder: TempDir,
}

/// What of the program's document a part needs otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) threads: usize,
    /// Calls to the model at once.
    pub(crate) slots: usize,
    /// Requests that may wait for one in a lane.
    pub(crate) lane: usize,
    /// What the model speaks.
    pub(crate) provider: &'static str,
    /// Whether requests are grounded in passages of the project's own documents.
    pub(crate) grounded: bool,
}

// === impl Setting ===

impl Setting {
    pub(crate) const fn threads(threads: usize) -> Self {
        Setting {
            threads,
            slots: 20_000,
            lane: 1000,
            provider: "openai",
            grounded: false,
        }
    }
}

// === impl Bench ===

impl Bench {
    /// Starts the model. The program is built unless a built one is given; `document` is added to its own.
    pub(crate) fn new(
        program: Option<PathBuf>,
        before: Option<PathBuf>,
        nginx: PathBuf,
        document: String,
    ) -> Result<Self, Box<dyn Error>> {
        let program = match program {
            Some(program) => program,
            None => build()?,
        };
        Ok(Bench {
            model: ModelServer::start(),
            program,
            before,
            nginx,
            document,
            folder: tempfile::tempdir()?,
        })
    }

    /// Makes the model answer as the shape wishes.
    pub(crate) fn follow(&self, shape: Shape) {
        self.model.script(shape.script());
    }

    /// Starts nginx, which reads nothing of what it passes on, with so many workers.
    pub(crate) async fn nginx(&self, workers: usize) -> io::Result<Server> {
        let listen = free()?;
        let text = nginx_conf(self.folder.path(), workers, listen, self.model.addr());
        let conf = self.write("nginx.conf", &text)?;
        Server::start(Command::new(&self.nginx).arg("-c").arg(conf), listen).await
    }

    /// Starts the program with its whole line.
    pub(crate) async fn program(&self, setting: Setting) -> io::Result<Server> {
        self.run(&self.program, setting).await
    }

    /// Starts the other build of it, if there is one.
    pub(crate) async fn before(&self, setting: Setting) -> io::Result<Option<Server>> {
        match &self.before {
            Some(before) => self.run(before, setting).await.map(Some),
            None => Ok(None),
        }
    }

    async fn run(&self, program: &Path, setting: Setting) -> io::Result<Server> {
        let (listen, admin) = (free()?, free()?);
        let text = pipeline(setting, [listen, admin, self.model.addr()]) + &self.document;
        let toml = self.write("pipeline.toml", &text)?;
        Server::start(Command::new(program).arg("run").arg(toml), listen).await
    }

    /// A name that was used before is written anew: whoever read it has read it.
    fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).map(|()| path)
    }
}

/// Builds the program; it lies beside this one.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--quiet", "-p", "orchestrator", "--bins"]);
    if !cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status()?.success() {
        return Err("the program does not build".into());
    }
    let found = std::env::current_exe()?.with_file_name("orchestrator");
    match found.is_file() {
        true => Ok(found),
        false => Err(format!(
            "{} is missing: run this with cargo run --profile bench",
            found.display()
        )
        .into()),
    }
}

fn free() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn nginx_conf(folder: &Path, workers: usize, listen: SocketAddr, model: SocketAddr) -> String {
    let folder = folder.display();
    let master = if workers == 1 { "off" } else { "on" };
    format!(
        "daemon off; master_process {master}; worker_processes {workers}; worker_rlimit_nofile 20000;
         pid {folder}/nginx.pid; error_log /dev/null;
         events {{ worker_connections 20000; }}
         http {{
           access_log off; keepalive_requests 1000000; tcp_nodelay on;
           client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
           uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
           upstream model {{ server {model}; keepalive 256; keepalive_requests 1000000; }}
           server {{
             listen {listen} backlog=4096;
             location / {{
               proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off;
             }}
           }}
         }}"
    )
}

fn pipeline(setting: Setting, [listen, admin, model]: [SocketAddr; 3]) -> String {
    let Setting {
        threads,
        slots,
        lane,
        provider,
        grounded,
    } = setting;
    let documents = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
    format!(
        "[pipeline.stages.inference]\nworker = \"model\"\n\
         [pipeline.stages.rag]\nenabled = {grounded}\nfolder = \"{documents}\"\n\
         [pipeline.lanes]\ncapacity = {lane}\n\
         [workers.model]\nprovider = \"{provider}\"\nbase_url = \"http://{model}\"\nmax_concurrent = {slots}\napi_key = \"key\"\n\
         [server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\nthreads = {threads}\n\
         [shutdown]\npre_stop_ms = 0\n"
    )
}
