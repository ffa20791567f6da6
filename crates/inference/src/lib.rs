//! inference
mod wire;
