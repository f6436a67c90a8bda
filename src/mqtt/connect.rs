//! CONNECT, the first packet of every connection.
//!
//! It checks what the packet says, not whether the client may come in. Invariant: absent and empty
//! are different things, for user name and password too.

use super::connect_flags::ConnectFlags;
use super::error::{EncodeError, WireError};
use super::frame::RawPacket;
use super::packet_type::PacketType;
use super::properties::Properties;
use super::property_table::Place;
use super::qos::Qos;
use super::read::Reader;
use super::version::Version;
use super::write;

/// A client's request for a connection.
///
/// ```text
/// +------+----+---------------+-------+-------+------------+----------------+
/// | 0x10 | .. | protocol name | level | flags | keep alive | properties, v5 |
/// +------+----+---------------+-------+-------+------------+----------------+
/// | client identifier | will properties, v5 | will topic | will payload     |
/// +-------------------+---------------------+------------+------------------+
/// | user name         | password            |
/// +-------------------+---------------------+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The protocol, from its name and level.
    pub version: Version,
    /// Clean start; clean session in 3.x.
    pub clean_start: bool,
    /// Seconds; 0: none.
    pub keep_alive_seconds: u16,
    /// Empty: the server shall choose (3.1.1 with a clean session, 5).
    pub client_identifier: &'a str,
    /// Empty before 5.
    pub properties: Properties<'a>,
    /// What to publish when the client vanishes.
    pub will: Option<Will<'a>>,
    /// May be empty and yet be there.
    pub user_name: Option<&'a str>,
    /// Any bytes. May be empty and yet be there.
    pub password: Option<&'a [u8]>,
}

/// The message that a server publishes for a client that has vanished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Will<'a> {
    /// Without wildcards, not empty.
    pub topic_name: &'a str,
    /// Any bytes, at most 65,535.
    pub payload: &'a [u8],
    /// The quality of service to publish it with.
    pub qos: Qos,
    /// Whether to publish it as retained.
    pub retain: bool,
    /// Empty before 5.
    pub properties: Properties<'a>,
}

impl<'a> Connect<'a> {
    /// Reads a CONNECT of any version.
    ///
    /// In 3.1 the flags may announce a user name or password that isn't there (section 3.1: the
    /// remaining length takes precedence), and will QoS and retain without will are disregarded.
    /// 3.1's limit of 23 characters for the client identifier is left to the session.
    ///
    /// # Errors
    /// [`WireError::UnsupportedProtocolVersion`] for any other protocol; flags that contradict each
    /// other; an empty client identifier in 3.1, or in 3.1.1 without clean session
    /// ([MQTT-3.1.3-8]); a will topic that can't be published to; illegal properties; trailing bytes.
    pub fn decode(packet: RawPacket<'a>) -> Result<Self, WireError> {
        packet.expect(PacketType::Connect)?;
        let mut reader = Reader::new(packet.body);
        let version = read_version(&mut reader)?;
        if packet.flags != 0 && version > Version::V31 {
            return Err(WireError::FlagsInvalid {
                packet_type: PacketType::Connect,
                flags: packet.flags,
            });
        }
        let flags = ConnectFlags::read(reader.byte()?, version)?;
        let keep_alive_seconds = reader.two_bytes()?;
        let properties = read_properties(&mut reader, Place::Connect, version)?;
        let client_identifier = reader.string()?;
        if !may_be_client_identifier(client_identifier, flags.clean_start, version) {
            return Err(WireError::ClientIdentifierInvalid);
        }
        let will = match flags.will {
            Some((qos, retain)) => Some(read_will(&mut reader, qos, retain, version)?),
            None => None,
        };
        let missing = |reader: &Reader<'_>| version == Version::V31 && reader.is_empty();
        let user_name =
            if flags.user_name && !missing(&reader) { Some(reader.string()?) } else { None };
        let password =
            if flags.password && !missing(&reader) { Some(reader.binary()?) } else { None };
        reader.finish()?;
        let clean_start = flags.clean_start;
        Ok(Self {
            version,
            clean_start,
            keep_alive_seconds,
            client_identifier,
            properties,
            will,
            user_name,
            password,
        })
    }

