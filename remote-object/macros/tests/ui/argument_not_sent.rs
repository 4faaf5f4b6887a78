use remote_object::CallError;

pub struct Size {
    pub width: u32,
}

#[remote_object::interface]
pub trait Window: Send + Sync {
    fn resize(&self, name: &str, size: Size) -> Result<(), CallError>;
}

fn main() {}
