use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use remote_protocol::call::{Access, CallError, Outcome, Report, Return, Selector};
use remote_protocol::codec::CowBytes;
use remote_protocol::contain::{Panic, contain, contain_and_locate};
use remote_protocol::id::CallId;
use remote_protocol::payload::{Encoding, Payload, Reference};
use remote_protocol::service::Answer;
use remote_protocol::value::Value;
use serde::{Deserialize, Serialize};

use crate::arguments;
use crate::interface::Method;
use crate::leaks::Via;
use crate::members::{self, Members};
use crate::returns::{Returns, Run};
use crate::scope::{self, Arrival, Receiver};
use crate::serving::{Begun, Serving, respond};

/// A call of an object of this process, to be served once. For generated code.
pub struct Invocation<'a> {
    method: Selector<'a>,
    arguments: Arguments<'a>,
    asker: Asker<'a>,
}

/// The arguments of a call, in either form.
#[derive(Clone, Copy)]
pub(crate) enum Arguments<'a> {
    Typed(&'a [u8]),
    Dynamic(&'a Value),
}

/// A member that has no [`Method`].
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    pub(crate) object: &'a str,
    pub(crate) name: &'a str,
    pub(crate) arguments: &'a [String],
}

/// Who calls.
pub(crate) enum Asker<'a> {
    /// A child.
    Child { serving: &'a Arc<Serving>, call: CallId, references: Vec<Reference<'a>>, answer: &'a mut dyn Answer },
    /// This very thread.
    Here { arrivals: Vec<Arrival>, answer: &'a mut Option<Result<(Value, Vec<Arrival>), CallError>> },
}

impl<'a> Invocation<'a> {
    pub(crate) const fn new(method: Selector<'a>, arguments: Arguments<'a>, asker: Asker<'a>) -> Self {
        Self { method, arguments, asker }
    }

    /// A call by name from within this process.
    pub(crate) const fn here(
        method: Selector<'a>,
        arguments: &'a Value,
        arrivals: Vec<Arrival>,
        answer: &'a mut Option<Result<(Value, Vec<Arrival>), CallError>>,
    ) -> Self {
        Self::new(method, Arguments::Dynamic(arguments), Asker::Here { arrivals, answer })
    }

    /// The fingerprint of the method that is called; `None` when it is called by a name that none of `methods` has.
    #[must_use]
    pub fn fingerprint(&self, methods: &'static [Method]) -> Option<u64> {
        match &self.method {
            Selector::Typed(fingerprint) => Some(fingerprint.0),
            Selector::Named { name, access } => members::find(methods, name, *access).map(|method| method.fingerprint),
        }
    }

    /// The member that is called by its name.
    pub(crate) fn named(&self) -> Option<(&str, Access)> {
        match &self.method {
            Selector::Typed(_) => None,
            Selector::Named { name, access } => Some((name, *access)),
        }
    }

    /// Decodes the arguments, calls `serve` with them, and answers with what it returns. A panic is an answer too.
    pub fn serve<A: Deserialize<'a>, R>(
        mut self,
        method: &'static Method,
        returns: Returns<R>,
        serve: impl FnOnce(A) -> R,
    ) {
        let arrivals = match self.arrive(&via(method)) {
            Ok(arrivals) => arrivals,
            Err(reason) => return self.refuse(refused(method.name, reason)),
        };
        let arguments = self.arguments;
        let _under_way = self.begin(method.name);
        let mut once = Some((arrivals, serve));
        (returns.serve)(self, method, &mut || {
            let (arrivals, serve) = once.take().expect("a call is served once");
            let arguments = read(arguments, arrivals, method.arguments);
            Ok(serve(arguments.map_err(|reason| refused(method.name, reason))?))
        });
    }

    /// [`serve`](Self::serve) for a member that has no [`Method`].
    pub(crate) fn run<A: Deserialize<'a>, T: Serialize, E: Error + 'static>(
        mut self,
        described: &Described<'_>,
        serve: impl FnOnce(A) -> Result<T, E>,
    ) {
        let Described { object, name, arguments: described } = *described;
        let via = Via::Method(object.to_owned().into(), name.to_owned().into());
        let arrivals = match self.arrive(&via) {
            Ok(arrivals) => arrivals,
            Err(reason) => return self.refuse(refused(name, reason)),
        };
        let arguments = self.arguments;
        let _under_way = self.begin(name);
        let mut once = Some((arrivals, serve));
        let served = contained(name, &mut || {
            let (arrivals, serve) = once.take().expect("a call is served once");
            Ok(serve(read(arguments, arrivals, described).map_err(|reason| refused(name, reason))?))
        });
        match served {
            Ok(Ok(value)) => self.answer(via, name, &value, None),
            Ok(Err((report, error))) => self.refuse(told(report, &error)),
            Err(error) => self.refuse(error),
        }
    }

    /// Runs a method and answers with what it returns, in the form in which it was called.
    pub(crate) fn finish<T: Serialize, E: Error + Serialize + 'static>(
        self,
        method: &'static Method,
        run: Run<'_, Result<T, E>>,
    ) {
        match contained(method.name, run) {
            Ok(Ok(value)) => self.answer(via(method), method.name, &value, None),
            Ok(Err((report, error))) => match self.form() {
                Encoding::Typed => self.answer(via(method), method.name, &error, Some(report)),
                // Who calls by name knows no types.
                Encoding::Dynamic => self.refuse(told(report, &error)),
            },
            Err(error) => self.refuse(error),
        }
    }

    /// Answers what the object does not: which members it has, or that it has no such member.
    pub(crate) fn unknown(mut self, members: &Members) {
        // Nobody looks at them, so they are given back.
        drop(self.arrive(&Via::unknown()));
        let interface = || members.name.clone();
        let error = match &self.method {
            Selector::Named { name, access: Access::Members } if name.is_empty() => {
                return self.answer(Via::unknown(), "members", members, None);
            }
            Selector::Named { name, access } => {
                CallError::NoSuchMember { interface: interface(), member: members.missing(name, *access) }
            }
            Selector::Typed(fingerprint) => CallError::NoSuchMethod {
                interface: interface(),
                method: format!("with the fingerprint {:#018x}", fingerprint.0),
            },
        };
        self.refuse(error);
    }

    fn arrive(&mut self, via: &Via) -> Result<Vec<Arrival>, String> {
        match &mut self.asker {
            Asker::Child { serving, references, .. } => serving.arrive(std::mem::take(references), via),
            Asker::Here { arrivals, .. } => Ok(std::mem::take(arrivals)),
        }
    }

    fn begin(&self, method: &str) -> Option<Begun> {
        match &self.asker {
            Asker::Child { serving, .. } => Some(serving.begin(method)),
            Asker::Here { .. } => None,
        }
    }

    const fn form(&self) -> Encoding {
        match self.arguments {
            Arguments::Typed(_) => Encoding::Typed,
            Arguments::Dynamic(_) => Encoding::Dynamic,
        }
    }

    /// Answers with a result or, where there is a report, with an error.
    fn answer<T: Serialize>(self, via: Via, method: &str, value: &T, report: Option<Report>) {
        let form = self.form();
        let failed = |reason| CallError::Result { method: method.to_owned(), reason };
        let panicked = |panic| format!("encoding it panicked: {panic}");
        let (serving, call, answer) = match self.asker {
            Asker::Child { serving, call, answer, .. } => (serving, call, answer),
            Asker::Here { answer, .. } => {
                let made = contain(|| scope::to_value(Receiver::Local, value));
                *answer = Some(made.unwrap_or_else(|panic| Err(panicked(panic))).map_err(failed));
                return;
            }
        };
        let receiver = Receiver::Child(Arc::clone(serving), via);
        let sent = contain(|| {
            scope::encode(receiver.clone(), form, value, |bytes, sending| {
                let references = sending.references.clone();
                let payload = Payload { bytes: CowBytes(Cow::Borrowed(bytes)), references: sending.references };
                let outcome = match report {
                    None => Outcome::Done(payload),
                    Some(report) => Outcome::Failed { report: Box::new(report), error: payload },
                };
                let sent = answer.send(Return { call, outcome });
                sent.inspect_err(|_| scope::undo(&receiver, references))
            })
        });
        let reason = match sent {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(reason)) => reason,
            Err(panic) => panicked(panic),
        };
        respond(answer, call, Outcome::Refused(Box::new(failed(reason))));
    }

    fn refuse(self, error: CallError) {
        match self.asker {
            Asker::Child { call, answer, .. } => respond(answer, call, Outcome::Refused(Box::new(error))),
            Asker::Here { answer, .. } => *answer = Some(Err(error)),
        }
    }
}

