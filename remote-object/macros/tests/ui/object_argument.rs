use remote_object::CallError;

#[remote_object::interface]
pub trait Window: Send + Sync {
    fn embed(&self, window: &dyn Window) -> Result<(), CallError>;
}

fn main() {}
