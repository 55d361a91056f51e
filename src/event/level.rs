//! The six levels and every name and number clients use for them.
//!
//! What isn't recognised is `None`: the caller decides, and none of them loses the event for it.

/// Severity, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Finest detail.
    Trace = 0,
    /// For developers.
    Debug = 1,
    /// Normal operation.
    Info = 2,
    /// Something to look at.
    Warn = 3,
    /// Something failed.
    Error = 4,
    /// The process can't go on.
    Fatal = 5,
}

/// The longest known name; anything longer is not looked at.
const LONGEST_NAME: usize = 16;

impl Level {
    /// All levels, least severe first; a level's position is its number.
    pub const ALL: [Self; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// The name used in JSON, SQL and pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// The name of a stored number; `info` for one that is no level's.
    #[must_use]
    pub fn name_of(number: i64) -> &'static str {
        usize::try_from(number)
            .ok()
            .and_then(|index| Self::ALL.get(index))
            .map_or("info", |level| level.name())
    }

    /// Reads a level's name or one of its synonyms in any case, or a number as text (`"30"`).
    ///
    /// The synonyms are those of syslog, Python, Java, .NET, winston, npm, Monolog and Android.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        let mut room = [0_u8; LONGEST_NAME];
        let name = room.get_mut(..text.len())?;
        name.copy_from_slice(text.as_bytes());
        name.make_ascii_lowercase();
        let level = match &*name {
            b"info" | b"information" | b"informational" | b"inf" | b"i" | b"notice" | b"log" | b"success" => {
                Self::Info
            }
            b"error" | b"err" | b"severe" | b"fail" | b"failure" | b"failed" | b"exception" | b"eror"
            | b"e" => Self::Error,
            b"warn" | b"warning" | b"wrn" | b"w" => Self::Warn,
            b"debug" | b"dbg" | b"debg" | b"fine" | b"config" | b"http" | b"d" => Self::Debug,
            b"trace" | b"trc" | b"verbose" | b"silly" | b"finer" | b"finest" | b"t" | b"v" => Self::Trace,
            b"fatal" | b"ftl" | b"critical" | b"crit" | b"alert" | b"emerg" | b"emergency" | b"panic"
            | b"dpanic" | b"f" | b"c" => Self::Fatal,
            _ => return Self::from_number(text.parse().ok()?),
        };
        Some(level)
    }

    /// Reads a level's number by the scale it falls in.
    ///
    /// - 0 to 7, syslog (RFC 5424): 0–2 fatal, 3 error, 4 warn, 5–6 info, 7 debug;
    /// - 10 to 69, pino and bunyan: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal, what is between
    ///   belongs to the one below (Python's numbers differ; its handlers send names);
    /// - 100 to 699, Monolog: 100 debug, 200 info, 300 warn, 400 error, from 500 fatal.
    #[must_use]
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            0..=2 | 60..=69 | 500..=699 => Some(Self::Fatal),
            3 | 50..=59 | 400..=499 => Some(Self::Error),
            4 | 40..=49 | 300..=399 => Some(Self::Warn),
            5..=6 | 30..=39 | 200..=299 => Some(Self::Info),
            7 | 20..=29 | 100..=199 => Some(Self::Debug),
            10..=19 => Some(Self::Trace),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn every_name_and_synonym_is_read_in_any_case() {
        for (level, names) in [
            (Level::Trace, "trace TRACE Trc verbose silly finest finer"),
            (Level::Debug, "debug Debug DBG fine http"),
            (Level::Info, "info INFO information Informational notice log success"),
            (Level::Warn, "warn WARNING Wrn"),
            (Level::Error, "error ERR Severe fail"),
            (Level::Fatal, "fatal CRITICAL crit alert Emerg emergency panic"),
        ] {
            for name in names.split(' ') {
                assert_eq!(Level::parse(name), Some(level), "{name}");
            }
            assert_eq!(Level::parse(&format!(" {}\n", level.name())), Some(level));
        }
    }

    #[test]
    fn numbers_are_read_by_their_scale_as_numbers_and_as_text() {
        for (number, level) in [
            (0, Level::Fatal),
            (2, Level::Fatal),
            (3, Level::Error),
            (4, Level::Warn),
            (5, Level::Info),
            (6, Level::Info),
            (7, Level::Debug),
            (10, Level::Trace),
            (20, Level::Debug),
            (30, Level::Info),
            (35, Level::Info),
            (40, Level::Warn),
            (50, Level::Error),
            (60, Level::Fatal),
            (250, Level::Info),
            (550, Level::Fatal),
        ] {
            assert_eq!(Level::from_number(number), Some(level), "{number}");
            assert_eq!(Level::parse(&number.to_string()), Some(level), "{number}");
        }
    }

    #[test]
    fn what_is_no_level_is_none() {
        for text in ["", "loud", "8", "-1", "9", "70", "1000", "info!", "an unreasonably long name", "wärn"]
        {
            assert_eq!(Level::parse(text), None, "{text}");
        }
    }
}
