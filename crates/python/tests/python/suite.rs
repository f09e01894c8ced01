//! The part that the tests share: Python, initialised once.

use std::sync::OnceLock;

use python::{Attached, Initialized, Interpreter, Object, Options, initialize};

mod classes;
mod interpreters;
mod values;

/// Python, as an embedding host would start it.
fn python() -> &'static Initialized {
    static PYTHON: OnceLock<Initialized> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let options = Options { dont_write_bytecode: true, ..Options::default() };
        initialize(&options).unwrap()
    })
}

/// Runs attached to the main interpreter.
fn main<R>(work: impl for<'py> FnOnce(Attached<'py>) -> R) -> R {
    python().main.attach(work)
}

/// A new sub-interpreter.
fn sub() -> Interpreter {
    main(Interpreter::create).unwrap()
}

/// Runs source and returns its namespace.
fn run<'py>(py: Attached<'py>, source: &str, names: &[(&str, &Object<'py>)]) -> Object<'py> {
    let globals = py.dict().unwrap();
    for (name, value) in names {
        globals.set(name, value).unwrap();
    }
    py.run(source, "<test>", &globals).unwrap();
    globals
}

/// A name of a namespace, as `str(value)`.
fn shown(globals: &Object<'_>, name: &str) -> String {
    globals.item(&globals.py().text(name).unwrap()).unwrap().display()
}
