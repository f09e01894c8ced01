//! The process groups of one configuration, from httpd's parent's side.
//!
//! A configuration is used from `post_config` until the parent clears its pool; children of it may
//! live on for a while after a graceful restart. `wsgid` and its groups live exactly as long as any
//! of them, by way of the [`Lifeline`].

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wsgi::lock::lock;

use httpd::{OtherChild, Pool, Server, StartKind, main_server, watch_process};
use wsgi::codes::{self, Message};
use wsgi::process::plan::Plan;

use crate::Wsgi;
use crate::config::plan;
use crate::config::script_owner::Owner;
use crate::config::scripts::{Scripts, scripts};
use crate::config::servers::{GroupDefinition, definitions, main_config};
use crate::config::store::Runtime;
use crate::lifecycle::queue::Queue;
use crate::lifecycle::route::{Route, Routes};
use crate::sys;
use crate::sys::States;
use crate::wsgid::client;
use crate::wsgid::findings;
use crate::wsgid::lifeline::Lifeline;
use crate::{log, notice};

/// The module's names in the server's banner.
const BANNER: [&core::ffi::CStr; 2] =
    [c"mod_wsgi/6.0", sys::c_text(concat!("Dormouse/", env!("CARGO_PKG_VERSION"), "\0"))];

/// The queues and the `wsgid` that a configuration has started.
pub(crate) struct Generation {
    /// Where its groups are.
    pub(crate) routes: Routes,
    /// The queues of its groups, in the order of the plan.
    queues: Vec<Arc<Queue>>,
    /// The memory file with the states of the groups, for `wsgid`.
    states: OwnedFd,
    /// The process that started it.
    parent: u32,
    plan: Plan,
    wsgid: Mutex<Wsgid>,
}

struct Wsgid {
    /// `None` once the parent has let go.
    lifeline: Option<Lifeline>,
    /// `None` while it does not run.
    pid: Option<i32>,
    started: Instant,
    /// How often in a row it has ended [`SOON`] after its start.
    failures: u32,
}

/// A `wsgid` that ends so soon may have failed at its start.
const SOON: Duration = Duration::from_secs(1);
/// So often in a row it is started again at once all the same; then the parent takes its time.
const AT_ONCE: u32 = 5;
/// How long the parent waits for the groups to end when httpd stops.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(8);

/// Starts what the configuration needs. Called when it comes into use.
pub(crate) fn begin(pool: Pool<'_>, main: Server<'_>) -> Result<(), Message> {
    for component in BANNER {
        httpd::add_version_component(pool, component);
    }
    let runtime = &main.config::<Wsgi>().runtime;
    let mut plan = plan::plan(main);
    findings::add_to(&mut plan);
    let lifeline = Lifeline::new()
        .map_err(|error| codes::wsgid_not_started(&format_args!("no pipe: {error}")))?;
    let (states, file) = States::new(plan.groups.len())
        .map_err(|error| codes::wsgid_not_started(&format_args!("no memory file: {error}")))?;
    let queues = queues(main, &Arc::new(states))?;
    let generation = Generation {
        routes: routes(main, &queues),
        queues,
        states: file,
        parent: std::process::id(),
        plan,
        wsgid: Mutex::new(Wsgid {
            lifeline: Some(lifeline),
            pid: None,
            started: Instant::now(),
            failures: 0,
        }),
    };
    if !generation.plan.groups.is_empty() {
        let problems = match generation.start_wsgid(main) {
            Ok(problems) => problems.iter().map(|text| codes::group_not_started(text)).collect(),
            Err(error) => vec![codes::wsgid_not_started(&error)],
        };
        // To end a server that runs because of a group that does not would lose more.
        let is_cold = httpd::start_kind() == StartKind::Cold;
        let mut problems = problems.into_iter();
        if let Some(first) = problems.next() {
            if is_cold {
                problems.for_each(|problem| log(&main, &problem));
                return Err(first);
            }
            log(&main, &first);
        }
        problems.for_each(|problem| log(&main, &problem));
    }
    // The configuration is used once.
    let _ = runtime.generation.set(generation);
    pool.own(LetGo(Arc::clone(runtime)));
    // From here on the parent only looks after its children.
    pages::give_back_own();
    Ok(())
}

/// Called in each new child of httpd.
pub(crate) fn enter_child(main: Server<'_>) {
    if let Some(generation) = main.config::<Wsgi>().runtime.generation.get()
        && generation.parent != std::process::id()
    {
        // A child of a parent that was killed would serve on, and could not be told to stop.
        sys::end_with_parent(generation.parent);
        generation.queues.iter().for_each(|queue| queue.close_receiver());
    }
}

/// Called in the parent every now and then: starts `wsgid` again if that was put off.
pub(crate) fn watch(main: Server<'_>) {
    let Some(generation) = main.config::<Wsgi>().runtime.generation.get() else { return };
    if generation.parent == std::process::id() && generation.is_down() {
        generation.restart_wsgid(main);
    }
}

/// A queue for each group, in the order of their definition.
fn queues(main: Server<'_>, states: &Arc<States>) -> Result<Vec<Arc<Queue>>, Message> {
    let threads = httpd::mpm().threads;
    let queue = |(index, definition): (usize, GroupDefinition<'_>)| {
        let spec = definition.spec;
        let share = threads.saturating_mul(spec.socket.wait_share) / 100;
        let queue = Queue::new(spec.socket.backlog, share, Arc::clone(states), index);
        queue.map(Arc::new).map_err(|error| {
            let context = format_args!("WSGIDaemonProcess {:?} ({})", spec.name, definition.place);
            codes::queue_not_made(&error).within(&context)
        })
    };
    definitions(main).into_iter().enumerate().map(queue).collect()
}

