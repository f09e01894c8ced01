//! Where a path leads, as httpd resolves it when a request comes: what of it is a file, and what
//! lies behind.

use serde::{Deserialize, Serialize};

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lead {
    /// So many bytes of the path name a file, or something else that is no directory; what comes
    /// behind is the beginning of `PATH_INFO`.
    File(usize),
    /// The whole path names a directory.
    Directory,
    /// Nothing is there that can be looked at; it may come later.
    Nothing,
}

impl Lead {
    /// Follows a path from the root on. `is_directory` says of a part of it whether that names a
    /// directory, and `None` if nothing is there.
    pub fn follow(path: &str, is_directory: impl Fn(&str) -> Option<bool>) -> Self {
        let ends = path.match_indices('/').map(|(place, _)| place).filter(|place| *place > 0);
        for end in ends.chain([path.len()]) {
            match is_directory(&path[..end]) {
                Some(true) => {}
                Some(false) => return Self::File(end),
                None => return Self::Nothing,
            }
        }
        Self::Directory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_behind_a_file_is_no_part_of_it() {
        let is_directory = |path: &str| match path {
            "/srv" | "/srv/folder" | "/srv/folder/" => Some(true),
            "/srv/a.wsgi" => Some(false),
            _ => None,
        };
        for (path, lead) in [
            ("/srv/a.wsgi", Lead::File(11)),
            ("/srv/a.wsgi/more/of/it", Lead::File(11)),
            ("/srv/folder", Lead::Directory),
            ("/srv/folder/", Lead::Directory),
            ("/srv/folder/b.wsgi", Lead::Nothing),
            ("/nowhere/", Lead::Nothing),
            ("", Lead::Nothing),
        ] {
            assert_eq!(Lead::follow(path, is_directory), lead, "{path}");
        }
    }
}
