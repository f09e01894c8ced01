//! The installed parts: our module beside this program, and httpd with its modules.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::options::Mpm;

/// The `mod_wsgi.so` beside this program.
pub(crate) fn module_file() -> Result<PathBuf> {
    let program = env::current_exe().context("cannot find out where this program is")?;
    let module = program.with_file_name("mod_wsgi.so");
    if !module.is_file() {
        bail!("{} is missing: keep the files of the distribution together", module.display());
    }
    Ok(module)
}

/// An installed httpd.
#[derive(Clone, Debug)]
pub(crate) struct Httpd {
    pub(crate) binary: PathBuf,
    pub(crate) modules: PathBuf,
    /// Names such as `log_config` of those modules that are part of the binary.
    pub(crate) built_in: Vec<String>,
}

const BINARIES: [&str; 4] = [
    "/usr/sbin/apache2",
    "/usr/sbin/httpd",
    "/usr/local/apache2/bin/httpd",
    "/usr/local/sbin/httpd",
];
const MODULES: [&str; 6] = [
    "/usr/lib/apache2/modules",
    "/usr/lib64/httpd/modules",
    "/usr/lib/httpd/modules",
    "/usr/lib64/apache2",
    "/usr/local/apache2/modules",
    "/usr/local/libexec/apache24",
];

impl Httpd {
    /// The given one, or that of the system.
    pub(crate) fn find(binary: Option<&Path>, modules: Option<&Path>) -> Result<Self> {
        let binary = match binary {
            Some(given) if given.is_file() => given.to_owned(),
            Some(given) => bail!("--httpd-executable {}: no such file", given.display()),
            None => BINARIES.iter().map(PathBuf::from).find(|path| path.is_file()).context(
                "no httpd found: install it (Debian package apache2-bin) or give its path with \
                 --httpd-executable",
            )?,
        };
        let modules = match modules {
            Some(given) if given.is_dir() => given.to_owned(),
            Some(given) => bail!("--modules-directory {}: no such directory", given.display()),
            None => modules_of(&binary)
                .context("httpd's modules are not found: say where with --modules-directory")?,
        };
        let built_in = built_in(&binary)?;
        Ok(Self { binary, modules, built_in })
    }

    /// The MPM to use: built in, or the first of the wanted (or of all) that is there.
    pub(crate) fn mpm(&self, wanted: &[Mpm]) -> Option<Mpm> {
        let all = [Mpm::Event, Mpm::Worker, Mpm::Prefork];
        let is_built_in = |mpm: &Mpm| self.built_in.iter().any(|name| name == mpm.name());
        let mut candidates =
            all.into_iter().filter(|mpm| wanted.is_empty() || wanted.contains(mpm));
        // A binary with an MPM in it takes no other.
        match all.into_iter().find(is_built_in) {
            Some(fixed) => candidates.find(|mpm| *mpm == fixed),
            None => candidates.find(|mpm| self.file(&format!("mpm_{}", mpm.name())).is_file()),
        }
    }

    /// The file to load for a module; `None` where it is built in.
    pub(crate) fn loadable(&self, name: &str) -> Result<Option<PathBuf>> {
        let plain = name.strip_prefix("mpm_").unwrap_or(name);
        if self.built_in.iter().any(|built_in| built_in == plain) {
            return Ok(None);
        }
        let file = self.file(name);
        if !file.is_file() {
            bail!("httpd's module {} is missing", file.display());
        }
        Ok(Some(file))
    }

    /// httpd in the foreground.
    pub(crate) fn command(&self, config: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(["-D", "FOREGROUND", "-f"]).arg(config);
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.modules.join(format!("mod_{name}.so"))
    }
}

fn modules_of(binary: &Path) -> Option<PathBuf> {
    let beside = binary.parent().and_then(Path::parent).map(|prefix| prefix.join("modules"));
    let known = MODULES.iter().map(PathBuf::from);
    beside.into_iter().chain(known).find(|path| path.join("mod_alias.so").is_file())
}

/// Reads `httpd -l`: one `mod_log_config.c` or `event.c` a line.
fn built_in(binary: &Path) -> Result<Vec<String>> {
    let output = Command::new(binary)
        .arg("-l")
        .output()
        .with_context(|| format!("cannot run {}", binary.display()))?;
    if !output.status.success() {
        bail!("{} -l failed: {}", binary.display(), output.status);
    }
    let name = |line: &str| {
        let file = line.trim().strip_suffix(".c")?;
        Some(file.strip_prefix("mod_").unwrap_or(file).to_owned())
    };
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn httpd(built_in: &[&str], files: &[&str]) -> (tempfile::TempDir, Httpd) {
        let modules = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(modules.path().join(file), "").unwrap();
        }
        let httpd = Httpd {
            binary: "/usr/sbin/httpd".into(),
            modules: modules.path().to_owned(),
            built_in: built_in.iter().map(ToString::to_string).collect(),
        };
        (modules, httpd)
    }

    #[test]
    fn the_first_mpm_that_exists_is_used() {
        let (_keep, httpd) = httpd(&[], &["mod_mpm_worker.so", "mod_mpm_prefork.so"]);
        assert_eq!(httpd.mpm(&[]), Some(Mpm::Worker));
        assert_eq!(httpd.mpm(&[Mpm::Prefork, Mpm::Event]), Some(Mpm::Prefork));
        assert_eq!(httpd.mpm(&[Mpm::Event]), None);
    }

    #[test]
    fn a_built_in_mpm_is_the_only_one() {
        let (_keep, httpd) = httpd(&["core", "event"], &["mod_mpm_worker.so"]);
        assert_eq!(httpd.mpm(&[]), Some(Mpm::Event));
        assert_eq!(httpd.mpm(&[Mpm::Worker]), None);
        assert_eq!(httpd.loadable("mpm_event").unwrap(), None);
    }

    #[test]
    fn a_module_is_built_in_or_a_file_or_missing() {
        let (_keep, httpd) = httpd(&["unixd"], &["mod_alias.so"]);
        assert_eq!(httpd.loadable("unixd").unwrap(), None);
        assert!(httpd.loadable("alias").unwrap().unwrap().ends_with("mod_alias.so"));
        assert!(httpd.loadable("rewrite").is_err());
    }
}
