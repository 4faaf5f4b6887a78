//! Frames.

use std::sync::Arc;

use remote_parent::{Frame, FrameId, FrameOptions, OpenError, Process};

use crate::harness::{Events, Setup, ask, every_transport, heard};

fn in_child(process: &Process) -> Vec<(FrameId, bool)> {
    ask(process, "frames", &())
}

/// Both sides tell of the same frames in a process.
#[track_caller]
fn agree(setup: &Setup, process: &Process) {
    let frames = setup.parent().frames().iter();
    let mut here: Vec<_> =
        frames.filter(|frame| frame.process() == process).map(|frame| (frame.id(), frame.is_tab())).collect();
    let mut there = in_child(process);
    here.sort();
    there.sort();
    assert_eq!(here, there);
}

struct Window {
    title: &'static str,
}

every_transport! {
    /// A10: the frames are iterated, counted and searched, and both sides tell of the same ones.
    fn both_sides_tell_of_the_same_frames(setup) {
        setup.require("frames");
        let frames = setup.parent().frames();
        assert!(frames.is_empty());
        let children = [setup.main(), setup.spawn(), setup.spawn()];
        let detached = { let (tell, events) = Events::new("detach"); frames.on_detach(move |frame| tell.tell(frame.clone())); events };
        for process in &children {
            frames.open(process, FrameOptions::new()).unwrap();
            frames.open(process, FrameOptions::tab()).unwrap();
            ask::<FrameId, _>(process, "register", &("about:own", true));
            agree(&setup, process);
        }
        assert_eq!((frames.len(), frames.iter().count()), (9, 9));
        let all: Vec<Frame> = frames.iter().collect();
        for frame in &all {
            assert_eq!(frames.get(frame.id()).as_ref(), Some(frame));
        }
        all[0].close();
        all[0].close();
        assert_eq!(detached.next(), all[0]);
        assert!(!all[0].is_attached() && frames.get(all[0].id()).is_none());
        ask::<(), _>(all[5].process(), "close frame", &all[5].id());
        assert_eq!(detached.next(), all[5]);
        assert_eq!(frames.len(), 7);
        for process in &children {
            agree(&setup, process);
        }
        detached.none();
    }

    /// A10: `for_every` is called once for each frame that is there or comes, on both sides; `attach` and `detach` are told.
    fn for_every_frame_is_called_once_each_on_both_sides(setup) {
        setup.require("frames");
        let child = setup.spawn();
        let frames = setup.parent().frames();
        let early = frames.open(&child, FrameOptions::new()).unwrap();
        let (tell, told) = Events::new("every frame");
        let listener = frames.for_every(move |frame| tell.tell(frame.id()));
        let late = frames.open(&child, FrameOptions::tab()).unwrap();
        let own: FrameId = ask(&child, "register", &("about:own", false));
        in_child(&child);
        assert_eq!(told.so_far(), [early.id(), late.id(), own]);
        assert!(frames.off_attach(listener));
        late.close();
        let log: Vec<String> = ask(&child, "frame log", &());
        let mut expected: Vec<String> =
            [early.id(), late.id(), own].iter().flat_map(|id| [format!("attach {id}"), format!("every {id}")]).collect();
        // Its content can still be read.
        expected.push(format!("detach {} about:blank", late.id()));
        assert_eq!(log, expected);
        frames.open(&child, FrameOptions::new()).unwrap();
        in_child(&child);
        told.none();
    }

    /// A11: the parent opens frames in any process, the main one among them; each side's list sees them attach.
    fn the_parent_opens_frames_in_any_process(setup) {
        setup.require("frames");
        for process in [setup.main(), setup.spawn()] {
            let frames = setup.parent().frames();
            let attached = heard::<Frame, bool>(&frames.port(), "attached in the child");
            let (tell, here) = Events::new("attach");
            let listener = frames.on_attach(move |frame| tell.tell(frame.clone()));
            let frame = frames.open(&process, FrameOptions::tab()).unwrap();
            assert!(frame.is_attached() && frames.get(frame.id()).is_some());
            assert_eq!(attached.next(), (frame.clone(), true));
            assert_eq!(here.next(), frame);
            frames.off_attach(listener);
            assert_eq!(in_child(&process), [(frame.id(), true)]);
        }
    }

    /// A11: a child registers frames; `attach` is told before their first event.
    fn a_child_registers_frames(setup) {
        setup.require("frames");
        for process in [setup.main(), setup.spawn()] {
            let frames = setup.parent().frames();
            let (tell, attached) = Events::new("attach or event");
            let tell = Arc::new(tell);
            let own = Arc::clone(&tell);
            let listener = frames.on_attach(move |frame| own.tell((frame.clone(), "attach".to_owned())));
            let on_event = frames.port().on("registered", move |frame, url| tell.tell((frame.clone(), url)));
            let id: FrameId = ask(&process, "register", &("about:own", false));
            let frame = frames.get(id).expect("it is there");
            assert_eq!(attached.take(2), [(frame.clone(), "attach".to_owned()), (frame.clone(), "about:own".to_owned())]);
            assert_eq!((frame.is_tab(), frame.element::<Window>().is_none(), frame.process()), (false, true, &process));
            frames.off_attach(listener);
            frames.port().off(on_event);
        }
    }

    /// A11: no frame is opened in a process that is gone.
    fn a_process_that_is_gone_takes_no_frame(setup) {
        let child = setup.spawn();
        child.close();
        child.wait(crate::harness::PATIENCE).expect("it goes");
        let opened = setup.parent().frames().open(&child, FrameOptions::new());
        assert_eq!(opened, Err(OpenError::Detached { process: child.id() }));
    }

    /// A12: a frame's events go both ways, and through the list's port; the frame comes first.
    fn a_frames_events_go_both_ways(setup) {
        setup.require("frames");
        let child = setup.spawn();
        let frame = setup.parent().frames().open(&child, FrameOptions::tab()).unwrap();
        let own = heard::<_, String>(&frame.port(), "located");
        let all = heard::<_, String>(&setup.parent().frames().port(), "located");
        let process = heard::<_, String>(&child.port(), "located");
        frame.port().emit("changeLocation", "#foo").unwrap();
        assert_eq!(own.next(), (frame.clone(), "about:blank#foo".to_owned()));
        assert_eq!(all.next(), (frame.clone(), "about:blank#foo".to_owned()));
        // A frame's events are not its process's.
        process.none();
        let (tell, once) = Events::new("once");
        frame.port().once("said", move |_frame, text: String| tell.tell(text));
        let said = heard::<_, String>(&frame.port(), "said");
        ask::<(), _>(&child, "frame says", &(frame.id(), "said", "one"));
        ask::<(), _>(&child, "frame says", &(frame.id(), "said", "two"));
        assert_eq!(said.take(2), [(frame.clone(), "one".to_owned()), (frame, "two".to_owned())]);
        assert_eq!(once.so_far(), ["one"]);
    }

    /// A12: the port of all frames reaches the frames of every process, from both sides.
    fn the_port_of_all_frames_reaches_each(setup) {
        setup.require("frames");
        let children = [setup.main(), setup.spawn(), setup.spawn()];
        let frames = setup.parent().frames();
        let mut ids = Vec::new();
        for child in &children {
            ids.push([frames.open(child, FrameOptions::new()).unwrap().id(), ask(child, "register", &("own", false))]);
            ask::<Vec<String>, _>(child, "frame log", &());
        }
        frames.port().emit("note", "to all").unwrap();
        for (child, ids) in children.iter().zip(&ids) {
            let mut noted: Vec<String> = ask(child, "frame log", &());
            let mut expected: Vec<String> =
                ids.iter().flat_map(|id| [format!("own: {id} to all"), format!("all: {id} to all")]).collect();
            noted.sort();
            expected.sort();
            assert_eq!(noted, expected);
        }
        let said = heard::<Frame, String>(&frames.port(), "said");
        let own = heard::<Frame, String>(&frames.get(ids[1][1]).unwrap().port(), "said");
        ask::<(), _>(&children[1], "frames say", &("said", "from all of them"));
        let mut heard_from: Vec<FrameId> = said.take(2).iter().map(|(frame, _)| frame.id()).collect();
        heard_from.sort();
        let mut expected = ids[1];
        expected.sort();
        assert_eq!(heard_from, expected);
        assert_eq!(own.so_far().len(), 1);
        said.none();
    }

    /// A6: what is for one frame is heard in no other.
    fn what_is_for_one_frame_is_heard_in_no_other(setup) {
        setup.require("frames");
        let child = setup.spawn();
        let frames = setup.parent().frames();
        let [one, other] = [(); 2].map(|()| frames.open(&child, FrameOptions::new()).unwrap());
        ask::<Vec<String>, _>(&child, "frame log", &());
        let silent = heard::<_, String>(&other.port(), "said");
        one.port().emit("note", "for one").unwrap();
        let noted: Vec<String> = ask(&child, "frame log", &());
        assert_eq!(noted, [format!("own: {} for one", one.id()), format!("all: {} for one", one.id())]);
        ask::<(), _>(&child, "frame says", &(one.id(), "said", "of one"));
        silent.none();
    }

    /// A13: the parent finds a frame's process and element, and the frame by its element.
    fn a_frame_is_found_by_its_element(setup) {
        setup.require("frames");
        let child = setup.spawn();
        let frames = setup.parent().frames();
        let windows = ["one", "two", "none"].map(|title| Arc::new(Window { title }));
        let opened = [0, 1].map(|index| {
            frames.open(&child, FrameOptions::tab().element(Arc::clone(&windows[index]))).unwrap()
        });
        assert_eq!(frames.for_element(&windows[1]).as_ref(), Some(&opened[1]));
        assert_eq!(frames.for_element(&windows[0]).as_ref(), Some(&opened[0]));
        assert_eq!(frames.for_element(&windows[2]), None);
        assert_eq!(frames.for_element(&Arc::new("one")), None);
        assert_eq!(opened[0].element::<Window>().expect("it has one").title, "one");
        assert!(opened[0].element::<String>().is_none());
        assert_eq!(opened[0].process(), &child);
    }

    /// A13: the child finds a frame's content, and the frame by its content.
    fn a_frame_is_found_by_its_content(setup) {
        setup.require("frames");
        let child = setup.spawn();
        let id: FrameId = ask(&child, "register", &("about:content", false));
        assert_eq!(ask::<String, _>(&child, "content", &id), "about:content");
        assert_eq!(ask::<String, _>(&child, "content", &id), "replaced");
    }

    /// A14: both sides agree on whether a frame is a tab, however it came about.
    fn whether_a_frame_is_a_tab_is_the_same_on_both_sides(setup) {
        setup.require("frames");
        let child = setup.spawn();
        let frames = setup.parent().frames();
        for tab in [true, false] {
            let opened = frames.open(&child, if tab { FrameOptions::tab() } else { FrameOptions::new() }).unwrap();
            let id: FrameId = ask(&child, "register", &("own", tab));
            let registered = frames.get(id).expect("it is there");
            assert_eq!((opened.is_tab(), registered.is_tab()), (tab, tab));
            let there = in_child(&child);
            assert!(there.contains(&(opened.id(), tab)) && there.contains(&(id, tab)));
        }
    }

    /// A17: listeners for what happens in frames: those that capture first, those of all frames around the frame's own.
    fn content_events_are_told_to_capturing_listeners_first(setup) {
        setup.require("frames");
        for process in [setup.main(), setup.spawn()] {
            ask::<(), _>(&process, "dispatch", &());
        }
    }

    /// A8: a frame's detach is told once on the item and on the list, after its last event.
    fn a_frames_detach_comes_after_its_last_event(setup) {
        setup.require("frames");
        let child = setup.spawn();
        let frames = setup.parent().frames();
        let frame = frames.open(&child, FrameOptions::new()).unwrap();
        let log = crate::harness::Log::default();
        let own = log.clone();
        frame.port().on("last words", move |_frame, text: String| own.push(text));
        let own = log.clone();
        frame.on_detach(move |_frame| own.push("detach"));
        let own = log.clone();
        frames.on_detach(move |_frame| own.push("detach on the list"));
        ask::<(), _>(&child, "close frame", &frame.id());
        assert_eq!(log.take(), ["before", "detach", "detach on the list"]);
        assert!(!frame.is_attached());
        assert!(frame.port().emit("note", "too late").is_err());
        setup.close().unwrap();
        assert_eq!(log.take(), [""; 0]);
    }
}
