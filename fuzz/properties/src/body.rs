//! What payloads say: read from any shape, written in any other.

use interlingua::payload::Shape;
use interlingua::payload::body::{
    Body, BodyError, BodyOptions, Carried, ChannelNeed, Content, Context, Name, Origin, Piece,
    Purpose, RawBytes, ReportKey, Transcoded, decode, encode, pieces, take_time, transcode,
};
use interlingua::payload::json::{DEPTH_LIMIT, Member, members, validate};
use interlingua::payload::msgpack::MsgpackOptions;

const TWICE: BodyError = BodyError::Shape("a member stands there twice");

const PURPOSES: [Purpose; 8] = [
    Purpose::Telemetry,
    Purpose::State,
    Purpose::Event,
    Purpose::Response,
    Purpose::Error,
    Purpose::Command,
    Purpose::Config,
    Purpose::Query,
];

/// Bytes: the shapes, the purpose, choices, the length of the topic's channel; then that channel and the payload.
pub fn body(bytes: &[u8]) {
    let Some(([from, to, choice, length], rest)) = bytes.split_first_chunk::<4>() else { return };
    let shape = |byte: &u8| {
        let at = usize::from(*byte) % Shape::WORDS.len();
        Shape::WORDS.get(at).map_or(Shape::Opaque, |(_, shape)| *shape)
    };
    let (source, target) = (shape(from), shape(to));
    let purpose = PURPOSES[usize::from(choice & 7)];
    let (channel, payload) = rest.split_at(rest.len().min(usize::from(length & 31)));
    let Ok(channel) = str::from_utf8(channel) else { return };
    let mut json = Vec::new();
    let payload = match source {
        Shape::Binary => match transcode(payload, &MsgpackOptions::default(), &mut json) {
            Ok(Transcoded::Json) => &json,
            Ok(Transcoded::Raw) => payload,
            Err(_) => return assert!(json.is_empty(), "an error leaves nothing"),
        },
        _ => payload,
    };
    without_time(payload);
    let Ok(content) = decode(source, purpose, payload) else { return };
    sound(&content);
    let way = Translation { source, target, purpose, choice: *choice, channel };
    way.check(&content);
}

/// The member that has the time is taken out, and JSON is left.
fn without_time(payload: &[u8]) {
    let mut out = b"before".to_vec();
    let taken = take_time("ts", payload, &mut out);
    let left = out.split_off(b"before".len());
    assert_eq!(out, b"before");
    match taken {
        Ok(Some(_)) => assert_eq!(validate(&left, DEPTH_LIMIT), Ok(())),
        Ok(None) | Err(_) => assert!(left.is_empty(), "nothing was taken"),
    }
}

/// What was read is what it is said to be.
fn sound(content: &Content<'_>) {
    let json = [content.unit, content.priority, content.inner, content.version, content.updated];
    let json = json.into_iter().chain([content.message, content.beside]).flatten();
    json.for_each(|value| assert_eq!(validate(value, DEPTH_LIMIT), Ok(())));
    if let Body::Json(value) = content.body {
        assert_eq!(validate(value, DEPTH_LIMIT), Ok(()));
    }
}

struct Translation<'t> {
    source: Shape,
    target: Shape,
    purpose: Purpose,
    choice: u8,
    channel: &'t str,
}

impl Translation<'_> {
    fn check(&self, content: &Content<'_>) {
        let flag = |bit: u8| self.choice >> bit & 1 == 1;
        let options = BodyOptions {
            default_channel: flag(3).then(|| "value".into()),
            default_action: flag(3).then(|| "raw".into()),
            raw_as_hex: if flag(4) { RawBytes::Hex } else { RawBytes::Refuse },
            report_key: if flag(5) { ReportKey::Report } else { ReportKey::Value },
            units: Vec::new(),
        };
        let need = if flag(6) { ChannelNeed::Topic } else { ChannelNeed::No };
        let carried = if flag(7) { Carried::InTopic } else { Carried::Nowhere };
        let channel = (!self.channel.is_empty()).then_some(Name::Text(self.channel));
        let mut cut = Vec::new();
        let done = pieces(content, channel, self.target, need, &options, &mut cut);
        assert!(done.is_ok() || cut.is_empty(), "an error leaves nothing");
        // A member costs three bytes at least.
        assert!(cut.len() <= 1 + content.payload.len() / 3, "{} pieces", cut.len());
        let context = Context {
            purpose: self.purpose,
            received_ms: 1_567_677_926_000,
            device: "77",
            serial: 17,
            origin: Origin::default(),
            options: &options,
            layout: None,
        };
        for piece in &cut {
            assert!(need == ChannelNeed::No || piece.channel.is_some(), "no topic without one");
            self.written(content, piece, carried, &context);
        }
    }

    fn written(
        &self,
        content: &Content<'_>,
        piece: &Piece<'_>,
        carried: Carried,
        context: &Context<'_>,
    ) {
        let mut out = b"before".to_vec();
        let done = encode(self.source, self.target, content, piece, carried, context, &mut out);
        let written = out.split_off(b"before".len());
        assert_eq!(out, b"before");
        if done.is_err() {
            return assert!(written.is_empty(), "an error leaves nothing");
        }
        // Hexadecimal digits twice, escapes six times, and the frame.
        let most = 512 + 12 * (content.payload.len() + self.channel.len());
        assert!(written.len() <= most, "{} bytes of {}", written.len(), content.payload.len());
        if self.target.is_json() {
            assert_eq!(validate(&written, DEPTH_LIMIT), Ok(()), "{}", written.escape_ascii());
        }
        // Purposes that a platform has no word for are written by its nearest, and aren't found again in it. A value stays as
        // it came, also with members that stand there twice: those of the frame itself don't.
        let again = decode(self.target, self.purpose, &written);
        let read = match again {
            Ok(_) | Err(BodyError::UnsupportedStatus | TWICE) => true,
            Err(_) => has_no_frame(self.target),
        };
        assert!(has_no_frame(self.target) || has_each_once(&written));
        assert!(read, "{again:?}: {}", written.escape_ascii());
    }
}

fn has_no_frame(shape: Shape) -> bool {
    matches!(
        shape,
        Shape::Opaque
            | Shape::Json
            | Shape::JsonOrNumber
            | Shape::Binary
            | Shape::Empty
            | Shape::Keyed
            | Shape::Members
    )
}

fn has_each_once(object: &[u8]) -> bool {
    let members = members(object).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let members = members.expect("a frame is an object");
    let is_new = |(at, member): (usize, &Member<'_>)| {
        members.iter().take(at).all(|before| !before.key.same(member.key))
    };
    members.iter().enumerate().all(is_new)
}
