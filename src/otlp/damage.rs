//! Places in the input that cannot be read.

use std::fmt;

/// The maximum length of a reason in characters, because a reason may quote the input.
const MOST_CHARACTERS: usize = 200;

/// One or more places in a text or a message that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The byte offset of the first such place, from the beginning.
    pub offset: u64,
    /// What is wrong at the first place.
    pub reason: String,
    /// The number of such places.
    pub places: u64,
}

impl Damage {
    /// Makes damage of one place.
    pub fn new(offset: u64, reason: impl ToString) -> Damage {
        let reason = reason.to_string();
        let reason = match reason.char_indices().nth(MOST_CHARACTERS) {
            Some((end, _)) => format!("{}..", &reason[..end]),
            None => reason,
        };
        Damage { offset, reason, places: 1 }
    }

    /// Returns the same damage in a text that begins `bytes` bytes earlier.
    pub fn moved(self, bytes: u64) -> Damage {
        Damage { offset: self.offset + bytes, ..self }
    }
}

/// A collection of all damage of a stream, of which the first place is kept.
#[derive(Debug, Default)]
pub struct Damages(Option<Damage>);

impl Damages {
    pub fn add(&mut self, damage: Damage) {
        match &mut self.0 {
            Some(first) => first.places += damage.places,
            none => *none = Some(damage),
        }
    }

    /// Adds the damage of a result that is an error.
    pub fn extend(&mut self, read: Result<(), Damage>) {
        if let Err(damage) = read {
            self.add(damage);
        }
    }

    /// Returns all damage together, or `None` if there is none.
    pub fn all(self) -> Option<Damage> {
        self.0
    }

    /// Returns all damage together as an error.
    ///
    /// # Errors
    /// There is damage.
    pub fn result(self) -> Result<(), Damage> {
        self.0.map_or(Ok(()), Err)
    }
}

impl std::error::Error for Damage {}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { offset, reason, places } = self;
        match places {
            1 => write!(f, "byte {offset}: {reason}"),
            more => write!(f, "{more} places can't be read, the first at byte {offset}: {reason}"),
        }
    }
}
