//! Escapes the marked values in rendered HTML for the places in which they stand: text, attributes, URLs, styles, scripts.
//!
//! The finished text is read as a browser's tokenizer reads it (HTML Living Standard, section 13.2.5, as far as it
//! matters), so that branches and loops of the template need no analysis. What the template itself says is written as it
//! is; only values change. No value can open or close a tag, an attribute or a string, or bring a URL of a scheme that
//! runs code.

use super::mark::{BEGIN, END};

/// Attributes whose value is a URL.
const URL_ATTRIBUTES: &[&str] = &[
    "href",
    "src",
    "action",
    "formaction",
    "background",
    "cite",
    "data",
    "longdesc",
    "poster",
    "srcset",
    "xlink:href",
    "usemap",
];
/// Schemes that a value may choose.
const SAFE_SCHEMES: &[&str] = &["http", "https", "mailto", "tel", "sms", "cid"];
/// Schemes under which a value may stand nowhere, as it could become code.
const CODE_SCHEMES: &[&str] = &["javascript", "vbscript", "data"];

enum State {
    Text,
    TagOpen,
    TagName,
    Declaration(u8),
    Comment([char; 2]),
    BeforeAttribute,
    AttributeName,
    AfterAttributeName,
    BeforeValue,
    Value(Option<char>),
    /// Inside `script`, `style`, `title` and the like, until its end tag.
    Raw,
}

/// A part of an attribute's value.
struct Part {
    text: String,
    is_value: bool,
}

struct Escaper {
    out: String,
    state: State,
    closing: bool,
    tag: String,
    attribute: String,
    parts: Vec<Part>,
    /// What of `</name` was seen inside a raw element.
    raw_end: String,
    script: ScriptText,
}

/// The text with its marked values escaped and without the marks.
pub(super) fn escape(marked: &str) -> String {
    let mut escaper = Escaper {
        out: String::with_capacity(marked.len() + marked.len() / 8),
        state: State::Text,
        closing: false,
        tag: String::new(),
        attribute: String::new(),
        parts: Vec::new(),
        raw_end: String::new(),
        script: ScriptText::default(),
    };
    let mut rest = marked;
    while let Some((text, after)) = rest.split_once(BEGIN) {
        escaper.text(text);
        let (value, after) = after.split_once(END).unwrap_or((after, ""));
        escaper.value(value);
        rest = after;
    }
    escaper.text(rest);
    escaper.finish()
}

impl Escaper {
    fn text(&mut self, text: &str) {
        for c in text.chars() {
            self.char(c);
        }
    }

    fn char(&mut self, c: char) {
        if !matches!(self.state, State::BeforeValue | State::Value(_)) {
            self.out.push(c);
        }
        match &mut self.state {
            State::Text if c == '<' => {
                self.closing = false;
                self.tag.clear();
                self.state = State::TagOpen;
            }
            State::Text => {}
            State::TagOpen => match c {
                '!' | '?' => self.state = State::Declaration(0),
                '/' if !self.closing => self.closing = true,
                c if c.is_ascii_alphabetic() => self.tag_name(c),
                _ => self.state = State::Text,
            },
            State::TagName => self.tag_name(c),
            State::Declaration(dashes) => match c {
                '-' if *dashes == 1 => self.state = State::Comment([' ', ' ']),
                '-' => *dashes += 1,
                '>' => self.state = State::Text,
                _ => *dashes = 2,
            },
            State::Comment(last) => {
                if *last == ['-', '-'] && c == '>' {
                    self.state = State::Text;
                } else {
                    *last = [last[1], c];
                }
            }
            State::BeforeAttribute | State::AfterAttributeName => match c {
                '=' if matches!(self.state, State::AfterAttributeName) => self.state = State::BeforeValue,
                '>' => self.tag_end(),
                '/' => self.state = State::BeforeAttribute,
                c if c.is_whitespace() => {}
                c => {
                    self.attribute.clear();
                    self.attribute.push(c.to_ascii_lowercase());
                    self.state = State::AttributeName;
                }
            },
            State::AttributeName => match c {
                '=' => self.state = State::BeforeValue,
                '>' => self.tag_end(),
                '/' => self.state = State::BeforeAttribute,
                c if c.is_whitespace() => self.state = State::AfterAttributeName,
                c => self.attribute.push(c.to_ascii_lowercase()),
            },
            State::BeforeValue => match c {
                c if c.is_whitespace() => self.out.push(c),
                '>' => {
                    self.out.push(c);
                    self.tag_end();
                }
                '"' | '\'' => self.state = State::Value(Some(c)),
                c => {
                    self.state = State::Value(None);
                    self.attribute_part(c);
                }
            },
            State::Value(quote) => match (*quote, c) {
                (Some(q), c) if c == q => self.attribute_end(Some(q)),
                (None, '>') => {
                    self.attribute_end(None);
                    self.out.push(c);
                    self.tag_end();
                }
                (None, c) if c.is_whitespace() => {
                    self.attribute_end(None);
                    self.out.push(c);
                }
                (_, c) => self.attribute_part(c),
            },
            State::Raw => self.raw(c),
        }
    }

