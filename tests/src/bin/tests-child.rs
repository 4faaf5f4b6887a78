//! The child of the tests.

use tests::prepared;

fn main() {
    remote_child::Init::new().before_lockdown(prepared::prepare).run();
    eprintln!("this program is started by a parent");
    std::process::exit(1);
}
