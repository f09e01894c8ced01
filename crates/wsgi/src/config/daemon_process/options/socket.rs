//! Options about the queue of a group, and what passes between httpd and its processes.

use super::DaemonOption;
use crate::config::daemon_process::{Principal, value};

pub(super) const SOCKET: &[DaemonOption] = &[
    DaemonOption {
        name: "listen-backlog",
        allowed: "a whole number from 0 to 2147483647",
        documentation: "Requests that may wait until a process takes them. Short ones take less \
                        room, so somewhat more of these may wait; without privileges the kernel \
                        has a limit of its own (100).",
        set: |spec, value| {
            spec.socket.backlog = u32::try_from(value::count(value)?).ok()?;
            Some(())
        },
    },
    DaemonOption {
        name: "socket-user",
        allowed: "the name of a user, or #uid",
        documentation: "Accepted without effect: there is no socket with a name, which could have \
                        an owner.",
        set: |spec, value| {
            spec.socket.user = Some(Principal::parse(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "wait-share",
        allowed: "a whole number of percent from 1 to 100",
        documentation: "How many of the threads of a child of httpd may wait for the group while \
                        it answers nothing. After 3 seconds without an answer further requests get \
                        status 503, so that the other threads serve everything else. With 100 \
                        there is no bound; a child of the prefork MPM has one thread, and no bound \
                        either (75).",
        set: |spec, value| {
            spec.socket.wait_share =
                value::number(value).filter(|share| (1..=100).contains(share))?;
            Some(())
        },
    },
    DaemonOption {
        name: "send-buffer-size",
        allowed: "0, or a number of bytes from 512 to 1G (K, M or G may follow)",
        documentation: "Buffer of the kernel for what a process sends. 0 is what the system \
                        gives (0).",
        set: |spec, value| {
            spec.socket.send_buffer = value::size_from(value, 512)?;
            Some(())
        },
    },
    DaemonOption {
        name: "receive-buffer-size",
        allowed: "0, or a number of bytes from 512 to 1G (K, M or G may follow)",
        documentation: "Buffer of the kernel for what a process gets. 0 is what the system gives \
                        (0).",
        set: |spec, value| {
            spec.socket.receive_buffer = value::size_from(value, 512)?;
            Some(())
        },
    },
    DaemonOption {
        name: "request-buffer-size",
        allowed: "0, or a number of bytes from 65536 to 1G (K, M or G may follow)",
        documentation: "Bytes of a request's body that httpd reads before it asks for a process, \
                        so that a slow client keeps none waiting: up to 64K in memory, the rest in \
                        an unnamed file in the directory of TMPDIR. What is longer, comes in \
                        chunks, was announced with `Expect: 100-continue`, or comes so fast that \
                        the rest will be there within a tenth of a second, is read when the \
                        application reads it. 0 is 1M (0).",
        set: |spec, value| {
            spec.socket.request_buffer = value::size_from(value, 65_536)?;
            Some(())
        },
    },
    DaemonOption {
        name: "header-buffer-size",
        allowed: "0, or a number of bytes from 8192 to 1G (K, M or G may follow)",
        documentation: "Longest header of a response; a longer one is status 500. 0 is 32768 \
                        (0).",
        set: |spec, value| {
            spec.socket.header_buffer = value::size_from(value, 8192)?;
            Some(())
        },
    },
    DaemonOption {
        name: "response-buffer-size",
        allowed: "0, or a number of bytes from 65536 to 1G (K, M or G may follow)",
        documentation: "Bytes of a response that httpd keeps for a client that takes it slowly, \
                        before a process has to wait for the client: up to 64K in memory, the rest \
                        in an unnamed file in the directory of TMPDIR. 0 is 8M (0).",
        set: |spec, value| {
            spec.socket.response_buffer = value::size_from(value, 65_536)?;
            Some(())
        },
    },
];
