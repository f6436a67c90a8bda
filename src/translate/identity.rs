//! A device's names on both sides: a reversible rule, or a table that is unique both ways. What isn't found
//! is refused, never guessed.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::reason::{Reason, Refusal};

/// How device names on the device side and upstream belong together.
#[derive(Debug, Clone, Default)]
pub enum Identity {
    /// The same name on both sides.
    #[default]
    Same,
    /// Upstream name = prefix + percent-encoded device name.
    Prefix(PrefixRule),
    /// A list of pairs.
    Table(IdentityTable),
}

const UNKNOWN: Refusal =
    Refusal::new(Reason::UnknownDevice, "the identity table doesn't have this device");
const FOREIGN: Refusal =
    Refusal::new(Reason::UnknownDevice, "the name isn't one that the identity rule gives");

impl Identity {
    /// Appends the upstream name of a device-side name. Cost: the name's length, or one look-up.
    ///
    /// # Errors
    /// `unknown_device` when the table doesn't have it.
    pub fn to_upstream(&self, device: &str, out: &mut String) -> Result<(), Refusal> {
        match self {
            Identity::Same => out.push_str(device),
            Identity::Prefix(rule) => rule.apply(device, out),
            Identity::Table(table) => out.push_str(table.upstream(device).ok_or(UNKNOWN)?),
        }
        Ok(())
    }

    /// Appends the device-side name of an upstream name.
    ///
    /// # Errors
    /// `unknown_device` when the table doesn't have it, or the rule could not have given it.
    pub fn to_device(&self, upstream: &str, out: &mut String) -> Result<(), Refusal> {
        match self {
            Identity::Same => out.push_str(upstream),
            Identity::Prefix(rule) => return rule.invert(upstream, out),
            Identity::Table(table) => out.push_str(table.device(upstream).ok_or(UNKNOWN)?),
        }
        Ok(())
    }

    /// A value that the table gives this device for a variable of the upstream side.
    #[must_use]
    pub fn device_value(&self, device: &str, variable: &str) -> Option<&str> {
        match self {
            Identity::Table(table) => table.value(device, variable),
            Identity::Same | Identity::Prefix(_) => None,
        }
    }
}

/// `upstream = prefix + pct(device)`: every byte outside `[A-Za-z0-9._~-]` becomes `%XX`, so that any device
/// name gives a legal and distinct upstream name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixRule {
    prefix: Box<str>,
    /// By byte, whether it stays as it is.
    unreserved: Box<[bool; 256]>,
}

impl PrefixRule {
    /// A rule with this prefix, which may be empty.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        let unreserved = std::array::from_fn(|byte| u8::try_from(byte).is_ok_and(is_unreserved));
        Self { prefix: prefix.into(), unreserved: Box::new(unreserved) }
    }

    /// Appends the upstream name.
    fn apply(&self, device: &str, out: &mut String) {
        out.push_str(&self.prefix);
        if self.stays(device) {
            out.push_str(device);
        } else {
            encode_into(device, out);
        }
    }

    /// Whether the name has nothing to encode, as most haven't.
    #[inline]
    fn stays(&self, name: &str) -> bool {
        let stays = |byte: u8| self.unreserved.get(usize::from(byte)).is_some_and(|stays| *stays);
        name.bytes().fold(true, |all, byte| all & stays(byte))
    }

    /// Appends the device name, if the rule gives exactly this upstream name for it.
    fn invert(&self, upstream: &str, out: &mut String) -> Result<(), Refusal> {
        let encoded = upstream.strip_prefix(&*self.prefix).ok_or(FOREIGN)?;
        if self.stays(encoded) {
            out.push_str(encoded);
            return Ok(());
        }
        let decoded = decode(encoded).ok_or(FOREIGN)?;
        let mut again = String::with_capacity(encoded.len());
        encode_into(&decoded, &mut again);
        if again != encoded {
            return Err(FOREIGN);
        }
        out.push_str(&decoded);
        Ok(())
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-')
}

