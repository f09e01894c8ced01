//! Messages about faults of Dormouse itself.

use super::catalogue;

catalogue! {
    WSGI0225 Error internal_error(doing: &str, panic: &str) {
        text: "internal error while {doing}: {panic}",
        meaning: "Code of Dormouse has panicked. What it was doing has failed; the process goes \
            on.",
        remedy: "Report it with this line. If it happens for one request, the request line helps.",
        client: "Status 500 if a request was served, or a response that is cut short.",
    }
}
