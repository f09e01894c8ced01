/* Plays mod_python: brings Python into httpd's processes before mod_wsgi does. LIBRARY is the path of libpython, HOME that of
   its installation; IN_CHILD makes it start Python in each child instead of in the parent. It says in the log what it did. */

#include <dlfcn.h>
#include <stdlib.h>

#include "httpd.h"
#include "http_config.h"
#include "http_log.h"
#include "http_core.h"

static int (*is_initialized)(void);
static void (*before_fork)(void);
static void (*after_fork)(void);
static int (*ensure)(void);
static void (*release)(int);

static int start(server_rec *server)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, server, "company: %s", dlerror());
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    is_initialized = (int (*)(void))dlsym(library, "Py_IsInitialized");
    before_fork = (void (*)(void))dlsym(library, "PyOS_BeforeFork");
    after_fork = (void (*)(void))dlsym(library, "PyOS_AfterFork_Child");
    ensure = (int (*)(void))dlsym(library, "PyGILState_Ensure");
    release = (void (*)(int))dlsym(library, "PyGILState_Release");
    if (is_initialized()) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, server, "company: Python is there");
        return OK;
    }
    void (*initialize)(int) = (void (*)(int))dlsym(library, "Py_InitializeEx");
    int (*run)(const char *) = (int (*)(const char *))dlsym(library, "PyRun_SimpleString");
    void *(*save)(void) = (void *(*)(void))dlsym(library, "PyEval_SaveThread");
    // A library by itself may find the files of another Python of the same version first.
    setenv("PYTHONHOME", HOME, 1);
    initialize(0);
    unsetenv("PYTHONHOME");
    run("import sys; sys.company = 'first'");
    save();
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, server, "company: Python was started");
    return OK;
}

#ifdef IN_CHILD

static void child_init(apr_pool_t *pool, server_rec *server)
{
    start(server);
}

#else

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    return start(server);
}

static void child_init(apr_pool_t *pool, server_rec *server)
{
    int state = ensure();
    before_fork();
    after_fork();
    release(state);
}

#endif

static void register_hooks(apr_pool_t *pool)
{
#ifndef IN_CHILD
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_FIRST);
#endif
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_FIRST);
}

AP_DECLARE_MODULE(company) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks,
};
