use remote_object::CallError;

#[remote_object::interface]
pub trait Window: Send + Sync {
    #[remote(getter)]
    fn title(&self) -> Result<String, CallError>;
}

fn main() {}
