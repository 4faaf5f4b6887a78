//! Does a little of everything that the parent may hear of.

use remote_child::{Child, FrameOptions};
use remote_object::{CallError, Callback, ChildExt, Remote, interface};

use crate::gate::Report;

/// Lends papers and keeps callbacks.
#[interface]
pub trait Desk: Send + Sync {
    fn lend(&self) -> Result<Remote<dyn Paper>, CallError>;
    fn keep(&self, listener: Callback<String>) -> Result<(), CallError>;
}

#[interface]
pub trait Paper: Send + Sync {
    fn read(&self) -> Result<String, CallError>;
}

remote_child::register_module!(main);
fn main(child: &Child) {
    let own = child.clone();
    child.process().port().on("go", move |process, ()| {
        let desk = own.remote().require::<dyn Desk>("desk").expect("it is exported");
        process.port().emit("said", "one").expect("the parent is there");
        let paper = desk.lend().expect("it lends");
        process.port().emit("said", "two").expect("the parent is there");
        assert_eq!(paper.read().as_deref(), Ok("a paper"));
        let frame = own.frames().register((), FrameOptions::new()).expect("the parent is there");
        frame.port().emit("said", "of a frame").expect("the parent is there");
        frame.close();
        desk.keep(own.remote().callback(|_text: String| {})).expect("it keeps it");
        // It goes back with the next thing that is sent.
        drop(paper);
        process.port().emit("said", "three").expect("the parent is there");
        process.port().on("explode", |_process, ()| panic!("as it was told"));
    });
    child.process().port().on("say", |process, text: String| {
        process.port().emit("said", &text).expect("the parent is there");
    });
    let own = child.clone();
    child.process().port().on("call and report", move |_process, report: String| {
        let mut report = Report::at(&report);
        let desk = own.remote().require::<dyn Desk>("desk").expect("it is exported");
        let read = desk.lend().and_then(|paper| paper.read());
        report.say(&format!("{read:?}"));
    });
    let own = child.clone();
    child.process().port().on("call on a thread and report", move |_process, report: String| {
        let desk = own.remote().require::<dyn Desk>("desk").expect("it is exported");
        let read = move || Report::at(&report).say(&format!("{:?}", desk.lend().and_then(|paper| paper.read())));
        std::thread::spawn(read);
    });
    let own = child.clone();
    child.process().port().on("close yourself", move |_process, ()| own.close());
}
