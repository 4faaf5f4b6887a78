use remote_object::CallError;

#[remote_object::interface]
pub trait Window: Send + Sync {
    fn read(&self, buffer: &mut Vec<u8>) -> Result<(), CallError>;
}

fn main() {}
