//! httpd's regular expressions, for directives that end in `Match`.

use core::ptr::NonNull;

use httpd_sys as sys;

use crate::pool::Pool;

/// A compiled pattern that lives as long as the configuration's pool.
#[derive(Debug)]
pub struct Regex(NonNull<sys::ap_regex_t>);

// SAFETY: a compiled pattern is only read; httpd shares its own between all threads of a child.
unsafe impl Send for Regex {}
// SAFETY: as above.
unsafe impl Sync for Regex {}

/// Where a pattern matched: `$0` to `$9` as byte ranges.
pub type Groups = [Option<core::ops::Range<usize>>; 10];

impl Regex {
    /// Compiles `pattern` (extended) into `pool`; `None` if it is malformed.
    ///
    /// The pattern must not be used after the pool is cleared; keep it in a value that the same
    /// pool owns.
    pub(crate) fn compile(pool: Pool<'_>, pattern: &str) -> Option<Self> {
        let pattern = pool.dup(pattern.as_bytes());
        let flags = i32::try_from(sys::AP_REG_EXTENDED).expect("a flag of httpd");
        // SAFETY: pool and pattern are live.
        NonNull::new(unsafe { sys::ap_pregcomp(pool.as_ptr(), pattern.as_ptr(), flags) }).map(Self)
    }

    /// Searches `text` (up to its first NUL).
    pub fn search(&self, text: &[u8]) -> Option<Groups> {
        let text = std::ffi::CString::new(crate::text::until_nul(text)).ok()?;
        let mut matches = [sys::ap_regmatch_t { rm_so: -1, rm_eo: -1 }; 10];
        // SAFETY: the pattern and the text are live, and `matches` has the ten places promised.
        let status = unsafe {
            sys::ap_regexec(self.0.as_ptr(), text.as_ptr(), matches.len(), matches.as_mut_ptr(), 0)
        };
        if status != 0 {
            return None;
        }
        Some(matches.map(|found| {
            let start = usize::try_from(found.rm_so).ok()?;
            Some(start..usize::try_from(found.rm_eo).ok()?)
        }))
    }
}
