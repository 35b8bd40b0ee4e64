//! Static types: what is known of a value before it runs.

/// The type of a value, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Double,
    Text,
    List,
    Map,
    Bytes,
    /// Only the value itself will tell.
    Unknown,
}

impl Kind {
    /// As messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Bool => "a boolean",
            Kind::Int => "an int",
            Kind::Double => "a double",
            Kind::Text => "text",
            Kind::List => "a list",
            Kind::Map => "a map",
            Kind::Bytes => "bytes",
            Kind::Unknown => "of no known type",
        }
    }

    pub fn is_number(self) -> bool {
        matches!(self, Kind::Int | Kind::Double)
    }

    /// A list, a map or bytes: no text is made of it, and nothing compared with it.
    pub fn is_opaque(self) -> bool {
        matches!(self, Kind::List | Kind::Map | Kind::Bytes)
    }

    /// Could be a number.
    pub fn may_be_number(self) -> bool {
        self.is_number() || self == Kind::Unknown
    }

    /// Of a value that is one or the other.
    pub fn or(self, other: Kind) -> Kind {
        match (self, other) {
            (a, b) if a == b => a,
            (a, b) if a.is_number() && b.is_number() => Kind::Double,
            _ => Kind::Unknown,
        }
    }
}

/// A kind, and whether there may be no value at all (`linked.` without a match, a division by zero).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    pub kind: Kind,
    pub optional: bool,
}

impl From<Kind> for Type {
    fn from(kind: Kind) -> Type {
        Type { kind, optional: false }
    }
}
