use std::fmt;
use std::rc::Rc;

use crate::core::Core;
use crate::lanes::Alarm;

/// What the loop thread of a child has to do while it waits for something else than its own link: other threads of the process may wait for
/// functions that only run there. For crates that wait; the loop sees to its own waits.
///
/// As long as it lives, the alarm it was made with is called when there is something to do.
pub struct Duty {
    core: Rc<Core>,
    /// What was to be woken before; waits nest.
    outer: Option<Alarm>,
}

impl Duty {
    /// The duty of this thread, if it is a child's loop thread. `alarm` is called from other threads, and must not block.
    #[must_use]
    pub fn of_this_thread(alarm: impl Fn() + Send + Sync + 'static) -> Option<Self> {
        let core = Core::on_this_thread()?;
        let alarm: Alarm = std::sync::Arc::new(alarm);
        let outer = core.lanes.set_alarm(Some(alarm));
        Some(Self { core, outer })
    }

    /// Does what there is to do.
    pub fn serve(&self) {
        self.core.run_posted_functions();
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        let own = self.core.lanes.set_alarm(self.outer.take());
        drop(own);
    }
}

impl fmt::Debug for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Duty").finish_non_exhaustive()
    }
}
