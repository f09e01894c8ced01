//! The only safe door to CPython, on its stable ABI (3.10 and later).
//!
//! - [`Attached`] proves that the current thread holds the GIL of an interpreter;
//! - [`Object`] is an owned reference bound to that proof, [`Handle`] one that may outlive it;
//! - [`Interpreter`] is where a thread attaches; it keeps one thread state per thread and
//!   interpreter for the thread's life;
//! - [`Class`], [`Function`] and [`module::Definition`] are what Python can call.
//!
//! Rooms: `attach` (threads and the GIL), `objects` (references, values, errors), `classes` (what
//! Python can call, and the trampolines below), `interpreter` (making, forking, ending), `memory`
//! (what templates do for sharing).
//!
//! It links no libpython: the library that uses it takes the symbols of the interpreter that loads
//! it. It knows no WSGI. Free-threaded builds of CPython are not covered by this stable ABI.
#![expect(unsafe_code, reason = "this crate is the safe door to a C library")]

mod attach;
mod classes;
mod interpreter;
mod lock;
mod memory;
mod objects;
mod symbol;

pub use attach::attached::{Attached, InterpreterId};
pub use classes::arguments::Arguments;
pub use classes::class::{
    Attribute, Call, Class, ClassHandle, ClassObject, Construct, Getter, Members, Method, Next,
};
pub use classes::function::Function;
pub use classes::module;
pub use interpreter::fork::Fork;
pub use interpreter::initialize::{InitializeError, Initialized, Options, initialize};
pub use interpreter::interrupt::ThreadIdent;
pub use interpreter::signals;
pub use interpreter::{AttachError, CreateError, EndError, Interpreter};
pub use memory::busy_code::CodeState;
pub use objects::bytes_buffer::BytesBuffer;
pub use objects::capsule::Capsule;
pub use objects::error::{Error, Exception, Result};
pub use objects::object::{Handle, Iter, Object};
