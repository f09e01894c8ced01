//! `subscribe_events` and its kin: the subscribers of events in an interpreter, and the calls to
//! them.
//!
//! The contents of a request's events are in `events`. Signals are taken by the process, not here;
//! this keeps the list of their subscribers.

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use python::{Arguments, Attached, Class, Exception, Handle, Members, Method, Object, Result};
use wsgi::codes;

use crate::records::Records;
use crate::request::stack_log::log_with_stack;
use crate::settings::ServerLog;

/// The subscribers of an interpreter: the live lists that applications see.
pub(crate) struct Subscribers {
    events: Handle,
    shutdown: Handle,
    signals: Handle,
    /// Requests had a subscriber when it was last looked.
    expected: AtomicBool,
}

impl Subscribers {
    /// Makes the lists and the functions that fill them, and puts both into the module `mod_wsgi`.
    pub(crate) fn install<'py>(
        module: &Object<'py>,
        daemon: bool,
        log: &Arc<dyn ServerLog>,
    ) -> Result<'py, Arc<Self>> {
        let py = module.py();
        let (events, shutdown, signals) = (py.list()?, py.list()?, py.list()?);
        module.set_attr(c"event_callbacks", &events)?;
        module.set_attr(c"shutdown_callbacks", &shutdown)?;
        module.set_attr(c"signal_callbacks", &signals)?;
        let subscriptions = Subscriptions {
            events: events.handle(),
            shutdown: shutdown.handle(),
            signals: daemon.then(|| signals.handle()),
            log: Arc::clone(log),
        };
        let object = py.class::<Subscriptions>()?.instance(subscriptions)?;
        for name in [c"subscribe_events", c"subscribe_shutdown", c"subscribe_signals"] {
            module.set_attr(name, &object.attr(name)?)?;
        }
        let (events, shutdown) = (events.handle(), shutdown.handle());
        Ok(Arc::new(Self {
            events,
            shutdown,
            signals: signals.handle(),
            expected: AtomicBool::new(false),
        }))
    }

    /// Whether the events of requests have a subscriber.
    pub(crate) fn any(&self, py: Attached<'_>) -> bool {
        let any = self.events.bind(py).length().is_ok_and(|length| length > 0);
        self.expected.store(any, Ordering::Relaxed);
        any
    }

    /// The last value of [`Self::any`], for a thread that is not attached.
    pub(crate) fn expected(&self) -> bool {
        self.expected.load(Ordering::Relaxed)
    }

    /// Tells the subscribers of events. The values that they return become part of `event`, a dict.
    pub(crate) fn publish(&self, name: &str, event: &Object<'_>, records: &mut Records) {
        tell(&[&self.events], name, event, records);
    }

    /// `process_stopping`, for the subscribers of events and those of the shutdown.
    pub(crate) fn stopping<'py>(
        &self,
        py: Attached<'py>,
        reason: &str,
        records: &mut Records,
    ) -> Result<'py, ()> {
        let event = py.dict()?;
        event.set("shutdown_reason", &py.text(reason)?)?;
        tell(&[&self.events, &self.shutdown], "process_stopping", &event, records);
        Ok(())
    }

    /// `process_signal`, for the subscribers of events and those of signals.
    pub(crate) fn signal<'py>(
        &self,
        py: Attached<'py>,
        name: &str,
        number: i32,
        records: &mut Records,
    ) -> Result<'py, ()> {
        let event = py.dict()?;
        event.set("signame", &py.text(name)?)?;
        event.set("signum", &py.int(number.into())?)?;
        tell(&[&self.events, &self.signals], "process_signal", &event, records);
        Ok(())
    }
}

/// Calls each subscriber that is on the lists now. An exception of one is logged and keeps no other
/// from being called.
fn tell<'py>(lists: &[&Handle], name: &str, event: &Object<'py>, records: &mut Records) {
    let py = event.py();
    let callbacks = || -> Result<'py, Vec<Object<'py>>> {
        let mut callbacks = Vec::new();
        for list in lists {
            for callback in list.bind(py).iterate()? {
                callbacks.push(callback?);
            }
        }
        Ok(callbacks)
    };
    let (name_object, callbacks) = match py.text(name).and_then(|text| Ok((text, callbacks()?))) {
        Ok(found) => found,
        Err(error) => return not_published(name, &error, records),
    };
    for callback in callbacks {
        let answer = callback.call_with(&[&name_object], Some(event)).and_then(|answer| {
            if answer.is_dict() {
                event.call_method(c"update", &[&answer]).map(drop)
            } else {
                Ok(())
            }
        });
        if let Err(error) = answer {
            let message = if error.is_instance_of(Exception::SystemExit) {
                codes::callback_exited(name)
            } else {
                codes::callback_raised(&error.value().type_name(), name)
            };
            records.exception(&message, &error);
        }
    }
}

/// Logs that no subscriber could be told of an event.
pub(crate) fn not_published(name: &str, error: &python::Error<'_>, records: &mut Records) {
    records.exception(&codes::event_not_published(name), error);
}

/// The object that the functions `subscribe_*` are methods of. It lives as long as the module
/// `mod_wsgi`.
struct Subscriptions {
    events: Handle,
    shutdown: Handle,
    /// Only a process of a process group passes signals on.
    signals: Option<Handle>,
    log: Arc<dyn ServerLog>,
}

impl Class for Subscriptions {
    const NAME: &'static CStr = c"mod_wsgi.Subscriptions";
    const DOC: &'static CStr = c"The functions that subscribe to events.";

    fn members() -> Members<Self> {
        Members::new()
            .method::<SubscribeEvents>()
            .method::<SubscribeShutdown>()
            .method::<SubscribeSignals>()
    }
}

fn callback<'py>(arguments: Arguments<'py>, function: &str) -> Result<'py, Object<'py>> {
    let [callback] = arguments.positional(function, 1)?;
    Ok(callback.expect("a required argument is there"))
}

struct SubscribeEvents;

impl Method for SubscribeEvents {
    type Class = Subscriptions;
    const NAME: &'static CStr = c"subscribe_events";
    const DOC: &'static CStr = c"Calls callback(name, **event) for each event; returns callback.";

    fn call<'py>(
        this: &Subscriptions,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let callback = callback(arguments, "subscribe_events")?;
        this.events.bind(object.py()).append(&callback)?;
        Ok(callback)
    }
}

struct SubscribeShutdown;

impl Method for SubscribeShutdown {
    type Class = Subscriptions;
    const NAME: &'static CStr = c"subscribe_shutdown";
    const DOC: &'static CStr = c"Calls callback(name, **event) when the process stops.";

    fn call<'py>(
        this: &Subscriptions,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let callback = callback(arguments, "subscribe_shutdown")?;
        this.shutdown.bind(object.py()).append(&callback)?;
        Ok(callback)
    }
}

struct SubscribeSignals;

impl Method for SubscribeSignals {
    type Class = Subscriptions;
    const NAME: &'static CStr = c"subscribe_signals";
    const DOC: &'static CStr = c"Calls callback(name, **event) for signals; returns callback.";

    fn call<'py>(
        this: &Subscriptions,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let callback = callback(arguments, "subscribe_signals")?;
        if let Some(signals) = &this.signals {
            signals.bind(py).append(&callback)?;
        } else {
            let text = "subscribe_signals() was ignored: it works in process groups only.";
            log_with_stack(py, &this.log, text)?;
        }
        Ok(callback)
    }
}
