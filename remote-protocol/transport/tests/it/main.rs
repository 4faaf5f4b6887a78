//! The contract of a link, over every transport; and what only processes can show.

mod contract;
mod leaks;
mod process;
mod support;
