//! A child that does what a test tells it.

fn main() {
    tests::puppet::dance(&std::env::args().skip(1).collect::<Vec<_>>());
}
