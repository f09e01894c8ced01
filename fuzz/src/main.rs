//! A fuzz target: by libFuzzer, which has the command line then, or, where that is not built in,
//! with the files that the command line names and those of named directories.
//!
//! `DORMOUSE_FUZZ` names the target.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static TARGET: std::sync::LazyLock<&fuzz::Target> = std::sync::LazyLock::new(|| {
        fuzz::Target::of_environment().unwrap_or_else(|error| {
            eprintln!("{error}");
            std::process::exit(2)
        })
    });
    TARGET.run(bytes);
});

#[cfg(not(fuzzing))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let target = fuzz::Target::of_environment()?;
    for argument in std::env::args_os().skip(1) {
        for file in fuzz::Target::files(argument.as_ref())? {
            println!("{}", file.display());
            target.run(&std::fs::read(file)?);
        }
    }
    Ok(())
}
