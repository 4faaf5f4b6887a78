//! What a child can send as the arguments of a method, typed and by name: the method gets what it takes, or is not called.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use remote_protocol::call::{Access, CallError, Request, Root, Selector};
use remote_protocol::codec::{self, CowBytes};
use remote_protocol::payload::{Fingerprint, Payload};
use remote_protocol::service::Service;
use remote_protocol::value::{self, Value};
use serde::{Deserialize, Serialize};

use super::child::{Child, Sent};
use super::{next, script};
use crate::buffer::RemoteBuffer;
use crate::callback::Callback;
use crate::exports::{Alive, Exports};
use crate::function::Function;
use crate::interface::Interface;
use crate::remote::Remote;
use crate::remote_value::RemoteValue;

/// Takes the bytes for a call. Gives whether they are one.
#[must_use]
pub fn arguments(mut bytes: &[u8]) -> bool {
    let Some(call) = next::<Called<'_>>(&mut bytes) else { return false };
    let exports = Exports::new();
    exports.module::<dyn Shapes>("shapes", Arc::new(Echo)).expect("it is the only one");
    let child = Child::new(exports, 10);
    child.call(Request::Lookup { root: Root::Module("shapes".into()), interface: None }).expect("that is allowed");
    let methods = <dyn Shapes>::METHODS;
    let method = &methods[usize::from(call.method) % methods.len()];
    let method = match call.access {
        None => Selector::Typed(Fingerprint(method.fingerprint)),
        Some(access) => Selector::Named { name: method.name.into(), access },
    };
    let object = child.end.lent(0);
    let arguments = Payload { bytes: CowBytes(bytes.into()), references: child.end.references(&call.references) };
    child.call(Request::Method { object, method, arguments }).expect("that is allowed");
    child.check();
    child.release_all();
    assert_eq!(child.service.0.alive(), Alive::default());
    child.service.close();
    true
}

/// Calls of each method, typed and by name.
#[must_use]
pub fn arguments_seeds() -> Vec<(&'static str, Vec<u8>)> {
    fn both<T: Serialize>(arguments: &T) -> [Vec<u8>; 2] {
        let value = Value::from_serialize(arguments).expect("it is a value");
        [encoded(arguments), encoded(&value)]
    }
    let shape = Shape::Struct { id: u64::MAX, name: Some("n".into()) };
    let map = BTreeMap::from([("a", ByteBuf(b"x")), ("ü", ByteBuf(b""))]);
    let refer = |kind, index| value::Reference { kind, index };
    let references = (
        Some(refer(value::ReferenceKind::Object, 0)),
        vec![refer(value::ReferenceKind::Function, 1); 2],
        refer(value::ReferenceKind::Function, 2),
        refer(value::ReferenceKind::Buffer, 3),
    );
    let inputs = [
        ("numbers", "numbers-by-name", both(&(-1_i8, 2_u16, -3_i32, u64::MAX, 4_i128, 0.5_f32, -0.0_f64))),
        ("texts", "texts-by-name", both(&("a", "ü", Some("c"), 'ß'))),
        ("bytes", "bytes-by-name", both(&(ByteBuf(b"PNG"), vec![ByteBuf(b"a"), ByteBuf(b"")], map))),
        ("lists", "lists-by-name", both(&(vec![Some((1_u8, "b"))], [1_u16, 2, 3], vec![true; 9]))),
        ("shapes", "shapes-by-name", both(&(shape.clone(), vec![Shape::Unit, shape], Err::<u8, _>("no")))),
        ("references", "references-by-name", both(&references)),
        ("anything", "anything-by-name", both(&(Value::from("a"), references.clone()))),
        ("nothing", "nothing-by-name", both(&())),
    ];
    let sent = [Sent::Object(0), Sent::Callback(1), Sent::Function(2), Sent::Buffer(0)];
    let mut seeds = Vec::new();
    for (method, (typed, named, [bytes, value])) in (0..).zip(inputs) {
        for (name, access, bytes) in [(typed, None, bytes), (named, Some(Access::Call), value)] {
            let called = Called { method, access, references: sent.to_vec() };
            seeds.push((name, [script(&[called]), bytes].concat()));
        }
    }
    seeds
}

/// What is called, and what the arguments refer to. They come behind it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Called<'a> {
    method: u8,
    access: Option<Access>,
    #[serde(borrow)]
    references: Vec<Sent<'a>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(i32),
    Tuple(u8, String),
    Struct { id: u64, name: Option<String> },
}

