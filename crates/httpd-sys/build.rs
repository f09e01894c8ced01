//! Asks `apxs` where the headers of the httpd to be met are, and makes the bindings from them.

use std::path::PathBuf;
use std::process::Command;

/// The functions that the crate `httpd` uses, and no more: a short list compiles fast and shows at
/// a glance how much of httpd we depend on.
const FUNCTIONS: &[&str] = &[
    // configuration
    "ap_check_cmd_context",
    "ap_server_root_relative",
    "ap_runtime_dir_relative",
    "ap_add_version_component",
    "ap_state_query",
    "ap_mpm_query",
    "ap_show_mpm",
    "ap_pregcomp",
    "ap_regexec",
    "ap_pregsub",
    "ap_get_server_banner",
    "ap_get_server_built",
    "ap_get_server_description",
    "ap_get_module_config",
    "ap_set_module_config",
    "ap_get_core_module_config",
    "apr_hash_get",
    "ap_exists_config_define",
    // hooks
    "ap_hook_(pre_config|check_config|post_config|child_init|translate_name|handler|monitor)",
    "ap_hook_check_access",
    "ap_register_auth_provider",
    // scoreboard
    "ap_exists_scoreboard_image",
    "ap_get_scoreboard_(global|process)",
    "ap_copy_scoreboard_worker",
    // requests
    "ap_get_server_name",
    "ap_get_server_name_for_url",
    "ap_get_server_port",
    "ap_auth_type",
    "ap_document_root",
    "ap_context_prefix",
    "ap_context_document_root",
    "ap_run_http_scheme",
    "ap_ssl_conn_is_ssl",
    "ap_allow_options",
    "ap_get_brigade",
    "ap_pass_brigade",
    "ap_set_content_type",
    "ap_bucket_error_create",
    "ap_get_limit_req_body",
    "ap_internal_redirect_handler",
    "ap_rvputs",
    "ap_get_useragent_host",
    "ap_psignature",
    "ap_satisfies",
    "ap_some_auth_required",
    "ap_ssl_var_lookup",
    "ap_update_mtime",
    // log
    "ap_log_rerror_",
    "ap_log_error_",
    "ap_log_perror_",
    "ap_get_server_module_loglevel",
    "ap_get_request_module_loglevel",
    "ap_walk_config",
    "ap_exists_config_define",
    "ap_get_conn_socket",
    "ap_hook_test_config",
    "ap_run_generate_log_id",
    // APR
    "apr_pool_create_ex",
    "apr_pool_destroy",
    "apr_pool_cleanup_register",
    "apr_pool_cleanup_kill",
    "apr_pool_cleanup_null",
    "apr_pool_parent_get",
    "apr_palloc",
    "apr_pmemdup",
    "apr_pstrmemdup",
    "apr_table_(get|set|setn|add|addn|unset|elts|merge|mergen)",
    "apr_brigade_(create|cleanup|insert_file|length)",
    "apr_bucket_(transient|flush|eos|heap)_create",
    "apr_bucket_eos_create",
    "apr_bucket_file_enable_mmap",
    "apr_bucket_file_set_buf_size",
    "apr_os_file_put",
    "apr_os_file_get",
    "apr_os_sock_get",
    "apr_socket_timeout_(get|set)",
    "apr_proc_other_child_(register|unregister)",
    "apr_strerror",
    "apr_pool_userdata_(get|set)",
    "apr_bucket_type_.*",
];

const TYPES: &[&str] = &[
    "request_rec",
    "server_rec",
    "conn_rec",
    "module",
    "command_rec",
    "cmd_parms",
    "ap_conf_vector_t",
    "apr_pool_t",
    "apr_table_t",
    "apr_table_entry_t",
    "apr_array_header_t",
    "apr_bucket_brigade",
    "apr_bucket",
    "apr_bucket_type_t",
    "ap_filter_t",
    "apr_proc_t",
    "apr_exit_why_e",
    "unixd_config_rec",
    "ap_regex_t",
    "ap_regmatch_t",
    "core_dir_config",
    "apr_sockaddr_t",
    "ap_bucket_error",
    "ap_conn_keepalive_e",
    "ap_input_mode_t",
    "ap_directive_t",
    "authn_provider",
    "authn_status",
    "authz_provider",
    "authz_status",
];

