//! Functions on numbers. Whole-number arithmetic saturates; a division by zero is refused.

use gtmpl_ng::Value;

use super::arguments::{Answer, as_float, as_integer, count, integer, refuse, value, within_limit};

fn fold(args: &[Value], with: impl Fn(i64, i64) -> i64) -> Answer {
    args.iter().map(as_integer).reduce(with).map(Value::from).ok_or_else(|| refuse("a number is needed"))
}

fn fold_float(args: &[Value], with: impl Fn(f64, f64) -> f64) -> Answer {
    args.iter().map(as_float).reduce(with).map(Value::from).ok_or_else(|| refuse("a number is needed"))
}

pub(super) fn add(args: &[Value]) -> Answer {
    fold(args, i64::saturating_add)
}

pub(super) fn add1(args: &[Value]) -> Answer {
    Ok(integer(args, 0)?.saturating_add(1).into())
}

pub(super) fn sub(args: &[Value]) -> Answer {
    fold(args, i64::saturating_sub)
}

pub(super) fn mul(args: &[Value]) -> Answer {
    fold(args, i64::saturating_mul)
}

pub(super) fn div(args: &[Value]) -> Answer {
    integer(args, 0)?.checked_div(integer(args, 1)?).map(Value::from).ok_or_else(|| refuse("a division by zero"))
}

pub(super) fn modulo(args: &[Value]) -> Answer {
    integer(args, 0)?.checked_rem(integer(args, 1)?).map(Value::from).ok_or_else(|| refuse("a division by zero"))
}

pub(super) fn max(args: &[Value]) -> Answer {
    fold(args, i64::max)
}

pub(super) fn min(args: &[Value]) -> Answer {
    fold(args, i64::min)
}

pub(super) fn addf(args: &[Value]) -> Answer {
    fold_float(args, |a, b| a + b)
}

pub(super) fn add1f(args: &[Value]) -> Answer {
    Ok((as_float(value(args, 0)?) + 1.0).into())
}

pub(super) fn subf(args: &[Value]) -> Answer {
    fold_float(args, |a, b| a - b)
}

pub(super) fn mulf(args: &[Value]) -> Answer {
    fold_float(args, |a, b| a * b)
}

pub(super) fn divf(args: &[Value]) -> Answer {
    fold_float(args, |a, b| a / b)
}

pub(super) fn maxf(args: &[Value]) -> Answer {
    fold_float(args, f64::max)
}

pub(super) fn minf(args: &[Value]) -> Answer {
    fold_float(args, f64::min)
}

pub(super) fn floor(args: &[Value]) -> Answer {
    Ok(as_float(value(args, 0)?).floor().into())
}

pub(super) fn ceil(args: &[Value]) -> Answer {
    Ok(as_float(value(args, 0)?).ceil().into())
}

pub(super) fn round(args: &[Value]) -> Answer {
    let scale = 10f64.powi(i32::try_from(integer(args, 1)?.clamp(-300, 300)).unwrap_or(0));
    Ok(((as_float(value(args, 0)?) * scale).round() / scale).into())
}

pub(super) fn int(args: &[Value]) -> Answer {
    Ok(integer(args, 0)?.into())
}

pub(super) fn float(args: &[Value]) -> Answer {
    Ok(as_float(value(args, 0)?).into())
}

pub(super) fn to_decimal(args: &[Value]) -> Answer {
    Ok(i64::from_str_radix(value(args, 0)?.to_string().trim(), 8).unwrap_or(0).into())
}

pub(super) fn until(args: &[Value]) -> Answer {
    let end = count(args, 0)?.unwrap_or(0);
    within_limit(end)?;
    range(0, as_integer(value(args, 0)?), 1)
}

pub(super) fn until_step(args: &[Value]) -> Answer {
    range(integer(args, 0)?, integer(args, 1)?, integer(args, 2)?)
}

/// Numbers from the first to the last, both included, separated by blanks, as the command of that name prints them.
pub(super) fn seq(args: &[Value]) -> Answer {
    let (first, step, last) = match args {
        [last] => (1, if as_integer(last) < 1 { -1 } else { 1 }, as_integer(last)),
        [first, last] => {
            let (first, last) = (as_integer(first), as_integer(last));
            (first, if last < first { -1 } else { 1 }, last)
        }
        [first, step, last] => (as_integer(first), as_integer(step), as_integer(last)),
        _ => return Ok("".into()),
    };
    let Value::Array(numbers) = range(first, last.saturating_add(step.signum()), step)? else { return Ok("".into()) };
    Ok(numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ").into())
}

/// Numbers from `start` up to but without `end`.
fn range(start: i64, end: i64, step: i64) -> Answer {
    if step == 0 || (step > 0) != (end > start) {
        return Ok(Value::Array(Vec::new()));
    }
    let length = (i128::from(end) - i128::from(start)).unsigned_abs().div_ceil(i128::from(step).unsigned_abs());
    within_limit(usize::try_from(length).unwrap_or(usize::MAX))?;
    let mut numbers = Vec::new();
    let mut at = start;
    while if step > 0 { at < end } else { at > end } {
        numbers.push(at.into());
        let Some(next) = at.checked_add(step) else { break };
        at = next;
    }
    Ok(Value::Array(numbers))
}
