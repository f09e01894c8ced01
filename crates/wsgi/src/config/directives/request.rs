//! Directives that say how a request is shown to its application.

use super::{Directive, FILE_INFO, SECTIONS, on_or_off, one, some};
use crate::config::argument::{ArgumentError, flag};
use crate::config::proxy::{ProxyHeader, Subnet, known_header};
use crate::config::settings::MapHead;
use crate::header::is_header_name;

pub(super) const REQUEST: &[Directive] = &[
    Directive {
        name: c"WSGIChunkedRequest",
        allowed: FILE_INFO,
        arguments: c"On | Off",
        documentation: "Whether requests with `Transfer-Encoding: chunked` are taken; otherwise \
                        they get status 411. An application must read their bodies to the end, \
                        since there is no length in the environ (`Off`).",
        apply: |arguments, scope| {
            scope.dir.chunked_request = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIEnableSendfile",
        allowed: FILE_INFO,
        arguments: c"On | Off",
        documentation: "Whether files of `wsgi.file_wrapper` may be sent by the kernel without \
                        being read (`Off`). `EnableSendfile Off` forbids it. Leave it off for file \
                        systems that do not take it, such as some network ones.",
        apply: |arguments, scope| {
            scope.dir.enable_sendfile = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIErrorOverride",
        allowed: FILE_INFO,
        arguments: c"On | Off",
        documentation: "Whether httpd answers instead with its own error document where the status \
                        of an application in a process group is 400 or more (`Off`).",
        apply: |arguments, scope| {
            scope.dir.error_override = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIIgnoreActivity",
        allowed: FILE_INFO,
        arguments: c"On | Off",
        documentation: "Whether requests leave `inactivity-timeout` of their process group running \
                        as if they had not come (`Off`).",
        apply: |arguments, scope| {
            scope.dir.ignore_activity = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIMapHEADToGET",
        allowed: FILE_INFO,
        arguments: c"On | Off | Auto",
        documentation: "Whether a HEAD request is shown to applications as GET: always, never, or \
                        when an output filter wants to see the body (`Auto`).",
        apply: |arguments, scope| {
            const ALLOWED: &str = "On, Off or Auto";
            let value = one(arguments, ALLOWED)?;
            let map = match flag(&value) {
                Some(true) => MapHead::Always,
                Some(false) => MapHead::Never,
                None if value.eq_ignore_ascii_case("auto") => MapHead::Auto,
                None => return Err(ArgumentError::Value { value, allowed: ALLOWED }),
            };
            scope.dir.map_head = Some(map);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPassApacheRequest",
        allowed: SECTIONS,
        arguments: c"On | Off",
        documentation: "Whether applications in embedded mode find httpd's `request_rec` in their \
                        environ, as the capsule `apache.request_rec` for C code (`Off`).",
        apply: |arguments, scope| {
            scope.dir.pass_apache_request = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPassAuthorization",
        allowed: FILE_INFO,
        arguments: c"On | Off",
        documentation: "Whether applications see the `Authorization` header (`Off`).",
        apply: |arguments, scope| {
            scope.dir.pass_authorization = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGITrustedProxies",
        allowed: FILE_INFO,
        arguments: c"address | address/length | address/mask ...",
        documentation: "The proxies whose headers are believed; not set, those of every peer. \
                        Given several times in one place, the lists add up.",
        apply: |arguments, scope| {
            const ALLOWED: &str = "IP addresses, each alone or with /length or /mask";
            let mut proxies: Vec<Subnet> =
                scope.dir.trusted_proxies.as_deref().unwrap_or_default().to_vec();
            for value in some(arguments, ALLOWED)? {
                let subnet = Subnet::parse(&value);
                proxies.push(subnet.ok_or(ArgumentError::Value { value, allowed: ALLOWED })?);
            }
            scope.dir.trusted_proxies = Some(proxies.into());
            Ok(())
        },
    },
    Directive {
        name: c"WSGITrustedProxyHeaders",
        allowed: FILE_INFO,
        arguments: c"header ...",
        documentation: "Headers with which a proxy tells about client, host, port, scheme and \
                        mount point, such as `X-Forwarded-For`, and which are applied to the \
                        environ. Others that tell the same are removed. Given several times in one \
                        place, the lists add up.",
        apply: |arguments, scope| {
            const ALLOWED: &str = "names of headers, of letters, digits and -";
            let mut headers: Vec<&'static ProxyHeader> =
                scope.dir.trusted_headers.as_deref().unwrap_or_default().to_vec();
            for value in some(arguments, ALLOWED)? {
                if !is_header_name(value.as_bytes()) {
                    return Err(ArgumentError::Value { value, allowed: ALLOWED });
                }
                // Others mean nothing here; mod_wsgi passes over them, too.
                headers.extend(known_header(&value));
            }
            scope.dir.trusted_headers = Some(headers.into());
            Ok(())
        },
    },
];
