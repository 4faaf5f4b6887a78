use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use remote_protocol::call::{self, Call, Outcome, Release, Request, ShortCall};
use remote_protocol::endpoint::{Outlet, OutletError};
use remote_protocol::id::{CallId, LentId};
use remote_protocol::limits::{self, Limits};
use remote_protocol::link::{BufferView, Lane, Link, Receive, Waker};
use remote_protocol::message::{Message, ToParent};
use remote_protocol::releases::{Due, GATHERING, Releases};
use remote_protocol::service::{CallFailure, Caller, LateReturns};
use remote_protocol::state::Violation;

use crate::child::LoopEnded;
use crate::core::Core;

mod call_lane;
mod pool;

use pool::Pool;

/// What every thread of a child reaches the parent with: the main lane's outlet, and lanes for calls.
///
/// The loop thread calls on the main lane. Any other thread takes a free lane for the time of its call, and opens one when there is
/// none, up to the limit; so a thread that has ended holds none.
pub(crate) struct Lanes {
    this: Weak<Self>,
    link: Arc<dyn Link>,
    /// As the parent says when it welcomes us; the defaults until then.
    limits: OnceLock<Limits>,
    outlet: Mutex<MainOutlet>,
    /// What threads of ours have let go of. Locked for a moment only, also while `outlet` is.
    releases: Mutex<Releases>,
    /// Whether there may be any of that. Changed under its lock.
    has_releases: AtomicBool,
    calls: AtomicU32,
    pool: Pool,
    /// `None` before there is one, and when the loop has ended: it holds what holds us.
    late: Mutex<Option<Arc<dyn LateReturns>>>,
    /// What other threads posted to the loop; `None` when it has ended.
    tasks: Mutex<Option<VecDeque<Posted>>>,
    /// How many of them somebody waits for. Changed under their lock.
    functions: AtomicUsize,
    /// Woken as well when a function is posted: the loop thread may wait for something else than its main lane.
    alarm: Mutex<Option<Alarm>>,
    waker: Waker,
}

pub(crate) type Task = Box<dyn FnOnce(&Core) + Send>;

/// The sending end of the main lane.
struct MainOutlet {
    outlet: Outlet,
    /// The releases that are being sent.
    batch: Vec<Release>,
}

pub(crate) type Alarm = Arc<dyn Fn() + Send + Sync>;

struct Posted {
    task: Task,
    /// Whether somebody waits for it, so that it is run also while the loop thread waits in a call.
    is_function: bool,
}

