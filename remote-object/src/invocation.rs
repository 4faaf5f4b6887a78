use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Waker};

use remote_protocol::call::{Access, CallError, Outcome, Report, Return, Selector};
use remote_protocol::codec::CowBytes;
use remote_protocol::contain::{Panic, contain, contain_and_locate};
use remote_protocol::id::CallId;
use remote_protocol::payload::{Encoding, Payload, Reference};
use remote_protocol::service::Answer;
use remote_protocol::value::Value;
use serde::{Deserialize, Serialize};

use crate::arguments;
use crate::interface::{Method, MethodResult};
use crate::leaks::Via;
use crate::members::{self, Members};
use crate::promise::{Cancellation, Parts, Promise, Reply};
use crate::returns::{Returns, Run};
use crate::scope::{self, Arrival, Holds, Receiver, Sending, copied};
use crate::serving::{Begun, Room, Serving, respond};

/// A call of an object of this process, to be served once. For generated code.
pub struct Invocation<'a> {
    method: Selector<'a>,
    arguments: Arguments<'a>,
    asker: Asker<'a>,
    /// Where the answer may come later.
    room: Option<Room>,
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
    /// This process.
    Here { arrivals: Vec<Arrival>, reply: ReplyHere },
}

/// Takes the answer to a call from within this process.
pub(crate) struct ReplyHere {
    reply: Box<dyn FnOnce(Result<ValueHere, CallError>) + Send>,
    /// Of whoever waits for it.
    cancellation: Arc<Cancellation>,
}

/// A value that stays in this process, and what it refers to.
pub(crate) type ValueHere = (Value, Vec<Arrival>);

impl ReplyHere {
    /// Answers with what `make` makes of the value.
    pub(crate) fn new<R: Send + 'static>(
        reply: Reply<R, CallError>,
        make: impl FnOnce(ValueHere) -> Result<R, CallError> + Send + 'static,
    ) -> Self {
        let cancellation = reply.cancellation();
        Self { reply: Box::new(move |answer| reply.send(answer.and_then(make))), cancellation }
    }
}

impl<'a> Invocation<'a> {
    pub(crate) const fn new(method: Selector<'a>, arguments: Arguments<'a>, asker: Asker<'a>) -> Self {
        Self { method, arguments, asker, room: None }
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
        if returns.promise.is_some()
            && let Err(busy) = self.make_room(method.name)
        {
            return self.refuse(busy);
        }
        let arguments = self.arguments;
        let _under_way = self.begin(Cow::Borrowed(method.name));
        let mut once = Some((arrivals, serve));
        (returns.serve)(self, method, &mut || {
            let (arrivals, serve) = once.take().expect("a call is served once");
            let arguments = read(arguments, arrivals, method.arguments);
            Ok(serve(arguments.map_err(|reason| refused(method.name, reason))?))
        });
    }

