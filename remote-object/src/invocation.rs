use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use remote_protocol::call::{CallError, Outcome, Report, Return, Selector};
use remote_protocol::codec::CowBytes;
use remote_protocol::contain::contain;
use remote_protocol::id::CallId;
use remote_protocol::payload::{Encoding, Payload, Reference};
use remote_protocol::service::Answer;
use serde::{Deserialize, Serialize};

use crate::interface::Method;
use crate::leaks::Via;
use crate::returns::Returns;
use crate::scope::{self, Receiver};
use crate::serving::{Serving, respond};

/// A call of an object of this process, to be served once. For generated code.
pub struct Invocation<'a> {
    serving: &'a Arc<Serving>,
    call: CallId,
    interface: &'static str,
    method: Selector<'a>,
    arguments: &'a [u8],
    references: Vec<Reference<'a>>,
    answer: &'a mut dyn Answer,
}

impl<'a> Invocation<'a> {
    pub(crate) const fn new(
        serving: &'a Arc<Serving>,
        call: CallId,
        interface: &'static str,
        method: Selector<'a>,
        arguments: &'a [u8],
        references: Vec<Reference<'a>>,
        answer: &'a mut dyn Answer,
    ) -> Self {
        Self { serving, call, interface, method, arguments, references, answer }
    }

    /// The fingerprint of the method that is called; `None` when it is called by a name that none of `methods` has.
    #[must_use]
    pub fn fingerprint(&self, methods: &'static [Method]) -> Option<u64> {
        match &self.method {
            Selector::Typed(fingerprint) => Some(fingerprint.0),
            Selector::Named { name, .. } => {
                methods.iter().find(|method| method.name == name).map(|method| method.fingerprint)
            }
        }
    }

    /// Decodes the arguments, calls `serve` with them, and answers with what it returns. A panic is an answer too.
    pub fn serve<A: Deserialize<'a>, R>(
        mut self,
        method: &'static Method,
        returns: Returns<R>,
        serve: impl FnOnce(A) -> R,
    ) {
        let refused = |reason: String| CallError::Arguments { method: method.name.to_owned(), reason };
        if let Selector::Named { .. } = self.method {
            return self.refuse(refused("this method is called by its interface only".to_owned()));
        }
        let arrivals = match self
            .serving
            .arrive(std::mem::take(&mut self.references), &Via::Method(self.interface, method.name))
        {
            Ok(arrivals) => arrivals,
            Err(reason) => return self.refuse(refused(reason)),
        };
        let bytes = self.arguments;
        let _under_way = self.serving.begin(method.name);
        let mut once = Some((arrivals, serve));
        (returns.serve)(self, method, &mut || {
            let (arrivals, serve) = once.take().expect("a call is served once");
            let arguments = scope::decode(bytes, arrivals).map_err(refused)?;
            Ok(serve(arguments))
        });
    }

    /// Answers that the object has no such method.
    pub fn no_such_method(mut self, interface: &'static str) {
        // Nobody looks at them, so they are given back.
        drop(self.serving.arrive(std::mem::take(&mut self.references), &Via::Method(interface, UNKNOWN)));
        let method = match &self.method {
            Selector::Typed(fingerprint) => format!("with the fingerprint {:#018x}", fingerprint.0),
            Selector::Named { name, .. } => format!("`{name}`"),
        };
        self.refuse(CallError::NoSuchMethod { interface: interface.to_owned(), method });
    }

    /// Answers with a result or, where there is a report, with an error.
    pub(crate) fn answer<T: Serialize>(self, method: &'static Method, value: &T, report: Option<Report>) {
        let Self { serving, call, interface, answer, .. } = self;
        let receiver = Receiver::Child(Arc::clone(serving), Via::Method(interface, method.name));
        let sent = contain(|| {
            scope::encode(receiver.clone(), Encoding::Typed, value, |bytes, sending| {
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
            Err(panic) => format!("encoding it panicked: {panic}"),
        };
        let error = CallError::Result { method: method.name.to_owned(), reason };
        respond(answer, call, Outcome::Refused(Box::new(error)));
    }

    pub(crate) fn refuse(self, error: CallError) {
        respond(self.answer, self.call, Outcome::Refused(Box::new(error)));
    }
}

impl fmt::Debug for Invocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation").field("call", &self.call).field("method", &self.method).finish_non_exhaustive()
    }
}

/// What stands for a method that is not known, and so keeps nothing.
pub(crate) const UNKNOWN: &str = "?";
