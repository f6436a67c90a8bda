//! Patterns for names, topics and credentials: text with `{name}` in it, and `{number:6}` for leading zeros.

use anyhow::bail;

/// Fills the names in. `value` gives a name's text.
///
/// # Errors
/// A name that `value` doesn't know, or a brace without its partner.
pub(crate) fn fill(
    pattern: &str,
    number: u32,
    value: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((name, tail)) = behind.split_once('}') else {
            bail!("`{pattern}` has a `{{` without its `}}`")
        };
        out.push_str(before);
        match (name, name.strip_prefix("number:").map(str::parse::<usize>)) {
            ("number", _) => out.push_str(&number.to_string()),
            (_, Some(Ok(width))) if width <= 64 => {
                out.push_str(&format!("{number:0width$}"));
            }
            _ => match value(name) {
                Some(text) => out.push_str(&text),
                None => bail!("`{pattern}` has `{{{name}}}`, which nothing gives a value"),
            },
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in() {
        let value = |name: &str| (name == "device").then(|| "D".to_owned());
        for (pattern, expected) in [
            ("a", "a"),
            ("d-{number}", "d-7"),
            ("{number:4}/{device}", "0007/D"),
            ("{device}{device}", "DD"),
        ] {
            assert_eq!(fill(pattern, 7, &value).expect(pattern), expected);
        }
        for (pattern, fault) in [
            ("{device", "`{device` has a `{` without its `}`"),
            ("{gateway}", "`{gateway}` has `{gateway}`, which nothing gives a value"),
        ] {
            assert_eq!(fill(pattern, 7, &value).unwrap_err().to_string(), fault);
        }
    }
}
