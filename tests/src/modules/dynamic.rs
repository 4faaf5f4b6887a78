//! Uses the parent's objects by the names of their members.

use remote_child::Child;
use remote_object::{CallError, ChildExt, Remote};

use crate::dynamic::{BODIES, Stage};
use crate::interfaces::{Item, Workshop};
use crate::modules::answer;

remote_child::register_module!(main);
fn main(child: &Child) {
    answer(child, "dynamic body", |child, name: String| {
        let remote = child.remote();
        let stage = Stage {
            kit: remote.require_dynamic("kit")?,
            workshop: remote.require_dynamic("workshop")?,
            mirror: remote.require_dynamic("mirror")?,
            failing: remote.require_dynamic("failing")?,
        };
        let (_, body) = BODIES.iter().find(|(other, _)| *other == name).expect("a body of this name");
        body(stage)
    });
    answer(child, "look up", |child, ()| {
        let remote = child.remote();
        let kit = remote.require_dynamic("kit")?;
        assert_eq!(remote.require_dynamic("kit")?, kit);
        assert_eq!(remote.global_dynamic("kit-of-all")?, kit);
        let typed: Remote<dyn Workshop> = remote.require("workshop")?;
        assert_eq!(remote.require_dynamic("workshop")?.downcast::<dyn Workshop>()?, typed);
        let unknown = remote.require_dynamic("nothing").expect_err("nothing is called so");
        let wrong = remote.require::<dyn Item>("kit").expect_err("it has no interface");
        Ok::<_, CallError>((unknown, wrong))
    });
    answer(child, "listen", |child, ()| {
        let kit = child.remote().require_dynamic("kit")?;
        let process = child.process();
        let listener = child.remote().callback(move |(text, times): (String, i64)| {
            process.port().emit("heard by name", &(text, times)).expect("the parent is there");
        });
        kit.call::<()>("listen", (&listener,))?;
        kit.call::<usize>("ring", ("hello", 2))
    });
    // The parent takes it for a callback of something else.
    answer(child, "listen wrongly", |child, ()| {
        let kit = child.remote().require_dynamic("kit")?;
        let listener = child.remote().callback(|_: Vec<String>| panic!("it is not called"));
        kit.call::<()>("listen", (&listener,))?;
        kit.call::<usize>("ring", ("hello", 2))?;
        Ok::<_, CallError>(listener.made_at())
    });
    answer(child, "bell by name", |child, ()| {
        let bell = child.remote().require_dynamic("bell")?;
        let process = child.process();
        let listener = child.remote().callback(move |text: String| {
            process.port().emit("heard by name", &(text, 0)).expect("the parent is there");
        });
        bell.call::<()>("add", (&listener,))?;
        assert_eq!(bell.call::<usize>("ring", ("hello",))?, 1);
        assert!(bell.call::<bool>("remove", (listener,))?);
        Ok::<_, CallError>(())
    });
}
