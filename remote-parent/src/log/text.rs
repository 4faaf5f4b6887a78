use std::borrow::Cow;
use std::fmt::Write;

use remote_protocol::value::Value;

/// A value as one short line, much as JSON would have it.
pub(super) fn text(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, &mut text);
    shortened(&text).into_owned()
}

/// As much of a text as is shown.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MOST_CHARS) {
        Some(_) => Cow::Owned(text.chars().take(MOST_CHARS).chain(['…']).collect()),
        None => Cow::Borrowed(text),
    }
}

/// A value nests no deeper than decoding allows.
fn write_value(value: &Value, text: &mut String) {
    if text.len() > MOST_BYTES {
        return;
    }
    // Writing into a string does not fail.
    let _ = match value {
        Value::Null => write!(text, "null"),
        Value::Bool(value) => write!(text, "{value}"),
        Value::I64(value) => write!(text, "{value}"),
        Value::U64(value) => write!(text, "{value}"),
        Value::F64(value) => write!(text, "{value:?}"),
        Value::String(value) => write!(text, "{:?}", value.chars().take(MOST_CHARS).collect::<String>()),
        Value::List(elements) => {
            text.push('[');
            for (index, element) in elements.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write_value(element, text);
            }
            write!(text, "]")
        }
        Value::Map(entries) => {
            text.push('{');
            for (index, (key, element)) in entries.iter().enumerate() {
                let _ = write!(text, "{}{key:?}: ", if index > 0 { ", " } else { "" });
                write_value(element, text);
            }
            write!(text, "}}")
        }
        Value::Bytes(bytes) => write!(text, "{} bytes", bytes.len()),
        other => write!(text, "{other}"),
    };
}

/// What is shown of a long value.
const MOST_CHARS: usize = 200;

/// Beyond this nothing more is written: more than is shown, of any characters.
const MOST_BYTES: usize = 4 * MOST_CHARS;
