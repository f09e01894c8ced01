//! The machine and the versions that figures belong to.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};
use testkit::installation;

use crate::report::list;

/// Those packages whose versions matter.
const PACKAGES: [&str; 5] = ["Django", "granian", "gunicorn", "mod_wsgi", "uWSGI"];

/// A list in Markdown.
pub(crate) fn describe() -> Result<String> {
    let version = words(&output(Command::new(installation::httpd()?).arg("-v"))?);
    let apache = version.split_whitespace().nth(2).unwrap_or("unknown").to_owned();
    Ok(list(&[
        ("Processor", format!("{} × {}", processors()?, processor()?)),
        ("Memory", format!("{} MB", memory()?)),
        ("Kernel", words(&read("/proc/sys/kernel/osrelease")?)),
        ("Huge pages", words(&read("/sys/kernel/mm/transparent_hugepage/enabled")?)),
        ("System", system()?),
        ("Apache", apache),
        ("Python", python_build()?),
    ]))
}

/// The versions of the servers that are installed, as one more entry of the list.
pub(crate) fn packages() -> Result<String> {
    let question = "import sys; from importlib.metadata import distributions
versions = {one.name: one.version for one in distributions()}
for name in sys.argv[1:]:
    if name in versions: print(name, versions[name])";
    let python = installation::venv()?.join("bin/python");
    let packages = output(Command::new(python).args(["-c", question]).args(PACKAGES))?;
    Ok(list(&[("Packages", packages.lines().collect::<Vec<_>>().join(", "))]))
}

/// `sys.version` of the Python under test: which version, and which build of it.
pub(crate) fn python_build() -> Result<String> {
    let question = "import sys; print(sys.version)";
    output(Command::new(installation::python()).args(["-I", "-c", question]))
        .map(|text| words(&text))
}

fn processors() -> Result<usize> {
    std::thread::available_parallelism().map(usize::from).context("how many processors?")
}

fn processor() -> Result<String> {
    let text = read("/proc/cpuinfo")?;
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    Ok(name.map_or("unknown", |(_, name)| name).to_owned())
}

fn memory() -> Result<u64> {
    let text = read("/proc/meminfo")?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.strip_suffix("kB"));
    let kilobytes: u64 = total.context("/proc/meminfo has no MemTotal")?.trim().parse()?;
    Ok(kilobytes / 1024)
}

fn system() -> Result<String> {
    let text = read("/etc/os-release")?;
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    Ok(name.unwrap_or("unknown").trim_matches('"').to_owned())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    anyhow::ensure!(output.status.success(), "{command:?}: {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The text on one line.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