fn encode_into(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from_digit(nibble.into(), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
}

fn decode(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit =
                || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            bytes.push((digit()? << 4) | digit()?);
        } else {
            bytes.push(byte);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    let legal = !text.is_empty() && !text.contains(['/', '+', '#', '\0']);
    legal.then_some(text)
}

/// Pairs of names, unique both ways, with further values per device (credentials, for example).
#[derive(Clone, Default)]
pub struct IdentityTable {
    rows: Vec<Row>,
    variables: Vec<Box<str>>,
    by_device: HashMap<Box<str>, usize, RandomState>,
    by_upstream: HashMap<Box<str>, usize, RandomState>,
}

#[derive(Clone)]
struct Row {
    device: Box<str>,
    upstream: Box<str>,
    values: Box<[Box<str>]>,
}

/// Shows the size only: the values may be credentials.
impl std::fmt::Debug for IdentityTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdentityTable({} rows)", self.rows.len())
    }
}

/// A fault of a table's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// Line from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl IdentityTable {
    /// Reads CSV: the first line names the columns, `device`, `upstream`, and any number of variables of the
    /// upstream dialect. Cells may be quoted as RFC 4180 says; empty lines and those that start with `#`
    /// are passed over.
    ///
    /// # Errors
    /// Every fault with its line: missing columns, cells too many or too few, names twice or illegal.
    pub fn parse(text: &str) -> Result<Self, Vec<RowFault>> {
        let mut table = Self::default();
        let mut faults = Vec::new();
        let mut columns: Option<csv::StringRecord> = None;
        let mut options = csv::ReaderBuilder::new();
        options.has_headers(false).flexible(true).comment(Some(b'#')).trim(csv::Trim::All);
        for record in options.from_reader(text.as_bytes()).into_records() {
            let outcome = match (record, &columns) {
                (Err(error), _) => Err((0, error.to_string())),
                (Ok(record), None) => {
                    let read =
                        table.read_header(&record).map_err(|message| (line_of(&record), message));
                    columns = Some(record);
                    read
                }
                (Ok(record), Some(columns)) => {
                    table.read_row(columns, &record).map_err(|message| (line_of(&record), message))
                }
            };
            if let Err((line, message)) = outcome {
                faults.push(RowFault { line, message });
            }
        }
        if columns.is_none() && faults.is_empty() {
            faults.push(RowFault {
                line: 1,
                message: "is empty; the first line is `device,upstream`".to_owned(),
            });
        }
        if faults.is_empty() { Ok(table) } else { Err(faults) }
    }

    /// The number of devices.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no device is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The columns beside the two names.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|name| &**name)
    }

    fn upstream(&self, device: &str) -> Option<&str> {
        self.rows.get(*self.by_device.get(device)?).map(|row| &*row.upstream)
    }

    fn device(&self, upstream: &str) -> Option<&str> {
        self.rows.get(*self.by_upstream.get(upstream)?).map(|row| &*row.device)
    }

    fn value(&self, device: &str, variable: &str) -> Option<&str> {
        let row = self.rows.get(*self.by_device.get(device)?)?;
        let column = self.variables.iter().position(|name| **name == *variable)?;
        row.values.get(column).map(|value| &**value).filter(|value| !value.is_empty())
    }

    fn read_header(&mut self, columns: &csv::StringRecord) -> Result<(), String> {
        for needed in ["device", "upstream"] {
            if columns.iter().filter(|column| *column == needed).count() != 1 {
                return Err(format!(
                    "the first line has to name a column `{needed}` once, as in `device,upstream`"
                ));
            }
        }
        let others = columns.iter().filter(|column| *column != "device" && *column != "upstream");
        self.variables = others.map(Into::into).collect();
        Ok(())
    }

    fn read_row(
        &mut self,
        columns: &csv::StringRecord,
        cells: &csv::StringRecord,
    ) -> Result<(), String> {
        if cells.len() != columns.len() {
            return Err(format!(
                "has {} cells, the first line names {} columns",
                cells.len(),
                columns.len()
            ));
        }
        let mut row = Row { device: "".into(), upstream: "".into(), values: Box::new([]) };
        let mut values: Vec<Box<str>> = Vec::new();
        for (column, cell) in columns.iter().zip(cells) {
            match column {
                "device" => row.device = legal_name(cell, "device")?,
                "upstream" => row.upstream = legal_name(cell, "upstream")?,
                _ => values.push(cell.into()),
            }
        }
        row.values = values.into();
        let place = self.rows.len();
        if self.by_device.insert(row.device.clone(), place).is_some() {
            return Err(format!(
                "device `{}` stands here for the second time; names are unique",
                row.device
            ));
        }
        if self.by_upstream.insert(row.upstream.clone(), place).is_some() {
            return Err(format!(
                "upstream `{}` stands here for the second time; names are unique",
                row.upstream
            ));
        }
        self.rows.push(row);
        Ok(())
    }
}

