//! What an application may do wrong.

use remote_child::Child;
use remote_object::{CallError, ChildExt, Remote};
use remote_parent::Parent;

use crate::interfaces::{Item, Workshop};
use crate::modules::answer;
use crate::samples::Nest;

/// An object of a child, which cannot be sent.
struct Stray;

impl Item for Stray {
    fn name(&self) -> Result<String, CallError> {
        Ok("stray".to_owned())
    }
}

remote_child::register_module!(main);
fn main(child: &Child) {
    let port = child.process().port();
    port.on("typed", |process, number: u32| process.port().emit("typed number", &number).expect("the parent is there"));
    port.on("typed", |process, text: String| process.port().emit("typed text", &text).expect("the parent is there"));
    port.on("explode", |_process, ()| panic!("the listener's own fault"));
    port.on("explode", |process, ()| process.port().emit("survived", &()).expect("the parent is there"));

    answer(child, "new parent", |_child, ()| Parent::new().map(drop));
    answer(child, "send a stray", |child, ()| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        let kept = workshop.keep(Remote::new(std::sync::Arc::new(Stray)));
        // What was wrong with that call is of no consequence to the next one.
        assert_eq!(workshop.add(1, 2), Ok(3));
        kept
    });
    answer(child, "send a reference in an event", |child, ()| {
        let workshop = child.remote().require::<dyn Workshop>("workshop").expect("it is exported");
        let item = workshop.make("in an event").expect("it is made");
        let emitted = child.process().port().emit("a reference", &item);
        assert_eq!(workshop.is_original(item), Ok(true));
        emitted
    });
    answer(child, "send deep", |child, levels: usize| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        let depth = workshop.depth(&Nest::deep(levels));
        assert_eq!(workshop.add(1, 2), Ok(3));
        depth
    });
    answer(child, "emit deep", |child, levels: usize| child.process().port().emit("deep", &Nest::deep(levels)));
    answer(child, "send long", |child, bytes: usize| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        let weight = workshop.weigh(&vec![7; bytes]);
        assert_eq!(workshop.weigh(b"four"), Ok(4));
        weight
    });
    answer(child, "emit long", |child, bytes: usize| child.process().port().emit("long", &vec![7u8; bytes]));
    answer(child, "get long", |child, bytes: u64| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        let load = workshop.load(bytes);
        assert_eq!(workshop.load(4), Ok(vec![7; 4]));
        load.map(|load| load.len())
    });
}
