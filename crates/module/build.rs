//! Links the module so that httpd never really unloads it.

fn main() {
    // httpd unloads and loads its modules at every restart. A Rust library that goes away leaks
    // what its statics hold; one that stays keeps them.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rerun-if-changed=build.rs");
}
