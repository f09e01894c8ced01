//! The directives of the configuration as httpd has read them, of all modules.

use httpd_sys as sys;

use crate::server::Server;
use crate::text;

/// Goes through the directives of the configuration that is being checked, from the inside to the
/// outside: `make` gets name (with a `<` in front if it is a section), arguments as they are
/// written, and what it has made of the directives inside.
pub fn config_tree<N>(
    _main: Server<'_>,
    make: &mut impl FnMut(String, String, Vec<N>) -> N,
) -> Vec<N> {
    // SAFETY: a server was lent, so a configuration was read; its tree lives as long, and does not
    // change any more. One thread reads configurations.
    unsafe { nodes(sys::ap_conftree, make) }
}

/// # Safety
/// `first` is null or the first of a list of directives that live during the call.
unsafe fn nodes<N>(
    first: *const sys::ap_directive_t,
    make: &mut impl FnMut(String, String, Vec<N>) -> N,
) -> Vec<N> {
    let mut nodes = Vec::new();
    let mut next = first;
    while !next.is_null() {
        // SAFETY: the caller vouches for the list; its strings and lists live as long as it does.
        unsafe {
            let shown =
                |text| String::from_utf8_lossy(text::bytes(text).unwrap_or_default()).into_owned();
            let inside = self::nodes((*next).first_child, make);
            nodes.push(make(shown((*next).directive), shown((*next).args), inside));
            next = (*next).next;
        }
    }
    nodes
}
