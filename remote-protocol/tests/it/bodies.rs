//! What the fuzz targets do with their input, a file for each. The workspace `fuzz` takes them by their paths, so that the same code runs
//! in a test.

pub(crate) mod messages;
pub(crate) mod records;
pub(crate) mod value;

pub(crate) mod child_session;
pub(crate) mod parent_session;

mod steps;