fn legal_name(cell: &str, column: &str) -> Result<Box<str>, String> {
    if cell.is_empty() || cell.contains(['/', '+', '#', '\0']) {
        return Err(format!(
            "`{cell}` can't be a name in column {column}; names aren't empty and have no `/`, `+` or `#`"
        ));
    }
    Ok(cell.into())
}

fn line_of(record: &csv::StringRecord) -> usize {
    record.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(identity: &Identity, name: &str) -> Result<String, Reason> {
        let mut out = String::new();
        identity.to_upstream(name, &mut out).map(|()| out).map_err(|refusal| refusal.reason)
    }

    fn down(identity: &Identity, name: &str) -> Result<String, Reason> {
        let mut out = String::new();
        identity.to_device(name, &mut out).map(|()| out).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn the_prefix_rule_is_reversible_for_every_name() {
        let rule = Identity::Prefix(PrefixRule::new("d"));
        for (device, upstream) in [
            ("1085266243", "d1085266243"),
            ("a b", "da%20b"),
            ("50%", "d50%25"),
            ("é", "d%C3%A9"),
            ("A-z._~", "dA-z._~"),
            ("..", "d.."),
        ] {
            assert_eq!(up(&rule, device).as_deref(), Ok(upstream));
            assert_eq!(down(&rule, upstream).as_deref(), Ok(device));
        }
    }

    #[test]
    fn a_name_that_the_rule_does_not_give_is_unknown() {
        let rule = Identity::Prefix(PrefixRule::new("d"));
        for upstream in
            ["x1", "d%41", "d%c3%a9", "d%2F", "d%2B", "d%", "d%4", "d%zz", "d%FF", "da b", "d%00"]
        {
            assert_eq!(down(&rule, upstream), Err(Reason::UnknownDevice), "{upstream}");
        }
    }

    #[test]
    fn a_table_maps_both_ways_and_carries_values() {
        let text = "device,upstream,access_key\n# a comment\n1085266243,d8083a34,\"k,1\"\"x\"\n\n7,seven,\n";
        let identity = Identity::Table(IdentityTable::parse(text).unwrap());
        assert_eq!(up(&identity, "1085266243").as_deref(), Ok("d8083a34"));
        assert_eq!(down(&identity, "seven").as_deref(), Ok("7"));
        assert_eq!(up(&identity, "8"), Err(Reason::UnknownDevice));
        assert_eq!(down(&identity, "7"), Err(Reason::UnknownDevice));
        assert_eq!(identity.device_value("1085266243", "access_key"), Some("k,1\"x"));
        assert_eq!(identity.device_value("7", "access_key"), None, "an empty cell is no value");
        assert!(!format!("{identity:?}").contains("k,1"), "values may be credentials");
    }

    #[test]
    fn every_fault_of_a_table_is_reported_with_its_line() {
        let text = "device,upstream\na,1\na,2\nb,1\nc\nd/e,4\n,5\n";
        let faults = IdentityTable::parse(text).err().unwrap();
        let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [3, 4, 5, 6, 7], "{faults:?}");
        assert!(IdentityTable::parse("").is_err());
        assert!(IdentityTable::parse("name,upstream\n").is_err());
    }
}
