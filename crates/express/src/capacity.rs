//! How many processes and threads httpd itself gets.
//!
//! The numbers are those of `mod_wsgi-express`: in daemon mode somewhat more than the application
//! can use, so that files and slow clients do not wait for it; embedded exactly what was asked for.

use crate::options::Mpm;

/// The numbers that the user asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pub(crate) processes: u32,
    pub(crate) threads: u32,
    pub(crate) max_clients: Option<u32>,
    pub(crate) embedded: bool,
}

/// The values of the MPM's directives. For prefork, a thread is a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) server_limit: u32,
    pub(crate) threads_per_child: u32,
    pub(crate) max_request_workers: u32,
    pub(crate) start_servers: u32,
    pub(crate) min_spare: u32,
    pub(crate) max_spare: u32,
}

impl Capacity {
    pub(crate) fn of(demand: Demand, mpm: Mpm) -> Self {
        let Demand { processes, threads, .. } = demand;
        let both = processes.saturating_mul(threads);
        match (demand.embedded, mpm) {
            (true, Mpm::Prefork) => Self {
                server_limit: both,
                threads_per_child: 1,
                max_request_workers: both,
                start_servers: both,
                min_spare: both,
                max_spare: both,
            },
            (true, Mpm::Event | Mpm::Worker) => Self {
                server_limit: processes,
                threads_per_child: threads,
                max_request_workers: both,
                start_servers: processes,
                min_spare: both,
                max_spare: both,
            },
            (false, Mpm::Prefork) => {
                let clients = clients(demand);
                Self {
                    server_limit: clients,
                    threads_per_child: 1,
                    max_request_workers: clients,
                    start_servers: (clients / 20).max(1),
                    min_spare: (clients / 20).max(1),
                    max_spare: (clients / 10).max(1),
                }
            }
            (false, Mpm::Event | Mpm::Worker) => {
                let clients = clients(demand);
                let threads = if clients > 20 { clients / (clients / 20 + 1) } else { 10 };
                let servers = clients.div_ceil(threads);
                Self {
                    server_limit: servers,
                    threads_per_child: threads,
                    max_request_workers: servers * threads,
                    start_servers: (servers / 5).max(1),
                    min_spare: threads.max(servers / 5 * threads),
                    max_spare: threads.max(servers * 3 / 5 * threads),
                }
            }
        }
    }
}

/// Requests at once in daemon mode.
fn clients(demand: Demand) -> u32 {
    let both = demand.processes.saturating_mul(demand.threads);
    let clients = match demand.max_clients {
        Some(given) => given.max(both),
        None => 10 + (both.saturating_add(both / 2)).max(10),
    };
    // More than httpd takes would be an error there.
    clients.min(20_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: Demand =
        Demand { processes: 1, threads: 5, max_clients: None, embedded: false };

    #[test]
    fn the_defaults_make_twenty_clients() {
        let capacity = Capacity::of(DEFAULTS, Mpm::Event);
        assert_eq!(
            capacity,
            Capacity {
                server_limit: 2,
                threads_per_child: 10,
                max_request_workers: 20,
                start_servers: 1,
                min_spare: 10,
                max_spare: 10,
            }
        );
        assert_eq!(Capacity::of(DEFAULTS, Mpm::Prefork).max_request_workers, 20);
    }

    #[test]
    fn clients_are_never_fewer_than_the_application_serves() {
        let demand = Demand { processes: 4, threads: 25, max_clients: Some(7), embedded: false };
        assert!(Capacity::of(demand, Mpm::Worker).max_request_workers >= 100);
    }

    #[test]
    fn embedded_is_what_was_asked_for() {
        let demand = Demand { processes: 3, threads: 4, max_clients: None, embedded: true };
        let event = Capacity::of(demand, Mpm::Event);
        assert_eq!((event.server_limit, event.threads_per_child), (3, 4));
        assert_eq!(Capacity::of(demand, Mpm::Prefork).start_servers, 12);
    }
}
