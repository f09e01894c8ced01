//! Prints a page that is made from a catalogue: `directives` or `errors`. `cargo xtask reference`
//! puts each where it belongs.

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("errors") => print!("{}", wsgi::codes::page()),
        _ => print!("{}", wsgi::config::reference::page()),
    }
}
