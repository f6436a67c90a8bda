//! Packets of any bytes: what is decoded is encoded to the same packet, and nothing is read past its end.
#![no_main]

use interlingua::mqtt::{Packet, Version, next_packet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for version in [Version::V31, Version::V311, Version::V5] {
        let mut rest = bytes;
        while let Ok(Some(raw)) = next_packet(rest, version, 4096) {
            assert!(raw.bytes.len() <= 4096 && raw.bytes.len() <= rest.len());
            rest = &rest[raw.bytes.len()..];
            let Ok(packet) = Packet::decode(raw, version) else { continue };
            let mut again = Vec::new();
            packet.encode(version, &mut again).expect("what was decoded can be encoded");
            let raw = next_packet(&again, version, usize::MAX).expect("legal").expect("whole");
            assert_eq!(Packet::decode(raw, version).as_ref(), Ok(&packet), "{version}");
        }
    }
});
