//! Lets the tests of this package link libpython, as those of `python` do.

#[path = "../python/build.rs"]
mod libpython;

fn main() {
    println!("cargo:rerun-if-changed=../python/build.rs");
    libpython::main();
}
