//! One device: a blocking connection of MQTT 3.1.1 that publishes and waits for the answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail};
use interlingua::mqtt::{
    AcknowledgementKind, Connect, Disconnect, Packet, PacketIdentifier, Properties, Publish, Qos,
    ReasonCode, Version, next_packet,
};

const VERSION: Version = Version::V311;
const PACKET_SIZE_MAX: usize = 1024 * 1024;

/// A connected device.
pub(crate) struct Device {
    stream: TcpStream,
    received: Vec<u8>,
    last: u16,
}

impl Device {
    /// Connects, and waits for CONNACK 0.
    pub(crate) fn connect(
        address: &str,
        client_identifier: &str,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        let mut device = Self { stream, received: Vec::new(), last: 0 };
        let connect = Connect {
            version: VERSION,
            clean_start: true,
            keep_alive_seconds: 0,
            client_identifier,
            properties: Properties::EMPTY,
            will: None,
            user_name: None,
            password: None,
        };
        let mut bytes = Vec::new();
        connect.encode(&mut bytes)?;
        device.stream.write_all(&bytes)?;
        device.receive(|packet| match packet {
            Packet::Connack(connack) if connack.reason_code == ReasonCode::Success => Ok(()),
            Packet::Connack(connack) => bail!("refused: {}", connack.reason_code.name()),
            other => bail!("{} instead of CONNACK", other.packet_type()),
        })?;
        Ok(device)
    }

    /// Publishes at QoS 1, and waits for the PUBACK.
    pub(crate) fn publish(&mut self, topic_name: &str, payload: &[u8]) -> anyhow::Result<()> {
        self.last = self.last.checked_add(1).unwrap_or(1);
        let packet_identifier = PacketIdentifier::new(self.last);
        let publish = Publish {
            dup: false,
            qos: Qos::AtLeastOnce,
            retain: false,
            topic_name,
            packet_identifier,
            properties: Properties::EMPTY,
            payload,
        };
        let mut bytes = Vec::new();
        publish.encode(VERSION, &mut bytes)?;
        self.stream.write_all(&bytes)?;
        self.receive(|packet| match packet {
            Packet::Acknowledgement(given)
                if given.kind == AcknowledgementKind::Puback
                    && Some(given.packet_identifier) == packet_identifier =>
            {
                Ok(())
            }
            other => bail!("{} instead of its PUBACK", other.packet_type()),
        })
    }

    /// Says good-bye.
    pub(crate) fn disconnect(mut self) -> anyhow::Result<()> {
        let disconnect =
            Disconnect { reason_code: ReasonCode::Success, properties: Properties::EMPTY };
        let mut bytes = Vec::new();
        disconnect.encode(VERSION, &mut bytes)?;
        self.stream.write_all(&bytes)?;
        Ok(())
    }

    /// Waits for the next packet.
    fn receive(
        &mut self,
        take: impl FnOnce(Packet<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(raw) = next_packet(&self.received, VERSION, PACKET_SIZE_MAX)? {
                let length = raw.bytes.len();
                let outcome = take(Packet::decode(raw, VERSION)?);
                self.received.drain(..length);
                return outcome;
            }
            let read = self.stream.read(&mut buffer).context("no answer in time")?;
            if read == 0 {
                bail!("the connection was closed");
            }
            self.received.extend_from_slice(&buffer[..read]);
        }
    }
}
