//! Whole sessions on a paused clock, through the real handshake.

mod any;
mod crowd;
mod frames;
mod life;
mod many;
mod resume;
mod slow;
