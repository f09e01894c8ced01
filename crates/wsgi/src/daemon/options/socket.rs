//! Options about the socket of a group, and what passes through it.

use super::DaemonOption;
use crate::daemon::{Principal, value};

pub(super) const SOCKET: &[DaemonOption] = &[
    DaemonOption {
        name: "listen-backlog",
        allowed: "a whole number from 0",
        documentation: "Connections that may wait until a process takes them; the kernel has a \
                        limit of its own (100).",
        set: |spec, value| {
            spec.socket.backlog = value::number(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "socket-user",
        allowed: "the name of a user, or #uid",
        documentation: "Whom the socket belongs to when httpd is started as root: the user that \
                        the children of httpd run as (`User`).",
        set: |spec, value| {
            spec.socket.user = Some(Principal::parse(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "send-buffer-size",
        allowed: "0, or a number of bytes from 512, which K, M or G may follow",
        documentation: "Buffer of the kernel for what a process sends. 0 is what the system \
                        gives (0).",
        set: |spec, value| {
            spec.socket.send_buffer = value::size_from(value, 512)?;
            Some(())
        },
    },
    DaemonOption {
        name: "receive-buffer-size",
        allowed: "0, or a number of bytes from 512, which K, M or G may follow",
        documentation: "Buffer of the kernel for what a process gets. 0 is what the system gives \
                        (0).",
        set: |spec, value| {
            spec.socket.receive_buffer = value::size_from(value, 512)?;
            Some(())
        },
    },
    DaemonOption {
        name: "header-buffer-size",
        allowed: "0, or a number of bytes from 8192, which K, M or G may follow",
        documentation: "Longest header of a response; a longer one is status 500. 0 is 32768 \
                        (0).",
        set: |spec, value| {
            spec.socket.header_buffer = value::size_from(value, 8192)?;
            Some(())
        },
    },
    DaemonOption {
        name: "response-buffer-size",
        allowed: "0, or a number of bytes from 65536, which K, M or G may follow",
        documentation: "Bytes of a response that may be under way to the client before httpd \
                        waits for it. 0 is 8M (0).",
        set: |spec, value| {
            spec.socket.response_buffer = value::size_from(value, 65_536)?;
            Some(())
        },
    },
];
