//! APR's tables: headers, environment and notes of a request.

use core::ffi::CStr;
use core::marker::PhantomData;

use httpd_sys as sys;

use crate::pool::Pool;
use crate::text;

/// A table of a live request, to be read. Names are compared without regard to case.
#[derive(Clone, Copy, Debug)]
pub struct Table<'t> {
    raw: *mut sys::apr_table_t,
    lives: PhantomData<&'t sys::apr_table_t>,
}

impl<'t> Table<'t> {
    /// # Safety
    /// `raw` is a table that lives and is not changed for `'t`, and is used by this thread alone.
    pub(crate) unsafe fn from_raw(raw: *mut sys::apr_table_t) -> Self {
        Self { raw, lives: PhantomData }
    }

    /// The first value under `name`.
    pub fn get(self, name: &CStr) -> Option<&'t [u8]> {
        // SAFETY: the table is live, and its strings with it.
        unsafe { text::bytes(sys::apr_table_get(self.raw, name.as_ptr())) }
    }

    /// All entries in their order; an entry without a value has an empty one.
    pub fn entries(self) -> impl Iterator<Item = (&'t [u8], &'t [u8])> {
        #[expect(clippy::cast_ptr_alignment, reason = "APR allocates the array for its entries")]
        // SAFETY: the array header is live as long as the table.
        let (entries, count) = unsafe {
            let array = sys::apr_table_elts(self.raw);
            ((*array).elts.cast::<sys::apr_table_entry_t>(), (*array).nelts)
        };
        (0..usize::try_from(count).unwrap_or(0)).filter_map(move |index| {
            // SAFETY: `index` is below the number of entries, and no code changes the table during
            // 't, so the array stays where it is.
            unsafe {
                let entry = entries.add(index);
                Some((text::bytes((*entry).key)?, text::bytes((*entry).val).unwrap_or_default()))
            }
        })
    }
}

/// A table of a live request, to be changed. Entries that are put in are copied into the request's
/// pool.
#[derive(Debug)]
pub struct TableMut<'t> {
    raw: *mut sys::apr_table_t,
    pool: Pool<'t>,
    lives: PhantomData<&'t mut sys::apr_table_t>,
}

impl<'t> TableMut<'t> {
    /// # Safety
    /// `raw` is a table that lives for `'t` and is used by this thread alone; `pool` lives at least
    /// as long as the table.
    pub(crate) unsafe fn from_raw(raw: *mut sys::apr_table_t, pool: Pool<'t>) -> Self {
        Self { raw, pool, lives: PhantomData }
    }

    /// Replaces all values under `name`.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let (name, value) = (self.pool.dup(name), self.pool.dup(value));
        // SAFETY: the table is live and both strings live in the request's pool.
        unsafe { sys::apr_table_setn(self.raw, name.as_ptr(), value.as_ptr()) }
    }

    /// Removes all values under `name`.
    pub fn remove(&mut self, name: &[u8]) {
        let name = self.pool.dup(name);
        // SAFETY: the table is live and the name ends with NUL.
        unsafe { sys::apr_table_unset(self.raw, name.as_ptr()) }
    }

    /// Adds a value beside those that are there.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let (name, value) = (self.pool.dup(name), self.pool.dup(value));
        // SAFETY: as in `set`.
        unsafe { sys::apr_table_addn(self.raw, name.as_ptr(), value.as_ptr()) }
    }
}
