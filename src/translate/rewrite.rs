//! Messages whose payload has to be rewritten: read by the source's shape, cut into pieces where the target has a
//! topic for each, written by the target's shape. What can't be said faithfully is refused; nothing of it is sent.

use crate::dialect::{Kind, Part};
use crate::mqtt::Qos;
use crate::payload::body::{
    self, BodyError, Carried, ChannelNeed, Content, Context, Manner, Name, Origin, Piece, Purpose,
    Transcoded,
};
use crate::payload::json::RawString;
use crate::payload::msgpack::{self, MsgpackOptions, Scalars};
use crate::payload::{Passage, Shape};

use super::lane::Found;
use super::memory::Memory;
use super::message::{Incoming, Scratch};
use super::options::{BinaryRule, PayloadOptions};
use super::reason::{Note, Notes, Reason, Refusal};
use super::recall;
use super::render::Toward;
use super::target::Target;
use super::translator::{Pair, clamped_qos, clamped_retain, notes_of};

/// What a rewriting needs to know of the pair and the message.
pub(super) struct Rewriting<'r, 't> {
    pub(super) pair: &'r Pair,
    pub(super) toward: Toward,
    pub(super) found: &'r Found<'r, 't>,
    pub(super) message: &'r Incoming<'t>,
}

/// One content on its way to one target.
struct Writing<'w, 'p> {
    shape: Shape,
    content: &'w Content<'p>,
    carried: Carried,
    target: &'w Target,
    context: Context<'w>,
}

/// What outlives the message.
pub(super) struct Kept<'k> {
    pub(super) memory: &'k mut Memory,
    pub(super) scratch: &'k mut Scratch,
}

const TOO_MANY: Refusal =
    Refusal::new(Reason::PayloadTooLarge, "one message would become more than the limit");
const TOO_LARGE: Refusal = Refusal::new(
    Reason::PayloadTooLarge,
    "the rewritten payload is larger than the platform takes",
);

impl Rewriting<'_, '_> {
    /// Appends the messages that this one becomes.
    pub(super) fn run(&self, target: &Target, kept: &mut Kept<'_>) -> Result<(), Refusal> {
        let shape = self.found.route.shape;
        let mut json = std::mem::take(&mut kept.scratch.json);
        json.clear();
        let outcome = self.read(shape, target, &mut json).and_then(|read| {
            let payload = if read == Transcoded::Json { &json[..] } else { self.message.payload };
            // MessagePack that was read is JSON from here on.
            let shape = if read == Transcoded::Json { Shape::Json } else { shape };
            self.write_all(shape, payload, target, kept)
        });
        kept.scratch.json = json;
        outcome
    }

    fn options(&self) -> &PayloadOptions {
        &self.pair.device.payload
    }

    /// Turns MessagePack into JSON where it is some.
    fn read(
        &self,
        shape: Shape,
        target: &Target,
        json: &mut Vec<u8>,
    ) -> Result<Transcoded, Refusal> {
        let options = self.options();
        let as_it_is = target.manner == Manner::Envelope && options.binary == BinaryRule::Raw;
        if shape != Shape::Binary || as_it_is {
            return Ok(Transcoded::Raw);
        }
        let read = body::transcode(self.message.payload, &options.msgpack, json);
        match (read, options.binary) {
            (Ok(Transcoded::Json), _) => Ok(Transcoded::Json),
            (_, BinaryRule::DecodeStrict) => Err(self.why_not_msgpack(json)),
            (_, BinaryRule::Raw | BinaryRule::Decode) => Ok(Transcoded::Raw),
        }
    }

    /// What keeps bytes from being one MessagePack map or array.
    fn why_not_msgpack(&self, json: &mut Vec<u8>) -> Refusal {
        let options = MsgpackOptions { scalars: Scalars::Accept, ..self.options().msgpack.clone() };
        match msgpack::to_json(self.message.payload, &options, json) {
            Err(error) => refusal(BodyError::Payload(error)),
            Ok(_) => {
                Refusal::new(Reason::MsgpackInvalid, "the payload is neither a map nor an array")
            }
        }
    }

    fn write_all(
        &self,
        shape: Shape,
        payload: &[u8],
        target: &Target,
        kept: &mut Kept<'_>,
    ) -> Result<(), Refusal> {
        let route = self.found.route;
        let (known, mut untimed);
        untimed = Vec::new();
        let time = self.taken_time(shape, payload, target, &mut untimed)?;
        // An envelope has the payload as it came.
        let taken = time.is_some() && target.manner != Manner::Envelope;
        let payload = if taken { &untimed } else { payload };
        let meant = purpose(route.kind);
        let content = match &route.layout {
            Some(layout) => body::decode_layout(layout, meant, payload),
            None => body::decode(shape, meant, payload),
        };
        let mut content = content.map_err(refusal)?;
        content.timestamp_ms = time.or(content.timestamp_ms);
        let channel =
            route.channel.as_ref().map(|source| Name::Text(source.text(&self.found.captures)));
        if route.kind == Kind::Response {
            let device = self.named_here(Part::Device).unwrap_or("");
            known = recall::identifier(&content, device, channel, kept.memory);
            content.identifier = content.identifier.or(known.as_deref().and_then(RawString::of));
        }
        self.write(shape, &content, channel, target, kept)?;
        if let (Some(beside), Some(companion)) = (content.beside, &route.companion) {
            let content = body::decode(Shape::Json, Purpose::State, beside).map_err(refusal)?;
            self.write(Shape::Json, &content, None, companion, kept)?;
        }
        Ok(())
    }

