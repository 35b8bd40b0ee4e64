//! What can't be read, and where.

use std::fmt;

/// Most characters of a reason: it may quote what was found.
const MOST_CHARACTERS: usize = 200;

/// Places in a text or a message that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where the first is, bytes from the beginning.
    pub at: u64,
    /// What is wrong there.
    pub why: String,
    /// How many there are.
    pub places: u64,
}

impl Damage {
    pub fn new(at: u64, why: impl ToString) -> Damage {
        let why = why.to_string();
        let why = match why.char_indices().nth(MOST_CHARACTERS) {
            Some((end, _)) => format!("{}..", &why[..end]),
            None => why,
        };
        Damage { at, why, places: 1 }
    }

    /// The same in a text that begins `by` bytes earlier.
    pub fn moved(self, by: u64) -> Damage {
        Damage { at: self.at + by, ..self }
    }
}

/// All damage of a stream, the first place foremost.
#[derive(Debug, Default)]
pub struct Damages(Option<Damage>);

impl Damages {
    pub fn add(&mut self, damage: Damage) {
        match &mut self.0 {
            Some(first) => first.places += damage.places,
            none => *none = Some(damage),
        }
    }

    pub fn extend(&mut self, read: Result<(), Damage>) {
        if let Err(damage) = read {
            self.add(damage);
        }
    }

    /// `None`: there is none.
    pub fn all(self) -> Option<Damage> {
        self.0
    }

    /// # Errors
    /// There is some.
    pub fn result(self) -> Result<(), Damage> {
        self.0.map_or(Ok(()), Err)
    }
}

impl std::error::Error for Damage {}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { at, why, places } = self;
        match places {
            1 => write!(f, "byte {at}: {why}"),
            more => write!(f, "{more} places can't be read, the first at byte {at}: {why}"),
        }
    }
}
