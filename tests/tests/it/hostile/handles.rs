//! What the application holds, dropped in every order while calls are under way.

use remote_parent::{FrameOptions, Parent, ProcessOptions, this_module};
use tests::objects::Objects;

use super::siege::hostile;
use crate::harness::{CHILD, ask, sync};

/// The orders of the numbers below `count`.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let mut orders = Vec::new();
    for order in self::orders(last) {
        for at in 0..=order.len() {
            let mut order = order.clone();
            order.insert(at, last);
            orders.push(order);
        }
    }
    orders
}

hostile! {
    /// Parent, process, frame, objects and callback, in every order, while a thread of the child calls all the time.
    fn hostile_25_handles_are_dropped_in_any_order(siege) {
        for order in orders(5) {
            let parent = Parent::new().expect("this is no child");
            let objects = Objects::served(&parent);
            for module in ["basics", "witness", "callbacks"] {
                parent.remote_require(&format!("tests::modules::{module}"), this_module!()).expect("it is a module's name");
            }
            let options = ProcessOptions::new().program(CHILD).transport(siege.transport());
            let process = parent.processes().spawn_with(options).expect("it starts");
            let frame = parent.frames().open(&process, FrameOptions::tab()).expect("it is there");
            ask::<(), _>(&process, "watch", &());
            ask::<(), _>(&process, "add one", &());
            sync(&process);
            let callback = objects.bell.listeners.lock().expect("nothing panics").pop().expect("it was added");
            let mut handles: [Option<Box<dyn std::any::Any>>; 5] = [
                Some(Box::new(parent)),
                Some(Box::new(process)),
                Some(Box::new(frame)),
                Some(Box::new(objects)),
                Some(Box::new(callback)),
            ];
            for handle in order {
                drop(handles[handle].take());
            }
        }
    }
}
