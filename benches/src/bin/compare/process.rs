//! A server in a process of its own, and what the system says of it.

use std::{
    fs, io,
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::time::sleep;

/// A server in a process of its own, with workers perhaps; dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

// === impl Server ===

impl Server {
    /// Starts a server and waits until it takes connections.
    pub(crate) async fn start(command: &mut Command, address: SocketAddr) -> io::Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Server {
            child: child.spawn()?,
            address,
        };
        for _ in 0..500 {
            if TcpStream::connect(address).is_ok() {
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(io::Error::other(format!("{command:?} ended with {status}")));
            }
            sleep(Duration::from_millis(10)).await;
        }
        let text = format!("{command:?} does not listen");
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    }

    /// What the work brings, and the microseconds of processor time that the server spends meanwhile.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = io::Result<T>>) -> io::Result<(T, f64)> {
        let before = self.processor_us()?;
        let brought = work.await?;
        Ok((brought, self.processor_us()? - before))
    }

    /// Asks it to end and waits until it has done what it does at its end.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        signal("-TERM", &[self.child.id()]);
        for _ in 0..1000 {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            sleep(Duration::from_millis(10)).await;
        }
        let text = format!("{} does not end", self.address);
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    }

    /// The processor time of all its threads since they began, the kernel's share included.
    fn processor_us(&self) -> io::Result<f64> {
        let mut spent = 0.0;
        for process in self.processes()? {
            for task in fs::read_dir(format!("/proc/{process}/task"))? {
                spent += spent_us(&task?.path().join("schedstat").display().to_string())?;
            }
        }
        Ok(spent)
    }

    /// The memory that it holds, in bytes.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        self.processes()?.into_iter().map(resident).sum()
    }

    /// The process and its children.
    fn processes(&self) -> io::Result<Vec<u32>> {
        let first = self.child.id();
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children"))?;
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        Ok([first].into_iter().chain(children).collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The first is ended first, so that it starts no worker anew. All may have ended by themselves.
        let all = self.processes().unwrap_or_default();
        signal("-KILL", &all);
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn signal(signal: &str, processes: &[u32]) {
    if processes.is_empty() {
        return;
    }
    drop(
        Command::new("kill")
            .arg(signal)
            .args(processes.iter().map(u32::to_string))
            .status(),
    );
}

/// The processor time of a thread, from its file of statistics.
pub(crate) fn spent_us(schedstat: &str) -> io::Result<f64> {
    let text = fs::read_to_string(schedstat)?;
    let spent = text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok());
    let ns = spent.ok_or_else(|| io::Error::other("the system counts no processor time"))?;
    Ok(ns as f64 / 1000.0)
}

fn resident(process: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other("the system tells no memory"))
}
