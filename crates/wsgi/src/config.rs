//! The configuration: directives, options, and what their values mean.

pub mod access_sections;
pub mod alias;
pub mod argument;
pub mod category;
pub mod daemon_process;
pub mod directives;
pub mod group_name;
pub mod hook_script;
pub mod interpreter_options;
pub mod proxy;
pub mod reference;
pub mod script_path;
pub mod settings;
pub mod tokens;