    /// Takes the time out of the values where the target has a place of its own for it; `rest` gets the others.
    fn taken_time(
        &self,
        shape: Shape,
        payload: &[u8],
        target: &Target,
        rest: &mut Vec<u8>,
    ) -> Result<Option<u64>, Refusal> {
        let Some(key) = &self.options().time_key else { return Ok(None) };
        let values =
            matches!(
                shape,
                Shape::Json | Shape::JsonOrNumber | Shape::Opaque | Shape::Binary | Shape::Members
            ) && matches!(self.found.route.kind, Kind::Telemetry | Kind::State | Kind::Event);
        let timed = matches!(
            target.shape,
            Shape::Mqtt2goReport | Shape::Mqtt2goEvent | Shape::XyteTelemetry
        ) || target.layout.as_ref().is_some_and(|layout| layout.timestamp().is_some());
        if !values || !(timed || target.manner == Manner::Envelope) {
            return Ok(None);
        }
        body::take_time(key, payload, rest).map_err(refusal)
    }

    /// Writes the pieces of one content to one target.
    fn write(
        &self,
        shape: Shape,
        content: &Content<'_>,
        channel: Option<Name<'_>>,
        target: &Target,
        kept: &mut Kept<'_>,
    ) -> Result<(), Refusal> {
        let options = &self.options().body;
        let mut device = String::new();
        device_there(self.pair, self.toward, self.found, &mut device)?;
        let (kind, address) = match target.manner {
            Manner::Envelope => (self.kind_of(content).to_string(), self.address_here()),
            _ => (String::new(), Vec::new()),
        };
        let origin = Origin { platform: self.platform(), kind: &kind, address: &address };
        let context = Context {
            origin,
            purpose: purpose(target.kind),
            received_ms: kept.scratch.received_ms,
            device: &device,
            serial: kept.scratch.next_serial(),
            options,
            layout: target.layout.as_deref(),
        };
        let mut pieces: Vec<Piece<'_>> = Vec::new();
        let need = if target.needs_channel { ChannelNeed::Topic } else { ChannelNeed::No };
        // A manner of its own has the whole content in one message.
        let cut = if target.manner == Manner::Shape { target.shape } else { Shape::Opaque };
        body::pieces(content, channel, cut, need, options, &mut pieces).map_err(refusal)?;
        if pieces.len() > self.options().messages_max.0 {
            return Err(TOO_MANY);
        }
        let carried = if target.carries_channel { Carried::InTopic } else { Carried::Nowhere };
        let writing = Writing { shape, content, carried, target, context };
        pieces.iter().try_for_each(|piece| self.write_piece(&writing, piece, kept))
    }

    /// Writes one piece with its topic.
    fn write_piece(
        &self,
        writing: &Writing<'_, '_>,
        piece: &Piece<'_>,
        Kept { memory, scratch }: &mut Kept<'_>,
    ) -> Result<(), Refusal> {
        let Writing { shape, content, carried, target, context } = writing;
        let mut buffer = String::new();
        let name = spelled(piece.channel.as_ref(), &mut buffer);
        let topic = scratch.topics.len();
        let (captures, topics) = (&self.found.captures, &mut scratch.topics);
        let identity = &self.pair.identity;
        target.render(captures, identity, self.toward, Some(name), topics)?;
        let start = scratch.payloads.len();
        let shapes = (*shape, target.shape);
        let out = &mut scratch.payloads;
        let written =
            body::encode_in(&target.manner, shapes, content, piece, *carried, context, out)
                .map_err(refusal)?;
        if target.gathers && piece.channel.is_some() {
            recall::gather(start, topic, memory, scratch)?;
        }
        if scratch.payloads.len() - start > target.payload_bytes_max {
            return Err(TOO_LARGE);
        }
        let mut notes = notes_of(self.message, target);
        if written.seconds_rounded {
            notes.add(Note::SecondsRounded);
        }
        if written.meta_lost {
            notes.add(Note::MetaLost);
        }
        if self.toward == Toward::Device && target.kind == Kind::Command {
            let own = target.identifies_commands().then_some(context.serial);
            recall::remember(content, context.device, name, own, memory);
        }
        self.place(target, topic, start, notes, scratch);
        Ok(())
    }

