use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, FontResolver, ImageHrefResolver, Options, Tree, fontdb, roxmltree};

/// A document, parsed and laid out.
pub(crate) struct Page {
    pub(crate) title: Option<String>,
    /// The size it is drawn in, in pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    tree: Tree,
}

impl Page {
    /// Parses and lays out an SVG document, which may be compressed.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, usvg::Error> {
        let unpacked;
        let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
            unpacked = usvg::decompress_svgz(bytes)?;
            &unpacked
        } else {
            bytes
        };
        let text = str::from_utf8(bytes).map_err(|_| usvg::Error::NotAnUtf8Str)?;
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(text, options)?;
        let tree = Tree::from_xmltree(&document, &options_without_resources())?;
        let size = tree.size();
        let scale = (MOST_PIXELS as f32 / size.width().max(size.height())).min(1.0);
        let pixels = |length: f32| ((length * scale).round() as u32).clamp(1, MOST_PIXELS);
        Ok(Self { title: title(&document), width: pixels(size.width()), height: pixels(size.height()), tree })
    }

    /// Draws the document as a PNG image.
    pub(crate) fn draw(&self) -> Result<Vec<u8>, String> {
        let mut pixmap = Pixmap::new(self.width, self.height).ok_or("has no pixels")?;
        let size = self.tree.size();
        let scale = Transform::from_scale(self.width as f32 / size.width(), self.height as f32 / size.height());
        resvg::render(&self.tree, scale, &mut pixmap.as_mut());
        pixmap.encode_png().map_err(|error| error.to_string())
    }
}

/// The text of the document's own `<title>`.
fn title(document: &roxmltree::Document<'_>) -> Option<String> {
    let title = document.root_element().children().find(|child| child.has_tag_name((SVG, "title")))?;
    let words: Vec<_> = title.text()?.split_whitespace().collect();
    Some(words.join(" ")).filter(|title| !title.is_empty())
}

/// Documents get at what is in them, and at no file; text is drawn with the [`fonts`](crate::fonts) that were read before.
fn options_without_resources() -> Options<'static> {
    let select = FontResolver::default_font_selector();
    let select_font = move |font: &usvg::Font, fonts: &mut Arc<fontdb::Database>| {
        if fonts.is_empty() {
            *fonts = crate::fonts::fonts();
        }
        select(font, fonts)
    };
    Options {
        resources_dir: None,
        image_href_resolver: ImageHrefResolver { resolve_string: Box::new(|_, _| None), ..Default::default() },
        font_resolver: FontResolver { select_font: Box::new(select_font), ..Default::default() },
        ..Options::default()
    }
}

/// Neither side is drawn longer; larger documents are scaled down.
const MOST_PIXELS: u32 = 4096;

const SVG: &str = "http://www.w3.org/2000/svg";
