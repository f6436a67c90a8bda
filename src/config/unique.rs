//! What may stand only once: names of listeners and upstreams, addresses.

use super::address::Address;
use super::faults::{Faults, Place, Said, Wrong};

const NAME_BYTES_MAX: usize = 64;

/// Names are labels of logs and metrics: short, plain, each used once.
pub(super) fn check_names<'n>(
    what: &str,
    names: impl Iterator<Item = &'n Said<String>>,
    faults: &Faults<'_>,
) {
    let mut known: Vec<&str> = Vec::new();
    for name in names {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let length = 1..=NAME_BYTES_MAX;
        if !length.contains(&name.value.len()) || !name.value.bytes().all(legal) {
            let remedy = format!("write up to {NAME_BYTES_MAX} letters, digits, `.`, `_` or `-`");
            faults.at(&name.place, Wrong::new("can't be a label of logs and metrics", remedy));
        } else if known.contains(&name.value.as_str()) {
            let message = format!("another {what} has the name `{}`", name.value);
            faults.at(&name.place, Wrong::new(message, "give each its own"));
        }
        known.push(&name.value);
    }
}

/// Two listeners on one address would share its connections at random.
pub(super) fn check_addresses<'a>(
    addresses: impl Iterator<Item = (&'a Address, &'a Place)>,
    faults: &Faults<'_>,
) {
    let mut taken: Vec<(&Address, &Place)> = Vec::new();
    for (address, place) in addresses {
        if address.port == 0 {
            continue;
        }
        match taken.iter().find(|(other, _)| *other == address) {
            Some((_, other)) => {
                let message = format!("`{address}` is already taken by {}", other.key);
                faults.at(place, Wrong::new(message, "write another port or host"));
            }
            None => taken.push((address, place)),
        }
    }
}
