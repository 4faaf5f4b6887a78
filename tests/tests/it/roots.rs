//! What belongs to a process or a frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use remote_object::{CallError, ExportError, Exports, Root};
use remote_parent::{Frame, FrameId, FrameOptions};
use tests::interfaces::Item;
use tests::objects::Named;

use crate::harness::{Setup, ask, every_transport};

type Answer = Result<String, CallError>;

/// The element of a frame.
struct Window {
    item: Arc<dyn Item>,
}

/// The window is the frame's element's; that of a frame that a child registered says what the frame is.
fn window(frame: &Frame) -> Option<Arc<dyn Item>> {
    match frame.element::<Window>() {
        Some(window) => Some(Arc::clone(&window.item)),
        None => frame.is_tab().then(|| Named::item("a tab's window")),
    }
}

fn served(setup: &Setup) -> Exports {
    let exports = Exports::new();
    exports.process(Named::item("the main process")).unwrap();
    exports.current_window::<dyn Item>(window);
    exports.current_web_contents::<dyn Item>(|frame| Some(Named::item(&format!("the contents of {}", frame.id()))));
    exports.serve(setup.parent()).unwrap();
    setup.require("roots");
    setup.require("basics");
    exports
}

fn denied(frame: FrameId) -> CallError {
    let root = format!("current window of frame {frame}");
    CallError::Denied { root, rule: "it is no frame of this process".to_owned() }
}

every_transport! {
    /// B15: each frame has its own window and web contents, those in the main process too.
    fn a_frame_is_given_its_own_window(setup) {
        let exports = served(&setup);
        for process in [setup.main(), setup.spawn()] {
            let open = |title: &str| {
                let window = Arc::new(Window { item: Named::item(title) });
                let frame = setup.parent().frames().open(&process, FrameOptions::new().element(Arc::clone(&window))).unwrap();
                (window, frame.id())
            };
            let (one, other) = (open("one"), open("other"));
            assert_eq!(ask::<Answer, _>(&process, "window", &one.1), Ok("one".to_owned()));
            assert_eq!(ask::<Answer, _>(&process, "window", &other.1), Ok("other".to_owned()));
            ask::<(), _>(&process, "window twice", &one.1);
            let contents = format!("the contents of {}", other.1);
            assert_eq!(ask::<Answer, _>(&process, "contents", &other.1), Ok(contents));
            // Given back, in the main process as well.
            crate::harness::sync(&process);
            assert_eq!(Arc::strong_count(&one.0.item), 1);
        }
        assert_eq!(exports.alive().objects, 0);
    }

    /// B15: a frame that was registered just now is given its window; one that has none is told so.
    fn a_frame_that_has_just_been_registered_is_given_its_window(setup) {
        let _exports = served(&setup);
        for process in [setup.main(), setup.spawn()] {
            for _round in 0..20 {
                assert_eq!(ask::<String, _>(&process, "register and ask", &true), "a tab's window");
            }
            let refused = crate::harness::try_ask::<String, _>(&process, "register and ask", &false).unwrap_err();
            assert!(refused.starts_with("nothing is exported as current window of frame "), "{refused}");
        }
    }

    /// B15: the window of another process's frame, of a frame that is gone, or of none, is not given.
    fn no_window_is_given_but_to_its_own_frame(setup) {
        let _exports = served(&setup);
        let [process, other] = [setup.spawn(), setup.spawn()];
        let window = Arc::new(Window { item: Named::item("private") });
        let open = |process| setup.parent().frames().open(process, FrameOptions::new().element(Arc::clone(&window))).unwrap().id();
        let (own, foreign, main) = (open(&process), open(&other), open(&setup.main()));
        for frame in [foreign, main] {
            assert_eq!(ask::<Option<CallError>, _>(&process, "window of any frame", &frame), Some(denied(frame)));
        }
        assert_eq!(ask::<Option<CallError>, _>(&process, "window of any frame", &own), None);
        assert_eq!(ask::<Answer, _>(&process, "close and ask", &own), Err(denied(own)));
        assert!(matches!(ask(&process, "window of no frame", &()), Some(CallError::NoFrame { .. })));
        let wrong = ask::<Option<CallError>, _>(&other, "window as something else", &foreign);
        assert!(matches!(&wrong, Some(CallError::WrongInterface { expected, .. }) if expected == "Mirror"), "{wrong:?}");
        let wrong = ask::<Option<CallError>, _>(&setup.main(), "window as something else", &main);
        assert!(matches!(&wrong, Some(CallError::WrongInterface { expected, .. }) if expected == "Mirror"), "{wrong:?}");
    }

    /// B15: asking twice for the process costs one trip, and gives the same object; asking by another interface is an error.
    fn the_process_is_asked_for_once(setup) {
        let exports = served(&setup);
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        exports.on_access(move |record| {
            assert_eq!((record.access.root, record.found), (&Root::Process, true));
            count.fetch_add(1, Ordering::Relaxed);
        });
        for process in [setup.main(), setup.spawn(), setup.spawn()] {
            assert_eq!(ask::<String, _>(&process, "process twice", &()), "the main process");
            assert_eq!(ask::<String, _>(&process, "process twice", &()), "the main process");
            assert_eq!(asked.swap(0, Ordering::Relaxed), 1);
            let wrong = ask::<Option<CallError>, _>(&process, "process as something else", &());
            assert!(matches!(&wrong, Some(CallError::WrongInterface { root, .. }) if root == "process"), "{wrong:?}");
            asked.store(0, Ordering::Relaxed);
        }
    }

    /// B15: code that finds a window and panics is an error for who asked; a later one takes its place.
    fn code_that_finds_a_window_may_panic(setup) {
        let exports = served(&setup);
        let process = setup.spawn();
        exports.current_window::<dyn Item>(|_frame| panic!("no such window"));
        let frame = setup.parent().frames().open(&process, FrameOptions::tab()).unwrap().id();
        let answer = ask::<Answer, _>(&process, "window", &frame);
        let Err(CallError::Panicked { method, message, location }) = &answer else { panic!("no panic: {answer:?}") };
        assert_eq!((method, &**message), (&format!("current window of frame {frame}"), "no such window"));
        assert!(location.as_ref().is_some_and(|location| location.contains("roots.rs")), "{location:?}");
        exports.current_window::<dyn Item>(window);
        assert_eq!(ask::<Answer, _>(&process, "window", &frame), Ok("a tab's window".to_owned()));
    }

    /// B15: what is not exported is an error that names it.
    fn what_is_not_exported_is_not_there(setup) {
        Exports::new().serve(setup.parent()).unwrap();
        setup.require("roots");
        for process in [setup.main(), setup.spawn()] {
            let frame = setup.parent().frames().open(&process, FrameOptions::new()).unwrap().id();
            let nothing = |root: String| Err(CallError::NoSuchExport { root });
            assert_eq!(ask::<Answer, _>(&process, "process", &()), nothing("process".to_owned()));
            assert_eq!(ask::<Answer, _>(&process, "window", &frame), nothing(format!("current window of frame {frame}")));
            let contents = format!("current web contents of frame {frame}");
            assert_eq!(ask::<Answer, _>(&process, "contents", &frame), nothing(contents));
        }
    }
}

/// B15: there is one process.
#[test]
fn the_process_is_exported_once() {
    let exports = Exports::new();
    exports.process(Named::item("one")).unwrap();
    let taken = exports.process(Named::item("other")).unwrap_err();
    assert_eq!(taken, ExportError::Taken { root: "process".to_owned() });
}
