//! Documents of whole devices, gathered from messages that say one value each. Where a platform has only the
//! whole document, one value alone would make it forget the others.

use std::collections::VecDeque;
use std::fmt;

use crate::payload::json::{self, JsonError};

/// Bytes of all documents and their topics. Beyond that the ones that changed longest ago are forgotten.
const BYTES_MAX: usize = 65_536;

/// Documents by the topic that they go to, the last changed at the end.
#[derive(Default)]
pub(super) struct Documents {
    documents: VecDeque<Document>,
    bytes: usize,
}

/// What is known of one device.
pub(super) struct Document {
    topic: Box<str>,
    json: Vec<u8>,
}

impl Document {
    /// The document with the only member of `object` in it, which is also appended to `out`.
    ///
    /// # Errors
    /// `object` isn't a JSON object with one member. `out` is then as it was.
    pub(super) fn gathered(
        known: Option<&Document>,
        topic: &str,
        object: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Self, JsonError> {
        let start = out.len();
        let known = known.map_or(&b"{}"[..], |known| &known.json);
        json::put_member(known, &json::only_member(object)?, out)?;
        let json = out.get(start..).unwrap_or(&[]).to_vec();
        Ok(Self { topic: topic.into(), json })
    }

    pub(super) fn is_of(&self, topic: &str) -> bool {
        *self.topic == *topic
    }

    fn bytes(&self) -> usize {
        self.topic.len() + self.json.len()
    }
}

impl Documents {
    /// The document of a topic.
    pub(super) fn of(&self, topic: &str) -> Option<&Document> {
        self.documents.iter().find(|known| known.is_of(topic))
    }

    /// Keeps a document. One that is larger than all of them may be isn't kept, and takes no other's place.
    pub(super) fn keep(&mut self, document: Document) {
        let old = self.documents.iter().position(|known| known.is_of(&document.topic));
        if let Some(old) = old.and_then(|at| self.documents.remove(at)) {
            self.bytes -= old.bytes();
        }
        if document.bytes() > BYTES_MAX {
            return;
        }
        self.bytes += document.bytes();
        self.documents.push_back(document);
        while self.bytes > BYTES_MAX
            && let Some(oldest) = self.documents.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

/// Topics may hold secrets, and documents are nobody's business.
impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(documents: &mut Documents, topic: &str, object: &str) -> String {
        let mut out = b"before".to_vec();
        let known = documents.of(topic);
        let document = Document::gathered(known, topic, object.as_bytes(), &mut out).unwrap();
        documents.keep(document);
        String::from_utf8(out[6..].to_vec()).unwrap()
    }

    #[test]
    fn values_are_gathered_per_topic() {
        let mut documents = Documents::default();
        assert_eq!(gather(&mut documents, "a", r#"{"switch":"on"}"#), r#"{"switch":"on"}"#);
        assert_eq!(gather(&mut documents, "b", r#"{"dim":3}"#), r#"{"dim":3}"#);
        assert_eq!(gather(&mut documents, "a", r#"{"dim":80}"#), r#"{"switch":"on","dim":80}"#);
        assert_eq!(
            gather(&mut documents, "a", r#"{"switch":"off"}"#),
            r#"{"switch":"off","dim":80}"#
        );
        let bytes: usize = documents.documents.iter().map(Document::bytes).sum();
        assert_eq!(documents.bytes, bytes);
        for wrong in [&b"7"[..], b"{}", b"{\"a\":1,\"b\":2}"] {
            assert!(Document::gathered(None, "a", wrong, &mut Vec::new()).is_err());
        }
        assert_eq!(gather(&mut documents, "a", r#"{"dim":7}"#), r#"{"switch":"off","dim":7}"#);
    }

    #[test]
    fn only_so_many_bytes_are_kept() {
        let mut documents = Documents::default();
        let wide = format!(r#"{{"x":"{}"}}"#, "y".repeat(20_000));
        for topic in ["a", "b", "c", "d"] {
            gather(&mut documents, topic, &wide);
        }
        assert_eq!(gather(&mut documents, "a", r#"{"n":1}"#), r#"{"n":1}"#, "it was the oldest");
        assert!(gather(&mut documents, "d", r#"{"n":1}"#).ends_with(r#","n":1}"#));
        let wider = format!(r#"{{"x":"{}"}}"#, "y".repeat(BYTES_MAX));
        assert_eq!(gather(&mut documents, "e", &wider), wider, "it passes, and isn't kept");
        assert!(documents.of("e").is_none());
        assert!(
            gather(&mut documents, "d", r#"{"n":2}"#).starts_with(r#"{"x":"y"#),
            "nor does it push out"
        );
    }
}
