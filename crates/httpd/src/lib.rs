//! The only safe door to httpd 2.4 and APR.
//!
//! A module is a type that implements [`Module`]: httpd's callbacks arrive as calls of its
//! functions with handles that cannot be kept beyond the callback. Pools, brigades and raw records
//! stay inside this crate. It knows no WSGI and no Python.
//!
//! The invariants of httpd that the SAFETY comments here lean on are listed in `SAFETY.md`.
#![allow(unsafe_code, reason = "this crate is the door to a C API")]

mod auth;
mod body;
mod child;
mod command;
mod config_tree;
mod log;
mod module;
mod output;
mod pool;
mod regex;
mod request;
mod response;
mod scoreboard;
mod server;
mod state;
mod table;
mod text;
mod trap;

pub use auth::{Authorization, Guard, LookUp, Password, RealmHash, Requirement};
pub use body::ReadError;
pub use child::{OtherChild, watch_process};
pub use command::{Command, CommandRecord, CommandTable, Context, Override, Read};
pub use config_tree::config_tree;
pub use log::{ErrorLog, SourceLine, startup_line};
pub use module::{Module, Order, PanicLog, Record, Status, Unusable};
pub use pool::{Pool, with_scratch_pool};
pub use regex::{Groups, Regex};
pub use request::{FileKind, Redirect, Request};
pub use response::{Flush, SendError, Sendfile};
pub use scoreboard::{ChildSlot, Scoreboard, ThreadSlot};
pub use server::{Server, Servers, main_server};
pub use state::{
    Identity, Mpm, RunMode, StartKind, StartPass, Version, add_version_component,
    children_identity, config_generation, is_defined, mpm, run_mode, runtime_path,
    server_root_path, server_version, single_process, start_kind, start_pass,
};
pub use table::{Table, TableMut};
