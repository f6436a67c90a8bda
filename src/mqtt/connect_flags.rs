//! The flags byte of CONNECT.
//!
//! Not what the flags announce. Invariant: what is read here doesn't contradict itself.

use super::error::WireError;
use super::qos::Qos;
use super::version::Version;

const USER_NAME: u8 = 0x80;
const PASSWORD: u8 = 0x40;
const WILL_RETAIN: u8 = 0x20;
const WILL_QOS: u8 = 0x18;
const WILL: u8 = 0x04;
const CLEAN_START: u8 = 0x02;
const RESERVED: u8 = 0x01;

/// The connect flags, v5 section 3.1.2.3.
///
/// ```text
///      7          6           5         4 3      2        1            0
/// +-----------+----------+-------------+----------+------+-------------+----------+
/// | user name | password | will retain | will QoS | will | clean start | reserved |
/// +-----------+----------+-------------+----------+------+-------------+----------+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectFlags {
    pub(super) user_name: bool,
    pub(super) password: bool,
    /// QoS and retain of the will, if there is one.
    pub(super) will: Option<(Qos, bool)>,
    pub(super) clean_start: bool,
}

impl ConnectFlags {
    /// Reads the byte: reserved bit 0 [MQTT-3.1.2-3], which 3.1 doesn't use; will QoS and retain 0 without will
    /// [MQTT-3.1.2-11], [MQTT-3.1.2-13], [MQTT-3.1.2-15], which 3.1 disregards instead; no password
    /// without user name in 3.x [MQTT-3.1.2-22].
    pub(super) fn read(byte: u8, version: Version) -> Result<Self, WireError> {
        if byte & RESERVED != 0 && version > Version::V31 {
            return Err(WireError::ConnectFlagsInvalid);
        }
        let will = if byte & WILL != 0 {
            let qos = Qos::from_level((byte & WILL_QOS) >> 3).ok_or(WireError::QosInvalid)?;
            Some((qos, byte & WILL_RETAIN != 0))
        } else if byte & (WILL_QOS | WILL_RETAIN) != 0 && version > Version::V31 {
            return Err(WireError::ConnectFlagsInvalid);
        } else {
            None
        };
        let user_name = byte & USER_NAME != 0;
        let password = byte & PASSWORD != 0;
        if password && !user_name && version < Version::V5 {
            return Err(WireError::PasswordWithoutUserName);
        }
        Ok(Self { user_name, password, will, clean_start: byte & CLEAN_START != 0 })
    }

    /// The byte.
    pub(super) fn byte(self) -> u8 {
        let bit = |flag, bit| if flag { bit } else { 0 };
        let will =
            self.will.map_or(0, |(qos, retain)| WILL | qos.level() << 3 | bit(retain, WILL_RETAIN));
        bit(self.user_name, USER_NAME)
            | bit(self.password, PASSWORD)
            | bit(self.clean_start, CLEAN_START)
            | will
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_one_verdict_per_version() {
        for version in [Version::V31, Version::V311, Version::V5] {
            for byte in 0..=255_u8 {
                let will = byte & 4 != 0;
                let legal = (byte & 1 == 0 || version == Version::V31)
                    && !(will && byte & 0x18 == 0x18)
                    && (will || byte & 0x38 == 0 || version == Version::V31)
                    && (byte & 0xC0 != 0x40 || version == Version::V5);
                let found = ConnectFlags::read(byte, version);
                assert_eq!(found.is_ok(), legal, "{byte:#04x} in {version}");
                if let Ok(flags) = found {
                    let kept = if will { byte & !1 } else { byte & !0x39 };
                    assert_eq!(flags.byte(), kept);
                }
            }
        }
    }
}