/// Contains itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tree {
    branches: Vec<Self>,
}

/// Bytes, as they are written.
#[derive(Clone, Serialize)]
struct ByteBuf(#[serde(serialize_with = "as_bytes")] &'static [u8]);

fn as_bytes<S: serde::Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

type Numbers = (i8, u16, i32, u64, i128, f32, f64);
type Handles = (Option<Remote<dyn Shapes>>, Vec<Callback<String>>, Function<u8, u8>, RemoteBuffer);

/// Arguments of all kinds, which come back where they can.
#[remote_object::interface]
trait Shapes: Send + Sync {
    #[expect(clippy::too_many_arguments, reason = "one of each")]
    fn numbers(&self, a: i8, b: u16, c: i32, d: u64, e: i128, f: f32, g: f64) -> Result<Numbers, CallError>;
    fn texts(&self, a: &str, b: Cow<'_, str>, c: Option<&str>, d: char) -> Result<String, CallError>;
    fn bytes(&self, a: &[u8], b: &[&[u8]], c: BTreeMap<&str, &[u8]>) -> Result<usize, CallError>;
    fn lists(&self, a: Vec<Option<(u8, String)>>, b: [u16; 3], c: Vec<bool>) -> Result<Vec<bool>, CallError>;
    fn shapes(&self, a: Shape, b: Vec<Shape>, c: Result<u8, String>) -> Result<Vec<Shape>, CallError>;
    fn references(
        &self,
        a: Option<Remote<dyn Shapes>>,
        b: Vec<Callback<String>>,
        c: Function<u8, u8>,
        d: RemoteBuffer,
    ) -> Result<Handles, CallError>;
    fn anything(&self, a: Value, b: RemoteValue) -> Result<Value, CallError>;
    fn nothing(&self) -> Result<(), CallError>;
    fn trees(&self, a: Tree, b: Vec<()>) -> Result<Tree, CallError>;
    #[remote(property)]
    fn title(&self) -> Result<String, CallError>;
    #[remote(property)]
    fn set_title(&self, title: &str) -> Result<(), CallError>;
}

struct Echo;

impl Shapes for Echo {
    fn numbers(&self, a: i8, b: u16, c: i32, d: u64, e: i128, f: f32, g: f64) -> Result<Numbers, CallError> {
        Ok((a, b, c, d, e, f, g))
    }

    fn texts(&self, a: &str, b: Cow<'_, str>, c: Option<&str>, d: char) -> Result<String, CallError> {
        Ok(format!("{a}{b}{}{d}", c.unwrap_or_default()))
    }

    fn bytes(&self, a: &[u8], b: &[&[u8]], c: BTreeMap<&str, &[u8]>) -> Result<usize, CallError> {
        Ok(a.len() + b.iter().copied().chain(c.into_values()).map(<[u8]>::len).sum::<usize>())
    }

    fn lists(&self, a: Vec<Option<(u8, String)>>, b: [u16; 3], c: Vec<bool>) -> Result<Vec<bool>, CallError> {
        Ok(a.iter().map(Option::is_some).chain(b.map(|number| number > 0)).chain(c).collect())
    }

    fn shapes(&self, a: Shape, b: Vec<Shape>, c: Result<u8, String>) -> Result<Vec<Shape>, CallError> {
        drop(c);
        Ok(b.into_iter().chain([a]).collect())
    }

    fn references(
        &self,
        a: Option<Remote<dyn Shapes>>,
        b: Vec<Callback<String>>,
        c: Function<u8, u8>,
        d: RemoteBuffer,
    ) -> Result<Handles, CallError> {
        for callback in &b {
            let _ = callback.call(callback.made_at());
        }
        let _ = c.call(1);
        Ok((a, b, c, d))
    }

    fn anything(&self, a: Value, b: RemoteValue) -> Result<Value, CallError> {
        drop(b);
        Ok(a)
    }

    fn nothing(&self) -> Result<(), CallError> {
        Ok(())
    }

    fn trees(&self, a: Tree, b: Vec<()>) -> Result<Tree, CallError> {
        drop(b);
        Ok(a)
    }

    fn title(&self) -> Result<String, CallError> {
        Ok(String::new())
    }

    fn set_title(&self, title: &str) -> Result<(), CallError> {
        let _ = title;
        Ok(())
    }
}

fn encoded<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(value, &mut bytes).expect("it can be sent");
    bytes
}
