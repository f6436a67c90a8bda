//! Two marks of memory, and what holds above each. It takes less than a mark to come down again, so that nothing flutters.

/// How short of memory the process is. The number is a value of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// It isn't.
    Normal = 0,
    /// New sessions are refused.
    Refusing = 1,
    /// Sessions are ended, those that hold the most first.
    Ending = 2,
}

impl Level {
    pub(super) fn of(number: u8) -> Self {
        match number {
            0 => Self::Normal,
            1 => Self::Refusing,
            _ => Self::Ending,
        }
    }
}

/// Where the levels begin, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    refuse: u64,
    end: u64,
    /// So far below a mark its level ends.
    slack: u64,
}

impl Marks {
    /// Marks in percent of what there may be.
    pub(super) fn new(max: u64, refuse_percent: u8, end_percent: u8) -> Self {
        let part =
            |percent: u8| max / 100 * u64::from(percent) + max % 100 * u64::from(percent) / 100;
        let (refuse, end) = (part(refuse_percent), part(end_percent));
        Self { refuse, end, slack: part(5).min(refuse / 2) }
    }

    /// The level with so many bytes in use, after another one.
    pub(super) fn level(&self, before: Level, used: u64) -> Level {
        let is_above = |mark: u64, level: Level| {
            used >= if before >= level { mark - self.slack } else { mark }
        };
        match () {
            () if is_above(self.end, Level::Ending) => Level::Ending,
            () if is_above(self.refuse, Level::Refusing) => Level::Refusing,
            () => Level::Normal,
        }
    }

    /// Down to so many bytes sessions are ended.
    pub(super) fn end_until(&self) -> u64 {
        self.end - self.slack
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_level_begins_at_its_mark_and_ends_below_it() {
        let marks = Marks::new(1000, 85, 95);
        let mut level = Level::Normal;
        for (used, expected) in [
            (849, Level::Normal),
            (850, Level::Refusing),
            (801, Level::Refusing),
            (949, Level::Refusing),
            (950, Level::Ending),
            (900, Level::Ending),
            (899, Level::Refusing),
            (949, Level::Refusing),
            (799, Level::Normal),
            (849, Level::Normal),
            (1001, Level::Ending),
            (0, Level::Normal),
        ] {
            level = marks.level(level, used);
            assert_eq!(level, expected, "with {used}");
        }
    }

    proptest! {
        /// Whatever is configured: no arithmetic fails, and the level follows the marks.
        #[test]
        fn any_marks_hold(max: u64, refuse in 1_u8..100, used: u64, before in 0_u8..3) {
            let marks = Marks::new(max, refuse, 100);
            let level = marks.level(Level::of(before), used);
            prop_assert!(used < marks.end || level == Level::Ending);
            prop_assert!(used >= marks.refuse - marks.slack || level == Level::Normal);
        }
    }
}
