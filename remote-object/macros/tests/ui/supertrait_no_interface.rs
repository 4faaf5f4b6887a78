use remote_object::CallError;

pub trait Named {
    fn name(&self) -> String;
}

#[remote_object::interface]
pub trait Window: Named + Send + Sync {
    fn close(&self) -> Result<(), CallError>;
}

fn main() {}
