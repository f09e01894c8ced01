//! Writing the `ServerRoot`.
//!
//! Its usual place is a known name in a directory that all users may write to. So it is used only
//! if it is a real directory that belongs to the user who runs this, and that no other user can
//! change.

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::unistd::Uid;

use crate::site::{Application, Site};

/// Makes the directory where needed, and writes the files.
pub(crate) fn write(site: &Site, configuration: &str) -> Result<()> {
    claim(&site.server_root)?;
    for directory in ["run", "htdocs"] {
        claim(&site.server_root.join(directory))?;
    }
    if let Application::Module(module) = &site.application {
        write_file(&site.handler_file(), &handler(module, &site.options.callable_object))?;
    }
    write_file(&site.config_file(), configuration)
}

/// Makes the directory, or checks that it is ours alone.
fn claim(directory: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o755).create(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot make {}", directory.display()));
        }
    }
    // Of the name itself: a user's link to another directory is not it.
    let metadata = fs::symlink_metadata(directory)
        .with_context(|| format!("cannot look at {}", directory.display()))?;
    if !metadata.is_dir() {
        bail!("{} is in the way: remove it or use --server-root", directory.display());
    }
    if metadata.uid() != Uid::effective().as_raw() || metadata.mode() & 0o022 != 0 {
        bail!(
            "{} belongs to another user, or other users can write to it: remove it or use \
             --server-root",
            directory.display()
        );
    }
    // Whatever the umask says: httpd's user has to pass.
    fs::set_permissions(directory, Permissions::from_mode(0o755))
        .with_context(|| format!("cannot open {} to httpd's user", directory.display()))
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o644)))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The script that stands for a module. Both names were checked to be identifiers or are quoted.
fn handler(module: &str, callable: &str) -> String {
    format!(
        "\"\"\"The application of the module {module}. Written by dormouse at each start.\"\"\"\n\n\
         import importlib\n\n\
         {callable} = importlib.import_module(\"{module}\").{callable}\n"
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_directory_is_made_and_used_again() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        claim(&root).unwrap();
        claim(&root).unwrap();
        assert_eq!(fs::metadata(&root).unwrap().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_directory_that_others_control_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let (open, link, file) =
            (place.path().join("open"), place.path().join("link"), place.path().join("file"));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        symlink(place.path(), &link).unwrap();
        fs::write(&file, "").unwrap();
        for path in [open, link, file] {
            assert!(claim(&path).unwrap_err().to_string().contains("--server-root"));
        }
        assert!(claim(&place.path().join("no/such")).is_err());
    }

    #[test]
    fn a_module_gets_a_script() {
        let text = handler("shop.wsgi", "app");
        assert!(text.ends_with("app = importlib.import_module(\"shop.wsgi\").app\n"), "{text}");
    }
}
