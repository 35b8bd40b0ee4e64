//! The plans of a manifest, each as the text of its plan file, which is not parsed until its plan is needed.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// Plan files by their digests, at most [`Plans::MOST`].
#[derive(Clone, Debug, Default)]
pub struct Plans(BTreeMap<String, Box<RawValue>>);

impl Plans {
    /// The maximum number of plans in a manifest.
    pub const MOST: usize = 100;

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Iterates over the digests and plan files, in the order of the digests.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(digest, file)| (digest.as_str(), file.get()))
    }
}

impl FromIterator<(String, Box<RawValue>)> for Plans {
    fn from_iter<I: IntoIterator<Item = (String, Box<RawValue>)>>(plans: I) -> Plans {
        Plans(plans.into_iter().collect())
    }
}

impl PartialEq for Plans {
    fn eq(&self, other: &Plans) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Serialize for Plans {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Plans {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Plans, D::Error> {
        from.deserialize_map(PlansVisitor)
    }
}

struct PlansVisitor;

impl<'de> Visitor<'de> for PlansVisitor {
    type Value = Plans;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} plans", Plans::MOST)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plans, A::Error> {
        let mut plans = BTreeMap::new();
        while let Some(digest) = map.next_key()? {
            if plans.len() == Plans::MOST {
                return Err(A::Error::invalid_length(Plans::MOST + 1, &self));
            }
            plans.insert(digest, map.next_value()?);
        }
        Ok(Plans(plans))
    }
}
