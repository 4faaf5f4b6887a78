//! What the decoders and state machines make of bytes from nobody in particular.

mod bodies;
mod garbage;
mod honest;
