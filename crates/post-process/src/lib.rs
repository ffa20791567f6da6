//! post-process
