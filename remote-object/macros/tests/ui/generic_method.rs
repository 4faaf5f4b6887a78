use remote_object::CallError;

#[remote_object::interface]
pub trait Window: Send + Sync {
    fn put<T: Send>(&self, value: T) -> Result<(), CallError>;
}

fn main() {}
