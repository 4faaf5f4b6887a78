use remote_object::CallError;

#[remote_object::interface]
pub trait Window: Send + Sync {
    fn close(&mut self) -> Result<(), CallError>;
}

fn main() {}
