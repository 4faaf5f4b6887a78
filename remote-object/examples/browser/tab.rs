use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use remote_object::{Remote, Reply};

use crate::documents::Document;
use crate::interfaces::{PageError, PageShow, Picture};
use crate::say::say;

/// What shows a frame: it knows what is loaded there, and who waits for what of the page. It is the frame's element.
#[derive(Default)]
pub(crate) struct Tab {
    document: OnceLock<Arc<Document>>,
    waiting: Mutex<Option<(Instant, Waiting)>>,
    /// What has arrived of the picture.
    picture: Mutex<Vec<u8>>,
}

/// Who is told when the content process answers, or cannot.
pub(crate) enum Waiting {
    Shown(Reply<PageShow, PageError>),
    /// And where the picture would be saved.
    Captured(Reply<Remote<dyn Picture>, PageError>, PathBuf),
}

impl Tab {
    /// Says what is loaded; a tab loads one document.
    pub(crate) fn set_document(&self, document: Arc<Document>) -> Result<(), PageError> {
        let set = self.document.set(document);
        set.map_err(|_| PageError::Misused("the window has a page already".to_owned()))
    }

    /// What has been loaded.
    pub(crate) fn document(&self) -> Option<&Arc<Document>> {
        self.document.get()
    }

    /// Waits for one answer; for one at a time.
    pub(crate) fn wait(&self, waiting: Waiting) -> Result<(), PageError> {
        let mut slot = lock(&self.waiting);
        if slot.is_some() {
            return Err(PageError::Misused("the window has not answered before".to_owned()));
        }
        *slot = Some((Instant::now(), waiting));
        Ok(())
    }

    /// The page can be seen.
    pub(crate) fn shown(&self, page: PageShow) {
        match self.take() {
            Some(Waiting::Shown(shown)) => shown.send(Ok(page)),
            other => fail(other, unasked()),
        }
    }

    /// A piece of the picture.
    pub(crate) fn drawn(&self, mut piece: Vec<u8>) {
        let mut picture = lock(&self.picture);
        if picture.len() + piece.len() <= MOST_BYTES {
            return picture.append(&mut piece);
        }
        drop(picture);
        self.fail(PageError::Content(format!("its picture is longer than {MOST_BYTES} bytes")));
    }

    /// The page has been drawn, and all of the picture is there.
    pub(crate) fn captured(&self) {
        let png = mem::take(&mut *lock(&self.picture));
        match self.take() {
            Some(Waiting::Captured(captured, path)) => captured.send(Ok(Remote::new(Arc::new(Png { png, path })))),
            other => fail(other, unasked()),
        }
    }

    /// There will be no answer.
    pub(crate) fn fail(&self, error: PageError) {
        fail(self.take(), error);
    }

    /// How long an answer has been waited for.
    pub(crate) fn waits_for(&self) -> Duration {
        lock(&self.waiting).as_ref().map_or(Duration::ZERO, |(since, _)| since.elapsed())
    }

    fn take(&self) -> Option<Waiting> {
        lock(&self.waiting).take().map(|(_, waiting)| waiting)
    }
}

fn fail(waiting: Option<Waiting>, error: PageError) {
    match waiting {
        Some(Waiting::Shown(shown)) => shown.send(Err(error)),
        Some(Waiting::Captured(captured, _)) => captured.send(Err(error)),
        None => {}
    }
}

fn unasked() -> PageError {
    PageError::Content("the content process answers what it was not asked".to_owned())
}

/// A picture, as the content process made it. The parent does not look into it.
struct Png {
    png: Vec<u8>,
    path: PathBuf,
}

impl Picture for Png {
    fn save(&self) -> Result<String, PageError> {
        let path = self.path.display().to_string();
        if let Err(error) = std::fs::write(&self.path, &self.png) {
            return Err(PageError::Write { path, reason: error.to_string() });
        }
        say("main", format_args!("wrote {path}, {} bytes", self.png.len()));
        Ok(path)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// More than a picture of the largest size can have: a content process is not to fill the parent's memory.
const MOST_BYTES: usize = 80 * 1024 * 1024;
