//! Frames as the child sees them.

use std::cell::RefCell;
use std::rc::Rc;

use remote_child::{Capture, Child, ContentEvent, Frame, FrameId, FrameOptions};

use crate::modules::answer;

/// What is in a frame.
struct Page {
    url: RefCell<String>,
}

impl Page {
    fn at(url: &str) -> Self {
        Self { url: RefCell::new(url.to_owned()) }
    }
}

type Log = Rc<RefCell<Vec<String>>>;

remote_child::register_module!(main);
fn main(child: &Child) {
    let log = Log::default();
    let frames = child.frames();
    let own = Rc::clone(&log);
    frames.on_attach(move |frame| own.borrow_mut().push(format!("attach {}", frame.id())));
    let own = Rc::clone(&log);
    frames.on_detach(move |frame| {
        let url = frame.content::<Page>().map_or_else(String::new, |page| page.url.borrow().clone());
        own.borrow_mut().push(format!("detach {} {url}", frame.id()));
    });
    let own = Rc::clone(&log);
    frames.for_every(move |frame| {
        if frame.content::<Page>().is_none() {
            frame.set_content(Page::at("about:blank"));
        }
        own.borrow_mut().push(format!("every {}", frame.id()));
        frame.port().emit("attached in the child", &frame.is_tab()).ok();
    });
    let own = Rc::clone(&log);
    answer(child, "frame log", move |_child, ()| Ok::<_, String>(std::mem::take(&mut *own.borrow_mut())));
    answer(child, "frames", |child, ()| {
        let frames = child.frames();
        assert_eq!(frames.iter().count(), frames.len());
        assert!(frames.is_empty() || frames.iter().next().is_some());
        Ok::<_, String>(frames.iter().map(|frame| (frame.id(), frame.is_tab())).collect::<Vec<_>>())
    });
    answer(child, "register", |child, (url, tab): (String, bool)| {
        let options = if tab { FrameOptions::tab() } else { FrameOptions::new() };
        child.frames().register(Page::at(&url), options).map(|frame| {
            frame.port().emit("registered", &url).ok();
            frame.id()
        })
    });
    answer(child, "close frame", |child, id: FrameId| {
        let frame = child.frames().get(id).ok_or("no such frame")?;
        frame.port().emit("last words", "before").map_err(|_| "gone")?;
        frame.close();
        frame.close();
        // A frame that is gone is silent.
        frame.port().emit("last words", "after").map_err(|_| "gone")
    });
    listen(child, &log);
    content(child);
    capture(child);
}

fn listen(child: &Child, log: &Log) {
    let frames = child.frames();
    frames.port().on("changeLocation", |frame, anchor: String| {
        let page = frame.content::<Page>().expect("every frame has a page");
        page.url.borrow_mut().push_str(&anchor);
        frame.port().emit("located", &*page.url.borrow()).expect("the parent is there");
    });
    let own = Rc::clone(log);
    frames.port().on("note", move |frame, text: String| {
        own.borrow_mut().push(format!("all: {} {text}", frame.id()));
    });
    let own = Rc::clone(log);
    frames.for_every(move |frame| {
        let own = Rc::clone(&own);
        frame.port().on("note", move |frame, text: String| {
            own.borrow_mut().push(format!("own: {} {text}", frame.id()));
        });
    });
    answer(child, "frames say", |child, (event, text): (String, String)| child.frames().port().emit(&event, &text));
    answer(child, "frame says", |child, (id, event, text): (FrameId, String, String)| {
        child.frames().get(id).expect("the frame is there").port().emit(&event, &text)
    });
}

fn content(child: &Child) {
    answer(child, "content", |child, id: FrameId| {
        let frame = child.frames().get(id).ok_or("no such frame")?;
        let page = frame.content::<Page>().ok_or("no page")?;
        let found = child.frames().for_content(&page).ok_or("no frame for the page")?;
        assert_eq!(found, frame);
        assert!(child.frames().for_content(&Rc::new(Page::at("elsewhere"))).is_none());
        assert!(frame.content::<u32>().is_none());
        assert_eq!(frame.process().id(), child.process().id());
        frame.set_content(7u32);
        assert_eq!(frame.content::<u32>().as_deref(), Some(&7));
        frame.set_content(Page::at("replaced"));
        let url = page.url.borrow().clone();
        Ok::<_, &str>(url)
    });
}

/// Content events, on the frames there are and one that comes later.
fn capture(child: &Child) {
    answer(child, "dispatch", |child, ()| {
        let log = Log::default();
        let note = |text: &'static str| {
            let log = Rc::clone(&log);
            move |frame: &Frame, event: &ContentEvent| {
                log.borrow_mut().push(format!("{text} {} {} {:?}", frame.id(), event.name(), event.detail()));
            }
        };
        let frames = child.frames();
        let early = frames.register(Page::at("early"), FrameOptions::new()).map_err(|error| error.to_string())?;
        early.add_event_listener("pageshow", Capture::No, note("own"));
        let all = frames.add_event_listener("pageshow", Capture::No, note("all"));
        early.add_event_listener("pageshow", Capture::Yes, note("own first"));
        let all_first = frames.add_event_listener("pageshow", Capture::Yes, note("all first"));
        let gone = early.add_event_listener("pageshow", Capture::Yes, note("gone"));
        assert!(early.remove_event_listener(gone) && !early.remove_event_listener(gone));
        let late = frames.register(Page::at("late"), FrameOptions::new()).map_err(|error| error.to_string())?;
        let told = |frame: &Frame, event: &ContentEvent| {
            frame.dispatch_event(event);
            let told = std::mem::take(&mut *log.borrow_mut());
            let id = frame.id().to_string();
            told.into_iter().map(|text| text.replace(&id, "id")).collect::<Vec<_>>()
        };
        let show = ContentEvent::new("pageshow").with_detail("now");
        let text = "id pageshow String(\"now\")";
        assert_eq!(
            told(&early, &show),
            [format!("all first {text}"), format!("own first {text}"), format!("own {text}"), format!("all {text}")]
        );
        assert_eq!(told(&late, &show), [format!("all first {text}"), format!("all {text}")]);
        assert!(told(&early, &ContentEvent::new("pagehide")).is_empty());
        assert!(frames.remove_event_listener(all) && !frames.remove_event_listener(all));
        assert!(frames.remove_event_listener(all_first));
        assert!(told(&late, &show).is_empty());
        early.close();
        late.close();
        Ok::<_, String>(())
    });
}
