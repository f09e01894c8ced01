//! Links the module so that httpd never really unloads it, and with code that is seldom used apart
//! from the rest.

fn main() {
    // httpd unloads and loads its modules at every restart. A Rust library that goes away leaks
    // what its statics hold; one that stays keeps them.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../layout/cold.ld");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-T,{script}");
    println!("cargo:rerun-if-changed={script}");
    println!("cargo:rerun-if-changed=build.rs");
}
