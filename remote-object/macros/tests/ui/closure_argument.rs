use remote_object::CallError;

#[remote_object::interface]
pub trait Window: Send + Sync {
    fn on_close(&self, listener: impl Fn()) -> Result<(), CallError>;
}

fn main() {}