    fn tag_name(&mut self, c: char) {
        match c {
            '>' => self.tag_end(),
            '/' => self.state = State::BeforeAttribute,
            c if c.is_whitespace() => self.state = State::BeforeAttribute,
            c => {
                self.tag.push(c.to_ascii_lowercase());
                self.state = State::TagName;
            }
        }
    }

    fn tag_end(&mut self) {
        let raw =
            matches!(self.tag.as_str(), "script" | "style" | "title" | "textarea" | "xmp" | "iframe" | "noembed" | "noframes");
        self.state = if raw && !self.closing { State::Raw } else { State::Text };
        self.raw_end.clear();
        self.script = ScriptText::default();
    }

    fn raw(&mut self, c: char) {
        self.script.see(c);
        if c == '<' {
            self.raw_end.clear();
        }
        if c == '<' || !self.raw_end.is_empty() {
            self.raw_end.push(c.to_ascii_lowercase());
            let wanted = format!("</{}", self.tag);
            if self.raw_end == wanted {
                self.closing = true;
                self.state = State::TagName;
            } else if !wanted.starts_with(&self.raw_end) {
                self.raw_end.clear();
            }
        }
    }

    fn attribute_part(&mut self, c: char) {
        match self.parts.last_mut() {
            Some(part) if !part.is_value => part.text.push(c),
            _ => self.parts.push(Part { text: c.into(), is_value: false }),
        }
    }

    fn value(&mut self, value: &str) {
        match self.state {
            State::Text | State::Comment(_) => push_html(&mut self.out, value),
            // A value may complete a name but never bring anything else into a tag.
            State::TagOpen | State::TagName => {
                for c in value.chars().filter(char::is_ascii_alphanumeric) {
                    self.out.push(c);
                    self.tag_name(c);
                }
            }
            State::Declaration(_) => self.out.extend(value.chars().filter(char::is_ascii_alphanumeric)),
            State::BeforeAttribute | State::AfterAttributeName | State::AttributeName => {
                let name: String = value.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                if !is_special(&name.to_ascii_lowercase()) {
                    self.text(&name);
                }
            }
            State::BeforeValue => {
                self.state = State::Value(None);
                self.parts.push(Part { text: value.to_owned(), is_value: true });
            }
            State::Value(_) => self.parts.push(Part { text: value.to_owned(), is_value: true }),
            State::Raw => match self.tag.as_str() {
                "script" => self.script.push(&mut self.out, value),
                "style" => push_css(&mut self.out, value),
                _ => push_html(&mut self.out, value),
            },
        }
    }

    /// Writes the attribute's value. One without quotes gets them once it holds a value.
    fn attribute_end(&mut self, quote: Option<char>) {
        let parts = std::mem::take(&mut self.parts);
        let quote = quote.or_else(|| parts.iter().any(|p| p.is_value).then_some('"'));
        self.out.extend(quote);
        if parts.iter().all(|p| !p.is_value) {
            self.out.extend(parts.into_iter().map(|p| p.text));
        } else if is_url(&self.attribute) {
            push_url(&mut self.out, &parts);
        } else {
            let mut script = ScriptText::default();
            for part in &parts {
                if !part.is_value {
                    part.text.chars().for_each(|c| script.see(c));
                    self.out.push_str(&part.text.replace('"', if quote == Some('"') { "&quot;" } else { "\"" }));
                } else if self.attribute.starts_with("on") {
                    let mut code = String::new();
                    script.push(&mut code, &part.text);
                    push_html(&mut self.out, &code);
                } else if self.attribute == "style" {
                    push_css(&mut self.out, &part.text);
                } else if self.attribute == "srcdoc" {
                    let mut inner = String::new();
                    push_html(&mut inner, &part.text);
                    push_html(&mut self.out, &inner);
                } else {
                    push_html(&mut self.out, &part.text);
                }
            }
        }
        self.out.extend(quote);
        self.state = State::BeforeAttribute;
    }

