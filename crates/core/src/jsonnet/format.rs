//! One way to write Jsonnet: blanks, indentation and quotes are evened out; line breaks, comments and the order of everything
//! stay as they were written.
//!
//! It works on tokens. Nothing but white space and the kind of quotes changes, so the meaning cannot; and what it wrote it
//! leaves as it is.

use rsjsonnet_lang::arena::Arena;
use rsjsonnet_lang::interner::StrInterner;
use rsjsonnet_lang::lexer::Lexer;
use rsjsonnet_lang::span::SpanManager;
use rsjsonnet_lang::token::{STokenKind as S, TokenKind};

/// Blanks for each level of indentation.
const STEP: usize = 2;

/// Formats a snippet.
///
/// # Errors
/// What is wrong with it, and on which line, if it is no Jsonnet. Variables that do not exist are no matter here.
pub fn format(snippet: &str) -> Result<String, String> {
    super::evaluate::parse(snippet)?;
    let words = words(snippet)?;
    let mut printer = Printer::default();
    for (n, word) in words.iter().enumerate() {
        printer.print(word, words.get(n + 1));
    }
    printer.out.push('\n');
    // Whatever was overlooked must not change what a snippet means.
    let same = self::words(&printer.out).is_ok_and(|again| again.iter().map(Word::text).eq(words.iter().map(Word::text)));
    if same { Ok(printer.out) } else { Err("it cannot be formatted without changing its meaning".to_owned()) }
}

/// What a token is, as far as its surroundings are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// From `//` or `#` to the end of the line.
    LineComment,
    /// From `/*` to `*/`.
    BlockComment,
    /// `{ [ (`
    Open(Bracket),
    /// `} ] )`
    Close,
    /// `,` and `;`
    Separator,
    /// `.`
    Dot,
    /// `: :: :::` and those with a plus in front.
    Colon,
    /// `+ - ! ~`, which may stand before a value.
    Sign,
    /// All other operators, `=` too.
    Operator,
    /// A word of the language that is no value.
    Keyword,
    /// Words that what follows depends on.
    Function,
    Local,
    Assert,
    If,
    Then,
    Else,
    For,
    /// `=`
    Equals,
    /// A name, a value.
    Operand,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bracket {
    Brace,
    Square,
    Round,
}

#[derive(Debug)]
struct Word {
    kind: Kind,
    text: String,
    /// How many line breaks stood before it.
    breaks: usize,
}

impl Word {
    fn text(&self) -> &str {
        &self.text
    }
}

/// The tokens, with the line breaks between them.
fn words(snippet: &str) -> Result<Vec<Word>, String> {
    let (arena, ast_arena, interner, mut spans) = (Arena::new(), Arena::new(), StrInterner::new(), SpanManager::new());
    let (context, _) = spans.insert_source_context(snippet.len());
    let lexer = Lexer::new(&arena, &ast_arena, &interner, &mut spans, context, snippet.as_bytes());
    let tokens = lexer.lex_to_eof(true).map_err(|_| "it contains something that is no Jsonnet".to_owned())?;
    let mut words: Vec<Word> = Vec::new();
    let mut breaks = 0;
    for token in tokens {
        let (_, start, end) = spans.get_span(token.span);
        let text = snippet.get(start..end).unwrap_or_default();
        let (kind, text) = match token.kind {
            TokenKind::EndOfFile => break,
            TokenKind::Whitespace => {
                breaks += text.matches('\n').count();
                continue;
            }
            TokenKind::Comment if text.starts_with("/*") => (Kind::BlockComment, text.to_owned()),
            TokenKind::Comment => {
                // The line break may be part of the token.
                words.push(Word { kind: Kind::LineComment, text: text.trim_end().to_owned(), breaks });
                breaks = text.matches('\n').count();
                continue;
            }
            TokenKind::Simple(simple) => (kind_of(simple), text.to_owned()),
            TokenKind::OtherOp(_) => (Kind::Operator, text.to_owned()),
            TokenKind::String(_) => (Kind::Operand, single_quoted(text)),
            TokenKind::Ident(_) | TokenKind::Number(_) | TokenKind::TextBlock(_) => (Kind::Operand, text.to_owned()),
        };
        words.push(Word { kind, text, breaks });
        breaks = 0;
    }
    Ok(words)
}

fn kind_of(token: S) -> Kind {
    match token {
        S::LeftBrace => Kind::Open(Bracket::Brace),
        S::LeftBracket => Kind::Open(Bracket::Square),
        S::LeftParen => Kind::Open(Bracket::Round),
        S::RightBrace | S::RightBracket | S::RightParen => Kind::Close,
        S::Comma | S::Semicolon => Kind::Separator,
        S::Dot => Kind::Dot,
        S::Colon | S::ColonColon | S::ColonColonColon | S::PlusColon | S::PlusColonColon | S::PlusColonColonColon => Kind::Colon,
        S::Plus | S::Minus | S::Exclam | S::Tilde => Kind::Sign,
        S::Function => Kind::Function,
        S::Local => Kind::Local,
        S::Eq => Kind::Equals,
        S::Assert => Kind::Assert,
        S::Then => Kind::Then,
        S::Else => Kind::Else,
        S::For => Kind::For,
        S::If => Kind::If,
        S::Error | S::Import | S::Importstr | S::Importbin | S::In | S::Tailstrict => Kind::Keyword,
        S::False | S::Null | S::Self_ | S::Super | S::True | S::Dollar => Kind::Operand,
        _ => Kind::Operator,
    }
}

