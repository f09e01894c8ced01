//! The classes of the objects that requests get, in one interpreter.

use python::ClassHandle;

use crate::objects::file_wrapper::FileWrapper;
use crate::objects::input::Input;
use crate::objects::log_stream::LogStream;
use crate::objects::start_response::StartResponse;

/// The classes of an interpreter.
pub(crate) struct Classes {
    pub(crate) file_wrapper: ClassHandle<FileWrapper>,
    pub(crate) input: ClassHandle<Input>,
    pub(crate) log: ClassHandle<LogStream>,
    pub(crate) start_response: ClassHandle<StartResponse>,
}