    fn finish(mut self) -> String {
        if let State::Value(quote) = self.state {
            // The template ends inside an attribute: nothing of it may be lost.
            self.attribute_end(quote);
        }
        self.out
    }
}

fn is_url(attribute: &str) -> bool {
    URL_ATTRIBUTES.contains(&attribute)
        || attribute.ends_with("-url")
        || attribute.ends_with("-src")
        || attribute.ends_with("-href")
}

/// Whether an attribute has a meaning that a value must not choose.
fn is_special(attribute: &str) -> bool {
    attribute.starts_with("on") || matches!(attribute, "style" | "srcdoc") || is_url(attribute)
}

fn push_html(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '`' => out.push_str("&#96;"),
            '\0' => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
}

/// A value within CSS: a colour, a length, a word. Anything that could be more is left out.
fn push_css(out: &mut String, value: &str) {
    if value.chars().all(|c| c.is_ascii_alphanumeric() || " #%.,_-".contains(c)) {
        out.push_str(value);
    }
}

/// Writes an attribute that is a URL. In its query and fragment values are percent-encoded as a whole; before them they
/// keep the characters that shape a URL.
fn push_url(out: &mut String, parts: &[Part]) {
    if !allowed(parts) {
        out.push('#');
        return;
    }
    let mut in_query = false;
    for part in parts {
        if part.is_value {
            let mut encoded = String::new();
            push_percent(&mut encoded, &part.text, !in_query);
            push_html(out, &encoded);
        } else {
            out.push_str(&part.text.replace('"', "%22"));
        }
        in_query |= part.text.contains(['?', '#']);
    }
}

/// Whether a URL may hold values: those that choose its scheme may choose a harmless one only.
fn allowed(parts: &[Part]) -> bool {
    let mut scheme = String::new();
    let mut chosen_by_value = false;
    for part in parts {
        chosen_by_value |= part.is_value;
        // Browsers skip blanks and control characters in front of and within a scheme.
        for c in part.text.chars().filter(|c| *c > ' ') {
            match c {
                ':' if chosen_by_value => return SAFE_SCHEMES.contains(&scheme.as_str()),
                ':' => return !CODE_SCHEMES.contains(&scheme.as_str()),
                '/' | '?' | '#' => return true,
                c => scheme.extend(c.to_lowercase()),
            }
        }
    }
    true
}

