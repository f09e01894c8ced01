//! `dormouse`: an application served by httpd without writing its configuration.
//!
//! The user's options ([`options`]) become the site that they describe ([`site`]), that becomes a
//! `ServerRoot` with an `httpd.conf` ([`server_root`], [`configuration`]), and then httpd runs in
//! the foreground. Everything that can be wrong is found before httpd starts.
#![forbid(unsafe_code)]

mod account;
mod capacity;
mod configuration;
mod foreground;
mod installation;
mod memory;
mod options;
mod output;
mod processes;
mod python;
mod server_root;
mod site;
mod summary;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

use crate::installation::{Httpd, module_file};
use crate::memory::MemoryOptions;
use crate::options::{PythonOption, ServerOptions};
use crate::site::{Site, Surroundings};

/// Python WSGI applications under the Apache HTTP Server.
#[derive(Parser)]
#[command(name = "dormouse", version, infer_long_args = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves an application; Ctrl-C ends it.
    StartServer(Box<ServerOptions>),
    /// Writes everything that `start-server` would, and starts nothing.
    SetupServer(Box<ServerOptions>),
    /// Prints what the processes of running servers cost in memory.
    Memory(MemoryOptions),
    /// Prints the lines that load the module in a configuration of your own.
    ModuleConfig(PythonOption),
    /// Prints the path of the module.
    ModuleLocation,
}

/// As usual for a command line that cannot be followed.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("dormouse: {error:#}");
            ExitCode::from(USAGE)
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::StartServer(options) => {
            let (site, httpd) = set_up(&options)?;
            site.check_port()?;
            output::print(&format!("{}\nStop it with Ctrl-C.\n", summary::text(&site)))?;
            foreground::run(httpd.command(&site.config_file()))
        }
        Command::SetupServer(options) => {
            let (site, httpd) = set_up(&options)?;
            let start = httpd.command(&site.config_file());
            output::print(&format!("{}\nStart it with: {start:?}\n", summary::text(&site)))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Memory(options) => memory::run(&options),
        Command::ModuleConfig(option) => {
            let home = python::home(option.python.as_deref(), site::virtual_environment())?;
            let module = module_file()?;
            let (module, home) = (module.display(), home.display());
            let lines = format!("LoadModule wsgi_module \"{module}\"\nWSGIPythonHome \"{home}\"\n");
            output::print(&lines)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::ModuleLocation => {
            output::print(&format!("{}\n", module_file()?.display()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Checks the options and writes the `ServerRoot`.
fn set_up(options: &ServerOptions) -> Result<(Site, Httpd)> {
    let httpd =
        Httpd::find(options.httpd_executable.as_deref(), options.modules_directory.as_deref())?;
    let surroundings = Surroundings::look_around()?;
    let site = Site::resolve(options, &surroundings)?;
    let Some(mpm) = httpd.mpm(&options.server_mpm) else {
        bail!(
            "none of the MPMs asked for is in {}: choose another with --server-mpm",
            httpd.modules.display()
        );
    };
    let text = configuration::text(&site, &httpd, mpm)?;
    server_root::write(&site, &text)?;
    Ok((site, httpd))
}
