//! Static types: what is known of a value when compiling.

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
    /// The type is known only when the plan runs.
    Unknown,
}

impl Kind {
    /// Returns the name of the type in messages.
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

    /// Reports whether the value is a list, a map or bytes, which have no text and can't be compared.
    pub fn is_opaque(self) -> bool {
        matches!(self, Kind::List | Kind::Map | Kind::Bytes)
    }

    /// Reports whether the value may be a number.
    pub fn may_be_number(self) -> bool {
        self.is_number() || self == Kind::Unknown
    }

    /// Returns the type of a value that has one of two types.
    pub fn or(self, other: Kind) -> Kind {
        match (self, other) {
            (a, b) if a == b => a,
            (a, b) if a.is_number() && b.is_number() => Kind::Double,
            _ => Kind::Unknown,
        }
    }
}

/// A kind, and whether the value may be absent (`linked.` without a match, a division by zero).
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
