//! A server in a process of its own, and what the system says of it.

use std::{
    fs, io,
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::time::sleep;

/// A server in a process of its own; dropped, it is ended.
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
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("{command:?} does not listen"),
        ))
    }

    /// The processor time of all its threads since they began, in nanoseconds.
    pub(crate) fn processor_ns(&self) -> io::Result<u64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()))?;
        tasks
            .map(|task| {
                let text = fs::read_to_string(task?.path().join("schedstat"))?;
                let spent = text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok());
                spent.ok_or_else(|| io::Error::other("the system counts no processor time"))
            })
            .sum()
    }

    /// The memory that it holds, in bytes.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.map(|kib| kib * 1024)
            .ok_or_else(|| io::Error::other("the system tells no memory"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
