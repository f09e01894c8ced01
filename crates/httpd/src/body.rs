//! The body that the client sends, read through httpd's input filters.

use core::ptr;

use httpd_sys as sys;

use crate::request::Request;

/// How far a request's body was read.
#[derive(Debug)]
pub(crate) struct Input {
    brigade: *mut sys::apr_bucket_brigade,
    ended: bool,
    failed: bool,
    /// A byte that was read although there was no room for it.
    ahead: Option<u8>,
    /// A fault that is still to be told.
    later: Option<ReadError>,
}

impl Default for Input {
    fn default() -> Self {
        Self { brigade: ptr::null_mut(), ended: false, failed: false, ahead: None, later: None }
    }
}

/// Why the body could not be read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The client closed the connection.
    Gone(String),
    /// The client sent nothing for as long as `Timeout` (or mod_reqtimeout) allows.
    Timeout(String),
    /// More than `LimitRequestBody`.
    TooLarge(String),
    /// Malformed chunks, or a filter that fails.
    Broken(String),
}

impl ReadError {
    /// The error, in the words of APR.
    pub fn text(&self) -> &str {
        match self {
            Self::Gone(text) | Self::Timeout(text) | Self::TooLarge(text) | Self::Broken(text) => {
                text
            }
        }
    }

    fn from_status(status: sys::apr_status_t) -> Self {
        let mut buffer = [0; 200];
        // SAFETY: the buffer is as long as it is said to be, and APR ends it with NUL.
        let text = unsafe {
            let text = sys::apr_strerror(status, buffer.as_mut_ptr(), buffer.len());
            String::from_utf8_lossy(crate::text::bytes(text).unwrap_or_default()).into_owned()
        };
        match status.cast_unsigned() {
            sys::APR_TIMEUP => Self::Timeout(text),
            sys::APR_ENOSPC => Self::TooLarge(text),
            _ if status == sys::AP_FILTER_ERROR => Self::Broken("an input filter failed".into()),
            _ if status == APR_EGENERAL => Self::Broken("the request's body is malformed".into()),
            // Whatever a socket reports, and an end of file before the body's own end.
            _ => Self::Gone(text),
        }
    }
}

/// `APR_EAGAIN` on Linux: there is nothing to be read now.
const EAGAIN: sys::apr_status_t = sys::EAGAIN.cast_signed();

/// `APR_EGENERAL`: what httpd's HTTP filter answers to a body that it cannot parse.
const APR_EGENERAL: sys::apr_status_t = sys::APR_OS_START_ERROR.cast_signed() + 14;

impl Request<'_> {
    /// Reads some of the body into `buffer`: at least one byte, or 0 at its end. The first call
    /// lets httpd answer an `Expect: 100-continue`, also where `buffer` is empty; that one waits
    /// for the first byte and keeps it for the next call. After an error the connection is not kept
    /// alive.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        if buffer.is_empty() {
            if self.input.ahead.is_none() {
                let mut byte = [0];
                self.input.ahead = (self.read(&mut byte)? > 0).then_some(byte[0]);
            }
            return Ok(0);
        }
        if let Some(byte) = self.input.ahead.take() {
            buffer[0] = byte;
            return Ok(1);
        }
        if let Some(fault) = self.input.later.take() {
            return Err(fault);
        }
        if self.input.failed {
            return Err(ReadError::Broken("the body could not be read before".into()));
        }
        while !self.input.ended {
            let read = self.read_once(buffer, sys::APR_BLOCK_READ);
            let count = read.map_err(|status| self.fault(status))?;
            if count > 0 {
                return Ok(count);
            }
        }
        Ok(0)
    }

    /// Reads as [`Request::read`] does, and then what else has come, without waiting for it. A
    /// fault that is met behind bytes is the answer to the next read.
    pub fn read_available(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let mut filled = self.read(buffer)?;
        while filled > 0 && filled < buffer.len() && !self.input.ended {
            match self.read_once(&mut buffer[filled..], sys::APR_NONBLOCK_READ) {
                // The filters have nothing, or a part that makes no bytes yet.
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(status) if status == EAGAIN => break,
                Err(status) => {
                    self.input.later = Some(self.fault(status));
                    break;
                }
            }
        }
        Ok(filled)
    }

    /// The body cannot be read on: the connection is not kept alive.
    fn fault(&mut self, status: sys::apr_status_t) -> ReadError {
        self.input.failed = true;
        // SAFETY: the connection is live.
        unsafe { (*(*self.as_ptr()).connection).keepalive = sys::AP_CONN_CLOSE };
        ReadError::from_status(status)
    }

    /// One brigade from the filters, copied into `buffer`; notes the end of the body.
    fn read_once(
        &mut self,
        buffer: &mut [u8],
        block: sys::apr_read_type_e,
    ) -> Result<usize, sys::apr_status_t> {
        let request = self.as_ptr();
        // SAFETY: the request, its pool, its connection and its filters are live; the brigade
        // lives in the request's pool and is emptied before this function returns.
        unsafe {
            if self.input.brigade.is_null() {
                let allocator = (*(*request).connection).bucket_alloc;
                self.input.brigade = sys::apr_brigade_create((*request).pool, allocator);
            }
            let brigade = self.input.brigade;
            let status = sys::ap_get_brigade(
                (*request).input_filters,
                brigade,
                sys::AP_MODE_READBYTES,
                block,
                sys::apr_off_t::try_from(buffer.len()).unwrap_or(sys::apr_off_t::MAX),
            );
            let result = if status == sys::APR_SUCCESS {
                self.copy_out(brigade, buffer)
            } else {
                Err(status)
            };
            sys::apr_brigade_cleanup(brigade.cast());
            result
        }
    }

    /// Copies what a brigade holds.
    ///
    /// # Safety
    /// `brigade` is a live brigade of this request that the input filters have just filled.
    unsafe fn copy_out(
        &mut self,
        brigade: *mut sys::apr_bucket_brigade,
        buffer: &mut [u8],
    ) -> Result<usize, sys::apr_status_t> {
        let mut filled = 0;
        // SAFETY: the caller vouches for the brigade; each bucket is read before it is destroyed.
        unsafe {
            let end = sys::brigade_sentinel(brigade);
            let mut bucket = sys::brigade_first(brigade);
            while bucket != end {
                let kind = (*bucket).type_;
                if kind == &raw const sys::apr_bucket_type_eos {
                    self.input.ended = true;
                    break;
                }
                if (*kind).is_metadata == sys::APR_BUCKET_DATA {
                    let (mut data, mut length) = (ptr::null(), 0);
                    let (data_place, length_place) = (&raw mut data, &raw mut length);
                    let status =
                        sys::bucket_read(bucket, data_place, length_place, sys::APR_BLOCK_READ);
                    if status != sys::APR_SUCCESS {
                        return Err(status);
                    }
                    let piece = core::slice::from_raw_parts(data.cast::<u8>(), length);
                    let Some(room) = buffer.get_mut(filled..filled + length) else {
                        // The filters gave more than was asked for, which breaks their contract.
                        return Err(APR_EGENERAL);
                    };
                    room.copy_from_slice(piece);
                    filled += length;
                }
                bucket = sys::bucket_next(bucket);
            }
        }
        Ok(filled)
    }
}
