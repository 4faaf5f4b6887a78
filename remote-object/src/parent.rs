//! Ties exports to a parent.

use std::any::Any;
use std::sync::Arc;

use remote_parent::{AlreadyServed, Parent};

use crate::exports::{Exports, Server};

impl Exports {
    /// Offers the exports to every present and future process of `parent`, its main process included. What is exported later is offered
    /// too.
    ///
    /// Methods of exported objects run on the parent's thread for the child that calls, and on one more for each further thread of it
    /// that calls, at once; with an [executor](remote_parent::ParentOptions::executor), there. In the main process's own modules a call
    /// is direct, on the calling thread.
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