fn push_percent(out: &mut String, value: &str, keep_shape: bool) {
    let bytes = value.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let is_escape = || {
            *byte == b'%'
                && bytes.get(at + 1).is_some_and(u8::is_ascii_hexdigit)
                && bytes.get(at + 2).is_some_and(u8::is_ascii_hexdigit)
        };
        let keep = byte.is_ascii_alphanumeric()
            || b"-._~".contains(byte)
            || (keep_shape && (b"!#$&*+,/:;=?@[]".contains(byte) || is_escape()));
        if keep {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Where in a script one stands: inside a string or not.
#[derive(Default)]
struct ScriptText {
    quote: Option<char>,
    escaped: bool,
}

impl ScriptText {
    fn see(&mut self, c: char) {
        match self.quote {
            _ if self.escaped => self.escaped = false,
            Some(_) if c == '\\' => self.escaped = true,
            Some(q) if c == q => self.quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'' | '`') => self.quote = Some(c),
            None => {}
        }
    }

    /// Writes a value: inside a string as part of it, elsewhere as a string of its own.
    fn push(&self, out: &mut String, value: &str) {
        if self.quote.is_none() {
            out.push('"');
        }
        for c in value.chars() {
            if c.is_alphanumeric() || " _-.,:;@?=~!*()[]".contains(c) {
                out.push(c);
            } else {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
        if self.quote.is_none() {
            out.push('"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<b>\"O'x\" & co</b>";

    fn with(template: &str, value: &str) -> String {
        escape(&template.replace('@', &format!("{BEGIN}{value}{END}")))
    }

    #[test]
    fn values_are_escaped_for_the_place_in_which_they_stand() {
        let html = "&lt;b&gt;&#34;O&#39;x&#34; &amp; co&lt;/b&gt;";
        for (template, value, expected) in [
            ("<p>@</p>", HOSTILE, format!("<p>{html}</p>")),
            ("<p title=\"@\">", HOSTILE, format!("<p title=\"{html}\">")),
            ("<p title='@'>", HOSTILE, format!("<p title='{html}'>")),
            ("<p title=@ x>", HOSTILE, format!("<p title=\"{html}\" x>")),
            ("<p title=a@>", "b c", "<p title=\"ab c\">".into()),
            ("<title>@</title><p>@", "<i>", "<title>&lt;i&gt;</title><p>&lt;i&gt;".into()),
            ("<!-- @ --><p>@", "--><i>", "<!-- --&gt;&lt;i&gt; --><p>--&gt;&lt;i&gt;".into()),
            ("<a href=\"@\">", "https://a.example/b?c=d&e=f%20g#h", "<a href=\"https://a.example/b?c=d&amp;e=f%20g#h\">".into()),
            ("<a href=\"https://a.example/?q=@\">", "a b&c=é", "<a href=\"https://a.example/?q=a%20b%26c%3D%C3%A9\">".into()),
            ("<a href=\"https://a.example/?q=@\">", "%41", "<a href=\"https://a.example/?q=%2541\">".into()),
            ("<a href=@>", "/x y", "<a href=\"/x%20y\">".into()),
            ("<td style=\"color:@\">", "#12ab34", "<td style=\"color:#12ab34\">".into()),
            ("<td style=\"color:@\">", "red;background:url(x)", "<td style=\"color:\">".into()),
            ("<style>a{color:@}</style>@", "</style>", "<style>a{color:}</style>&lt;/style&gt;".into()),
            (
                "<script>x = @;</script>@",
                "</script>\"",
                "<script>x = \"\\u003c\\u002fscript\\u003e\\u0022\";</script>&lt;/script&gt;&#34;".into(),
            ),
            (
                "<script type=\"application/ld+json\">{\"n\": \"@\"}</script>",
                "a\"b",
                "<script type=\"application/ld+json\">{\"n\": \"a\\u0022b\"}</script>".into(),
            ),
            ("<p onclick=\"f('@')\">", "');g('", "<p onclick=\"f('\\u0027);g(\\u0027')\">".into()),
            ("a < b @ <3 @", "<", "a < b &lt; <3 &lt;".into()),
            ("1 @ 2", "\0", "1 \u{FFFD} 2".into()),
        ] {
            assert_eq!(with(template, value), expected, "{template} with {value}");
        }
    }

    #[test]
    fn a_value_never_brings_a_scheme_that_runs_code() {
        for value in [
            "javascript:alert(1)",
            " JavaScript:alert(1)",
            "java\nscript:x",
            "\u{1}javascript:x",
            "data:text/html,x",
            "vbscript:x",
            "x:y",
        ] {
            assert_eq!(with("<a href=\"@\">y</a>", value), "<a href=\"#\">y</a>", "{value:?}");
            assert_eq!(with("<a href=@>y</a>", value), "<a href=\"#\">y</a>", "{value:?}");
        }
        assert_eq!(with("<a href=\"javascript:@\">", "x"), "<a href=\"#\">");
        assert_eq!(with("<a href=\"java@:x\">", "script"), "<a href=\"#\">");
        assert_eq!(with("<a href=\"shop:@\">", "x"), "<a href=\"shop:x\">", "the template's own scheme is the operator's choice");
        assert_eq!(with("<a href=\"@\">", "mailto:a@b.example"), "<a href=\"mailto:a@b.example\">");
    }

    #[test]
    fn a_value_within_a_tag_is_at_most_a_name() {
        assert_eq!(with("<@>", "img src=x onerror=y"), "<imgsrcxonerrory>");
        assert_eq!(with("<p @>", "onclick"), "<p >");
        assert_eq!(with("<p @=\"x\">", "hidden"), "<p hidden=\"x\">");
        assert_eq!(with("<p @>", "x><script>"), "<p xscript>");
    }

    #[test]
    fn what_the_template_says_stays_as_it_is() {
        for html in [
            "<!DOCTYPE html><html><!--[if mso]><td x=\"1\"><![endif]--><p a=b c='d\"e' f>&amp; < 1</p></html>",
            "<style>@media (x) { a > b { content: '<' } }</style><script>if (a < b) { '</p>' }</script><br/><a href=x>y</a>",
            "unfinished <p title=\"x",
        ] {
            let expected = if html.ends_with("\"x") { format!("{html}\"") } else { html.to_owned() };
            assert_eq!(escape(html), expected);
        }
    }
}
