//! The three servers: a scripted model, and before it nginx and the program with a thread each.

use crate::process::Server;
use std::{
    error::Error,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

const NGINX: &str = "/usr/sbin/nginx";

/// The servers of one run.
#[derive(Debug)]
pub(crate) struct Servers {
    model: Server,
    /// nginx, which reads nothing of what it passes on.
    pub(crate) nginx: Server,
    /// The program with its whole line.
    pub(crate) program: Server,
    _folder: TempDir,
}

// === impl Servers ===

impl Servers {
    /// Builds what has to be built and starts all three; `document` is added to the program's.
    pub(crate) async fn start(document: &str) -> Result<Self, Box<dyn Error>> {
        build()?;
        let folder = tempfile::tempdir()?;
        let (model, nginx, program, admin) = (free()?, free()?, free()?, free()?);
        let server = Server::start(
            Command::new(built("model-server")?).args(["--port", &model.port().to_string()]),
            model,
        )
        .await?;
        let conf = write(folder.path(), "nginx.conf", &nginx_conf(folder.path(), nginx, model))?;
        let toml = write(
            folder.path(),
            "pipeline.toml",
            &pipeline(program, admin, model, document),
        )?;
        Ok(Servers {
            model: server,
            nginx: Server::start(Command::new(NGINX).arg("-c").arg(conf), nginx).await?,
            program: Server::start(Command::new(built("orchestrator")?).arg("run").arg(toml), program).await?,
            _folder: folder,
        })
    }

    /// Makes the model follow a script.
    pub(crate) fn follow(&self, script: &str) -> Result<(), Box<dyn Error>> {
        let mut socket = TcpStream::connect(self.model.address)?;
        write!(
            socket,
            "POST /__script HTTP/1.1\r\nhost: model\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{script}",
            script.len()
        )?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        match answer.starts_with("HTTP/1.1 200") {
            true => Ok(()),
            false => Err(format!("the model refuses the script: {answer}").into()),
        }
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--quiet", "--bins"]);
    cargo.args(["-p", "orchestrator", "-p", "orchestrator-testkit"]);
    match cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status()?.success() {
        true => Ok(()),
        false => Err("the program does not build".into()),
    }
}

/// Where a program of this workspace was built: beside this one.
fn built(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let here = std::env::current_exe()?;
    let found = here.with_file_name(name);
    match found.is_file() {
        true => Ok(found),
        false => Err(format!("{} is missing: run this with cargo run --release", found.display()).into()),
    }
}

fn free() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn write(folder: &Path, name: &str, text: &str) -> std::io::Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, text).map(|()| path)
}

fn nginx_conf(folder: &Path, listen: SocketAddr, model: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "daemon off; master_process off; pid {folder}/nginx.pid; error_log /dev/null;
         events {{ worker_connections 20000; }}
         http {{
           access_log off; keepalive_requests 1000000; tcp_nodelay on;
           client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
           uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
           upstream model {{ server {model}; keepalive 256; keepalive_requests 1000000; }}
           server {{
             listen {listen};
             location / {{
               proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off;
             }}
           }}
         }}"
    )
}

fn pipeline(listen: SocketAddr, admin: SocketAddr, model: SocketAddr, more: &str) -> String {
    format!(
        "[pipeline.stages.inference]\nworker = \"model\"\n[pipeline.stages.rag]\nenabled = false\n\
         [workers.model]\nprovider = \"openai\"\nbase_url = \"http://{model}\"\nmax_concurrent = 1000\n\
         [server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\nthreads = 1\n{more}\n"
    )
}
