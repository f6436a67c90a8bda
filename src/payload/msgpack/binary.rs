//! Bytes as text: base64 (RFC 4648 section 4, padded) and lower-case hexadecimal.
//!
//! What it's not: a decoder, or a dependency. Thirty lines that append to the caller's buffer are
//! less than the `base64` crate's engine, its slice lengths and its second copy.
//! Invariant: [`encoded_length`] is exact, so that the limit can be checked before writing.

use super::BinEncoding;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// How many bytes [`write`] will append.
pub(super) fn encoded_length(bytes: &[u8], encoding: BinEncoding) -> usize {
    match encoding {
        BinEncoding::Base64 => bytes.len().div_ceil(3).saturating_mul(4),
        BinEncoding::Hex => bytes.len().saturating_mul(2),
    }
}

/// Appends `bytes` as text.
pub(in crate::payload) fn write(bytes: &[u8], encoding: BinEncoding, out: &mut Vec<u8>) {
    match encoding {
        BinEncoding::Base64 => write_base64(bytes, out),
        BinEncoding::Hex => {
            out.extend(bytes.iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 15)]));
        }
    }
}

fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let (triples, tail) = bytes.as_chunks::<3>();
    for [a, b, c] in triples {
        out.extend_from_slice(&sextets(*a, *b, *c));
    }
    match *tail {
        [a] => {
            let [first, second, ..] = sextets(a, 0, 0);
            out.extend_from_slice(&[first, second, b'=', b'=']);
        }
        [a, b] => {
            let [first, second, third, _] = sextets(a, b, 0);
            out.extend_from_slice(&[first, second, third, b'=']);
        }
        _ => {}
    }
}

#[inline]
fn sextets(a: u8, b: u8, c: u8) -> [u8; 4] {
    [a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63]
        .map(|sextet| BASE64.get(usize::from(sextet)).copied().unwrap_or(b'='))
}

#[inline]
fn hex(nibble: u8) -> u8 {
    HEX.get(usize::from(nibble)).copied().unwrap_or(b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], encoding: BinEncoding) -> String {
        let mut out = Vec::new();
        write(bytes, encoding, &mut out);
        assert_eq!(out.len(), encoded_length(bytes, encoding));
        String::from_utf8(out).unwrap()
    }

    /// RFC 4648 section 10.
    #[test]
    fn writes_base64_as_the_rfc_shows() {
        for (plain, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(text(plain.as_bytes(), BinEncoding::Base64), expected);
        }
        assert_eq!(text(&[0xff, 0xef, 0xbe], BinEncoding::Base64), "/+++");
    }

    #[test]
    fn uses_every_character_of_the_alphabet() {
        let bytes: Vec<u8> = (0..=255).collect();
        let written = text(&bytes, BinEncoding::Base64);
        assert!(BASE64.iter().all(|character| written.contains(char::from(*character))));
        assert_eq!(&text(&bytes, BinEncoding::Hex)[506..], "fdfeff");
        assert_eq!(text(&[0x01, 0x02, 0xff], BinEncoding::Hex), "0102ff");
    }
}
