//! Which packet goes where: what each side may send in which phase.

use crate::mqtt::{
    AcknowledgementKind, Disconnect, PINGREQ, PINGRESP, PacketIdentifier, PacketType, Publish,
    RawPacket, Version, WireError, has_more_properties, next_packet,
};

use crate::translate::Way;

use super::conversation::Session;
use super::end::End;
use super::keep_alive::Asker;
use super::phase::Phase;
use super::wake::Wake;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Taken,
    /// It may not go on now.
    Later,
}

impl Session {
    pub(super) fn next_device_packet<'b>(
        &self,
        bytes: &'b [u8],
    ) -> Result<Option<RawPacket<'b>>, End> {
        let awaits_connect = self.phase == Phase::AwaitConnect;
        if awaits_connect
            && bytes.first().is_some_and(|first| first >> 4 != PacketType::Connect as u8)
        {
            return Err(End::DeviceProtocol("the first packet isn't a CONNECT"));
        }
        let connect_size_max = self.plan.limits.connect_size_max;
        let most = if awaits_connect { connect_size_max } else { self.read_from_device };
        next_packet(bytes, self.version, most).map_err(End::DeviceMalformed)
    }

    /// Whether a packet comes under an identifier that the proxy has lent to one of its own.
    pub(super) fn waits_for_identifier(&self, way: Way, raw: RawPacket<'_>) -> bool {
        let Some(joins) = self.joins.as_deref() else { return false };
        let own = packet_identifier(raw, self.version_of(way));
        own.is_some_and(|own| joins.is_added(way, own))
    }

    pub(super) fn device_packet(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<Step, End> {
        let malformed = End::DeviceMalformed;
        self.check_property_count(Way::Up, raw)?;
        let done = match raw.packet_type {
            PacketType::Connect if self.phase == Phase::AwaitConnect => self.on_connect(raw, wake),
            PacketType::Connect => Err(End::DeviceProtocol("a second CONNECT")),
            PacketType::Publish => return self.publish_up(raw, wake),
            PacketType::Puback => self.acknowledge_down(AcknowledgementKind::Puback, raw, wake),
            PacketType::Pubrec => self.acknowledge_down(AcknowledgementKind::Pubrec, raw, wake),
            PacketType::Pubcomp => self.acknowledge_down(AcknowledgementKind::Pubcomp, raw, wake),
            PacketType::Pubrel => self.release_up(raw, wake),
            PacketType::Subscribe => self.on_subscribe(raw, wake),
            PacketType::Unsubscribe => self.on_unsubscribe(raw, wake),
            PacketType::Pingreq => {
                expect_empty(raw).map_err(malformed)?;
                self.keep_alive.device_pinged();
                // 3.1 may have set flags that it doesn't use.
                let ping = if self.is_verbatim() { raw.bytes } else { &PINGREQ };
                wake.to_upstream.extend_from_slice(ping);
                Ok(())
            }
            PacketType::Disconnect => {
                let disconnect = Disconnect::decode(raw, self.version).map_err(malformed)?;
                self.on_device_disconnect(disconnect, raw, wake)
            }
            PacketType::Auth => self.on_device_auth(raw, wake),
            PacketType::Connack
            | PacketType::Suback
            | PacketType::Unsuback
            | PacketType::Pingresp => Err(End::DeviceProtocol("a packet that only servers send")),
        };
        done.map(|()| Step::Taken)
    }

    pub(super) fn upstream_packet(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<Step, End> {
        if self.phase == Phase::AwaitConnack
            && !matches!(raw.packet_type, PacketType::Connack | PacketType::Auth)
        {
            return Err(End::UpstreamProtocol("a packet before CONNACK"));
        }
        self.check_property_count(Way::Down, raw)?;
        if let Phase::Leaving(end) = self.phase {
            return self.upstream_packet_to_nobody(end, raw, wake).map(|()| Step::Taken);
        }
        let done = match raw.packet_type {
            PacketType::Connack if self.phase == Phase::AwaitConnack => self.on_connack(raw, wake),
            PacketType::Connack => Err(End::UpstreamProtocol("a second CONNACK")),
            PacketType::Publish => return self.publish_down(raw, wake),
            PacketType::Puback => self.acknowledge_up(AcknowledgementKind::Puback, raw, wake),
            PacketType::Pubrec => self.acknowledge_up(AcknowledgementKind::Pubrec, raw, wake),
            PacketType::Pubcomp => self.acknowledge_up(AcknowledgementKind::Pubcomp, raw, wake),
            PacketType::Pubrel => self.release_down(raw, wake),
            PacketType::Suback => self.on_suback(raw, wake),
            PacketType::Unsuback => self.on_unsuback(raw, wake),
            PacketType::Pingresp => self.on_pingresp(raw, wake),
            PacketType::Disconnect if self.upstream_version == Version::V5 => {
                self.on_upstream_disconnect(raw, wake)
            }
            PacketType::Auth => self.on_upstream_auth(raw, wake),
            PacketType::Connect
            | PacketType::Subscribe
            | PacketType::Unsubscribe
            | PacketType::Pingreq
            | PacketType::Disconnect => {
                Err(End::UpstreamProtocol("a packet that only clients send"))
            }
        };
        done.map(|()| Step::Taken)
    }

    /// Whether a packet has more properties than the limit; one that nobody could be answered for ends the session.
    #[inline]
    fn check_property_count(&self, way: Way, raw: RawPacket<'_>) -> Result<(), End> {
        let limits = &self.plan.limits;
        if raw.packet_type == PacketType::Publish || !limits.may_be_many(raw.body.len()) {
            return Ok(());
        }
        match has_more_properties(raw, self.version_of(way), limits.properties_max) {
            true => Err(End::PropertiesExceeded),
            false => Ok(()),
        }
    }

    fn on_pingresp(&mut self, raw: RawPacket<'_>, wake: &mut Wake<'_>) -> Result<(), End> {
        expect_empty(raw).map_err(End::UpstreamMalformed)?;
        match self.keep_alive.answered() {
            Asker::Device => wake.to_device.extend_from_slice(&PINGRESP),
            Asker::Proxy => {}
            Asker::Nobody => {
                return Err(End::UpstreamProtocol("a PINGRESP that nobody asked for"));
            }
        }
        Ok(())
    }
}

/// The identifier under which a packet begins something: a message with QoS, SUBSCRIBE, UNSUBSCRIBE.
pub(super) fn packet_identifier(raw: RawPacket<'_>, version: Version) -> Option<PacketIdentifier> {
    match raw.packet_type {
        PacketType::Publish => Publish::decode(raw, version).ok()?.packet_identifier,
        PacketType::Subscribe | PacketType::Unsubscribe => {
            let (first, _) = raw.body.split_first_chunk()?;
            PacketIdentifier::new(u16::from_be_bytes(*first))
        }
        _ => None,
    }
}

/// PINGREQ and PINGRESP have no body.
fn expect_empty(raw: RawPacket<'_>) -> Result<(), WireError> {
    if raw.body.is_empty() { Ok(()) } else { Err(WireError::TrailingBytes) }
}