    /// [`serve`](Self::serve) for a member that has no [`Method`].
    pub(crate) fn run<A: Deserialize<'a>, R>(mut self, described: &Described<'_>, serve: impl FnOnce(A) -> R)
    where
        R: MethodResult,
        R::Value: Serialize + 'static,
        R::Error: Error + 'static,
    {
        let Described { object, name, arguments: described } = *described;
        let via = Via::Member(object.into(), name.into());
        let arrivals = match self.arrive(&via) {
            Ok(arrivals) => arrivals,
            Err(reason) => return self.refuse(refused(name, reason)),
        };
        if R::LATER
            && let Err(busy) = self.make_room(name)
        {
            return self.refuse(busy);
        }
        let arguments = self.arguments;
        let _under_way = self.begin(Cow::Owned(name.to_owned()));
        let mut once = Some((arrivals, serve));
        let run: Run<'_, Promise<R::Value, R::Error>> = &mut || {
            let (arrivals, serve) = once.take().expect("a call is served once");
            Ok(serve(read(arguments, arrivals, described).map_err(|reason| refused(name, reason))?).into_promise())
        };
        let called = Called { via, method: Cow::Owned(name.to_owned()), form: Encoding::Dynamic };
        self.settle(called, run, send_told);
    }

    /// Runs a method and answers with what it gives, in the form in which it was called.
    pub(crate) fn finish<T, E>(self, method: &'static Method, run: Run<'_, Promise<T, E>>)
    where
        T: Serialize + 'static,
        E: Error + Serialize + 'static,
    {
        let called = Called { via: via(method), method: Cow::Borrowed(method.name), form: self.form() };
        self.settle(called, run, send);
    }

    /// Runs a method and has `send` answer with what it gives: now, or on the thread that will give it.
    fn settle<T: 'static, E: 'static>(
        mut self,
        called: Called,
        run: Run<'_, Promise<T, E>>,
        send: fn(Way<'_>, &Called, Result<T, E>),
    ) {
        let promise = match contained(&called.method, run) {
            Ok(promise) => promise,
            Err(error) => return self.refuse(error),
        };
        let forward = match promise.into_parts() {
            Parts::Ready(result) => return send(self.asker.into_way(), &called, result),
            Parts::Here(forward) => forward,
            Parts::Foreign => {
                let reason = "a promise is answered to whom it was given".to_owned();
                return self.refuse(CallError::Result { method: called.method.into_owned(), reason });
            }
        };
        match self.asker {
            Asker::Child { serving, call, answer, .. } => {
                let method = called.method.clone();
                let later =
                    serving.answer_later(call, method, answer.later(), forward.cancellation(), self.room.take());
                // Otherwise nobody waits: the reply is cancelled when the promise is dropped.
                let Some(later) = later else { return };
                forward.to(move |settled| {
                    let Some((serving, mut answer)) = later.answer() else { return };
                    let way = Way::Child { serving: &serving, call, answer: &mut *answer };
                    match settled {
                        Ok(result) => send(way, &called, result),
                        Err(broken) => way.refuse(broken.error(called.method.into_owned())),
                    }
                });
            }
            Asker::Here { reply, .. } => {
                let cancellation = Arc::clone(forward.cancellation());
                // Who gives this call up gives up what it is answered with.
                let given_up = Waker::from(Arc::clone(&cancellation));
                if reply.cancellation.poll(&Context::from_waker(&given_up)).is_ready() {
                    cancellation.cancel();
                }
                forward.to(move |settled| match settled {
                    Ok(result) => send(Way::Here(reply), &called, result),
                    Err(broken) => Way::Here(reply).refuse(broken.error(called.method.into_owned())),
                });
            }
        }
    }

    /// Answers what the object does not: which members it has, or that it has no such member.
    pub(crate) fn unknown(mut self, members: &Members) {
        // Nobody looks at them, so they are given back.
        drop(self.arrive(&Via::unknown()));
        let interface = || members.name.clone();
        let error = match &self.method {
            Selector::Named { name, access: Access::Members } if name.is_empty() => {
                let called = Called { via: Via::unknown(), method: Cow::Borrowed("members"), form: Encoding::Dynamic };
                return self.asker.into_way().answer(&called, members, None);
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

    fn begin(&self, method: Cow<'static, str>) -> Option<Begun<'a>> {
        match &self.asker {
            Asker::Child { serving, .. } => Some(Serving::begin(serving, method)),
            Asker::Here { .. } => None,
        }
    }

    /// Has the process wait for one answer more.
    fn make_room(&mut self, method: &str) -> Result<(), CallError> {
        if let Asker::Child { serving, .. } = &self.asker {
            self.room = Some(serving.room(method)?);
        }
        Ok(())
    }

    const fn form(&self) -> Encoding {
        match self.arguments {
            Arguments::Typed(_) => Encoding::Typed,
            Arguments::Dynamic(_) => Encoding::Dynamic,
        }
    }

    fn refuse(self, error: CallError) {
        self.asker.into_way().refuse(error);
    }
}

impl<'a> Asker<'a> {
    fn into_way(self) -> Way<'a> {
        match self {
            Self::Child { serving, call, answer, .. } => Way::Child { serving, call, answer },
            Self::Here { reply, .. } => Way::Here(reply),
        }
    }
}

/// A call that was served.
struct Called {
    via: Via,
    method: Cow<'static, str>,
    form: Encoding,
}

/// The way to answer a call.
enum Way<'a> {
    Child { serving: &'a Arc<Serving>, call: CallId, answer: &'a mut dyn Answer },
    Here(ReplyHere),
}

impl Way<'_> {
    /// Answers with a result or, where there is a report, with an error.
    fn answer<T: Serialize>(self, called: &Called, value: &T, report: Option<Report>) {
        let failed = |reason| CallError::Result { method: called.method.clone().into_owned(), reason };
        let panicked = |panic| format!("encoding it panicked: {panic}");
        let (serving, call, answer) = match self {
            Self::Child { serving, call, answer } => (serving, call, answer),
            Self::Here(ReplyHere { reply, .. }) => {
                let made = contain(|| scope::to_value(Receiver::Local, value));
                return reply(made.unwrap_or_else(|panic| Err(panicked(panic))).map_err(failed));
            }
        };
        let receiver = || Receiver::Child(Arc::clone(serving), called.via.clone());
        let sent = contain(|| {
            scope::encode_as(Holds::of::<T>(), receiver, called.form, value, |bytes, sending| {
                let Sending { receiver, references, kept: _kept, .. } = sending;
                let lent = copied(&references);
                let payload = Payload { bytes: CowBytes(Cow::Borrowed(bytes)), references };
                let outcome = match report {
                    None => Outcome::Done(payload),
                    Some(report) => Outcome::Failed { report: Box::new(report), error: payload },
                };
                let sent = answer.send(Return { call, outcome });
                sent.inspect_err(|_| scope::undo(receiver.as_ref(), lent))
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
        match self {
            Self::Child { call, answer, .. } => respond(answer, call, Outcome::Refused(Box::new(error))),
            Self::Here(ReplyHere { reply, .. }) => reply(Err(error)),
        }
    }
}

/// Answers with what a method gave.
fn send<T: Serialize, E: Error + Serialize + 'static>(way: Way<'_>, called: &Called, result: Result<T, E>) {
    match result {
        Err(error) if called.form == Encoding::Typed => match report(&called.method, &error) {
            Ok(report) => way.answer(called, &error, Some(report)),
            Err(panicked) => way.refuse(panicked),
        },
        result => send_told(way, called, result),
    }
}

/// Answers with what a method gave; whoever called it by name knows no types of errors.
fn send_told<T: Serialize, E: Error + 'static>(way: Way<'_>, called: &Called, result: Result<T, E>) {
    match result {
        Ok(value) => way.answer(called, &value, None),
        Err(error) => way.refuse(match report(&called.method, &error) {
            Ok(report) => told(report, &error),
            Err(panicked) => panicked,
        }),
    }
}

impl fmt::Debug for Invocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation").field("method", &self.method).finish_non_exhaustive()
    }
}

const fn via(method: &'static Method) -> Via {
    Via::Method(method.interface, method.name)
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

/// Runs what may panic because it is the application's: a method and the `Deserialize` of its arguments, or what an error says of itself.
fn contained<R>(name: &str, run: Run<'_, R>) -> Result<R, CallError> {
    contain_and_locate(run).unwrap_or_else(|panic| {
        tracing::error!(method = name, %panic, "a method panicked");
        let Panic { message, location, .. } = panic;
        Err(CallError::Panicked { method: name.to_owned(), message, location })
    })
}

fn report<E: Error>(method: &str, error: &E) -> Result<Report, CallError> {
    contained(method, &mut || Ok(Report::of(error, method)))
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
