//! The child of the tests.

use tests as _;

fn main() {
    remote_child::init();
    eprintln!("this program is started by a parent");
    std::process::exit(1);
}
