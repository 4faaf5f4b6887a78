use std::sync::Arc;

use remote_object::{Promise, Remote, Reply};
use remote_parent::{Frame, Parent, ProcessError};

use crate::contents::Contents;
use crate::crash::Crash;
use crate::documents::Document;
use crate::interfaces::{BrowserWindow, BrowserWindows, PageError, PageShow, Picture};
use crate::say::{complain, say};
use crate::tab::{Tab, Waiting};

/// The windows of the parent, each with a page in a content process.
pub(crate) struct Windows {
    documents: Arc<[Arc<Document>]>,
    contents: Arc<Contents>,
}

impl Windows {
    pub(crate) fn new(parent: &Parent, documents: Vec<Document>, contents: &Arc<Contents>, crash: Crash) -> Self {
        listen(parent, contents, crash);
        Self { documents: documents.into_iter().map(Arc::new).collect(), contents: Arc::clone(contents) }
    }
}

/// Hands what the content processes say, and what becomes of them, to the tabs of their pages.
fn listen(parent: &Parent, contents: &Arc<Contents>, crash: Crash) {
    fn tell(frame: &Frame, tell: impl FnOnce(&Tab)) {
        if let Some(tab) = frame.element::<Tab>() {
            tell(&tab);
        }
    }
    let port = parent.frames().port();
    let crash = Arc::new(crash);
    let of_pages = Arc::clone(&crash);
    port.on("pageshow", move |frame, page: PageShow| {
        if !of_pages.strikes(frame.process()) {
            tell(frame, |tab| tab.shown(page));
        }
    });
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
        // The process's frame has detached before; why is known now.
        let Some(tab) = of_processes.forget(process.id()) else { return };
        match tab.document() {
            Some(document) if crash.struck(process) => {
                say("main", format_args!("content process {} {reason}, opening {} again", process.id(), document.name));
                open_again(&of_processes, &tab, document);
            }
            _ => tab.fail(PageError::ContentGone(reason.to_string())),
        }
    });
}

/// Opens the page of a tab in a new process, and loads its document there: whoever waits for the page need not know.
fn open_again(contents: &Contents, tab: &Arc<Tab>, document: &Document) {
    match contents.open_again(tab).and_then(|()| document.read()) {
        Ok(bytes) => contents.send(tab, "load", &(&document.name, bytes)),
        Err(error) => tab.fail(error),
    }
}

impl BrowserWindows for Windows {
    fn new(&self) -> Result<Remote<dyn BrowserWindow>, PageError> {
        let tab = Arc::new(Tab::default());
        self.contents.open(&tab)?;
        let (documents, contents) = (Arc::clone(&self.documents), Arc::clone(&self.contents));
        Ok(Remote::new(Arc::new(Window { documents, contents, tab })))
    }

    fn at_once(&self) -> Result<usize, PageError> {
        Ok(self.contents.most())
    }
}

/// A window, which shows one document.
struct Window {
    documents: Arc<[Arc<Document>]>,
    contents: Arc<Contents>,
    tab: Arc<Tab>,
}

impl BrowserWindow for Window {
    fn load(&self, document: usize) -> Promise<PageShow, PageError> {
        let (promise, reply) = Promise::new();
        self.begin_loading(document, reply).map_or_else(|error| Promise::ready(Err(error)), |()| promise)
    }

    fn capture_page(&self) -> Promise<Remote<dyn Picture>, PageError> {
        let (promise, reply) = Promise::new();
        self.begin_capturing(reply).map_or_else(|error| Promise::ready(Err(error)), |()| promise)
    }

    fn close(&self) -> Result<(), PageError> {
        self.contents.close(&self.tab);
        Ok(())
    }
}

impl Window {
    fn begin_loading(&self, document: usize, shown: Reply<PageShow, PageError>) -> Result<(), PageError> {
        let document = self.documents.get(document);
        let document = document.ok_or_else(|| PageError::Misused("there is no such document".to_owned()))?;
        self.tab.set_document(Arc::clone(document))?;
        let bytes = document.read()?;
        self.tab.wait(Waiting::Shown(shown))?;
        self.contents.send(&self.tab, "load", &(&document.name, bytes));
        Ok(())
    }

    fn begin_capturing(&self, captured: Reply<Remote<dyn Picture>, PageError>) -> Result<(), PageError> {
        let document = self.tab.document();
        let document = document.ok_or_else(|| PageError::Misused("the window has no page".to_owned()))?;
        self.tab.wait(Waiting::Captured(captured, document.picture.clone()))?;
        self.contents.send(&self.tab, "capture", &());
        Ok(())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.contents.close(&self.tab);
    }
}
