use remote_object::CallError;

#[remote_object::interface]
pub trait Window: Send + Sync {
    fn open(url: &str) -> Result<(), CallError>;
}

fn main() {}
