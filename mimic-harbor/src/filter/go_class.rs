//! Character classes and escapes of Go's regular expressions.

use super::chars::Chars;
use super::error::ParseError;

/// A class under construction.
pub(super) struct Class {
    chars: Chars,
    fold: bool,
}

impl Class {
    /// An empty class. With `fold`, characters are added in all their cases.
    pub(super) fn new(fold: bool) -> Self {
        Self { chars: Chars::NONE, fold }
    }

    /// Adds the characters with the codes from `low` to `high`, both included.
    pub(super) fn add(&mut self, low: u32, high: u32) {
        let within = |c: char| (low..=high).contains(&u32::from(c));
        let any_case = |c: char| {
            // The characters outside of ASCII that Unicode's simple case folding makes equal to one in it.
            let sign = match c {
                'k' => '\u{212A}',
                's' => '\u{17F}',
                _ => c,
            };
            within(c) || within(c.to_ascii_uppercase()) || within(sign)
        };
        let fold = self.fold;
        self.chars = self.chars.union(Chars::of(|c| if fold { any_case(c) } else { within(c) }));
    }

    fn add_all(&mut self, chars: Chars) {
        self.chars = self.chars.union(chars);
    }

    /// The characters of repositories in the class.
    pub(super) fn chars(&self) -> Chars {
        self.chars
    }
}

/// Parses a class at the start of `text`, which is its opening bracket. Returns what follows it, too.
pub(super) fn bracketed(text: &str, fold: bool) -> Result<(Chars, &str), ParseError> {
    let open = || ParseError::invalid("missing `]`");
    let mut rest = text.strip_prefix('[').unwrap_or(text);
    let negated = rest.strip_prefix('^');
    rest = negated.unwrap_or(rest);
    let mut class = Class::new(fold);
    let mut is_first = true;
    loop {
        match rest.strip_prefix(']') {
            // First in the class, the bracket is a character of it.
            Some(after) if !is_first => {
                let chars = class.chars();
                return Ok((if negated.is_some() { chars.complement() } else { chars }, after));
            }
            _ if rest.is_empty() => return Err(open()),
            _ => is_first = false,
        }
        if let Some((name, after)) = rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) {
            class.add_all(posix(name, fold)?);
            rest = after;
        } else if let Some((chars, after)) = set(rest, fold)? {
            class.add_all(chars);
            rest = after;
        } else {
            let (low, after) = character(rest)?.ok_or_else(open)?;
            let (mut high, mut end) = (low, after);
            if let Some(after) = after.strip_prefix('-').filter(|after| !after.is_empty() && !after.starts_with(']')) {
                (high, end) = character(after)?.ok_or_else(open)?;
                if high < low {
                    let range = &rest[..rest.len() - end.len()];
                    return Err(ParseError::invalid(format!("invalid range `{range}`")));
                }
            }
            class.add(low, high);
            rest = end;
        }
    }
}

/// Parses an escape outside of a class. Returns what follows it, too.
pub(super) fn escape(text: &str, fold: bool) -> Result<(Chars, &str), ParseError> {
    if let Some(found) = set(text, fold)? {
        return Ok(found);
    }
    let (c, rest) = character(text)?.ok_or_else(|| ParseError::invalid("incomplete escape at the end"))?;
    let mut class = Class::new(fold);
    class.add(c, c);
    Ok((class.chars(), rest))
}

