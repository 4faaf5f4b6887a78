//! Records and messages that are none.

use remote_protocol::state::Violation;

use super::siege::{hostile_over_the_lane, record};

hostile_over_the_lane! {
    /// A record of no bytes, and one that begins like none, end the child.
    fn hostile_1_records_that_are_none_end_the_child(siege) {
        for (bytes, expected) in [
            (Vec::new(), "an empty record"),
            (vec![2, 0, 0], "begins with 0x02"),
            (vec![0xff; 64 * 1024], "begins with 0xff"),
        ] {
            let mut x = siege.puppet();
            x.say(&bytes);
            let violation = siege.violates(&x.process);
            assert!(matches!(violation, Violation::Record(_)), "{violation:?}");
            assert!(violation.to_string().contains(expected), "{violation}");
        }
        let mut x = siege.puppet();
        x.say(&record(b""));
        let violation = siege.violates(&x.process);
        assert!(matches!(violation, Violation::Malformed(_)), "{violation:?}");
    }
}
