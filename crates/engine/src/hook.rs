//! Hooks: a script's function is asked about a request, and what it returns is taken only if it is
//! one of the things that it may return.
//!
//! Whatever else happens is logged here, and is a failure; what that means for the request is
//! decided by the caller.

use std::ffi::CStr;
use std::sync::Arc;

use python::{Attached, Capsule, Error, Object, Result};
use wsgi::codes::{self, Message};
use wsgi::protocol::frame::MAX_PAYLOAD;
use wsgi::protocol::hook::{Answer, Query, Question};

use crate::fault;
use crate::job::Job;
use crate::objects::environ;
use crate::objects::errors::Errors;
use crate::objects::tls_function::TlsFunction;
use crate::records::Records;
use crate::request::current::Inside;
use wsgi::protocol::outcome::Outcome;

mod answer;

use answer::Refusal;

/// A function of a script as a hook knows it.
#[derive(Clone, Copy)]
struct Function {
    name: &'static CStr,
    /// The message that it is not there.
    missing: fn() -> Message,
}

const ALLOW_ACCESS: Function = Function { name: c"allow_access", missing: codes::no_allow_access };
const CHECK_PASSWORD: Function =
    Function { name: c"check_password", missing: codes::no_check_password };
const GET_REALM_HASH: Function =
    Function { name: c"get_realm_hash", missing: codes::no_get_realm_hash };
const GROUPS_FOR_USER: Function =
    Function { name: c"groups_for_user", missing: codes::no_groups_for_user };

/// The environ of a hook, its `request_data()`, its `wsgi.errors`, and httpd's record if the script
/// sees it.
type Prepared<'py> = (Object<'py>, Object<'py>, Errors<'py>, Option<Capsule<'py>>);

/// A hook that runs.
struct Hook<'a, 'py> {
    py: Attached<'py>,
    job: &'a Job<'a>,
    module: &'a Object<'py>,
    environ: Object<'py>,
}

impl Job<'_> {
    /// Asks the hook of a loaded script.
    pub(crate) fn ask<'py>(
        &self,
        py: Attached<'py>,
        module: &Object<'py>,
        question: &Question<'_>,
    ) -> std::result::Result<Answer, Outcome> {
        let prepared = self.prepare_hook(py, question);
        let (environ, data, errors, record) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return Err(Outcome::Failed(self.report(py, &error))),
        };
        let inside = Inside::enter(Arc::clone(self.lease), &data);
        self.control.enter(self.hosted);
        let hook = Hook { py, job: self, module, environ };
        let answer = hook.ask(&question.query).and_then(fits_a_frame);
        // Objects that the script leaves behind still end inside of its request.
        drop((hook, data));
        self.hosted.take_back(errors);
        self.control.leave(py);
        drop(inside);
        if let Some(record) = record {
            record.expire();
        }
        answer.map_err(|message| {
            if let Some(message) = message {
                self.log(py, &message.in_script(&self.what()).into());
            }
            Outcome::Failed(500)
        })
    }

    /// The arguments of a hook.
    fn prepare_hook<'py>(
        &self,
        py: Attached<'py>,
        question: &Question<'_>,
    ) -> Result<'py, Prepared<'py>> {
        let Self { hosted, request, lease, .. } = self;
        let environ = environ::text(py, request, &hosted.strings)?;
        let errors = hosted.errors(py, lease)?;
        environ.set_named(c"wsgi.errors", errors.text())?;
        environ::add_place(py, &environ, request, &hosted.prototype)?;
        if question.query != Query::Dispatch {
            let class = hosted.tls_function(py)?;
            let is_https = TlsFunction::IsHttps(Arc::clone(lease), question.tls);
            environ.set_named(c"mod_ssl.is_https", &class.instance(is_https)?)?;
            let var_lookup = TlsFunction::VarLookup(Arc::clone(lease));
            environ.set_named(c"mod_ssl.var_lookup", &class.instance(var_lookup)?)?;
        }
        let record = lease.quick(py, |live| live.exchange.apache_request())?;
        let record = record.map(|address| Capsule::new(py, address)).transpose()?;
        if let Some(record) = &record {
            environ.set_named(c"apache.request_rec", record.object())?;
        }
        Ok((environ, py.dict()?, errors, record))
    }
}

/// The answer if it can travel; a question is refused otherwise, wherever the script runs.
fn fits_a_frame(answer: Answer) -> std::result::Result<Answer, Refusal> {
    let mut payload = Vec::new();
    answer.encode(&mut payload);
    if payload.len() > MAX_PAYLOAD {
        let length = payload.len();
        return Err(Some(codes::answer_too_long(length, MAX_PAYLOAD)));
    }
    Ok(answer)
}

impl<'py> Hook<'_, 'py> {
    fn ask(&self, query: &Query<'_>) -> std::result::Result<Answer, Refusal> {
        let py = self.py;
        let text = |value: &[u8]| py.latin1(value);
        match *query {
            Query::Access { host } => {
                let value = self.call(ALLOW_ACCESS, &[text(host)])?;
                answer::access(&value)
            }
            Query::Password { user, password } => {
                let value = self.call(CHECK_PASSWORD, &[text(user), text(password)])?;
                answer::password(&value)
            }
            Query::RealmHash { user, realm } => {
                let value = self.call(GET_REALM_HASH, &[text(user), text(realm)])?;
                answer::realm_hash(&value)
            }
            Query::Groups { user } => {
                let value = self.call(GROUPS_FOR_USER, &[text(user)])?;
                let raised = |error| self.raised(GROUPS_FOR_USER.name, &error);
                answer::groups(&value).unwrap_or_else(|error| Err(raised(error)))
            }
            Query::Dispatch => self.dispatch(),
        }
    }

    fn dispatch(&self) -> std::result::Result<Answer, Refusal> {
        let part = |name| {
            let Some(function) = self.function(name)? else { return Ok(None) };
            let value = function.call(&[&self.environ]);
            answer::target(name, &value.map_err(|error| self.raised(name, &error))?)
        };
        Ok(Answer::Target(wsgi::protocol::hook::DispatchTarget {
            process_group: part(c"process_group")?,
            application_group: part(c"application_group")?,
            callable: part(c"callable_object")?,
        }))
    }

    /// Calls a function that must be there, with the environ in front of its arguments.
    fn call(
        &self,
        Function { name, missing }: Function,
        arguments: &[Result<'py, Object<'py>>],
    ) -> std::result::Result<Object<'py>, Refusal> {
        let Some(function) = self.function(name)? else {
            return Err(Some(missing()));
        };
        let mut values = vec![self.environ.clone()];
        for argument in arguments {
            values.push(argument.clone().map_err(|error| self.raised(name, &error))?);
        }
        let values: Vec<&Object<'py>> = values.iter().collect();
        function.call(&values).map_err(|error| self.raised(name, &error))
    }

    fn function(&self, name: &CStr) -> std::result::Result<Option<Object<'py>>, Refusal> {
        let find = || {
            let key = self.py.text(&name.to_string_lossy())?;
            self.module.attr(c"__dict__")?.item_opt(&key)
        };
        find().map_err(|error| self.raised(name, &error))
    }

    /// Logs what a function has raised; nothing else is to be said about it.
    fn raised(&self, name: &CStr, error: &Error<'py>) -> Refusal {
        let what = format!("{}() of {}", name.to_string_lossy(), self.job.what());
        let mut records = Records::new();
        fault::log(self.py, &mut records, &what, error);
        self.job.log(self.py, &records);
        None
    }
}