impl Lanes {
    pub(crate) fn new(link: Arc<dyn Link>, main: Lane) -> (Arc<Self>, Box<dyn Receive>) {
        let rx_waker = main.rx.waker();
        let lanes = Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            link,
            limits: OnceLock::new(),
            outlet: Mutex::new(MainOutlet {
                outlet: Outlet::new(main.tx, Limits::new().max_message_bytes()),
                batch: Vec::new(),
            }),
            releases: Mutex::default(),
            has_releases: AtomicBool::new(false),
            calls: AtomicU32::new(0),
            pool: Pool::default(),
            late: Mutex::default(),
            tasks: Mutex::new(Some(VecDeque::new())),
            functions: AtomicUsize::new(0),
            alarm: Mutex::default(),
            waker: rx_waker,
        });
        (lanes, main.rx)
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        // The session takes one welcome only.
        let _ = self.limits.set(limits);
        self.main_outlet().outlet.set_limit(limits.max_message_bytes());
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits.get().copied().unwrap_or_default()
    }

    /// Sends on the main lane, from any thread, and what was let go of before. Never blocks.
    pub(crate) fn send(&self, message: &impl Message) -> Result<(), OutletError> {
        let mut main = self.main_outlet();
        self.send_releases(&mut main);
        main.outlet.send(message)
    }

    /// The loop is about to sleep: nothing that was let go of rests meanwhile, if it can be sent.
    pub(crate) fn rest(&self) {
        while !self.releases().rest() {
            self.send_releases(&mut self.main_outlet());
        }
    }

    /// The loop is about to sleep, and nothing else is waited for: until when, if only to gather what is being let go of. Else what has
    /// been is sent.
    pub(crate) fn rest_or_gather(&self) -> Option<Instant> {
        let gathers = self.releases().gather();
        if gathers {
            return Some(Instant::now() + GATHERING);
        }
        self.rest();
        None
    }

    /// The parent has handled so many batches of what was let go of.
    pub(crate) fn acknowledged(&self, batches: u32) -> Result<(), Violation> {
        self.releases().acknowledged(batches)
    }

    fn send_releases(&self, main: &mut MainOutlet) {
        while self.take_releases(&mut main.batch) {
            let releases = Cow::Borrowed(main.batch.as_slice());
            if main.outlet.send(&ToParent::Object(call::ToParent::Release(releases))).is_err() {
                // A parent that is gone has let go of everything already.
                self.releases().close();
            }
        }
    }

    fn take_releases(&self, batch: &mut Vec<Release>) -> bool {
        if !self.has_releases.load(Ordering::Acquire) {
            return false;
        }
        let mut releases = self.releases();
        let taken = releases.take(batch);
        self.has_releases.store(releases.pending().next().is_some(), Ordering::Release);
        taken
    }

    pub(crate) fn post(&self, task: Task) -> Result<(), LoopEnded> {
        self.push(Posted { task, is_function: false })
    }

    /// Posts what somebody waits for.
    pub(crate) fn post_function(&self, task: Task) -> Result<(), LoopEnded> {
        self.push(Posted { task, is_function: true })?;
        let alarm = self.lock_alarm().clone();
        if let Some(alarm) = alarm {
            alarm();
        }
        Ok(())
    }

    fn push(&self, posted: Posted) -> Result<(), LoopEnded> {
        let mut tasks = self.tasks();
        let some = tasks.as_mut().ok_or(LoopEnded)?;
        if posted.is_function {
            self.functions.fetch_add(1, Ordering::Release);
        }
        some.push_back(posted);
        drop(tasks);
        self.waker.wake();
        Ok(())
    }

    /// Sets what is woken as well when a function is posted; gives what was before.
    pub(crate) fn set_alarm(&self, alarm: Option<Alarm>) -> Option<Alarm> {
        std::mem::replace(&mut *self.lock_alarm(), alarm)
    }

    fn lock_alarm(&self) -> MutexGuard<'_, Option<Alarm>> {
        self.alarm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn task_count(&self) -> usize {
        self.tasks().as_ref().map_or(0, VecDeque::len)
    }

    pub(crate) fn next_task(&self) -> Option<Task> {
        let posted = self.tasks().as_mut()?.pop_front()?;
        Some(self.taken(posted))
    }

    fn taken(&self, posted: Posted) -> Task {
        if posted.is_function {
            self.functions.fetch_sub(1, Ordering::Release);
        }
        posted.task
    }

    /// Whether there is a task that somebody waits for.
    pub(crate) fn has_functions(&self) -> bool {
        self.functions.load(Ordering::Acquire) > 0
    }

    /// The next task that somebody waits for.
    pub(crate) fn next_function(&self) -> Option<Task> {
        if !self.has_functions() {
            return None;
        }
        let mut tasks = self.tasks();
        let tasks = tasks.as_mut()?;
        let index = tasks.iter().position(|posted| posted.is_function)?;
        tasks.remove(index).map(|posted| self.taken(posted))
    }

    /// Takes no more tasks, and gives those that nobody will run.
    pub(crate) fn end(&self) -> Option<Vec<Task>> {
        let late = self.lock_late().take();
        drop(late);
        // The parent lets go of everything by itself.
        self.releases().close();
        let tasks = self.tasks().take()?;
        self.functions.store(0, Ordering::Release);
        Some(tasks.into_iter().map(|posted| posted.task).collect())
    }

    pub(crate) fn set_late(&self, late: Arc<dyn LateReturns>) {
        // When the loop has ended nothing takes it out again.
        if self.tasks().is_none() {
            return;
        }
        let old = self.lock_late().replace(late);
        drop(old);
    }

    pub(crate) fn given_up(&self, call: CallId) {
        let late = self.lock_late().clone();
        if let Some(late) = late {
            late.given_up(call);
        }
    }

    pub(crate) fn late(&self, call: CallId, outcome: Outcome<'_>) {
        self.pool.end_long(call);
        let late = self.lock_late().clone();
        if let Some(late) = late {
            late.late(call, outcome);
        }
    }

    fn main_outlet(&self) -> MutexGuard<'_, MainOutlet> {
        // An encoder that panicked left nothing behind: every message starts anew.
        self.outlet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn releases(&self) -> MutexGuard<'_, Releases> {
        self.releases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No more returns come on the main lane.
    pub(crate) fn disconnected(&self) {
        let late = self.lock_late().clone();
        if let Some(late) = late {
            late.disconnected();
        }
    }

    fn lock_late(&self) -> MutexGuard<'_, Option<Arc<dyn LateReturns>>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, Option<VecDeque<Posted>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller for Lanes {
    fn call(
        &self,
        request: Request<'_>,
        within: Duration,
        take: &mut dyn FnMut(Outcome<'_>),
    ) -> Result<(), CallFailure> {
        let id = self.next_call();
        if let Some(core) = Core::of_this_thread(self) {
            let during = core.nesting.invocation();
            let sent = match ShortCall::new(id, during, &request) {
                Some(call) => self.send(&call),
                None => self.send(&ToParent::Object(call::ToParent::Call(Call { id, during, request }))),
            };
            sent.map_err(failure)?;
            return core.wait_for_return(id, within, take);
        }
        self.call_elsewhere(Call { id, during: None, request }, limits::deadline(Instant::now(), within), take)
    }

    fn release(&self, release: Release) {
        let mut releases = self.releases();
        let due = releases.add(release);
        self.has_releases.store(true, Ordering::Release);
        drop(releases);
        match due {
            // The parent's things have no limit here.
            Due::Later | Due::TooMany => {}
            Due::Now => self.send_releases(&mut self.main_outlet()),
            // Our own loop is awake, and comes to it.
            Due::Wake if Core::of_this_thread(self).is_some() => self.releases().attend(),
            Due::Wake => self.waker.wake(),
        }
    }

    fn revoke(&self, callbacks: Vec<LentId>) {
        // A parent that is gone has found them dead already.
        let _ = self.send(&ToParent::Object(call::ToParent::Revoked { callbacks }));
    }

    fn limits(&self) -> Limits {
        Self::limits(self)
    }

    fn next_call(&self) -> CallId {
        CallId(self.calls.fetch_add(1, Ordering::Relaxed))
    }

    fn start(&self, call: CallId, request: Request<'_>) -> Result<(), CallFailure> {
        let during = Core::of_this_thread(self).and_then(|core| core.nesting.invocation());
        self.send(&ToParent::Object(call::ToParent::Call(Call { id: call, during, request }))).map_err(failure)
    }

    fn cancel(&self, call: CallId) {
        // A parent that is gone answers nobody.
        let _ = self.send(&ToParent::Object(call::ToParent::Cancel { call }));
    }

    fn pump(&self, deadline: Instant, settled: &dyn Fn() -> bool) -> bool {
        let core = Core::of_this_thread(self);
        if let Some(core) = &core {
            core.wait_until(deadline, settled);
        }
        core.is_some()
    }

    fn buffer_view(&self) -> Option<Arc<dyn BufferView>> {
        self.link.buffer_view()
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes").field("link", &self.link).finish_non_exhaustive()
    }
}

/// What a message that was not sent means to a call.
fn failure(error: OutletError) -> CallFailure {
    match error {
        OutletError::TooLong { length, .. } => CallFailure::TooLong { length },
        OutletError::Encode(_) => CallFailure::Unencodable,
        _ => CallFailure::Disconnected,
    }
}
