//! Says much, and answers each of many.

use remote_child::Child;

use crate::gate::Report;

remote_child::register_module!(main);
fn main(child: &Child) {
    // The load is only to be heavy.
    child.process().port().on("numbered", |process, (number, _load): (u32, Vec<u8>)| {
        // A parent that closes hears no more.
        let _ = process.port().emit("got", &number);
    });
    child.process().port().on("flood", |process, (report, count, bytes): (String, u32, usize)| {
        let mut report = Report::at(&report);
        let load = vec![7u8; bytes];
        let flooded = (0..count).try_for_each(|number| process.port().emit("flooded", &(number, &load)));
        report.say(&format!("{flooded:?}"));
    });
}
