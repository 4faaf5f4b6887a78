#[remote_object::interface]
pub trait Window: Send + Sync {
    fn close(&self) -> Result<(), std::fmt::Error>;
}

fn main() {}
