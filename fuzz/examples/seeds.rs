//! Writes what the tests know as honest into `corpus/`, or another directory that is named, one file each.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[path = "../../remote-protocol/tests/it/bodies/child_session.rs"]
mod child_session;
#[path = "../../remote-protocol/tests/it/honest.rs"]
mod honest;
#[path = "../../remote-protocol/tests/it/bodies/parent_session.rs"]
mod parent_session;
#[path = "../../remote-protocol/tests/it/bodies/records.rs"]
mod records;
#[path = "../../remote-protocol/tests/it/bodies/steps.rs"]
mod steps;
#[path = "../../remote-protocol/tests/it/bodies/value.rs"]
mod value;

#[path = "../../remote-protocol/transport/src/lane"]
mod lane {
    pub(super) mod ring;
    #[path = "ring/tests/scripted.rs"]
    pub(super) mod scripted;
    pub(super) mod word;
}

fn main() -> io::Result<()> {
    let named = env::args_os().nth(1).map(PathBuf::from);
    let corpus = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"));
    let targets = [
        ("to_child", honest::to_child()),
        ("to_parent", honest::to_parent()),
        ("value", value::seeds()),
        ("records", records::seeds()),
        ("parent_session", parent_session::seeds()),
        ("child_session", child_session::seeds()),
        ("objects", remote_object::fuzz::objects_seeds()),
        ("arguments", remote_object::fuzz::arguments_seeds()),
        ("calling", remote_object::fuzz::calling_seeds()),
        ("ring", lane::scripted::seeds()),
    ];
    for (target, seeds) in targets {
        let directory = corpus.join(target);
        fs::create_dir_all(&directory)?;
        for (name, seed) in seeds {
            fs::write(directory.join(name), seed)?;
        }
    }
    Ok(())
}
