//! PEM (RFC 7468): the blocks of a text, each with its line. What is in them is for others to read.

/// One block, markers included.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'t> {
    /// The line of its first marker, from 1.
    pub(super) line: usize,
    /// As in `-----BEGIN PUBLIC KEY-----`.
    pub(super) label: &'t str,
    pub(super) text: String,
}

/// What is wrong with a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: usize,
    pub(super) message: &'static str,
}

/// Splits a text; words around the blocks don't count.
pub(super) fn blocks(text: &str) -> Result<Vec<Block<'_>>, Broken> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (at, line) in text.lines().enumerate() {
        let (number, line) = (at + 1, line.trim_end());
        if let Some(label) = marked(line, "-----BEGIN ") {
            if open.is_some() {
                return Err(Broken {
                    line: number,
                    message: "begins before the block above it has ended",
                });
            }
            open = Some(Block { line: number, label, text: String::new() });
        }
        if let Some(block) = &mut open {
            block.text.push_str(line);
            block.text.push('\n');
        }
        if let Some(label) = marked(line, "-----END ") {
            match open.take() {
                Some(block) if block.label == label => blocks.push(block),
                _ => {
                    return Err(Broken { line: number, message: "ends a block that hasn't begun" });
                }
            }
        }
    }
    match open {
        Some(block) => Err(Broken { line: block.line, message: "begins a block that never ends" }),
        None => Ok(blocks),
    }
}

fn marked<'l>(line: &'l str, marker: &str) -> Option<&'l str> {
    line.strip_prefix(marker)?.strip_suffix("-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_with_their_lines() {
        let text = "words\n-----BEGIN A-----\nAAAA\r\n-----END A-----\n\n-----BEGIN B C-----\n-----END B C-----\n";
        let found = blocks(text).unwrap();
        let places: Vec<_> = found.iter().map(|block| (block.line, block.label)).collect();
        assert_eq!(places, [(2, "A"), (6, "B C")]);
        assert_eq!(found[0].text, "-----BEGIN A-----\nAAAA\n-----END A-----\n");
        assert_eq!(blocks("nothing"), Ok(Vec::new()));
        for (text, line) in [
            ("-----BEGIN A-----\n", 1),
            ("-----END A-----\n", 1),
            ("-----BEGIN A-----\n-----END B-----\n", 2),
            ("-----BEGIN A-----\n-----BEGIN A-----\n", 2),
        ] {
            assert_eq!(blocks(text).unwrap_err().line, line, "{text}");
        }
    }
}