fn routes(main: Server<'_>, queues: &[Arc<Queue>]) -> Routes {
    let scripts = scripts(main).unwrap_or_default();
    definitions(main)
        .into_iter()
        .zip(queues)
        .map(|(definition, queue)| {
            let name = definition.spec.name.clone();
            let route = Route {
                queue: Arc::clone(queue),
                processes: definition.spec.pool().most,
                server_metrics: definition.spec.server_metrics,
                timeouts: definition.spec.timeouts,
                buffers: definition.spec.socket.clone(),
                root: definition.spec.chroot.clone(),
                script_owner: Owner::of(definition.spec),
                owner: definition.owner(),
                only_script: scripts.get(&name).and_then(Scripts::only).map(str::to_owned),
            };
            (name, Arc::new(route))
        })
        .collect()
}

impl Generation {
    fn lock(&self) -> std::sync::MutexGuard<'_, Wsgid> {
        // Nothing that panics is done under the lock.
        lock(&self.wsgid)
    }

    fn is_down(&self) -> bool {
        let wsgid = self.lock();
        wsgid.pid.is_none() && wsgid.lifeline.is_some() && !self.plan.groups.is_empty()
    }

    /// Starts `wsgid`; gives what is wrong with groups that it could not start.
    fn start_wsgid(&self, main: Server<'_>) -> Result<Vec<String>, client::SupervisorError> {
        let mut wsgid = self.lock();
        let Some(lifeline) = &wsgid.lifeline else { return Ok(Vec::new()) };
        let logs = definitions(main).into_iter().filter_map(|group| plan::own_log(group.server));
        let receivers: Vec<Arc<OwnedFd>> =
            self.queues.iter().filter_map(|queue| queue.receiver()).collect();
        let own = [lifeline.watched(), self.states.as_fd()];
        let queues = receivers.iter().map(|receiver| receiver.as_fd());
        let inherited: Vec<BorrowedFd<'_>> = own.into_iter().chain(queues).chain(logs).collect();
        let serving = client::serve(&self.plan, &inherited)?;
        wsgid.pid = Some(serving.pid);
        wsgid.started = Instant::now();
        watch_process(main, serving.pid, WatchedSupervisor);
        Ok(serving.problems)
    }

    fn restart_wsgid(&self, main: Server<'_>) {
        match self.start_wsgid(main) {
            Ok(problems) => {
                notice(&main, "wsgid was started again");
                for problem in problems {
                    log(&main, &codes::group_not_started(&problem));
                }
            }
            Err(error) => {
                log(&main, &codes::wsgid_not_restarted(&error));
            }
        }
    }

    /// Ends the parent's part; true if `wsgid` ends now and is worth waiting for.
    fn let_go(&self) -> Option<i32> {
        let mut wsgid = self.lock();
        let last = wsgid.lifeline.take()?.let_go();
        if let Some(pid) = wsgid.pid.filter(|_| !last) {
            // Only this process may say so: children hold the lifeline, too.
            sys::retire(pid);
        }
        wsgid.pid.filter(|_| last)
    }
}

/// Learns of the end of a `wsgid`, of this configuration or of one before it.
struct WatchedSupervisor;

impl OtherChild for WatchedSupervisor {
    fn ended(self, pid: i32, status: i32) {
        main_server(|main| {
            let Some(generation) = main.config::<Wsgi>().runtime.generation.get() else { return };
            let mut wsgid = generation.lock();
            if wsgid.pid != Some(pid) || wsgid.lifeline.is_none() {
                return;
            }
            wsgid.pid = None;
            wsgid.failures =
                if wsgid.started.elapsed() < SOON { wsgid.failures.saturating_add(1) } else { 0 };
            let at_once = wsgid.failures <= AT_ONCE;
            drop(wsgid);
            let status = std::os::unix::process::ExitStatusExt::from_raw(status);
            let status: std::process::ExitStatus = status;
            log(&main, &codes::wsgid_ended(pid, &status));
            if at_once {
                generation.restart_wsgid(main);
            }
        });
    }
}

/// Lets go of the configuration's `wsgid` when the configuration's pool is cleared.
struct LetGo(Arc<Runtime>);

impl Drop for LetGo {
    fn drop(&mut self) {
        let Some(generation) = self.0.generation.get() else { return };
        if generation.parent != std::process::id() {
            return;
        }
        // After a graceful restart children of this configuration still hold the lifeline, and
        // `wsgid` goes on serving them. Otherwise httpd stops or starts anew, and after that no
        // process of this configuration may remain.
        if let Some(pid) = generation.let_go() {
            sys::wait_for_end(pid, SHUTDOWN_WAIT);
        }
    }
}

/// The route to a group, lent to `with`; `None` if the configuration does not define the group.
pub(crate) fn with_route<R>(group: &str, with: impl FnOnce(&Arc<Route>) -> R) -> Option<R> {
    main_config(|config| {
        let generation = config.runtime.generation.get()?;
        generation.routes.get(group).map(with)
    })
}