    /// Appends the packet, in its own version.
    ///
    /// # Errors
    /// Whatever [`Connect::decode`] would refuse, and lengths that don't fit.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let length = self.length()?;
        write::begin(PacketType::Connect, 0, length, length, out)?;
        write::put_string(self.version.protocol_name(), out);
        out.extend_from_slice(&[self.version.level(), self.flags().byte()]);
        write::put_two_bytes(self.keep_alive_seconds, out);
        write::put_properties(self.properties, self.version, out);
        write::put_string(self.client_identifier, out);
        if let Some(will) = &self.will {
            write::put_properties(will.properties, self.version, out);
            write::put_string(will.topic_name, out);
            write::put_binary(will.payload, out);
        }
        if let Some(user_name) = self.user_name {
            write::put_string(user_name, out);
        }
        if let Some(password) = self.password {
            write::put_binary(password, out);
        }
        Ok(())
    }

    fn flags(&self) -> ConnectFlags {
        ConnectFlags {
            user_name: self.user_name.is_some(),
            password: self.password.is_some(),
            will: self.will.map(|will| (will.qos, will.retain)),
            clean_start: self.clean_start,
        }
    }

    /// Checks everything and measures the body.
    fn length(&self) -> Result<usize, EncodeError> {
        let version = self.version;
        if self.password.is_some() && self.user_name.is_none() && version < Version::V5 {
            return Err(EncodeError::PasswordWithoutUserName);
        }
        if !may_be_client_identifier(self.client_identifier, self.clean_start, version) {
            return Err(EncodeError::ClientIdentifierInvalid);
        }
        let mut length = 2 + version.protocol_name().len() + 4;
        length += write::properties_length(self.properties, Place::Connect, version)?;
        length += write::string_length(self.client_identifier)?;
        if let Some(will) = &self.will {
            if will.topic_name.is_empty() {
                return Err(EncodeError::TopicNameInvalid);
            }
            length += write::properties_length(will.properties, Place::Will, version)?;
            length += write::topic_name_length(will.topic_name)?;
            length += write::binary_length(will.payload)?;
        }
        if let Some(user_name) = self.user_name {
            length += write::string_length(user_name)?;
        }
        if let Some(password) = self.password {
            length += write::binary_length(password)?;
        }
        Ok(length)
    }
}

/// Name and level. The answer to a protocol that isn't known goes out in the form of the nearest one:
/// a level above 4 (without the bridge bit, 0x80) understands CONNACK as of 5.
fn read_version(reader: &mut Reader<'_>) -> Result<Version, WireError> {
    let name = reader.binary()?;
    let level = reader.byte()?;
    Version::from_protocol(name, level).ok_or(WireError::UnsupportedProtocolVersion { level })
}

fn read_properties<'a>(
    reader: &mut Reader<'a>,
    place: Place,
    version: Version,
) -> Result<Properties<'a>, WireError> {
    match version {
        Version::V5 => Properties::read(reader, place),
        Version::V31 | Version::V311 => Ok(Properties::EMPTY),
    }
}

fn read_will<'a>(
    reader: &mut Reader<'a>,
    qos: Qos,
    retain: bool,
    version: Version,
) -> Result<Will<'a>, WireError> {
    let properties = read_properties(reader, Place::Will, version)?;
    let topic_name = reader.topic_name()?;
    if topic_name.is_empty() {
        return Err(WireError::TopicNameInvalid);
    }
    let payload = reader.binary()?;
    Ok(Will { topic_name, payload, qos, retain, properties })
}

/// Only an empty one can be wrong: always in 3.1, without clean session in 3.1.1.
fn may_be_client_identifier(identifier: &str, clean_start: bool, version: Version) -> bool {
    !identifier.is_empty()
        || match version {
            Version::V31 => false,
            Version::V311 => clean_start,
            Version::V5 => true,
        }
}

#[cfg(test)]
mod tests {
    use super::super::frame::next_packet;
    use super::*;

    /// A CONNECT around this body.
    fn packet(body: &[&[u8]]) -> Vec<u8> {
        let body = body.concat();
        let mut bytes = vec![0x10, u8::try_from(body.len()).unwrap()];
        bytes.extend_from_slice(&body);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Connect<'_>, WireError> {
        Connect::decode(next_packet(bytes, Version::V311, 1000)?.unwrap())
    }

    const V31: &[u8] = b"\0\x06MQIsdp\x03";
    const V311: &[u8] = b"\0\x04MQTT\x04";
    const V5: &[u8] = b"\0\x04MQTT\x05";
    /// Keep alive of ten seconds.
    const TEN: &[u8] = &[0, 10];

    #[test]
    fn every_version_comes_back() {
        let bodies: [&[&[u8]]; 7] = [
            &[V31, &[0x02], TEN, b"\0\x01c"],
            &[V311, &[0x00], TEN, b"\0\x01c"],
            &[V311, &[0x02], TEN, b"\0\0"],
            &[V311, &[0xF6], TEN, b"\0\x01c", b"\0\x01w", b"\0\x01\0", b"\0\0", b"\0\x02\xFF\0"],
            &[V5, &[0x00], TEN, b"\0", b"\0\0"],
            &[V5, &[0x40], TEN, b"\x05\x11\0\0\0\x09", b"\0\x01c", b"\0\x01p"],
            &[V5, &[0x0C], TEN, b"\0", b"\0\x01c", b"\x05\x18\0\0\0\x01", b"\0\x01w", b"\0\0"],
        ];
        for body in bodies {
            let bytes = packet(body);
            let connect = decode(&bytes).unwrap();
            assert_eq!(connect.keep_alive_seconds, 10);
            let mut out = b"before".to_vec();
            connect.encode(&mut out).unwrap();
            assert_eq!(out[6..], bytes, "{connect:?}");
        }
    }

