#[remote_object::interface]
pub trait Window: Send + Sync {
    fn width(&self) -> u32;
}

fn main() {}
