//! Search of spans by name, service, id or attribute.

use super::tree::Tree;
use crate::trace::StoredSpan;
use crate::web::filter::Search;
use crate::web::format;

/// Returns the spans that match all words, or `None` if there are no words.
pub fn find(tree: &Tree<'_>, wanted: &str) -> Option<Vec<usize>> {
    let search = Search::parse(wanted).ok().filter(|search| *search != Search::default())?;
    let word = search.id.as_ref().or(search.text.as_ref()).map(|word| word.to_lowercase());
    let matches = |span: &StoredSpan| {
        let named = |word: &String| {
            let names = [&span.name, &span.service].map(|name| name.to_lowercase());
            names.iter().any(|name| name.contains(word)) || format::span_id(span.id).starts_with(word)
        };
        let attribute = |(key, value): &(String, String)| {
            span.attributes.iter().chain(&span.resource).any(|(k, v)| k == key && v.as_datum().to_string() == *value)
        };
        word.iter().all(named) && search.attributes.iter().all(attribute)
    };
    let spans = tree.spans.iter().enumerate();
    Some(spans.filter(|(_, span)| matches(span)).map(|(i, _)| i).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tree::Calls;
    use super::super::tree::tests::spans;
    use super::*;
    use crate::trace::OwnedDatum;

    #[test]
    fn all_words_must_match() {
        let mut spans = spans(&[(1, 0, 0, 9), (2, 1, 1, 2), (0xabcdef0123456789, 1, 3, 4)]);
        spans[1].name = "SELECT stock".into();
        spans[1].attributes = vec![("db.rows".into(), OwnedDatum::Int(3))];
        spans[2].resource = vec![("host.name".into(), OwnedDatum::Text("a b".into()))];
        let tree = Tree::new(&spans, &Calls::new());
        let found = |wanted: &str| find(&tree, wanted);
        assert_eq!(found(" "), None);
        assert_eq!(found("select"), Some(vec![1]));
        assert_eq!(found("S1"), Some(vec![0, 2]), "by service: s1, and s11376..");
        assert_eq!(found("abcdef01"), Some(vec![2]), "by id");
        assert_eq!(found("db.rows=3 stock"), Some(vec![1]));
        assert_eq!(found("db.rows=3 stocks"), Some(vec![]));
        assert_eq!(found("host.name=\"a b\""), Some(vec![2]));
    }
}