    #[test]
    fn empty_is_not_absent_and_a_password_is_binary() {
        let bytes = packet(&[V311, &[0xC2], TEN, b"\0\x01c", b"\0\0", b"\0\x02\xFF\0"]);
        let connect = decode(&bytes).unwrap();
        assert_eq!((connect.user_name, connect.password), (Some(""), Some(&[0xFF, 0][..])));
        let bytes = packet(&[V311, &[0x02], TEN, b"\0\x01c"]);
        let connect = decode(&bytes).unwrap();
        assert_eq!((connect.user_name, connect.password), (None, None));
    }

    #[test]
    fn in_3_1_the_length_takes_precedence_over_the_flags() {
        for (flags, rest) in [(0xC2, &b""[..]), (0x82, b""), (0xC2, b"\0\x01u")] {
            let bytes = packet(&[V31, &[flags], TEN, b"\0\x01c", rest]);
            let connect = decode(&bytes).unwrap();
            assert_eq!(connect.user_name, (!rest.is_empty()).then_some("u"));
            assert_eq!(connect.password, None);
            let bytes = packet(&[V311, &[flags], TEN, b"\0\x01c", rest]);
            assert_eq!(decode(&bytes), Err(WireError::Truncated));
        }
    }

    #[test]
    fn an_unknown_protocol_says_its_level() {
        let cases: [(&[u8], u8); 6] = [
            (b"\0\x04MQTT\x06", 6),
            (b"\0\x04MQTT\x03", 3),
            (b"\0\x06MQIsdp\x04", 4),
            (b"\0\x04MQTT\x84", 0x84),
            (b"\0\x04MQTT\x85", 0x85),
            (b"\0\x01\xFF\x04", 4),
        ];
        for (start, level) in cases {
            let bytes = packet(&[start, b"whatever comes then"]);
            let fault = decode(&bytes).unwrap_err();
            assert_eq!(fault, WireError::UnsupportedProtocolVersion { level });
        }
    }

    #[test]
    fn wrong_packets_are_refused() {
        let cases: &[(&[&[u8]], WireError)] = &[
            (&[V311, &[0x03], TEN, b"\0\x01c"], WireError::ConnectFlagsInvalid),
            (&[V311, &[0x02], TEN], WireError::Truncated),
            (&[V311, &[0x02], TEN, b"\0\x01c!"], WireError::TrailingBytes),
            (&[V311, &[0x00], TEN, b"\0\0"], WireError::ClientIdentifierInvalid),
            (&[V31, &[0x02], TEN, b"\0\0"], WireError::ClientIdentifierInvalid),
            (&[V311, &[0x02], TEN, b"\0\x01\0"], WireError::StringHasNull),
            (&[V311, &[0x42], TEN, b"\0\x01c", b"\0\0"], WireError::PasswordWithoutUserName),
            (&[V311, &[0x1E], TEN, b"\0\x01c", b"\0\x01w\0\0"], WireError::QosInvalid),
            (&[V311, &[0x06], TEN, b"\0\x01c", b"\0\0\0\0"], WireError::TopicNameInvalid),
            (&[V311, &[0x06], TEN, b"\0\x01c", b"\0\x01#\0\0"], WireError::TopicNameInvalid),
            (&[V311, &[0x82], TEN, b"\0\x01c", b"\0\x01\xFF"], WireError::StringNotUtf8),
            (
                &[V5, &[0x02], TEN, b"\x03\x23\0\x01", b"\0\x01c"],
                WireError::PropertyNotAllowed(
                    super::super::property::PropertyIdentifier::TopicAlias,
                ),
            ),
        ];
        for (body, fault) in cases {
            assert_eq!(decode(&packet(body)), Err(*fault), "{body:02X?}");
        }
    }

    #[test]
    fn a_failed_encode_leaves_the_buffer_as_it_was() {
        let bytes = packet(&[V311, &[0x02], TEN, b"\0\x01c"]);
        let good = decode(&bytes).unwrap();
        let long = "x".repeat(65_536);
        let will = Will {
            topic_name: "w",
            payload: b"",
            qos: Qos::AtMostOnce,
            retain: false,
            properties: Properties::EMPTY,
        };
        let cases = [
            (Connect { client_identifier: &long, ..good }, EncodeError::StringTooLong),
            (
                Connect { client_identifier: "", clean_start: false, ..good },
                EncodeError::ClientIdentifierInvalid,
            ),
            (Connect { password: Some(b"p"), ..good }, EncodeError::PasswordWithoutUserName),
            (Connect { user_name: Some("\0"), ..good }, EncodeError::StringHasNull),
            (
                Connect { user_name: Some("u"), password: Some(long.as_bytes()), ..good },
                EncodeError::BinaryTooLong,
            ),
            (
                Connect { will: Some(Will { topic_name: "", ..will }), ..good },
                EncodeError::TopicNameInvalid,
            ),
            (
                Connect { will: Some(Will { payload: long.as_bytes(), ..will }), ..good },
                EncodeError::BinaryTooLong,
            ),
        ];
        let mut out = b"before".to_vec();
        for (connect, fault) in cases {
            assert_eq!(connect.encode(&mut out), Err(fault));
            assert_eq!(out, b"before");
        }
    }
}
