//! Whole numbers in the forms of ProtoJSON: `2`, `2.0` and `1e2`, with quotes or without.

/// The whole number that `text` writes; none when it is not one, or has more than 20 digits. Every digit counts: a
/// floating-point number, which has 53 bits, would silently change a 64-bit integer.
pub(crate) fn whole(text: &str) -> Option<i128> {
    let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let is_plain = rest.len() <= 18 && rest.bytes().all(|byte| byte.is_ascii_digit());
    let value = if is_plain { rest.parse::<i64>().ok().map(i128::from) } else { decimal(rest) }?;
    Some(if is_negative { -value } else { value })
}

/// A number with a fraction, an exponent, or many digits.
fn decimal(text: &str) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || fraction.is_empty() || !digits().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let zeros_behind = digits().rev().take_while(|byte| *byte == b'0').count();
    let all = whole.len() + fraction.len();
    if zeros_behind == all {
        return Some(0);
    }
    let zeros_before = digits().take_while(|byte| *byte == b'0').count();
    let count = all - zeros_behind - zeros_before;
    let exponent = i64::from(exponent) + i64::try_from(zeros_behind).ok()? - i64::try_from(fraction.len()).ok()?;
    // Below 0, there are digits behind the point. 64 bits have 20 digits.
    let exponent = u32::try_from(exponent).ok().filter(|exponent| count.saturating_add(*exponent as usize) <= 20)?;
    let value = digits().skip(zeros_before).take(count).fold(0, |value, digit| value * 10 + i128::from(digit - b'0'));
    Some(value * 10_i128.pow(exponent))
}
