//! A session that is kept to its own device: topics that name another one are refused, under the names that they come with.
//! What they become names the same device, since identity rules are one to one. The same for the tenant, site and gateway that
//! the device's certificate or client identifier says; those have one name on both sides.

use crate::dialect::Part;

use super::connect::{Place, SessionNames};
use super::lane::Found;
use super::reason::{Reason, Refusal};
use super::render::Source;
use super::translator::Way;

pub(crate) const OTHER: Refusal =
    Refusal::new(Reason::AccessDenied, "the topic names another device than the session's own");
pub(crate) const ELSEWHERE: Refusal = Refusal::new(
    Reason::AccessDenied,
    "the topic names another tenant, site or gateway than the session's own",
);

/// The one device that a session may speak and ask about.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    device: Box<str>,
    upstream_device: Box<str>,
    places: Box<[Place]>,
}

impl Own {
    /// `None` where the session doesn't know its device; such a session may not be kept to it.
    pub(crate) fn of(names: &SessionNames, places: &[Place]) -> Option<Self> {
        let (device, upstream_device) = (names.device.clone()?, names.upstream_device.clone()?);
        Some(Self { device, upstream_device, places: places.into() })
    }

    /// The session's own tenant, site or gateway, where that is known.
    pub(crate) fn place(&self, part: Part) -> Option<&str> {
        self.places.iter().find(|(own, _)| *own == part).map(|(_, name)| &**name)
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
        if named.is_some_and(|(_, source)| source.text(&found.captures) != &**own) {
            return Err(OTHER);
        }
        if self.places.is_empty() { Ok(()) } else { self.check_places(found) }
    }

    /// What is configured is everybody's.
    fn check_places(&self, found: &Found<'_, '_>) -> Result<(), Refusal> {
        let elsewhere = found.route.parts.iter().any(|(part, source)| {
            let named = matches!(source, Source::Slot(_)).then(|| source.text(&found.captures));
            self.place(*part).is_some_and(|own| named.is_some_and(|named| named != own))
        });
        if elsewhere { Err(ELSEWHERE) } else { Ok(()) }
    }
}
