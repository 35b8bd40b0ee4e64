//! Any bytes as a manifest: it is refused, or opened and written again.

use tracegen::journal::{Archive, Manifest};

pub fn run(bytes: &[u8]) {
    let manifest = match Manifest::read(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return drop(error.to_string()),
    };
    match Archive::open(&manifest) {
        Ok(mut archive) => {
            let _ = (archive.run(0).is_some(), archive.remake(0).is_some(), archive.missing_shards());
        }
        Err(error) => drop(error.to_string()),
    }
    let _ = Manifest::merge(vec![("one".into(), manifest.clone()), ("two".into(), manifest)]);
}
