remote_child::register_module!(main);
fn main(_child: &remote_child::Child) -> Result<(), String> {
    Err("its file is missing".to_owned())
}