/// A text in single quotes, if that takes no escaping.
fn single_quoted(text: &str) -> String {
    match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(inner) if !inner.contains(['\'', '\\', '"']) => format!("'{inner}'"),
        _ => text.to_owned(),
    }
}

/// What lies between two brackets, or the whole.
#[derive(Default)]
struct Frame {
    /// What opened it; the whole has none.
    bracket: Option<Bracket>,
    /// `a[0]` rather than `[0]`, `f(a)` rather than `(a)`.
    of_value: bool,
    /// Where the lines inside begin, and where the closing bracket does.
    inside: usize,
    outside: usize,
    /// An `assert` waits for its colon, a `local` for its semicolon.
    assert: bool,
    local: bool,
    /// Where the lines of those `if` begin that may still have an `else`.
    ifs: Vec<usize>,
}

#[derive(Default)]
struct Printer {
    out: String,
    /// What is open around [`Self::frame`].
    around: Vec<Frame>,
    frame: Frame,
    /// Where the line begins.
    indent: usize,
    /// The last token that is no comment.
    last: Option<Kind>,
    /// Whether that was a sign before a value.
    sign: bool,
    /// What was printed last, comments too.
    before: Option<Kind>,
}

impl Printer {
    fn print(&mut self, word: &Word, next: Option<&Word>) {
        let opened = matches!(self.before, Some(Kind::Open(_)));
        if self.before == Some(Kind::LineComment) || word.breaks > 0 && self.before.is_some() {
            // One empty line may stay, but none at the edges of brackets.
            let empty = word.breaks > 1 && !opened && word.kind != Kind::Close;
            self.out.push_str(if empty { "\n\n" } else { "\n" });
            self.indent = self.indentation(word, next);
            self.out.extend(std::iter::repeat_n(' ', self.indent));
        } else if self.before.is_some() && self.is_apart(word) {
            self.out.push(' ');
        }
        self.out.push_str(&word.text);
        self.note(word);
    }

    /// Where a line begins that begins with this.
    fn indentation(&self, word: &Word, next: Option<&Word>) -> usize {
        let Frame { inside, outside, ifs, .. } = &self.frame;
        match (self.last, word.kind) {
            (_, Kind::Close) => *outside,
            (None | Some(Kind::Separator | Kind::Open(_)), _) | (_, Kind::For) => *inside,
            (_, Kind::Then | Kind::Else) => ifs.last().copied().unwrap_or(*inside),
            // The condition of a comprehension.
            (Some(Kind::Operand | Kind::Close), Kind::If) => *inside,
            // `a + ⏎ {`
            (Some(Kind::Sign | Kind::Operator), Kind::Open(Bracket::Brace)) => *inside,
            (_, Kind::LineComment | Kind::BlockComment) if next.is_none_or(|n| n.kind == Kind::Close) => *inside,
            (Some(Kind::Then | Kind::Else), _) => self.indent + STEP,
            _ => inside + STEP,
        }
    }

    /// Whether a blank stands before this.
    fn is_apart(&self, word: &Word) -> bool {
        let Frame { bracket, of_value, assert, local, .. } = &self.frame;
        let in_index = *bracket == Some(Bracket::Square) && *of_value;
        let in_call = *bracket == Some(Bracket::Round) && *of_value;
        match (self.before, word.kind) {
            (_, Kind::LineComment | Kind::BlockComment) | (Some(Kind::BlockComment), _) => true,
            (Some(Kind::Open(Bracket::Brace)), Kind::Close) => false,
            (Some(Kind::Open(Bracket::Brace)), _) => true,
            (Some(Kind::Open(_)), _) => false,
            (_, Kind::Close) => *bracket == Some(Bracket::Brace),
            (_, Kind::Separator | Kind::Dot) | (Some(Kind::Dot), _) => false,
            (_, Kind::Equals) | (Some(Kind::Equals), _) => !in_call || *local,
            (_, Kind::Colon) => *assert,
            (Some(Kind::Colon), _) => !in_index,
            // Two signs would be read as one operator.
            (Some(Kind::Sign), word) if self.sign => word == Kind::Sign,
            // A call, an index.
            (Some(Kind::Operand | Kind::Close | Kind::Function), Kind::Open(Bracket::Round)) => false,
            (Some(Kind::Operand | Kind::Close), Kind::Open(Bracket::Square)) => false,
            _ => true,
        }
    }

