//! The messages between httpd's children, workers and the engine, as bytes.

pub mod codec;
pub mod embed_abi;
pub mod frame;
pub mod frame_decoder;
pub mod hook;
pub mod log_line;
pub mod outcome;
pub mod queue;
pub mod request;
pub mod response;
pub mod scoreboard;
