//! Listens, and says what it heard.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use remote_child::Child;

use crate::modules::answer;

remote_child::register_module!(main);
fn main(child: &Child) -> Result<(), remote_child::EmitError> {
    let heard = Rc::new(RefCell::new(Vec::<String>::new()));
    let hear = |text: &Rc<RefCell<Vec<String>>>| Rc::clone(text);
    let port = child.process().port();

    let notes = hear(&heard);
    port.on("note", move |_process, text: String| notes.borrow_mut().push(text));
    let notes = hear(&heard);
    port.once("note", move |_process, text: String| notes.borrow_mut().push(format!("once {text}")));
    let notes = hear(&heard);
    port.on("sized", move |_process, (name, width, height): (String, u32, u32)| {
        notes.borrow_mut().push(format!("{name} {width}x{height}"));
    });
    let notes = hear(&heard);
    let silenced = port.on("note", move |_process, text: String| notes.borrow_mut().push(format!("silenced {text}")));
    answer(child, "silence", move |child, ()| {
        let port = child.process().port();
        Ok::<_, String>((port.off(silenced), port.off(silenced)))
    });

    // A listener that removes another while both are being told.
    let victim = Rc::new(Cell::new(None));
    let other = Rc::clone(&victim);
    port.on("remove the next", move |process, ()| {
        if let Some(listener) = other.take() {
            process.port().off(listener);
        }
    });
    let notes = hear(&heard);
    victim.set(Some(port.on("remove the next", move |_process, ()| notes.borrow_mut().push("removed".to_owned()))));

    let notes = hear(&heard);
    answer(child, "heard", move |_child, ()| Ok::<_, String>(std::mem::take(&mut *notes.borrow_mut())));
    answer(child, "say", |child, (event, texts): (String, Vec<String>)| {
        texts.iter().try_for_each(|text| child.process().port().emit(&event, text))
    });
    answer(child, "say two", |child, (event, pair): (String, (u64, String))| {
        child.process().port().emit(&event, &pair)
    });
    answer(child, "say bytes", |child, (event, count): (String, usize)| {
        child.process().port().emit(&event, &vec![7u8; count])
    });
    port.emit("loaded ports", &child.process().is_remote())
}
