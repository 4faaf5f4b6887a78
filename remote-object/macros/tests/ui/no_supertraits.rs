use remote_object::CallError;

#[remote_object::interface]
pub trait Window {
    fn close(&self) -> Result<(), CallError>;
}

fn main() {}