impl fmt::Debug for Invocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation").field("method", &self.method).finish_non_exhaustive()
    }
}

const fn via(method: &'static Method) -> Via {
    Via::Method(Cow::Borrowed(method.interface), Cow::Borrowed(method.name))
}

fn read<'a, A: Deserialize<'a>, D: AsRef<str>>(
    arguments: Arguments<'a>,
    arrivals: Vec<Arrival>,
    described: &[D],
) -> Result<A, String> {
    match arguments {
        Arguments::Typed(bytes) => scope::decode(bytes, arrivals),
        Arguments::Dynamic(value) => {
            scope::receiving(Encoding::Dynamic, arrivals, || arguments::read(described, value))
        }
    }
}

/// Runs a method: both the application's `Deserialize` and its method may panic, and what an error says of itself is its code, too.
fn contained<T, E: Error>(name: &str, run: Run<'_, Result<T, E>>) -> Result<Result<T, (Report, E)>, CallError> {
    let served = contain_and_locate(|| run().map(|result| result.map_err(|error| (Report::of(&error, name), error))));
    served.unwrap_or_else(|panic| {
        tracing::error!(method = name, %panic, "a method panicked");
        let Panic { message, location, .. } = panic;
        Err(CallError::Panicked { method: name.to_owned(), message, location })
    })
}

/// What is told of an error to those who call by name: of a `CallError`, what it is.
fn told<E: Any>(report: Report, error: &E) -> CallError {
    match (error as &dyn Any).downcast_ref::<CallError>() {
        Some(CallError::Failed(of)) if of.method.is_empty() => {
            CallError::Failed(Report { method: report.method, ..of.clone() })
        }
        Some(error) => error.clone(),
        None => CallError::Failed(report),
    }
}

fn refused(method: &str, reason: String) -> CallError {
    CallError::Arguments { method: method.to_owned(), reason }
}
