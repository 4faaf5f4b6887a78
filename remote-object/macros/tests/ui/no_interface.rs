use remote_object::{CallError, Remote};

pub trait Page: Send + Sync {}

#[remote_object::interface]
pub trait Window: Send + Sync {
    fn page(&self) -> Result<Remote<dyn Page>, CallError>;
}

fn main() {}
