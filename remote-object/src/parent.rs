//! Ties exports to a parent.

use std::any::Any;
use std::sync::Arc;

use remote_parent::{AlreadyServed, Parent};

use crate::exports::{Exports, Server};

impl Exports {
    /// Offers the exports to every present and future process of `parent`, its main process included. What is exported later is offered
    /// too.
    ///
    /// # Errors
    ///
    /// [`AlreadyServed`] when the parent serves exports already: it serves one set, to which more can be added.
    pub fn serve(&self, parent: &Parent) -> Result<(), AlreadyServed> {
        parent.serve(Arc::new(Server(Arc::clone(self.roots()))))?;
        parent.share(Arc::clone(self.roots()) as Arc<dyn Any + Send + Sync>);
        Ok(())
    }
}
