//! Layouts: payload frames that a table declares, as a tree of members that says where in a JSON object the value,
//! its time, its identifier and its channel stand.
//!
//! What it's not: reading or writing; `body` does both by the tree.
//! Invariant: a layout has one body and every other place at most once, and no place is inside another.

/// How many members a path has at most.
pub const LAYOUT_DEPTH_MAX: usize = 8;

/// A frame with the name that a table gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    name: Box<str>,
    members: Vec<Member>,
}

/// A member of one of the frame's objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: Box<str>,
    pub(super) place: Place,
}

/// What stands under a member's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The end of a path.
    Slot(Slot),
    /// An object that paths lead through.
    Object(Vec<Member>),
}

/// What stands at the end of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// The value.
    Body,
    /// When it was.
    Timestamp(TimeSpelling),
    /// Which command it is, or belongs to.
    Identifier,
    /// What the value is about.
    Channel,
    /// Always the same; nobody looks at it when a payload is read.
    Constant(Constant),
}

/// How a frame spells its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeSpelling {
    /// Whole seconds since 1970.
    #[default]
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// `"2019-09-05T10:05:26.000Z"`
    Iso,
}

impl TimeSpelling {
    /// Every spelling with the word that tables write.
    pub const WORDS: [(&'static str, TimeSpelling); 3] = [
        ("seconds", TimeSpelling::Seconds),
        ("milliseconds", TimeSpelling::Milliseconds),
        ("iso", TimeSpelling::Iso),
    ];
}

/// A value that a frame always has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constant {
    /// A string.
    Text(Box<str>),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Flag(bool),
}

/// Why a slot has no place in a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The path is empty, or has two dots in a row or one at an end.
    #[error("has a member without a name")]
    NoName,
    /// More members than [`LAYOUT_DEPTH_MAX`].
    #[error("is more than {LAYOUT_DEPTH_MAX} members deep")]
    TooDeep,
    /// Something else stands at the same path.
    #[error("is taken already")]
    Taken,
    /// One of the two paths leads through the end of the other.
    #[error("is inside another value, or has one inside")]
    Crossing,
    /// There is such a slot already; only constants may be several.
    #[error("is there twice")]
    Twice,
    /// None of the slots is the body.
    #[error("the body has no place")]
    NoBody,
}

/// What is wrong with one of the slots that were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayoutFault {
    /// Which one; their number where the layout as a whole is meant.
    pub at: usize,
    /// What is wrong.
    pub error: LayoutError,
}

impl Layout {
    /// Puts each slot at its path: names of members with dots between. Members are written in this order.
    ///
    /// # Errors
    /// Every slot that has no place, and a missing body.
    pub fn new(name: &str, slots: &[(&str, Slot)]) -> Result<Self, Vec<LayoutFault>> {
        let mut members = Vec::new();
        let mut faults = Vec::new();
        for (at, (path, slot)) in slots.iter().enumerate() {
            let mut earlier = slots.iter().take(at);
            let placed = if earlier.any(|(_, other)| other.excludes(slot)) {
                Err(LayoutError::Twice)
            } else {
                let path: Vec<&str> = path.split('.').collect();
                place(&mut members, &path, slot)
            };
            faults.extend(placed.err().map(|error| LayoutFault { at, error }));
        }
        if !slots.iter().any(|(_, slot)| *slot == Slot::Body) {
            faults.push(LayoutFault { at: slots.len(), error: LayoutError::NoBody });
        }
        if faults.is_empty() { Ok(Self { name: name.into(), members }) } else { Err(faults) }
    }

    /// The name that tables write as the shape.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether payloads of one may stand for payloads of the other, whatever the two are called.
    #[must_use]
    pub fn is_same_frame(&self, other: &Self) -> bool {
        self.members == other.members
    }

    /// How the time is spelled, if the frame has one.
    #[must_use]
    pub fn timestamp(&self) -> Option<TimeSpelling> {
        find(&self.members, |slot| match slot {
            Slot::Timestamp(spelling) => Some(*spelling),
            _ => None,
        })
    }

    /// Whether the frame says which command it is, or belongs to.
    #[must_use]
    pub fn has_identifier(&self) -> bool {
        find(&self.members, |slot| (*slot == Slot::Identifier).then_some(())).is_some()
    }

    /// Whether the frame says what the value is about.
    #[must_use]
    pub fn has_channel(&self) -> bool {
        find(&self.members, |slot| (*slot == Slot::Channel).then_some(())).is_some()
    }

    /// The members of the outermost object.
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }
}

impl Place {
    /// Whether anything in it is looked at when a payload is read.
    pub(super) fn is_read(&self) -> bool {
        match self {
            Self::Slot(slot) => !matches!(slot, Slot::Constant(_)),
            Self::Object(members) => members.iter().any(|member| member.place.is_read()),
        }
    }
}

