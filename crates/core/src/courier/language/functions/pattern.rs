//! Functions on regular expressions. Their engine takes linear time, whatever the pattern.

use gtmpl_ng::{FuncError, Value};
use regex::{NoExpand, Regex, RegexBuilder};

use super::arguments::{Answer, count, refuse, text, texts};

fn pattern(args: &[Value]) -> Result<Regex, FuncError> {
    RegexBuilder::new(&text(args, 0)?).size_limit(1 << 20).build().map_err(|_| refuse("a regular expression is needed"))
}

pub(super) fn matches(args: &[Value]) -> Answer {
    Ok(pattern(args)?.is_match(&text(args, 1)?).into())
}

pub(super) fn find(args: &[Value]) -> Answer {
    Ok(pattern(args)?.find(&text(args, 1)?).map(|m| m.as_str()).unwrap_or_default().into())
}

pub(super) fn find_all(args: &[Value]) -> Answer {
    let most = count(args, 2)?.unwrap_or(usize::MAX);
    Ok(texts(pattern(args)?.find_iter(&text(args, 1)?).take(most).map(|m| m.as_str())))
}

pub(super) fn replace_all(args: &[Value]) -> Answer {
    Ok(pattern(args)?.replace_all(&text(args, 1)?, text(args, 2)?.as_str()).into_owned().into())
}

pub(super) fn replace_all_literal(args: &[Value]) -> Answer {
    Ok(pattern(args)?.replace_all(&text(args, 1)?, NoExpand(&text(args, 2)?)).into_owned().into())
}

pub(super) fn split(args: &[Value]) -> Answer {
    Ok(texts(pattern(args)?.splitn(&text(args, 1)?, count(args, 2)?.unwrap_or(usize::MAX))))
}

pub(super) fn quote_meta(args: &[Value]) -> Answer {
    Ok(regex::escape(&text(args, 0)?).into())
}
