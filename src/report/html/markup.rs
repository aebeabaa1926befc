//! `Html`: text with tags, escaped by its type.
//!
//! Tags and the names of attributes are words of the code; whatever else comes in is escaped, so that no
//! text of a file can become a tag. What controls a terminal or turns the direction of reading is
//! shown as `\u{202e}`. Every element is ended, so that programs that read XML can read it too.

use crate::shown::shown_text;

/// Attributes: their names are words of the code, their values any text.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

/// A piece of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Adds an element with what `inside` adds.
    pub(super) fn element(
        &mut self,
        tag: &'static str,
        attributes: Attributes<'_>,
        inside: impl FnOnce(&mut Self),
    ) {
        self.start(tag, attributes);
        self.0.push('>');
        inside(self);
        self.0.push_str(&format!("</{tag}>"));
    }

    /// Adds an element that never holds anything.
    pub(super) fn empty(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.start(tag, attributes);
        self.0.push_str("/>");
    }

    fn start(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.0.push_str(&format!("<{tag}"));
        for (name, value) in attributes {
            self.0.push_str(&format!(" {name}=\""));
            self.text(value);
            self.0.push('"');
        }
    }

    /// Adds an element that holds a text.
    pub(super) fn said(&mut self, tag: &'static str, text: &str) {
        self.element(tag, &[], |inside| inside.text(text));
    }

    /// Adds a text.
    pub(super) fn text(&mut self, text: &str) {
        for letter in shown_text(text).chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                letter => self.0.push(letter),
            }
        }
    }

    /// Adds a text in which the addresses of the web are links.
    pub(super) fn linked(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = address_at(rest) {
            let (before, from) = rest.split_at(at);
            let (address, after) = from.split_at(address_length(from));
            self.text(before);
            self.element("a", &[("href", address), ("rel", "noreferrer")], |link| {
                link.text(address);
            });
            rest = after;
        }
        self.text(rest);
    }

    /// Adds code of ours as it is: a style, a picture that another part of the reports made.
    pub(super) fn ours(&mut self, code: &str) {
        self.0.push_str(code);
    }

    /// Adds a document of JSON, in which nothing can end the element around it.
    pub(super) fn json(&mut self, document: &str) {
        // These letters stand only within strings, where JSON has its own escape for them.
        let document = document.replace('<', "\\u003c").replace('>', "\\u003e");
        self.0.push_str(&document.replace('&', "\\u0026"));
    }

    /// Adds another piece.
    pub(super) fn add(&mut self, piece: Html) {
        self.0.push_str(&piece.0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Where the next address begins.
fn address_at(text: &str) -> Option<usize> {
    let found = ["https://", "http://"].into_iter().filter_map(|start| text.find(start));
    found.min()
}

/// How long the address is that the text begins with: marks at its end belong to the sentence.
fn address_length(text: &str) -> usize {
    let ends = |letter: char| {
        letter.is_whitespace() || letter.is_control() || "<>\"'`|\\^{}".contains(letter)
    };
    let whole = &text[..text.find(ends).unwrap_or(text.len())];
    let closes =
        |text: &str| text.ends_with(')') && text.matches(')').count() > text.matches('(').count();
    let mut length = whole;
    while length.ends_with(['.', ',', ';', ':', '!', '?', ']']) || closes(length) {
        length = &length[..length.len() - 1];
    }
    length.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn linked(text: &str) -> String {
        let mut html = Html::default();
        html.linked(text);
        html.into_text()
    }

    #[test]
    fn only_the_web_is_linked_to() {
        let link = |address| format!("<a href=\"{address}\" rel=\"noreferrer\">{address}</a>");
        let (one, two) = (link("https://a.example/x_(y)"), link("http://b.example/?q=1&amp;r"));
        assert_eq!(
            linked("NVIDIA (https://a.example/x_(y)), and http://b.example/?q=1&r."),
            format!("NVIDIA ({one}), and {two}.")
        );
        for text in ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "//x.example"]
        {
            assert_eq!(linked(text), text);
        }
        assert_eq!(linked("https://x\" onclick=\"y").matches('"').count(), 4);
    }

    proptest! {
        /// Whatever the text: outside tags of ours no letter of it opens one, no value ends, and read
        /// back it is the text, harmful letters shown.
        #[test]
        fn no_text_becomes_a_tag(text in any::<String>()) {
            let mut html = Html::default();
            html.element("p", &[("title", &text)], |inside| inside.text(&text));
            let html = html.into_text();
            let inside = html.strip_prefix("<p title=\"").unwrap().strip_suffix("</p>").unwrap();
            let (value, said) = inside.split_once("\">").unwrap();
            for part in [value, said] {
                prop_assert!(!part.contains(['<', '>', '"', '\'']), "{}", part);
                let back = part.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
                let back = back.replace("&#39;", "'").replace("&amp;", "&");
                prop_assert_eq!(back, shown_text(&text).into_owned());
            }
        }
    }
}
