use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::sync::{Arc, OnceLock};

use resvg::usvg::fontdb::{Database, Source};

/// The argument of processes that draw.
pub(crate) const DRAWS: &str = "--draws";

/// Reads the system's fonts into memory, in a process that draws, for once it is locked in it opens no file any more.
pub(crate) fn prepare() {
    if env::args_os().any(|argument| argument == DRAWS) {
        FONTS.get_or_init(|| Arc::new(read()));
    }
}

/// What text is drawn with; nothing where the system has no fonts, and then text is not drawn.
pub(crate) fn fonts() -> Arc<Database> {
    FONTS.get().cloned().unwrap_or_default()
}

fn read() -> Database {
    let mut fonts = Database::new();
    fonts.load_system_fonts();
    let mut files = BTreeMap::new();
    let mut room = MOST_BYTES;
    for face in fonts.faces().cloned().collect::<Vec<_>>() {
        fonts.remove_face(face.id);
        let Source::File(path) = &face.source else { continue };
        let file = files.entry(path.clone()).or_insert_with(|| {
            let bytes = fs::read(path).ok().filter(|bytes| bytes.len() <= room)?;
            room -= bytes.len();
            Some(Arc::new(bytes))
        });
        if let Some(bytes) = file {
            let source = Source::Binary(Arc::clone(bytes) as _);
            fonts.push_face_info(resvg::usvg::fontdb::FaceInfo { source, ..face });
        }
    }
    fonts
}

static FONTS: OnceLock<Arc<Database>> = OnceLock::new();

/// Fonts that would take more are left out.
const MOST_BYTES: usize = 64 << 20;
