//! Documents of whole devices, gathered from messages that say one value each. Where a platform has only the
//! whole document, one value alone would make it forget the others.

use std::collections::VecDeque;
use std::fmt;

use crate::payload::json::{self, JsonError};

/// Bytes of all documents and their topics. Beyond that the ones that changed longest ago are forgotten.
const BYTES_MAX: usize = 65_536;

/// Documents by the topic that they go to, the last changed at the end.
#[derive(Default)]
pub(in crate::translate) struct Documents {
    documents: VecDeque<Document>,
    bytes: usize,
}

struct Document {
    topic: Box<str>,
    json: Vec<u8>,
}

impl Document {
    fn bytes(&self) -> usize {
        self.topic.len() + self.json.len()
    }
}

impl Documents {
    /// Puts the only member of `object` into the document of a topic, and appends all of it to `out`.
    ///
    /// # Errors
    /// `object` isn't a JSON object with one member. Nothing is changed then.
    pub(in crate::translate) fn gather(
        &mut self,
        topic: &str,
        object: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        let at = self.documents.iter().position(|known| *known.topic == *topic);
        let start = out.len();
        let known = at.and_then(|at| self.documents.get(at));
        let known = known.map_or(&b"{}"[..], |known| &known.json);
        json::put_member(known, &json::only_member(object)?, out)?;
        if let Some(old) = at.and_then(|at| self.documents.remove(at)) {
            self.bytes -= old.bytes();
        }
        let json = out.get(start..).unwrap_or(&[]).to_vec();
        self.keep(Document { topic: topic.into(), json });
        Ok(())
    }

    fn keep(&mut self, document: Document) {
        self.bytes += document.bytes();
        self.documents.push_back(document);
        while self.bytes > BYTES_MAX
            && let Some(oldest) = self.documents.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
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
        let mut out = Vec::new();
        documents.gather(topic, object.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
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
        assert!(documents.gather("a", b"7", &mut Vec::new()).is_err());
        assert!(documents.gather("a", b"{}", &mut Vec::new()).is_err());
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
        assert_eq!((documents.documents.len(), documents.bytes), (0, 0));
    }
}
