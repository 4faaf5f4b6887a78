//! Ties callbacks and calls to a child.

use std::rc::Rc;
use std::sync::Arc;

use remote_child::{Child, Handle, LoaderId};
use remote_protocol::id::LentId;
use remote_protocol::payload::Encoding;
use remote_protocol::service::Callbacks;

use crate::calling::{Calling, Late, Loop};
use crate::context::{Closures, Context};
use crate::scope::Arrival;

/// Gives a [`Child`] remote objects.
pub trait ChildExt {
    /// From where the objects of the parent are reached, and callbacks made.
    fn remote(&self) -> Context;
}

impl ChildExt for Child {
    fn remote(&self) -> Context {
        let extension = self.process_extension(|| Extension::new(self));
        self.extension(|| LoaderExtension { loader: self.loader_id(), closures: Rc::clone(&extension.0) });
        Context::new(self.clone(), Rc::clone(&extension.0))
    }
}

/// What is kept until a loader is unloaded: its callbacks go with it.
struct LoaderExtension {
    loader: LoaderId,
    closures: Rc<Closures>,
}

impl Drop for LoaderExtension {
    fn drop(&mut self) {
        self.closures.forget_loader(self.loader);
    }
}

/// What is kept for the life of the loop.
struct Extension(Rc<Closures>);

impl Extension {
    fn new(child: &Child) -> Self {
        let looper = Arc::new(LoopHandle(child.handle()));
        let calling = Calling::new(child.caller(), looper, child.call_deadline());
        let closures = Closures::new(Arc::clone(&calling));
        child.serve(Rc::clone(&closures) as Rc<dyn Callbacks>, Arc::new(Late(calling)));
        Self(closures)
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct LoopHandle(Handle);

impl Loop for LoopHandle {
    fn invoke(&self, id: LentId, form: Encoding, argument: Vec<u8>, arrivals: Vec<Arrival>) -> bool {
        self.0.run_with(move |extension: &Extension| extension.0.call(id, form, &argument, arrivals)).is_ok()
    }

    fn forget(&self, id: LentId) {
        // A loop that has ended has dropped all closures.
        let _ = self.0.run_with(move |extension: &Extension| extension.0.forget(id));
    }
}