    /// Remembers what was printed.
    fn note(&mut self, word: &Word) {
        self.before = Some(word.kind);
        let after_value = matches!(self.last, Some(Kind::Operand | Kind::Close));
        match word.kind {
            Kind::LineComment | Kind::BlockComment => return,
            Kind::Open(bracket) => {
                let of_value = after_value || self.last == Some(Kind::Function);
                let (inside, outside) = (self.indent + STEP, self.indent);
                let fresh = Frame { bracket: Some(bracket), of_value, inside, outside, ..Frame::default() };
                self.around.push(std::mem::replace(&mut self.frame, fresh));
            }
            Kind::Close => self.frame = self.around.pop().unwrap_or_default(),
            Kind::Assert => self.frame.assert = true,
            Kind::Colon => self.frame.assert = false,
            Kind::Local => self.frame.local = true,
            Kind::Separator => {
                (self.frame.assert, self.frame.local) = (false, self.frame.local && word.text == ",");
                self.frame.ifs.clear();
            }
            Kind::If if !after_value => self.frame.ifs.push(self.indent),
            Kind::Else => drop(self.frame.ifs.pop()),
            _ => {}
        }
        self.sign = word.kind == Kind::Sign && !after_value;
        self.last = Some(word.kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_quotes_are_evened_out() {
        for (written, expected) in [
            ("local x=1;{a:x,b:\"y\"}", "local x = 1; { a: x, b: 'y' }\n"),
            ("{ }", "{}\n"),
            ("[ ]", "[]\n"),
            ("[ 1,2 , 3 ]", "[1, 2, 3]\n"),
            ("f( 1 ,-2,!x, a-b,- -1)", "f(1, -2, !x, a - b, - -1)\n"),
            ("a [0] . b[ 1 : 2 ]", "a[0].b[1:2]\n"),
            ("function( a,b = 1 )a+b", "function(a, b=1) a + b\n"),
            ("{a+:{b::1},['c'] : 2,'d'( x ):::3}", "{ a+: { b:: 1 }, ['c']: 2, 'd'(x)::: 3 }\n"),
            ("if(a)then(b)else[c]", "if (a) then (b) else [c]\n"),
            ("[x for x in xs if x>1]", "[x for x in xs if x > 1]\n"),
            ("assert x==1:'no';x{a:1}", "assert x == 1 : 'no'; x { a: 1 }\n"),
            ("{assert self.a>0:'no',a:1}", "{ assert self.a > 0 : 'no', a: 1 }\n"),
            ("\"it's\"+\"a\\n\"+@\"x\"", "\"it's\" + \"a\\n\" + @\"x\"\n"),
            ("1/*a*/+2 // b", "1 /*a*/ + 2 // b\n"),
            ("std.extVar(\"x\")  ", "std.extVar('x')\n"),
            ("local f(x)=x;f(x=1)tailstrict", "local f(x) = x; f(x=1) tailstrict\n"),
            ("f((local a=1;a), function(x=2)x)", "f((local a = 1; a), function(x=2) x)\n"),
        ] {
            let got = format(written).unwrap_or_else(|e| panic!("{written}: {e}"));
            assert_eq!(got, expected, "{written}");
            assert_eq!(format(&got).as_deref(), Ok(got.as_str()), "again: {written}");
        }
    }

    #[test]
    fn lines_stay_and_are_indented() {
        let written = "// first\n\n\nlocal claims = {\n\n email_verified: false,\n} + std.extVar('claims');\nlocal x =\nif claims\nthen\n1\nelse 2;\n{\nidentity: {\n\ttraits: {\n\t\t// said by the provider\n[if 'email' in claims\n      then 'email'\n      else null]: claims.email, # end\n    list: [\nx\nfor x in []\nif x > 1\n],\n    text: |||\n   a\n    b\n ||| ,\n called: f({\n a: 1\n}),\n\n },\n},\n}\n+\n{\na: 1 }\n";
        let expected = "\
// first

local claims = {
  email_verified: false,
} + std.extVar('claims');
local x =
  if claims
  then
    1
  else 2;
{
  identity: {
    traits: {
      // said by the provider
      [if 'email' in claims
      then 'email'
      else null]: claims.email, # end
      list: [
        x
        for x in []
        if x > 1
      ],
      text: |||
   a
    b
 |||,
      called: f({
        a: 1
      }),
    },
  },
}
  +
{
  a: 1 }
";
        let got = format(written).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(got, expected);
        assert_eq!(format(&got).as_deref(), Ok(got.as_str()));
    }

    #[test]
    fn what_is_no_jsonnet_is_refused() {
        for (written, told) in [("{a: 1,,}", "line 1"), ("{\n a: 'open }", "no Jsonnet"), ("", "no Jsonnet")] {
            assert!(format(written).is_err_and(|e| e.contains(told)), "{written}");
        }
        assert_eq!(format("unknown").as_deref(), Ok("unknown\n"));
    }
}
