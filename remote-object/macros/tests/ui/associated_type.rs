use remote_object::CallError;

#[remote_object::interface]
pub trait Window: Send + Sync {
    type Title;
    fn close(&self) -> Result<(), CallError>;
}

fn main() {}
