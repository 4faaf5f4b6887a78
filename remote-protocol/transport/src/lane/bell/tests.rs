use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use super::*;

#[test]
fn who_sees_something_does_not_sleep() {
    let flag = AtomicU32::new(0);

    let waited = sleep(&flag, None, || true);

    assert_eq!(waited, Waited::Otherwise);
    assert!(!flag.is_raised());
}

#[test]
fn a_sleep_ends_at_its_time() {
    let flag = AtomicU32::new(0);
    let until = Instant::now() + Duration::from_millis(5);

    while Instant::now() < until {
        // A signal may end it before.
        sleep(&flag, Some(until), || false);
    }

    assert!(!flag.is_raised());
}

#[test]
fn a_ring_ends_a_sleep_and_nobody_is_rung_who_does_not_sleep() {
    let flag = Arc::new(AtomicU32::new(0));
    ring(&*flag);
    let there = Arc::new(AtomicBool::new(false));
    let sleeper = thread::spawn({
        let (flag, there) = (Arc::clone(&flag), Arc::clone(&there));
        move || {
            while !there.load(Ordering::SeqCst) {
                sleep(&*flag, None, || there.load(Ordering::SeqCst));
            }
        }
    });
    there.store(true, Ordering::SeqCst);
    ring(&*flag);
    sleeper.join().unwrap();

    assert!(!flag.lower());
}
