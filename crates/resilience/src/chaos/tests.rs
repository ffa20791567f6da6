//! Faults from the switch to the guard: what is drawn befalls the call, and whoever looks sees it like a real one.

mod bench;
mod orders;
mod timelines;
