//! The bounded channel between two stages. Inside the line an edge waits, so pressure walks back to the gate by itself.

use crate::Job;

/// A new edge that holds at most `capacity` jobs, at least one.
pub fn edge<T>(capacity: usize) -> (Outlet<T>, Inlet<T>) {
    let (sender, receiver) = async_channel::bounded(capacity.max(1));
    (Outlet(sender), Inlet(receiver))
}

/// The end that jobs go into.
#[derive(Debug)]
pub struct Outlet<T>(async_channel::Sender<Job<T>>);

/// The end that jobs come out of. It is dry once every outlet is dropped and every job taken.
#[derive(Debug)]
pub struct Inlet<T>(async_channel::Receiver<Job<T>>);

// === impl Outlet ===

impl<T> Outlet<T> {
    /// Hands a job over, waiting for room. When nobody takes jobs any more, the job is dropped and its answer ends as a
    /// fault of ours. Dropping the future drops the job.
    pub async fn send(&self, job: Job<T>) {
        if let Err(refused) = self.0.send(job).await {
            drop(refused);
        }
    }

    /// Hands a job over if there is room; else gives it back.
    pub fn try_send(&self, job: Job<T>) -> Result<(), Job<T>> {
        self.0.try_send(job).map_err(async_channel::TrySendError::into_inner)
    }
}

impl<T> Clone for Outlet<T> {
    fn clone(&self) -> Self {
        Outlet(self.0.clone())
    }
}

// === impl Inlet ===

impl<T> Inlet<T> {
    /// The next job; `None` once the edge is dry. Losing the future loses no job.
    pub async fn recv(&self) -> Option<Job<T>> {
        self.0.recv().await.ok()
    }

    /// Reads the depth of the edge, for as long as it lives.
    pub fn depth(&self) -> impl Fn() -> Option<usize> + Send + Sync + use<T>
    where
        T: Send + 'static,
    {
        let receiver = self.0.downgrade();
        move || receiver.upgrade().map(|receiver| receiver.len())
    }
}