    /// A part of the address on the source's side.
    fn named_here(&self, part: Part) -> Option<&str> {
        let mut parts = self.found.route.parts.iter();
        let (_, source) = parts.find(|(known, _)| *known == part)?;
        Some(source.text(&self.found.captures))
    }

    fn place(
        &self,
        target: &Target,
        topic: usize,
        start: usize,
        notes: Notes,
        scratch: &mut Scratch,
    ) {
        let (qos, retain): (Qos, bool) =
            (clamped_qos(self.message, target), clamped_retain(self.message, target));
        if scratch.payloads.get(start..) == Some(self.message.payload) {
            scratch.payloads.truncate(start);
            scratch.push(topic, None, qos, retain, notes);
        } else {
            scratch.push(topic, Some(start), qos, retain, notes);
        }
    }

    /// The dialect that the message was written in.
    fn platform(&self) -> &str {
        match self.toward {
            Toward::Upstream => &self.pair.device.dialect.name,
            Toward::Device => &self.pair.upstream.dialect.name,
        }
    }

    /// What the source takes the content for; the state beside a record has a kind of its own.
    fn kind_of(&self, content: &Content<'_>) -> Kind {
        match content.purpose {
            Purpose::State => Kind::State,
            _ => self.found.route.kind,
        }
    }

    /// The address on the source's side, for an envelope. The customer's name isn't in it.
    fn address_here(&self) -> Vec<(&'static str, &str)> {
        let parts = [Part::Site, Part::Gateway, Part::Device].into_iter();
        parts.filter_map(|part| Some((part.word(), self.named_here(part)?))).collect()
    }
}

/// The device's name on the target's side: for frames that repeat it, and to know that the device has one.
pub(super) fn device_there(
    pair: &Pair,
    toward: Toward,
    found: &Found<'_, '_>,
    out: &mut String,
) -> Result<(), Refusal> {
    let mut parts = found.route.parts.iter();
    let Some((_, source)) = parts.find(|(part, _)| *part == Part::Device) else { return Ok(()) };
    let name = source.text(&found.captures);
    match toward {
        Toward::Upstream => pair.identity.to_upstream(name, out),
        Toward::Device => pair.identity.to_device(name, out),
    }
}

/// The name as a topic has it; `buffer` is for one with escapes.
pub(super) fn spelled<'n>(name: Option<&'n Name<'_>>, buffer: &'n mut String) -> &'n str {
    match name {
        None => "",
        Some(Name::Text(text)) => text,
        Some(Name::Raw(raw)) => raw.plain().unwrap_or_else(|| {
            Name::Raw(*raw).push_to(buffer);
            buffer
        }),
    }
}

/// Whether a route needs this at all, given what the operator chose for binary payloads.
pub(super) fn is_needed(found: &Found<'_, '_>, target: &Target, options: &PayloadOptions) -> bool {
    let reads_binary = found.route.shape == Shape::Binary && options.binary != BinaryRule::Raw;
    target.passage == Passage::Rewrite || (reads_binary && target.shape == Shape::Opaque)
}

fn purpose(kind: Kind) -> Purpose {
    match kind {
        Kind::Telemetry | Kind::Attach | Kind::Detach | Kind::Provision | Kind::Admin => {
            Purpose::Telemetry
        }
        Kind::State => Purpose::State,
        Kind::Event => Purpose::Event,
        Kind::Response => Purpose::Response,
        Kind::Error => Purpose::Error,
        Kind::Command => Purpose::Command,
        Kind::Config => Purpose::Config,
        Kind::Query => Purpose::Query,
    }
}

pub(super) fn refusal(error: BodyError) -> Refusal {
    let (reason, detail) = match error.reason() {
        "payload_not_json" => {
            (Reason::PayloadNotJson, "the other side takes JSON, and the payload isn't")
        }
        "no_channel" => {
            (Reason::NoChannel, "the other side needs a name for the value, and nothing says it")
        }
        "kind_unsupported" => {
            (Reason::KindUnsupported, "the other side has no use for this status")
        }
        "payload_too_large" => {
            (Reason::PayloadTooLarge, "the rewritten payload is larger than the limit")
        }
        "msgpack_invalid" => (Reason::MsgpackInvalid, "the payload isn't MessagePack"),
        "msgpack_trailing" => {
            (Reason::MsgpackTrailing, "there are bytes behind the MessagePack value")
        }
        "number_not_finite" => (Reason::NumberNotFinite, "JSON has no NaN and no infinities"),
        "depth_exceeded" => (Reason::DepthExceeded, "the payload is nested too deeply"),
        "ts_invalid" => (Reason::TsInvalid, "the timestamp isn't one"),
        _ => (Reason::PayloadShape, "the payload can't be said in the other side's shape"),
    };
    Refusal::new(reason, detail)
}
