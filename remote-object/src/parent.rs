//! Ties exports to a parent.

use std::any::Any;
use std::sync::Arc;

use remote_parent::Parent;

use crate::exports::{Exports, Server};

impl Exports {
    /// Offers the exports to every present and future process of `parent`, its main process included. What is exported later is offered too.
    pub fn serve(&self, parent: &Parent) {
        parent.share(Arc::clone(self.roots()) as Arc<dyn Any + Send + Sync>);
        parent.serve(Arc::new(Server(Arc::clone(self.roots()))));
    }
}