impl Slot {
    /// Whether a layout with this slot can't have the other as well.
    fn excludes(&self, other: &Self) -> bool {
        let both_timestamps = matches!((self, other), (Self::Timestamp(_), Self::Timestamp(_)));
        both_timestamps || (self == other && !matches!(self, Self::Constant(_)))
    }
}

fn place(members: &mut Vec<Member>, path: &[&str], slot: &Slot) -> Result<(), LayoutError> {
    if path.iter().any(|name| name.is_empty()) {
        return Err(LayoutError::NoName);
    }
    if path.len() > LAYOUT_DEPTH_MAX {
        return Err(LayoutError::TooDeep);
    }
    put(members, path, slot)
}

fn put(members: &mut Vec<Member>, path: &[&str], slot: &Slot) -> Result<(), LayoutError> {
    let Some((name, rest)) = path.split_first() else { return Err(LayoutError::NoName) };
    let known = members.iter_mut().find(|member| *member.name == **name);
    match (known.map(|member| &mut member.place), rest) {
        (Some(Place::Object(inner)), [_, ..]) => put(inner, rest, slot),
        (Some(Place::Slot(_)), []) => Err(LayoutError::Taken),
        (Some(_), _) => Err(LayoutError::Crossing),
        (None, []) => {
            members.push(Member { name: (*name).into(), place: Place::Slot(slot.clone()) });
            Ok(())
        }
        (None, _) => {
            let mut inner = Vec::new();
            put(&mut inner, rest, slot)?;
            members.push(Member { name: (*name).into(), place: Place::Object(inner) });
            Ok(())
        }
    }
}

/// What the first slot is that `wanted` knows.
fn find<T>(members: &[Member], wanted: fn(&Slot) -> Option<T>) -> Option<T> {
    members.iter().find_map(|member| match &member.place {
        Place::Slot(slot) => wanted(slot),
        Place::Object(inner) => find(inner, wanted),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(slots: &[(&str, Slot)]) -> Vec<(usize, LayoutError)> {
        let faults = Layout::new("report", slots).err().unwrap_or_default();
        faults.iter().map(|fault| (fault.at, fault.error)).collect()
    }

    fn spelled(members: &[Member]) -> String {
        let member = |member: &Member| match &member.place {
            Place::Slot(_) => member.name.to_string(),
            Place::Object(inner) => format!("{}{{{}}}", member.name, spelled(inner)),
        };
        members.iter().map(member).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn paths_become_a_tree_in_the_order_of_the_slots() {
        let slots = [
            ("data.value", Slot::Body),
            ("meta.time.at", Slot::Timestamp(TimeSpelling::Iso)),
            ("meta.id", Slot::Identifier),
            ("v", Slot::Constant(Constant::Integer(1))),
            ("data.kind", Slot::Constant(Constant::Text("k".into()))),
        ];
        let layout = Layout::new("report", &slots).unwrap();
        assert_eq!(spelled(layout.members()), "data{value kind} meta{time{at} id} v");
        assert_eq!((layout.name(), layout.timestamp()), ("report", Some(TimeSpelling::Iso)));
        assert!(layout.has_identifier() && !layout.has_channel());
        assert!(layout.members()[0].place.is_read() && !layout.members()[2].place.is_read());
        let again = Layout::new("other", &slots).unwrap();
        assert!(layout != again && layout.is_same_frame(&again));
        let bare = Layout::new("report", &slots[..1]).unwrap();
        assert!(!layout.is_same_frame(&bare) && bare.timestamp().is_none());
    }

    #[test]
    fn each_slot_without_a_place_is_told() {
        use LayoutError::*;
        let body = |path| (path, Slot::Body);
        let constant = |path| (path, Slot::Constant(Constant::Flag(true)));
        for path in ["", ".", "a..b", ".a", "a."] {
            assert_eq!(faults(&[body(path)]), [(0, NoName)], "{path}");
        }
        assert_eq!(faults(&[body("a.b.c.d.e.f.g.h")]), []);
        assert_eq!(faults(&[body("a.b.c.d.e.f.g.h.i")]), [(0, TooDeep)]);
        assert_eq!(faults(&[body("a"), constant("a")]), [(1, Taken)]);
        assert_eq!(faults(&[body("a"), constant("a.b")]), [(1, Crossing)]);
        assert_eq!(faults(&[body("a.b"), constant("a")]), [(1, Crossing)]);
        assert_eq!(faults(&[body("a.b"), constant("a.c"), constant("b")]), []);
        let seconds = ("s", Slot::Timestamp(TimeSpelling::Seconds));
        let iso = ("i", Slot::Timestamp(TimeSpelling::Iso));
        assert_eq!(faults(&[body("a"), body("b"), seconds, iso]), [(1, Twice), (3, Twice)]);
        assert_eq!(faults(&[]), [(0, NoBody)]);
        assert_eq!(faults(&[constant("a"), constant("")]), [(1, NoName), (2, NoBody)]);
    }
}
