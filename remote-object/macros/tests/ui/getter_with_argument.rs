use remote_object::CallError;

#[remote_object::interface]
pub trait Window: Send + Sync {
    #[remote(property)]
    fn title(&self, title: &str) -> Result<(), CallError>;
}

fn main() {}
