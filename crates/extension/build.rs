//! Links the library with code that is seldom used apart from the rest.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../layout/cold.ld");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-T,{script}");
    println!("cargo:rerun-if-changed={script}");
    println!("cargo:rerun-if-changed=build.rs");
}
