//! Tokens as text, spaced by rules of our own.
//!
//! The compiler's own rendering changes between its versions and keeps the user's line breaks, and the text decides the
//! fingerprint.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// The text of `tokens`, which depends on nothing but what they are.
pub(crate) fn text(tokens: impl ToTokens) -> String {
    let mut text = Text::default();
    text.push_stream(tokens.into_token_stream());
    text.written
}

#[derive(Default)]
struct Text {
    written: String,
    gap: Gap,
}

/// What the last token wants between itself and the next one.
#[derive(Default, Clone, Copy, PartialEq)]
enum Gap {
    #[default]
    None,
    /// A space, if a word follows.
    BeforeWord,
    /// A space, if anything but a closing bracket follows.
    Always,
}

impl Text {
    fn push_stream(&mut self, tokens: TokenStream) {
        // The characters of the operator being read: `::` and `->` come one by one.
        let mut operator = String::new();
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.push_group(group.delimiter(), group.stream()),
                TokenTree::Ident(ident) => self.push_word(&ident.to_string()),
                TokenTree::Literal(literal) => self.push_word(&literal.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                    self.push_word("'");
                    self.gap = Gap::None;
                }
                TokenTree::Punct(punct) => {
                    operator.push(punct.as_char());
                    let continues =
                        punct.spacing() == Spacing::Joint && matches!(operator.as_str(), ":" | "-" | "=" | "." | "..");
                    if !continues {
                        self.push_operator(&operator);
                        operator.clear();
                    }
                }
            }
        }
    }

    fn push_word(&mut self, word: &str) {
        if self.gap != Gap::None {
            self.written.push(' ');
        }
        self.written.push_str(word);
        self.gap = Gap::BeforeWord;
    }

    fn push_operator(&mut self, operator: &str) {
        let spaced = matches!(operator, "->" | "=>" | "+" | "=");
        let closing = matches!(operator, ">" | "," | ";");
        if spaced || (self.gap == Gap::Always && !closing) {
            self.written.push(' ');
        }
        self.written.push_str(operator);
        self.gap = match operator {
            "," | ";" | ":" => Gap::Always,
            ">" => Gap::BeforeWord,
            _ if spaced => Gap::Always,
            _ => Gap::None,
        };
    }

    fn push_group(&mut self, delimiter: Delimiter, stream: TokenStream) {
        let (open, close) = match delimiter {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::Brace => ("{", "}"),
            // What a `macro_rules` fragment leaves around a type, which is not in the user's text.
            Delimiter::None => return self.push_stream(stream),
        };
        if self.gap == Gap::Always {
            self.written.push(' ');
        }
        self.written.push_str(open);
        self.gap = Gap::None;
        self.push_stream(stream);
        self.written.push_str(close);
        self.gap = Gap::BeforeWord;
    }
}

#[cfg(test)]
mod tests;
