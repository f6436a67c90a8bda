//! A session that is kept to its own device: topics that name another one are refused, under the names that they come with.
//! What they become names the same device, since identity rules are one to one.

use crate::dialect::Part;

use super::connect::SessionNames;
use super::lane::Found;
use super::reason::{Reason, Refusal};
use super::translator::Way;

pub(crate) const OTHER: Refusal =
    Refusal::new(Reason::AccessDenied, "the topic names another device than the session's own");

/// The one device that a session may speak and ask about.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    device: Box<str>,
    upstream_device: Box<str>,
}

impl Own {
    /// `None` where the session doesn't know its device; such a session may not be kept to it.
    pub(crate) fn of(names: &SessionNames) -> Option<Self> {
        let (device, upstream_device) = (names.device.clone()?, names.upstream_device.clone()?);
        Some(Self { device, upstream_device })
    }

    /// Whether a name in the device's dialect is its own.
    pub(crate) fn is(&self, device: &str) -> bool {
        *self.device == *device
    }

    /// A topic that comes on this way, with the route that it has.
    ///
    /// # Errors
    /// When it names another device.
    #[inline]
    pub(crate) fn check(&self, way: Way, found: &Found<'_, '_>) -> Result<(), Refusal> {
        let own = match way {
            Way::Up => &self.device,
            Way::Down => &self.upstream_device,
        };
        let named = found.route.parts.iter().find(|(part, _)| *part == Part::Device);
        match named {
            Some((_, source)) if source.text(&found.captures) != &**own => Err(OTHER),
            _ => Ok(()),
        }
    }
}
