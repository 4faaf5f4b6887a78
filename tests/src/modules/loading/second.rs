remote_child::register_module!(main);
fn main(child: &remote_child::Child) -> Result<(), remote_child::EmitError> {
    super::load(child, "second")
}
