//! The module of the content processes: it shows the pages in their frames.

use remote_child::{Child, Frame};

use crate::interfaces::PageShow;
use crate::page::Page;
use crate::say::{complain, say};

/// What is in a frame once it has been loaded.
struct Content {
    name: String,
    page: Page,
}

remote_child::register_module!(main);
fn main(child: &Child) {
    let port = child.frames().port();
    let handle = child.handle();
    child.frames().for_every(|_frame| limit_memory());
    port.on("load", move |frame, (name, document): (String, Vec<u8>)| {
        // Done in a turn of its own: so the parent knows first that this message, which may be a large one, has been
        // handled, and sends us the next.
        let id = frame.id();
        let load = move |child: &Child| {
            if let Some(frame) = child.frames().get(id) {
                answer(&frame, "pageshow", load(&frame, name, &document));
            }
        };
        if handle.run(load).is_err() {
            complain("content", "ends before it has loaded a page");
        }
    });
    port.on("capture", |frame, ()| answer(frame, "captured", capture(frame)));
}

fn load(frame: &Frame, name: String, document: &[u8]) -> Result<PageShow, String> {
    let page = Page::parse(document).map_err(|error| format!("cannot be drawn: {error}"))?;
    let Page { width, height, .. } = page;
    say("content", format_args!("laid out {name} {width}×{height}"));
    let title = page.title.as_ref().unwrap_or(&name).clone();
    frame.set_content(Content { name, page });
    Ok(PageShow { title, width, height })
}

/// Sends the picture, which may be longer than a message, in pieces. The parent gets no more of them than it handles.
fn capture(frame: &Frame) -> Result<(), String> {
    let content = frame.content::<Content>().ok_or("nothing is loaded")?;
    let png = content.page.draw()?;
    say("content", format_args!("drew {} {}×{}", content.name, content.page.width, content.page.height));
    let mut pieces = png.chunks(PIECE_BYTES);
    pieces.try_for_each(|piece| frame.port().emit("picture", piece)).map_err(|error| error.to_string())
}

/// Tells the parent what it asked for, or why it cannot be had.
fn answer<P: serde::Serialize>(frame: &Frame, event: &str, result: Result<P, String>) {
    let told = match result {
        Ok(answer) => frame.port().emit(event, &answer),
        Err(reason) => frame.port().emit("failed", &reason),
    };
    if let Err(error) = told {
        complain("content", error);
    }
}

/// A document that needs more memory than this ends its process, and not the whole system.
#[cfg(target_os = "linux")]
fn limit_memory() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    const MOST_BYTES: u64 = 2 * 1024 * 1024 * 1024;
    let limit = Rlimit { current: Some(MOST_BYTES), maximum: Some(MOST_BYTES) };
    if let Err(error) = setrlimit(Resource::As, limit) {
        complain("content", format_args!("its memory is not limited: {error}"));
    }
}

#[cfg(not(target_os = "linux"))]
const fn limit_memory() {}

const PIECE_BYTES: usize = 1024 * 1024;
