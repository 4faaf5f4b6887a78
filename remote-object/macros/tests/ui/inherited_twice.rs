use remote_object::CallError;

#[remote_object::interface]
pub trait Closer: Send + Sync {
    fn close(&self) -> Result<(), CallError>;
}

#[remote_object::interface]
pub trait Window: Closer {
    fn close(&self) -> Result<(), CallError>;
}

fn main() {}
