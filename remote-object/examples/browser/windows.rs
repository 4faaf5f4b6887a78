use std::sync::{Arc, OnceLock};

use remote_object::{Callback, Remote};
use remote_parent::{Frame, Parent, ProcessError};

use crate::contents::Contents;
use crate::documents::Document;
use crate::interfaces::{BrowserWindow, BrowserWindows, PageError, PageShow, Picture};
use crate::say::complain;
use crate::tab::{Tab, Waiting};

/// The windows of the parent, each with a page in a content process.
pub(crate) struct Windows {
    documents: Arc<[Document]>,
    contents: Arc<Contents>,
}

impl Windows {
    pub(crate) fn new(parent: &Parent, documents: Vec<Document>, contents: &Arc<Contents>) -> Self {
        listen(parent, contents);
        Self { documents: documents.into(), contents: Arc::clone(contents) }
    }
}

/// Hands what the content processes say, and what becomes of them, to the tabs of their pages.
fn listen(parent: &Parent, contents: &Arc<Contents>) {
    fn tell(frame: &Frame, tell: impl FnOnce(&Tab)) {
        if let Some(tab) = frame.element::<Tab>() {
            tell(&tab);
        }
    }
    let port = parent.frames().port();
    port.on("pageshow", |frame, page: PageShow| tell(frame, |tab| tab.shown(page)));
    port.on("picture", |frame, piece: Vec<u8>| tell(frame, |tab| tab.drawn(piece)));
    port.on("captured", |frame, ()| tell(frame, Tab::captured));
    port.on("failed", |frame, reason: String| tell(frame, |tab| tab.fail(PageError::Content(reason))));

    let of_errors = Arc::clone(contents);
    parent.processes().on_error(move |process, error: &ProcessError| match of_errors.tab(process.id()) {
        Some(tab) => tab.fail(PageError::Content(error.to_string())),
        None => complain("main", format_args!("{} {}: {error}", process.name().unwrap_or("process"), process.id())),
    });
    let of_processes = Arc::clone(contents);
    parent.processes().on_detach(move |process, reason| {
        if let Some(tab) = of_processes.forget(process.id()) {
            tab.fail(PageError::ContentGone(reason.to_string()));
        }
    });
}

impl BrowserWindows for Windows {
    fn new(&self) -> Result<Remote<dyn BrowserWindow>, PageError> {
        let tab = Arc::new(Tab::default());
        let frame = self.contents.open(&tab)?;
        let (documents, contents) = (Arc::clone(&self.documents), Arc::clone(&self.contents));
        Ok(Remote::new(Arc::new(Window { documents, contents, tab, frame, document: OnceLock::new() })))
    }

    fn at_once(&self) -> Result<usize, PageError> {
        Ok(self.contents.most())
    }
}

/// A window, which shows one document.
struct Window {
    documents: Arc<[Document]>,
    contents: Arc<Contents>,
    tab: Arc<Tab>,
    frame: Frame,
    /// The place of the document that was loaded.
    document: OnceLock<usize>,
}

impl Window {
    /// Asks the content process for something; whoever waits hears of it when it cannot be asked.
    fn ask<P: serde::Serialize>(&self, waiting: Waiting, event: &str, payload: &P) -> Result<(), PageError> {
        self.tab.wait(waiting)?;
        if let Err(error) = self.frame.port().emit(event, payload) {
            self.tab.fail(PageError::NoContent(error.to_string()));
        }
        Ok(())
    }
}

impl BrowserWindow for Window {
    fn load(&self, document: usize, shown: Callback<Result<PageShow, PageError>>) -> Result<(), PageError> {
        let misused = |what: &str| PageError::Misused(what.to_owned());
        let found = self.documents.get(document).ok_or_else(|| misused("there is no such document"))?;
        self.document.set(document).map_err(|_| misused("the window has a page already"))?;
        let bytes = found.read()?;
        self.ask(Waiting::Shown(shown), "load", &(&found.name, bytes))
    }

    fn capture_page(&self, captured: Callback<Result<Remote<dyn Picture>, PageError>>) -> Result<(), PageError> {
        let document = self.document.get().and_then(|document| self.documents.get(*document));
        let document = document.ok_or_else(|| PageError::Misused("the window has no page".to_owned()))?;
        self.ask(Waiting::Captured(captured, document.picture.clone()), "capture", &())
    }

    fn close(&self) -> Result<(), PageError> {
        self.contents.close(&self.tab, &self.frame);
        Ok(())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.contents.close(&self.tab, &self.frame);
    }
}
