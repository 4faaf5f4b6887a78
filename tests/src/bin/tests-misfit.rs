//! A child that is none, or not as it should be. Its third argument says in which way.

use std::env;
use std::process::{Command, exit};

use remote_protocol::call::{
    self, Access, Call, FunctionResult, Outcome, Request, Root, Run, Selector, ToChild as ObjectToChild,
};
use remote_protocol::codec::{self, CowBytes};
use remote_protocol::id::{CallId, InvocationId, LentId};
use remote_protocol::message::{ToChild, ToParent};
use remote_protocol::payload::{Location, Payload, Reference};
use remote_protocol::value::Value;
use tests::gate::{Report, wait_at};
use tests::raw::Raw;

/// The last piece of a message, of a kind that does not exist.
const GARBAGE: [u8; 4] = [0, 0xff, 0xff, 0xff];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.get(2).map(String::as_str) {
        Some("exits") => exit(7),
        Some("aborts") => std::process::abort(),
        Some("says nothing") => wait_at(&arguments[3]),
        // Another version of the application.
        Some("is newer") => remote_child::Init::new().version("2.0").run(),
        Some("is the same") => remote_child::Init::new().version("1.0").run(),
        // Says what becomes of it when it is of another version.
        Some("tells") => {
            let own = env::current_exe().expect("this program has a path");
            let mut report = Report::at(&arguments[3]);
            let status = Command::new(own).args(&arguments[..2]).arg("is newer").status().expect("it starts");
            report.say(&format!("{:?}", status.code()));
            exit(7);
        }
        // A child like any other, but late.
        Some("waits") => {
            wait_at(&arguments[3]);
            remote_child::init();
        }
        // Something that is no message, before hello or after it.
        Some("says garbage") => {
            let mut raw = Raw::connect(&arguments[1]);
            raw.say(&GARBAGE);
            raw.wait_for_the_end();
        }
        Some("goes mad") => {
            let mut raw = Raw::connect(&arguments[1]);
            raw.greet("1.0");
            raw.say(&GARBAGE);
            raw.wait_for_the_end();
        }
        // A message that is in order, but not now.
        Some("greets twice") => {
            let mut raw = Raw::connect(&arguments[1]);
            raw.greet("1.0");
            raw.greet("1.0");
            raw.wait_for_the_end();
        }
        // Answers and calls of functions that nobody has called, or has called before.
        Some(
            how @ ("answers nobody" | "calls for nobody" | "answers twice" | "calls too late" | "answers nonsense"),
        ) => {
            let mut raw = Raw::connect(&arguments[1]);
            raw.greet("1.0");
            Liar(raw).run(how);
        }
        other => panic!("{other:?} is no way to be a misfit"),
    }
}

/// A child that says of functions what is not so.
struct Liar(Raw);

impl Liar {
    fn run(mut self, how: &str) {
        match how {
            "answers nobody" => self.answer(InvocationId(0), b""),
            "calls for nobody" => self.call(Some(InvocationId(0))),
            "answers nonsense" => {
                let run = self.be_called();
                self.answer(run, b"\xff\xff\xff");
                // The call returns.
                self.returned();
            }
            how => {
                let run = self.be_called();
                self.answer(run, &encode(&Value::I64(1)));
                match how {
                    "answers twice" => self.answer(run, b""),
                    _ => self.call(Some(run)),
                }
            }
        }
        self.0.wait_for_the_end();
    }

    /// Has the mill call a function; gives the invocation.
    fn be_called(&mut self) -> InvocationId {
        self.call(None);
        let payload = self.returned();
        let Some(Reference::Object(mill)) = payload.references.first() else { panic!("{payload:?}") };
        let function = LentId { slot: 7, generation: 3 };
        let made_at = Location { file: "liar.rs".into(), line: 1, column: 2 };
        let arguments = Payload {
            bytes: CowBytes(encode(&Value::List(vec![Value::Function(0), Value::I64(20_000)])).into()),
            references: vec![Reference::Function { id: function, frame: None, made_at }],
        };
        let method = Selector::Named { name: "attempt".into(), access: Access::Call };
        self.request(None, Request::Method { object: *mill, method, arguments });
        self.0.hear(|message| match message {
            ToChild::Object(ObjectToChild::Run(Run { invocation, .. })) => Some(invocation),
            _ => None,
        })
    }

    fn call(&mut self, during: Option<InvocationId>) {
        self.request(during, Request::Lookup { root: Root::Module("mill".into()), interface: Some("Mill".into()) });
    }

    fn request(&mut self, during: Option<InvocationId>, request: Request<'_>) {
        let call = Call { id: CallId(1), during, request };
        self.0.say_message(&ToParent::Object(call::ToParent::Call(call)));
    }

    fn returned(&mut self) -> Payload<'static> {
        self.0.hear(|message| match message {
            ToChild::Object(ObjectToChild::Return(answer)) => match answer.into_owned().outcome {
                Outcome::Done(payload) => Some(payload),
                other => panic!("{other:?}"),
            },
            _ => None,
        })
    }

    fn answer(&mut self, invocation: InvocationId, bytes: &[u8]) {
        let payload = Payload { bytes: CowBytes(bytes.into()), references: Vec::new() };
        let result = FunctionResult { invocation, outcome: Outcome::Done(payload) };
        self.0.say_message(&ToParent::Object(call::ToParent::Result(result)));
    }
}

fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(value, &mut bytes).expect("it can be encoded");
    bytes
}
