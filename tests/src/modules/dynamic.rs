//! Uses the parent's objects by the names of their members.

use remote_child::Child;
use remote_object::{CallError, ChildExt, Function, Remote, RemoteObject, RemoteValue, Value, value};

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
    functions(child);
}

fn functions(child: &Child) {
    answer(child, "functions by name", |child, ()| {
        let remote = child.remote();
        let [kit, workshop, mill] =
            [remote.require_dynamic("kit")?, remote.require_dynamic("workshop")?, remote.require_dynamic("mill")?];
        let next = remote.function(|number: i64| number + 1);
        assert_eq!(kit.call::<Vec<i64>>("map", ([1, 2, 3], &next))?, [2, 3, 4]);
        assert_eq!(mill.call::<Vec<i64>>("map", ([1, 2, 3], &next))?, [2, 3, 4]);
        assert_eq!(kit.call::<Vec<i64>>("map", ([1, 2], Function::<i64, i64>::returning(&7)))?, [7, 7]);
        // Values of no known type, through a call within.
        let own = kit.clone();
        let echo = remote.function(move |value: Value| own.call::<Value>("echo", (value,)).expect("it is echoed"));
        let written = value!({ "numbers": [1, -2.5, u64::MAX], "none": null, "bytes": vec![0_u8, 255] });
        assert_eq!(kit.call::<Value>("ask", (&echo, &written))?, written);
        // Objects.
        let saw = workshop.construct(("saw",))?;
        let same = remote.function(|object: RemoteObject| (object.get::<String>("name").expect("it has one"), object));
        let (name, returned): (String, RemoteObject) = kit.call("ask", (&same, &saw))?;
        assert_eq!((&*name, &returned), ("saw", &saw));
        // A function that is found in a value, and called as it arrived.
        let hidden: RemoteValue = kit.call("ask", (remote.function(|_: Value| [1, 2]), value!({})))?;
        assert_eq!(hidden.to::<Vec<i64>>(), Ok(vec![1, 2]));
        Ok::<_, CallError>(())
    });
    // Each with what the error has to begin with.
    answer(child, "wrong functions by name", |child, ()| {
        let remote = child.remote();
        let kit = remote.require_dynamic("kit")?;
        let next = remote.function(|number: i64| number + 1);
        let texts = remote.function(|text: String| text);
        let text = remote.function(|number: i64| number.to_string());
        let listener = remote.callback(|_: i64| {});
        let map = |error: Result<Vec<i64>, CallError>| error.expect_err("it does not fit").to_string();
        let name = |f: String| format!("`function made at {f}`");
        Ok::<_, CallError>([
            (
                kit.call::<()>("listen", (&next,)).expect_err("it is a function").to_string(),
                "arguments of `listen`: argument 1: expected a callback, found a function".to_owned(),
            ),
            (
                map(kit.call("map", ([1], &listener))),
                "arguments of `map`: argument 2: expected a function, found a callback, which returns nothing"
                    .to_owned(),
            ),
            (
                map(kit.call("map", ([1], &kit))),
                "arguments of `map`: argument 2: expected a function, found another kind of reference".to_owned(),
            ),
            (
                map(kit.call("map", ([1], &texts))),
                format!("arguments of {}: expected a string, found the integer 1", name(texts.made_at())),
            ),
            (
                map(kit.call("map", ([1], &text))),
                format!("result of {}: expected i64, found the string \"1\"", name(text.made_at())),
            ),
        ])
    });
}
