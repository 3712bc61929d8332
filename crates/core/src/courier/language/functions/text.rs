//! Functions on text. Positions count characters, not bytes, so that no character is cut in half.

use gtmpl_ng::{Value, funcs};

use super::arguments::{Answer, as_text, count, integer, is_nil, items, text, texts, value, within_limit};

pub(super) fn trim(args: &[Value]) -> Answer {
    Ok(text(args, 0)?.trim().into())
}

pub(super) fn trim_all(args: &[Value]) -> Answer {
    let cut: Vec<char> = text(args, 0)?.chars().collect();
    Ok(text(args, 1)?.trim_matches(cut.as_slice()).into())
}

pub(super) fn trim_prefix(args: &[Value]) -> Answer {
    let (prefix, text) = (text(args, 0)?, text(args, 1)?);
    Ok(text.strip_prefix(&prefix).unwrap_or(&text).into())
}

pub(super) fn trim_suffix(args: &[Value]) -> Answer {
    let (suffix, text) = (text(args, 0)?, text(args, 1)?);
    Ok(text.strip_suffix(&suffix).unwrap_or(&text).into())
}

pub(super) fn nospace(args: &[Value]) -> Answer {
    Ok(text(args, 0)?.split_whitespace().collect::<String>().into())
}

pub(super) fn title(args: &[Value]) -> Answer {
    Ok(each_word(&text(args, 0)?, |c| c.to_uppercase().collect()).into())
}

pub(super) fn untitle(args: &[Value]) -> Answer {
    Ok(each_word(&text(args, 0)?, |c| c.to_lowercase().collect()).into())
}

/// Changes the first letter of each word.
fn each_word(text: &str, change: impl Fn(char) -> String) -> String {
    let mut in_word = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let is_letter = c.is_alphanumeric() || c == '_' || c == '\'';
        if is_letter && !in_word {
            out.push_str(&change(c))
        } else {
            out.push(c)
        }
        in_word = is_letter;
    }
    out
}

pub(super) fn upper(args: &[Value]) -> Answer {
    Ok(text(args, 0)?.to_uppercase().into())
}

pub(super) fn lower(args: &[Value]) -> Answer {
    Ok(text(args, 0)?.to_lowercase().into())
}

pub(super) fn swapcase(args: &[Value]) -> Answer {
    let swap = |c: char| if c.is_uppercase() { c.to_lowercase().collect::<String>() } else { c.to_uppercase().collect() };
    Ok(text(args, 0)?.chars().map(swap).collect::<String>().into())
}

pub(super) fn snakecase(args: &[Value]) -> Answer {
    Ok(words(&text(args, 0)?).join("_").into())
}

pub(super) fn kebabcase(args: &[Value]) -> Answer {
    Ok(words(&text(args, 0)?).join("-").into())
}

pub(super) fn camelcase(args: &[Value]) -> Answer {
    Ok(words(&text(args, 0)?).iter().map(|w| each_word(w, |c| c.to_uppercase().collect())).collect::<String>().into())
}

/// The words of an identifier, in lower case: split at signs and where a capital follows a small letter.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last_small = false;
    for c in text.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && last_small) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        last_small = c.is_lowercase() || c.is_numeric();
    }
    words.retain(|w| !w.is_empty());
    words
}

pub(super) fn repeat(args: &[Value]) -> Answer {
    let (times, text) = (count(args, 0)?.unwrap_or(0), text(args, 1)?);
    within_limit(times.saturating_mul(text.len()))?;
    Ok(text.repeat(times).into())
}

pub(super) fn substr(args: &[Value]) -> Answer {
    let (start, end, text) = (count(args, 0)?.unwrap_or(0), count(args, 1)?.unwrap_or(usize::MAX), text(args, 2)?);
    Ok(text.chars().skip(start).take(end.saturating_sub(start)).collect::<String>().into())
}

pub(super) fn trunc(args: &[Value]) -> Answer {
    let (length, text) = (integer(args, 0)?, text(args, 1)?);
    let wanted = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    let skipped = if length < 0 { text.chars().count().saturating_sub(wanted) } else { 0 };
    Ok(text.chars().skip(skipped).take(wanted).collect::<String>().into())
}

pub(super) fn abbrev(args: &[Value]) -> Answer {
    let (width, text) = (count(args, 0)?.unwrap_or(0), text(args, 1)?);
    if width < 4 || text.chars().count() <= width {
        return Ok(text.into());
    }
    Ok(format!("{}...", text.chars().take(width - 3).collect::<String>()).into())
}

pub(super) fn initials(args: &[Value]) -> Answer {
    Ok(text(args, 0)?.split_whitespace().filter_map(|w| w.chars().next()).collect::<String>().into())
}