const VARIABLES: &[&str] = &[
    "ap_conftree",
    "ap_unixd_config",
    "ap_server_conf",
    "ap_server_root",
    "apr_bucket_type_.*",
    "ap_bucket_type_.*",
    "MODULE_MAGIC_NUMBER_.*",
    "MODULE_MAGIC_COOKIE",
    "AP_SERVER_.*_NUMBER",
    "AP_(MPMQ|SQ)_.*",
    "OR_.*",
    "RSRC_CONF",
    "ACCESS_CONF",
    "GLOBAL_ONLY",
    "NOT_IN_.*",
    "AP_REG_.*",
    "APR_HOOK_.*",
    "OK",
    "DECLINED",
    "DONE",
    "HTTP_.*",
    "AP_.*_PATH_INFO",
    "APLOG_.*",
    "OPT_EXECCGI",
    "APR_FINFO_MTIME",
    "EAGAIN",
    "APR_OC_REASON_.*",
    "DEFAULT_.*",
    "AP_MAX_.*",
    "APR_POLLIN",
    "M_GET",
    "AP_FILTER_ERROR",
    "AP_NOBODY_.*",
    "AP_AUTH_INTERNAL_PER_CONF",
    "AUTH[NZ]_PROVIDER_(GROUP|VERSION)",
    "AUTHZ?_.*",
    "REMOTE_(HOST|DOUBLE_REV)",
    "SATISFY_ANY",
    "AP_FTYPE_PROTOCOL",
    "AP_CGI_PASS_AUTH_.*",
    "ENABLE_SENDFILE_OFF",
    "APR_(ENOSPC|TIMEUP|FOPEN_READ|FOPEN_SENDFILE_ENABLED|OS_START_.*|UTIL_START.*)",
    "DEFAULT_REL_RUNTIMEDIR",
];

fn main() {
    println!("cargo:rerun-if-changed=wrapper.h");
    println!("cargo:rerun-if-env-changed=APXS");
    let apxs = std::env::var("APXS").unwrap_or_else(|_| "apxs".to_owned());
    let query = |name: &str| {
        let output = Command::new(&apxs).args(["-q", name]).output().unwrap_or_else(|error| {
            panic!("`{apxs} -q {name}`: {error}. Install apache2-dev, or name apxs in APXS.")
        });
        assert!(output.status.success(), "`{apxs} -q {name}` failed");
        String::from_utf8(output.stdout).expect("apxs speaks ASCII").trim().to_owned()
    };
    let mut builder =
        bindgen::Builder::default()
            .header("wrapper.h")
            .clang_arg(format!("-I{}", query("INCLUDEDIR")))
            .clang_arg(format!("-I{}", query("APR_INCLUDEDIR")))
            .clang_arg(format!("-I{}", query("APU_INCLUDEDIR")))
            .clang_args(["EXTRA_CPPFLAGS", "EXTRA_INCLUDES"].iter().flat_map(|name| {
                query(name).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
            }))
            .layout_tests(false)
            .generate_comments(false)
            .use_core()
            .default_enum_style(bindgen::EnumVariation::Consts)
            .prepend_enum_name(false)
            .opaque_type("pthread_.*|sockaddr.*|stat")
            .wrap_unsafe_ops(true);
    for name in FUNCTIONS {
        builder = builder.allowlist_function(name);
    }
    for name in TYPES {
        builder = builder.allowlist_type(name);
    }
    for name in VARIABLES {
        builder = builder.allowlist_var(name);
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    builder
        .generate()
        .expect("bindgen reads httpd's headers (libclang-dev and apache2-dev must be installed)")
        .write_to_file(out.join("bindings.rs"))
        .expect("OUT_DIR can be written");
}
