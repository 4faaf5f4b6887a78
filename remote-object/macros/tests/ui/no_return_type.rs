#[remote_object::interface]
pub trait Window: Send + Sync {
    fn close(&self);
}

fn main() {}
