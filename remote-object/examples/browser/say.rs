//! What the program says: a line at a time, with the process that says it.

use std::fmt::Display;
use std::io::{self, Write};

/// Says what was done.
pub(crate) fn say(who: &str, line: impl Display) {
    // Nobody listens any more when this fails; that is no reason not to finish.
    let _ = write_line(&mut io::stdout().lock(), who, &line);
}

/// Says what went wrong.
pub(crate) fn complain(who: &str, line: impl Display) {
    let _ = write_line(&mut io::stderr().lock(), who, &line);
}

/// Writes the line in one piece. Names and titles are not ours: one that has control characters must reach neither the
/// next line nor the terminal's settings.
fn write_line(out: &mut dyn Write, who: &str, line: &dyn Display) -> io::Result<()> {
    let mut text = format!("[{who} {}] ", std::process::id());
    for character in line.to_string().chars() {
        match character.is_control() {
            true => text.extend(character.escape_default()),
            false => text.push(character),
        }
    }
    text.push('\n');
    out.write_all(text.as_bytes())
}
