//! Foreign text in our messages: one line, nothing for the terminal to obey, an end.

/// Most characters of a foreign text that a message repeats.
const MOST_CHARACTERS: usize = 500;

/// A foreign text as a message may show it: control characters and line breaks
/// are replaced by U+FFFD, and a long text is cut.
pub fn printable(text: &str) -> String {
    let mut shown: String = text.chars().take(MOST_CHARACTERS).map(harmless).collect();
    if text.chars().nth(MOST_CHARACTERS).is_some() {
        shown.push_str(" ...");
    }
    shown
}

/// Whether a name can be shown as it is: no control characters, and not longer than `most` bytes.
pub fn is_printable(text: &str, most: usize) -> bool {
    text.len() <= most && text.chars().all(|c| harmless(c) == c)
}

/// The character, unless it moves the cursor, ends the line or turns the text around.
fn harmless(c: char) -> char {
    match c {
        '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' => char::REPLACEMENT_CHARACTER,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_text_is_one_line_without_escapes_and_has_an_end() {
        assert_eq!(printable("a\u{1b}[2J\nb"), "a\u{fffd}[2J\u{fffd}b");
        assert_eq!(printable(&"x".repeat(5000)).len(), MOST_CHARACTERS + 4);
        assert_eq!(printable("größer als 0"), "größer als 0");
        assert!(is_printable("conv1", 255) && !is_printable("conv\n1", 255));
        assert!(!is_printable("\u{202e}1vnoc", 255) && !is_printable("conv1", 4));
    }
}
