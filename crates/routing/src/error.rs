//! What keeps routes from being built.

/// A route that cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A tier names a worker that there is not.
    #[error("the route `{route}` names the worker `{worker}`, which there is not")]
    UnknownWorker {
        /// The route.
        route: String,
        /// The name.
        worker: String,
    },
    /// A route without workers.
    #[error("the route `{route}` names no worker")]
    NoWorker {
        /// The route.
        route: String,
    },
    /// Two routes for the same requests.
    #[error("the routes `{first}` and `{second}` both serve `{model}`")]
    Ambiguous {
        /// The one.
        first: String,
        /// The other.
        second: String,
        /// The pattern that both have.
        model: String,
    },
}

#[cfg(test)]
mod tests;
