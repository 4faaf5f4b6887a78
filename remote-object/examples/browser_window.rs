//! A child opens a window of the parent's and loads a page into it, as if the window were its own: once by the window's interface, and
//! once by the names of its members alone.
#![expect(clippy::print_stdout, reason = "examples print")]

use std::sync::{Arc, Mutex, PoisonError};

use remote_object::{CallError, Exports, Remote};
use remote_parent::{Parent, this_module};
use serde::{Deserialize, Serialize};

/// How large a window is made.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct WindowOptions {
    width: u32,
    height: u32,
}

/// Opens windows.
#[remote_object::interface]
trait BrowserWindows: Send + Sync {
    #[remote(constructor)]
    fn new(&self, options: WindowOptions) -> Result<Remote<dyn BrowserWindow>, CallError>;
}

/// A window.
#[remote_object::interface]
trait BrowserWindow: Send + Sync {
    fn load_url(&self, url: &str) -> Result<(), CallError>;
    #[remote(property)]
    fn title(&self) -> Result<String, CallError>;
    #[remote(property)]
    fn set_title(&self, title: &str) -> Result<(), CallError>;
}

/// What runs in every process.
mod remote {
    use remote_child::Child;
    use remote_object::{CallError, ChildExt, value};

    use crate::{BrowserWindows, WindowOptions};

    remote_child::register_module!(main);
    fn main(child: &Child) -> Result<(), CallError> {
        if !child.process().is_remote() {
            return Ok(());
        }
        by_interface(child)?;
        by_name(child)
    }

    fn by_interface(child: &Child) -> Result<(), CallError> {
        let windows = child.remote().require::<dyn BrowserWindows>("browser-window")?;
        let window = windows.new(WindowOptions { width: 800, height: 600 })?;
        window.load_url("https://github.com")?;
        let title = window.title()?;
        window.set_title(&format!("{title}, opened by a child"))
    }

    fn by_name(child: &Child) -> Result<(), CallError> {
        let windows = child.remote().require_dynamic("browser-window")?;
        let window = windows.construct((value!({ "width": 800, "height": 600 }),))?;
        window.call::<()>("load_url", ("https://github.com",))?;
        let title: String = window.get("title")?;
        window.set("title", format!("{title}, opened by a child"))
    }
}

/// The windows of the parent.
#[derive(Default)]
struct Windows {
    opened: Mutex<Vec<Arc<Window>>>,
}

struct Window {
    options: WindowOptions,
    page: Mutex<Page>,
}

#[derive(Clone, Default)]
struct Page {
    url: String,
    title: String,
}

impl BrowserWindows for Windows {
    fn new(&self, options: WindowOptions) -> Result<Remote<dyn BrowserWindow>, CallError> {
        let window = Arc::new(Window { options, page: Mutex::default() });
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&window));
        Ok(Remote::new(window))
    }
}

impl Window {
    fn page<R>(&self, act: impl FnOnce(&mut Page) -> R) -> R {
        act(&mut self.page.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl BrowserWindow for Window {
    fn load_url(&self, url: &str) -> Result<(), CallError> {
        let title = url.trim_start_matches("https://").to_owned();
        self.page(|page| *page = Page { url: url.to_owned(), title });
        Ok(())
    }

    fn title(&self) -> Result<String, CallError> {
        Ok(self.page(|page| page.title.clone()))
    }

    fn set_title(&self, title: &str) -> Result<(), CallError> {
        self.page(|page| title.clone_into(&mut page.title));
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    remote_child::init();
    let parent = Parent::new()?;
    let windows = Arc::new(Windows::default());
    let exports = Exports::new();
    exports.module::<dyn BrowserWindows>("browser-window", Arc::clone(&windows) as _)?;
    exports.serve(&parent)?;
    parent.remote_require("./remote", this_module!())?;
    parent.processes().spawn()?;
    parent.close()?;

    for window in &*windows.opened.lock().unwrap_or_else(PoisonError::into_inner) {
        let WindowOptions { width, height } = window.options;
        let Page { url, title } = window.page(|page| page.clone());
        println!("window of {width} × {height} at {url}: {title}");
    }
    Ok(())
}
