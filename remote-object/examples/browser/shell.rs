//! The module of the shell, which is the program: it opens a window for each document, and has a picture taken of what
//! it shows.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use remote_child::Child;
use remote_object::{ChildExt, Context, Remote};

use crate::interfaces::{BrowserWindow, BrowserWindows, PageError, PageShow, Picture};
use crate::say::{complain, say};

remote_child::register_module!(main);
fn main(child: &Child) {
    let shell = child.clone();
    // Only the process that is asked to is the shell.
    child.process().port().once("open", move |_process, names: Vec<String>| {
        let windows = match shell.remote().require::<dyn BrowserWindows>("windows") {
            Ok(windows) => windows,
            Err(error) => return complain("shell", error),
        };
        let waiting = RefCell::new(names.into_iter().enumerate().collect());
        let shell = Shell { child: shell.clone(), windows, waiting, open: Cell::new(0), failed: Cell::new(0) };
        Rc::new(shell).open_windows();
    });
}

struct Shell {
    child: Child,
    windows: Remote<dyn BrowserWindows>,
    /// The documents that have no window yet, by their places in the list.
    waiting: RefCell<VecDeque<(usize, String)>>,
    open: Cell<usize>,
    failed: Cell<usize>,
}

impl Shell {
    /// Opens windows for as many documents as may have one; when all are done, ends the process.
    fn open_windows(self: &Rc<Self>) {
        let at_once = self.windows.at_once().unwrap_or(1);
        while self.open.get() < at_once {
            let Some((document, name)) = self.waiting.borrow_mut().pop_front() else { break };
            match self.open_window(document, name.clone()) {
                Ok(()) => self.open.update(|open| open + 1),
                Err(error) => self.fail(&name, &error),
            }
        }
        if self.open.get() == 0 {
            let told = self.child.process().port().emit("done", &self.failed.get());
            if let Err(error) = told {
                complain("shell", error);
            }
            self.child.close();
        }
    }

    fn open_window(self: &Rc<Self>, document: usize, name: String) -> Result<(), PageError> {
        let view = Rc::new(View { shell: Rc::clone(self), name, window: self.windows.new()? });
        view.load(document).or_else(|error| view.window.close().and(Err(error)))
    }

    fn fail(&self, name: &str, error: &PageError) {
        self.failed.update(|failed| failed + 1);
        complain("shell", format_args!("{name}: {error}"));
    }

    fn remote(&self) -> Context {
        self.child.remote()
    }
}

/// A document in its window, on its way to a picture.
struct View {
    shell: Rc<Shell>,
    name: String,
    window: Remote<dyn BrowserWindow>,
}

impl View {
    /// The first step; the callbacks take the others.
    fn load(self: &Rc<Self>, document: usize) -> Result<(), PageError> {
        let view = Rc::clone(self);
        let shown = self.shell.remote().callback(move |shown| match shown {
            Ok(page) => view.capture(&page),
            Err(error) => view.close(Err(error)),
        });
        self.window.load(document, shown)
    }

    fn capture(self: &Rc<Self>, PageShow { title, width, height }: &PageShow) {
        say("shell", format_args!("{} is shown: “{title}”, {width}×{height}", self.name));
        let view = Rc::clone(self);
        let captured = self.shell.remote().callback(move |captured: Result<Remote<dyn Picture>, _>| {
            view.close(captured.and_then(|picture| picture.save()));
        });
        if let Err(error) = self.window.capture_page(captured) {
            self.close(Err(error));
        }
    }

    /// The last step, whether or not there is a picture.
    fn close(&self, saved: Result<String, PageError>) {
        let closed = self.window.close();
        match saved.and_then(|path| closed.map(|()| path)) {
            Ok(path) => say("shell", format_args!("{} is saved as {path}, its window closed", self.name)),
            Err(error) => self.shell.fail(&self.name, &error),
        }
        self.shell.open.update(|open| open - 1);
        self.shell.open_windows();
    }
}
