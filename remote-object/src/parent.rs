//! Ties exports to a parent.

use std::any::Any;
use std::sync::Arc;

use remote_parent::{AlreadyServed, Frame, FrameId, Frames, Parent, ProcessId};

use crate::exports::{Exports, FindFrame, OfFrame, Server};
use crate::interface::Interface;
use crate::object::Exported;

impl Exports {
    /// Has `find` find the window of a frame, for [`Context::current_window`](crate::Context::current_window). What an earlier one
    /// found is not found any more.
    ///
    /// A process is given the windows of its own frames only. `find` runs on the thread that serves the process, with none of our locks
    /// held; that it panics is an error for the frame that asked.
    ///
    /// ```
    /// # #[remote_object::interface]
    /// # trait BrowserWindow: Send + Sync {
    /// #     fn close(&self) -> Result<(), remote_object::CallError>;
    /// # }
    /// # struct Window;
    /// # impl BrowserWindow for Window {
    /// #     fn close(&self) -> Result<(), remote_object::CallError> {
    /// #         Ok(())
    /// #     }
    /// # }
    /// let exports = remote_object::Exports::new();
    /// exports.current_window::<dyn BrowserWindow>(|frame| frame.element::<Window>().map(|window| window as _));
    /// ```
    pub fn current_window<T: Interface + ?Sized>(
        &self,
        find: impl Fn(&Frame) -> Option<Arc<T>> + Send + Sync + 'static,
    ) {
        self.roots().set_current_window(of_frame(find));
    }

    /// Has `find` find the web contents of a frame, for [`Context::current_web_contents`](crate::Context::current_web_contents);
    /// otherwise as [`current_window`](Self::current_window).
    pub fn current_web_contents<T: Interface + ?Sized>(
        &self,
        find: impl Fn(&Frame) -> Option<Arc<T>> + Send + Sync + 'static,
    ) {
        self.roots().set_current_web_contents(of_frame(find));
    }

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
        let server = Arc::new(Server::new(Arc::clone(self.roots()), Arc::new(ParentFrames(parent.frames()))));
        parent.serve(Arc::clone(&server) as _)?;
        parent.share(server);
        Ok(())
    }
}

struct ParentFrames(Frames);

impl FindFrame for ParentFrames {
    fn find(&self, process: ProcessId, frame: FrameId) -> Option<Box<dyn Any>> {
        let frame = self.0.find(process, frame)?;
        Some(Box::new(frame))
    }
}

/// Forgets the interface of what is found.
fn of_frame<T: Interface + ?Sized>(find: impl Fn(&Frame) -> Option<Arc<T>> + Send + Sync + 'static) -> OfFrame {
    Arc::new(move |frame| {
        let object = find(frame.downcast_ref()?)?;
        Some(Arc::new(Exported(object)))
    })
}
