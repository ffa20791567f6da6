//! The doors as the program opens them: bind first, then give each core its share.

use crate::{
    Error, Parts,
    deal::Deal,
    door::{Door, Shared},
    resume::Resumable,
    server::{Accepted, Plane, accept, serve},
};
use orchestrator_core::{Blocking, Submit, Tasks};
use std::{fmt, net::SocketAddr, sync::Arc};
use tokio::net::TcpListener;

/// Connections that may wait for a core to take them up.
const HANDOVER: usize = 1024;

/// Listeners that are bound; nothing is accepted yet.
#[derive(Debug)]
pub struct Gateway {
    data: std::net::TcpListener,
    control: std::net::TcpListener,
}

/// One core's share of the doors.
pub struct CoreDoors {
    door: Box<dyn Fn(Tasks) -> Door + Send>,
    data: async_channel::Receiver<Accepted>,
    control: async_channel::Receiver<Accepted>,
    /// The first core accepts for all.
    listeners: Option<Listeners>,
}

struct Listeners {
    bound: Gateway,
    shared: Arc<Shared>,
    data: Vec<async_channel::Sender<Accepted>>,
    control: Vec<async_channel::Sender<Accepted>>,
}

// === impl Gateway ===

impl Gateway {
    /// Binds both listeners.
    pub fn bind(listen: SocketAddr, admin_listen: SocketAddr) -> Result<Self, Error> {
        Ok(Gateway {
            data: bind(listen)?,
            control: bind(admin_listen)?,
        })
    }

    /// The address that clients connect to; with its real port where the configuration said 0.
    pub fn address(&self) -> Option<SocketAddr> {
        self.data.local_addr().ok()
    }

    /// The address for operators.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.control.local_addr().ok()
    }

    /// Deals the doors over the cores, one line each.
    pub fn open(self, parts: Parts, lines: Vec<Arc<dyn Submit>>) -> Vec<CoreDoors> {
        let born = parts.env.unix_time().as_secs();
        let resumable = Resumable::new(parts.config.max_in_flight);
        let cores = lines.len();
        let shared = Arc::new(Shared {
            parts,
            deal: Deal::new(cores),
            lines,
            resumable,
            operators: Blocking::new(1),
            born,
        });
        let (data_in, data): (Vec<_>, Vec<_>) = (0..cores).map(|_| async_channel::bounded(HANDOVER)).unzip();
        let (control_in, control): (Vec<_>, Vec<_>) = (0..cores).map(|_| async_channel::bounded(HANDOVER)).unzip();
        let mut listeners = Some(Listeners {
            bound: self,
            shared: shared.clone(),
            data: data_in,
            control: control_in,
        });
        let shares = data.into_iter().zip(control).enumerate();
        shares
            .map(|(core, (data, control))| {
                let shared = shared.clone();
                let door = Box::new(move |tasks| Door {
                    shared: shared.clone(),
                    core,
                    tasks,
                });
                CoreDoors {
                    door,
                    data,
                    control,
                    listeners: listeners.take(),
                }
            })
            .collect()
    }
}

// === impl CoreDoors ===

impl CoreDoors {
    /// Serves this core's connections on the current runtime, until the process is over.
    pub fn open(self, tasks: &Tasks) {
        let door = (self.door)(tasks.clone());
        tasks.spawn(serve(door.clone(), Plane::Data, self.data));
        tasks.spawn(serve(door, Plane::Control, self.control));
        let Some(listeners) = self.listeners else { return };
        let Listeners {
            bound,
            shared,
            data,
            control,
        } = listeners;
        for (plane, listener, cores) in [
            (Plane::Data, bound.data, data),
            (Plane::Control, bound.control, control),
        ] {
            // A listener that was bound can be registered, unless the process has run out of descriptors at its start.
            match TcpListener::from_std(listener) {
                Ok(listener) => drop(tasks.spawn(accept(listener, plane, shared.clone(), cores))),
                Err(error) => tracing::error!(%error, "a listener cannot be served"),
            }
        }
    }
}

impl fmt::Debug for CoreDoors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoreDoors")
            .field("accepts", &self.listeners.is_some())
            .finish_non_exhaustive()
    }
}

fn bind(address: SocketAddr) -> Result<std::net::TcpListener, Error> {
    let bind = || {
        let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(4096)?;
        Ok(socket.into())
    };
    bind().map_err(|source| Error::Listen { address, source })
}

#[cfg(test)]
mod tests;