/// An escape that stands for a set of characters, if the text begins with one.
fn set(text: &str, fold: bool) -> Result<Option<(Chars, &str)>, ParseError> {
    let Some(rest) = text.strip_prefix('\\') else { return Ok(None) };
    let mut chars = rest.chars();
    let Some(kind) = chars.next() else { return Ok(None) };
    let rest = chars.as_str();
    let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let set = match kind.to_ascii_lowercase() {
        'd' => Chars::of(|c| c.is_ascii_digit()),
        's' => Chars::NONE,
        'w' => Chars::of(word),
        'p' => {
            let (name, rest) = match rest.strip_prefix('{') {
                Some(braced) => braced
                    .split_once('}')
                    .ok_or_else(|| ParseError::invalid(format!("missing `}}` after `\\{kind}{{`")))?,
                None => rest.split_at(rest.chars().next().map_or(0, char::len_utf8)),
            };
            let (name, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
            let set = property(name, fold)?;
            return Ok(Some((if negated == (kind == 'P') { set } else { set.complement() }, rest)));
        }
        _ => return Ok(None),
    };
    Ok(Some((if kind.is_ascii_uppercase() { set.complement() } else { set }, rest)))
}

/// A Unicode property. Only those are known that mean the same in all versions of Go that Harbor was built with, and
/// of scripts only those that repositories can contain.
fn property(name: &str, fold: bool) -> Result<Chars, ParseError> {
    let is = |contains: fn(char) -> bool| Ok(Chars::of(contains));
    match name {
        "Any" => Ok(Chars::ALL),
        "L" | "Ll" | "Latin" => is(|c| c.is_ascii_lowercase()),
        // Folded, the other letters of the alphabet are equal to these.
        "Lu" if fold => is(|c| c.is_ascii_lowercase()),
        "Lu" | "Lt" | "Lm" | "Lo" | "M" | "Mc" | "Me" | "Mn" | "Nl" | "No" | "Pe" | "Pf" | "Pi" | "Ps" | "S" | "Sc"
        | "Sk" | "Sm" | "So" | "Z" | "Zl" | "Zp" | "Zs" | "C" | "Cc" | "Cf" | "Co" | "Cs" => Ok(Chars::NONE),
        "N" | "Nd" => is(|c| c.is_ascii_digit()),
        "P" => is(|c| c.is_ascii_punctuation()),
        "Pc" => is(|c| c == '_'),
        "Pd" => is(|c| c == '-'),
        "Po" => is(|c| matches!(c, '.' | '/')),
        "Common" => is(|c| !c.is_ascii_lowercase()),
        _ => Err(ParseError::Unsupported("it has a Unicode property that Mimic does not know")),
    }
}

/// A POSIX class: the text between `[:` and `:]`.
fn posix(name: &str, fold: bool) -> Result<Chars, ParseError> {
    let (bare, negated) = name.strip_prefix('^').map_or((name, false), |bare| (bare, true));
    let contains: fn(char) -> bool = match bare {
        "alnum" => |c| c.is_ascii_alphanumeric(),
        "alpha" => |c| c.is_ascii_alphabetic(),
        "ascii" | "graph" | "print" => |_| true,
        "blank" | "cntrl" | "space" => |_| false,
        "digit" => |c| c.is_ascii_digit(),
        "lower" => |c| c.is_ascii_lowercase(),
        "punct" => |c| c.is_ascii_punctuation(),
        "upper" if fold => |c| c.is_ascii_lowercase(),
        "upper" => |_| false,
        "word" => |c| c == '_' || c.is_ascii_alphanumeric(),
        "xdigit" => |c| c.is_ascii_hexdigit(),
        _ => return Err(ParseError::invalid(format!("unknown class `[:{name}:]`"))),
    };
    let set = Chars::of(contains);
    Ok(if negated { set.complement() } else { set })
}

/// The code of one character or of its escape, and what follows; `None` at the end of the text.
fn character(text: &str) -> Result<Option<(u32, &str)>, ParseError> {
    let mut chars = text.chars();
    let Some(c) = chars.next() else { return Ok(None) };
    if c != '\\' {
        return Ok(Some((c.into(), chars.as_str())));
    }
    let escaped = chars.next().ok_or_else(|| ParseError::invalid("incomplete escape at the end"))?;
    let rest = chars.as_str();
    let invalid = || ParseError::invalid(format!("invalid escape `\\{escaped}`"));
    let octal = |text: &str| text.bytes().take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    let (code, rest) = match escaped {
        'a' => (0x7, rest),
        'f' => (0xC, rest),
        'n' => (0xA, rest),
        'r' => (0xD, rest),
        't' => (0x9, rest),
        'v' => (0xB, rest),
        // A single digit but 0 would be a back-reference, which Go does not have.
        '1'..='7' if octal(rest) == 0 => return Err(invalid()),
        '0'..='7' => {
            let (digits, after) = rest.split_at(octal(rest).min(2));
            (u32::from_str_radix(&format!("{escaped}{digits}"), 8).map_err(|_| invalid())?, after)
        }
        'x' => {
            let (digits, after) = match rest.strip_prefix('{') {
                Some(braced) => braced.split_once('}').ok_or_else(invalid)?,
                None => rest.split_at_checked(2).ok_or_else(invalid)?,
            };
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(invalid());
            }
            // Without leading zeros, of which there can be any number.
            let code = u32::from_str_radix(&format!("0{}", digits.trim_start_matches('0')), 16);
            (code.ok().filter(|code| *code <= u32::from(char::MAX)).ok_or_else(invalid)?, after)
        }
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => (c.into(), rest),
        _ => return Err(invalid()),
    };
    Ok(Some((code, rest)))
}
