//! The objects of PEP 3333 that an application gets: environ, input, errors, `start_response`.

pub(crate) mod classes;
pub(crate) mod environ;
pub(crate) mod environ_strings;
pub(crate) mod errors;
pub(crate) mod file_wrapper;
pub(crate) mod input;
pub(crate) mod log_stream;
pub(crate) mod start_response;
pub(crate) mod tls_function;
