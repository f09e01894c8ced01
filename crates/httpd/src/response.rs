//! The output of a handler: head, data, files, and the sign that something is missing.

use core::ffi::c_int;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use httpd_sys as sys;

use crate::request::Request;
use crate::table::TableMut;

/// The client does not take the response any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendError;

/// When data that is passed on has to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// At once.
    Now,
    /// With what follows.
    Later,
    /// At once, and nothing follows: filters that need the whole response, such as the one for byte
    /// ranges, have it now.
    AtEnd,
}

/// How a file may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sendfile {
    /// It is read.
    Off,
    /// The kernel may send it by itself.
    On,
}

/// Bytes of a file that are read at a time, where the kernel does not send it: as many as the
/// core's output filter holds for a client. APR's own 8 KB would be a call to the kernel for each.
const FILE_PIECE: usize = 60 << 10;

impl Request<'_> {
    /// Has each write to the client take no longer than `limit`, in place of httpd's `Timeout`.
    /// Gives what held before, for setting it back: a connection outlives its requests. `None` if
    /// the request has no socket of its own, as in HTTP/2.
    pub fn set_client_timeout(&mut self, limit: Duration) -> Option<Duration> {
        let limit = sys::apr_interval_time_t::try_from(limit.as_micros()).ok()?;
        // SAFETY: the connection is live as long as the request, and its socket with it.
        unsafe {
            let socket = sys::ap_get_conn_socket((*self.as_ptr()).connection);
            if socket.is_null() {
                return None;
            }
            let mut before = 0;
            let known = sys::apr_socket_timeout_get(socket, &raw mut before) == sys::APR_SUCCESS;
            sys::apr_socket_timeout_set(socket, limit);
            known.then(|| Duration::from_micros(u64::try_from(before).unwrap_or(0)))
        }
    }

    /// Sets the status; `line` is code and reason.
    pub fn set_status(&mut self, code: u16, line: &[u8]) {
        let line = self.pool().dup(line);
        // SAFETY: the request is live and the copy lives in its pool.
        unsafe {
            (*self.as_ptr()).status = c_int::from(code);
            (*self.as_ptr()).status_line = line.as_ptr();
        }
    }

    /// Sets the content type, which may bring in filters.
    pub fn set_content_type(&mut self, value: &[u8]) {
        let value = self.pool().dup(value);
        // SAFETY: as above.
        unsafe { sys::ap_set_content_type(self.as_ptr(), value.as_ptr()) }
    }

    /// The response's headers.
    pub fn headers_out(&mut self) -> TableMut<'_> {
        // SAFETY: the tables of a request live as long as the request.
        unsafe { TableMut::from_raw((*self.as_ptr()).headers_out, self.pool()) }
    }

    /// The headers that stay when httpd makes the response itself.
    pub fn error_headers_out(&mut self) -> TableMut<'_> {
        // SAFETY: as above.
        unsafe { TableMut::from_raw((*self.as_ptr()).err_headers_out, self.pool()) }
    }

    /// Passes `data` on to the output filters.
    pub fn send(&mut self, data: &[u8], flush: Flush) -> Result<(), SendError> {
        self.pass(flush, |brigade, allocator| {
            // SAFETY: a transient bucket borrows `data` until the brigade is passed on; filters
            // that keep it copy it, as its type demands, and `pass` empties the brigade.
            unsafe {
                let (place, length) = (data.as_ptr().cast(), data.len());
                let bucket = sys::apr_bucket_transient_create(place, length, allocator);
                sys::brigade_insert_tail(brigade, bucket);
            }
        })
    }

    /// Makes everything that was passed on leave.
    pub fn flush(&mut self) -> Result<(), SendError> {
        self.pass(Flush::Now, |_, _| {})
    }

    /// Sends `length` bytes of `file`, which is a regular file, from `offset`. The descriptor is
    /// kept until the request is over, because httpd may send after the handler has returned. The
    /// file is never mapped into memory, whatever `EnableMMAP` says: if it became shorter
    /// meanwhile, what reads the mapping (a filter that compresses, or one that encrypts) would end
    /// this process. So it is a response cut short.
    pub fn send_file(
        &mut self,
        file: OwnedFd,
        offset: u64,
        length: u64,
        sendfile: Sendfile,
        flush: Flush,
    ) -> Result<(), SendError> {
        let pool = self.pool();
        let descriptor = pool.own(file).as_raw_fd();
        let (Ok(offset), Ok(length)) =
            (sys::apr_off_t::try_from(offset), sys::apr_off_t::try_from(length))
        else {
            return Err(SendError);
        };
        let flags = match sendfile {
            Sendfile::Off => sys::APR_FOPEN_READ,
            Sendfile::On => sys::APR_FOPEN_READ | sys::APR_FOPEN_SENDFILE_ENABLED,
        };
        self.pass(flush, |brigade, _| {
            // SAFETY: the descriptor stays open as long as the pool; APR does not close a file that
            // was put together from a descriptor.
            unsafe {
                let mut handle = core::ptr::null_mut();
                let mut descriptor = descriptor;
                sys::apr_os_file_put(
                    &raw mut handle,
                    &raw mut descriptor,
                    flags.cast_signed(),
                    pool.as_ptr(),
                );
                let bucket =
                    sys::apr_brigade_insert_file(brigade, handle, offset, length, pool.as_ptr());
                // Both hold for all buckets that the file was divided into, and cannot fail for a
                // file's.
                sys::apr_bucket_file_enable_mmap(bucket, 0);
                sys::apr_bucket_file_set_buf_size(bucket, FILE_PIECE);
            }
        })
    }

    /// Cuts the response short so that the client can see it: no last chunk (HTTP/1.1), a reset
    /// stream (HTTP/2), and the connection is closed.
    pub fn cut_short(&mut self) {
        if std::mem::replace(&mut self.is_cut, true) {
            return;
        }
        let request = self.as_ptr();
        // SAFETY: the connection is live as long as the request.
        unsafe { (*(*request).connection).keepalive = sys::AP_CONN_CLOSE };
        // The bucket that the protocol filters understand as "the backend broke" (mod_proxy does
        // the same).
        let broke = sys::HTTP_BAD_GATEWAY.cast_signed();
        let _ = self.pass(Flush::AtEnd, |brigade, allocator| {
            // SAFETY: pool, brigade and allocator belong to this live request.
            unsafe {
                let none = core::ptr::null();
                let pool = (*request).pool;
                let error = sys::ap_bucket_error_create(broke, none, pool, allocator);
                sys::brigade_insert_tail(brigade, error);
            }
        });
    }

    /// Whether the head of the response has left the handler's reach.
    pub fn head_sent(&self) -> bool {
        // SAFETY: the record is live; the HTTP header filter sets this once it has written.
        unsafe { (*self.as_ptr()).sent_bodyct != 0 }
    }

    /// Whether the response is complete, although this handler has not ended it: a filter that
    /// refuses the request's body has httpd answer.
    pub fn is_answered(&self) -> bool {
        // SAFETY: the record is live; httpd sets this when it has ended a response.
        unsafe { (*self.as_ptr()).eos_sent != 0 }
    }

    /// Whether a response with the status that was set has a body: httpd drops that of others.
    pub fn has_response_body(&self) -> bool {
        // SAFETY: the record is live.
        let (header_only, status) =
            unsafe { ((*self.as_ptr()).header_only != 0, (*self.as_ptr()).status) };
        !header_only
            && status != sys::HTTP_NO_CONTENT.cast_signed()
            && status != sys::HTTP_NOT_MODIFIED.cast_signed()
    }

    /// Fills a brigade and passes it on; it is empty again when this returns. If a filter fails
    /// while the client is there, what has left must not pass for the whole response.
    fn pass(
        &mut self,
        flush: Flush,
        fill: impl FnOnce(*mut sys::apr_bucket_brigade, *mut sys::apr_bucket_alloc_t),
    ) -> Result<(), SendError> {
        let request = self.as_ptr();
        // SAFETY: the request, its connection and its filters are live; the brigade is made from
        // the request's pool, and emptied before the data that it may borrow goes away.
        unsafe {
            let connection = (*request).connection;
            if (*connection).aborted != 0 || self.is_answered() {
                return Err(SendError);
            }
            if self.output.is_null() {
                self.output = sys::apr_brigade_create((*request).pool, (*connection).bucket_alloc);
            }
            let brigade = self.output;
            fill(brigade, (*connection).bucket_alloc);
            let last = match flush {
                Flush::Now => Some(sys::apr_bucket_flush_create((*connection).bucket_alloc)),
                Flush::Later => None,
                Flush::AtEnd => Some(sys::apr_bucket_eos_create((*connection).bucket_alloc)),
            };
            if let Some(bucket) = last {
                sys::brigade_insert_tail(brigade, bucket);
            }
            let status = sys::ap_pass_brigade((*request).output_filters, brigade);
            sys::apr_brigade_cleanup(brigade.cast());
            if status == sys::APR_SUCCESS && (*connection).aborted == 0 {
                return Ok(());
            }
            if (*connection).aborted == 0 && !self.is_answered() {
                self.cut_short();
            }
            Err(SendError)
        }
    }
}
