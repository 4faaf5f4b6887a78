remote_child::register_module!(main);
fn main(_child: &remote_child::Child) {
    panic!("its file is broken");
}