pub(super) fn wrap(args: &[Value]) -> Answer {
    Ok(wrapped(&text(args, 1)?, count(args, 0)?.unwrap_or(0), "\n").into())
}

pub(super) fn wrap_with(args: &[Value]) -> Answer {
    Ok(wrapped(&text(args, 2)?, count(args, 0)?.unwrap_or(0), &text(args, 1)?).into())
}

fn wrapped(text: &str, width: usize, line_end: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push_str(line_end);
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

pub(super) fn contains(args: &[Value]) -> Answer {
    Ok(text(args, 1)?.contains(&text(args, 0)?).into())
}

pub(super) fn has_prefix(args: &[Value]) -> Answer {
    Ok(text(args, 1)?.starts_with(&text(args, 0)?).into())
}

pub(super) fn has_suffix(args: &[Value]) -> Answer {
    Ok(text(args, 1)?.ends_with(&text(args, 0)?).into())
}

pub(super) fn quote(args: &[Value]) -> Answer {
    let mut quoted = Vec::with_capacity(args.len());
    for arg in args.iter().filter(|a| !is_nil(a)) {
        quoted.push(funcs::printf(&["%q".into(), as_text(arg).into()])?.to_string());
    }
    Ok(quoted.join(" ").into())
}

pub(super) fn squote(args: &[Value]) -> Answer {
    Ok(args.iter().filter(|a| !is_nil(a)).map(|a| format!("'{a}'")).collect::<Vec<_>>().join(" ").into())
}

pub(super) fn cat(args: &[Value]) -> Answer {
    Ok(args.iter().filter(|a| !is_nil(a)).map(ToString::to_string).collect::<Vec<_>>().join(" ").into())
}

pub(super) fn indent(args: &[Value]) -> Answer {
    Ok(indented(args)?.into())
}

pub(super) fn nindent(args: &[Value]) -> Answer {
    Ok(format!("\n{}", indented(args)?).into())
}

fn indented(args: &[Value]) -> Result<String, gtmpl_ng::FuncError> {
    let (width, text) = (count(args, 0)?.unwrap_or(0), text(args, 1)?);
    within_limit(width.saturating_mul(text.lines().count().max(1)).saturating_add(text.len()))?;
    let pad = " ".repeat(width);
    Ok(format!("{pad}{}", text.replace('\n', &format!("\n{pad}"))))
}

pub(super) fn replace(args: &[Value]) -> Answer {
    let (old, new, text) = (text(args, 0)?, text(args, 1)?, text(args, 2)?);
    within_limit(text.matches(&old).count().saturating_mul(new.len()).saturating_add(text.len()))?;
    Ok(text.replace(&old, &new).into())
}

pub(super) fn plural(args: &[Value]) -> Answer {
    Ok(if integer(args, 2)? == 1 { text(args, 0)? } else { text(args, 1)? }.into())
}

pub(super) fn to_text(args: &[Value]) -> Answer {
    Ok(text(args, 0)?.into())
}

pub(super) fn to_texts(args: &[Value]) -> Answer {
    Ok(texts(items(value(args, 0)?)?.iter().map(as_text)))
}

pub(super) fn join(args: &[Value]) -> Answer {
    let separator = text(args, 0)?;
    Ok(match value(args, 1)? {
        Value::Array(items) => items.iter().filter(|i| !is_nil(i)).map(as_text).collect::<Vec<_>>().join(&separator),
        other => as_text(other),
    }
    .into())
}

/// A map with the keys `_0`, `_1`, ...
fn numbered(parts: impl Iterator<Item = String>) -> Value {
    Value::Map(parts.enumerate().map(|(n, part)| (format!("_{n}"), part.into())).collect())
}

pub(super) fn split(args: &[Value]) -> Answer {
    let (separator, text) = (text(args, 0)?, text(args, 1)?);
    Ok(numbered(text.split(&separator).map(str::to_owned)))
}

pub(super) fn splitn(args: &[Value]) -> Answer {
    let (separator, most, text) = (text(args, 0)?, count(args, 1)?.unwrap_or(usize::MAX), text(args, 2)?);
    Ok(numbered(text.splitn(most, &separator).map(str::to_owned)))
}

pub(super) fn split_list(args: &[Value]) -> Answer {
    let (separator, text) = (text(args, 0)?, text(args, 1)?);
    Ok(texts(text.split(&separator)))
}

pub(super) fn sort_alpha(args: &[Value]) -> Answer {
    let mut sorted = match value(args, 0)? {
        Value::Array(items) => items.iter().map(as_text).collect::<Vec<_>>(),
        other => vec![as_text(other)],
    };
    sorted.sort();
    Ok(texts(sorted))
}
