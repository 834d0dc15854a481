//! Rust source as tokens: without comments, without the content of strings, without what only `cfg(test)`
//! compiles. Enough of Rust's grammar to find names and paths; not a parser.

#![allow(clippy::wildcard_enum_match_arm, reason = "of many tokens few matter at one place")]

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// An identifier or a keyword. `::` joins nothing here: `a::b` is three tokens.
    Name(String),
    /// `::`
    PathSeparator,
    /// One character of punctuation.
    Mark(char),
    /// A string, character, byte or number literal, or a lifetime, as it is written.
    Literal(String),
}

impl Token {
    pub(crate) fn is(&self, mark: char) -> bool {
        *self == Self::Mark(mark)
    }

    /// A string literal as it is written, with its quotes.
    pub(crate) fn string(&self) -> Option<&str> {
        match self {
            Self::Literal(text) if text.ends_with(['"', '#']) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// The tokens of the code that is shipped: items under `#[cfg(test)]` are left out.
pub(crate) fn shipped_tokens(text: &str) -> Vec<Token> {
    without_tests(&tokens(text))
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = at(i);
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            i = after_block_comment(&chars, i);
        } else if c == '"' {
            let start = i;
            i = after_string(&chars, i);
            out.push(literal(&chars, start, i));
        } else if c == '\'' {
            let start = i;
            i = after_quote(&chars, i);
            out.push(literal(&chars, start, i));
        } else if c.is_ascii_digit() {
            let start = i;
            while at(i).is_alphanumeric() || at(i) == '_' || (at(i) == '.' && at(i + 1).is_ascii_digit()) {
                i += 1;
            }
            out.push(literal(&chars, start, i));
        } else if c.is_alphabetic() || c == '_' {
            let start = i;
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            let name: String = chars[start..i].iter().collect();
            // A string with a prefix: r"", r#""#, b"", br#""#, c"". Otherwise r#name is a name.
            let prefix = matches!(name.as_str(), "r" | "b" | "br" | "c" | "cr");
            let mut hashes = 0;
            while name.contains('r') && at(i + hashes) == '#' {
                hashes += 1;
            }
            if prefix && at(i + hashes) == '"' {
                i = if name.contains('r') {
                    after_raw_string(&chars, i, hashes)
                } else {
                    after_string(&chars, i)
                };
                out.push(literal(&chars, start, i));
            } else if prefix && name == "b" && at(i) == '\'' {
                i = after_quote(&chars, i);
                out.push(literal(&chars, start, i));
            } else {
                out.push(Token::Name(name));
            }
        } else if c == ':' && at(i + 1) == ':' {
            out.push(Token::PathSeparator);
            i += 2;
        } else {
            if !c.is_whitespace() {
                out.push(Token::Mark(c));
            }
            i += 1;
        }
    }
    out
}

fn literal(chars: &[char], start: usize, end: usize) -> Token {
    Token::Literal(chars[start..end.min(chars.len())].iter().collect())
}

fn after_block_comment(chars: &[char], mut i: usize) -> usize {
    let mut depth = 0;
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                i += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    i
}

fn after_string(chars: &[char], mut i: usize) -> usize {
    i += 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn after_raw_string(chars: &[char], mut i: usize, hashes: usize) -> usize {
    i += hashes + 1;
    while i < chars.len() {
        if chars[i] == '"' && (1..=hashes).all(|k| chars.get(i + k) == Some(&'#')) {
            return i + 1 + hashes;
        }
        i += 1;
    }
    i
}

/// Past a character literal or a lifetime.
fn after_quote(chars: &[char], mut i: usize) -> usize {
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    if at(i + 1) == '\\' {
        i += 3;
        while at(i) != '\'' {
            i += 1;
        }
        return i + 1;
    }
    if at(i + 2) == '\'' {
        return i + 3;
    }
    i += 1;
    while at(i).is_alphanumeric() || at(i) == '_' {
        i += 1;
    }
    i
}

/// Leaves out each item, field or statement that follows `#[cfg(test)]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let cfg_test: Vec<Token> = tokens_of_cfg_test();
    let mut out = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if tokens[i..].starts_with(&cfg_test) {
            i = after_item(tokens, i + cfg_test.len());
        } else {
            out.push(tokens[i].clone());
            i += 1;
        }
    }
    out
}

fn tokens_of_cfg_test() -> Vec<Token> {
    let name = |text: &str| Token::Name(text.to_owned());
    let mark = Token::Mark;
    vec![mark('#'), mark('['), name("cfg"), mark('('), name("test"), mark(')'), mark(']')]
}

/// Past one item: up to its `;`, or to the end of its first block.
fn after_item(tokens: &[Token], mut i: usize) -> usize {
    let mut depth = 0;
    while i < tokens.len() {
        match tokens[i] {
            Token::Mark('(' | '[') => depth += 1,
            Token::Mark(')' | ']') => depth -= 1,
            Token::Mark(';') if depth == 0 => return i + 1,
            Token::Mark('{') if depth == 0 => return after_block(tokens, i),
            _ => {}
        }
        i += 1;
    }
    i
}

/// Past the `}` that closes the `{` at `i`.
pub(crate) fn after_block(tokens: &[Token], mut i: usize) -> usize {
    let mut depth = 0;
    while i < tokens.len() {
        match tokens[i] {
            Token::Mark('{') => depth += 1,
            Token::Mark('}') => {
                depth -= 1;
                if depth == 0 {
                    return i + 1;
                }
            }
            _ => {}
        }
        i += 1;
    }
    i
}

#[test]
fn comments_strings_and_tests_are_left_out() {
    let text = r##"
        //! crate::comment
        use crate::kept; /* crate::block /* nested */ crate::block */
        const A: &str = "crate::string \" still"; const B: &str = r#"crate::raw " "#;
        fn f<'a>(c: &'a u8) -> char { '"' }
        #[cfg(test)]
        #[allow(unused)]
        mod tests { use crate::gone; fn g() { {} } }
        #[cfg(test)]
        use crate::gone_too;
        fn last() { b'\'' }
    "##;
    let names: Vec<String> =
        shipped_tokens(text).iter().filter_map(|t| t.name().map(str::to_owned)).collect();
    let expected = "use crate kept const A str const B str fn f c u8 char fn last";
    assert_eq!(names.join(" "), expected);
}
