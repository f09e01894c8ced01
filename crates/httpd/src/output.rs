//! The output that httpd holds for a client that takes its response slowly.

use std::os::fd::BorrowedFd;

use httpd_sys as sys;

use crate::request::Request;
use crate::response::SendError;

impl Request<'_> {
    /// Whether httpd holds output that the client has not taken. While it does not, up to 64 KiB
    /// can be passed on without waiting for the client. `None` if that is not known: requests of
    /// one HTTP/2 connection share its output.
    pub fn has_pending_output(&self) -> Option<bool> {
        // SAFETY: the connection is live as long as the request.
        unsafe {
            let connection = (*self.as_ptr()).connection;
            let is_alone = (*connection).master.is_null();
            is_alone.then(|| (*connection).data_in_output_filters != 0)
        }
    }

    /// Has the client take of what httpd holds as much as it does without being waited for.
    pub fn push_output(&mut self) -> Result<(), SendError> {
        // SAFETY: the connection and its filters are live as long as the request. The last of them
        // writes to the network, and takes no brigade as the wish to write what it holds without
        // waiting: the event MPM calls it so when a connection can be written to.
        unsafe {
            let connection = (*self.as_ptr()).connection;
            let mut filter = (*connection).output_filters;
            if filter.is_null() {
                return Ok(());
            }
            while !(*filter).next.is_null() {
                filter = (*filter).next;
            }
            let record = (*filter).frec;
            let is_core = crate::text::bytes((*record).name) == Some(b"core");
            if let Some(write) = (*record).filter_func.out_func.filter(|_| is_core) {
                write(filter, core::ptr::null_mut());
            }
            if (*connection).aborted == 0 { Ok(()) } else { Err(SendError) }
        }
    }

    /// Gives the client up: nothing more is sent to it, and its connection is closed, so that what
    /// it has got does not seem to be complete.
    pub fn abort_connection(&mut self) {
        // SAFETY: the connection is live as long as the request.
        unsafe {
            let connection = (*self.as_ptr()).connection;
            (*connection).aborted = 1;
            (*connection).keepalive = sys::AP_CONN_CLOSE;
        }
    }

    /// The socket of the client's connection; `None` if there is none, or others use it, too
    /// (HTTP/2).
    pub fn client_socket(&self) -> Option<BorrowedFd<'_>> {
        // SAFETY: the connection and its socket are live as long as the request, which lends the
        // descriptor.
        unsafe {
            let connection = (*self.as_ptr()).connection;
            if !(*connection).master.is_null() {
                return None;
            }
            let socket = sys::ap_get_conn_socket(connection);
            let mut number = -1;
            let is_known = !socket.is_null()
                && sys::apr_os_sock_get(&raw mut number, socket) == sys::APR_SUCCESS;
            (is_known && number >= 0).then(|| BorrowedFd::borrow_raw(number))
        }
    }
}
