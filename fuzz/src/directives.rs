//! The arguments of directives, as they stand in a configuration or in an `.htaccess` file.

use wsgi::config::directives::{DIRECTIVES, DirectiveScope};
use wsgi::config::settings::{DirSettings, ServerSettings};

/// The first byte chooses a directive, the rest is its arguments. They are accepted or refused with
/// a text for people.
///
/// # Panics
/// Where the refusal says nothing.
pub(crate) fn directives(bytes: &[u8]) {
    let Some((&choice, arguments)) = bytes.split_first() else { return };
    // httpd hands on bytes, and the module refuses what is no UTF-8.
    let Ok(arguments) = std::str::from_utf8(arguments) else { return };
    let directive = &DIRECTIVES[usize::from(choice) % DIRECTIVES.len()];
    let (mut server, mut dir) = (ServerSettings::default(), DirSettings::default());
    let place = ("httpd.conf".to_owned(), 1);
    let mut scope =
        DirectiveScope { server: &mut server, dir: &mut dir, place, in_htaccess: choice & 1 == 1 };
    // Twice, since some directives add to what is there.
    for _ in 0..2 {
        if let Err(error) = (directive.apply)(arguments, &mut scope) {
            assert!(!error.to_string().is_empty(), "{:?}", directive.name);
        }
    }
}
