//! A small MQTT client: what plays the devices and the application.
//!
//! One socket, QoS 1, no reconnecting. Invariant: what it returns as received came off its socket.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::mqtt::{
    Acknowledgement, AcknowledgementKind, Connack, Connect, Packet, PacketIdentifier, Properties,
    Property, PropertyBuffer, PropertyIdentifier, Publish, Qos, ReasonCode, RetainHandling, Suback,
    Subscription, Version, encode_subscribe, next_packet,
};

/// How long an answer or a message may take. On one machine it takes milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a packet.
const PACKET_SIZE_MAX: usize = 512 * 1024;

/// How a client introduces itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Introduction {
    pub(super) version: Version,
    pub(super) client_identifier: &'static str,
    pub(super) user_name: Option<&'static str>,
    pub(super) password: Option<&'static str>,
}

/// A message that came.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) topic_name: String,
    pub(super) payload: Vec<u8>,
    pub(super) response_topic: Option<String>,
}

#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    version: Version,
    taken: Vec<u8>,
    out: Vec<u8>,
    inbox: VecDeque<Received>,
    last_identifier: u16,
}

/// What came, apart from messages.
enum Answer {
    Connack(ReasonCode),
    Puback(PacketIdentifier, ReasonCode),
    Suback(PacketIdentifier, Vec<u8>),
    Message,
}

impl Client {
    /// Connects and waits until it is let in. Without keep alive: nobody sends pings here.
    pub(super) async fn connect(
        address: SocketAddr,
        introduction: Introduction,
    ) -> anyhow::Result<Self> {
        let Introduction { version, client_identifier, user_name, password } = introduction;
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("{address} can't be reached"))?;
        stream.set_nodelay(true)?;
        let (taken, inbox) = (Vec::new(), VecDeque::new());
        let mut client =
            Self { stream, version, taken, out: Vec::new(), inbox, last_identifier: 0 };
        let connect = Connect {
            version,
            clean_start: true,
            keep_alive_seconds: 0,
            client_identifier,
            properties: Properties::EMPTY,
            will: None,
            user_name,
            password: password.map(str::as_bytes),
        };
        connect.encode(&mut client.out)?;
        match client.answer("CONNACK").await? {
            Answer::Connack(ReasonCode::Success) => Ok(client),
            Answer::Connack(refusal) => {
                bail!("`{client_identifier}` is refused: {}", refusal.name())
            }
            _ => bail!("something else came before CONNACK"),
        }
    }

    /// Subscribes with QoS 1 and waits until it is granted.
    pub(super) async fn subscribe(&mut self, topic_filter: &str) -> anyhow::Result<()> {
        let number = self.next_identifier();
        let subscription = Subscription {
            topic_filter,
            qos: Qos::AtLeastOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::DoNotSend,
        };
        encode_subscribe(self.version, number, Properties::EMPTY, &[subscription], &mut self.out)?;
        loop {
            match self.answer("SUBACK").await? {
                Answer::Suback(theirs, codes) if theirs == number => {
                    return match codes.first() {
                        Some(0..=2) => Ok(()),
                        _ => bail!("the subscription to `{topic_filter}` is refused"),
                    };
                }
                _ => {}
            }
        }
    }

    /// Publishes with QoS 1 and waits until it is acknowledged. Response topics are for 5.
    pub(super) async fn publish(
        &mut self,
        topic_name: &str,
        payload: &[u8],
        response_topic: Option<&str>,
    ) -> anyhow::Result<()> {
        let number = self.next_identifier();
        let mut properties = PropertyBuffer::new();
        if let Some(response_topic) = response_topic {
            properties.push(Property::ResponseTopic(response_topic))?;
        }
        let publish = Publish {
            dup: false,
            qos: Qos::AtLeastOnce,
            retain: false,
            topic_name,
            packet_identifier: Some(number),
            properties: properties.properties(),
            payload,
        };
        publish.encode(self.version, &mut self.out)?;
        loop {
            match self.answer("PUBACK").await? {
                Answer::Puback(theirs, reason) if theirs == number => {
                    if reason.is_error() {
                        bail!("the message to `{topic_name}` is refused: {}", reason.name());
                    }
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    /// The next message, as long as it takes. Can be given up at any time: nothing is lost.
    pub(super) async fn receive(&mut self) -> anyhow::Result<Received> {
        loop {
            if let Some(message) = self.inbox.pop_front() {
                self.flush().await?;
                return Ok(message);
            }
            self.advance().await?;
        }
    }

    async fn answer(&mut self, what: &str) -> anyhow::Result<Answer> {
        match timeout(PATIENCE, self.advance()).await {
            Ok(outcome) => outcome,
            Err(_) => bail!("no {what} within {} s", PATIENCE.as_secs()),
        }
    }

    /// Takes the next packet.
    async fn advance(&mut self) -> anyhow::Result<Answer> {
        loop {
            self.flush().await?;
            if let Some(answer) = self.take_next()? {
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.taken).await? == 0 {
                bail!("the connection was closed from the other side");
            }
        }
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        while !self.out.is_empty() {
            let length = self.stream.write(&self.out).await?;
            self.out.drain(..length);
        }
        Ok(())
    }

    fn take_next(&mut self) -> anyhow::Result<Option<Answer>> {
        let Some(raw) = next_packet(&self.taken, self.version, PACKET_SIZE_MAX)? else {
            return Ok(None);
        };
        let length = raw.bytes.len();
        let answer = match Packet::decode(raw, self.version)? {
            Packet::Connack(Connack { reason_code, .. }) => Answer::Connack(reason_code),
            Packet::Acknowledgement(Acknowledgement { packet_identifier, reason_code, .. }) => {
                Answer::Puback(packet_identifier, reason_code)
            }
            Packet::Suback(Suback { packet_identifier, reason_codes, .. }) => {
                Answer::Suback(packet_identifier, reason_codes.to_vec())
            }
            Packet::Publish(publish) => {
                self.inbox.push_back(Received::of(&publish));
                if let Some(number) = publish.packet_identifier {
                    Acknowledgement::success(AcknowledgementKind::Puback, number)
                        .encode(self.version, &mut self.out)?;
                }
                Answer::Message
            }
            Packet::Disconnect(disconnect) => {
                bail!("disconnected: {}", disconnect.reason_code.name())
            }
            other => bail!("{:?} came unexpectedly", other.packet_type()),
        };
        self.taken.drain(..length);
        Ok(Some(answer))
    }

    fn next_identifier(&mut self) -> PacketIdentifier {
        loop {
            self.last_identifier = self.last_identifier.wrapping_add(1);
            if let Some(number) = PacketIdentifier::new(self.last_identifier) {
                return number;
            }
        }
    }
}

impl Received {
    fn of(publish: &Publish<'_>) -> Self {
        let response_topic = match publish.properties.find(PropertyIdentifier::ResponseTopic) {
            Some(Property::ResponseTopic(topic_name)) => Some(topic_name.to_owned()),
            _ => None,
        };
        let (topic_name, payload) = (publish.topic_name.to_owned(), publish.payload.to_vec());
        Self { topic_name, payload, response_topic }
    }
}
