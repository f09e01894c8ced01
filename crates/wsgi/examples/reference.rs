//! Prints the reference page of directives; `cargo xtask reference` puts it where it belongs.

fn main() {
    print!("{}", wsgi::config::reference::page());
}
