//! The only safe door to CPython, on its stable ABI (3.10 and later).
//!
//! - [`Attached`] proves that the current thread holds the GIL of an interpreter;
//! - [`Object`] is an owned reference bound to that proof, [`Handle`] one that may outlive it;
//! - [`Interpreter`] is where a thread attaches; it keeps one thread state per thread and
//!   interpreter for the thread's life;
//! - [`Class`], [`Function`] and [`module::Definition`] are what Python can call.
//!
//! It links no libpython: the library that uses it takes the symbols of the interpreter that loads
//! it. It knows no WSGI. Free-threaded builds of CPython are not covered by this stable ABI.
#![expect(unsafe_code, reason = "this crate is the safe door to a C library")]

mod arguments;
mod attached;
mod busy_code;
mod bytes_buffer;
mod capsule;
mod class;
mod error;
mod fork;
mod free_blocks;
mod function;
mod gil_state;
mod immortal;
mod initialize;
mod interpreter;
mod interrupt;
pub mod module;
mod name;
mod object;
mod preinitialize;
mod shutdown;
pub mod signals;
mod source;
mod status;
mod symbol;
mod thread_state;
mod trampoline;
mod value;

pub use arguments::Arguments;
pub use attached::{Attached, InterpreterId};
pub use busy_code::CodeState;
pub use bytes_buffer::BytesBuffer;
pub use capsule::Capsule;
pub use class::{
    Attribute, Call, Class, ClassHandle, ClassObject, Construct, Getter, Members, Method, Next,
};
pub use error::{Error, Exception, Result};
pub use fork::Fork;
pub use function::Function;
pub use initialize::{InitializeError, Initialized, Options, initialize};
pub use interpreter::{AttachError, CreateError, EndError, Interpreter};
pub use interrupt::ThreadIdent;
pub use object::{Handle, Iter, Object};
